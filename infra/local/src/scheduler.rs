//! The schedules of the template, run off the stage's clock.

mod expression;

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Mutex, Notify};

use crate::core::Core;
use crate::template::{Schedule, Template};
use expression::Expression;

/// The most runs of one schedule that one advance of the clock makes up for: a year of days and then some.
const OCCURRENCES_MAX: usize = 400;

/// What `EventBridge` Scheduler replaces by the time that the run was meant for.
const SCHEDULED_TIME: &str = "<aws.scheduler.scheduled-time>";

/// Every schedule with the time up to which it has run.
#[derive(Debug)]
pub(crate) struct Scheduler {
    timers: Mutex<Vec<Timer>>,
    moved: Notify,
}

#[derive(Debug)]
struct Timer {
    schedule: Schedule,
    expression: Expression,
    last: DateTime<Utc>,
}

/// One run of a schedule.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    /// The event's name within the function.
    pub(crate) schedule: String,
    /// Logical id of the function.
    pub(crate) function: String,
    /// The time that the run was meant for.
    pub(crate) scheduled_time: DateTime<Utc>,
    /// What went wrong, if anything did.
    pub(crate) error: Option<String>,
}

impl Scheduler {
    /// Reads the template's schedules; the first run of each is the first one after `now`.
    pub(crate) fn new(template: &Template, now: DateTime<Utc>) -> Result<Self> {
        let timer = |schedule: &Schedule| {
            let expression =
                Expression::parse(schedule).with_context(|| format!("schedule {}", schedule.id))?;
            Ok(Timer { schedule: schedule.clone(), expression, last: now })
        };
        let timers = template.schedules().map(timer).collect::<Result<_>>()?;
        Ok(Self { timers: Mutex::new(timers), moved: Notify::new() })
    }

    /// Runs everything that fell due up to now, in the order of its time, and waits for it.
    pub(crate) async fn run_due(&self, core: &Core) -> Vec<Run> {
        // Held while the functions run: two passes at a time would run an occurrence twice.
        let mut timers = self.timers.lock().await;
        let now = core.clock.now();
        let mut due: Vec<(DateTime<Utc>, Schedule)> = Vec::new();
        for timer in timers.iter_mut() {
            let times = timer.expression.due(timer.last, now, OCCURRENCES_MAX);
            timer.last = timer.expression.caught_up(timer.last, now);
            due.extend(times.into_iter().map(|time| (time, timer.schedule.clone())));
        }
        due.sort_by_key(|(time, _)| *time);
        let mut runs = Vec::new();
        for (time, schedule) in due {
            runs.push(run(core, &schedule, time).await);
        }
        drop(timers);
        self.moved.notify_one();
        runs
    }

    /// Runs the schedules in real time, for as long as the stage lives.
    pub(crate) async fn tick(&self, core: &Core) {
        loop {
            let now = core.clock.now();
            let timers = self.timers.lock().await;
            let next = timers.iter().filter_map(|timer| timer.expression.next(timer.last)).min();
            drop(timers);
            // Also woken when the clock was advanced, since what was hours away may now be seconds away.
            let wait = next.map_or(Duration::MAX, |next| (next - now).to_std().unwrap_or_default());
            tokio::select! {
                () = tokio::time::sleep(wait) => { self.run_due(core).await; }
                () = self.moved.notified() => {}
            }
        }
    }
}

async fn run(core: &Core, schedule: &Schedule, time: DateTime<Utc>) -> Run {
    let input = schedule.input.replace(SCHEDULED_TIME, &time.to_rfc3339_opts(SecondsFormat::Secs, true));
    let event = serde_json::from_str(&input).unwrap_or(Value::String(input));
    let error = core.invoke(&schedule.function, event).await.err();
    Run {
        schedule: schedule.id.clone(),
        function: schedule.function.clone(),
        scheduled_time: time,
        error: error.map(|error| format!("{error:#}")),
    }
}
