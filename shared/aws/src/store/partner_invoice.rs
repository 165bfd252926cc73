//! Partner invoices, and the marks on the ledger's lines that stand on them.
//!
//! A line is marked in the transaction that adds it to its invoice, on the condition that it is not marked, or still names
//! the void invoice that was seen. So at any moment an invoice comes to exactly what is marked with it. Voiding is one write
//! of the invoice's status: what names a void invoice is not billed.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::TransactWriteItem;
use chrono::{DateTime, Utc};
use domain::billing::{Account, InvoiceLine, InvoiceStatus, Items, Period, Unbilled};
use domain::id::{BillingRunId, ExternalId, OrganizationId, ParticipantId, PartnerInvoiceId, ProgramId};
use domain::ledger::Note;
use domain::money::{Currency, Money};
use serde::{Deserialize, Serialize};

use super::Store;
use super::billing::{BillingRunRow, RunInvoice, next_run};
use super::error::{StoreError, Transaction};
use super::item::{Change, Item, from_item, number, text, text_of, to_item};
use super::keys::{self, Key};
use super::ledger::line;
use super::organization::absent;
use super::page::{Page, Range, after, write_cursor};

/// Rows read at a time.
const PAGE: i32 = 500;

/// What somebody did to an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// When.
    pub at: DateTime<Utc>,
    /// Who, and why.
    pub note: Note,
}

/// A partner invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerInvoiceRow {
    /// Its id.
    pub invoice: PartnerInvoiceId,
    /// The run that made it.
    pub run: BillingRunId,
    /// The program.
    pub program: ProgramId,
    /// For whom.
    pub participant: ParticipantId,
    /// For which days.
    pub period: Period,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// Its currency.
    pub currency: Currency,
    /// What its lines come to, in minor units.
    pub total: i64,
    /// How many lines it has.
    pub lines: u32,
    /// Rows that its lines are in.
    pub parts: u32,
    /// Counts the writes.
    pub version: u64,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When and by whom it was finalized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalized: Option<Act>,
    /// When and by whom it was said to be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Act>,
    /// When and by whom it was voided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voided: Option<Act>,
}

impl PartnerInvoiceRow {
    /// An invoice of which nothing is written yet.
    #[must_use]
    pub fn new(
        run: &BillingRunRow,
        participant: &ParticipantId,
        currency: Currency,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            invoice: PartnerInvoiceId::of(participant, run.period.ends_at(), &run.run, currency),
            run: run.run.clone(),
            program: run.program.clone(),
            participant: participant.clone(),
            period: run.period,
            status: InvoiceStatus::Assembling,
            currency,
            total: 0,
            lines: 0,
            parts: 0,
            version: 0,
            created_at: now,
            finalized: None,
            paid: None,
            voided: None,
        }
    }

    /// The invoice with lines that come to `total` added.
    #[must_use]
    pub fn with_lines(&self, lines: usize, total: i64) -> Option<Self> {
        let parts = if lines == 0 { self.parts } else { self.parts.checked_add(1)? };
        let lines = self.lines.checked_add(u32::try_from(lines).ok()?)?;
        Some(Self { total: self.total.checked_add(total)?, lines, parts, ..self.clone() })
    }

    fn listed(&self) -> RunInvoice {
        RunInvoice {
            invoice: self.invoice.clone(),
            participant: self.participant.clone(),
            total: Money::new(self.total, self.currency),
            lines: self.lines,
        }
    }
}

/// A line item: what one referred partner brought under one version of the terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceItem {
    /// The referred partner.
    pub referee: ExternalId,
    /// The terms.
    pub terms_version: u32,
    /// Signed minor units.
    pub amount: i64,
    /// How many lines that is.
    pub lines: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct PartRow {
    lines: Vec<InvoiceLine>,
}

/// What a run finds of a participant.
#[derive(Debug, Default)]
pub struct Open {
    /// Its cash, as far as it is not billed.
    pub account: Account,
    /// Invoices of the run, by currency.
    pub of_run: BTreeMap<Currency, PartnerInvoiceRow>,
    /// How many reads that took.
    pub reads: u32,
}

impl Store {
    /// A partner invoice; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_partner_invoice(
        &self,
        organization: &OrganizationId,
        id: &PartnerInvoiceId,
    ) -> Result<Option<PartnerInvoiceRow>, StoreError> {
        self.get(&keys::partner_invoice(organization, id), true).await?.map(from_item).transpose()
    }

    /// Partner invoices by id; at most 100.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get_partner_invoices(
        &self,
        organization: &OrganizationId,
        ids: &[PartnerInvoiceId],
    ) -> Result<Vec<PartnerInvoiceRow>, StoreError> {
        let places: Vec<Key> = ids.iter().map(|id| keys::partner_invoice(organization, id)).collect();
        self.get_all(&places).await?.into_iter().map(from_item).collect()
    }

    /// A participant's invoices, the latest period first, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_partner_invoices(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<PartnerInvoiceRow>, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let end = format!("{}~", keys::INVOICES);
        let mut range = Range::new(&pk, keys::INVOICES, &end, limit);
        range.newest_first = true;
        let (items, next) = self.query(&range, after(cursor, &["sk"], ("pk", &pk))).await?;
        let rows = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, &["sk"])) })
    }

    /// A participant's invoices whose periods end between two moments, these included.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn partner_invoices_between(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Vec<PartnerInvoiceRow>, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let place = |at| format!("{}{}", keys::INVOICES, domain::id::time_digits(at));
        let (items, _) = self.all_of(&pk, &place(from), &format!("{}~", place(to)), false).await?;
        items.into_iter().map(from_item).collect()
    }

    /// The line items of an invoice, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_invoice_items(
        &self,
        organization: &OrganizationId,
        id: &PartnerInvoiceId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<InvoiceItem>, StoreError> {
        let pk = keys::participant_partition(organization, &id.participant());
        let from = keys::invoice_items(id);
        let to = format!("{from}~");
        let range = Range::new(&pk, &from, &to, limit);
        let (items, next) = self.query(&range, after(cursor, &["sk"], ("pk", &pk))).await?;
        let rows = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, &["sk"])) })
    }

    /// All line items of an invoice.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all_invoice_items(
        &self,
        organization: &OrganizationId,
        id: &PartnerInvoiceId,
    ) -> Result<Vec<InvoiceItem>, StoreError> {
        let pk = keys::participant_partition(organization, &id.participant());
        let from = keys::invoice_items(id);
        let (items, _) = self.all_of(&pk, &from, &format!("{from}~"), false).await?;
        items.into_iter().map(from_item).collect()
    }

    /// The ledger lines of an invoice in the order in which they were put onto it, page by page; a cursor is the number of the
    /// next line's row and its place there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_invoice_lines(
        &self,
        organization: &OrganizationId,
        id: &PartnerInvoiceId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<InvoiceLine>, StoreError> {
        let wanted = usize::try_from(limit).unwrap_or(1);
        let mut next = cursor.and_then(read_place).unwrap_or((1, 0));
        let mut rows = Vec::new();
        loop {
            let (part, skip) = next;
            let Some(item) = self.get(&keys::invoice_part(organization, id, part), false).await? else {
                return Ok(Page { rows, next: None });
            };
            let lines = from_item::<PartRow>(item)?.lines;
            let (room, length) = (wanted.saturating_sub(rows.len()), lines.len());
            rows.extend(lines.into_iter().skip(skip).take(room));
            let reached = skip.saturating_add(room);
            if reached < length {
                return Ok(Page { rows, next: Some(format!("{part}.{reached}")) });
            }
            next = (part.saturating_add(1), 0);
        }
    }

    /// What a run finds of a participant, by strong reads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_open_lines(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        run: &BillingRunId,
    ) -> Result<Open, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let end = format!("{}~", keys::INVOICES);
        let (items, reads) = self.all_of(&pk, keys::INVOICES, &end, true).await?;
        let mut open = Open { reads, ..Open::default() };
        let mut void = Vec::new();
        for item in items {
            let row: PartnerInvoiceRow = from_item(item)?;
            if !row.status.is_live() {
                void.push(row.invoice.clone());
            }
            if row.run == *run {
                open.of_run.insert(row.currency, row);
            }
        }
        void.sort();
        let mut range = Range::new(&pk, keys::LEDGER, keys::LEDGER_END, PAGE);
        range.consistent = true;
        let mut from = None;
        loop {
            let (items, next) = self.query(&range, from).await?;
            open.reads = open.reads.saturating_add(1);
            for item in items.into_iter().filter(|item| !keys::is_snapshot(text_of(item, "sk"))) {
                let mark = match text_of(&item, BILLED_ON) {
                    "" => None,
                    invoice => Some(PartnerInvoiceId::parse(invoice).map_err(StoreError::corrupt)?),
                };
                // An invoice that was made since the first read is live.
                let live = |invoice| void.binary_search(invoice).is_err();
                open.account.add(&line(item)?, mark.as_ref().map(|invoice| (invoice, live(invoice))));
            }
            from = next;
            if from.is_none() {
                return Ok(open);
            }
        }
    }

    /// Puts lines onto an invoice: its row as it is afterwards, the lines, what they add to its line items, and the marks.
    /// With `run`, the invoice is complete, and the run counts it. `false` when anything changed in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_invoice_lines(
        &self,
        organization: &OrganizationId,
        invoice: &PartnerInvoiceRow,
        (lines, items): (&[Unbilled], &Items<'_>),
        run: Option<&BillingRunRow>,
    ) -> Result<bool, StoreError> {
        let mut actions = vec![self.invoice_action(organization, invoice)?];
        if !lines.is_empty() {
            let key = keys::invoice_part(organization, &invoice.invoice, invoice.parts);
            let part = PartRow { lines: lines.iter().map(|unbilled| unbilled.line.clone()).collect() };
            actions.push(self.put_action(to_item(&key, &part)?, &absent())?);
        }
        for unbilled in lines {
            actions.push(self.mark_action(organization, &invoice.invoice, unbilled)?);
        }
        for ((referee, terms_version), (amount, count)) in items {
            let key = keys::invoice_item(organization, &invoice.invoice, referee, *terms_version);
            let change = Change::new(
                "SET #referee = :referee, #terms = :terms ADD #amount :amount, #lines :count",
                "",
            )
            .name("#referee", "referee")
            .name("#terms", "terms_version")
            .name("#amount", "amount")
            .name("#lines", "lines")
            .value(":referee", text(referee.as_str()))
            .value(":terms", number(terms_version))
            .value(":amount", number(amount))
            .value(":count", number(count));
            actions.push(self.update_action(&key, &change)?);
        }
        if let Some(run) = run {
            let key = keys::run_invoice(organization, &run.run, &invoice.invoice);
            actions.push(self.put_action(to_item(&key, &invoice.listed())?, &absent())?);
            let (item, condition) = next_run(organization, run, self.clock.now())?;
            actions.push(self.put_action(item, &condition)?);
        }
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// Writes an invoice with another status. What stands on a void one is left to bill again. `false` when it changed in the
    /// meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_invoice_status(
        &self,
        organization: &OrganizationId,
        invoice: &PartnerInvoiceRow,
    ) -> Result<bool, StoreError> {
        let mut actions = vec![self.invoice_action(organization, invoice)?];
        if !invoice.status.is_live() {
            actions.push(self.carry_action(organization, &invoice.program, &invoice.participant)?);
        }
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// An invoice, one version up, on the condition that nobody else has written it.
    fn invoice_action(
        &self,
        organization: &OrganizationId,
        invoice: &PartnerInvoiceRow,
    ) -> Result<TransactWriteItem, StoreError> {
        let next = PartnerInvoiceRow { version: invoice.version.saturating_add(1), ..invoice.clone() };
        let item = to_item(&keys::partner_invoice(organization, &invoice.invoice), &next)?;
        match invoice.version {
            0 => self.put_action(item, &absent()),
            version => {
                let unchanged = Change::new("", "version = :version").value(":version", number(version));
                self.put_action(item, &unchanged)
            }
        }
    }

    fn mark_action(
        &self,
        organization: &OrganizationId,
        invoice: &PartnerInvoiceId,
        unbilled: &Unbilled,
    ) -> Result<TransactWriteItem, StoreError> {
        let line = &unbilled.line;
        let key = match line.correction {
            None => keys::reward(organization, &line.reward),
            Some(number) => keys::entry(organization, &line.reward, number, line.recorded_at),
        };
        let set = format!("SET {BILLED_ON} = :invoice");
        let change = match &unbilled.was_on {
            None => Change::new(set, format!("attribute_exists(pk) AND attribute_not_exists({BILLED_ON})")),
            Some(void) => {
                Change::new(set, format!("{BILLED_ON} = :void")).value(":void", text(void.as_str()))
            }
        };
        self.update_action(&key, &change.value(":invoice", text(invoice.as_str())))
    }

    /// Every row of a range, and how many reads that took.
    pub(crate) async fn all_of(
        &self,
        pk: &str,
        from: &str,
        to: &str,
        consistent: bool,
    ) -> Result<(Vec<Item>, u32), StoreError> {
        let mut range = Range::new(pk, from, to, PAGE);
        range.consistent = consistent;
        let (mut rows, mut next, mut reads) = (Vec::new(), None, 0_u32);
        loop {
            let (items, more) = self.query(&range, next).await?;
            reads = reads.saturating_add(1);
            rows.extend(items);
            next = more;
            if next.is_none() {
                return Ok((rows, reads));
            }
        }
    }
}

/// The attribute of a ledger line that names the invoice it stands on.
const BILLED_ON: &str = "billed_on";

fn read_place(cursor: &str) -> Option<(u32, usize)> {
    let (part, place) = cursor.split_once('.')?;
    Some((part.parse().ok()?, place.parse().ok()?))
}
