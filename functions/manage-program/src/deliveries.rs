//! Deliveries of events: what was sent where, what came back, and sending it again.

use aws::http::{
    Caller, Json, LIMIT_MAX, Limit, Params, Path, PathId, Problem, ProblemBody, open_cursor, seal_cursor,
};
use aws::store::{DeliveryRow, DestinationRow};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::delivery::{Attempt, DeliveryState, Failure};
use domain::event::Told;
use domain::id::{DeliveryId, MessageId, OrganizationId};
use domain::message::WebhookMessage;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Deps, destinations};

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryQuery {
    /// Only those that stand there.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// Rows of a page, 1 to 100; 50 unless told.
    #[serde(default)]
    #[param(value_type = Option<i32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A replay takes nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliveryReplayRequest {}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryList {
    /// Newest first.
    data: Vec<DeliveryView>,
    /// Where to go on; absent at the end. A page can be short while there is more.
    next_cursor: Option<String>,
}

/// A delivery.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryView {
    /// Its id.
    id: DeliveryId,
    /// The event's id: the header `webhook-id`.
    event: MessageId,
    /// The event's type.
    #[serde(rename = "type")]
    #[schema(example = "reward.fulfilled")]
    kind: String,
    /// Where it stands.
    state: DeliveryState,
    /// Why it was given up.
    failure: Option<Failure>,
    /// How many attempts there were since it was made, or replayed; ten at most.
    tries: u32,
    /// When the next attempt is due; null when there is none.
    next_attempt_at: Option<DateTime<Utc>>,
    /// The HTTP status of the last answer; null without one.
    last_status: Option<u16>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

/// A delivery with its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryDetail {
    /// The delivery.
    #[serde(flatten)]
    delivery: DeliveryView,
    /// The last 20 attempts, oldest first.
    attempts: Vec<Attempt>,
    /// What is sent.
    body: Told,
}

impl From<&DeliveryRow> for DeliveryView {
    fn from(row: &DeliveryRow) -> Self {
        Self {
            id: row.delivery.clone(),
            event: row.event.clone(),
            kind: row.event_type.clone(),
            state: row.state,
            failure: row.failure,
            tries: row.tries,
            next_attempt_at: row.next_attempt_at,
            last_status: row.attempts.last().and_then(|attempt| attempt.status),
            created_at: row.created_at,
        }
    }
}

/// List an event destination's deliveries
///
/// A delivery can be looked at until 30 days after it was delivered or given up.
#[utoipa::path(get, path = "/v1/event-destinations/{id}/deliveries", operation_id = "list_deliveries", tag = "events",
    params(("id" = String, Path, description = "The destination's id (dst_...)"), DeliveryQuery),
    responses((status = 200, body = DeliveryList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<DeliveryQuery>,
) -> Result<axum::Json<DeliveryList>, Problem> {
    let organization = &caller.organization;
    let destination = destinations::find(&deps, organization, &id).await?.destination;
    let list = format!("deliveries of {destination}, {:?}", query.state);
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let limit = query.limit.get().min(LIMIT_MAX);
    let store = &deps.edge.store;
    let page = store.list_deliveries(organization, &destination, cursor.as_deref(), limit).await?;
    let wanted = |row: &&DeliveryRow| query.state.is_none_or(|state| row.state == state);
    Ok(axum::Json(DeliveryList {
        data: page.rows.iter().filter(wanted).map(DeliveryView::from).collect(),
        next_cursor: page.next.map(|next| seal_cursor(&list, &next)),
    }))
}

/// Read a delivery with its attempts
#[utoipa::path(get, path = "/v1/event-destinations/{id}/deliveries/{delivery}",
    operation_id = "read_delivery", tag = "events",
    params(("id" = String, Path, description = "The destination's id (dst_...)"),
           ("delivery" = String, Path, description = "The delivery's id (dlv_...)")),
    responses((status = 200, body = DeliveryDetail),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<axum::Json<DeliveryDetail>, Problem> {
    let (_, row) = find(&deps, &caller.organization, &id, &delivery).await?;
    detail(row).map(axum::Json)
}

/// Deliver an event again
///
/// Begins another round of attempts, of the same event under the same `webhook-id`. While a round is under way, it is that.
#[utoipa::path(post, path = "/v1/event-destinations/{id}/deliveries/{delivery}/replay",
    operation_id = "replay_delivery", tag = "events", request_body = DeliveryReplayRequest,
    params(("id" = String, Path, description = "The destination's id (dst_...)"),
           ("delivery" = String, Path, description = "The delivery's id (dlv_...)")),
    responses((status = 202, body = DeliveryDetail),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 destination_disabled")))]
pub(crate) async fn replay(
    State(deps): State<Deps>,
    caller: Caller,
    Path((id, delivery)): Path<(String, String)>,
    _: Json<DeliveryReplayRequest>,
) -> Result<Response, Problem> {
    let organization = &caller.organization;
    let (destination, row) = find(&deps, organization, &id, &delivery).await?;
    if destination.disabled.is_some() {
        let title = "The event destination is disabled; enable it first.";
        return Err(Problem::new(409, "destination_disabled", title));
    }
    if row.state == DeliveryState::Pending {
        return accepted(row);
    }
    let again = DeliveryRow {
        state: DeliveryState::Pending,
        failure: None,
        tries: 0,
        next_attempt_at: Some(deps.edge.now()),
        ..row
    };
    if !deps.edge.store.replay_delivery(organization, &again).await? {
        // Somebody else has begun a round since.
        return accepted(find(&deps, organization, &id, &delivery).await?.1);
    }
    let due =
        WebhookMessage::WebhookDueV1 { organization: organization.clone(), delivery: again.delivery.clone() };
    if let Err(error) = deps.settler.events.queue.send(&due).await {
        // The delivery is due: the sweeper sends it.
        tracing::warn!(delivery.id = %again.delivery, %error, "the delivery is attempted later");
    }
    accepted(again)
}

fn accepted(row: DeliveryRow) -> Result<Response, Problem> {
    Ok((StatusCode::ACCEPTED, axum::Json(detail(row)?)).into_response())
}

fn detail(row: DeliveryRow) -> Result<DeliveryDetail, Problem> {
    let body = serde_json::from_str(&row.body).map_err(|error| Problem::internal(&error))?;
    Ok(DeliveryDetail { delivery: DeliveryView::from(&row), attempts: row.attempts, body })
}

/// A delivery to a destination, by the ids in the path.
async fn find(
    deps: &Deps,
    organization: &OrganizationId,
    destination: &str,
    delivery: &str,
) -> Result<(DestinationRow, DeliveryRow), Problem> {
    let destination = destinations::find(deps, organization, destination).await?;
    let delivery = DeliveryId::own(delivery, "delivery")?;
    let row = deps.edge.store.find_delivery(organization, &delivery).await?;
    let row = row.filter(|row| row.destination == destination.destination);
    Ok((destination, row.ok_or_else(|| Problem::not_found("delivery"))?))
}
