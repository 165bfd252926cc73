//! Lines of payout batches, and the invoices that a batch can take.
//!
//! What a line takes, settles or frees is written in one transaction with all of its invoices and its batch, each as it was
//! read: so an invoice is in one live batch at most, and a batch always comes to its lines, and these to their invoices.

use aws_sdk_dynamodb::types::TransactWriteItem;
use chrono::{DateTime, Utc};
use domain::billing::InvoiceStatus;
use domain::id::{
    ExternalId, OrganizationId, ParticipantId, PartnerInvoiceId, PayoutBatchId, PayoutLineId, ProgramId,
};
use domain::money::Currency;
use domain::payout::{LineStatus, Mark};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::{StoreError, Transaction};
use super::item::{Change, Item, absent, from_item, key_attributes, key_of, text_of, to_attribute, to_item};
use super::keys::{self, Key};
use super::page::{Page, Range, after, write_cursor};
use super::partner_invoice::{Act, PartnerInvoiceRow};
use super::payout::PayoutBatchRow;

/// Entries of the index that are read at a time; their rows are read in one batch.
const PAGE: i32 = 100;
/// Rows of a batch of reads.
const BATCH_MAX: usize = 100;
/// Pages of lines that one call looks through for those of a status.
const PAGES_MAX: u32 = 10;

/// A line of a payout batch: what one participant is paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutLineRow {
    /// Its id.
    pub line: PayoutLineId,
    /// Whom it pays.
    pub participant: ParticipantId,
    /// The caller's own id of the participant.
    pub external_id: ExternalId,
    /// What its invoices come to, in minor units.
    pub amount: i64,
    /// Its currency.
    pub currency: Currency,
    /// The invoices.
    pub invoices: Vec<PartnerInvoiceId>,
    /// Where it stands.
    pub status: LineStatus,
    /// The caller's reference of the payout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When and by whom it was marked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marked: Option<Act>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl PayoutLineRow {
    /// Those of the invoices that are the line's, in a batch: what they come to in minor units, and how many they are. The line
    /// is sound where these are its own figures. The sum stops at the largest number, which no line comes to.
    #[must_use]
    pub fn held(&self, batch: &PayoutBatchId, invoices: &[PartnerInvoiceRow]) -> (i64, u64) {
        let expected = self.status.invoices();
        let own = invoices
            .iter()
            .filter(|invoice| Some(invoice.status) == expected && invoice.batch.as_ref() == Some(batch));
        own.fold((0, 0), |(sum, count), invoice| (sum.saturating_add(invoice.total), count.saturating_add(1)))
    }

    /// What the line says of itself: its amount, and how many invoices it names.
    #[must_use]
    pub fn says(&self) -> (i64, u64) {
        (self.amount, u64::try_from(self.invoices.len()).unwrap_or(u64::MAX))
    }

    /// An invoice of the line as its status leaves it: where that is, or free.
    fn settled(&self, invoice: &PartnerInvoiceRow) -> PartnerInvoiceRow {
        match self.status.invoices() {
            Some(InvoiceStatus::Paid) => PartnerInvoiceRow {
                status: InvoiceStatus::Paid,
                paid: self.marked.clone(),
                ..invoice.clone()
            },
            Some(_) => invoice.clone(),
            None => PartnerInvoiceRow { batch: None, ..invoice.clone() },
        }
    }
}

/// A participant with invoices that a batch can take.
#[derive(Debug, Clone)]
pub struct Payable {
    /// Whose.
    pub participant: ParticipantId,
    /// All of them, oldest first.
    pub invoices: Vec<PartnerInvoiceRow>,
}

/// Some participants with invoices that a batch can take, in the order of their ids.
#[derive(Debug)]
pub struct PayablePage {
    /// The participants; each with all of its invoices.
    pub rows: Vec<Payable>,
    /// The last of them, if there are more after it.
    pub next: Option<ParticipantId>,
    /// How many reads that took.
    pub reads: u32,
}

impl Store {
    /// Participants of a shard with finalized invoices in a currency that stand in no batch, after one that is named. Who has
    /// them is eventually consistent; what they are is read strongly.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_payable(
        &self,
        organization: &OrganizationId,
        (program, currency): (&ProgramId, Currency),
        shard: u32,
        after: Option<&ParticipantId>,
    ) -> Result<PayablePage, StoreError> {
        let pk = keys::payable_partition(organization, program, currency, shard);
        let from = after.map_or_else(|| "0".to_owned(), |after| format!("{after}~"));
        let mut range = Range::new(&pk, &from, "~", PAGE);
        range.index = Some(keys::LISTING_INDEX);
        let (items, more) = self.query(&range, None).await?;
        let mut found: Vec<(ParticipantId, Vec<Key>)> = Vec::new();
        for item in &items {
            let participant = keys::parse_payable(text_of(item, "listing_sk"));
            let participant =
                participant.ok_or_else(|| StoreError::corrupt("an invoice is listed otherwise"))?;
            match found.last_mut() {
                Some((last, keys)) if *last == participant => keys.push(key_of(item)),
                _ => found.push((participant, vec![key_of(item)])),
            }
        }
        if more.is_some()
            && let [(participant, _)] = found.as_slice()
        {
            // It may have more than are on a page.
            let (payable, reads) = self.payable_of(organization, (program, currency), participant).await?;
            let next = Some(participant.clone());
            return Ok(PayablePage { rows: vec![payable], next, reads: reads.saturating_add(1) });
        }
        if more.is_some() {
            // So may the last one, which is read with the next page.
            found.pop();
        }
        let next = more.and_then(|_| found.last().map(|(participant, _)| participant.clone()));
        Ok(PayablePage { rows: self.read_payable(&found).await?, next, reads: 2 })
    }

    /// What a batch can take of a participant; how many reads that took.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn payable_of(
        &self,
        organization: &OrganizationId,
        (program, currency): (&ProgramId, Currency),
        participant: &ParticipantId,
    ) -> Result<(Payable, u32), StoreError> {
        let pk = keys::payable_shard(organization, program, currency, participant);
        let from = keys::payable_of(participant);
        let to = format!("{from}~");
        let mut range = Range::new(&pk, &from, &to, PAGE);
        range.index = Some(keys::LISTING_INDEX);
        let (mut invoices, mut next, mut reads) = (Vec::new(), None, 0_u32);
        loop {
            let (items, more) = self.query(&range, next).await?;
            let keys: Vec<Key> = items.iter().map(key_of).collect();
            invoices.extend(self.read_payable_invoices(&keys).await?);
            reads = reads.saturating_add(2);
            next = more;
            if next.is_none() {
                return Ok((Payable { participant: participant.clone(), invoices }, reads));
            }
        }
    }

    async fn read_payable(&self, found: &[(ParticipantId, Vec<Key>)]) -> Result<Vec<Payable>, StoreError> {
        let keys: Vec<Key> = found.iter().flat_map(|(_, keys)| keys.clone()).collect();
        let mut invoices = self.read_payable_invoices(&keys).await?.into_iter().peekable();
        let mut rows = Vec::new();
        for (participant, _) in found {
            let mut own = Vec::new();
            while let Some(invoice) = invoices.next_if(|invoice| invoice.participant == *participant) {
                own.push(invoice);
            }
            rows.push(Payable { participant: participant.clone(), invoices: own });
        }
        Ok(rows)
    }

    /// Those of the invoices that a batch can take, in the order of the keys; strong reads.
    async fn read_payable_invoices(&self, keys: &[Key]) -> Result<Vec<PartnerInvoiceRow>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let items = self.get_all_as(keys, true).await?;
        let rows = items.into_iter().map(from_item).collect::<Result<Vec<PartnerInvoiceRow>, _>>()?;
        Ok(rows.into_iter().filter(PartnerInvoiceRow::is_payable).collect())
    }

    /// Puts a line into a batch that is being assembled: the batch as it is afterwards, the line, and its invoices as they were
    /// read. `false` when anything changed in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_payout_line(
        &self,
        organization: &OrganizationId,
        batch: &PayoutBatchRow,
        line: &PayoutLineRow,
        invoices: &[PartnerInvoiceRow],
    ) -> Result<bool, StoreError> {
        let key = keys::payout_line(organization, &batch.batch, &line.participant);
        let mut actions = vec![
            self.payout_batch_action(organization, batch)?,
            self.put_action(to_item(&key, line)?, &absent())?,
        ];
        for invoice in invoices {
            let taken = PartnerInvoiceRow { batch: Some(batch.batch.clone()), ..invoice.clone() };
            actions.push(self.invoice_action(organization, &taken)?);
        }
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// Writes a line with its mark, and its invoices, as they were read, as that leaves them, while the batch is open. `false`
    /// when anything changed in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_payout_mark(
        &self,
        organization: &OrganizationId,
        batch: &PayoutBatchId,
        mark: Mark,
        line: &PayoutLineRow,
        invoices: &[PartnerInvoiceRow],
    ) -> Result<bool, StoreError> {
        let mut actions = vec![
            self.payout_mark_action(organization, batch, (mark, line.amount))?,
            self.settle_line_action(organization, batch, line)?,
        ];
        for invoice in invoices {
            actions.push(self.invoice_action(organization, &line.settled(invoice))?);
        }
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// Writes a line of a batch that is being cancelled, and its invoices, as they were read, as free. `false` when anything
    /// changed in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_cancelled_line(
        &self,
        organization: &OrganizationId,
        batch: &PayoutBatchRow,
        line: &PayoutLineRow,
        invoices: &[PartnerInvoiceRow],
    ) -> Result<bool, StoreError> {
        let mut actions = vec![
            self.payout_batch_action(organization, batch)?,
            self.settle_line_action(organization, &batch.batch, line)?,
        ];
        for invoice in invoices {
            actions.push(self.invoice_action(organization, &line.settled(invoice))?);
        }
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// A line as it is afterwards, on the condition that it is pending.
    fn settle_line_action(
        &self,
        organization: &OrganizationId,
        batch: &PayoutBatchId,
        line: &PayoutLineRow,
    ) -> Result<TransactWriteItem, StoreError> {
        let key = keys::payout_line(organization, batch, &line.participant);
        let pending = Change::new("", "#status = :pending")
            .name("#status", "status")
            .value(":pending", to_attribute(&LineStatus::Pending)?);
        self.put_action(to_item(&key, line)?, &pending)
    }

    /// A line of a batch; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_payout_line(
        &self,
        organization: &OrganizationId,
        batch: &PayoutBatchId,
        participant: &ParticipantId,
    ) -> Result<Option<PayoutLineRow>, StoreError> {
        let key = keys::payout_line(organization, batch, participant);
        self.get(&key, true).await?.map(from_item).transpose()
    }

    /// The invoices of a line; strong reads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoices_of_line(
        &self,
        organization: &OrganizationId,
        line: &PayoutLineRow,
    ) -> Result<Vec<PartnerInvoiceRow>, StoreError> {
        let keys: Vec<Key> = line.invoices.iter().map(|id| keys::partner_invoice(organization, id)).collect();
        let mut rows = Vec::new();
        for some in keys.chunks(BATCH_MAX) {
            for item in self.get_all_as(some, true).await? {
                rows.push(from_item(item)?);
            }
        }
        Ok(rows)
    }

    /// Some lines of a batch by participant, after one that is named; a strong read. None at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn payout_lines_after(
        &self,
        organization: &OrganizationId,
        batch: &PayoutBatchId,
        after: Option<&ParticipantId>,
        limit: i32,
    ) -> Result<Vec<PayoutLineRow>, StoreError> {
        let (pk, lines) = (keys::payout_partition(organization, batch), keys::PAYOUT_LINES);
        let from = after.map_or_else(|| lines.to_owned(), |after| format!("{lines}{after}~"));
        let to = format!("{lines}~");
        let mut range = Range::new(&pk, &from, &to, limit);
        range.consistent = true;
        let (items, _) = self.query(&range, None).await?;
        items.into_iter().map(from_item).collect()
    }

    /// Lines of a batch by participant, after the participant that a cursor names: all, or those of a status. A page can be
    /// short while there is more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_payout_lines(
        &self,
        organization: &OrganizationId,
        batch: &PayoutBatchId,
        status: Option<LineStatus>,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<PayoutLineRow>, StoreError> {
        let (pk, end) = (keys::payout_partition(organization, batch), format!("{}~", keys::PAYOUT_LINES));
        let range = Range::new(&pk, keys::PAYOUT_LINES, &end, limit);
        let most = usize::try_from(limit).unwrap_or(1);
        let mut rows: Vec<PayoutLineRow> = Vec::new();
        let mut from = after(cursor, &["sk"], ("pk", &pk));
        for _ in 0..PAGES_MAX {
            let (items, next) = self.query(&range, from).await?;
            let mut items = items.into_iter().peekable();
            while let Some(item) = items.next() {
                let place = place_of(&item);
                let line: PayoutLineRow = from_item(item)?;
                if status.is_none_or(|status| status == line.status) {
                    rows.push(line);
                }
                if rows.len() >= most && (items.peek().is_some() || next.is_some()) {
                    return Ok(Page { rows, next: Some(write_cursor(&place, &["sk"])) });
                }
            }
            from = next;
            if from.is_none() {
                return Ok(Page { rows, next: None });
            }
        }
        Ok(Page { rows, next: from.map(|key| write_cursor(&key, &["sk"])) })
    }
}

fn place_of(item: &Item) -> Item {
    key_attributes(&key_of(item))
}
