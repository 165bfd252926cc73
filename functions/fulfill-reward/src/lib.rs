//! Delivers rewards: claim under a lease, deliver with the reward's id, complete under the claim's fence.
//!
//! In this engine a delivery is that the reward's amount becomes available in the participant's balance, which the
//! completing write itself does, and that `reward.fulfilled` is sent. It is sent before the completion: a crash in
//! between sends it again under the same id, and never loses it.

mod own_discount;
mod stripe;
pub mod way;
pub mod ways;

use aws::batch::{self, Outcome};
use aws::handler::chain;
use aws::queue::Queue;
use aws::settle::Settler;
use aws::store::{Claim, Completion, Store};
use aws::telemetry::Metrics;
use aws::{Clock, ConfigError, HandlerError, Platform};
use domain::event::Event;
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
    events_queue: Queue,
    settler: Settler,
    clock: Clock,
    metrics: Metrics,
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`, `EVENTS_QUEUE_URL`, `FULFILL_QUEUE_URL`,
    /// `SEALING_KEY_SECRET_ARN`, `STRIPE_API_BASE`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let store = Store::new(platform, lookup)?;
        let fulfill_queue = Queue::new(platform, lookup, "FULFILL_QUEUE_URL")?;
        let clock = platform.clock.clone();
        let settler = Settler { store: store.clone(), fulfill_queue, clock: clock.clone() };
        let events_queue = Queue::new(platform, lookup, "EVENTS_QUEUE_URL")?;
        let ways = Ways::new(platform, lookup, store.clone())?;
        Ok(Self { store, ways, events_queue, settler, clock, metrics: Metrics::default() })
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
    let now = deps.clock.now();
    let reward = match deps.store.claim_reward(&organization, &id, now).await {
        Ok(Claim::Claimed(reward)) => reward,
        // Whoever holds the lease delivers it; the row stays due until then, so the sweeper comes back to it.
        Ok(Claim::Leased | Claim::Settled) => return Outcome::Done,
        // Nobody has approved it, or it is held: it is looked at again when it is due, and gone when its time is over.
        Ok(Claim::Waiting(reward)) => {
            return match deps.settler.expire(&organization, &reward).await {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Retry(chain(&error)),
            };
        }
        Ok(Claim::Absent) => return Outcome::Poison(format!("there is no reward {id}")),
        Err(error) => return Outcome::Retry(error.to_string()),
    };
    let announcement = Event::reward_fulfilled(&organization, &reward, now);
    if let Err(error) = deps.events_queue.send(&announcement).await {
        return Outcome::Retry(error.to_string());
    }
    let fulfilled_at = deps.clock.now();
    match deps.store.complete_reward(&organization, &reward, fulfilled_at).await {
        Ok(Completion::Done) => {
            deps.metrics.fulfilled(&reward, fulfilled_at);
            tracing::info!(reward.id = %id, attempt = reward.attempt, "fulfilled");
            Outcome::Done
        }
        Ok(Completion::Fenced) => Outcome::Done,
        Err(error) => Outcome::Retry(error.to_string()),
    }
}
