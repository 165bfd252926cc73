//! Finishes what a crash, a lost message or a lost answer left undone: every row of the due index is either sent to its
//! worker again or finished here. It changes nothing that is not due, and may run at any time and any number of times.

use aws::handler::chain;
use aws::queue::Queue;
use aws::settle::{SettleError, Settler};
use aws::store::Store;
use aws::store::keys::{DUE_SHARDS, Due, DueTask};
use aws::{Clock, ConfigError, HandlerError, Platform};
use chrono::Duration;
use domain::message::{FulfillMessage, ReportMessage, WebhookMessage};
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};

/// Most rows of one shard in one run; the next run, a minute later, goes on.
const ROWS_PER_SHARD: i32 = 200;
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
    clock: Clock,
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`, `FULFILL_QUEUE_URL`, `REPORT_QUEUE_URL`,
    /// `EVENTS_QUEUE_URL`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let store = Store::new(platform, lookup)?;
        let settler = Settler::new(platform, lookup, &store)?;
        let report_queue = Queue::new(platform, lookup, "REPORT_QUEUE_URL")?;
        Ok(Self { store, settler, report_queue, clock: platform.clock.clone() })
    }
}

/// Runs over the due index once; answers `{"sent": n, "finished": n, "failed": n}`.
///
/// # Errors
/// [`HandlerError`] when a shard cannot be read or the queue takes nothing, after the other shards are done. A row that
/// cannot be finished stays due, is logged, and keeps no other row waiting.
pub async fn handle(deps: &Deps, _event: Value) -> Result<Value, HandlerError> {
    let until = deps.clock.now() - Duration::seconds(PATIENCE_SECONDS);
    let read = stream::iter(0..DUE_SHARDS).map(|shard| deps.store.list_due(shard, until, ROWS_PER_SHARD));
    let shards: Vec<_> = read.buffered(READ_AT_ONCE).collect().await;
    let (mut sent, mut finished, mut failed) = (0_usize, 0_usize, 0_usize);
    let mut unread = None;
    for rows in shards {
        let rows = rows.unwrap_or_else(|error| {
            unread = Some(error);
            Vec::new()
        });
        let (mut messages, mut runs, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for due in rows {
            match due.task {
                DueTask::Reward(reward) => {
                    messages.push(FulfillMessage::RewardDueV1 { organization: due.organization, reward });
                }
                DueTask::BillingRun(run) => {
                    runs.push(ReportMessage::BillingRunDueV1 { organization: due.organization, run });
                }
                DueTask::Check(check) => {
                    runs.push(ReportMessage::CheckDueV1 { organization: due.organization, check });
                }
                DueTask::Event(event) => {
                    told.push(WebhookMessage::EventDueV1 { organization: due.organization, event });
                }
                DueTask::Delivery(delivery) => {
                    told.push(WebhookMessage::WebhookDueV1 { organization: due.organization, delivery });
                }
                DueTask::Referee(_)
                | DueTask::Customer(_)
                | DueTask::Source(_)
                | DueTask::Cascade(_)
                | DueTask::Release(_)
                | DueTask::Rates { .. } => match finish(deps, &due).await {
                    Ok(()) => finished = finished.saturating_add(1),
                    Err(error) => {
                        failed = failed.saturating_add(1);
                        tracing::error!(error = chain(&error), "a due row cannot be finished");
                    }
                },
            }
        }
        let taken = deps.settler.fulfill_queue.send_all(&messages).await;
        sent = sent.saturating_add(taken.map_err(|error| HandlerError::failed(&error))?);
        let taken = deps.settler.events.queue.send_all(&told).await;
        sent = sent.saturating_add(taken.map_err(|error| HandlerError::failed(&error))?);
        let taken = deps.report_queue.send_all(&runs).await;
        sent = sent.saturating_add(taken.map_err(|error| HandlerError::failed(&error))?);
    }
    tracing::info!(sent, finished, failed, "swept");
    if let Some(error) = unread {
        return Err(HandlerError::failed(&error));
    }
    Ok(json!({"sent": sent, "finished": finished, "failed": failed}))
}

async fn finish(deps: &Deps, due: &Due) -> Result<(), SettleError> {
    let organization = &due.organization;
    match &due.task {
        DueTask::Reward(_)
        | DueTask::BillingRun(_)
        | DueTask::Check(_)
        | DueTask::Event(_)
        | DueTask::Delivery(_) => Ok(()),
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
