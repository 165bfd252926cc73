//! `/_local/`: what tests and people can do to a stage. It is no part of the product's API.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::core::{Core, HALTED, InvokeError};
use crate::faults::Fault;

/// How often draining looks at the queues.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// When draining gives up.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);

/// The routes below `/_local`.
pub(crate) fn router(core: Arc<Core>) -> Router {
    Router::new()
        .route("/clock/advance", post(advance))
        .route("/drain", post(drain))
        .route("/invoke/{function}", post(invoke))
        .route("/queues", get(queues))
        .route("/queues/{queue}/send", post(send))
        .route("/queues/{queue}/receive", post(receive))
        .route("/queues/{queue}/taken", post(taken))
        .route("/meter", get(meter))
        .route("/meter/reset", post(reset_meter))
        .route("/faults", get(faults).post(plan_faults))
        .route("/routes", get(routes))
        .with_state(core)
}

/// A control call that could not be done.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
    }
}

type Answer = Result<Json<Value>, Refused>;

/// Reads a JSON body whatever its content type is, so that a plain `curl -d` does.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Refused(StatusCode::BAD_REQUEST, error.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u32,
}

async fn advance(State(core): State<Arc<Core>>, body: Bytes) -> Answer {
    let seconds = read::<Advance>(&body)?.seconds;
    let (now, runs) = core.advance(i64::from(seconds) * 1000).await?;
    Ok(Json(json!({ "now": now, "runs": runs })))
}

/// `delivered` counts from the previous drain: the pollers do not wait for this one to begin.
async fn drain(State(core): State<Arc<Core>>) -> Answer {
    let drained = tokio::time::timeout(DRAIN_TIMEOUT, drained(&core));
    let waiting = tokio::select! {
        drained = drained => drained,
        () = core.faults.halted() => return Err(Refused(StatusCode::BAD_GATEWAY, HALTED.to_owned())),
    };
    match waiting {
        Ok(waiting) => Ok(Json(json!({ "delivered": core.queues.report_deliveries(), "waiting": waiting? }))),
        Err(_) => Err(Refused(StatusCode::GATEWAY_TIMEOUT, "the queues do not run empty".to_owned())),
    }
}

/// Waits until no queue with a consumer has anything to do, and says how many failed messages wait for their
/// visibility timeout: those come back with the clock, not by waiting here.
async fn drained(core: &Core) -> Result<u64> {
    let mut quiet_at = None;
    loop {
        let deliveries = core.queues.deliveries();
        match look(core).await? {
            // Twice with nothing delivered in between: what one function sends to another's queue is not missed.
            Some(waiting) if quiet_at == Some(deliveries) => return Ok(waiting),
            Some(_) => quiet_at = Some(deliveries),
            None => quiet_at = None,
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The number of waiting messages if there is nothing else.
async fn look(core: &Core) -> Result<Option<u64>> {
    let mut all_waiting = 0;
    for source in core.template.event_sources() {
        let counts = core.queues.counts(&source.queue).await?;
        let waiting = core.queues.waiting_in(&source.queue);
        if counts.visible + counts.delayed > 0 || counts.in_flight > waiting {
            return Ok(None);
        }
        all_waiting += counts.in_flight;
    }
    Ok(Some(all_waiting))
}

async fn invoke(State(core): State<Arc<Core>>, Path(function): Path<String>, body: Bytes) -> Answer {
    let answer = core.invoke(&function, read(&body)?).await;
    answer.map(Json).map_err(|error| {
        let status = match error {
            InvokeError::Unknown(_) => StatusCode::NOT_FOUND,
            InvokeError::Http(_) => StatusCode::BAD_REQUEST,
            InvokeError::Failed(_) => StatusCode::BAD_GATEWAY,
        };
        Refused(status, error.to_string())
    })
}

async fn queues(State(core): State<Arc<Core>>) -> Answer {
    Ok(Json(json!(core.queues.all_counts().await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    body: String,
}

async fn send(State(core): State<Arc<Core>>, Path(queue): Path<String>, body: Bytes) -> Answer {
    known(&core, &queue)?;
    let message = read::<Send>(&body)?;
    core.queues.send(&queue, &message.body).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Receive {
    #[serde(default = "receive_max")]
    max: i32,
}

fn receive_max() -> i32 {
    10
}

async fn receive(State(core): State<Arc<Core>>, Path(queue): Path<String>, body: Bytes) -> Answer {
    known(&core, &queue)?;
    let max = read::<Receive>(&body)?.max;
    if !(1..=10).contains(&max) {
        return Err(Refused(StatusCode::BAD_REQUEST, "max is 1 to 10".to_owned()));
    }
    let messages = core.queues.receive(&queue, max, 0).await?;
    core.queues.delete(&queue, &messages.iter().collect::<Vec<_>>()).await?;
    let bodies: Vec<Value> = messages.iter().map(|message| json!({ "body": message.body() })).collect();
    Ok(Json(json!({ "messages": bodies })))
}

/// What a function took from a queue since this was asked the last time.
async fn taken(State(core): State<Arc<Core>>, Path(queue): Path<String>) -> Answer {
    known(&core, &queue)?;
    let bodies: Vec<Value> = core.queues.taken(&queue).iter().map(|body| json!({ "body": body })).collect();
    Ok(Json(json!({ "messages": bodies })))
}

fn known(core: &Core, queue: &str) -> Result<(), Refused> {
    let address = core.queues.address(queue);
    address.map(|_| ()).map_err(|error| Refused(StatusCode::NOT_FOUND, error.to_string()))
}

async fn meter(State(core): State<Arc<Core>>) -> Json<Value> {
    let reading = core.meter.snapshot();
    Json(json!({
        "requests": reading.requests,
        "read_units": reading.read_units,
        "write_units": reading.write_units,
    }))
}

async fn reset_meter(State(core): State<Arc<Core>>) -> Json<Value> {
    core.meter.reset();
    Json(json!({}))
}

async fn faults(State(core): State<Arc<Core>>) -> Json<Value> {
    Json(json!(core.faults.log()))
}

async fn plan_faults(State(core): State<Arc<Core>>, body: Bytes) -> Answer {
    core.faults.plan(read::<Vec<Fault>>(&body)?);
    Ok(Json(json!({})))
}

async fn routes(State(core): State<Arc<Core>>) -> Json<Value> {
    let route = |route: &crate::template::Route| json!({ "method": route.method, "path": route.path, "function": route.function });
    Json(core.template.routes().map(route).collect())
}
