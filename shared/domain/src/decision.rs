//! The reward decision: from what is known of a source, of its payer and of the program, to what each rule should have
//! given by now. It is a function of facts alone (business times, immutable terms), so it comes out the same whenever
//! and however often it is made; the ledger receives the difference to what is posted already.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::fact::Payer;
use crate::id::{ParticipantId, ProgramId, RewardId, RuleId};
use crate::money::{Currency, Money, MoneyError, proportion};
use crate::program::{Basis, ProgramStatus, RewardRule, RuleAmount, Terms};
use crate::reason::Reason;
use crate::referral::{Binding, Referral};
use crate::source::SourceState;

/// The program as it was when the payment was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramThen {
    /// The program.
    pub program: ProgramId,
    /// Its status then.
    pub status: ProgramStatus,
    /// Its terms then.
    pub terms: Terms,
}

/// What one rule came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOutcome {
    /// The rule.
    pub rule: RuleId,
    /// Who earns by it.
    pub recipient: ParticipantId,
    /// Whether its reward stands, and if not, why.
    pub reason: Reason,
    /// What of the payment stands, by the rule's basis, in minor units of the payment's currency.
    pub basis: i64,
    /// What the rule should have given by now.
    pub target: Money,
}

/// The decision on a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The first reason that settles the whole source; `earned` when at least one rule's reward stands.
    pub reason: Reason,
    /// The terms that were applied, once they are known.
    pub terms_version: Option<u32>,
    /// Every rule of the terms; empty when the source does not get as far.
    pub rules: Vec<RuleOutcome>,
}

/// What has been posted for one rule of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The rule.
    pub rule: RuleId,
    /// Who earned.
    pub recipient: ParticipantId,
    /// The program.
    pub program: ProgramId,
    /// Sum of all entries, in minor units.
    pub amount: i64,
    /// Their currency.
    pub currency: Currency,
    /// The reward that stands for it now.
    pub reward: RewardId,
    /// How many rewards came before it and were taken back undelivered.
    pub generation: u32,
    /// Entries of this reward so far.
    pub entries: u32,
}

/// A difference between what a rule should have given and what is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// The rule.
    pub rule: RuleId,
    /// Who earns by it.
    pub recipient: ParticipantId,
    /// What is to be posted: never zero.
    pub amount: Money,
    /// What is posted already.
    pub posted: Option<Posted>,
}

/// Decides a source. `then` is the program at the moment of payment, needed once the payer is bound and has paid.
///
/// # Errors
/// [`MoneyError`] when an amount cannot be computed exactly.
pub fn judge(
    state: &SourceState,
    payer: &Payer,
    binding: &Binding,
    then: Option<&ProgramThen>,
) -> Result<Judgement, MoneyError> {
    let stop = |reason| Ok(Judgement { reason, terms_version: None, rules: Vec::new() });
    let (Some(payment), Some(currency)) = (&state.payment, state.currency) else {
        return stop(Reason::AwaitingPayment);
    };
    let referral = match binding {
        Binding::Unknown if payer.external_id.is_none() => return stop(Reason::PayerUnknown),
        Binding::Unknown => return stop(Reason::AwaitingSignup),
        Binding::Organic { .. } => return stop(Reason::NotReferred),
        Binding::Bound(referral) => referral,
    };
    let Some(then) = then else { return stop(Reason::ProgramNotActive) };
    let version = Some(then.terms.version);
    let settled = if payment.amount == 0 {
        Some(Reason::ZeroAmount)
    } else if is_before_grace(payment.paid_at, referral, &then.terms) {
        Some(Reason::PaidBeforeSignup)
    } else if then.status != ProgramStatus::Active {
        Some(Reason::ProgramNotActive)
    } else {
        None
    };
    if let Some(reason) = settled {
        return Ok(Judgement { reason, terms_version: version, rules: Vec::new() });
    }
    let outcome = |rule: &RewardRule| rule_outcome(rule, state, currency, referral);
    let rules = then.terms.draft.rules.iter().map(outcome).collect::<Result<Vec<_>, _>>()?;
    let earned = rules.iter().find(|rule| rule.reason == Reason::Earned).or(rules.first());
    let reason = earned.map_or(Reason::ZeroAmount, |rule| rule.reason);
    Ok(Judgement { reason, terms_version: version, rules })
}

/// Whether a payment lies further before the sign-up than the terms' grace.
fn is_before_grace(paid_at: DateTime<Utc>, referral: &Referral, terms: &Terms) -> bool {
    paid_at < referral.signed_up_at - Duration::hours(i64::from(terms.draft.grace_hours))
}

fn rule_outcome(
    rule: &RewardRule,
    state: &SourceState,
    currency: Currency,
    referral: &Referral,
) -> Result<RuleOutcome, MoneyError> {
    let standing = state.standing_amount();
    let (basis, target) = match &rule.amount {
        RuleAmount::Fixed(fixed) => {
            let amount = if standing > 0 { fixed.amount } else { 0 };
            (standing, Money::new(amount, fixed.currency))
        }
        RuleAmount::Percentage(share) => {
            let basis = match share.basis {
                Basis::PaidTotal => standing,
                Basis::PaidExcludingTax => excluding_tax(standing, state)?,
            };
            (basis, Money::new(share.percent.of(basis)?, currency))
        }
    };
    let reason = if target.amount > 0 {
        Reason::Earned
    } else if state.voided {
        Reason::Voided
    } else if standing > 0 {
        Reason::RoundsToZero
    } else if state.disputed_amount() > 0 {
        Reason::Disputed
    } else {
        Reason::Refunded
    };
    Ok(RuleOutcome { rule: rule.id.clone(), recipient: referral.referrer.clone(), reason, basis, target })
}

/// The part of `standing` that is not tax: `standing * total_excluding_tax / total`, exact for partly credited
/// invoices too. Without both figures the invoice is taken as free of tax.
fn excluding_tax(standing: i64, state: &SourceState) -> Result<i64, MoneyError> {
    match state.payment.as_ref().and_then(|payment| Some((payment.total_excluding_tax?, payment.total?))) {
        Some((part, whole)) => proportion(standing, part.min(whole), whole),
        None => Ok(standing),
    }
}

/// What is to be posted so that the ledger says what the judgement says.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn deltas(judgement: &Judgement, posted: &[Posted]) -> Result<Vec<Delta>, MoneyError> {
    let mut deltas = Vec::new();
    for outcome in &judgement.rules {
        let before = posted.iter().find(|posted| is_same(posted, outcome));
        let amount = difference(outcome.target, before)?;
        let (rule, recipient) = (outcome.rule.clone(), outcome.recipient.clone());
        deltas.push(Delta { rule, recipient, amount, posted: before.cloned() });
    }
    for before in posted {
        if !judgement.rules.iter().any(|outcome| is_same(before, outcome)) {
            let amount = difference(Money::new(0, before.currency), Some(before))?;
            let (rule, recipient) = (before.rule.clone(), before.recipient.clone());
            deltas.push(Delta { rule, recipient, amount, posted: Some(before.clone()) });
        }
    }
    deltas.retain(|delta| delta.amount.amount != 0);
    Ok(deltas)
}

fn is_same(posted: &Posted, outcome: &RuleOutcome) -> bool {
    posted.rule == outcome.rule
        && posted.recipient == outcome.recipient
        && posted.currency == outcome.target.currency
}

fn difference(target: Money, posted: Option<&Posted>) -> Result<Money, MoneyError> {
    let before = posted.map_or(0, |posted| posted.amount);
    let amount = target.amount.checked_sub(before).ok_or(MoneyError::Overflow)?;
    Ok(Money::new(amount, target.currency))
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;
