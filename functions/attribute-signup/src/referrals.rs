//! Referrals by referee: reading one, and what an administrator does to it (mission 001).

use aws::Events;
use aws::http::{Caller, Json, Path, PathId, Problem, ProblemBody, ReferralView, Refusal};
use aws::store::StoreError;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::event::{Event, ReferralData, What};
use domain::id::{Channel, ExternalId, OrganizationId, ParticipantId, ProgramId};
use domain::reason::Reason;
use domain::referral::{Binding, assign as assign_referrer, remove as remove_referral};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::signup::owner_of;

/// How often a change that lost a race is tried again.
const ATTEMPTS_MAX: u32 = 8;

/// Who referred, as an administrator says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignRequest {
    /// The program (prg_...).
    pub program: ProgramId,
    /// Your own id of the referrer, who must be enrolled in the program.
    #[schema(example = "anna")]
    pub referrer: ExternalId,
    /// The form or app, if it matters to the rules; `assigned` unless told.
    pub channel: Option<Channel>,
}

/// A referee: what is known of who referred it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefereeView {
    /// Your own id of the referee.
    pub referee: ExternalId,
    /// `referred`, or `organic` when it signed up and nobody referred it.
    #[schema(example = "referred")]
    pub outcome: &'static str,
    /// When it signed up.
    pub signed_up_at: DateTime<Utc>,
    /// The referral, active or removed.
    pub referral: Option<ReferralView>,
    /// Referrals that were removed before, oldest first.
    pub former: Vec<ReferralView>,
}

/// Read who referred a customer
#[utoipa::path(get, path = "/v1/referrals/{referee}", operation_id = "get_referral", tag = "reading",
    params(("referee" = String, Path, description = "Your own id of the referee")),
    responses((status = 200, body = RefereeView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "404 when no sign-up was reported")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(referee): Path<String>,
) -> Result<Response, Problem> {
    let referee = ExternalId::theirs(&referee, "{referee}")?;
    let binding = deps.edge.store.get_referee(&caller.organization, &referee).await?.binding();
    let view = view(referee, binding).ok_or_else(|| Problem::not_found("referee"))?;
    Ok(axum::Json(view).into_response())
}

/// Assign a referrer
///
/// Late assignment: the referrer earns by events from now on only; nothing is paid retroactively. Refused while another
/// referral of the referee is active. Idempotent: the same referrer again changes nothing.
#[utoipa::path(put, path = "/v1/referrals/{referee}", operation_id = "assign_referrer", tag = "programs",
    params(("referee" = String, Path, description = "Your own id of the referee")),
    request_body = AssignRequest,
    responses((status = 201, body = RefereeView, description = "Assigned"),
              (status = 200, body = RefereeView, description = "Was so before"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 already_referred, 422 self_referral")))]
pub(crate) async fn assign(
    State(deps): State<Deps>,
    caller: Caller,
    Path(referee): Path<String>,
    request: Json<AssignRequest>,
) -> Result<Response, Problem> {
    let (organization, request) = (&caller.organization, request.value);
    let referee = ExternalId::theirs(&referee, "{referee}")?;
    let (store, events) = (&deps.edge.store, &deps.settler.events);
    if store.find_recent_program(organization, &request.program).await?.is_none() {
        return Err(Problem::field("/program", "there is no such program"));
    }
    let referrer = ParticipantId::of(organization, &request.program, &request.referrer);
    let referrer = store.find_participant(organization, &referrer).await?;
    let referrer = referrer
        .ok_or_else(|| Problem::field("/referrer", "is not enrolled in the program; enrol it first"))?;
    let channel = request.channel.map_or_else(|| Channel::parse("assigned"), Ok);
    let channel = channel.map_err(|error| Problem::field("/channel", error))?;
    for _ in 0..ATTEMPTS_MAX {
        let (now, row) = (deps.edge.now(), store.get_referee(organization, &referee).await?);
        let known = row.binding();
        let active = known.latest().filter(|referral| referral.inactive_from.is_none());
        if active.is_some_and(|referral| referral.referrer == referrer.participant) {
            return answer(StatusCode::OK, referee, known);
        }
        let binding = assign_referrer(&referee, &known, &owner_of(&referrer), channel.clone(), now);
        let binding = binding.map_err(Refusal)?;
        let event = wanted(events, organization, What::ReferralCreated, &binding, now).await?;
        if store.commit_rebinding(organization, &referee, &row, &binding, event.as_ref(), now).await? {
            events.announce(event.as_ref()).await;
            if known == Binding::Unknown {
                // Payments that waited lie before the assignment: they are decided, and earn nothing.
                let waiting = store.get_referee(organization, &referee).await?.waiting;
                deps.settler.release_referee(organization, &referee, &waiting).await?;
            }
            return answer(StatusCode::CREATED, referee, binding);
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

/// Remove a referral
///
/// It becomes inactive: events from now on earn nothing, what was earned before stays and follows its refunds. Another
/// referrer can be assigned afterwards. Idempotent.
#[utoipa::path(delete, path = "/v1/referrals/{referee}", operation_id = "remove_referral", tag = "programs",
    params(("referee" = String, Path, description = "Your own id of the referee")),
    responses((status = 200, body = RefereeView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "404 when nobody referred the referee")))]
pub(crate) async fn remove(
    State(deps): State<Deps>,
    caller: Caller,
    Path(referee): Path<String>,
) -> Result<Response, Problem> {
    let (organization, store, events) = (&caller.organization, &deps.edge.store, &deps.settler.events);
    let referee = ExternalId::theirs(&referee, "{referee}")?;
    for _ in 0..ATTEMPTS_MAX {
        let (now, row) = (deps.edge.now(), store.get_referee(organization, &referee).await?);
        let known = row.binding();
        let binding = remove_referral(&known, now).ok_or_else(|| Problem::not_found("referral"))?;
        if binding == known {
            return answer(StatusCode::OK, referee, binding);
        }
        let event = wanted(events, organization, What::ReferralInactivated, &binding, now).await?;
        if store.commit_rebinding(organization, &referee, &row, &binding, event.as_ref(), now).await? {
            events.announce(event.as_ref()).await;
            return answer(StatusCode::OK, referee, binding);
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

/// What is told of the latest referral, if anybody wants it.
async fn wanted(
    events: &Events,
    organization: &OrganizationId,
    what: fn(ReferralData) -> What,
    binding: &Binding,
    now: DateTime<Utc>,
) -> Result<Option<Event>, StoreError> {
    match binding.latest() {
        Some(referral) => events.wanted(Event::of_referral(organization, what, referral, now)).await,
        None => Ok(None),
    }
}

fn answer(status: StatusCode, referee: ExternalId, binding: Binding) -> Result<Response, Problem> {
    let view = view(referee, binding).ok_or_else(|| Problem::from(Refusal(Reason::AwaitingSignup)))?;
    Ok((status, axum::Json(view)).into_response())
}

fn view(referee: ExternalId, binding: Binding) -> Option<RefereeView> {
    Some(match binding {
        Binding::Unknown => return None,
        Binding::Organic { signed_up_at } => {
            RefereeView { referee, outcome: "organic", signed_up_at, referral: None, former: Vec::new() }
        }
        Binding::Bound { referral, former } => RefereeView {
            referee,
            outcome: "referred",
            signed_up_at: referral.signed_up_at,
            referral: Some(referral.into()),
            former: former.into_iter().map(ReferralView::from).collect(),
        },
    })
}
