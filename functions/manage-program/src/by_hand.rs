//! What administrators do to rewards by hand: give, approve, reject, take back. Each names who did it.

use aws::http::{Caller, IdempotencyKey, Json, Path, PathId, Problem, ProblemBody, hash_of};
use aws::settle::{ByHand, Gift, Part};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::id::{EntryId, OrganizationId, ParticipantId, RewardId};
use domain::ledger::{Cause, Note, Reward};
use domain::money::{AMOUNT_MAX, Money};
use domain::terms::RewardKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rewards::RewardView;
use crate::{Deps, checked_text};

/// Longest name of an actor, in characters.
const ACTOR_CHARS_MAX: usize = 100;
/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 500;
/// The key of what can happen to a reward once.
pub(crate) const REJECTED: &str = "rejected";
/// The key of taking back all that stands.
const WHOLE: &str = "whole";

/// What can be given by hand.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GrantKind {
    /// Credit in the participant's balance here; in a currency.
    #[default]
    Allowance,
    /// Points, or another unit that is no currency.
    Points,
    /// Money, paid out; in a currency.
    Cash,
    /// Credit on the participant's next invoice; in a currency.
    InvoiceCredit,
}

/// A reward to be given by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantRequest {
    /// How much: 1 to 1,000,000,000,000 minor units of a currency, or whole points.
    amount: Money,
    /// What; `allowance` unless told.
    #[serde(default)]
    kind: GrantKind,
    /// Who gives it: your own name of an administrator, 1 to 100 characters.
    #[schema(example = "admin_3", min_length = 1, max_length = 100)]
    actor: String,
    /// Why: 1 to 500 characters.
    #[schema(example = "The friend's booking was made by phone", min_length = 1, max_length = 500)]
    reason: String,
}

/// Who does something, and why if there is more to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActionRequest {
    /// Who: your own name of an administrator, or of the system that did it; 1 to 100 characters.
    #[schema(example = "admin_3", min_length = 1, max_length = 100)]
    pub(crate) actor: String,
    /// Why: 1 to 500 characters; what was done unless told.
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: Option<String>,
}

/// Who does something that needs a reason, and the reason.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonedRequest {
    /// Who: your own name of an administrator, 1 to 100 characters.
    #[schema(example = "admin_3", min_length = 1, max_length = 100)]
    pub(crate) actor: String,
    /// Why: 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: String,
}

/// Who takes a reward back, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReverseRequest {
    /// Who: your own name of an administrator, 1 to 100 characters.
    #[schema(example = "admin_3", min_length = 1, max_length = 100)]
    actor: String,
    /// Why: 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// How much of it, in the reward's unit; all that stands unless told. Never more than stands is taken.
    amount: Option<Money>,
}

/// Give a reward by hand
///
/// A line of the participant's ledger with cause `granted` and your note, delivered as any other reward. It needs an
/// `Idempotency-Key`: nothing else tells a repeated call from a second gift.
#[utoipa::path(post, path = "/v1/participants/{id}/rewards", operation_id = "grant_reward", tag = "rewards",
    params(("id" = String, Path, description = "The participant's id (prt_...); it must be enrolled"),
           ("Idempotency-Key" = String, Header, description = "Needed. Repeats of the call answer the reward that the first one gave")),
    request_body = GrantRequest,
    responses((status = 201, body = RewardView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 422 idempotency_mismatch")))]
pub(crate) async fn grant(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    key: IdempotencyKey,
    request: Json<GrantRequest>,
) -> Result<Response, Problem> {
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let id = ParticipantId::own(&id, "participant")?;
    let key = needed(key)?;
    let asked = request.value;
    let note = note(&asked.actor, &asked.reason)?;
    let kind = checked_kind(asked.kind, asked.amount)?;
    let participant = store.find_participant(organization, &id).await?;
    let participant = participant.ok_or_else(|| Problem::not_found("participant"))?;
    let program = store.find_recent_program(organization, &participant.program).await?;
    let program = program.ok_or_else(|| Problem::not_found("program"))?;
    let gift = Gift {
        id: EntryId::derive(&["grant", organization.as_str(), &key]),
        request_hash: hash_of(&format!("{id} {}", request.hash)),
        participant,
        amount: asked.amount,
        kind,
        note,
    };
    let reward = match deps.settler.grant(organization, &program, &gift).await? {
        ByHand::Done(reward) => *reward,
        ByHand::OtherRequest => return Err(Problem::idempotency_mismatch()),
        ByHand::Absent | ByHand::NotPossible(_) | ByHand::Delivering | ByHand::TooOften => {
            return Err(Problem::not_found("reward"));
        }
    };
    let location = format!("/v1/rewards/{}", reward.reward);
    Ok((StatusCode::CREATED, [("location", location)], axum::Json(RewardView::from(reward))).into_response())
}

/// Approve a reward
///
/// One that waits for approval is delivered from now on, or as soon as its hold is over and enough is earned.
/// Idempotent: a reward that is approved or delivered already is answered as it is.
#[utoipa::path(post, path = "/v1/rewards/{id}/approve", operation_id = "approve_reward", tag = "rewards",
    params(("id" = String, Path, description = "The reward's id (rwd_...)")), request_body = ActionRequest,
    responses((status = 200, body = RewardView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 reward_not_approvable")))]
pub(crate) async fn approve(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<ActionRequest>,
) -> Result<axum::Json<RewardView>, Problem> {
    let id = RewardId::own(&id, "reward")?;
    let note = note(&request.value.actor, request.value.reason.as_deref().unwrap_or("approved"))?;
    let approved = deps.settler.approve(&caller.organization, &id, &note).await?;
    done(approved, NOT_APPROVABLE).map(|reward| axum::Json(reward.into()))
}

/// Reject a reward
///
/// Before its delivery: nothing of it stands any more, and later events of its source give nothing again. Idempotent.
#[utoipa::path(post, path = "/v1/rewards/{id}/reject", operation_id = "reject_reward", tag = "rewards",
    params(("id" = String, Path, description = "The reward's id (rwd_...)")), request_body = ReasonedRequest,
    responses((status = 200, body = RewardView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 reward_not_rejectable, reward_being_delivered")))]
pub(crate) async fn reject(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<ReasonedRequest>,
) -> Result<axum::Json<RewardView>, Problem> {
    let id = RewardId::own(&id, "reward")?;
    let note = Some(note(&request.value.actor, &request.value.reason)?);
    let organization = &caller.organization;
    let rejected =
        deps.settler.take_back(organization, &id, Part::Whole, Cause::Rejected, note, REJECTED).await?;
    done(rejected, NOT_REJECTABLE).map(|reward| axum::Json(reward.into()))
}

/// Confirm or make a delivery by hand
///
/// For a reward that a listener was to deliver (its event `reward.earned` said `deliver_by: listener`): it has. For any other
/// that is approved or has failed: somebody did outside this engine, and from then on takes it back there too. Idempotent.
#[utoipa::path(post, path = "/v1/rewards/{id}/fulfill", operation_id = "fulfill_reward", tag = "rewards",
    params(("id" = String, Path, description = "The reward's id (rwd_...)")), request_body = ActionRequest,
    responses((status = 200, body = RewardView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 reward_not_fulfillable, reward_being_delivered")))]
pub(crate) async fn fulfill(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<ActionRequest>,
) -> Result<axum::Json<RewardView>, Problem> {
    let id = RewardId::own(&id, "reward")?;
    let note = note(&request.value.actor, request.value.reason.as_deref().unwrap_or("fulfilled"))?;
    let fulfilled = deps.settler.fulfill(&caller.organization, &id, &note).await?;
    done(fulfilled, NOT_FULFILLABLE).map(|reward| axum::Json(reward.into()))
}

/// Try a failed delivery again
///
/// Once what `failure` names is mended. Idempotent: a reward that is to be delivered, or was, is answered as it is.
#[utoipa::path(post, path = "/v1/rewards/{id}/retry", operation_id = "retry_reward", tag = "rewards",
    params(("id" = String, Path, description = "The reward's id (rwd_...)")), request_body = ActionRequest,
    responses((status = 200, body = RewardView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 reward_not_retriable")))]
pub(crate) async fn retry(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<ActionRequest>,
) -> Result<axum::Json<RewardView>, Problem> {
    let id = RewardId::own(&id, "reward")?;
    let note = note(&request.value.actor, request.value.reason.as_deref().unwrap_or("retried"))?;
    let retried = deps.settler.retry(&caller.organization, &id, &note).await?;
    done(retried, NOT_RETRIABLE).map(|reward| axum::Json(reward.into()))
}

/// Take a reward back
///
/// All that stands of it, or a part: a line of its own with your note. What was delivered already is clawed back from
/// the balance. What is taken back by hand is not given again by later events of its source. All of it is idempotent by
/// itself; a part needs an `Idempotency-Key`. At most 20 times for one reward.
#[utoipa::path(post, path = "/v1/rewards/{id}/reverse", operation_id = "reverse_reward", tag = "rewards",
    params(("id" = String, Path, description = "The reward's id (rwd_...)"),
           ("Idempotency-Key" = Option<String>, Header, description = "Needed with `amount`. Repeats of the call take nothing twice")),
    request_body = ReverseRequest,
    responses((status = 200, body = RewardView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 reward_not_reversible, reward_being_delivered, too_many_reversals_by_hand, 422 idempotency_mismatch")))]
pub(crate) async fn reverse(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    key: IdempotencyKey,
    request: Json<ReverseRequest>,
) -> Result<axum::Json<RewardView>, Problem> {
    let organization = &caller.organization;
    let id = RewardId::own(&id, "reward")?;
    let note = Some(note(&request.value.actor, &request.value.reason)?);
    let amount = match request.value.amount {
        Some(part) => Part::Amount(checked_part(&deps, organization, &id, part).await?),
        None => Part::Whole,
    };
    let key = match amount {
        Part::Amount(_) => format!("key-{}.{}", hash_of(&needed(key)?), request.hash),
        Part::Whole | Part::Unspent => WHOLE.to_owned(),
    };
    let taken = deps.settler.take_back(organization, &id, amount, Cause::TakenBack, note, &key).await?;
    done(taken, NOT_REVERSIBLE).map(|reward| axum::Json(reward.into()))
}

/// The code and the title of what cannot be done to a reward in its state.
pub(crate) type NotPossible = (&'static str, &'static str);

pub(crate) const NOT_APPROVABLE: NotPossible =
    ("reward_not_approvable", "The reward does not wait for approval.");
pub(crate) const NOT_REJECTABLE: NotPossible =
    ("reward_not_rejectable", "The reward was delivered, or nothing of it stands.");
pub(crate) const NOT_FULFILLABLE: NotPossible =
    ("reward_not_fulfillable", "The reward is not to be delivered now, or never any more.");
pub(crate) const NOT_RETRIABLE: NotPossible =
    ("reward_not_retriable", "The reward's delivery has not failed.");
const NOT_REVERSIBLE: NotPossible = ("reward_not_reversible", "Nothing of the reward stands.");

pub(crate) fn done(outcome: ByHand, (code, title): NotPossible) -> Result<Reward, Problem> {
    let problem = match outcome {
        ByHand::Done(reward) => return Ok(*reward),
        ByHand::Absent => Problem::not_found("reward"),
        ByHand::NotPossible(reward) => {
            Problem::new(409, code, title).detail(format_args!("its state is {}", state(&reward)))
        }
        ByHand::Delivering => Problem::new(
            409,
            "reward_being_delivered",
            "The reward is just being delivered; try again in two minutes.",
        ),
        ByHand::TooOften => Problem::new(
            409,
            "too_many_reversals_by_hand",
            "Parts of the reward were taken back 20 times; only events of its source can change it now.",
        ),
        ByHand::OtherRequest => Problem::idempotency_mismatch(),
    };
    Err(problem)
}

fn state(reward: &Reward) -> String {
    serde_json::to_value(reward.state)
        .ok()
        .and_then(|state| state.as_str().map(str::to_owned))
        .unwrap_or_default()
}

pub(crate) fn note(actor: &str, reason: &str) -> Result<Note, Problem> {
    let actor = checked_text("/actor", actor, ACTOR_CHARS_MAX)?;
    Ok(Note { actor, reason: checked_text("/reason", reason, REASON_CHARS_MAX)? })
}

/// The key of a call that nothing else can tell from another.
fn needed(key: IdempotencyKey) -> Result<String, Problem> {
    key.0.ok_or_else(|| {
        Problem::field("Idempotency-Key", "the header is needed: nothing else tells a repeated call")
    })
}

fn checked_kind(kind: GrantKind, amount: Money) -> Result<RewardKind, Problem> {
    check_amount(amount)?;
    let is_currency = amount.unit.currency().is_some();
    let is_action = RewardKind::is_action_unit(amount.unit);
    let (kind, fits, detail) = match kind {
        GrantKind::Allowance => {
            (RewardKind::Allowance, is_currency, "must be an ISO 4217 currency for this kind")
        }
        GrantKind::Cash => (RewardKind::Cash, is_currency, "must be an ISO 4217 currency for this kind"),
        GrantKind::InvoiceCredit => {
            (RewardKind::InvoiceCredit, is_currency, "must be an ISO 4217 currency for this kind")
        }
        GrantKind::Points => {
            let detail = "must be the name of a unit, such as points; not message, task or webhook";
            (RewardKind::Points, !is_currency && !is_action, detail)
        }
    };
    if fits { Ok(kind) } else { Err(Problem::field("/amount/currency", detail)) }
}

fn check_amount(amount: Money) -> Result<(), Problem> {
    let fits = (1..=AMOUNT_MAX).contains(&amount.amount);
    let wrong = || Problem::field("/amount/amount", format!("must be 1 to {AMOUNT_MAX}"));
    fits.then_some(()).ok_or_else(wrong)
}

/// A part of a reward, in the reward's own unit.
async fn checked_part(
    deps: &Deps,
    organization: &OrganizationId,
    id: &RewardId,
    part: Money,
) -> Result<i64, Problem> {
    check_amount(part)?;
    let reward = deps.edge.store.find_reward(organization, id).await?;
    let reward = reward.ok_or_else(|| Problem::not_found("reward"))?;
    if reward.unit == part.unit {
        return Ok(part.amount);
    }
    Err(Problem::field("/amount/currency", format!("must be the reward's unit, {}", reward.unit)))
}
