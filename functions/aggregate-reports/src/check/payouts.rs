//! Payout batches, one after the other: each against its lines, each line against its invoices.

use aws::store::{CheckPosition, PayoutBatchRow, PayoutLineRow, PayoutWalk, StoreError};
use domain::audit::{self, Finding, PayoutSums};

use super::Worker;
use super::looks::{certain, or_unreadable};

/// Lines that are looked at together.
const PAGE: i32 = 25;

impl Worker<'_> {
    /// The next batch, or some lines of the one that it is at.
    pub(super) async fn look_at_payouts(
        &mut self,
        cursor: Option<String>,
        walk: Option<Box<PayoutWalk>>,
    ) -> Result<bool, StoreError> {
        self.row.position = match walk {
            Some(walk) => self.look_at_lines(cursor, walk).await?,
            None => {
                let page =
                    self.deps.store.list_payout_batches(self.organization, cursor.as_deref(), 1).await?;
                self.spend(2);
                let walk = |batch| Box::new(PayoutWalk { batch, after: None, sums: PayoutSums::default() });
                match page.rows.into_iter().next() {
                    Some(batch) => CheckPosition::Payouts { cursor: page.next, walk: Some(walk(batch)) },
                    None => CheckPosition::Due { shard: 0, after: None },
                }
            }
        };
        Ok(true)
    }

    async fn look_at_lines(
        &mut self,
        cursor: Option<String>,
        mut walk: Box<PayoutWalk>,
    ) -> Result<CheckPosition, StoreError> {
        let (store, organization) = (&self.deps.store, self.organization);
        let batch = walk.batch.batch.clone();
        let lines = store.payout_lines_after(organization, &batch, walk.after.as_ref(), PAGE).await;
        self.spend(1);
        let lines = match lines {
            Err(StoreError::Corrupt { detail }) => {
                self.note(vec![Finding::unreadable(format!("payout-batch/{batch}"), detail)]);
                return Ok(self.after_batch(cursor));
            }
            lines => lines?,
        };
        if lines.is_empty() {
            // What was written meanwhile may be in the lines and not in the batch, or the other way round.
            let found = self.deps.store.find_payout_batch(self.organization, &batch).await?;
            if found.is_some_and(|found| found == walk.batch) {
                let finding = audit::payout_batch(&batch, &sums_of(&walk.batch), &walk.sums);
                self.note(finding.into_iter().collect());
            }
            return Ok(self.after_batch(cursor));
        }
        for line in lines {
            let (amount, invoices) = line.says();
            walk.sums.add(line.status, amount, invoices);
            walk.after = Some(line.participant.clone());
            self.look_at_line(&walk.batch, line).await?;
        }
        Ok(CheckPosition::Payouts { cursor, walk: Some(walk) })
    }

    /// Counts a batch and goes on to the next.
    fn after_batch(&mut self, cursor: Option<String>) -> CheckPosition {
        self.row.counts.payout_batches = self.row.counts.payout_batches.saturating_add(1);
        match cursor {
            Some(_) => CheckPosition::Payouts { cursor, walk: None },
            None => CheckPosition::Due { shard: 0, after: None },
        }
    }

    async fn look_at_line(&mut self, batch: &PayoutBatchRow, line: PayoutLineRow) -> Result<(), StoreError> {
        let (store, organization, batch) = (&self.deps.store, self.organization, &batch.batch);
        let look = async |again: bool| {
            let mut line = line.clone();
            if again {
                let found = store.find_payout_line(organization, batch, &line.participant).await?;
                line = found.unwrap_or(line);
            }
            if line.status.invoices().is_none() {
                return Ok(Vec::new());
            }
            let held = line.held(batch, &store.invoices_of_line(organization, &line).await?);
            Ok(audit::payout_line(&line.line, line.says(), held).into_iter().collect::<Vec<Finding>>())
        };
        let findings = or_unreadable(certain(look).await, || format!("payout-line/{}", line.line))?;
        self.note(findings);
        self.spend(1);
        Ok(())
    }
}

/// What a batch says that its lines come to.
const fn sums_of(batch: &PayoutBatchRow) -> PayoutSums {
    PayoutSums {
        lines: (batch.total, batch.lines),
        invoices: batch.invoices,
        paid: (batch.paid_total, batch.paid_lines),
        failed: (batch.failed_total, batch.failed_lines),
    }
}
