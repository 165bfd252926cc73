//! Codes: whose a code is, and promo codes that a program owner makes beside the codes that the system issues.

use aws::http::{Caller, Json, Path, PathId, Problem, ProblemBody, Refusal};
use aws::store::{CodeRow, Promo};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::code::ReferralCode;
use domain::id::{ExternalId, OrganizationId, ParticipantId, ProgramId};
use domain::program::ProgramStatus;
use domain::reason::Reason;
use domain::terms::COUNT_MAX;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;

/// A promo code to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromoRequest {
    /// The code: 3 to 20 letters and digits; matched without case, dash or space.
    #[schema(example = "SUMMER25", min_length = 3, max_length = 64)]
    code: String,
    /// Your own id of the participant whose code it is: whoever signs up with it is referred by that participant. It
    /// must be enrolled in the program.
    #[schema(example = "user_17")]
    participant: ExternalId,
    /// From when a sign-up may use it; at once unless told.
    starts_at: Option<DateTime<Utc>>,
    /// Until when, exclusive; for ever unless told. After `starts_at`, and in the future.
    ends_at: Option<DateTime<Utc>>,
    /// How many sign-ups may use it: 1 to 1,000,000; any number unless told.
    #[schema(minimum = 1, maximum = 1_000_000)]
    max_uses: Option<u32>,
}

/// Whose a code is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CodeView {
    /// The code.
    #[schema(example = "BLU-2345")]
    code: String,
    /// The participant.
    participant: ParticipantId,
    /// Your own id of the participant.
    external_id: ExternalId,
    /// The program.
    program: ProgramId,
    /// Whether a sign-up with the code would be accepted now, as far as program and code are concerned.
    accepted: bool,
    /// What is particular about a promo code; null for the code that the system issued.
    promo: Option<PromoView>,
}

/// A promo code's limits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PromoView {
    /// From when it can be used; null for at once.
    starts_at: Option<DateTime<Utc>>,
    /// Until when, exclusive; null for ever.
    ends_at: Option<DateTime<Utc>>,
    /// How many sign-ups may use it; null for any number.
    max_uses: Option<u32>,
    /// How many sign-ups have used it; counted only where `max_uses` limits them, null else.
    uses: Option<u32>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

/// Make a promo code
///
/// A code of your choice for a participant, beside the one that the system issued. It never changes and its owner never
/// changes. Idempotent: the same code with the same owner, dates and limit again is answered with 200.
#[utoipa::path(post, path = "/v1/programs/{program}/codes", operation_id = "create_promo_code", tag = "participants",
    params(("program" = String, Path, description = "The program's id (prg_...)")),
    request_body = PromoRequest,
    responses((status = 201, body = CodeView, description = "Made"),
              (status = 200, body = CodeView, description = "Was made before"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 code_taken, 422 program_not_active once the program has ended")))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    Path(program): Path<String>,
    request: Json<PromoRequest>,
) -> Result<Response, Problem> {
    let (store, organization, now) = (&deps.edge.store, &caller.organization, deps.edge.now());
    let id = ProgramId::own(&program, "program")?;
    let request = request.value;
    let code = checked_code(&request.code)?;
    check_limits(&request)?;

    let program = store.find_recent_program(organization, &id).await?;
    let program = program.ok_or_else(|| Problem::not_found("program"))?;
    let participant = ParticipantId::of(organization, &id, &request.participant);
    let participant = store.find_participant(organization, &participant).await?;
    let participant = participant
        .ok_or_else(|| Problem::field("/participant", "is not enrolled in the program; enrol it first"))?;
    let row = CodeRow {
        code,
        participant: participant.participant,
        external_id: participant.external_id,
        program: id,
        promo: Some(Promo {
            starts_at: request.starts_at,
            ends_at: request.ends_at,
            max_uses: request.max_uses,
            created_at: now,
        }),
        uses: 0,
    };
    // The same call again is answered, even when the program or the code has ended since.
    if let Some(known) = store.find_code(organization, &row.code).await? {
        return repeated(&deps, organization, &row, known).await;
    }
    if program.program.status_at(now) == ProgramStatus::Ended {
        return Err(Refusal(Reason::ProgramNotActive).into());
    }
    if request.ends_at.is_some_and(|end| end <= now) {
        return Err(Problem::field("/ends_at", "must lie in the future"));
    }
    if let Some(known) = store.commit_promo_code(organization, &row).await? {
        return repeated(&deps, organization, &row, known).await;
    }
    let location = format!("/v1/codes/{}", row.code.as_str());
    let view = view(&deps, organization, row).await?;
    Ok((StatusCode::CREATED, [("location", location)], axum::Json(view)).into_response())
}

/// The answer where the code is somebody's already.
async fn repeated(
    deps: &Deps,
    organization: &OrganizationId,
    asked: &CodeRow,
    known: CodeRow,
) -> Result<Response, Problem> {
    let limits =
        |row: &CodeRow| row.promo.as_ref().map(|promo| (promo.starts_at, promo.ends_at, promo.max_uses));
    if known.participant == asked.participant && limits(&known) == limits(asked) {
        return Ok(axum::Json(view(deps, organization, known).await?).into_response());
    }
    let title = "The code is another participant's, or was made with other dates or another limit.";
    Err(Problem::new(409, "code_taken", title))
}

/// Look a code up
///
/// Matched without case or dash.
#[utoipa::path(get, path = "/v1/codes/{code}", operation_id = "read_code", tag = "participants",
    params(("code" = String, Path, description = "The code, as it was typed")),
    responses((status = 200, body = CodeView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(code): Path<String>,
) -> Result<axum::Json<CodeView>, Problem> {
    let code = ReferralCode::parse(&code).map_err(|_| Problem::not_found("code"))?;
    let row = deps.edge.store.find_code(&caller.organization, &code).await?;
    let row = row.ok_or_else(|| Problem::not_found("code"))?;
    Ok(axum::Json(view(&deps, &caller.organization, row).await?))
}

async fn view(deps: &Deps, organization: &OrganizationId, row: CodeRow) -> Result<CodeView, Problem> {
    let now = deps.edge.now();
    let program = deps.edge.store.find_recent_program(organization, &row.program).await?;
    let active = program.is_some_and(|row| row.program.status_at(now) == ProgramStatus::Active);
    let owner = row.owner();
    let begun = owner.starts_at.is_none_or(|start| now >= start);
    let ended = owner.ends_at.is_some_and(|end| now >= end);
    let uses = row.uses;
    let promo = row.promo.map(|promo| PromoView {
        starts_at: promo.starts_at,
        ends_at: promo.ends_at,
        max_uses: promo.max_uses,
        uses: promo.max_uses.map(|_| uses),
        created_at: promo.created_at,
    });
    Ok(CodeView {
        code: if promo.is_some() { row.code.as_str().to_owned() } else { row.code.to_string() },
        participant: row.participant,
        external_id: row.external_id,
        program: row.program,
        accepted: active && begun && !ended && !owner.used_up,
        promo,
    })
}

/// A promo code that is read as it was written: one of the form of a system code, with a sign in it that is taken for
/// its look-alike, would be shown otherwise than its owner wrote it.
fn checked_code(text: &str) -> Result<ReferralCode, Problem> {
    let code = ReferralCode::parse(text).map_err(|error| Problem::field("/code", error))?;
    let typed: String =
        text.chars().filter(char::is_ascii_alphanumeric).map(|sign| sign.to_ascii_uppercase()).collect();
    if typed == code.as_str() {
        return Ok(code);
    }
    Err(Problem::field(
        "/code",
        format!("is read as {code}; choose one without look-alike letters and digits"),
    ))
}

fn check_limits(request: &PromoRequest) -> Result<(), Problem> {
    if request.max_uses.is_some_and(|most| !(1..=COUNT_MAX).contains(&most)) {
        return Err(Problem::field("/max_uses", format!("must be 1 to {COUNT_MAX}")));
    }
    if request.starts_at.zip(request.ends_at).is_some_and(|(start, end)| end <= start) {
        return Err(Problem::field("/ends_at", "must lie after starts_at"));
    }
    Ok(())
}
