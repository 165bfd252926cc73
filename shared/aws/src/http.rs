//! The HTTP edge: who calls, what they sent, and how errors are told. Shared by every HTTP function.

mod auth;
mod csv_file;
mod cursor;
mod gateway;
mod input;
mod problem;
mod view;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use chrono::{DateTime, Utc};

pub use auth::{Caller, TOKEN_PREFIX, Viewer, api_key_secret, bearer, hash_of, token_secret};
pub use csv_file::CsvFile;
pub use cursor::{LIMIT_MAX, Limit, open_cursor, seal_cursor};
pub use gateway::service;
pub use input::{IdempotencyKey, Json, Params, Path, PathId, read_part};
pub use problem::{FieldError, Problem, ProblemBody, Refusal};
pub use view::{ParticipantView, ReferralView, ShareView};

use crate::store::Store;
use crate::{Clock, Entropy};

/// Largest body of an API call, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Largest body of a processor's webhook, in bytes.
pub const WEBHOOK_BYTES_MAX: usize = 256 * 1024;

/// Largest body of a batch of tracking calls, in bytes: ten KB for each of a hundred.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// What the edge needs of a function.
#[derive(Debug, Clone)]
pub struct Edge {
    /// Finds API keys.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// Makes request ids.
    pub entropy: Entropy,
}

impl Edge {
    /// Now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

/// What every HTTP function's router has around its routes: a `request-id` on every answer, problems for unknown
/// routes and methods, and a limit on bodies.
pub fn finish<S: Clone + Send + Sync + 'static>(router: Router<S>, edge: Edge, state: S) -> Router {
    router
        .fallback(async || Problem::new(404, "route_not_found", "There is no such route."))
        .method_not_allowed_fallback(async || {
            Problem::new(405, "method_not_allowed", "The route does not take this method.")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(edge, tag))
        .with_state(state)
}

/// Gives the answer the id of its request: Lambda's own where there is one.
async fn tag(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    use lambda_http::request::RequestContext;
    let own = request.extensions().get::<RequestContext>().and_then(|context| match context {
        RequestContext::ApiGatewayV2(context) => context.request_id.clone(),
        _ => None,
    });
    let id = own.or_else(|| Some(format!("req_{}", hex::encode(edge.entropy.draw::<12>().ok()?))));
    let (method, path) = (request.method().clone(), matched(&request));
    let mut response = next.run(request).await;
    if let Some(value) = id.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
        response.headers_mut().insert("request-id", value);
    }
    tracing::info!(
        request.id = id.as_deref().unwrap_or_default(),
        http.method = %method,
        http.route = path,
        http.status = response.status().as_u16(),
        "answered"
    );
    response
}

/// The route's pattern, never the path itself: paths hold the callers' ids.
fn matched(request: &Request) -> String {
    let path = request.extensions().get::<axum::extract::MatchedPath>();
    path.map_or_else(String::new, |path| path.as_str().to_owned())
}
