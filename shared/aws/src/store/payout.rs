//! Payout batches.
//!
//! While invoices are put into a batch or freed, its row is written whole, under its version, with each line: so two workers at
//! one batch never both go on, and at any moment the row is what its lines up to its position come to. It is due until that is
//! done. At most one batch of a program and currency is at work at a time. Marks of lines add to an open batch's row
//! without reading it.

use aws_sdk_dynamodb::types::TransactWriteItem;
use chrono::{DateTime, Utc};
use domain::id::{OrganizationId, ParticipantId, PayoutBatchId, ProgramId};
use domain::ledger::Note;
use domain::money::Currency;
use domain::payout::{BatchStatus, Mark};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::{StoreError, Transaction};
use super::item::{
    Change, Item, Write, absent, from_item, index_in, key_attributes, number, text, text_of, to_attribute,
    to_item,
};
use super::keys::{self, Key};
use super::page::{Page, Range, after, write_cursor};
use super::partner_invoice::Act;

/// How far a batch has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutPosition {
    /// The shard of the invoices that can be paid out; when a batch is cancelled there is only this one.
    pub shard: u32,
    /// The last participant that it is done with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ParticipantId>,
}

/// Who was left out because of the minimum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// How many participants.
    pub participants: u64,
    /// What their invoices come to.
    pub total: i64,
}

/// A payout batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutBatchRow {
    /// Its id.
    pub batch: PayoutBatchId,
    /// The program whose partners it pays.
    pub program: ProgramId,
    /// Its currency.
    pub currency: Currency,
    /// What a participant's invoices must come to at least, in minor units.
    pub minimum: i64,
    /// Where it stands. It is open also when its last line has its mark: [`PayoutBatchRow::status_now`].
    pub status: BatchStatus,
    /// How far it has come.
    pub position: PayoutPosition,
    /// Its lines.
    pub lines: u64,
    /// Their invoices.
    pub invoices: u64,
    /// What they come to, in minor units.
    pub total: i64,
    /// Who was left out.
    pub left_out: LeftOut,
    /// Lines that are paid.
    pub paid_lines: u64,
    /// What these come to.
    pub paid_total: i64,
    /// Lines that failed.
    pub failed_lines: u64,
    /// What these come to.
    pub failed_total: i64,
    /// Who asked for it, and why.
    pub note: Note,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<DateTime<Utc>>,
    /// When and by whom it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Act>,
    /// SHA-256 of the request.
    pub request_hash: String,
    /// Counts the writes of its workers; each names the one that it was decided on.
    pub version: u64,
}

impl PayoutBatchRow {
    /// A batch that is to be begun.
    #[must_use]
    pub fn new(
        batch: PayoutBatchId,
        (program, currency): (ProgramId, Currency),
        minimum: i64,
        note: Note,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            batch,
            program,
            currency,
            minimum,
            status: BatchStatus::Assembling,
            position: PayoutPosition::default(),
            lines: 0,
            invoices: 0,
            total: 0,
            left_out: LeftOut::default(),
            paid_lines: 0,
            paid_total: 0,
            failed_lines: 0,
            failed_total: 0,
            note,
            created_at: now,
            opened_at: None,
            cancelled: None,
            request_hash: String::new(),
            version: 0,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn status_now(&self) -> BatchStatus {
        self.status.with_lines(self.lines, self.paid_lines.saturating_add(self.failed_lines))
    }

    /// The batch when it is done with a participant.
    #[must_use]
    pub fn past(&self, participant: &ParticipantId) -> Self {
        let position = PayoutPosition { shard: self.position.shard, after: Some(participant.clone()) };
        Self { position, ..self.clone() }
    }

    /// Counts a line; `None` when the sum is too large.
    #[must_use]
    pub fn with_line(&self, invoices: usize, amount: i64) -> Option<Self> {
        Some(Self {
            lines: self.lines.saturating_add(1),
            invoices: self.invoices.saturating_add(u64::try_from(invoices).ok()?),
            total: self.total.checked_add(amount)?,
            ..self.clone()
        })
    }

    /// Counts a participant who was left out; `None` when the sum is too large.
    #[must_use]
    pub fn without(&self, amount: i64) -> Option<Self> {
        let left_out = LeftOut {
            participants: self.left_out.participants.saturating_add(1),
            total: self.left_out.total.checked_add(amount)?,
        };
        Some(Self { left_out, ..self.clone() })
    }

    /// The batch, one version up.
    #[must_use]
    pub fn written(self) -> Self {
        Self { version: self.version.saturating_add(1), ..self }
    }
}

/// How a new batch was taken.
#[derive(Debug)]
pub enum NewBatch {
    /// Written.
    Done,
    /// The same call was made before.
    Known(Box<PayoutBatchRow>),
    /// Another batch of the program and currency is at work.
    Busy(PayoutBatchId),
    /// One has ended meanwhile: look again.
    Lost,
}

/// The row that names the batch at work.
#[derive(Debug, Deserialize)]
struct AtWorkRow {
    #[serde(default)]
    running: Option<PayoutBatchId>,
}

impl Store {
    /// A payout batch; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_payout_batch(
        &self,
        organization: &OrganizationId,
        batch: &PayoutBatchId,
    ) -> Result<Option<PayoutBatchRow>, StoreError> {
        self.get(&keys::payout_batch(organization, batch), true).await?.map(from_item).transpose()
    }

    /// Begins a batch, when no other of the program and currency is at work.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_new_payout_batch(
        &self,
        organization: &OrganizationId,
        row: &PayoutBatchRow,
    ) -> Result<NewBatch, StoreError> {
        let mut listed = key_attributes(&keys::payout_listing(organization, &row.batch, row.created_at));
        listed.insert("batch".to_owned(), text(row.batch.as_str()));
        let actions = vec![
            self.put_action(batch_item(organization, row, row.created_at)?, &absent())?,
            self.put_action(listed, &absent())?,
            self.at_work_action(organization, row)?,
        ];
        if let Transaction::Committed = self.transact(actions).await? {
            return Ok(NewBatch::Done);
        }
        if let Some(known) = self.find_payout_batch(organization, &row.batch).await? {
            return Ok(NewBatch::Known(Box::new(known)));
        }
        let running = self.payout_batch_at_work(organization, &row.program, row.currency).await?;
        Ok(running.map_or(NewBatch::Lost, NewBatch::Busy))
    }

    /// The batch of a program and currency that is at work; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn payout_batch_at_work(
        &self,
        organization: &OrganizationId,
        program: &ProgramId,
        currency: Currency,
    ) -> Result<Option<PayoutBatchId>, StoreError> {
        let item = self.get(&keys::payout_at_work(organization, program, currency), true).await?;
        Ok(item.map(from_item::<AtWorkRow>).transpose()?.and_then(|row| row.running))
    }

    /// Writes how far a batch has come; `false` when another worker is at it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_payout_batch(
        &self,
        organization: &OrganizationId,
        row: &PayoutBatchRow,
    ) -> Result<bool, StoreError> {
        let (item, condition) = next_batch(organization, row, self.clock.now())?;
        Ok(matches!(self.put_if(item, &condition).await?, Write::Done(_)))
    }

    /// Ends what is done to a batch: it is open, or cancelled, and another can be begun. `false` when another worker is at it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_payout_batch(
        &self,
        organization: &OrganizationId,
        row: &PayoutBatchRow,
    ) -> Result<bool, StoreError> {
        let (item, condition) = next_batch(organization, row, self.clock.now())?;
        let at_work = keys::payout_at_work(organization, &row.program, row.currency);
        let done =
            Change::new("REMOVE running", "running = :batch").value(":batch", text(row.batch.as_str()));
        let actions = vec![self.put_action(item, &condition)?, self.update_action(&at_work, &done)?];
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// Cancels a batch, as it was read and while no line of it is paid: its invoices are to be freed. `false` when it changed
    /// meanwhile, or another of the program and currency is at work.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cancel_payout_batch(
        &self,
        organization: &OrganizationId,
        row: &PayoutBatchRow,
    ) -> Result<bool, StoreError> {
        let key = keys::payout_batch(organization, &row.batch);
        let due = keys::due(&key, self.clock.now());
        let change = Change::new(
            "SET #status = :cancelling, #cancelled = :act, #position = :start, #version = :next, due_pk = :pk, due_sk = :sk",
            "#version = :version AND #paid = :none",
        )
        .name("#status", "status")
        .name("#cancelled", "cancelled")
        .name("#position", "position")
        .name("#version", "version")
        .name("#paid", "paid_lines")
        .value(":cancelling", to_attribute(&BatchStatus::Cancelling)?)
        .value(":act", to_attribute(&row.cancelled)?)
        .value(":start", to_attribute(&PayoutPosition::default())?)
        .value(":version", number(row.version))
        .value(":next", number(row.version.saturating_add(1)))
        .value(":none", number(0))
        .value(":pk", text(due.pk))
        .value(":sk", text(due.sk));
        let actions = vec![self.update_action(&key, &change)?, self.at_work_action(organization, row)?];
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// An organization's batches, newest first, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_payout_batches(
        &self,
        organization: &OrganizationId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<PayoutBatchRow>, StoreError> {
        let pk = keys::payouts_partition(organization);
        let mut range = Range::new(&pk, "0", "~", limit);
        range.newest_first = true;
        let (items, next) = self.query(&range, after(cursor, &["sk"], ("pk", &pk))).await?;
        let place = |item: &Item| {
            let batch = PayoutBatchId::parse(text_of(item, "batch")).map_err(StoreError::corrupt)?;
            Ok(keys::payout_batch(organization, &batch))
        };
        let places: Vec<Key> = items.iter().map(place).collect::<Result<_, StoreError>>()?;
        let rows = if places.is_empty() { Vec::new() } else { self.get_all(&places).await? };
        let rows = rows.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, &["sk"])) })
    }

    /// The batch is at work, on the condition that no other is.
    fn at_work_action(
        &self,
        organization: &OrganizationId,
        row: &PayoutBatchRow,
    ) -> Result<TransactWriteItem, StoreError> {
        let key = keys::payout_at_work(organization, &row.program, row.currency);
        let free = "attribute_not_exists(running) OR running = :batch";
        let change = Change::new("SET running = :batch", free).value(":batch", text(row.batch.as_str()));
        self.update_action(&key, &change)
    }

    /// A batch, one version up, on the condition that nobody else has written it.
    pub(crate) fn payout_batch_action(
        &self,
        organization: &OrganizationId,
        row: &PayoutBatchRow,
    ) -> Result<TransactWriteItem, StoreError> {
        let (item, condition) = next_batch(organization, row, self.clock.now())?;
        self.put_action(item, &condition)
    }

    /// Counts a mark of a line, while the batch is open.
    pub(crate) fn payout_mark_action(
        &self,
        organization: &OrganizationId,
        batch: &PayoutBatchId,
        (mark, amount): (Mark, i64),
    ) -> Result<TransactWriteItem, StoreError> {
        let (lines, total) = match mark {
            Mark::Paid => ("paid_lines", "paid_total"),
            Mark::Failed => ("failed_lines", "failed_total"),
        };
        let change = Change::new("ADD #lines :one, #total :amount", "#status = :open")
            .name("#lines", lines)
            .name("#total", total)
            .name("#status", "status")
            .value(":one", number(1))
            .value(":amount", number(amount))
            .value(":open", to_attribute(&BatchStatus::Open)?);
        self.update_action(&keys::payout_batch(organization, batch), &change)
    }
}

/// The item of a batch; it is due while the batch is at work.
fn batch_item(
    organization: &OrganizationId,
    row: &PayoutBatchRow,
    now: DateTime<Utc>,
) -> Result<Item, StoreError> {
    let key = keys::payout_batch(organization, &row.batch);
    let mut item = to_item(&key, row)?;
    if matches!(row.status, BatchStatus::Assembling | BatchStatus::Cancelling) {
        index_in(&mut item, keys::DUE_INDEX, &keys::due(&key, now));
    }
    Ok(item)
}

/// The item of a batch, one version up, and the condition that nobody else has written it.
fn next_batch(
    organization: &OrganizationId,
    row: &PayoutBatchRow,
    now: DateTime<Utc>,
) -> Result<(Item, Change), StoreError> {
    let condition = Change::new("", "version = :version").value(":version", number(row.version));
    Ok((batch_item(organization, &row.clone().written(), now)?, condition))
}
