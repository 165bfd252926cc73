//! What a rule gives: for the whole of an event, and for what of it still stands.

use crate::id::{SourceId, SourceKind};
use crate::money::{Money, MoneyError, Percentage, Unit, proportion};
use crate::reason::Reason;
use crate::source::{Line, SourceState};
use crate::terms::{
    Basis, FixedAmount, LineFilter, PercentageAmount, RewardRule, RuleAmount, TermsDraft, TierAmount, TierBy,
    Tiers,
};

use super::Case;
use super::admission::TierCounts;

/// Of how much of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it, as if nothing had been taken back.
    Gross,
    /// What stands.
    Standing,
}

/// What a rule gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value {
    /// What it was taken of, in the event's own unit.
    pub(super) basis: i64,
    /// The same in the unit of `money`.
    whole: i64,
    /// What is given.
    pub(super) money: Money,
}

impl Value {
    /// Nothing, in a unit.
    pub(super) fn nothing(unit: Unit) -> Self {
        Self { basis: 0, whole: 0, money: Money::new(0, unit) }
    }
}

/// Whether there is anything to reward: an invoice over nothing earns nothing (mission 000), unless the terms say so.
pub(super) fn has_substance(source: &SourceId, state: &SourceState, terms: &TermsDraft) -> bool {
    match source.kind {
        SourceKind::Invoice | SourceKind::Payment => {
            let enough = |amount: i64| amount > 0 || terms.accept_zero_amount;
            state.currency.is_some() && state.payment.as_ref().is_some_and(|payment| enough(payment.amount))
        }
        SourceKind::Reward => state.earned.as_ref().is_some_and(|earned| earned.gross > 0),
        SourceKind::Payout => state.payout.is_some(),
        SourceKind::Signup | SourceKind::Event | SourceKind::Milestone | SourceKind::Grant => true,
    }
}

/// What a rule gives for an event, or why it gives nothing for such an event.
pub(super) fn of(
    rule: &RewardRule,
    case: &Case<'_>,
    part: Part,
    counts: Option<TierCounts>,
) -> Result<Result<Value, Reason>, MoneyError> {
    let state = case.state;
    let lines = match rule.lines.as_ref().map(|filter| line_share(filter, state)).transpose() {
        Ok(lines) => lines,
        Err(reason) => return Ok(Err(reason)),
    };
    let stands = part == Part::Gross || stands(case.source, state);
    let piece = |unit: Unit, amount: i64| {
        let basis = paid(state, part);
        Ok(Value { basis, whole: basis, money: Money::new(if stands { amount } else { 0 }, unit) })
    };
    let tier = match &rule.amount {
        Some(RuleAmount::Tiers(tiers)) => match tier(tiers, state, counts) {
            Ok(tier) => Some(tier),
            Err(reason) => return Ok(Err(reason)),
        },
        _ => None,
    };
    let is_share = matches!(&rule.amount, Some(RuleAmount::Percentage(_)))
        || matches!(tier, Some(TierAmount::Percentage(_)));
    let found = match &rule.amount {
        None | Some(RuleAmount::PercentOff(_) | RuleAmount::Milestones(_)) => piece(rule.kind.piece(), 1),
        Some(RuleAmount::Product(product)) => piece(rule.kind.piece(), i64::from(product.quantity)),
        Some(RuleAmount::Fixed(fixed)) => piece(fixed.currency, fixed.amount),
        Some(RuleAmount::PerCurrency(list)) => {
            let unit = state.currency.map(Unit::Currency);
            let amount = unit.and_then(|unit| Some((unit, *list.amounts.get(&unit)?)));
            match amount {
                Some((unit, amount)) => piece(unit, amount),
                None => Err(Reason::CurrencyNotOffered),
            }
        }
        Some(RuleAmount::Percentage(share)) => percentage(share, case, part, lines)?,
        Some(RuleAmount::Tiers(_)) => match tier {
            None => Err(Reason::BelowFirstTier),
            Some(TierAmount::Fixed(FixedAmount { amount, currency })) => piece(currency, amount),
            Some(TierAmount::Percentage(share)) => percentage(&share, case, part, lines)?,
        },
    };
    let found = match found {
        Ok(value) => paid_out(value, case)?,
        Err(reason) => Err(reason),
    };
    Ok(found.map(|value| limited(rule, value, is_share)))
}

/// What is given, in the currency that the terms pay out. Named units stay what they are, and so does nothing.
fn paid_out(value: Value, case: &Case<'_>) -> Result<Result<Value, Reason>, MoneyError> {
    let Some(to) = case.then.and_then(|then| then.terms.draft.payout_currency) else { return Ok(Ok(value)) };
    let Value { basis, whole, money } = value;
    let Some(from) = money.unit.currency().filter(|from| *from != to) else { return Ok(Ok(value)) };
    if money.amount == 0 && whole == 0 {
        return Ok(Ok(Value { basis, whole, money: Money::new(0, to) }));
    }
    let key = super::rate::key(case, from, to);
    let Some(rate) = case.rate.filter(|rate| key.is_some_and(|key| rate.is_of(key))) else {
        return Ok(Err(Reason::AwaitingRate));
    };
    Ok(Ok(Value { basis, whole: rate.convert(whole)?.amount, money: rate.convert(money.amount)? }))
}

/// The tier that applies, by what was counted or by the whole event.
fn tier(tiers: &Tiers, state: &SourceState, counts: Option<TierCounts>) -> Result<TierAmount, Reason> {
    let counted = match tiers.by {
        TierBy::QualifiedReferrals => counts.map_or(0, |counts| i64::from(counts.referrals)),
        TierBy::ReferredRevenue => counts.map_or(0, |counts| counts.revenue),
        TierBy::PaymentAmount => {
            if state.currency.map(Unit::Currency) != tiers.currency {
                return Err(Reason::CurrencyNotOffered);
            }
            paid(state, Part::Gross)
        }
    };
    let reached = tiers.steps.iter().rev().find(|step| step.from <= counted);
    reached.map(|step| step.amount).ok_or(Reason::BelowFirstTier)
}

fn percentage(
    share: &PercentageAmount,
    case: &Case<'_>,
    part: Part,
    lines: Option<LineShare>,
) -> Result<Result<Value, Reason>, MoneyError> {
    let Some((whole, unit)) = basis(share.basis, case.state, part)? else {
        return Ok(Err(Reason::BasisUnknown));
    };
    let basis = match lines {
        Some(LineShare { matched, all }) => proportion(whole, matched, all)?,
        None => whole,
    };
    let amount = share.percent.of(basis)?;
    Ok(Ok(Value { basis, whole: basis, money: Money::new(amount, unit) }))
}

/// What the lines that a rule is about are of all of an invoice's lines.
#[derive(Debug, Clone, Copy)]
struct LineShare {
    matched: i64,
    all: i64,
}

/// Which part of an invoice the lines of a filter are: of what was paid, and of what of it stands, they have the same part.
/// Credits among the lines lower the whole; the part is never below nothing or above all.
fn line_share(filter: &LineFilter, state: &SourceState) -> Result<LineShare, Reason> {
    if !state.lines_complete {
        return Err(Reason::LinesUnknown);
    }
    if !state.lines.values().any(|line| filter.matches(line)) {
        return Err(Reason::LineNotMatched);
    }
    let sum = |sum: i64, line: &Line| sum.saturating_add(line.amount);
    let all = state.lines.values().fold(0, sum).max(0);
    let matched = state.lines.values().filter(|line| filter.matches(line)).fold(0, sum);
    // An invoice whose lines come to nothing has no parts: nothing is taken of it.
    Ok(LineShare { matched: matched.clamp(0, all), all: all.max(1) })
}

/// What a percentage is taken of.
fn basis(basis: Basis, state: &SourceState, part: Part) -> Result<Option<(i64, Unit)>, MoneyError> {
    let in_currency = |amount: Option<i64>| Some((amount?.max(0), Unit::Currency(state.currency?)));
    let figures = state.payout.as_ref().filter(|_| part == Part::Gross || !state.voided);
    let none = || state.payout.as_ref().map(|_| 0);
    Ok(match basis {
        Basis::PaidTotal | Basis::EventAmount => in_currency(Some(paid(state, part))),
        Basis::PaidExcludingTax => in_currency(Some(excluding_tax(paid(state, part), state)?)),
        Basis::Payout => in_currency(figures.map_or_else(none, |figures| figures.payout)),
        Basis::Profit => in_currency(figures.map_or_else(none, |figures| figures.profit)),
        Basis::Revenue => in_currency(figures.map_or_else(none, |figures| figures.revenue)),
        Basis::Reward => state.earned.as_ref().map(|earned| match part {
            Part::Gross => (earned.gross, earned.unit),
            Part::Standing => (earned.net.max(0), earned.unit),
        }),
    })
}

pub(super) fn paid(state: &SourceState, part: Part) -> i64 {
    match part {
        Part::Gross => state.payment.as_ref().map_or(0, |payment| payment.amount),
        Part::Standing => state.standing_amount(),
    }
}

fn stands(source: &SourceId, state: &SourceState) -> bool {
    match source.kind {
        SourceKind::Reward => state.earned.as_ref().is_some_and(|earned| earned.net > 0),
        SourceKind::Invoice
        | SourceKind::Payment
        | SourceKind::Signup
        | SourceKind::Event
        | SourceKind::Payout
        | SourceKind::Milestone
        | SourceKind::Grant => state.stands(),
    }
}

/// The least and the most that one reward gives. The least lifts a share no higher than what it is taken of.
fn limited(rule: &RewardRule, value: Value, is_share: bool) -> Value {
    let Value { basis, whole, money } = value;
    let of_unit =
        |list: &[Money]| list.iter().find(|limit| limit.unit == money.unit).map(|limit| limit.amount);
    let mut amount = money.amount;
    if let Some(least) = of_unit(&rule.limits.at_least).filter(|_| is_share || amount > 0) {
        let least = if is_share { least.min(whole) } else { least };
        amount = amount.max(least);
    }
    if let Some(most) = of_unit(&rule.limits.at_most) {
        amount = amount.min(most);
    }
    Value { basis, whole, money: Money::new(amount, money.unit) }
}

/// The part of `amount` that is not tax: `amount * total_excluding_tax / total`, exact for partly credited invoices too.
/// Without both figures the invoice is taken as free of tax.
fn excluding_tax(amount: i64, state: &SourceState) -> Result<i64, MoneyError> {
    match state.payment.as_ref().and_then(|payment| Some((payment.total_excluding_tax?, payment.total?))) {
        Some((part, whole)) => proportion(amount, part.min(whole), whole),
        None => Ok(amount),
    }
}

/// The unit that a rule's figure of nothing is written in.
pub(super) fn nominal_unit(rule: &RewardRule, case: &Case<'_>) -> Unit {
    let state = case.state;
    let own = match &rule.amount {
        Some(RuleAmount::Fixed(fixed)) => Some(fixed.currency),
        Some(RuleAmount::Milestones(list)) => list.steps.first().map(|step| step.currency),
        Some(RuleAmount::Product(_) | RuleAmount::PercentOff(_)) | None => Some(rule.kind.piece()),
        // A share of a reward is in the reward's unit; other events have earned nothing.
        Some(RuleAmount::Percentage(_)) => state.earned.as_ref().map(|earned| earned.unit),
        Some(RuleAmount::PerCurrency(_) | RuleAmount::Tiers(_)) => None,
    };
    let unit = own.or_else(|| state.currency.map(Unit::Currency)).unwrap_or_else(|| rule.kind.piece());
    let payout = case.then.and_then(|then| then.terms.draft.payout_currency);
    payout.filter(|_| unit.currency().is_some()).map_or(unit, Unit::Currency)
}

pub(super) fn percent_off(rule: &RewardRule) -> Option<Percentage> {
    match &rule.amount {
        Some(RuleAmount::PercentOff(off)) => Some(off.percent),
        _ => None,
    }
}

pub(super) fn sku(rule: &RewardRule) -> Option<String> {
    match &rule.amount {
        Some(RuleAmount::Product(product)) => Some(product.sku.clone()),
        _ => None,
    }
}
