//! Hears of money: payment processors' webhooks and the tracking API. Both turn into facts and meet in the same source.

mod tracking;
mod webhooks;

use aws::http::{BATCH_BYTES_MAX, Edge, WEBHOOK_BYTES_MAX, finish};
use aws::seal::Sealer;
use aws::settle::{Settled, Settler};
use aws::store::Store;
use aws::{ConfigError, Platform};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::routing::post;
use domain::id::{RewardId, SourceId};
use domain::money::Money;
use domain::reason::Reason;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The HTTP edge, with the store.
    pub edge: Edge,
    settler: Settler,
    sealer: Sealer,
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`, `FULFILL_QUEUE_URL`, `EVENTS_QUEUE_URL`,
    /// `SEALING_KEY_SECRET_ARN`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let store = Store::new(platform, lookup)?;
        let settler = Settler::new(platform, lookup, &store)?;
        let edge = Edge { store, clock: platform.clock.clone(), entropy: platform.entropy.clone() };
        Ok(Self { edge, settler, sealer: Sealer::new(platform, lookup)? })
    }
}

impl FromRef<Deps> for Edge {
    fn from_ref(deps: &Deps) -> Self {
        deps.edge.clone()
    }
}

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    let batch = post(tracking::batch::track_batch).layer(DefaultBodyLimit::max(BATCH_BYTES_MAX));
    let webhooks = Router::new()
        .route("/v1/webhooks/stripe/{endpoint}", post(webhooks::receive_stripe))
        .route("/v1/webhooks/paddle/{endpoint}", post(webhooks::receive_paddle))
        .route("/v1/webhooks/chargebee/{endpoint}", post(webhooks::receive_chargebee))
        .layer(DefaultBodyLimit::max(WEBHOOK_BYTES_MAX));
    let routes = Router::new()
        .route("/v1/track/invoice-paid", post(tracking::invoice::track_invoice_paid))
        .route("/v1/track/refund", post(tracking::refund::track_refund))
        .route("/v1/track/dispute", post(tracking::dispute::track_dispute))
        .route("/v1/track/credit", post(tracking::credit::track_credit))
        .route("/v1/track/void", post(tracking::void::track_void))
        .route("/v1/track/event", post(tracking::event::track_event))
        .route("/v1/track/payout", post(tracking::payout::track_payout))
        .route("/v1/track/batch", batch)
        .merge(webhooks);
    finish(routes, deps.edge.clone(), deps)
}

/// The function's part of the OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(
        tracking::invoice::track_invoice_paid,
        tracking::refund::track_refund,
        tracking::dispute::track_dispute,
        tracking::credit::track_credit,
        tracking::void::track_void,
        tracking::event::track_event,
        tracking::payout::track_payout,
        tracking::batch::track_batch,
        webhooks::receive_stripe,
        webhooks::receive_paddle,
        webhooks::receive_chargebee
    ))]
    struct Doc;
    Doc::openapi()
}

/// What an event came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct SettledView {
    /// The source that it belongs to; `GET /v1/decisions/{source}` explains it.
    #[schema(value_type = String, example = "invoice/stripe/in_123")]
    pub source: SourceId,
    /// The decision's reason code; see docs/problems.md.
    #[schema(value_type = String, example = "earned")]
    pub reason: Reason,
    /// The reason in words.
    pub explanation: &'static str,
    /// Whether the event was known already; then nothing was written.
    pub duplicate: bool,
    /// Whether the source waits for its payer, or for the exchange rate of its day; it is decided again when the sign-up
    /// or the rate arrives.
    pub parked: bool,
    /// What this event added to the ledger.
    pub posted: Vec<PostedView>,
}

/// A line that was added to the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct PostedView {
    /// The reward that it opened or corrects.
    pub reward: RewardId,
    /// Signed.
    pub amount: Money,
}

impl From<Settled> for SettledView {
    fn from(settled: Settled) -> Self {
        let posted = settled.posted.into_iter().map(|(reward, amount)| PostedView { reward, amount });
        Self {
            parked: matches!(
                settled.reason,
                Reason::AwaitingSignup | Reason::PayerUnknown | Reason::AwaitingRate
            ),
            source: settled.source,
            reason: settled.reason,
            explanation: settled.reason.text(),
            duplicate: !settled.changed,
            posted: posted.collect(),
        }
    }
}
