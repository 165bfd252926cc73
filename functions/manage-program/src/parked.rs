//! Parked events: sources whose payer or payment is not known yet.

use aws::http::{Caller, LIMIT_MAX, Limit, Params, Problem, ProblemBody, open_cursor, seal_cursor};
use aws::store::{SourceRow, Waiting};
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::fact::Customer;
use domain::id::{ExternalId, SourceId};
use domain::money::Money;
use domain::reason::Reason;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Deps;

/// Whether an event still waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ParkedStatus {
    /// It is decided again as soon as what it waits for is known.
    #[default]
    Waiting,
    /// It has waited 90 days in vain; only `POST /v1/events/{source}/replay` decides it again.
    Expired,
}

/// Which parked events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ParkedQuery {
    /// Those that wait, unless told, or those that have waited in vain.
    #[serde(default)]
    #[param(value_type = Option<ParkedStatus>, inline)]
    status: ParkedStatus,
    /// Only those that are parked for this reason, such as `payer_unknown`.
    #[param(value_type = Option<String>)]
    reason: Option<Reason>,
    /// Rows of a page, 1 to 100; 50 unless told.
    #[serde(default)]
    #[param(value_type = Option<i32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of parked events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParkedList {
    /// Longest parked first.
    data: Vec<ParkedView>,
    /// Where to go on; absent at the end. A page can be short while there is more.
    next_cursor: Option<String>,
}

/// A parked event, or what is known of a source by all events so far.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParkedView {
    /// The source; `GET /v1/decisions/{source}` shows everything that is known of it.
    #[schema(value_type = String, example = "invoice/stripe/in_123")]
    source: SourceId,
    /// Why it is parked: `awaiting_signup`, `payer_unknown`, `awaiting_payment` (a refund or a dispute whose invoice or payment
    /// has not been heard of) or `awaiting_rate`.
    #[schema(value_type = Option<String>, example = "payer_unknown")]
    reason: Option<Reason>,
    /// The reason in words.
    explanation: Option<&'static str>,
    /// Whose sign-up it waits for: your own id.
    external_id: Option<ExternalId>,
    /// The processor's customer who is not tied to anybody yet. `POST /v1/track/signup` with this customer ties it.
    customer: Option<CustomerView>,
    /// What was paid, where that is known.
    paid: Option<Money>,
    /// Since when it waits.
    parked_at: DateTime<Utc>,
    /// When it expires, or has.
    expires_at: DateTime<Utc>,
    /// Whether it still waits.
    status: ParkedStatus,
}

/// A customer of a payment processor.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomerView {
    /// The processor.
    #[schema(example = "stripe")]
    processor: String,
    /// The customer's id there.
    #[schema(example = "cus_123")]
    id: String,
}

/// List parked events
///
/// Events that could not be decided yet: each is decided again by itself when the sign-up, the customer or the invoice arrives,
/// and expires after 90 days. A refund that names only its payment waits as `awaiting_payment` also where its payer turns out to
/// be nobody's referee, since payments of such are not kept.
#[utoipa::path(get, path = "/v1/parked-events", operation_id = "list_parked_events", tag = "reading", params(ParkedQuery),
    responses((status = 200, body = ParkedList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Params(query): Params<ParkedQuery>,
) -> Result<axum::Json<ParkedList>, Problem> {
    let expired = query.status == ParkedStatus::Expired;
    let list = format!("parked events, expired: {expired}, {:?}", query.reason);
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let limit = usize::try_from(query.limit.get().min(LIMIT_MAX)).unwrap_or(1);
    let store = &deps.edge.store;
    let page = store.list_parked(&caller.organization, expired, cursor.as_deref(), limit).await?;
    let wanted = |row: &SourceRow| query.reason.is_none() || row.reason == query.reason;
    Ok(axum::Json(ParkedList {
        data: page.rows.into_iter().filter(wanted).filter_map(view).collect(),
        next_cursor: page.next.map(|next| seal_cursor(&list, &next)),
    }))
}

fn view(row: SourceRow) -> Option<ParkedView> {
    let parked = row.parked?;
    let (external_id, customer) = match row.waiting_for {
        Some(Waiting::Referee(id)) => (Some(id), row.payer.customer),
        Some(Waiting::Customer(_) | Waiting::Rate(_)) | None => (row.payer.external_id, row.payer.customer),
    };
    let customer = customer.map(|Customer { processor, reference }| CustomerView {
        processor: processor.to_string(),
        id: reference.to_string(),
    });
    let status = if parked.expired { ParkedStatus::Expired } else { ParkedStatus::Waiting };
    Some(ParkedView {
        source: row.source,
        reason: row.reason,
        explanation: row.reason.map(Reason::text),
        external_id,
        customer,
        paid: row.state.paid_money(),
        parked_at: parked.since,
        expires_at: parked.expires_at(),
        status,
    })
}
