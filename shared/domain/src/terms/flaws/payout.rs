//! Terms that pay out in one currency: every amount of money that they state is in it. Only amounts by the currency of
//! the payment are not, since those are converted, and what is asked of the payment itself.

use crate::money::{Currency, Money, Unit};
use crate::terms::{Approval, RewardRule, RuleAmount, TierAmount};

use super::Finder;

/// The amounts of a rule that are not in the payout currency.
pub(super) fn rule_flaws(rule: &RewardRule, payout: Option<Currency>, find: &mut Finder<'_>) {
    match &rule.amount {
        Some(RuleAmount::Fixed(fixed)) => check(fixed.currency, payout, "amount/fixed/currency", find),
        Some(RuleAmount::Tiers(tiers)) => {
            for (index, step) in tiers.steps.iter().enumerate() {
                if let TierAmount::Fixed(fixed) = &step.amount {
                    let place = format!("amount/tiers/steps/{index}/amount/fixed/currency");
                    check(fixed.currency, payout, &place, find);
                }
            }
        }
        Some(RuleAmount::Milestones(list)) => {
            for (index, step) in list.steps.iter().enumerate() {
                check(step.currency, payout, &format!("amount/milestones/steps/{index}/currency"), find);
            }
        }
        Some(
            RuleAmount::PerCurrency(_)
            | RuleAmount::Percentage(_)
            | RuleAmount::PercentOff(_)
            | RuleAmount::Product(_),
        )
        | None => {}
    }
    list_flaws(&rule.limits.at_least, payout, "limits/at_least", find);
    list_flaws(&rule.limits.at_most, payout, "limits/at_most", find);
    for (index, cap) in rule.limits.caps.iter().enumerate() {
        check(cap.currency, payout, &format!("limits/caps/{index}/currency"), find);
    }
    if let Approval::ManualAbove(money) = &rule.approval {
        check(money.unit, payout, "approval/manual_above/currency", find);
    }
}

/// The amounts of a list that are not in the payout currency.
pub(super) fn list_flaws(list: &[Money], payout: Option<Currency>, place: &str, find: &mut Finder<'_>) {
    for (index, money) in list.iter().enumerate() {
        check(money.unit, payout, &format!("{place}/{index}/currency"), find);
    }
}

fn check(unit: Unit, payout: Option<Currency>, place: &str, find: &mut Finder<'_>) {
    let Some((payout, currency)) = payout.zip(unit.currency()) else { return };
    find.require(currency == payout, place, format!("must be {payout}, the payout_currency of these terms"));
}
