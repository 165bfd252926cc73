//! Self-checks: what is stored is compared with what it must be, page by page, some pages for each message.
//!
//! A check of a day looks at what the day wrote and at whom it concerns; one of everything goes over all days in the same way,
//! and adds up each ledger from its first line on. It changes nothing but its own row, which is written under its version: so
//! two workers at one check never both go on, and a page that is looked at again gives the same. A finding is one only after
//! a second look, by strong reads, says the same: what is written meanwhile differs between the two.

mod looks;
mod overdue;
mod payouts;

use aws::batch::Outcome;
use aws::handler::chain;
use aws::store::keys::{DAY_SHARDS, DUE_SHARDS};
use aws::store::{CheckPosition, CheckRow, CheckScope, RunStatus, StoreError};
use aws::telemetry::{CHECK_FINDINGS, OVERDUE_ROWS};
use chrono::NaiveDate;
use domain::audit::{Finding, FindingCode};
use domain::id::{CheckId, OrganizationId};
use domain::message::ReportMessage;
use domain::report::DayReport;

use crate::Deps;
use crate::progress::{self, Progress};

pub(crate) use overdue::count_overdue;
use overdue::overdue_at;

/// What one message may cost, in calls to the table: some seconds, so that a batch of ten messages ends long before the
/// function's time does.
const STEPS: u32 = 600;
/// Lines of the day index, or sources that wait, that are looked at together.
const PAGE: i32 = 25;

/// One worker at one check.
struct Worker<'a> {
    deps: &'a Deps,
    organization: &'a OrganizationId,
    row: CheckRow,
    steps: u32,
}

/// Checks what a day wrote, or goes on with that. A day that was checked before is checked anew.
pub(crate) async fn check_day(deps: &Deps, organization: &OrganizationId, day: NaiveDate) -> Outcome {
    let check = CheckId::derive(&["day", organization.as_str(), &day.to_string()]);
    let known = match deps.store.find_check(organization, &check).await {
        Ok(known) => known,
        Err(error) => return Outcome::Retry(chain(&error)),
    };
    let version = known.as_ref().map_or(0, |known| known.version);
    let at_work = known.filter(|known| known.status == RunStatus::Running);
    let row = at_work.unwrap_or_else(|| CheckRow {
        version,
        ..CheckRow::new(check, CheckScope::Day(day), (day, day), deps.clock.now())
    });
    work(deps, organization, row).await
}

/// Goes on with a check where the last worker stopped.
pub(crate) async fn go_on(deps: &Deps, organization: &OrganizationId, check: &CheckId) -> Outcome {
    match deps.store.find_check(organization, check).await {
        Ok(Some(row)) => work(deps, organization, row).await,
        Ok(None) => Outcome::Poison(format!("there is no {check}")),
        Err(error) => Outcome::Retry(chain(&error)),
    }
}

async fn work(deps: &Deps, organization: &OrganizationId, row: CheckRow) -> Outcome {
    if row.status == RunStatus::Done {
        return Outcome::Done;
    }
    let more = ReportMessage::CheckDueV1 { organization: organization.clone(), check: row.check.clone() };
    let mut worker = Worker { deps, organization, row, steps: STEPS };
    progress::outcome(deps, worker.work().await, more).await
}

impl Worker<'_> {
    async fn work(&mut self) -> Result<Progress, StoreError> {
        loop {
            let is_more = match self.row.position.clone() {
                CheckPosition::Days { day, shard, after } => {
                    self.look_at_days(day, shard, after.as_deref()).await?
                }
                CheckPosition::Parked { after } => self.look_at_parked(after.as_deref()).await?,
                CheckPosition::Payouts { cursor, walk } => self.look_at_payouts(cursor, walk).await?,
                CheckPosition::Due { shard, after } => self.look_at_due(shard, after.as_deref()).await?,
            };
            if !is_more {
                return self.finish().await;
            }
            if self.steps == 0 {
                let written = self.deps.store.commit_check(self.organization, &self.row).await?;
                return Ok(if written { Progress::Paused } else { Progress::Taken });
            }
        }
    }

    fn spend(&mut self, steps: u32) {
        self.steps = self.steps.saturating_sub(steps);
    }

    fn is_whole(&self) -> bool {
        self.row.scope == CheckScope::Whole
    }

    fn note(&mut self, findings: Vec<Finding>) {
        for finding in &findings {
            let Finding { code, row, about, expected, found } = finding;
            tracing::error!(check.id = %self.row.check, ?code, row, about, expected, found, "found");
        }
        self.row.note(findings);
    }

    /// Tells the figures, and that everything was looked at: in this order, so that no finding goes untold.
    async fn finish(&mut self) -> Result<Progress, StoreError> {
        let now = self.deps.clock.now();
        let overdue = self.row.found.get(&FindingCode::Overdue).copied().unwrap_or(0);
        let findings: u64 = self.row.found.values().sum();
        let mut figures = vec![(CHECK_FINDINGS, findings.saturating_sub(overdue))];
        if self.is_whole() {
            figures.push((OVERDUE_ROWS, overdue));
        }
        self.deps.metrics.counted(&figures, now);
        let done = CheckRow { status: RunStatus::Done, finished_at: Some(now), ..self.row.clone() };
        if !self.deps.store.commit_check(self.organization, &done).await? {
            return Ok(Progress::Taken);
        }
        tracing::info!(check.id = %done.check, counts = ?done.counts, findings, "checked");
        Ok(Progress::Done)
    }

    /// A page of what the days wrote; answers whether there is more to do.
    async fn look_at_days(
        &mut self,
        day: NaiveDate,
        shard: u32,
        after: Option<&str>,
    ) -> Result<bool, StoreError> {
        if day > self.row.last_day {
            self.row.position = CheckPosition::Parked { after: None };
            return Ok(self.is_whole());
        }
        let page = self.deps.store.read_day_page(self.organization, (day, shard), after, PAGE).await?;
        self.spend(2);
        for row in &page.rows {
            if let Err(error) = self.row.folded.add(&row.line) {
                self.note(vec![Finding::unreadable(format!("report/{day}"), error.to_string())]);
            }
        }
        let unreadable = page.unreadable.iter().map(|(row, error)| Finding::unreadable(row, error));
        self.note(unreadable.collect());
        self.look_at_sources(&page).await?;
        self.look_at_ledgers(&page, day).await?;
        self.row.position = match page.next {
            Some(next) => CheckPosition::Days { day, shard, after: Some(next) },
            None if shard.saturating_add(1) < DAY_SHARDS => {
                CheckPosition::Days { day, shard: shard.saturating_add(1), after: None }
            }
            None => {
                self.look_at_report(day).await?;
                let next = day.succ_opt().unwrap_or(NaiveDate::MAX);
                self.row.folded = DayReport::new(next);
                CheckPosition::Days { day: next, shard: 0, after: None }
            }
        };
        Ok(true)
    }

    /// A page of the sources that wait.
    async fn look_at_parked(&mut self, after: Option<&str>) -> Result<bool, StoreError> {
        let most = usize::try_from(PAGE).unwrap_or(1);
        let page = self.deps.store.list_parked(self.organization, false, after, most).await?;
        self.spend(5);
        for row in page.rows {
            self.look_at_source(&row.source, &[], false).await?;
        }
        self.row.position = match page.next {
            Some(next) => CheckPosition::Parked { after: Some(next) },
            None => CheckPosition::Payouts { cursor: None, walk: None },
        };
        Ok(true)
    }

    /// A page of what is left to do.
    async fn look_at_due(&mut self, shard: u32, after: Option<&str>) -> Result<bool, StoreError> {
        if shard >= DUE_SHARDS {
            return Ok(false);
        }
        let (store, organization) = (&self.deps.store, self.organization);
        let now = self.deps.clock.now();
        let until = overdue_at(now);
        let mut page = store.list_due_since(Some(organization), shard, now, after).await?;
        // The check itself is due while it is at work.
        let own = format!("check/{}", self.row.check);
        page.rows.retain(|row| row.name != own);
        let due = u64::try_from(page.rows.len()).unwrap_or(u64::MAX);
        self.row.counts.due = self.row.counts.due.saturating_add(due);
        page.rows.retain(|row| row.since <= until);
        let overdue = store.still_due(&page.rows, until).await?;
        self.note(overdue.into_iter().map(|row| Finding::overdue(row.name, row.since)).collect());
        self.spend(2);
        self.row.position = match page.next {
            Some(next) => CheckPosition::Due { shard, after: Some(next) },
            None => CheckPosition::Due { shard: shard.saturating_add(1), after: None },
        };
        Ok(true)
    }
}
