//! Payout batches against their lines, and lines against their invoices.

use serde::{Deserialize, Serialize};

use super::{Finding, FindingCode, Sum};
use crate::id::{PayoutBatchId, PayoutLineId};
use crate::payout::LineStatus;

/// What the lines of a payout batch come to, or what the batch says that they do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutSums {
    /// All of them.
    pub lines: Sum,
    /// Their invoices.
    pub invoices: u64,
    /// Those that are paid.
    pub paid: Sum,
    /// Those that failed.
    pub failed: Sum,
}

impl PayoutSums {
    /// Adds a line.
    pub fn add(&mut self, status: LineStatus, amount: i64, invoices: u64) {
        let add = |(sum, lines): &mut Sum| {
            *sum = sum.saturating_add(amount);
            *lines = lines.saturating_add(1);
        };
        add(&mut self.lines);
        self.invoices = self.invoices.saturating_add(invoices);
        match status {
            LineStatus::Paid => add(&mut self.paid),
            LineStatus::Failed => add(&mut self.failed),
            LineStatus::Pending | LineStatus::Cancelled => {}
        }
    }

    fn in_words(&self) -> String {
        let text = |(amount, lines): Sum| format!("{amount} in {lines} lines");
        let (lines, paid, failed) = (text(self.lines), text(self.paid), text(self.failed));
        format!("{lines} of {} invoices; {paid} paid, {failed} failed", self.invoices)
    }
}

/// What is wrong with a payout batch.
#[must_use]
pub fn payout_batch(batch: &PayoutBatchId, says: &PayoutSums, lines: &PayoutSums) -> Option<Finding> {
    (says != lines).then(|| {
        let row = format!("payout-batch/{batch}");
        let code = FindingCode::PayoutMismatch;
        Finding::new(code, row, "its lines", lines.in_words(), says.in_words())
    })
}

/// What is wrong with a line that is pending or paid: its amount and how many invoices it names, against those that name its
/// batch and stand as it does.
#[must_use]
pub fn payout_line(line: &PayoutLineId, says: Sum, held: Sum) -> Option<Finding> {
    (says != held).then(|| {
        let text = |(amount, invoices): Sum| format!("{amount} in {invoices} invoices");
        let row = format!("payout-line/{line}");
        Finding::new(FindingCode::PayoutMismatch, row, "its invoices", text(held), text(says))
    })
}
