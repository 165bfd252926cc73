//! Participants: enrolled once, each with a referral code that never changes.

use aws::http::{Caller, Json, ParticipantView, Path, PathId, Problem, ProblemBody, Refusal};
use aws::store::{Enrolled, JourneyRow, ParticipantRow};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::code::ReferralCode;
use domain::contact::Contact;
use domain::customers::Customers;
use domain::event::{Event, ParticipantData, What};
use domain::id::{ExternalId, OrganizationId, ParticipantId, ProgramId};
use domain::program::ProgramStatus;
use domain::reason::Reason;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::Deps;

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 200;
/// How often another code is tried when one is taken.
const CODE_ATTEMPTS_MAX: u32 = 12;

/// A participant to be enrolled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrolRequest {
    /// The account's name: the code begins with its letters. At most 200 characters.
    #[schema(example = "Blue Lotus Studio", max_length = 200)]
    name: Option<String>,
    /// Your payment processors' ids of it as a customer of yours, where rewards shall be delivered there. PATCH changes them.
    customers: Option<Customers>,
    /// Where it is reached, where the engine shall send e-mail or text messages. PATCH changes it.
    contact: Option<Contact>,
}

/// Enrol a participant and issue its code
///
/// Idempotent: a participant that exists is answered unchanged, with the code it has. A referee who was rewarded before it
/// was enrolled keeps its ledger: its participant id is the same.
#[utoipa::path(put, path = "/v1/programs/{program}/participants/{external_id}",
    operation_id = "enrol_participant", tag = "participants",
    params(("program" = String, Path, description = "The program"),
           ("external_id" = String, Path, description = "Your own id of the account: 1 to 128 of A-Z a-z 0-9 . _ : | -")),
    request_body = EnrolRequest,
    responses((status = 201, body = ParticipantView, description = "Enrolled"),
              (status = 200, body = ParticipantView, description = "Was enrolled before"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn enrol(
    State(deps): State<Deps>,
    caller: Caller,
    Path((program, external_id)): Path<(String, String)>,
    request: Json<EnrolRequest>,
) -> Result<Response, Problem> {
    let program = ProgramId::own(&program, "program")?;
    let external_id = ExternalId::theirs(&external_id, "{external_id}")?;
    let EnrolRequest { name, customers, contact } = request.value;
    let name = checked_name(name)?;
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
        assignments: Vec::new(),
        customers: customers.unwrap_or_default(),
        contact: contact.unwrap_or_default(),
        unsubscribed_at: None,
        created_at: now,
    };
    let organization = &caller.organization;
    let is_told = deps.events.wanted(created_event(organization, &row)).await?.is_some();
    let journeys = journeys(&deps, organization, &row).await?;
    let (row, created) = if is_told || !journeys.is_empty() {
        let more = More { is_told, journeys };
        enrol_with(&deps, organization, row, &more, &letters_from, &entropy).await?
    } else {
        let (row, created) = deps.edge.store.commit_participant(organization, &row).await?;
        (claim_code(&deps, organization, row, &letters_from, &entropy).await?, created)
    };

    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let location = format!("/v1/participants/{}", row.participant);
    Ok((status, [("location", location)], axum::Json(ParticipantView::from(row))).into_response())
}

/// What is written with an enrolment where somebody has asked for it.
struct More {
    /// Whether it is told.
    is_told: bool,
    /// The participant's journeys through campaigns.
    journeys: Vec<JourneyRow>,
}

/// How a participant's journeys through the campaigns of its program begin.
async fn journeys(
    deps: &Deps,
    organization: &OrganizationId,
    row: &ParticipantRow,
) -> Result<Vec<JourneyRow>, Problem> {
    let campaigns = deps.edge.store.list_recent_campaigns(organization).await?;
    let own = campaigns.iter().filter(|campaign| campaign.program == row.program);
    Ok(own.filter_map(|campaign| JourneyRow::begin(campaign, row)).collect())
}

/// Enrols a participant with more: all in one transaction, with a code that is free.
async fn enrol_with(
    deps: &Deps,
    organization: &OrganizationId,
    mut row: ParticipantRow,
    more: &More,
    name: &str,
    entropy: &[u8; 32],
) -> Result<(ParticipantRow, bool), Problem> {
    let mut codes_taken = 0;
    for _ in 0..CODE_ATTEMPTS_MAX {
        let event = more.is_told.then(|| created_event(organization, &row));
        match deps.edge.store.commit_enrolment(organization, &row, event.as_ref(), &more.journeys).await? {
            Enrolled::New => {
                deps.events.announce(event.as_ref()).await;
                return Ok((row, true));
            }
            Enrolled::Known(known) => {
                return Ok((claim_code(deps, organization, *known, name, entropy).await?, false));
            }
            Enrolled::CodeTaken => {
                codes_taken += 1;
                row.code = ReferralCode::generate(name, entropy, codes_taken);
            }
            Enrolled::Lost => {}
        }
    }
    Err(no_code_free())
}

/// What is told of an enrolment.
fn created_event(organization: &OrganizationId, row: &ParticipantRow) -> Event {
    let what = What::ParticipantCreated(ParticipantData {
        participant: row.participant.clone(),
        external_id: row.external_id.clone(),
        program: row.program.clone(),
        code: row.code.clone(),
    });
    Event::new(organization, what, row.participant.as_str(), row.created_at)
}

fn no_code_free() -> Problem {
    Problem::new(503, "no_code_free", "No free code was found; try again.")
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
    Err(no_code_free())
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
#[utoipa::path(get, path = "/v1/participants/{id}", operation_id = "read_participant", tag = "participants",
    params(("id" = String, Path, description = "The participant's id (prt_...)")),
    responses((status = 200, body = ParticipantView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<ParticipantView>, Problem> {
    let id = ParticipantId::own(&id, "participant")?;
    let row = deps.edge.store.find_participant(&caller.organization, &id).await?;
    row.map(|row| axum::Json(row.into())).ok_or_else(|| Problem::not_found("participant"))
}
