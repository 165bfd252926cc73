//! Payout batches: one participant after the other, some of them for each message.
//!
//! A batch can stop anywhere and be gone on with by anybody. Its row is written under its version with each line, and says how
//! far it is: it is always what its lines up to there come to. So two workers at one batch never both go on, and nobody is
//! looked at twice.

use aws::batch::Outcome;
use aws::handler::chain;
use aws::store::keys::PAYABLE_SHARDS;
use aws::store::{PartnerInvoiceRow, Payable, PayoutBatchRow, PayoutLineRow, PayoutPosition, StoreError};
use domain::id::{OrganizationId, PayoutBatchId, PayoutLineId};
use domain::message::ReportMessage;
use domain::money::MoneyError;
use domain::payout::{BatchStatus, LineStatus, Verdict, decide};

use crate::Deps;
use crate::progress::{self, Progress};

/// What one message may cost, in steps of a few calls to the table: some seconds, so that a batch of ten messages ends long
/// before the function's time does.
const STEPS: u32 = 60;
/// Lines of a cancelled batch that are read at a time.
const PAGE: i32 = 50;
/// How often a participant is read again when something of it changed meanwhile.
const ATTEMPTS_MAX: u32 = 8;

/// One worker at one batch.
struct Worker<'a> {
    deps: &'a Deps,
    organization: &'a OrganizationId,
    row: PayoutBatchRow,
    steps: u32,
}

/// Goes on with a batch where the last worker stopped.
pub(crate) async fn go_on(deps: &Deps, organization: &OrganizationId, batch: &PayoutBatchId) -> Outcome {
    let row = match deps.store.find_payout_batch(organization, batch).await {
        Ok(Some(row)) => row,
        Ok(None) => return Outcome::Poison(format!("there is no {batch}")),
        Err(error) => return Outcome::Retry(chain(&error)),
    };
    let status = row.status;
    let mut worker = Worker { deps, organization, row, steps: STEPS };
    let came = match status {
        BatchStatus::Assembling => worker.assemble().await,
        BatchStatus::Cancelling => worker.free().await,
        BatchStatus::Open | BatchStatus::Closed | BatchStatus::Cancelled => Ok(Progress::Done),
    };
    let more = ReportMessage::PayoutBatchDueV1 { organization: organization.clone(), batch: batch.clone() };
    progress::outcome(deps, came, more).await
}

impl Worker<'_> {
    fn spend(&mut self, steps: u32) {
        self.steps = self.steps.saturating_sub(steps);
    }

    async fn pause(&self) -> Result<Progress, StoreError> {
        let written = self.deps.store.commit_payout_batch(self.organization, &self.row).await?;
        Ok(if written { Progress::Paused } else { Progress::Taken })
    }

    async fn finish(&self, done: PayoutBatchRow) -> Result<Progress, StoreError> {
        let written = self.deps.store.finish_payout_batch(self.organization, &done).await?;
        if written {
            let (batch, status) = (&done.batch, done.status.as_str());
            tracing::info!(%batch, status, done.lines, done.invoices, "the payout batch is done");
        }
        Ok(if written { Progress::Done } else { Progress::Taken })
    }

    /// Whether another worker, or who cancelled the batch, has written it.
    async fn is_taken(&self) -> Result<bool, StoreError> {
        let found = self.deps.store.find_payout_batch(self.organization, &self.row.batch).await?;
        Ok(found.is_none_or(|found| found.version != self.row.version))
    }

    /// Puts invoices into the batch, page by page of those who have some.
    async fn assemble(&mut self) -> Result<Progress, StoreError> {
        while self.row.position.shard < PAYABLE_SHARDS {
            let PayoutPosition { shard, after } = &self.row.position;
            let of = (&self.row.program, self.row.currency);
            let page = self.deps.store.list_payable(self.organization, of, *shard, after.as_ref()).await?;
            self.spend(page.reads);
            for payable in page.rows {
                if self.steps == 0 {
                    return self.pause().await;
                }
                if let Some(stopped) = self.take(payable).await? {
                    return Ok(stopped);
                }
            }
            let shard = self.row.position.shard;
            self.row.position = match page.next {
                after @ Some(_) => PayoutPosition { shard, after },
                None => PayoutPosition { shard: shard.saturating_add(1), after: None },
            };
        }
        let (status, opened_at) = (BatchStatus::Open, Some(self.deps.clock.now()));
        self.finish(PayoutBatchRow { status, opened_at, ..self.row.clone() }).await
    }

    /// Makes a participant's line, from the beginning when something of it changed meanwhile; answers why not to go on.
    async fn take(&mut self, mut payable: Payable) -> Result<Option<Progress>, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            self.spend(1);
            let invoices = &payable.invoices;
            let totals: Vec<i64> = invoices.iter().map(|invoice| invoice.total).collect();
            let past = self.row.past(&payable.participant);
            match decide(&totals, self.row.minimum).map_err(too_large)? {
                Verdict::Nothing => {
                    self.row = past;
                    return Ok(None);
                }
                Verdict::LeaveOut { amount } => {
                    self.row = past.without(amount).ok_or_else(|| too_large(MoneyError::Overflow))?;
                    return Ok(None);
                }
                Verdict::Pay { invoices: count, amount } => {
                    let next =
                        past.with_line(count, amount).ok_or_else(|| too_large(MoneyError::Overflow))?;
                    let (invoices, _) = invoices.split_at_checked(count).unwrap_or((invoices, &[]));
                    let line = self.line(&payable, invoices, amount).await?;
                    let store = &self.deps.store;
                    if store.commit_payout_line(self.organization, &next, &line, invoices).await? {
                        self.row = next.written();
                        return Ok(None);
                    }
                }
            }
            if self.is_taken().await? {
                return Ok(Some(Progress::Taken));
            }
            let of = (&self.row.program, self.row.currency);
            (payable, _) = self.deps.store.payable_of(self.organization, of, &payable.participant).await?;
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    async fn line(
        &self,
        payable: &Payable,
        invoices: &[PartnerInvoiceRow],
        amount: i64,
    ) -> Result<PayoutLineRow, StoreError> {
        let participant = self.deps.store.find_participant(self.organization, &payable.participant).await?;
        let participant = participant
            .ok_or_else(|| StoreError::Corrupt { detail: format!("there is no {}", payable.participant) })?;
        Ok(PayoutLineRow {
            line: PayoutLineId::of(&self.row.batch, &payable.participant),
            participant: payable.participant.clone(),
            external_id: participant.external_id,
            amount,
            currency: self.row.currency,
            invoices: invoices.iter().map(|invoice| invoice.invoice.clone()).collect(),
            status: LineStatus::Pending,
            reference: None,
            marked: None,
            created_at: self.deps.clock.now(),
        })
    }

    /// Frees the invoices of a batch that is cancelled.
    async fn free(&mut self) -> Result<Progress, StoreError> {
        let (store, organization) = (&self.deps.store, self.organization);
        loop {
            let after = self.row.position.after.as_ref();
            let lines = store.payout_lines_after(organization, &self.row.batch, after, PAGE).await?;
            self.spend(1);
            if lines.is_empty() {
                return self
                    .finish(PayoutBatchRow { status: BatchStatus::Cancelled, ..self.row.clone() })
                    .await;
            }
            for line in lines {
                if self.steps == 0 {
                    return self.pause().await;
                }
                let past = self.row.past(&line.participant);
                // Those that failed have freed theirs.
                if line.status != LineStatus::Pending {
                    self.row = past;
                    continue;
                }
                self.spend(1);
                let invoices = store.invoices_of_line(organization, &line).await?;
                let line = PayoutLineRow { status: LineStatus::Cancelled, ..line };
                if !store.commit_cancelled_line(organization, &past, &line, &invoices).await? {
                    let is_taken = self.is_taken().await?;
                    let contended = Err(StoreError::Contended { attempts: 1 });
                    return if is_taken { Ok(Progress::Taken) } else { contended };
                }
                self.row = past.written();
            }
        }
    }
}

fn too_large(error: MoneyError) -> StoreError {
    StoreError::Corrupt { detail: error.to_string() }
}
