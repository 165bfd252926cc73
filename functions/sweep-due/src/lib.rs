//! Finishes what a crash, a lost message or a lost answer left undone: every row of the due index is either sent to its
//! worker again or finished here. It changes nothing that is not due, and may run at any time and any number of times.

use aws::handler::chain;
use aws::queue::{Queue, QueueError};
use aws::settle::{SettleError, Settler};
use aws::store::Store;
use aws::store::keys::{DUE_SHARDS, Due, DueTask, LATER_SHARDS};
use aws::{Clock, ConfigError, HandlerError, Platform};
use chrono::Duration;
use domain::message::{FulfillMessage, NotifyMessage, ReportMessage, WebhookMessage};
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};

/// Most rows of one shard in one run; the next run, a minute later, goes on.
const ROWS_PER_SHARD: i32 = 200;
/// The same of a shard of journeys through campaigns, which come many at once and are only sent on.
const JOURNEYS_PER_SHARD: i32 = 1_000;
/// Most sources that waited for the exchange rates of one day and currency in one run.
const SOURCES_PER_RATE: u32 = 300;
/// Shards that are read at the same time. One after another, most of a run is waiting; all at once, each would open a
/// connection of its own.
const READ_AT_ONCE: usize = 4;
/// Age from which a due row is overdue: before, the message sent at the commit is given its time.
const PATIENCE_SECONDS: i64 = 60;

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The table.
    pub store: Store,
    settler: Settler,
    report_queue: Queue,
    notify_queue: Queue,
    clock: Clock,
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`, `FULFILL_QUEUE_URL`, `REPORT_QUEUE_URL`,
    /// `EVENTS_QUEUE_URL`, `NOTIFY_QUEUE_URL`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let store = Store::new(platform, lookup)?;
        let settler = Settler::new(platform, lookup, &store)?;
        let report_queue = Queue::new(platform, lookup, "REPORT_QUEUE_URL")?;
        let notify_queue = Queue::new(platform, lookup, "NOTIFY_QUEUE_URL")?;
        Ok(Self { store, settler, report_queue, notify_queue, clock: platform.clock.clone() })
    }
}

/// Runs over the due index once; answers `{"sent": n, "finished": n, "failed": n}`.
///
/// # Errors
/// [`HandlerError`] when a shard cannot be read or the queue takes nothing, after the other shards are done. A row that
/// cannot be finished stays due, is logged, and keeps no other row waiting.
pub async fn handle(deps: &Deps, _event: Value) -> Result<Value, HandlerError> {
    let until = deps.clock.now() - Duration::seconds(PATIENCE_SECONDS);
    let read = stream::iter(0..DUE_SHARDS + LATER_SHARDS).map(|shard| {
        let rows = if shard < DUE_SHARDS { ROWS_PER_SHARD } else { JOURNEYS_PER_SHARD };
        deps.store.list_due(shard, until, rows)
    });
    let shards: Vec<_> = read.buffered(READ_AT_ONCE).collect().await;
    let (mut sent, mut finished, mut failed) = (0_usize, 0_usize, 0_usize);
    let mut unread = None;
    for rows in shards {
        let rows = rows.unwrap_or_else(|error| {
            unread = Some(error);
            Vec::new()
        });
        let mut messages = Messages::default();
        for due in rows {
            let Some(due) = messages.take(due) else { continue };
            match finish(deps, &due).await {
                Ok(()) => finished = finished.saturating_add(1),
                Err(error) => {
                    failed = failed.saturating_add(1);
                    tracing::error!(error = chain(&error), "a due row cannot be finished");
                }
            }
        }
        let taken = messages.send(deps).await.map_err(|error| HandlerError::failed(&error))?;
        sent = sent.saturating_add(taken);
    }
    tracing::info!(sent, finished, failed, "swept");
    if let Some(error) = unread {
        return Err(HandlerError::failed(&error));
    }
    Ok(json!({"sent": sent, "finished": finished, "failed": failed}))
}

/// What is left to workers, by their queues.
#[derive(Debug, Default)]
struct Messages {
    fulfill: Vec<FulfillMessage>,
    webhooks: Vec<WebhookMessage>,
    reports: Vec<ReportMessage>,
    notify: Vec<NotifyMessage>,
}

impl Messages {
    /// Takes what a worker has to do; answers what is to be finished here.
    fn take(&mut self, due: Due) -> Option<Due> {
        let organization = due.organization.clone();
        match due.task {
            DueTask::Reward(reward) => {
                self.fulfill.push(FulfillMessage::RewardDueV1 { organization, reward });
            }
            DueTask::BillingRun(run) => {
                self.reports.push(ReportMessage::BillingRunDueV1 { organization, run })
            }
            DueTask::PayoutBatch(batch) => {
                self.reports.push(ReportMessage::PayoutBatchDueV1 { organization, batch });
            }
            DueTask::Check(check) => self.reports.push(ReportMessage::CheckDueV1 { organization, check }),
            DueTask::Event(event) => {
                self.webhooks.push(WebhookMessage::EventDueV1 { organization, event });
            }
            DueTask::Delivery(delivery) => {
                self.webhooks.push(WebhookMessage::WebhookDueV1 { organization, delivery });
            }
            DueTask::Notification(notification) => {
                self.notify.push(NotifyMessage::NotificationDueV1 { organization, notification });
            }
            DueTask::Journey { participant, campaign } => {
                self.notify.push(NotifyMessage::JourneyDueV1 { organization, participant, campaign });
            }
            DueTask::Walk(campaign) => {
                self.notify.push(NotifyMessage::CampaignDueV1 { organization, campaign })
            }
            DueTask::Referee(_)
            | DueTask::Customer(_)
            | DueTask::Source(_)
            | DueTask::Cascade(_)
            | DueTask::Release(_)
            | DueTask::Rates { .. } => return Some(due),
        }
        None
    }

    /// Sends them; answers how many were taken.
    async fn send(&self, deps: &Deps) -> Result<usize, QueueError> {
        let mut taken = deps.settler.fulfill_queue.send_all(&self.fulfill).await?;
        taken = taken.saturating_add(deps.settler.events.queue.send_all(&self.webhooks).await?);
        taken = taken.saturating_add(deps.report_queue.send_all(&self.reports).await?);
        Ok(taken.saturating_add(deps.notify_queue.send_all(&self.notify).await?))
    }
}

async fn finish(deps: &Deps, due: &Due) -> Result<(), SettleError> {
    let organization = &due.organization;
    match &due.task {
        // These are left to workers.
        DueTask::Reward(_)
        | DueTask::BillingRun(_)
        | DueTask::PayoutBatch(_)
        | DueTask::Check(_)
        | DueTask::Event(_)
        | DueTask::Delivery(_)
        | DueTask::Notification(_)
        | DueTask::Journey { .. }
        | DueTask::Walk(_) => Ok(()),
        DueTask::Referee(referee) => {
            let row = deps.store.get_referee(organization, referee).await?;
            deps.settler.release_referee(organization, referee, &row.waiting).await
        }
        DueTask::Customer(customer) => {
            let waiting = deps.store.list_waiting_for_customer(organization, customer).await?;
            deps.settler.release_customer(organization, customer, &waiting).await
        }
        DueTask::Source(source) => deps.settler.finish_source(organization, source).await,
        DueTask::Cascade(source) => deps.settler.settle_cascade(organization, source).await,
        DueTask::Release(participant) => deps.settler.release(organization, participant).await,
        DueTask::Rates { day, currency } => {
            deps.settler.release_rates(organization, *day, *currency, SOURCES_PER_RATE).await.map(|_| ())
        }
    }
}
