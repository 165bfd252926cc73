//! Billing runs: one participant after the other, some of them for each message.
//!
//! A run can stop anywhere and be gone on with by anybody: who is done is noted in the transaction that counts it, lines are
//! marked in the transaction that puts them onto an invoice, and the run's row is written under its version by all of these.
//! So two workers at one run never both go on, and whatever is done again finds nothing to do.

use std::collections::BTreeSet;

use aws::batch::Outcome;
use aws::handler::chain;
use aws::store::keys::DAY_SHARDS;
use aws::store::{
    BillingRunRow, Carried, Open, Page, PartnerInvoiceRow, Position, RunInvoice, RunStatus, StoreError,
};
use domain::billing::{InvoiceStatus, Unbilled, Verdict, decide, next_chunk, total};
use domain::id::{BillingRunId, OrganizationId, ParticipantId};
use domain::ledger::Note;
use domain::message::ReportMessage;
use domain::money::{Currency, Money, MoneyError};

use crate::Deps;
use crate::progress::{self, Progress};

/// What one message may cost, in steps of a few calls to the table: some seconds, so that a batch of ten messages ends long
/// before the function's time does.
const STEPS: u32 = 60;
/// Participants, or lines of the day index, read at a time.
const PAGE: i32 = 50;
/// How many transactions of lines follow one look at a participant at least, however long its ledger is: reading it again for
/// each of them would take for ever.
const CHUNKS_MIN: usize = 40;
/// How often a participant is read again when something of it changed meanwhile.
const ATTEMPTS_MAX: u32 = 8;

/// One worker at one run.
struct Worker<'a> {
    deps: &'a Deps,
    organization: &'a OrganizationId,
    row: BillingRunRow,
    steps: u32,
}

/// Goes on with a run where the last worker stopped.
pub(crate) async fn go_on(deps: &Deps, organization: &OrganizationId, run: &BillingRunId) -> Outcome {
    let row = match deps.store.find_billing_run(organization, run).await {
        Ok(Some(row)) => row,
        Ok(None) => return Outcome::Poison(format!("there is no {run}")),
        Err(error) => return Outcome::Retry(chain(&error)),
    };
    if row.status == RunStatus::Done {
        return Outcome::Done;
    }
    let mut worker = Worker { deps, organization, row, steps: STEPS };
    let more = ReportMessage::BillingRunDueV1 { organization: organization.clone(), run: run.clone() };
    progress::outcome(deps, worker.work().await, more).await
}

impl Worker<'_> {
    async fn work(&mut self) -> Result<Progress, StoreError> {
        loop {
            let page = match self.page().await? {
                Some(page) => page,
                None => return self.finish().await,
            };
            self.spend(1);
            match self.bill_all(&page.rows).await? {
                Progress::Done => self.advance(page.next),
                Progress::Paused => return self.pause().await,
                Progress::Taken => return Ok(Progress::Taken),
            }
            if self.steps == 0 {
                return self.pause().await;
            }
        }
    }

    /// The next participants to look at; none when all have been.
    async fn page(&self) -> Result<Option<Page<ParticipantId>>, StoreError> {
        let (store, organization, program) = (&self.deps.store, self.organization, &self.row.program);
        match &self.row.position {
            Position::Carried { after } => {
                store.list_carried(organization, program, after.as_deref(), PAGE).await.map(Some)
            }
            Position::Days { day, .. } if *day > self.row.period.to => Ok(None),
            Position::Days { day, shard, after } => {
                let place = (*day, *shard);
                let page = store.list_day_participants(organization, program, place, after.as_deref(), PAGE);
                page.await.map(Some)
            }
        }
    }

    /// Goes to the next page.
    fn advance(&mut self, next: Option<String>) {
        self.row.position = match (&self.row.position, next) {
            (Position::Carried { .. }, Some(next)) => Position::Carried { after: Some(next) },
            (Position::Carried { .. }, None) => {
                Position::Days { day: self.row.first_day, shard: 0, after: None }
            }
            (Position::Days { day, shard, .. }, Some(next)) => {
                Position::Days { day: *day, shard: *shard, after: Some(next) }
            }
            (Position::Days { day, shard, .. }, None) => {
                let shard = shard.saturating_add(1);
                let (day, shard) = if shard < DAY_SHARDS {
                    (*day, shard)
                } else {
                    (day.succ_opt().unwrap_or(chrono::NaiveDate::MAX), 0)
                };
                Position::Days { day, shard, after: None }
            }
        };
    }

    fn spend(&mut self, steps: u32) {
        self.steps = self.steps.saturating_sub(steps);
    }

    async fn pause(&mut self) -> Result<Progress, StoreError> {
        let written = self.deps.store.commit_run(self.organization, &self.row).await?;
        Ok(if written { Progress::Paused } else { Progress::Taken })
    }

    async fn finish(&mut self) -> Result<Progress, StoreError> {
        let written = self.deps.store.finish_run(self.organization, &self.row, self.row.through()).await?;
        if written {
            let (run, row) = (&self.row.run, &self.row);
            tracing::info!(%run, row.dry_run, row.participants, row.invoices, row.lines, "billed");
        }
        Ok(if written { Progress::Done } else { Progress::Taken })
    }

    async fn bill_all(&mut self, participants: &[ParticipantId]) -> Result<Progress, StoreError> {
        let unseen = self.deps.store.list_unseen(self.organization, &self.row, participants).await?;
        for carried in unseen {
            if self.steps == 0 {
                return Ok(Progress::Paused);
            }
            match self.bill(carried).await? {
                Progress::Done => {}
                stopped @ (Progress::Paused | Progress::Taken) => return Ok(stopped),
            }
        }
        Ok(Progress::Done)
    }

    /// Bills one participant, from the beginning when something of it changed meanwhile.
    async fn bill(&mut self, mut carried: Carried) -> Result<Progress, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            self.spend(1);
            match self.try_to_bill(&carried).await? {
                Some(progress) => return Ok(progress),
                None => {
                    let found = self.deps.store.find_billing_run(self.organization, &self.row.run).await?;
                    if found.is_none_or(|found| found.version != self.row.version) {
                        return Ok(Progress::Taken);
                    }
                    let again = std::slice::from_ref(&carried.participant);
                    let again = self.deps.store.list_unseen(self.organization, &self.row, again).await?;
                    let Some(again) = again.into_iter().next() else { return Ok(Progress::Done) };
                    carried = again;
                }
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    /// `None` when a race was lost.
    async fn try_to_bill(&mut self, carried: &Carried) -> Result<Option<Progress>, StoreError> {
        let store = &self.deps.store;
        let open = store.read_open_lines(self.organization, &carried.participant, &self.row.run).await?;
        let Open { account, mut of_run, reads } = open;
        self.spend(reads.saturating_sub(2));
        let due = account.due(self.row.period.ends_at(), self.row.horizon);
        let (mut is_left, mut not_above_zero) = (due.waits, 0_u64);
        let mut rehearsed = self.row.clone();
        let mut lines = due.lines;
        let currencies: BTreeSet<Currency> = lines.keys().chain(of_run.keys()).copied().collect();
        for currency in currencies {
            let lines = lines.remove(&currency).unwrap_or_default();
            let known = of_run.remove(&currency);
            if known.as_ref().is_some_and(|known| known.status != InvoiceStatus::Assembling) {
                // The run is done with this currency: what has come up since is for the next one.
                is_left |= !lines.is_empty();
                continue;
            }
            let rest = total(&lines).map_err(too_large)?;
            let begun = known.as_ref().map(|known| known.total);
            let now = self.deps.clock.now();
            let invoice = known
                .unwrap_or_else(|| PartnerInvoiceRow::new(&self.row, &carried.participant, currency, now));
            match decide(begun, rest).map_err(too_large)? {
                Verdict::Bill if self.row.dry_run => {
                    rehearsed = self.rehearse(&rehearsed, &invoice, (rest, lines.len())).await?;
                }
                Verdict::Bill => match self.put_on(invoice, &lines).await? {
                    Some(Progress::Done) => {}
                    stopped @ (None | Some(Progress::Paused | Progress::Taken)) => return Ok(stopped),
                },
                Verdict::Wait => {
                    not_above_zero = not_above_zero.saturating_add(1);
                    is_left = true;
                }
                Verdict::Abandon => {
                    if !self.abandon(invoice).await? {
                        return Ok(None);
                    }
                    not_above_zero = not_above_zero.saturating_add(1);
                    is_left = true;
                }
            }
        }
        let before = if self.row.dry_run { rehearsed } else { self.row.clone() };
        let next = BillingRunRow {
            participants: before.participants.saturating_add(1),
            waiting: before.waiting.saturating_add(u64::from(due.waits)),
            not_above_zero: before.not_above_zero.saturating_add(not_above_zero),
            ..before
        };
        if !self.deps.store.finish_participant(self.organization, &next, carried, is_left).await? {
            return Ok(None);
        }
        self.written(next);
        Ok(Some(Progress::Done))
    }

    fn written(&mut self, row: BillingRunRow) {
        self.row = BillingRunRow { version: row.version.saturating_add(1), ..row };
    }

    async fn rehearse(
        &self,
        row: &BillingRunRow,
        invoice: &PartnerInvoiceRow,
        (total, lines): (i64, usize),
    ) -> Result<BillingRunRow, StoreError> {
        let lines = u32::try_from(lines).unwrap_or(u32::MAX);
        let preview = RunInvoice {
            invoice: invoice.invoice.clone(),
            participant: invoice.participant.clone(),
            total: Money::new(total, invoice.currency),
            lines,
        };
        self.deps.store.put_preview(self.organization, &row.run, &preview).await?;
        row.with_invoice(invoice.currency, total, lines).ok_or_else(|| too_large(MoneyError::Overflow))
    }

    /// Puts lines onto an invoice, as many at a time as one transaction takes; with the last ones it is complete. `None` when
    /// a race was lost.
    async fn put_on(
        &mut self,
        mut invoice: PartnerInvoiceRow,
        lines: &[Unbilled],
    ) -> Result<Option<Progress>, StoreError> {
        let overflow = || too_large(MoneyError::Overflow);
        let mut rest = lines;
        let mut chunks = 0_usize;
        loop {
            let (chunk, items, more) = next_chunk(rest).map_err(too_large)?;
            let sum = total(chunk).map_err(too_large)?;
            let mut next = invoice.with_lines(chunk.len(), sum).ok_or_else(overflow)?;
            let is_last = more.is_empty();
            let mut run = None;
            if is_last {
                next.status = InvoiceStatus::Draft;
                let counted = self.row.with_invoice(next.currency, next.total, next.lines);
                run = Some(counted.ok_or_else(overflow)?);
            }
            let store = &self.deps.store;
            let written =
                store.commit_invoice_lines(self.organization, &next, (chunk, &items), run.as_ref()).await?;
            if !written {
                return Ok(None);
            }
            if let Some(run) = run {
                self.written(run);
                return Ok(Some(Progress::Done));
            }
            invoice = PartnerInvoiceRow { version: next.version.saturating_add(1), ..next };
            rest = more;
            self.spend(1);
            chunks = chunks.saturating_add(1);
            if self.steps == 0 && chunks >= CHUNKS_MIN {
                return Ok(Some(Progress::Paused));
            }
        }
    }

    /// An invoice that was begun and must not be completed.
    async fn abandon(&self, invoice: PartnerInvoiceRow) -> Result<bool, StoreError> {
        let note = Note {
            actor: "billing".to_owned(),
            reason: "with the rest of its lines it came to nothing or less".to_owned(),
        };
        let voided = Some(aws::store::Act { at: self.deps.clock.now(), note });
        let void = PartnerInvoiceRow { status: InvoiceStatus::Void, voided, ..invoice };
        self.deps.store.commit_invoice_status(self.organization, &void, None).await
    }
}

fn too_large(error: MoneyError) -> StoreError {
    StoreError::Corrupt { detail: error.to_string() }
}
