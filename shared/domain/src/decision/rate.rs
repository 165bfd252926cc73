//! Which exchange rate a decision asks for: at most one, since an event has one currency.

use crate::id::SourceKind;
use crate::money::{Currency, Unit};
use crate::rate::RateKey;
use crate::terms::{RewardRule, RuleAmount, RuleStatus, TierAmount};

use super::{Case, matching, settled_by};

/// The rate that a decision can need, where its terms pay out in another currency than its event's; none for events
/// that no rule takes a share of. It is only missed when a rule then gives something.
#[must_use]
pub fn rate_wanted(case: &Case<'_>) -> Option<RateKey> {
    let then = case.then?;
    let to = then.terms.draft.payout_currency?;
    let unit = match case.source.kind {
        SourceKind::Reward => case.state.earned.as_ref()?.unit,
        SourceKind::Invoice
        | SourceKind::Payment
        | SourceKind::Signup
        | SourceKind::Event
        | SourceKind::Payout
        | SourceKind::Milestone
        | SourceKind::Grant => Unit::Currency(case.state.currency?),
    };
    let from = unit.currency().filter(|from| *from != to)?;
    let key = key(case, from, to)?;
    let payment = case.state.payment.as_ref()?;
    let referral = case.binding.referral_at(payment.paid_at).ok()?;
    let stays = settled_by(case, payment.paid_at, referral, then).is_none();
    let takes = |rule: &RewardRule| {
        rule.status == RuleStatus::Active && matching::is_triggered(&rule.trigger, case) && is_of_event(rule)
    };
    (stays && then.terms.draft.rules.iter().any(takes)).then_some(key)
}

/// The rate of the event's day.
pub(super) fn key(case: &Case<'_>, from: Currency, to: Currency) -> Option<RateKey> {
    let day = case.state.payment.as_ref()?.paid_at.date_naive();
    Some(RateKey { from, to, day })
}

/// Whether what a rule gives is in the currency of the event.
fn is_of_event(rule: &RewardRule) -> bool {
    match &rule.amount {
        Some(RuleAmount::Percentage(_) | RuleAmount::PerCurrency(_)) => true,
        Some(RuleAmount::Tiers(tiers)) => {
            tiers.steps.iter().any(|step| matches!(step.amount, TierAmount::Percentage(_)))
        }
        Some(
            RuleAmount::Fixed(_)
            | RuleAmount::Milestones(_)
            | RuleAmount::PercentOff(_)
            | RuleAmount::Product(_),
        )
        | None => false,
    }
}
