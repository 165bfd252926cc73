//! Connections to payment processors: the keys with which rewards are delivered there.

use aws::http::{Caller, FieldError, Json, Path, Problem, ProblemBody};
use aws::seal::SealError;
use aws::store::{ConnectionRow, StoreError};
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::id::Processor;
use domain::stripe::{self, api_key};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::terms::ATTEMPTS_MAX;

/// A connection to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionRequest {
    /// The processor's key: a secret key of Stripe's (`sk_...`), or better a restricted one (`rk_...`) that may write customers,
    /// coupons and promotion codes and nothing else. Of the organization's mode: live or test.
    #[schema(example = "rk_test_...", min_length = 24, max_length = 255)]
    api_key: String,
}

/// A connection.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectionView {
    /// Which processor.
    #[schema(example = "stripe")]
    processor: Processor,
    /// Whether the key is one for live money.
    livemode: bool,
    /// The last four characters of the key; the rest is never shown.
    #[schema(example = "4242")]
    api_key_last4: String,
    /// When the key was given.
    connected_at: DateTime<Utc>,
}

impl From<ConnectionRow> for ConnectionView {
    fn from(row: ConnectionRow) -> Self {
        Self {
            processor: row.processor,
            livemode: row.livemode,
            api_key_last4: row.last4,
            connected_at: row.connected_at,
        }
    }
}

/// Connect a payment processor
///
/// Gives the key with which rewards are delivered at the processor, or another one in its place, in effect within 30 seconds.
/// It is not tried out here. Idempotent: the same key again is no change.
#[utoipa::path(put, path = "/v1/processor-connections/{processor}",
    operation_id = "connect_processor", tag = "processors", request_body = ConnectionRequest,
    params(("processor" = String, Path, description = "The processor: `stripe`")),
    responses((status = 200, body = ConnectionView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 404 for a processor that cannot be connected, 422 mode_mismatch")))]
pub(crate) async fn connect(
    State(deps): State<Deps>,
    caller: Caller,
    Path(processor): Path<String>,
    request: Json<ConnectionRequest>,
) -> Result<axum::Json<ConnectionView>, Problem> {
    let processor = connectable(&processor)?;
    let key = request.value.api_key;
    check_key(&caller, &key)?;
    let (store, place) = (&deps.edge.store, ConnectionRow::place(&caller.organization, &processor));
    for _ in 0..ATTEMPTS_MAX {
        let known = store.find_connection(&caller.organization, &processor).await?;
        if let Some(row) = &known
            && opens_to(&deps, row, &place, &key).await?
        {
            return Ok(axum::Json(row.clone().into()));
        }
        let row = ConnectionRow {
            organization: caller.organization.clone(),
            processor: processor.clone(),
            livemode: caller.livemode,
            sealed_key: deps.sealer.seal(&key, &place).await?,
            last4: key.get(key.len().saturating_sub(4)..).unwrap_or_default().to_owned(),
            connected_at: deps.edge.now(),
        };
        if store.commit_connection(&row, known.as_ref()).await? {
            return Ok(axum::Json(row.into()));
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

/// Read a payment processor's connection
#[utoipa::path(get, path = "/v1/processor-connections/{processor}",
    operation_id = "read_processor_connection", tag = "processors",
    params(("processor" = String, Path, description = "The processor: `stripe`")),
    responses((status = 200, body = ConnectionView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "404 when there is none")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(processor): Path<String>,
) -> Result<axum::Json<ConnectionView>, Problem> {
    let processor = connectable(&processor)?;
    let row = deps.edge.store.find_connection(&caller.organization, &processor).await?;
    row.map(|row| axum::Json(row.into())).ok_or_else(absent)
}

/// Disconnect a payment processor
///
/// What is to be delivered there from then on fails, until the processor is connected again. What was delivered stays.
#[utoipa::path(delete, path = "/v1/processor-connections/{processor}",
    operation_id = "disconnect_processor", tag = "processors",
    params(("processor" = String, Path, description = "The processor: `stripe`")),
    responses((status = 204, description = "Disconnected; the key can be used for up to 30 seconds longer"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "404 when there is no connection")))]
pub(crate) async fn disconnect(
    State(deps): State<Deps>,
    caller: Caller,
    Path(processor): Path<String>,
) -> Result<StatusCode, Problem> {
    let processor = connectable(&processor)?;
    let known = deps.edge.store.find_connection(&caller.organization, &processor).await?;
    known.ok_or_else(absent)?;
    deps.edge.store.remove_connection(&caller.organization, &processor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The processor of a path, if rewards can be delivered there.
fn connectable(text: &str) -> Result<Processor, Problem> {
    let processor = stripe::processor();
    if text == processor.as_str() { Ok(processor) } else { Err(Problem::not_found("processor")) }
}

fn absent() -> Problem {
    Problem::not_found("connection")
}

/// A key that can be one, of the organization's mode.
fn check_key(caller: &Caller, key: &str) -> Result<(), Problem> {
    let wrong = || {
        Problem::field(
            "/api_key",
            "must be a secret or restricted key of Stripe's: sk_... or rk_..., live or test",
        )
    };
    let livemode = api_key::livemode_of(key).ok_or_else(wrong)?;
    if livemode == caller.livemode {
        return Ok(());
    }
    let detail = if livemode { "is for live money, the organization for tests" } else { "is for tests" };
    let error = FieldError { pointer: "/api_key".to_owned(), detail: detail.to_owned() };
    let title = "An organization holds live or test money, never both.";
    Err(Problem::new(422, "mode_mismatch", title).with_errors(vec![error]))
}

/// Whether a connection has this key already.
async fn opens_to(deps: &Deps, row: &ConnectionRow, place: &str, key: &str) -> Result<bool, Problem> {
    match deps.sealer.open(&row.sealed_key, place).await {
        Ok(known) => Ok(known == key),
        // Sealed under a sealing key that is no more: it is to be replaced.
        Err(SealError::Forged) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
