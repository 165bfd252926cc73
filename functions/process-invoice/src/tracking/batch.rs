//! Many reports in one call.

mod schema;

use aws::http::{Caller, Json, Problem, ProblemBody, read_part};
use axum::extract::State;
use chrono::Duration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::credit::CreditRequest;
use super::dispute::DisputeRequest;
use super::event::EventRequest;
use super::invoice::InvoicePaidRequest;
use super::payout::PayoutRequest;
use super::refund::RefundRequest;
use super::void::VoidRequest;
use super::{Report, record, status};
use crate::{Deps, SettledView};

/// Most items of one batch.
const ITEMS_MAX: usize = 100;
/// After so many seconds nothing more is begun: the function has 29, and the answer must say what was done.
const SECONDS_MAX: i64 = 20;

/// Reports of any kind.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchRequest {
    /// 1 to 100 of them, each with its `type` and the fields of the single call. Taken in this order, so a later one may
    /// build on an earlier one.
    #[schema(value_type = Vec<schema::BatchItem>, min_items = 1, max_items = 100)]
    items: Vec<Value>,
}

/// What became of each item, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchView {
    /// As many as there were items.
    results: Vec<ItemView>,
}

/// What became of one item.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemView {
    /// Its place in the request, from 0.
    index: usize,
    /// The status that the single call would have had: 200 decided, 202 parked, or the problem's.
    status: u16,
    /// What it came to; absent where it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<SettledView>,
    /// Why it was refused; its pointers lead into the whole request. After 500 and 503, send it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

/// What an item is.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    InvoicePaid,
    Refund,
    Dispute,
    Credit,
    Void,
    Event,
    Payout,
}

/// Report many things at once
///
/// Items are taken one after another, and each stands alone: a bad one is told in its result and stops no other. After 20
/// seconds the rest is answered 503, undone. Every item is idempotent as its single call is, so a batch, or a part of it, can
/// be sent again after any answer or none.
#[utoipa::path(post, path = "/v1/track/batch", operation_id = "track_batch", tag = "tracking",
    request_body = BatchRequest,
    responses((status = 200, body = BatchView, description = "What became of each item; bodies up to 1 MB"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "The list as a whole cannot be used, and nothing was written; 400 invalid_request, 413 body_too_large")))]
pub(crate) async fn track_batch(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<BatchRequest>,
) -> Result<axum::Json<BatchView>, Problem> {
    let items = request.value.items;
    if !(1..=ITEMS_MAX).contains(&items.len()) {
        return Err(Problem::field("/items", format!("must have 1 to {ITEMS_MAX} items")));
    }
    let end = deps.edge.now() + Duration::seconds(SECONDS_MAX);
    let mut results = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let taken =
            if deps.edge.now() < end { take(&deps, &caller, item).await } else { Err(Problem::no_time()) };
        results.push(match taken {
            Ok(view) => ItemView { index, status: status(&view).as_u16(), result: Some(view), problem: None },
            Err(problem) => {
                let problem = problem.within(&format!("/items/{index}"));
                ItemView { index, status: problem.status(), result: None, problem: Some(problem.into_body()) }
            }
        });
    }
    Ok(axum::Json(BatchView { results }))
}

async fn take(deps: &Deps, caller: &Caller, mut item: Value) -> Result<SettledView, Problem> {
    let fields = item.as_object_mut().ok_or_else(|| Problem::field("", "must be a JSON object"))?;
    let kind = fields.remove("type").ok_or_else(|| Problem::field("", "missing field `type`"))?;
    let kind = Kind::deserialize(kind).map_err(|error| Problem::field("/type", error))?;
    match kind {
        Kind::InvoicePaid => one::<InvoicePaidRequest>(deps, caller, item).await,
        Kind::Refund => one::<RefundRequest>(deps, caller, item).await,
        Kind::Dispute => one::<DisputeRequest>(deps, caller, item).await,
        Kind::Credit => one::<CreditRequest>(deps, caller, item).await,
        Kind::Void => one::<VoidRequest>(deps, caller, item).await,
        Kind::Event => one::<EventRequest>(deps, caller, item).await,
        Kind::Payout => one::<PayoutRequest>(deps, caller, item).await,
    }
}

async fn one<R: Report>(deps: &Deps, caller: &Caller, item: Value) -> Result<SettledView, Problem> {
    record(deps, caller, read_part::<R>(item)?).await
}
