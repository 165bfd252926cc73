//! Enrols participants and issues their referral codes.

use aws::http::{Caller, Edge, Json, Path, PathId, Problem, ProblemBody, Refusal, finish};
use aws::store::{ParticipantRow, Store};
use aws::{ConfigError, Platform};
use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use chrono::{DateTime, Utc};
use domain::code::ReferralCode;
use domain::id::{ExternalId, OrganizationId, ParticipantId, ProgramId};
use domain::program::ProgramStatus;
use domain::reason::Reason;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 200;
/// How often another code is tried when one is taken.
const CODE_ATTEMPTS_MAX: u32 = 12;

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The HTTP edge, with the store.
    pub edge: Edge,
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let store = Store::new(platform, lookup)?;
        Ok(Self { edge: Edge { store, clock: platform.clock.clone(), entropy: platform.entropy } })
    }
}

impl FromRef<Deps> for Edge {
    fn from_ref(deps: &Deps) -> Self {
        deps.edge.clone()
    }
}

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    let routes = Router::new()
        .route("/v1/programs/{program}/participants/{external_id}", put(enrol))
        .route("/v1/participants/{id}", get(read_participant))
        .route("/v1/codes/{code}", get(read_code));
    finish(routes, deps.edge.clone(), deps)
}

/// The function's part of the OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(enrol, read_participant, read_code))]
    struct Doc;
    Doc::openapi()
}

/// A participant to be enrolled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The account's name: the code begins with its letters. At most 200 characters.
    #[schema(example = "Blue Lotus Studio", max_length = 200)]
    pub name: Option<String>,
}

/// A participant with its code.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParticipantView {
    /// The participant's id here.
    #[schema(example = "prt_00000000000000000000000000")]
    pub id: ParticipantId,
    /// The program.
    pub program: ProgramId,
    /// Your own id.
    #[schema(example = "user_17")]
    pub external_id: ExternalId,
    /// The name given when it was enrolled.
    pub name: Option<String>,
    /// The referral code; never changes.
    #[schema(example = "BLU-2345")]
    pub code: String,
    /// When it was enrolled.
    pub created_at: DateTime<Utc>,
}

/// Whose a code is.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeView {
    /// The code.
    #[schema(example = "BLU-2345")]
    pub code: String,
    /// The participant.
    pub participant: ParticipantId,
    /// Your own id of the participant.
    pub external_id: ExternalId,
    /// The program.
    pub program: ProgramId,
    /// Whether a sign-up with the code would be accepted now.
    pub accepted: bool,
}

impl From<ParticipantRow> for ParticipantView {
    fn from(row: ParticipantRow) -> Self {
        Self {
            id: row.participant,
            program: row.program,
            external_id: row.external_id,
            name: row.name,
            code: row.code.to_string(),
            created_at: row.created_at,
        }
    }
}

/// Enrol a participant and issue its code
///
/// Idempotent: a participant that exists is answered unchanged, with the code it has.
#[utoipa::path(put, path = "/v1/programs/{program}/participants/{external_id}",
    operation_id = "enrol_participant", tag = "participants",
    params(("program" = String, Path, description = "The program"),
           ("external_id" = String, Path, description = "Your own id of the account: 1 to 128 of A-Z a-z 0-9 . _ : | -")),
    request_body = EnrolRequest,
    responses((status = 201, body = ParticipantView, description = "Enrolled"),
              (status = 200, body = ParticipantView, description = "Was enrolled before"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
async fn enrol(
    State(deps): State<Deps>,
    caller: Caller,
    Path((program, external_id)): Path<(String, String)>,
    request: Json<EnrolRequest>,
) -> Result<Response, Problem> {
    let program = ProgramId::own(&program, "program")?;
    let external_id = ExternalId::theirs(&external_id, "{external_id}")?;
    let name = checked_name(request.value.name)?;
    let now = deps.edge.now();

    let known = deps.edge.store.find_recent_program(&caller.organization, &program).await?;
    let known = known.ok_or_else(|| Problem::not_found("program"))?;
    if known.program.status_at(now) == ProgramStatus::Ended {
        return Err(Refusal(Reason::ProgramNotActive).into());
    }

    let entropy = deps.edge.entropy.draw::<32>().map_err(|error| Problem::internal(&error))?;
    let letters_from = name.clone().unwrap_or_else(|| external_id.to_string());
    let row = ParticipantRow {
        participant: ParticipantId::of(&caller.organization, &program, &external_id),
        program,
        external_id,
        name,
        code: ReferralCode::generate(&letters_from, &entropy, 0),
        created_at: now,
    };
    let (row, created) = deps.edge.store.commit_participant(&caller.organization, &row).await?;
    let row = claim_code(&deps, &caller.organization, row, &letters_from, &entropy).await?;

    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let location = format!("/v1/participants/{}", row.participant);
    Ok((status, [("location", location)], axum::Json(ParticipantView::from(row))).into_response())
}

/// Claims the participant's code, or another one while the one it has is somebody else's.
async fn claim_code(
    deps: &Deps,
    organization: &OrganizationId,
    mut row: ParticipantRow,
    name: &str,
    entropy: &[u8; 32],
) -> Result<ParticipantRow, Problem> {
    for attempt in 1..=CODE_ATTEMPTS_MAX {
        if deps.edge.store.commit_code(organization, &row).await? {
            return Ok(row);
        }
        let other = ReferralCode::generate(name, entropy, attempt);
        row = deps.edge.store.commit_other_code(organization, &row, &other).await?;
    }
    Err(Problem::new(503, "no_code_free", "No free code was found; try again."))
}

fn checked_name(name: Option<String>) -> Result<Option<String>, Problem> {
    let Some(name) = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let fits = name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control);
    let detail = || format!("must have at most {NAME_CHARS_MAX} characters and no control characters");
    if fits { Ok(Some(name)) } else { Err(Problem::field("/name", detail())) }
}

/// Read a participant
#[utoipa::path(get, path = "/v1/participants/{id}", tag = "participants",
    params(("id" = String, Path, description = "The participant's id (prt_...)")),
    responses((status = 200, body = ParticipantView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
async fn read_participant(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<ParticipantView>, Problem> {
    let id = ParticipantId::own(&id, "participant")?;
    let row = deps.edge.store.find_participant(&caller.organization, &id).await?;
    row.map(|row| axum::Json(row.into())).ok_or_else(|| Problem::not_found("participant"))
}

/// Look a code up
///
/// Matched without case or dash.
#[utoipa::path(get, path = "/v1/codes/{code}", tag = "participants",
    params(("code" = String, Path, description = "The code, as it was typed")),
    responses((status = 200, body = CodeView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
async fn read_code(
    State(deps): State<Deps>,
    caller: Caller,
    Path(code): Path<String>,
) -> Result<axum::Json<CodeView>, Problem> {
    let code = ReferralCode::parse(&code).map_err(|_| Problem::not_found("code"))?;
    let row = deps.edge.store.find_code(&caller.organization, &code).await?;
    let row = row.ok_or_else(|| Problem::not_found("code"))?;
    let program = deps.edge.store.find_recent_program(&caller.organization, &row.program).await?;
    let now = deps.edge.now();
    let accepted = program.is_some_and(|row| row.program.status_at(now) == ProgramStatus::Active);
    Ok(axum::Json(CodeView {
        code: row.code.to_string(),
        participant: row.participant,
        external_id: row.external_id,
        program: row.program,
        accepted,
    }))
}
