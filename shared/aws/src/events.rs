//! What the outside is told: written with what happened where anybody wants it, then announced.

use domain::event::Event;
use domain::message::WebhookMessage;

use crate::Platform;
use crate::config::{ConfigError, Lookup};
use crate::queue::Queue;
use crate::store::{Store, StoreError};

/// Whom events are handed to.
#[derive(Debug, Clone)]
pub struct Events {
    store: Store,
    /// Where due events and deliveries are announced.
    pub queue: Queue,
}

impl Events {
    /// Those of a function: `EVENTS_QUEUE_URL` names the queue.
    ///
    /// # Errors
    /// [`ConfigError`] when the variable is missing.
    pub fn new(platform: &Platform, lookup: Lookup<'_>, store: Store) -> Result<Self, ConfigError> {
        Ok(Self { store, queue: Queue::new(platform, lookup, "EVENTS_QUEUE_URL")? })
    }

    /// The event, if anybody wants it: it is to be written then, in the transaction of what happened, and announced after it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn wanted(&self, event: Event) -> Result<Option<Event>, StoreError> {
        let is_wanted = self.store.is_wanted(&event.organization, event.what.name()).await?;
        Ok(is_wanted.then_some(event))
    }

    /// Tells the queue that an event is due. Only for speed: its row is due until it is told, and the sweeper sends again
    /// whatever was not.
    pub async fn announce(&self, event: Option<&Event>) {
        let Some(Event { id, organization, .. }) = event else { return };
        let due = WebhookMessage::EventDueV1 { organization: organization.clone(), event: id.clone() };
        if let Err(error) = self.queue.send(&due).await {
            tracing::warn!(event.id = %id, %error, "not announced; the sweeper will");
        }
    }
}
