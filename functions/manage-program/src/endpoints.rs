//! Webhook endpoints: where a payment processor sends its events, and the secrets that it signs them with.

use aws::http::{Caller, FieldError, IdempotencyKey, Json, Path, PathId, Problem, ProblemBody, hash_of};
use aws::store::{EndpointRow, KEYS_MAX};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::id::{EndpointId, Processor};
use domain::webhook::processor::WebhookProcessor;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Deps, replay_header};

/// Most signing secrets of one endpoint: the old and the new one while they are exchanged, and one to spare.
const SECRETS_MAX: usize = 3;

/// An endpoint to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointRequest {
    /// Who sends.
    processor: WebhookProcessor,
    /// Live events (`true`) or test events; the organization's own mode unless told, and refused where it differs. An event
    /// that says to be of the other kind is ignored; Paddle's and Chargebee's do not say.
    livemode: Option<bool>,
    /// What the processor proves itself by: 1 to 3, each of 16 to 200 characters. Stripe's signing secrets (`whsec_...`),
    /// Paddle's (`pdl_ntfset_...`), or `user:password` as set at Chargebee. May follow later, by PATCH, since some
    /// processors show a secret only once the address is known; until then every event is refused.
    #[serde(default)]
    #[schema(max_items = 3)]
    secrets: Vec<String>,
}

/// A change of an endpoint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointChange {
    /// All secrets from now on, 1 to 3: give the old and the new one while you exchange them.
    #[schema(min_items = 1, max_items = 3)]
    secrets: Vec<String>,
}

/// An endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndpointView {
    /// Its id.
    id: EndpointId,
    /// Who sends.
    processor: Processor,
    /// Live or test events.
    livemode: bool,
    /// The path to give to the processor, below this API's address.
    #[schema(example = "/v1/webhooks/stripe/whe_00000000000000000000000000")]
    path: String,
    /// How many signing secrets it has; they are never shown.
    secrets: usize,
    /// When it was created.
    created_at: DateTime<Utc>,
}

/// The organization's endpoints.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndpointList {
    /// At most 20.
    data: Vec<EndpointView>,
}

impl From<EndpointRow> for EndpointView {
    fn from(row: EndpointRow) -> Self {
        Self {
            path: format!("/v1/webhooks/{}/{}", row.processor, row.endpoint),
            id: row.endpoint,
            processor: row.processor,
            livemode: row.livemode,
            secrets: row.sealed_secrets.len(),
            created_at: row.created_at,
        }
    }
}

/// Create a webhook endpoint
#[utoipa::path(post, path = "/v1/webhook-endpoints",
    operation_id = "create_webhook_endpoint", tag = "webhooks", request_body = EndpointRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats of the call answer what the first one made")),
    responses((status = 201, body = EndpointView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 too_many_endpoints (20), 422 mode_mismatch")))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    key: IdempotencyKey,
    request: Json<EndpointRequest>,
) -> Result<Response, Problem> {
    check_secrets(request.value.processor, &request.value.secrets)?;
    check_mode(&caller, request.value.livemode)?;
    let seed = deps.seed("endpoint", caller.organization.as_str(), &key).await?;
    let endpoint = EndpointId::derive(&[&hash_of(&format!("{seed:?}"))]);
    let row = EndpointRow {
        sealed_secrets: seal(&deps, &endpoint, &request.value.secrets).await?,
        endpoint,
        organization: caller.organization.clone(),
        processor: request.value.processor.processor(),
        livemode: caller.livemode,
        created_at: deps.edge.now(),
        request_hash: request.hash,
    };
    let all = deps.edge.store.list_endpoints(&caller.organization).await?;
    if all.len() >= KEYS_MAX && !all.iter().any(|known| known.endpoint == row.endpoint) {
        return Err(Problem::new(
            409,
            "too_many_endpoints",
            "An organization can have 20 webhook endpoints.",
        ));
    }
    let known = deps.edge.store.commit_endpoint(&row).await?;
    if known.as_ref().is_some_and(|known| known.request_hash != row.request_hash) {
        return Err(Problem::idempotency_mismatch());
    }
    let repeated = known.is_some();
    let view = EndpointView::from(known.unwrap_or(row));
    Ok((StatusCode::CREATED, replay_header(repeated), axum::Json(view)).into_response())
}

/// List webhook endpoints
#[utoipa::path(get, path = "/v1/webhook-endpoints", operation_id = "list_webhook_endpoints", tag = "webhooks",
    responses((status = 200, body = EndpointList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
) -> Result<axum::Json<EndpointList>, Problem> {
    let rows = deps.edge.store.list_endpoints(&caller.organization).await?;
    Ok(axum::Json(EndpointList { data: rows.into_iter().map(EndpointView::from).collect() }))
}

/// Replace a webhook endpoint's signing secrets
///
/// Takes effect within 30 seconds.
#[utoipa::path(patch, path = "/v1/webhook-endpoints/{endpoint}",
    operation_id = "change_webhook_endpoint", tag = "webhooks", request_body = EndpointChange,
    params(("endpoint" = String, Path, description = "The endpoint's id (whe_...)")),
    responses((status = 200, body = EndpointView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn change(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<EndpointChange>,
) -> Result<axum::Json<EndpointView>, Problem> {
    let id = EndpointId::own(&id, "endpoint")?;
    if request.value.secrets.is_empty() {
        return Err(Problem::field("/secrets", format!("must have 1 to {SECRETS_MAX} secrets")));
    }
    let known = deps.edge.store.find_endpoint(&id).await?;
    let known = known.filter(|known| known.organization == caller.organization);
    let known = known.ok_or_else(|| Problem::not_found("endpoint"))?;
    if let Some(processor) = WebhookProcessor::of(&known.processor) {
        check_secrets(processor, &request.value.secrets)?;
    }
    let sealed = seal(&deps, &id, &request.value.secrets).await?;
    let row = deps.edge.store.commit_endpoint_secrets(&caller.organization, &id, &sealed).await?;
    row.map(|row| axum::Json(row.into())).ok_or_else(|| Problem::not_found("endpoint"))
}

/// Remove a webhook endpoint
#[utoipa::path(delete, path = "/v1/webhook-endpoints/{endpoint}",
    operation_id = "remove_webhook_endpoint", tag = "webhooks",
    params(("endpoint" = String, Path, description = "The endpoint's id (whe_...)")),
    responses((status = 204, description = "Removed; it can take events for up to 30 seconds longer"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn remove(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = EndpointId::own(&id, "endpoint")?;
    let found = deps.edge.store.remove_endpoint(&caller.organization, &id).await?;
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("endpoint")) }
}

async fn seal(deps: &Deps, endpoint: &EndpointId, secrets: &[String]) -> Result<Vec<String>, Problem> {
    let mut sealed = Vec::with_capacity(secrets.len());
    for secret in secrets {
        sealed.push(deps.sealer.seal(secret, endpoint.as_str()).await?);
    }
    Ok(sealed)
}

/// Test and live money never meet: an endpoint is of its organization's mode.
fn check_mode(caller: &Caller, wanted: Option<bool>) -> Result<(), Problem> {
    if wanted.is_none_or(|wanted| wanted == caller.livemode) {
        return Ok(());
    }
    let detail =
        if caller.livemode { "the organization is in live mode" } else { "the organization is in test mode" };
    let error = FieldError { pointer: "/livemode".to_owned(), detail: detail.to_owned() };
    let title = "An organization holds live or test money, never both.";
    Err(Problem::new(422, "mode_mismatch", title).with_errors(vec![error]))
}

fn check_secrets(processor: WebhookProcessor, secrets: &[String]) -> Result<(), Problem> {
    if secrets.len() > SECRETS_MAX {
        return Err(Problem::field("/secrets", format!("must have at most {SECRETS_MAX} secrets")));
    }
    let wrong = |(index, secret): (usize, &String)| {
        let detail = processor.check_secret(secret).err()?.to_owned();
        Some(FieldError { pointer: format!("/secrets/{index}"), detail })
    };
    let errors: Vec<_> = secrets.iter().enumerate().filter_map(wrong).collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}
