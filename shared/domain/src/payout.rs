//! Payout batches: which finalized partner invoices are paid out together, and what may become of a batch and its lines.
//!
//! A batch has one line for each participant. A line pays invoices of the participant's that are finalized and stand in no
//! other batch; from then on they belong to the line, until it is paid, or is not and frees them for the next batch.
//!
//! | line | its invoices |
//! |---|---|
//! | `pending` | finalized, and in the batch |
//! | `paid` | paid, and in the batch for good |
//! | `failed`, `cancelled` | free |

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::billing::InvoiceStatus;
use crate::money::MoneyError;

/// Most invoices of a line; the store takes 100 rows in one transaction, and the line and its batch are two more.
pub const INVOICES_MAX: usize = 90;

/// Where a payout batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// Invoices are still being put into it.
    Assembling,
    /// Complete: it can be exported, and its lines can be marked.
    Open,
    /// Every line is paid or failed.
    Closed,
    /// Its invoices are being freed.
    Cancelling,
    /// Taken out of the world: its invoices are in later batches.
    Cancelled,
}

impl BatchStatus {
    /// The status as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assembling => "assembling",
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status with regard to the lines: an open batch is closed by its last mark.
    #[must_use]
    pub const fn with_lines(self, lines: u64, settled: u64) -> Self {
        match self {
            Self::Open if settled >= lines => Self::Closed,
            Self::Assembling | Self::Open | Self::Closed | Self::Cancelling | Self::Cancelled => self,
        }
    }

    /// What it means to cancel a batch of this status, of whose lines so many are paid.
    #[must_use]
    pub const fn cancel(self, paid: u64) -> Step<Self> {
        match self {
            Self::Assembling => Step::Becomes(Self::Cancelling),
            Self::Open if paid == 0 => Step::Becomes(Self::Cancelling),
            Self::Cancelling | Self::Cancelled => Step::Already,
            Self::Open | Self::Closed => Step::Refused,
        }
    }

    /// Whether a batch of this status can be exported.
    #[must_use]
    pub const fn is_exportable(self) -> bool {
        matches!(self, Self::Open | Self::Closed)
    }
}

/// What something that is done means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<T> {
    /// It becomes this.
    Becomes(T),
    /// It is so already.
    Already,
    /// It cannot be done.
    Refused,
}

/// Where a line of a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineStatus {
    /// To be paid.
    Pending,
    /// Paid; nothing changes any more.
    Paid,
    /// It could not be paid: its invoices are free for the next batch.
    Failed,
    /// Its batch was cancelled: its invoices are free for the next batch.
    Cancelled,
}

/// What became of a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It arrived.
    Paid,
    /// It did not.
    Failed,
}

impl LineStatus {
    /// The status as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Where the invoices of a line of this status stand, which belong to it; `None` where they are free.
    #[must_use]
    pub const fn invoices(self) -> Option<InvoiceStatus> {
        match self {
            Self::Pending => Some(InvoiceStatus::Finalized),
            Self::Paid => Some(InvoiceStatus::Paid),
            Self::Failed | Self::Cancelled => None,
        }
    }

    /// What a mark means for a line of this status; `is_same` says whether the line names the mark's reference.
    #[must_use]
    pub const fn step(self, mark: Mark, is_same: bool) -> Step<Self> {
        match (self, mark) {
            (Self::Pending, Mark::Paid) => Step::Becomes(Self::Paid),
            (Self::Pending, Mark::Failed) => Step::Becomes(Self::Failed),
            (Self::Paid, Mark::Paid) | (Self::Failed, Mark::Failed) if is_same => Step::Already,
            (Self::Paid | Self::Failed | Self::Cancelled, Mark::Paid | Mark::Failed) => Step::Refused,
        }
    }
}

/// What is to be done about a participant's invoices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There are none.
    Nothing,
    /// The first of them become a line.
    Pay {
        /// How many.
        invoices: usize,
        /// What these come to, in minor units.
        amount: i64,
    },
    /// They come to less than the minimum, and wait for the next batch.
    LeaveOut {
        /// What they come to, in minor units.
        amount: i64,
    },
}

/// Decides on a participant's invoices, oldest first, by their totals in minor units. All of them count towards the minimum,
/// also those that the line has no room for.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn decide(totals: &[i64], minimum: i64) -> Result<Verdict, MoneyError> {
    let all = total(totals)?;
    if totals.is_empty() {
        return Ok(Verdict::Nothing);
    }
    if all < minimum {
        return Ok(Verdict::LeaveOut { amount: all });
    }
    let (first, _) = totals.split_at_checked(INVOICES_MAX).unwrap_or((totals, &[]));
    Ok(Verdict::Pay { invoices: first.len(), amount: total(first)? })
}

fn total(totals: &[i64]) -> Result<i64, MoneyError> {
    totals.iter().try_fold(0_i64, |sum, total| sum.checked_add(*total)).ok_or(MoneyError::Overflow)
}

#[cfg(test)]
#[path = "payout_tests.rs"]
mod tests;
