//! What is known of one source (an invoice): a state that events only ever join.
//!
//! Every event is itself a small [`SourceState`]. Joining is commutative, associative and idempotent, so any
//! permutation of the same events, with duplicates, ends in the same state:
//!
//! | part | joined by |
//! |---|---|
//! | paid amounts | maximum; the earliest moment of payment |
//! | refunds, disputes | a map by their own id; amount by maximum, status by rank |
//! | cumulative refunded figure of a charge | maximum |
//! | void | or |
//!
//! `refunded = max(per charge: max(sum of refunds not failed, cumulative - sum of failed), sum of refunds not failed)`:
//! a charge's cumulative figure is evidence of refunds whose own events have not been seen.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{ProcessorRef, ProgramId};
use crate::money::{Currency, Money, Unit};

/// Most refunds and most disputes kept for one source; far above what a processor allows on one charge.
pub const REVERSALS_MAX: usize = 200;

/// Most labels kept for one source.
pub const LABELS_MAX: usize = 64;
/// Longest label, in bytes.
pub const LABEL_BYTES_MAX: usize = 100;

/// The payment of an invoice, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Paid so far, in minor units.
    pub amount: i64,
    /// The invoice's total including tax, where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// The invoice's total without tax, where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_excluding_tax: Option<i64>,
    /// When it was paid (business time).
    pub paid_at: DateTime<Utc>,
}

/// How far a refund has come; the rank only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// Requested; counts as refunded.
    Pending,
    /// The money went back.
    Succeeded,
    /// It did not go back after all (failed or cancelled); counts for nothing.
    Failed,
}

/// One refund of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Minor units.
    pub amount: i64,
    /// How far it has come.
    pub status: RefundStatus,
    /// The charge or payment that it belongs to, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<ProcessorRef>,
}

/// How a dispute stands; the rank only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    /// The money is withheld.
    Open,
    /// The money came back.
    Won,
    /// The money is gone.
    Lost,
}

/// One dispute of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Minor units.
    pub amount: i64,
    /// How it stands.
    pub status: DisputeStatus,
}

/// What a referred partner was paid, made and turned over. A later revision replaces an earlier one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutFigures {
    /// Which version of the record this is; the highest counts.
    #[serde(default)]
    pub revision: u32,
    /// What the partner was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout: Option<i64>,
    /// What the network made of the partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profit: Option<i64>,
    /// What the partner turned over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revenue: Option<i64>,
}

/// What stands of the reward that a second-level reward is taken of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earned {
    /// The reward's lines so far; the highest count has the newest figure.
    pub lines: u32,
    /// Its opening entry.
    pub gross: i64,
    /// What stands of it.
    pub net: i64,
    /// Its unit.
    pub unit: Unit,
    /// The program that it was earned in.
    pub program: ProgramId,
}

/// What an event is about, by key: `plan`, `product`, `country`, `metadata.<key>`.
pub type Labels = BTreeMap<String, BTreeSet<String>>;

/// Everything that is known of one source; the join of all its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// The invoice's currency, once any event has named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// The payment; absent while only refunds are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
    /// Refunds by their own id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refunds: BTreeMap<ProcessorRef, Refund>,
    /// Highest cumulative refunded figure seen of each charge.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refunded_by_charge: BTreeMap<ProcessorRef, i64>,
    /// Disputes by their own id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub disputes: BTreeMap<ProcessorRef, Dispute>,
    /// Whether the invoice was voided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub voided: bool,
    /// What it is about.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Labels,
    /// The figures of a payout record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout: Option<PayoutFigures>,
    /// What stands of a reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earned: Option<Earned>,
}

/// An event that cannot belong to the source it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The source is in another currency.
    #[error("the invoice is in {known}, not in {given}")]
    CurrencyMismatch {
        /// Currency of what is known.
        known: Currency,
        /// Currency of the event.
        given: Currency,
    },
    /// More than [`REVERSALS_MAX`] refunds or disputes.
    #[error("an invoice can have at most {REVERSALS_MAX} refunds and as many disputes")]
    TooManyReversals,
    /// More than [`LABELS_MAX`] labels.
    #[error("an event can have at most {LABELS_MAX} plans, products, countries and metadata values")]
    TooManyLabels,
}

impl SourceState {
    /// Something that happened, with or without an amount: a sign-up, a qualifying event.
    #[must_use]
    pub fn happened(at: DateTime<Utc>, amount: Option<(i64, Currency)>) -> Self {
        let payment = Payment {
            amount: amount.map_or(0, |(amount, _)| amount),
            total: None,
            total_excluding_tax: None,
            paid_at: at,
        };
        Self { currency: amount.map(|(_, currency)| currency), payment: Some(payment), ..Self::default() }
    }

    /// A payment.
    #[must_use]
    pub fn paid(currency: Currency, payment: Payment) -> Self {
        Self { currency: Some(currency), payment: Some(payment), ..Self::default() }
    }

    /// One refund.
    #[must_use]
    pub fn refund(currency: Currency, id: ProcessorRef, refund: Refund) -> Self {
        Self { currency: Some(currency), refunds: BTreeMap::from([(id, refund)]), ..Self::default() }
    }

    /// The cumulative refunded figure of a charge.
    #[must_use]
    pub fn refunded(currency: Currency, charge: ProcessorRef, cumulative: i64) -> Self {
        let refunded_by_charge = BTreeMap::from([(charge, cumulative)]);
        Self { currency: Some(currency), refunded_by_charge, ..Self::default() }
    }

    /// One dispute.
    #[must_use]
    pub fn dispute(currency: Currency, id: ProcessorRef, dispute: Dispute) -> Self {
        Self { currency: Some(currency), disputes: BTreeMap::from([(id, dispute)]), ..Self::default() }
    }

    /// Whether nothing is known yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The join of what is known with what an event says.
    ///
    /// # Errors
    /// [`MergeError`]; nothing is joined then.
    pub fn merge(&self, event: &Self) -> Result<Self, MergeError> {
        if let (Some(known), Some(given)) = (self.currency, event.currency)
            && known != given
        {
            return Err(MergeError::CurrencyMismatch { known, given });
        }
        let mut joined = self.clone();
        joined.currency = self.currency.or(event.currency);
        joined.payment = join_payment(self.payment.as_ref(), event.payment.as_ref());
        for (id, refund) in &event.refunds {
            let known = joined.refunds.entry(id.clone()).or_insert_with(|| refund.clone());
            known.amount = known.amount.max(refund.amount);
            known.status = known.status.max(refund.status);
            known.charge = known.charge.clone().max(refund.charge.clone());
        }
        for (charge, cumulative) in &event.refunded_by_charge {
            let known = joined.refunded_by_charge.entry(charge.clone()).or_insert(*cumulative);
            *known = (*known).max(*cumulative);
        }
        for (id, dispute) in &event.disputes {
            let known = joined.disputes.entry(id.clone()).or_insert_with(|| dispute.clone());
            known.amount = known.amount.max(dispute.amount);
            known.status = known.status.max(dispute.status);
        }
        joined.voided |= event.voided;
        for (key, values) in &event.labels {
            joined.labels.entry(key.clone()).or_default().extend(values.iter().cloned());
        }
        if joined.labels.values().map(BTreeSet::len).sum::<usize>() > LABELS_MAX {
            return Err(MergeError::TooManyLabels);
        }
        joined.payout = join_payout(self.payout.as_ref(), event.payout.as_ref());
        joined.earned = match (&self.earned, &event.earned) {
            (Some(a), Some(b)) if b.lines > a.lines => Some(b.clone()),
            (known, told) => known.as_ref().or(told.as_ref()).cloned(),
        };
        let fits = [joined.refunds.len(), joined.refunded_by_charge.len(), joined.disputes.len()]
            .iter()
            .all(|count| *count <= REVERSALS_MAX);
        if fits { Ok(joined) } else { Err(MergeError::TooManyReversals) }
    }

    /// Minor units given back so far, by the formula of the module's documentation; never negative.
    #[must_use]
    pub fn refunded_amount(&self) -> i64 {
        let counts = |refund: &&Refund| refund.status != RefundStatus::Failed;
        let everything = total(self.refunds.values().filter(counts).map(|refund| refund.amount));
        let mut charges: Vec<&ProcessorRef> = self.refunded_by_charge.keys().collect();
        charges.extend(self.refunds.values().filter_map(|refund| refund.charge.as_ref()));
        charges.sort_unstable();
        charges.dedup();
        let by_charge = total(charges.into_iter().map(|charge| {
            let of_charge = || self.refunds.values().filter(|refund| refund.charge.as_ref() == Some(charge));
            let known = total(of_charge().filter(counts).map(|refund| refund.amount));
            let failed = total(
                of_charge()
                    .filter(|refund| refund.status == RefundStatus::Failed)
                    .map(|refund| refund.amount),
            );
            let cumulative = self.refunded_by_charge.get(charge).copied().unwrap_or(0);
            known.max(cumulative.saturating_sub(failed))
        }));
        everything.max(by_charge).max(0)
    }

    /// Minor units that disputes withhold: those open or lost.
    #[must_use]
    pub fn disputed_amount(&self) -> i64 {
        total(self.disputes.values().filter(|dispute| dispute.status != DisputeStatus::Won).map(|d| d.amount))
    }

    /// What of the payment stands: paid less refunded less disputed, zero when voided, never negative.
    #[must_use]
    pub fn standing_amount(&self) -> i64 {
        let Some(payment) = self.payment.as_ref().filter(|_| !self.voided) else { return 0 };
        let taken = self.refunded_amount().saturating_add(self.disputed_amount());
        payment.amount.saturating_sub(taken).max(0)
    }

    /// Whether it is a reward that was earned in another program.
    #[must_use]
    pub fn is_earned_elsewhere(&self, program: &ProgramId) -> bool {
        self.earned.as_ref().is_some_and(|earned| earned.program != *program)
    }

    /// Whether the event stands: what was paid has not gone back in full, and it was not cancelled. An event without an
    /// amount stands until it is cancelled.
    #[must_use]
    pub fn stands(&self) -> bool {
        let Some(payment) = self.payment.as_ref().filter(|_| !self.voided) else { return false };
        payment.amount == 0 || self.standing_amount() > 0
    }

    /// The payment as money, once it is known.
    #[must_use]
    pub fn paid_money(&self) -> Option<Money> {
        Some(Money::new(self.payment.as_ref()?.amount, self.currency?))
    }
}

/// Sums figures that are each bounded by `money::AMOUNT_MAX` and at most a few hundred in number.
fn total(amounts: impl Iterator<Item = i64>) -> i64 {
    amounts.fold(0, i64::saturating_add)
}

fn join_payout(known: Option<&PayoutFigures>, event: Option<&PayoutFigures>) -> Option<PayoutFigures> {
    let (Some(a), Some(b)) = (known, event) else { return known.or(event).cloned() };
    match a.revision.cmp(&b.revision) {
        std::cmp::Ordering::Greater => Some(a.clone()),
        std::cmp::Ordering::Less => Some(b.clone()),
        std::cmp::Ordering::Equal => Some(PayoutFigures {
            revision: a.revision,
            payout: a.payout.max(b.payout),
            profit: a.profit.max(b.profit),
            revenue: a.revenue.max(b.revenue),
        }),
    }
}

fn join_payment(known: Option<&Payment>, event: Option<&Payment>) -> Option<Payment> {
    let (Some(a), Some(b)) = (known, event) else { return known.or(event).cloned() };
    Some(Payment {
        amount: a.amount.max(b.amount),
        total: a.total.max(b.total),
        total_excluding_tax: a.total_excluding_tax.max(b.total_excluding_tax),
        paid_at: a.paid_at.min(b.paid_at),
    })
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
