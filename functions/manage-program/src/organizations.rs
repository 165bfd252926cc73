//! Organizations: created with the root key, each with its first API key.

use aws::http::{IdempotencyKey, Json, Problem, ProblemBody, api_key_secret, bearer, hash_of};
use aws::store::{ApiKeyRow, OrganizationRow};
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::id::{ApiKeyId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api_keys::{NewApiKeyView, last4};
use crate::{Deps, checked_name, replay_header};

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 100;

/// An organization to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationRequest {
    /// Its name, for people: 1 to 100 characters.
    #[schema(example = "Example Ltd", min_length = 1, max_length = 100)]
    name: String,
    /// Live money (`true` unless told) or test money: an organization holds one of the two, for good. Its keys begin with
    /// `rk_live_` or `rk_test_`, and its webhook endpoints take events of its own mode only.
    #[serde(default = "live")]
    livemode: bool,
}

const fn live() -> bool {
    true
}

/// An organization with its first key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationView {
    /// Its id.
    id: OrganizationId,
    /// Its name.
    name: String,
    /// Live or test money.
    livemode: bool,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// Its first API key. The secret is shown here and never again (but to a repetition with the same Idempotency-Key).
    api_key: NewApiKeyView,
}

/// Whoever holds the root key. Checked before the body is looked at.
#[derive(Debug)]
pub(crate) struct Root;

impl FromRequestParts<Deps> for Root {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, deps: &Deps) -> Result<Self, Problem> {
        let root_key = deps.root_key.read().await?;
        // Hashes are compared, so the time it takes tells nothing about the key.
        let known = bearer(parts).map(hash_of) == Some(hash_of(&root_key));
        known.then_some(Self).ok_or_else(Problem::unauthorized)
    }
}

/// Create an organization
///
/// Needs the root key. Answers the organization's first API key, which every other call needs.
#[utoipa::path(post, path = "/v1/organizations",
    operation_id = "create_organization", tag = "organizations", request_body = OrganizationRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats of the call answer what the first one made")),
    responses((status = 201, body = OrganizationView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    _: Root,
    key: IdempotencyKey,
    request: Json<OrganizationRequest>,
) -> Result<Response, Problem> {
    let name = checked_name(&request.value.name, NAME_CHARS_MAX)?;

    let seed = deps.seed("organization", "root", &key).await?;
    let now = deps.edge.now();
    let text = hash_of(&format!("{seed:?}"));
    let id = OrganizationId::derive(&[&text]);
    let organization = OrganizationRow {
        organization: id.clone(),
        name,
        livemode: request.value.livemode,
        created_at: now,
        request_hash: request.hash.clone(),
    };
    let secret = api_key_secret(&seed, request.value.livemode);
    let api_key = ApiKeyRow {
        key: ApiKeyId::derive(&[&text]),
        organization: id,
        livemode: request.value.livemode,
        name: "first key".to_owned(),
        hash: hash_of(&secret),
        last4: last4(&secret),
        created_at: now,
        revoked_at: None,
        request_hash: request.hash,
    };
    let known = deps.edge.store.commit_organization(&organization, &api_key).await?;
    if known.as_ref().is_some_and(|(known, _)| known.request_hash != organization.request_hash) {
        return Err(Problem::idempotency_mismatch());
    }
    let repeated = known.is_some();
    let (organization, api_key) = known.unwrap_or((organization, api_key));
    let view = OrganizationView {
        id: organization.organization,
        name: organization.name,
        livemode: organization.livemode,
        created_at: organization.created_at,
        api_key: NewApiKeyView::new(api_key, secret),
    };
    Ok((StatusCode::CREATED, replay_header(repeated), axum::Json(view)).into_response())
}
