//! Sends notifications to participants, and looks after campaigns: each participant's journey through one is looked at when it
//! is due, and the notification that this leads to is written in the same transaction.
//!
//! A notification's row is its own outbox: it stands in the due index until it was handed to its transport or given up. It is
//! written from its template when it is sent. Events are told under one id however often; e-mail and text messages, which have
//! no such thing, are sent again where a worker ends before it has written that it sent them.

mod journey;
mod notification;
mod transport;
mod walk;

use aws::batch::{self, Outcome};
use aws::config::{optional, required};
use aws::handler::chain;
use aws::queue::Queue;
use aws::seal::{SealError, Sealer};
use aws::store::{Store, StoreError};
use aws::telemetry::Metrics;
use aws::{Clock, ConfigError, HandlerError, Platform};
use domain::message::NotifyMessage;
use serde_json::Value;

use crate::transport::Transports;

/// Messages of a batch that are handled at the same time: all of them, since most of the work is waiting.
const AT_ONCE: usize = 10;

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The table.
    pub store: Store,
    notify_queue: Queue,
    transports: Transports,
    sealer: Sealer,
    /// Where the API is, for links in what is sent.
    api_url: String,
    clock: Clock,
    metrics: Metrics,
}

/// Why something could not be worked on now. It is due until it was: it is tried again.
#[derive(Debug, thiserror::Error)]
enum NotifyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// What a message came to.
enum Came {
    /// It is done with.
    Done,
    /// What it names is not there.
    Absent(String),
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`, `EVENTS_QUEUE_URL`, `NOTIFY_QUEUE_URL`,
    /// `SEALING_KEY_SECRET_ARN`, `API_URL`, `PUBLIC_API_URL` where people reach the API elsewhere, and where e-mail or text
    /// messages are sent `EMAIL_FROM` and `SMS`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let store = Store::new(platform, lookup)?;
        let own = required(lookup, "API_URL")?;
        let api_url = optional(lookup, "PUBLIC_API_URL").unwrap_or(own);
        Ok(Self {
            notify_queue: Queue::new(platform, lookup, "NOTIFY_QUEUE_URL")?,
            transports: Transports::new(platform, lookup, store.clone())?,
            sealer: Sealer::new(platform, lookup)?,
            api_url: api_url.trim_end_matches('/').to_owned(),
            store,
            clock: platform.clock.clone(),
            metrics: Metrics::default(),
        })
    }

    /// Which also measures what it does.
    #[must_use]
    pub fn measured(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }
}

/// Handles a batch of `notification.due.v1`, `journey.due.v1` and `campaign.due.v1`.
///
/// # Errors
/// [`HandlerError`] when the event is not one of SQS.
pub async fn handle(deps: &Deps, event: Value) -> Result<Value, HandlerError> {
    batch::run_at_once(event, AT_ONCE, |message| async move {
        let came = match message {
            NotifyMessage::NotificationDueV1 { organization, notification } => {
                notification::go_on(deps, &organization, &notification).await
            }
            NotifyMessage::JourneyDueV1 { organization, participant, campaign } => {
                journey::go_on(deps, &organization, &participant, &campaign).await
            }
            NotifyMessage::CampaignDueV1 { organization, campaign } => {
                walk::go_on(deps, &organization, &campaign).await
            }
        };
        match came {
            Ok(Came::Done) => Outcome::Done,
            Ok(Came::Absent(what)) => Outcome::Poison(format!("there is no {what}")),
            Err(error) => Outcome::Retry(chain(&error)),
        }
    })
    .await
}
