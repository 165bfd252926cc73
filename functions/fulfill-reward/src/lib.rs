//! Delivers rewards: claim under a lease, deliver with the reward's id, move on under the claim's fence. And tells the
//! outside what happened to them.
//!
//! A reward that is delivered here is delivered by the write that completes it; what is told of it is sent before, so that a
//! crash in between tells it again, under the same id, and never loses it. One that is delivered outside is delivered in steps
//! ([`way`]). One that somebody else is to deliver waits for their confirmation.

mod actions;
mod deliver;
mod news;
mod own_discount;
mod stripe;
pub mod way;
pub mod ways;

use aws::batch::{self, Outcome};
use aws::handler::chain;
use aws::queue::Queue;
use aws::settle::Settler;
use aws::store::{Claim, Store};
use aws::telemetry::Metrics;
use aws::{Clock, ConfigError, HandlerError, Platform};
use domain::id::{OrganizationId, RewardId};
use domain::message::FulfillMessage;
use serde_json::Value;

use crate::ways::Ways;

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The table.
    pub store: Store,
    /// How rewards reach somebody outside the engine.
    pub ways: Ways,
    notify_queue: Queue,
    settler: Settler,
    clock: Clock,
    metrics: Metrics,
}

/// A reward about which nothing could be done now, and why; it comes again.
#[derive(Debug)]
struct Undelivered(String);

impl<E: std::error::Error + 'static> From<E> for Undelivered {
    fn from(error: E) -> Self {
        Self(chain(&error))
    }
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`, `EVENTS_QUEUE_URL`, `FULFILL_QUEUE_URL`,
    /// `NOTIFY_QUEUE_URL`, `SEALING_KEY_SECRET_ARN`, `STRIPE_API_BASE`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let store = Store::new(platform, lookup)?;
        let settler = Settler::new(platform, lookup, &store)?;
        let clock = platform.clock.clone();
        let notify_queue = Queue::new(platform, lookup, "NOTIFY_QUEUE_URL")?;
        let ways = Ways::new(platform, lookup, store.clone())?;
        Ok(Self { store, ways, notify_queue, settler, clock, metrics: Metrics::default() })
    }

    /// Which also measures its deliveries.
    #[must_use]
    pub fn measured(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }
}

/// Handles a batch of `reward.due.v1`.
///
/// # Errors
/// [`HandlerError`] when the event is not one of SQS.
pub async fn handle(deps: &Deps, event: Value) -> Result<Value, HandlerError> {
    batch::run(event, |message| {
        let FulfillMessage::RewardDueV1 { organization, reward } = message;
        fulfill(deps, organization, reward)
    })
    .await
}

async fn fulfill(deps: &Deps, organization: OrganizationId, id: RewardId) -> Outcome {
    let done = match deps.store.claim_reward(&organization, &id, deps.clock.now()).await {
        Ok(Claim::Claimed(reward)) => deliver::deliver(deps, &organization, *reward).await,
        // Whoever holds the lease delivers it; the row stays due until then, so the sweeper comes back to it.
        Ok(Claim::Leased(reward)) => deliver::look_after(deps, &organization, &reward).await,
        // Nobody has approved it, or it is held: it is looked at again when it is due, and gone when its time is over.
        Ok(Claim::Waiting(reward)) => deliver::rest(deps, &organization, &reward).await,
        Ok(Claim::Settled(reward)) => deliver::settle_outside(deps, &organization, &reward).await,
        Ok(Claim::Absent) => return Outcome::Poison(format!("there is no reward {id}")),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => Outcome::Done,
        Err(undelivered) => Outcome::Retry(undelivered.0),
    }
}
