//! What the self-check reads: pages of the day index with the rows behind them, ledgers as they stand, and what partner
//! invoices are made of.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};
use domain::audit::{InvoiceCase, Ledger, Sum};
use domain::id::{OrganizationId, ParticipantId, PartnerInvoiceId, RewardId, SourceId, time_digits};
use domain::ledger::{Line, Reward};
use domain::report::{DayLine, DayReport};
use domain::tally::Tally;

use super::Store;
use super::due::is_due;
use super::error::StoreError;
use super::invoice_lines::BILLED_ON;
use super::item::{Item, from_item, key_of, text_of};
use super::keys::{self, Key};
use super::ledger::{SnapshotRow, line};
use super::page::{Range, after, write_cursor};
use super::partner_invoice::{InvoiceItem, PartRow, PartnerInvoiceRow};
use super::source::SourceRow;
use super::tally::TallyRow;

/// Lines of a ledger that are read at a time.
const PAGE: i32 = 500;
/// Lines among which the first one that is in the day index is looked for.
const FIRST_PAGE: i32 = 5;
/// Most rows of one batch.
const BATCH_MAX: usize = 100;

/// A row of the day index with the row behind it.
#[derive(Debug)]
pub struct DayRow {
    /// What is folded into the day's report.
    pub line: DayLine,
    /// Its ledger line; none for a referral.
    pub written: Option<Line>,
    /// Its place in its participant's ledger.
    pub place: String,
}

/// A page of the day index, and the rows of it that cannot be read, with why.
#[derive(Debug)]
pub struct DayPage {
    /// The rows.
    pub rows: Vec<DayRow>,
    /// Rows that cannot be read.
    pub unreadable: Vec<(String, String)>,
    /// Where to go on; none at the end.
    pub next: Option<String>,
}

/// A participant's ledger as it was read.
#[derive(Debug)]
pub struct LedgerRead {
    /// The lines, added up.
    pub ledger: Ledger,
    /// What the lines that name a partner invoice come to.
    pub marked: BTreeMap<PartnerInvoiceId, Sum>,
    /// How many reads that took.
    pub reads: u32,
}

/// A partner invoice with the sums of what it is made of.
#[derive(Debug)]
pub struct InvoiceRead {
    /// Its row.
    pub row: PartnerInvoiceRow,
    items: Sum,
    listed: Sum,
}

impl InvoiceRead {
    /// What is compared, with what the ledger lines come to that name it.
    #[must_use]
    pub fn case(&self, marked: &BTreeMap<PartnerInvoiceId, Sum>) -> InvoiceCase<'_> {
        let is_live = self.row.status.is_live();
        InvoiceCase {
            invoice: &self.row.invoice,
            total: (self.row.total, u64::from(self.row.lines)),
            items: self.items,
            listed: self.listed,
            // A line that names a void invoice may name another one by now.
            marked: is_live.then(|| marked.get(&self.row.invoice).copied().unwrap_or_default()),
        }
    }
}

impl Store {
    /// Some rows of one shard of a day, with what is in the table behind them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_day_page(
        &self,
        organization: &OrganizationId,
        (day, shard): (NaiveDate, u32),
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<DayPage, StoreError> {
        let pk = keys::day_partition(organization, day, shard);
        let mut range = Range::new(&pk, "0", "~", limit);
        range.index = Some(keys::DAY_INDEX);
        let names = &["pk", "sk", "day_sk"];
        let (items, next) = self.query(&range, after(cursor, names, ("day_pk", &pk))).await?;
        let is_line = |item: &&Item| text_of(item, "kind") != "referral";
        let places: Vec<Key> = items.iter().filter(is_line).map(key_of).collect();
        let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
        let behind = if places.is_empty() { Vec::new() } else { self.get_all(&places).await? };
        for item in items.into_iter().filter(|item| !is_line(&item)).chain(behind) {
            let key = key_of(&item);
            let is_line = is_line(&&item);
            let written = if is_line { line(item.clone()).map(Some) } else { Ok(None) };
            match (from_item(item), written) {
                (Ok(line), Ok(written)) => rows.push(DayRow { line, written, place: key.sk }),
                (Err(error), _) | (_, Err(error)) => {
                    unreadable.push((format!("{} {}", key.pk, key.sk), error.to_string()));
                }
            }
        }
        Ok(DayPage { rows, unreadable, next: next.map(|key| write_cursor(&key, names)) })
    }

    /// The place of a participant's first ledger line that is in the day index, of all or of a day and those after it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_indexed_line(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        from: Option<NaiveDate>,
    ) -> Result<Option<String>, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let from = from.map(|day| keys::ledger_from(day.and_time(NaiveTime::MIN).and_utc()));
        let from = from.unwrap_or_else(|| keys::LEDGER.to_owned());
        let range = Range::new(&pk, &from, keys::LEDGER_END, FIRST_PAGE);
        let (items, _) = self.query(&range, None).await?;
        let first = items.iter().find(|item| !text_of(item, "day_pk").is_empty());
        Ok(first.map(|item| text_of(item, "sk").to_owned()))
    }

    /// A participant's ledger: all of it, or its latest lines.
    ///
    /// # Errors
    /// [`StoreError`], also when a line cannot be read.
    pub async fn read_ledger(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        latest: Option<i32>,
        consistent: bool,
    ) -> Result<LedgerRead, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let mut range = Range::new(&pk, keys::LEDGER, keys::LEDGER_END, latest.unwrap_or(PAGE));
        (range.consistent, range.newest_first) = (consistent, latest.is_some());
        let (mut items, mut next) = self.query(&range, None).await?;
        let is_whole = latest.is_none() || next.is_none();
        if latest.is_some() {
            items.reverse();
            next = None;
        }
        let ledger = Ledger::new(participant.clone(), is_whole);
        let mut read = LedgerRead { ledger, marked: BTreeMap::new(), reads: 1 };
        loop {
            for item in items {
                read.add(item)?;
            }
            if next.is_none() {
                return Ok(read);
            }
            read.reads = read.reads.saturating_add(1);
            (items, next) = self.query(&range, next).await?;
        }
    }

    /// A participant's partner invoices, each with what it is made of.
    ///
    /// # Errors
    /// [`StoreError`], also when a row cannot be read.
    pub async fn read_invoices(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        consistent: bool,
    ) -> Result<(Vec<InvoiceRead>, u32), StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let (items, reads) = self.all_of(&pk, keys::INVOICE_ROWS, keys::INVOICE_ROWS_END, consistent).await?;
        let mut invoices: BTreeMap<String, InvoiceRead> = BTreeMap::new();
        for item in items {
            let sk = text_of(&item, "sk").to_owned();
            let place = keys::invoice_place(&sk).ok_or_else(|| StoreError::corrupt(&sk))?.to_owned();
            if sk.starts_with(keys::INVOICES) {
                let read = InvoiceRead { row: from_item(item)?, items: (0, 0), listed: (0, 0) };
                invoices.insert(place, read);
                continue;
            }
            // Invoices sort before what they are made of.
            let Some(invoice) = invoices.get_mut(&place) else { continue };
            if sk.starts_with(keys::INVOICE_ITEMS) {
                let item: InvoiceItem = from_item(item)?;
                add(&mut invoice.items, item.amount, u64::from(item.lines));
            } else {
                let part: PartRow = from_item(item)?;
                part.lines.iter().for_each(|line| add(&mut invoice.listed, line.amount, 1));
            }
        }
        Ok((invoices.into_values().collect(), reads))
    }

    /// A source, and whether something of it is to be done now; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_source_and_due(
        &self,
        organization: &OrganizationId,
        source: &SourceId,
    ) -> Result<Option<(SourceRow, bool)>, StoreError> {
        let Some(item) = self.get(&keys::source(organization, source), true).await? else { return Ok(None) };
        let is_due = is_due(&item, &time_digits(self.clock.now()));
        Ok(Some((from_item(item)?, is_due)))
    }

    /// Rewards by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_rewards(
        &self,
        organization: &OrganizationId,
        ids: &[RewardId],
        consistent: bool,
    ) -> Result<Vec<Reward>, StoreError> {
        let places: Vec<Key> = ids.iter().map(|id| keys::reward(organization, id)).collect();
        let mut rewards = Vec::new();
        for some in places.chunks(BATCH_MAX) {
            for item in self.get_all_as(some, consistent).await? {
                rewards.push(from_item(item)?);
            }
        }
        Ok(rewards)
    }

    /// What is counted of a participant, as it is stored; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_tally(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
    ) -> Result<Option<Tally>, StoreError> {
        let item = self.get(&keys::tally(organization, participant), true).await?;
        Ok(item.map(from_item::<TallyRow>).transpose()?.map(|row| row.tally))
    }

    /// The report of a day; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_report(
        &self,
        organization: &OrganizationId,
        day: NaiveDate,
    ) -> Result<Option<DayReport>, StoreError> {
        self.get(&keys::report(organization, day), true).await?.map(from_item).transpose()
    }
}

impl LedgerRead {
    fn add(&mut self, item: Item) -> Result<(), StoreError> {
        if keys::is_snapshot(text_of(&item, "sk")) {
            self.ledger.snapshot(from_item::<SnapshotRow>(item)?.balances);
            return Ok(());
        }
        let invoice = text_of(&item, BILLED_ON);
        let invoice = (!invoice.is_empty()).then(|| PartnerInvoiceId::parse(invoice)).transpose();
        let invoice = invoice.map_err(StoreError::corrupt)?;
        let line = line(item)?;
        if let Some(invoice) = invoice {
            let delta = match &line {
                Line::Reward(reward) => reward.delta,
                Line::Entry(entry) => entry.delta,
                Line::Redemption(_) => 0,
            };
            add(self.marked.entry(invoice).or_default(), delta, 1);
        }
        self.ledger.line(line).map_err(StoreError::corrupt)
    }
}

fn add((sum, count): &mut Sum, amount: i64, lines: u64) {
    *sum = sum.saturating_add(amount);
    *count = count.saturating_add(lines);
}
