//! Tells the outside: sends each event to the destinations that its organization has for it, signed, and again until it is
//! taken or given up. The only function that dials addresses that users give.
//!
//! A delivery's row is its own outbox: it is written before the first attempt, and stands in the due index until it is
//! done. So the event's message is done with as soon as every delivery of it has a row, and a crash at any moment repeats
//! an attempt at most: under the same `webhook-id`, by which the receiver drops it.

mod attempt;

use aws::batch::{self, Outcome};
use aws::outbound::{Outbound, Reach, SystemResolver};
use aws::queue::{DELAY_SECONDS_MAX, Queue};
use aws::seal::{SealError, Sealer};
use aws::store::{DeliveryRow, DestinationRow, DueClaim, Store, StoreError};
use aws::telemetry::{DELIVERIES_FAILED, DESTINATIONS_DISABLED, Metrics};
use aws::{Clock, ConfigError, HandlerError, Platform};
use chrono::{DateTime, Utc};
use domain::delivery::{
    Attempt, DeliveryState, DisabledBecause, Failure, Next, has_failed_long_enough, keep, next,
};
use domain::event::{Event, Told};
use domain::id::{DeliveryId, MessageId, OrganizationId};
use domain::message::{DeliverMessage, WebhookMessage};
use futures_util::future::join_all;
use serde_json::Value;

use crate::attempt::Answered;

/// Messages of a batch that are handled at the same time: all of them, since each waits for a receiver.
const AT_ONCE: usize = 10;

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The table.
    pub store: Store,
    events_queue: Queue,
    sealer: Sealer,
    outbound: Outbound,
    clock: Clock,
    metrics: Metrics,
}

/// Why a delivery could not be worked on. Its row stays due, or was not written: it is tried again.
#[derive(Debug, thiserror::Error)]
enum DeliverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the event cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`, `EVENTS_QUEUE_URL`, `SEALING_KEY_SECRET_ARN`, and
    /// `WEBHOOKS_TO_LOOPBACK` where a stage for development has it.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self {
            store: Store::new(platform, lookup)?,
            events_queue: Queue::new(platform, lookup, "EVENTS_QUEUE_URL")?,
            sealer: Sealer::new(platform, lookup)?,
            outbound: Outbound::guarded(platform, SystemResolver, Reach::of(lookup)),
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

/// Handles a batch of events, of `event.due.v1` and of `webhook.due.v1`.
///
/// # Errors
/// [`HandlerError`] when the event is not one of SQS.
pub async fn handle(deps: &Deps, event: Value) -> Result<Value, HandlerError> {
    batch::run_at_once(event, AT_ONCE, |message| async move {
        let done = match message {
            DeliverMessage::Event(event) => tell(deps, &event).await,
            DeliverMessage::Due(WebhookMessage::EventDueV1 { organization, event }) => {
                tell_due(deps, &organization, &event).await
            }
            DeliverMessage::Due(WebhookMessage::WebhookDueV1 { organization, delivery }) => {
                match go_on(deps, &organization, &delivery).await {
                    Ok(true) => Ok(()),
                    Ok(false) => return Outcome::Poison(format!("there is no delivery {delivery}")),
                    Err(error) => Err(error),
                }
            }
        };
        done.map_or_else(|error| Outcome::Retry(error.to_string()), |()| Outcome::Done)
    })
    .await
}

/// Tells an event that stands in a row. One that is not due any more was told: by a message that came twice, or that the
/// sweeper sent beside another.
async fn tell_due(deps: &Deps, organization: &OrganizationId, id: &MessageId) -> Result<(), DeliverError> {
    let Some(event) = deps.store.find_event(organization, id).await? else { return Ok(()) };
    tell(deps, &event).await?;
    Ok(deps.store.finish_event(organization, id).await?)
}

/// Makes the deliveries of an event that are not made yet, and attempts each that it made.
async fn tell(deps: &Deps, event: &Event) -> Result<(), DeliverError> {
    let destinations = deps.store.list_listening(&event.organization).await?;
    let wanting = destinations.iter().filter(|destination| destination.wants(event.what.name()));
    let deliveries = wanting.map(|destination| begin(deps, event, destination));
    join_all(deliveries).await.into_iter().collect()
}

async fn begin(deps: &Deps, event: &Event, destination: &DestinationRow) -> Result<(), DeliverError> {
    let now = deps.clock.now();
    let told = Told { event: event.clone(), livemode: destination.livemode };
    let row = DeliveryRow {
        delivery: DeliveryId::of(&event.organization, &event.id, &destination.destination),
        destination: destination.destination.clone(),
        event: event.id.clone(),
        event_type: event.what.name().to_owned(),
        body: serde_json::to_string(&told)?,
        state: DeliveryState::Pending,
        failure: None,
        tries: 0,
        next_attempt_at: Some(now),
        attempts: Vec::new(),
        claims: 1,
        created_at: now,
    };
    if deps.store.commit_delivery(&event.organization, &row, now).await? {
        attempt(deps, &event.organization, row, destination).await?;
    }
    // Else the event was told before: the delivery is done, or stands in the due index.
    Ok(())
}

/// Goes on with a delivery that is due; `false` when there is none.
async fn go_on(deps: &Deps, organization: &OrganizationId, id: &DeliveryId) -> Result<bool, DeliverError> {
    let row = match deps.store.claim_delivery(organization, id, deps.clock.now()).await? {
        DueClaim::Claimed(row) => *row,
        DueClaim::NotDue => return Ok(true),
        DueClaim::Absent => return Ok(false),
    };
    match deps.store.find_destination(organization, &row.destination).await? {
        Some(destination) if destination.disabled.is_none() => {
            attempt(deps, organization, row, &destination).await?;
        }
        Some(_) => give_up(deps, organization, row, Failure::DestinationDisabled).await?,
        None => give_up(deps, organization, row, Failure::DestinationRemoved).await?,
    }
    Ok(true)
}

/// Attempts a delivery that was claimed, and writes what became of it: first of the destination, then of the delivery, so
/// that a crash in between repeats both.
async fn attempt(
    deps: &Deps,
    organization: &OrganizationId,
    mut row: DeliveryRow,
    destination: &DestinationRow,
) -> Result<(), DeliverError> {
    let mut secrets = Vec::new();
    for secret in destination.secrets_at(deps.clock.now()) {
        secrets.push(deps.sealer.open(&secret.sealed, destination.destination.as_str()).await?);
    }

    let Answered { attempt, retry_after } =
        attempt::make(&deps.outbound, &deps.clock, destination, &row, &secrets).await;

    let now = deps.clock.now();
    row.tries = row.tries.saturating_add(1);
    let next = next(&row.delivery, row.tries, &attempt, retry_after, now);
    (row.state, row.failure, row.next_attempt_at) = match next {
        Next::Delivered => (DeliveryState::Delivered, None, None),
        Next::At(at) => (DeliveryState::Pending, None, Some(at)),
        Next::Failed(failure) => (DeliveryState::Failed, Some(failure), None),
    };

    judge(deps, organization, destination, &attempt, now).await?;
    keep(&mut row.attempts, attempt);
    if !deps.store.complete_delivery(organization, &row).await? {
        return Ok(());
    }

    match next {
        Next::Delivered => tracing::info!(delivery.id = %row.delivery, tries = row.tries, "delivered"),
        Next::At(at) => come_back(deps, organization, &row.delivery, at, now).await,
        Next::Failed(failure) => note_failed(deps, &row.delivery, failure, now),
    }
    Ok(())
}

/// What an attempt says of its destination.
async fn judge(
    deps: &Deps,
    organization: &OrganizationId,
    destination: &DestinationRow,
    attempt: &Attempt,
    now: DateTime<Utc>,
) -> Result<(), DeliverError> {
    let id = &destination.destination;
    let because = match destination.failing_since {
        _ if attempt.is_gone() => Some(DisabledBecause::Gone),
        Some(since) if !attempt.succeeded() => {
            has_failed_long_enough(since, now).then_some(DisabledBecause::Failing)
        }
        known => {
            if known.is_some() == attempt.succeeded() {
                deps.store.note_attempt(organization, id, attempt.succeeded(), now).await?;
            }
            None
        }
    };
    if let Some(because) = because
        && deps.store.disable_destination(organization, destination, because, now).await?
    {
        deps.metrics.counted(&[(DESTINATIONS_DISABLED, 1)], now);
        tracing::warn!(destination.id = %id, ?because, "the destination is disabled");
    }
    Ok(())
}

/// Sends itself a message for an attempt that comes soon. The row is due whether that arrives or not; what comes later the
/// sweeper sends.
async fn come_back(
    deps: &Deps,
    organization: &OrganizationId,
    id: &DeliveryId,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) {
    // Rounded up: a message that comes before its time finds nothing due.
    let seconds = (at - now).num_seconds().saturating_add(1);
    let soon = i32::try_from(seconds).ok().filter(|seconds| *seconds <= DELAY_SECONDS_MAX);
    if let Some(seconds) = soon {
        let due = WebhookMessage::WebhookDueV1 { organization: organization.clone(), delivery: id.clone() };
        if let Err(error) = deps.events_queue.send_later(&due, seconds).await {
            tracing::warn!(delivery.id = %id, %error, "the next attempt is left to the sweeper");
        }
    }
}

/// Ends a delivery that was claimed, without an attempt.
async fn give_up(
    deps: &Deps,
    organization: &OrganizationId,
    row: DeliveryRow,
    failure: Failure,
) -> Result<(), DeliverError> {
    let row =
        DeliveryRow { state: DeliveryState::Failed, failure: Some(failure), next_attempt_at: None, ..row };
    if deps.store.complete_delivery(organization, &row).await? {
        note_failed(deps, &row.delivery, failure, deps.clock.now());
    }
    Ok(())
}

fn note_failed(deps: &Deps, id: &DeliveryId, failure: Failure, now: DateTime<Utc>) {
    deps.metrics.counted(&[(DELIVERIES_FAILED, 1)], now);
    tracing::warn!(delivery.id = %id, ?failure, "the delivery is given up");
}
