//! Processors' webhooks: who sends is checked over the raw body first, then the event is read as facts. One handler for all of
//! them; what differs is `domain::webhook::processor`'s to know.

use aws::http::{FieldError, Path, PathId, Problem, ProblemBody};
use aws::store::EndpointRow;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::id::EndpointId;
use domain::webhook::EventError;
use domain::webhook::processor::WebhookProcessor;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Deps, SettledView};

/// What an event came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReceivedView {
    /// `processed`, or `ignored` with a reason.
    #[schema(example = "processed")]
    pub outcome: &'static str,
    /// Why it was ignored: `event_type` (not one that matters here) or `livemode` (a test event at a live endpoint, or
    /// the other way round).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored_because: Option<&'static str>,
    /// What became of each source that the event speaks of.
    pub results: Vec<SettledView>,
}

type Answer = Result<axum::Json<ReceivedView>, Problem>;
type RawBody = Result<Bytes, axum::extract::rejection::BytesRejection>;

/// Receive a Stripe event
///
/// Needs a valid `Stripe-Signature` by one of the endpoint's secrets, at most 300 seconds old or ahead. At-least-once
/// and in any order. A 2xx answer means that the event's effect is stored; Stripe repeats anything else.
#[utoipa::path(post, path = "/v1/webhooks/stripe/{endpoint}",
    operation_id = "receive_stripe_event", tag = "webhooks",
    params(("endpoint" = String, Path, description = "The endpoint's id (whe_...)"),
           ("Stripe-Signature" = String, Header, description = "As Stripe sends it")),
    request_body(content = Object, description = "A Stripe event, of any API version from 2020-08-27 on"),
    security(()),
    responses((status = 200, body = ReceivedView, description = "Stored, or of no concern"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "400 invalid_signature, invalid_event; 404 unknown endpoint; 409 currency_mismatch")))]
pub(crate) async fn receive_stripe(
    State(deps): State<Deps>,
    Path(endpoint): Path<String>,
    headers: HeaderMap,
    body: RawBody,
) -> Answer {
    receive(WebhookProcessor::Stripe, &deps, &endpoint, &headers, body).await
}

/// Receive a Paddle event
///
/// Needs a valid `Paddle-Signature` by one of the endpoint's secrets, at most 300 seconds old or ahead. At-least-once
/// and in any order. A 2xx answer means that the event's effect is stored; Paddle repeats anything else.
#[utoipa::path(post, path = "/v1/webhooks/paddle/{endpoint}",
    operation_id = "receive_paddle_event", tag = "webhooks",
    params(("endpoint" = String, Path, description = "The endpoint's id (whe_...)"),
           ("Paddle-Signature" = String, Header, description = "As Paddle sends it")),
    request_body(content = Object, description = "A Paddle Billing event"),
    security(()),
    responses((status = 200, body = ReceivedView, description = "Stored, or of no concern"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "400 invalid_signature, invalid_event; 404 unknown endpoint; 409 currency_mismatch")))]
pub(crate) async fn receive_paddle(
    State(deps): State<Deps>,
    Path(endpoint): Path<String>,
    headers: HeaderMap,
    body: RawBody,
) -> Answer {
    receive(WebhookProcessor::Paddle, &deps, &endpoint, &headers, body).await
}

/// Receive a Chargebee event
///
/// Needs HTTP Basic credentials that are one of the endpoint's secrets, since Chargebee signs nothing. At-least-once and in
/// any order. A 2xx answer means that the event's effect is stored; Chargebee repeats anything else.
#[utoipa::path(post, path = "/v1/webhooks/chargebee/{endpoint}",
    operation_id = "receive_chargebee_event", tag = "webhooks",
    params(("endpoint" = String, Path, description = "The endpoint's id (whe_...)"),
           ("Authorization" = String, Header, description = "As Chargebee sends it: Basic ...")),
    request_body(content = Object, description = "A Chargebee event of API version 2"),
    security(()),
    responses((status = 200, body = ReceivedView, description = "Stored, or of no concern"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "400 invalid_signature, invalid_event; 404 unknown endpoint; 409 currency_mismatch")))]
pub(crate) async fn receive_chargebee(
    State(deps): State<Deps>,
    Path(endpoint): Path<String>,
    headers: HeaderMap,
    body: RawBody,
) -> Answer {
    receive(WebhookProcessor::Chargebee, &deps, &endpoint, &headers, body).await
}

async fn receive(
    processor: WebhookProcessor,
    deps: &Deps,
    endpoint: &str,
    headers: &HeaderMap,
    body: RawBody,
) -> Answer {
    let endpoint = EndpointId::own(endpoint, "endpoint")?;
    let body = body.map_err(|_| Problem::new(413, "body_too_large", "The body is too large."))?;
    let endpoint = deps.edge.store.find_endpoint(&endpoint).await?;
    let endpoint = endpoint.filter(|endpoint| endpoint.processor == processor.processor());
    let endpoint = endpoint.ok_or_else(|| Problem::not_found("endpoint"))?;
    check_sender(processor, deps, &endpoint, headers, &body).await?;

    let event = processor.parse(&body).map_err(unusable)?;
    if event.livemode.is_some_and(|livemode| livemode != endpoint.livemode) {
        return Ok(ignored("livemode"));
    }
    if event.is_ignored() {
        return Ok(ignored("event_type"));
    }
    for link in &event.links {
        deps.settler.learn(&endpoint.organization, link).await?;
    }
    let mut results = Vec::with_capacity(event.facts.len());
    for fact in &event.facts {
        results.push(deps.settler.record(&endpoint.organization, fact).await?.into());
    }
    Ok(axum::Json(ReceivedView { outcome: "processed", ignored_because: None, results }))
}

async fn check_sender(
    processor: WebhookProcessor,
    deps: &Deps,
    endpoint: &EndpointRow,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Problem> {
    let mut secrets = Vec::with_capacity(endpoint.sealed_secrets.len());
    for sealed in &endpoint.sealed_secrets {
        secrets.push(deps.sealer.open(sealed, endpoint.endpoint.as_str()).await?);
    }
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let header = headers.get(processor.header()).and_then(|value| value.to_str().ok()).unwrap_or_default();
    processor.verify(header, body, &secrets, deps.edge.now()).map_err(|error| {
        let title = "The event does not prove to come from the endpoint's processor.";
        Problem::new(400, "invalid_signature", title).detail(error)
    })
}

fn unusable(error: EventError) -> Problem {
    let problem = Problem::new(400, "invalid_event", "The event cannot be understood.");
    match error {
        EventError::Field { pointer, problem: detail } => {
            problem.with_errors(vec![FieldError { pointer, detail }])
        }
        EventError::NotJson { .. } => problem.detail(error),
    }
}

fn ignored(because: &'static str) -> axum::Json<ReceivedView> {
    axum::Json(ReceivedView { outcome: "ignored", ignored_because: Some(because), results: Vec::new() })
}
