//! Enrols participants and issues their referral codes, and promo codes beside them; redeems one-time discounts.

mod codes;
mod discounts;
mod participants;
mod promotions;

use aws::http::{Edge, finish};
use aws::store::Store;
use aws::{ConfigError, Events, Platform};
use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, post, put};
use utoipa::OpenApi;

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The HTTP edge, with the store.
    pub edge: Edge,
    events: Events,
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`, `EVENTS_QUEUE_URL`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let store = Store::new(platform, lookup)?;
        let events = Events::new(platform, lookup, store.clone())?;
        let (clock, entropy) = (platform.clock.clone(), platform.entropy.clone());
        Ok(Self { edge: Edge { store, clock, entropy }, events })
    }
}

impl FromRef<Deps> for Edge {
    fn from_ref(deps: &Deps) -> Self {
        deps.edge.clone()
    }
}

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    let routes = Router::new()
        .route("/v1/programs/{program}/participants/{external_id}", put(participants::enrol))
        .route("/v1/participants/{id}", get(participants::read))
        .route("/v1/programs/{program}/codes", post(codes::create))
        .route("/v1/codes/{code}", get(codes::read))
        .route("/v1/discounts/{code}", get(discounts::read))
        .route("/v1/discounts/{code}/redeem", post(discounts::redeem))
        .route("/v1/promotions/{processor}/{id}", put(promotions::tie).get(promotions::read));
    finish(routes, deps.edge.clone(), deps)
}

/// The function's part of the OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(
        participants::enrol,
        participants::read,
        codes::create,
        codes::read,
        discounts::read,
        discounts::redeem,
        promotions::tie,
        promotions::read
    ))]
    struct Doc;
    Doc::openapi()
}
