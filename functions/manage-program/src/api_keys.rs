//! API keys: several at a time, so that one can be replaced without a gap.

use aws::http::{Caller, IdempotencyKey, Json, Path, PathId, Problem, ProblemBody, api_key_secret, hash_of};
use aws::store::{ApiKeyRow, KEYS_MAX};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::id::ApiKeyId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Deps, checked_name, replay_header};

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 100;

/// A key to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKeyRequest {
    /// Its name, for people: 1 to 100 characters.
    #[schema(example = "backend, production", min_length = 1, max_length = 100)]
    name: String,
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeyView {
    /// Its id.
    id: ApiKeyId,
    /// Its name.
    name: String,
    /// The last four characters of its secret.
    last4: String,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it was revoked; it can work for up to 30 seconds longer.
    revoked_at: Option<DateTime<Utc>>,
}

/// A key with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewApiKeyView {
    /// Its id.
    id: ApiKeyId,
    /// Its name.
    name: String,
    /// The bearer token; shown once. Begins with `rk_test_` in test mode.
    #[schema(example = "rk_live_...")]
    secret: String,
    /// When it was created.
    created_at: DateTime<Utc>,
}

/// The organization's keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeyList {
    /// Revoked ones too, for 90 days.
    data: Vec<ApiKeyView>,
}

impl NewApiKeyView {
    pub(crate) fn new(row: ApiKeyRow, secret: String) -> Self {
        Self { id: row.key, name: row.name, secret, created_at: row.created_at }
    }
}

impl From<ApiKeyRow> for ApiKeyView {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            id: row.key,
            name: row.name,
            last4: row.last4,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// Create an API key
#[utoipa::path(post, path = "/v1/api-keys",
    operation_id = "create_api_key", tag = "organizations", request_body = ApiKeyRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats of the call answer what the first one made")),
    responses((status = 201, body = NewApiKeyView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 too_many_api_keys (20 at a time)")))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    key: IdempotencyKey,
    request: Json<ApiKeyRequest>,
) -> Result<Response, Problem> {
    let name = checked_name(&request.value.name, NAME_CHARS_MAX)?;
    let seed = deps.seed("api-key", caller.organization.as_str(), &key).await?;
    let secret = api_key_secret(&seed, caller.livemode);
    let row = ApiKeyRow {
        key: ApiKeyId::derive(&[&hash_of(&secret)]),
        organization: caller.organization.clone(),
        livemode: caller.livemode,
        name,
        hash: hash_of(&secret),
        last4: last4(&secret),
        created_at: deps.edge.now(),
        revoked_at: None,
        request_hash: request.hash,
    };
    let active = deps.edge.store.list_api_keys(&caller.organization).await?;
    let is_new = !active.iter().any(|known| known.key == row.key);
    if is_new && active.iter().filter(|key| key.revoked_at.is_none()).count() >= KEYS_MAX {
        let title = "An organization can have 20 API keys at a time; revoke one first.";
        return Err(Problem::new(409, "too_many_api_keys", title));
    }
    let known = deps.edge.store.commit_api_key(&row).await?;
    if known.as_ref().is_some_and(|known| known.request_hash != row.request_hash) {
        return Err(Problem::idempotency_mismatch());
    }
    let repeated = known.is_some();
    let view = NewApiKeyView::new(known.unwrap_or(row), secret);
    Ok((StatusCode::CREATED, replay_header(repeated), axum::Json(view)).into_response())
}

/// List API keys
#[utoipa::path(get, path = "/v1/api-keys", operation_id = "list_api_keys", tag = "organizations",
    responses((status = 200, body = ApiKeyList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
) -> Result<axum::Json<ApiKeyList>, Problem> {
    let rows = deps.edge.store.list_api_keys(&caller.organization).await?;
    Ok(axum::Json(ApiKeyList { data: rows.into_iter().map(ApiKeyView::from).collect() }))
}

/// Revoke an API key
///
/// Idempotent. The last key cannot be revoked: nobody could create another.
#[utoipa::path(delete, path = "/v1/api-keys/{id}", operation_id = "revoke_api_key", tag = "organizations",
    params(("id" = String, Path, description = "The key's id (key_...)")),
    responses((status = 204, description = "Revoked; it can work for up to 30 seconds longer"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 last_api_key")))]
pub(crate) async fn revoke(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = ApiKeyId::own(&id, "API key")?;
    let rows = deps.edge.store.list_api_keys(&caller.organization).await?;
    let active = |row: &&ApiKeyRow| row.revoked_at.is_none();
    let others = rows.iter().filter(active).filter(|row| row.key != id).count();
    if others == 0 && rows.iter().any(|row| row.key == id) {
        let title = "The last API key cannot be revoked; create another first.";
        return Err(Problem::new(409, "last_api_key", title));
    }
    let found = deps.edge.store.revoke_api_key(&caller.organization, &id).await?;
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("API key")) }
}

/// The last four characters of a secret.
pub(crate) fn last4(secret: &str) -> String {
    secret.get(secret.len().saturating_sub(4)..).unwrap_or_default().to_owned()
}
