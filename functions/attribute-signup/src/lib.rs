//! Binds new customers to whoever referred them: touches, sign-ups, and what an administrator assigns or removes.

mod referrals;
mod signup;
mod touches;

use aws::http::{Edge, finish};
use aws::settle::Settler;
use aws::store::Store;
use aws::{ConfigError, Platform};
use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, post};
use utoipa::OpenApi;

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The HTTP edge, with the store.
    pub edge: Edge,
    settler: Settler,
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`, `FULFILL_QUEUE_URL`, `EVENTS_QUEUE_URL`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let store = Store::new(platform, lookup)?;
        let settler = Settler::new(platform, lookup, &store)?;
        let (clock, entropy) = (platform.clock.clone(), platform.entropy.clone());
        Ok(Self { edge: Edge { store, clock, entropy }, settler })
    }
}

impl FromRef<Deps> for Edge {
    fn from_ref(deps: &Deps) -> Self {
        deps.edge.clone()
    }
}

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    let referral = get(referrals::read).put(referrals::assign).delete(referrals::remove);
    let routes = Router::new()
        .route("/v1/track/touch", post(touches::track))
        .route("/v1/track/signup", post(signup::track))
        .route("/v1/referrals/{referee}", referral);
    finish(routes, deps.edge.clone(), deps)
}

/// The function's part of the OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(touches::track, signup::track, referrals::read, referrals::assign, referrals::remove))]
    struct Doc;
    Doc::openapi()
}
