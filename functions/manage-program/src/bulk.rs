//! The same thing done to many rewards.

use aws::http::{Caller, Json, PathId, Problem, ProblemBody};
use aws::settle::Part;
use axum::extract::State;
use chrono::Duration;
use domain::id::{OrganizationId, RewardId};
use domain::ledger::{Cause, Note, Reward};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::by_hand::{NOT_APPROVABLE, NOT_FULFILLABLE, NOT_REJECTABLE, NOT_RETRIABLE, REJECTED, done, note};
use crate::rewards::RewardView;

/// Most rewards of one call.
const BULK_MAX: usize = 100;
/// After so many seconds nothing more is begun: the function has 10, and the answer must say what was done.
const BULK_SECONDS_MAX: i64 = 7;

/// What is done to many rewards at once.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BulkAction {
    /// As `POST /v1/rewards/{id}/approve`.
    Approve,
    /// As `POST /v1/rewards/{id}/reject`.
    Reject,
    /// As `POST /v1/rewards/{id}/fulfill`.
    Fulfill,
    /// As `POST /v1/rewards/{id}/retry`.
    Retry,
}

/// Many rewards, and what is done to each.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkRequest {
    /// What is done.
    action: BulkAction,
    /// 1 to 100 rewards' ids (rwd_...).
    #[schema(min_items = 1, max_items = 100)]
    rewards: Vec<String>,
    /// Who: your own name of an administrator, 1 to 100 characters.
    #[schema(example = "admin_3", min_length = 1, max_length = 100)]
    actor: String,
    /// Why: 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// What became of each reward, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkView {
    /// As many as there were ids.
    results: Vec<BulkItem>,
}

/// What became of one reward.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkItem {
    /// Its place in the request, from 0.
    index: usize,
    /// The status that the single call would have had.
    status: u16,
    /// The reward as it is then; absent where nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<RewardView>,
    /// Why nothing was done. After 500 and 503, send it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

/// Approve, reject, fulfill or retry many rewards
///
/// One after another; each stands alone, and a problem with one stops no other. After 7 seconds the rest is answered 503,
/// undone. Idempotent as the single calls are, so it can be sent again after any answer or none.
#[utoipa::path(post, path = "/v1/rewards/bulk", operation_id = "change_rewards", tag = "rewards",
    request_body = BulkRequest,
    responses((status = 200, body = BulkView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "The request as a whole cannot be used, and nothing was done")))]
pub(crate) async fn bulk(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<BulkRequest>,
) -> Result<axum::Json<BulkView>, Problem> {
    let BulkRequest { action, rewards, actor, reason } = request.value;
    let note = note(&actor, &reason)?;
    if !(1..=BULK_MAX).contains(&rewards.len()) {
        return Err(Problem::field("/rewards", format!("must have 1 to {BULK_MAX} ids")));
    }
    let end = deps.edge.now() + Duration::seconds(BULK_SECONDS_MAX);
    let mut results = Vec::with_capacity(rewards.len());
    for (index, id) in rewards.iter().enumerate() {
        let pointer = format!("/rewards/{index}");
        let changed = if deps.edge.now() < end {
            change(&deps, &caller.organization, action, id, &pointer, &note).await
        } else {
            Err(Problem::no_time())
        };
        results.push(match changed {
            Ok(reward) => BulkItem { index, status: 200, reward: Some(reward.into()), problem: None },
            Err(problem) => {
                BulkItem { index, status: problem.status(), reward: None, problem: Some(problem.into_body()) }
            }
        });
    }
    Ok(axum::Json(BulkView { results }))
}

async fn change(
    deps: &Deps,
    organization: &OrganizationId,
    action: BulkAction,
    id: &str,
    pointer: &str,
    note: &Note,
) -> Result<Reward, Problem> {
    let (settler, id) = (&deps.settler, RewardId::theirs(id, pointer)?);
    let (outcome, not_possible) = match action {
        BulkAction::Approve => (settler.approve(organization, &id, note).await?, NOT_APPROVABLE),
        BulkAction::Reject => {
            let (whole, note) = (Part::Whole, Some(note.clone()));
            (
                settler.take_back(organization, &id, whole, Cause::Rejected, note, REJECTED).await?,
                NOT_REJECTABLE,
            )
        }
        BulkAction::Fulfill => (settler.fulfill(organization, &id, note).await?, NOT_FULFILLABLE),
        BulkAction::Retry => (settler.retry(organization, &id, note).await?, NOT_RETRIABLE),
    };
    done(outcome, not_possible)
}
