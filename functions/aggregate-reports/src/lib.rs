//! What goes over much of an organization's data: the nightly report, billing runs, payout batches and self-checks.
//!
//! The schedule's event names the day of the report; one message per organization folds it. Both steps can be repeated at
//! will: the same day gives the same report under the same key. Another schedule has what the day wrote checked in the same
//! way.

mod billing;
mod check;
mod payouts;
mod progress;

use aws::batch::{self, Outcome};
use aws::queue::Queue;
use aws::store::Store;
use aws::store::StoreError;
use aws::store::keys::DAY_SHARDS;
use aws::telemetry::Metrics;
use aws::{Clock, ConfigError, Events, HandlerError, Platform};
use chrono::{DateTime, NaiveDate, Utc};
use domain::event::{Event, ReportData, What};
use domain::id::OrganizationId;
use domain::message::ReportMessage;
use domain::report::DayReport;
use serde::Deserialize;
use serde_json::{Value, json};

/// Organizations read at a time.
const PAGE: i32 = 100;

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The table.
    pub store: Store,
    report_queue: Queue,
    events: Events,
    clock: Clock,
    metrics: Metrics,
}

/// A schedule's event.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Scheduled {
    Nightly {
        /// The day to fold; told when a person repeats a day.
        day: Option<NaiveDate>,
        /// When the schedule fell due: the day before it is folded.
        scheduled_time: Option<DateTime<Utc>>,
    },
    Check {
        /// The day to check; told when a person asks for it.
        day: Option<NaiveDate>,
        /// When the schedule fell due: the day before it is checked.
        scheduled_time: Option<DateTime<Utc>>,
    },
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`, `REPORT_QUEUE_URL`, `EVENTS_QUEUE_URL`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let report_queue = Queue::new(platform, lookup, "REPORT_QUEUE_URL")?;
        let (store, clock) = (Store::new(platform, lookup)?, platform.clock.clone());
        let events = Events::new(platform, lookup, store.clone())?;
        Ok(Self { store, report_queue, events, clock, metrics: Metrics::default() })
    }

    /// Which also tells figures.
    #[must_use]
    pub fn measured(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }
}

/// Handles a schedule's event (fan out) or a batch of messages: `report.day.v1` (fold), `check.day.v1` (check),
/// `billing_run.due.v1`, `payout_batch.due.v1` and `check.due.v1` (go on).
///
/// # Errors
/// [`HandlerError`] when the event is neither, or an organization could not be sent.
pub async fn handle(deps: &Deps, event: Value) -> Result<Value, HandlerError> {
    if event.get("Records").is_some() {
        return batch::run(event, |message| report(deps, message)).await;
    }
    match serde_json::from_value(event).map_err(|error| HandlerError::event(&error))? {
        Scheduled::Nightly { day, scheduled_time } => {
            let day = day_of(day, scheduled_time)?;
            let organizations = fan_out(deps, day, |(organization, has_destinations)| ReportMessage::DayV1 {
                organization,
                day,
                has_destinations,
            })
            .await?;
            Ok(json!({"day": day, "organizations": organizations}))
        }
        Scheduled::Check { day, scheduled_time } => {
            let day = day_of(day, scheduled_time)?;
            let organizations =
                fan_out(deps, day, |(organization, _)| ReportMessage::CheckDayV1 { organization, day })
                    .await?;
            let overdue = check::count_overdue(deps).await.map_err(|error| HandlerError::failed(&error))?;
            Ok(json!({"day": day, "organizations": organizations, "overdue": overdue}))
        }
    }
}

fn day_of(day: Option<NaiveDate>, scheduled_time: Option<DateTime<Utc>>) -> Result<NaiveDate, HandlerError> {
    let before = scheduled_time.and_then(|at| at.date_naive().pred_opt());
    day.or(before).ok_or_else(|| HandlerError::event(&"neither day nor scheduled_time is given"))
}

/// Sends one message per organization, page by page; answers how many. A page that is not taken fails the run, which may be
/// repeated.
async fn fan_out(
    deps: &Deps,
    day: NaiveDate,
    message: impl Fn((OrganizationId, bool)) -> ReportMessage,
) -> Result<usize, HandlerError> {
    let (mut organizations, mut after) = (0_usize, None);
    loop {
        let page = deps.store.list_organizations(after.as_ref(), PAGE).await;
        let page = page.map_err(|error| HandlerError::failed(&error))?;
        let messages: Vec<ReportMessage> = page.iter().cloned().map(&message).collect();
        let taken = deps.report_queue.send_all(&messages).await;
        let taken = taken.map_err(|error| HandlerError::failed(&error))?;
        if taken < messages.len() {
            return Err(HandlerError::event(&"the queue did not take every message; run the day again"));
        }
        organizations = organizations.saturating_add(taken);
        tracing::info!(%day, organizations, "sent");
        after = page.last().map(|(organization, _)| organization.clone());
        if after.is_none() {
            return Ok(organizations);
        }
    }
}

async fn report(deps: &Deps, message: ReportMessage) -> Outcome {
    match message {
        ReportMessage::DayV1 { organization, day, has_destinations } => {
            match write_report(deps, &organization, day, has_destinations).await {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Retry(error.to_string()),
            }
        }
        ReportMessage::BillingRunDueV1 { organization, run } => {
            billing::go_on(deps, &organization, &run).await
        }
        ReportMessage::PayoutBatchDueV1 { organization, batch } => {
            payouts::go_on(deps, &organization, &batch).await
        }
        ReportMessage::CheckDayV1 { organization, day } => check::check_day(deps, &organization, day).await,
        ReportMessage::CheckDueV1 { organization, check } => check::go_on(deps, &organization, &check).await,
    }
}

/// Writes a day's report and tells of it. Most organizations have no destination, and are not looked up.
async fn write_report(
    deps: &Deps,
    organization: &OrganizationId,
    day: NaiveDate,
    has_destinations: bool,
) -> Result<(), StoreError> {
    let report = fold(deps, organization, day).await?;
    let what = What::ReportReady(ReportData { day });
    let event = Event::new(organization, what, &day.to_string(), deps.clock.now());
    let event = if has_destinations { deps.events.wanted(event).await? } else { None };
    deps.store.commit_report(organization, &report, event.as_ref()).await?;
    deps.events.announce(event.as_ref()).await;
    Ok(())
}

/// Folds one organization's day, a page of lines at a time: memory does not grow with the day.
async fn fold(deps: &Deps, organization: &OrganizationId, day: NaiveDate) -> Result<DayReport, StoreError> {
    let mut report = DayReport::new(day);
    for shard in 0..DAY_SHARDS {
        let mut after = None;
        loop {
            let (lines, next) = deps.store.list_day_lines(organization, day, shard, after).await?;
            for line in &lines {
                report.add(line).map_err(|error| StoreError::Corrupt { detail: error.to_string() })?;
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(report)
}
