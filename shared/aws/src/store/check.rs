//! Self-checks: how far each has come and what it has found. A check's row is written whole, under its version, so two workers
//! at one check never both go on. It is due until the check is done.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::audit::{Finding, FindingCode, PayoutSums};
use domain::id::{CheckId, OrganizationId, ParticipantId};
use domain::report::DayReport;
use serde::{Deserialize, Serialize};

use super::Store;
use super::billing::RunStatus;
use super::error::StoreError;
use super::item::{Change, Item, Write, at_version, from_item, index_in, to_item};
use super::keys;
use super::payout::PayoutBatchRow;

/// Most findings that a check keeps.
pub const FINDINGS_MAX: usize = 100;
/// Days that a check can be looked at once it is done.
const DONE_DAYS: i64 = 90;

/// What a check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckScope {
    /// Everything of the organization.
    Whole,
    /// What a day wrote, and whom it concerns.
    Day(NaiveDate),
}

/// How far a check has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckPosition {
    /// Among what the days wrote.
    Days {
        /// Which day.
        day: NaiveDate,
        /// Which shard of it.
        shard: u32,
        /// The last line that was looked at.
        after: Option<String>,
    },
    /// Among the sources that wait.
    Parked {
        /// The last one that was looked at.
        after: Option<String>,
    },
    /// Among the payout batches.
    Payouts {
        /// Where the batches go on after the one that it is at.
        cursor: Option<String>,
        /// The batch that it is at.
        walk: Option<Box<PayoutWalk>>,
    },
    /// Among what is left to do.
    Due {
        /// Which shard.
        shard: u32,
        /// The last row that was looked at.
        after: Option<String>,
    },
}

/// A payout batch of whose lines some have been looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutWalk {
    /// The batch as it was read before its lines.
    pub batch: PayoutBatchRow,
    /// The last participant whose line was looked at.
    pub after: Option<ParticipantId>,
    /// What the lines come to.
    pub sums: PayoutSums,
}

/// What a check has looked at so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckCounts {
    /// Participants whose ledgers were added up.
    pub participants: u64,
    /// Rewards.
    pub rewards: u64,
    /// Sources that were decided again.
    pub sources: u64,
    /// Lines of ledgers.
    pub entries: u64,
    /// Partner invoices.
    pub invoices: u64,
    /// Payout batches.
    #[serde(default)]
    pub payout_batches: u64,
    /// Daily reports.
    pub reports: u64,
    /// Rows that are due.
    pub due: u64,
}

/// A self-check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRow {
    /// Its id.
    pub check: CheckId,
    /// What it looks at.
    pub scope: CheckScope,
    /// Whether it is at work.
    pub status: RunStatus,
    /// The first day.
    pub first_day: NaiveDate,
    /// The last day.
    pub last_day: NaiveDate,
    /// How far it has come.
    pub position: CheckPosition,
    /// The fold of the day that it is at, as far as it was read.
    pub folded: DayReport,
    /// What it has looked at.
    pub counts: CheckCounts,
    /// What it has found: the first of them.
    pub findings: Vec<Finding>,
    /// How many it has found, by code.
    pub found: BTreeMap<FindingCode, u64>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
    /// SHA-256 of the request.
    pub request_hash: String,
    /// Counts the writes; every write names the one that it was decided on.
    pub version: u64,
}

impl CheckRow {
    /// A check of which nothing is written yet.
    #[must_use]
    pub fn new(
        check: CheckId,
        scope: CheckScope,
        (first_day, last_day): (NaiveDate, NaiveDate),
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            check,
            scope,
            status: RunStatus::Running,
            first_day,
            last_day,
            position: CheckPosition::Days { day: first_day, shard: 0, after: None },
            folded: DayReport::new(first_day),
            counts: CheckCounts::default(),
            findings: Vec::new(),
            found: BTreeMap::new(),
            created_at: now,
            finished_at: None,
            request_hash: String::new(),
            version: 0,
        }
    }

    /// Notes what was found; what is known already is not noted again.
    pub fn note(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            if self.findings.contains(&finding) {
                continue;
            }
            let count = self.found.entry(finding.code).or_default();
            *count = count.saturating_add(1);
            if self.findings.len() < FINDINGS_MAX {
                self.findings.push(finding);
            }
        }
    }
}

impl Store {
    /// A check; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_check(
        &self,
        organization: &OrganizationId,
        check: &CheckId,
    ) -> Result<Option<CheckRow>, StoreError> {
        self.get(&keys::check(organization, check), true).await?.map(from_item).transpose()
    }

    /// Begins a check; answers the one that the same call began before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_new_check(
        &self,
        organization: &OrganizationId,
        row: &CheckRow,
    ) -> Result<Option<CheckRow>, StoreError> {
        let (item, condition) = self.check_item(organization, row)?;
        match self.put_if(item, &condition).await? {
            Write::Done(_) => Ok(None),
            Write::Refused(item) => from_item(item).map(Some),
        }
    }

    /// Writes how far a check has come, or that it is done; `false` when another worker is at it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_check(
        &self,
        organization: &OrganizationId,
        row: &CheckRow,
    ) -> Result<bool, StoreError> {
        let (item, condition) = self.check_item(organization, row)?;
        Ok(matches!(self.put_if(item, &condition).await?, Write::Done(_)))
    }

    /// The item of a check, one version up, and the condition that nobody else has written it. It is due while the check is
    /// at work, and goes by TTL afterwards.
    fn check_item(
        &self,
        organization: &OrganizationId,
        row: &CheckRow,
    ) -> Result<(Item, Change), StoreError> {
        let key = keys::check(organization, &row.check);
        let next = CheckRow { version: row.version.saturating_add(1), ..row.clone() };
        let mut item = to_item(&key, &next)?;
        if row.status == RunStatus::Running {
            index_in(&mut item, keys::DUE_INDEX, &keys::due(&key, self.clock.now()));
        } else {
            item.insert(keys::TTL_ATTRIBUTE.to_owned(), self.days_from_now(DONE_DAYS));
        }
        let condition = at_version(row.version);
        Ok((item, condition))
    }
}
