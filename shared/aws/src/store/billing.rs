//! Billing runs, and how far each program is billed.
//!
//! A run's row is written whole, under its version, with everything that the run does: so two workers at one run never both
//! go on. It is due until the run is done. At most one run of a program that is no rehearsal is at work at a time.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use domain::billing::{Period, day_after};
use domain::id::{BillingRunId, OrganizationId, ParticipantId, PartnerInvoiceId, ProgramId};
use domain::money::{Currency, Money};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Store;
use super::error::{StoreError, Transaction};
use super::item::{
    Change, Item, Write, absent, from_item, index_in, key_attributes, number, text, text_of, to_attribute,
    to_item,
};
use super::keys::{self, Key};
use super::page::{Page, Range, after, write_cursor};

/// Days that a rehearsal's invoices can be looked at.
const PREVIEW_DAYS: i64 = 7;

/// Whether a run is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It is.
    Running,
    /// Everybody has been looked at.
    Done,
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Among the participants that earlier runs left something of.
    Carried {
        /// The last one that was looked at.
        after: Option<String>,
    },
    /// Among those whose ledgers have lines of the days since.
    Days {
        /// Which day.
        day: NaiveDate,
        /// Which shard of it.
        shard: u32,
        /// The last line that was looked at.
        after: Option<String>,
    },
}

/// A billing run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingRunRow {
    /// Its id.
    pub run: BillingRunId,
    /// The program that it bills.
    pub program: ProgramId,
    /// For which days.
    pub period: Period,
    /// Whether it only shows what it would do.
    pub dry_run: bool,
    /// Whether it is at work.
    pub status: RunStatus,
    /// The first day whose lines it looks through; who has lines of earlier days was looked at before.
    pub first_day: NaiveDate,
    /// Up to when runs have looked, this one included: what was written before and is left is carried over.
    pub horizon: DateTime<Utc>,
    /// How far it has come.
    pub position: Position,
    /// Participants that it is done with.
    pub participants: u64,
    /// Invoices.
    pub invoices: u64,
    /// Lines on them.
    pub lines: u64,
    /// What they come to.
    pub totals: BTreeMap<Currency, i64>,
    /// Participants of whom something waits for an approval, a date or more earnings.
    pub waiting: u64,
    /// Times that what was due of a participant in a currency came to nothing or less.
    pub not_above_zero: u64,
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

impl BillingRunRow {
    /// Counts an invoice; `None` when the sums are too large.
    #[must_use]
    pub fn with_invoice(&self, currency: Currency, total: i64, lines: u32) -> Option<Self> {
        let mut next = self.clone();
        let sum = next.totals.entry(currency).or_default();
        *sum = sum.checked_add(total)?;
        next.invoices = next.invoices.saturating_add(1);
        next.lines = next.lines.saturating_add(u64::from(lines));
        Some(next)
    }
}

/// How far a program is billed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramBillingRow {
    /// The last day that a run has looked through.
    #[serde(default)]
    pub billed_through: Option<NaiveDate>,
    /// The run that is at work.
    #[serde(default)]
    pub running: Option<BillingRunId>,
}

/// How a new run was taken.
#[derive(Debug)]
pub enum NewRun {
    /// Written.
    Done,
    /// The same call was made before.
    Known(Box<BillingRunRow>),
    /// Another run of the program is at work.
    Busy(BillingRunId),
    /// One has ended meanwhile: look again.
    Lost,
}

/// What a run made, or would make, for one participant in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInvoice {
    /// The invoice; of a rehearsal there is none.
    pub invoice: PartnerInvoiceId,
    /// For whom.
    pub participant: ParticipantId,
    /// What it comes to.
    pub total: Money,
    /// Its lines.
    pub lines: u32,
}

impl Store {
    /// A billing run; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_billing_run(
        &self,
        organization: &OrganizationId,
        run: &BillingRunId,
    ) -> Result<Option<BillingRunRow>, StoreError> {
        self.get(&keys::run(organization, run), true).await?.map(from_item).transpose()
    }

    /// How far a program is billed; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get_program_billing(
        &self,
        organization: &OrganizationId,
        program: &ProgramId,
    ) -> Result<ProgramBillingRow, StoreError> {
        let item = self.get(&keys::billing(organization, program), true).await?;
        item.map_or_else(|| Ok(ProgramBillingRow::default()), from_item)
    }

    /// Begins a run. One that is no rehearsal must find the program's billing as it was read, and no other at work.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_new_run(
        &self,
        organization: &OrganizationId,
        row: &BillingRunRow,
        before: &ProgramBillingRow,
    ) -> Result<NewRun, StoreError> {
        let listing = keys::run_listing(organization, &row.run, row.created_at);
        let mut listed = key_attributes(&listing);
        listed.insert("run".to_owned(), text(row.run.as_str()));
        let mut actions = vec![
            self.put_action(run_item(organization, row, row.created_at)?, &absent())?,
            self.put_action(listed, &absent())?,
        ];
        if !row.dry_run {
            let change = match before.billed_through {
                None => Change::new(
                    "SET running = :run",
                    "attribute_not_exists(running) AND attribute_not_exists(billed_through)",
                ),
                Some(day) => Change::new(
                    "SET running = :run",
                    "attribute_not_exists(running) AND billed_through = :day",
                )
                .value(":day", to_attribute(&day)?),
            };
            let change = change.value(":run", text(row.run.as_str()));
            actions.push(self.update_action(&keys::billing(organization, &row.program), &change)?);
        }
        if let Transaction::Committed = self.transact(actions).await? {
            return Ok(NewRun::Done);
        }
        if let Some(known) = self.find_billing_run(organization, &row.run).await? {
            return Ok(NewRun::Known(Box::new(known)));
        }
        let running = self.get_program_billing(organization, &row.program).await?.running;
        Ok(running.filter(|_| !row.dry_run).map_or(NewRun::Lost, NewRun::Busy))
    }

    /// Writes how far a run has come; `false` when another worker is at it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_run(
        &self,
        organization: &OrganizationId,
        row: &BillingRunRow,
    ) -> Result<bool, StoreError> {
        let (item, condition) = next_run(organization, row, self.clock.now())?;
        Ok(matches!(self.put_if(item, &condition).await?, Write::Done(_)))
    }

    /// Ends a run; the program can be billed again. `false` when another worker is at it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_run(
        &self,
        organization: &OrganizationId,
        row: &BillingRunRow,
        billed_through: NaiveDate,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let done = BillingRunRow { status: RunStatus::Done, finished_at: Some(now), ..row.clone() };
        let (item, condition) = next_run(organization, &done, now)?;
        if row.dry_run {
            return Ok(matches!(self.put_if(item, &condition).await?, Write::Done(_)));
        }
        let through = Change::new("SET billed_through = :day REMOVE running", "running = :run")
            .value(":day", to_attribute(&billed_through)?)
            .value(":run", text(row.run.as_str()));
        let actions = vec![
            self.put_action(item, &condition)?,
            self.update_action(&keys::billing(organization, &row.program), &through)?,
        ];
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// An organization's runs, newest first, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_billing_runs(
        &self,
        organization: &OrganizationId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<BillingRunRow>, StoreError> {
        let pk = keys::runs_partition(organization);
        let mut range = Range::new(&pk, "0", "~", limit);
        range.newest_first = true;
        let (items, next) = self.query(&range, after(cursor, &["sk"], ("pk", &pk))).await?;
        let place = |item: &Item| {
            let run = BillingRunId::parse(text_of(item, "run")).map_err(StoreError::corrupt)?;
            Ok(keys::run(organization, &run))
        };
        let places: Vec<Key> = items.iter().map(place).collect::<Result<_, StoreError>>()?;
        let rows = self.get_all(&places).await?.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, &["sk"])) })
    }

    /// What a run made or would make, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_run_invoices(
        &self,
        organization: &OrganizationId,
        run: &BillingRunId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<RunInvoice>, StoreError> {
        let (pk, end) = (keys::run_partition(organization, run), format!("{}~", keys::INVOICES));
        let range = Range::new(&pk, keys::INVOICES, &end, limit);
        let (items, next) = self.query(&range, after(cursor, &["sk"], ("pk", &pk))).await?;
        let rows = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, &["sk"])) })
    }

    /// Writes what a rehearsal would make; the same again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_preview(
        &self,
        organization: &OrganizationId,
        run: &BillingRunId,
        invoice: &RunInvoice,
    ) -> Result<(), StoreError> {
        let mut item = to_item(&keys::run_invoice(organization, run, &invoice.invoice), invoice)?;
        item.insert(keys::TTL_ATTRIBUTE.to_owned(), self.days_from_now(PREVIEW_DAYS));
        self.put_if(item, &Change::default()).await.map(|_| ())
    }

    /// A moment so many days ahead, for TTL.
    pub(crate) fn days_from_now(&self, days: i64) -> AttributeValue {
        number((self.clock.now() + Duration::days(days)).timestamp())
    }
}

/// The item of a run; it is due while the run is at work.
fn run_item(
    organization: &OrganizationId,
    row: &BillingRunRow,
    now: DateTime<Utc>,
) -> Result<Item, StoreError> {
    let key = keys::run(organization, &row.run);
    let mut item = to_item(&key, row)?;
    if row.status == RunStatus::Running {
        index_in(&mut item, keys::DUE_INDEX, &keys::due(&key, now));
    }
    Ok(item)
}

/// The item of a run, one version up, and the condition that nobody else has written it.
pub(crate) fn next_run(
    organization: &OrganizationId,
    row: &BillingRunRow,
    now: DateTime<Utc>,
) -> Result<(Item, Change), StoreError> {
    let next = BillingRunRow { version: row.version.saturating_add(1), ..row.clone() };
    let condition = Change::new("", "version = :version").value(":version", number(row.version));
    Ok((run_item(organization, &next, now)?, condition))
}

/// Up to when runs will have looked once a period is billed.
#[must_use]
pub(crate) fn horizon(period: &Period, billing: &ProgramBillingRow) -> DateTime<Utc> {
    billing.billed_through.map_or(period.ends_at(), |day| day_after(day).max(period.ends_at()))
}

impl BillingRunRow {
    /// A run that is to be begun. Who has lines of days before `first_day` was looked at by earlier runs, or is carried over.
    #[must_use]
    pub fn new(
        run: BillingRunId,
        program: &domain::program::Program,
        period: Period,
        billing: &ProgramBillingRow,
        now: DateTime<Utc>,
    ) -> Self {
        // The last day once more: index entries can lag behind.
        let first_day = billing.billed_through.unwrap_or_else(|| program.created_at.date_naive());
        Self {
            run,
            program: program.id.clone(),
            period,
            dry_run: true,
            status: RunStatus::Running,
            first_day,
            horizon: horizon(&period, billing),
            position: Position::Carried { after: None },
            participants: 0,
            invoices: 0,
            lines: 0,
            totals: BTreeMap::new(),
            waiting: 0,
            not_above_zero: 0,
            created_at: now,
            finished_at: None,
            request_hash: String::new(),
            version: 0,
        }
    }

    /// The last day that runs will have looked through once this one is done.
    #[must_use]
    pub fn through(&self) -> NaiveDate {
        self.horizon.date_naive().pred_opt().unwrap_or(self.period.to)
    }
}
