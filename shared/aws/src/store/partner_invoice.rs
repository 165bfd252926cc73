//! Partner invoices: their rows, line items and lists of lines.

use aws_sdk_dynamodb::types::TransactWriteItem;
use chrono::{DateTime, Utc};
use domain::billing::{InvoiceLine, InvoiceStatus, Period};
use domain::event::Event;
use domain::id::{
    BillingRunId, ExternalId, OrganizationId, ParticipantId, PartnerInvoiceId, PayoutBatchId, ProgramId,
};
use domain::ledger::Note;
use domain::money::{Currency, Money};
use serde::{Deserialize, Serialize};

use super::Store;
use super::billing::{BillingRunRow, RunInvoice};
use super::error::{StoreError, Transaction};
use super::item::{Item, at_version, from_item, index_in, to_item};
use super::keys::{self, Key};
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
    /// The payout batch that it stands in, or was paid by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<PayoutBatchId>,
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
            batch: None,
            finalized: None,
            paid: None,
            voided: None,
        }
    }

    /// Whether a payout batch can take it.
    #[must_use]
    pub fn is_payable(&self) -> bool {
        self.status == InvoiceStatus::Finalized && self.batch.is_none()
    }

    /// The invoice with lines that come to `total` added.
    #[must_use]
    pub fn with_lines(&self, lines: usize, total: i64) -> Option<Self> {
        let parts = if lines == 0 { self.parts } else { self.parts.checked_add(1)? };
        let lines = self.lines.checked_add(u32::try_from(lines).ok()?)?;
        Some(Self { total: self.total.checked_add(total)?, lines, parts, ..self.clone() })
    }

    pub(crate) fn listed(&self) -> RunInvoice {
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
pub(crate) struct PartRow {
    pub(crate) lines: Vec<InvoiceLine>,
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

    /// Writes an invoice with another status, and the event that tells of it. What stands on a void one is left to bill again.
    /// `false` when it changed in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_invoice_status(
        &self,
        organization: &OrganizationId,
        invoice: &PartnerInvoiceRow,
        event: Option<&Event>,
    ) -> Result<bool, StoreError> {
        let mut actions = vec![self.invoice_action(organization, invoice)?];
        if !invoice.status.is_live() {
            actions.push(self.carry_action(organization, &invoice.program, &invoice.participant)?);
        }
        if let Some(event) = event {
            actions.push(self.event_action(event)?);
        }
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// An invoice, one version up, on the condition that nobody else has written it. It is listed while a payout batch can
    /// take it.
    pub(crate) fn invoice_action(
        &self,
        organization: &OrganizationId,
        invoice: &PartnerInvoiceRow,
    ) -> Result<TransactWriteItem, StoreError> {
        let next = PartnerInvoiceRow { version: invoice.version.saturating_add(1), ..invoice.clone() };
        let mut item = to_item(&keys::partner_invoice(organization, &invoice.invoice), &next)?;
        if next.is_payable() {
            let payable = keys::payable(organization, &next.program, next.currency, &next.invoice);
            index_in(&mut item, keys::LISTING_INDEX, &payable);
        }
        self.put_action(item, &at_version(invoice.version))
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

fn read_place(cursor: &str) -> Option<(u32, usize)> {
    let (part, place) = cursor.split_once('.')?;
    Some((part.parse().ok()?, place.parse().ok()?))
}
