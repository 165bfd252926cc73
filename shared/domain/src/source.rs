//! What is known of one source (an invoice): a state that events only ever join.
//!
//! Every event is itself a small [`SourceState`]. Joining is commutative, associative and idempotent, so any
//! permutation of the same events, with duplicates, ends in the same state:
//!
//! | part | joined by |
//! |---|---|
//! | paid amounts | maximum; the earliest moment of payment |
//! | refunds, credits, disputes | a map by their own id; amount by maximum, status by rank |
//! | cumulative refunded figure of a charge | maximum |
//! | what of a charge paid which invoice | a map by invoice; maximum |
//! | what was paid outside the processor | a map by its own id; maximum |
//! | lines | a map by their own id |
//! | void | or |
//!
//! `refunded = max(per charge: max(sum of refunds not failed, cumulative - sum of failed), sum of refunds not failed)`:
//! a charge's cumulative figure is evidence of refunds whose own events have not been seen. Of a charge that paid several
//! invoices, each bears its share by what the charge paid of it; the shares add up to the whole.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{ProcessorRef, ProgramId};
use crate::money::{AMOUNT_MAX, Currency, Money, Unit, split};

/// Most refunds, credits and disputes (of each) kept for one source; far above what a processor allows on one charge.
pub const REVERSALS_MAX: usize = 200;

/// Most labels kept for one source.
pub const LABELS_MAX: usize = 64;
/// Most lines kept for one source.
pub const LINES_MAX: usize = 100;
/// Most invoices that one payment is shared among.
pub const PARTS_MAX: usize = 50;
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
    /// The charge or payment that it is about, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<ProcessorRef>,
}

/// What one payment paid of which invoices, seen from one of them; kept only where there are several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The invoice that the source is.
    pub own: ProcessorRef,
    /// Minor units by invoice.
    pub amounts: BTreeMap<ProcessorRef, i64>,
}

/// A line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Minor units after discounts and without tax that is added on top; below zero for a credit.
    pub amount: i64,
    /// The plan or price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Whether it is for a part of a period, after a change of plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proration: bool,
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
    /// What was credited without a refund, by the credit's own id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub credits: BTreeMap<ProcessorRef, Refund>,
    /// Disputes by their own id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub disputes: BTreeMap<ProcessorRef, Dispute>,
    /// Payments that paid other invoices too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<ProcessorRef, Parts>,
    /// What of the payment was paid outside the processor, by its own id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub out_of_band: BTreeMap<ProcessorRef, i64>,
    /// The invoice's lines by their own id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<ProcessorRef, Line>,
    /// Whether those are all of its lines.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lines_complete: bool,
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
    /// More than [`REVERSALS_MAX`] refunds, credits or disputes.
    #[error("an invoice can have at most {REVERSALS_MAX} refunds, as many credits and as many disputes")]
    TooManyReversals,
    /// A payment that paid more than [`PARTS_MAX`] invoices, or an invoice of more payments outside the processor.
    #[error(
        "a payment can pay at most {PARTS_MAX} invoices, and an invoice can have as many payments from elsewhere"
    )]
    TooManyParts,
    /// More than [`LINES_MAX`] lines.
    #[error("an invoice can have at most {LINES_MAX} lines")]
    TooManyLines,
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

    /// One credit that is no refund; [`RefundStatus::Failed`] takes it back.
    #[must_use]
    pub fn credit(currency: Currency, id: ProcessorRef, amount: i64, status: RefundStatus) -> Self {
        let credit = Refund { amount, status, charge: None };
        Self { currency: Some(currency), credits: BTreeMap::from([(id, credit)]), ..Self::default() }
    }

    /// The invoice was voided; an event need not say its currency.
    #[must_use]
    pub fn void(currency: Option<Currency>) -> Self {
        Self { currency, voided: true, ..Self::default() }
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
        join_refunds(&mut joined.refunds, &event.refunds);
        join_refunds(&mut joined.credits, &event.credits);
        for (charge, cumulative) in &event.refunded_by_charge {
            let known = joined.refunded_by_charge.entry(charge.clone()).or_insert(*cumulative);
            *known = (*known).max(*cumulative);
        }
        for (id, dispute) in &event.disputes {
            let known = joined.disputes.entry(id.clone()).or_insert_with(|| dispute.clone());
            known.amount = known.amount.max(dispute.amount);
            known.status = known.status.max(dispute.status);
            known.charge = known.charge.clone().max(dispute.charge.clone());
        }
        joined.join_parts(event)?;
        joined.join_lines(event)?;
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
        let counts = [
            joined.refunds.len(),
            joined.credits.len(),
            joined.refunded_by_charge.len(),
            joined.disputes.len(),
        ];
        let fits = counts.iter().all(|count| *count <= REVERSALS_MAX);
        if fits { Ok(joined) } else { Err(MergeError::TooManyReversals) }
    }

    fn join_parts(&mut self, event: &Self) -> Result<(), MergeError> {
        for (payment, parts) in &event.parts {
            let known = self.parts.entry(payment.clone()).or_insert_with(|| parts.clone());
            for (invoice, amount) in &parts.amounts {
                let known = known.amounts.entry(invoice.clone()).or_insert(*amount);
                *known = (*known).max(*amount);
            }
        }
        for (id, amount) in &event.out_of_band {
            let known = self.out_of_band.entry(id.clone()).or_insert(*amount);
            *known = (*known).max(*amount);
        }
        let fits = self.parts.len().max(self.out_of_band.len()) <= PARTS_MAX
            && self.parts.values().all(|parts| parts.amounts.len() <= PARTS_MAX);
        if fits { Ok(()) } else { Err(MergeError::TooManyParts) }
    }

    fn join_lines(&mut self, event: &Self) -> Result<(), MergeError> {
        for (id, line) in &event.lines {
            let known = self.lines.entry(id.clone()).or_insert_with(|| line.clone());
            known.amount = known.amount.max(line.amount);
            known.plan = known.plan.clone().max(line.plan.clone());
            known.product = known.product.clone().max(line.product.clone());
            known.proration |= line.proration;
        }
        self.lines_complete |= event.lines_complete;
        if self.lines.len() <= LINES_MAX { Ok(()) } else { Err(MergeError::TooManyLines) }
    }

    /// Minor units given back so far, by the formula of the module's documentation; never negative.
    #[must_use]
    pub fn refunded_amount(&self) -> i64 {
        let counts = |refund: &&Refund| refund.status != RefundStatus::Failed;
        let unnamed = self.refunds.values().filter(|refund| refund.charge.is_none());
        let mut charges: Vec<&ProcessorRef> = self.refunded_by_charge.keys().collect();
        charges.extend(self.refunds.values().filter_map(|refund| refund.charge.as_ref()));
        charges.sort_unstable();
        charges.dedup();
        let (mut by_refund, mut by_charge) = (total(unnamed.filter(counts).map(|refund| refund.amount)), 0);
        for charge in charges {
            let of_charge = || self.refunds.values().filter(|refund| refund.charge.as_ref() == Some(charge));
            let known = total(of_charge().filter(counts).map(|refund| refund.amount));
            let failed = of_charge().filter(|refund| refund.status == RefundStatus::Failed);
            let failed = total(failed.map(|refund| refund.amount));
            let cumulative = self.refunded_by_charge.get(charge).copied().unwrap_or(0);
            let of_all = known.max(cumulative.saturating_sub(failed));
            by_refund = total([by_refund, self.own_part(Some(charge), known)].into_iter());
            by_charge = total([by_charge, self.own_part(Some(charge), of_all)].into_iter());
        }
        by_refund.max(by_charge).max(0)
    }

    /// Minor units credited without a refund.
    #[must_use]
    pub fn credited_amount(&self) -> i64 {
        let counts = |credit: &&Refund| credit.status != RefundStatus::Failed;
        total(self.credits.values().filter(counts).map(|credit| credit.amount))
    }

    /// Minor units that disputes withhold: those open or lost.
    #[must_use]
    pub fn disputed_amount(&self) -> i64 {
        let withheld = self.disputes.values().filter(|dispute| dispute.status != DisputeStatus::Won);
        total(withheld.map(|dispute| self.own_part(dispute.charge.as_ref(), dispute.amount)))
    }

    /// What of an amount of a payment falls on this source: all of it, unless the payment paid other invoices too.
    fn own_part(&self, charge: Option<&ProcessorRef>, amount: i64) -> i64 {
        let Some(parts) = charge.and_then(|charge| self.parts.get(charge)) else { return amount };
        let known = parts.amounts.values().any(|paid| *paid > 0);
        let weight = |paid: &i64| if known { u64::try_from(*paid).unwrap_or_default() } else { 1 };
        let weights: Vec<u64> = parts.amounts.values().map(weight).collect();
        // Amounts and weights are bounded, so the split cannot fail; all of it is the safe side.
        let shares = split(amount.clamp(0, AMOUNT_MAX), &weights).unwrap_or_default();
        let own = parts.amounts.keys().zip(shares).find(|(invoice, _)| **invoice == parts.own);
        own.map_or(amount, |(_, share)| share)
    }

    /// Minor units of the payment that were paid outside the processor.
    #[must_use]
    pub fn out_of_band_amount(&self) -> i64 {
        let paid = self.payment.as_ref().map_or(0, |payment| payment.amount);
        total(self.out_of_band.values().copied()).clamp(0, paid.max(0))
    }

    /// The state as it is for terms that do not accept what was paid outside the processor.
    #[must_use]
    pub fn without_out_of_band(&self) -> Self {
        let outside = self.out_of_band_amount();
        let mut state = self.clone();
        state.out_of_band.clear();
        if let Some(payment) = &mut state.payment {
            payment.amount = payment.amount.saturating_sub(outside);
        }
        state
    }

    /// What of the payment stands: paid less refunded, credited and disputed; zero when voided, never negative.
    #[must_use]
    pub fn standing_amount(&self) -> i64 {
        let Some(payment) = self.payment.as_ref().filter(|_| !self.voided) else { return 0 };
        let taken = [self.refunded_amount(), self.credited_amount(), self.disputed_amount()];
        payment.amount.saturating_sub(total(taken.into_iter())).max(0)
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

fn join_refunds(known: &mut BTreeMap<ProcessorRef, Refund>, told: &BTreeMap<ProcessorRef, Refund>) {
    for (id, refund) in told {
        let known = known.entry(id.clone()).or_insert_with(|| refund.clone());
        known.amount = known.amount.max(refund.amount);
        known.status = known.status.max(refund.status);
        known.charge = known.charge.clone().max(refund.charge.clone());
    }
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
