//! What one rule promises for one source, by `docs/rules.md`: step 6 and step 8 of its order of evaluation.

use chrono::{Duration, Months};
use domain::money::{Money, Percentage};
use domain::reason::Reason;
use domain::terms::{
    Basis, FixedAmount, PercentageAmount, RewardRule, RuleAmount, RuleStatus, Tier, TierAmount, TierBy,
    Trigger,
};

use super::facts::{Facts, Kind};
use super::referral::Bound;

/// An amount with the code of its unit.
pub type Amount = (i64, String);

/// Whether the source is what the rule is about, for step 6.
pub fn admits(rule: &RewardRule, facts: &Facts, bound: &Bound) -> Result<(), Reason> {
    let at = facts.at.unwrap();
    let conditions = &rule.conditions;
    let require = |holds: bool, reason| if holds { Ok(()) } else { Err(reason) };
    require(rule.status == RuleStatus::Active, Reason::RulePaused)?;
    require(triggers(rule, facts), Reason::OtherTrigger)?;
    let validity = rule.limits.validity_days.map(|days| bound.at + Duration::days(i64::from(days)));
    require(validity.is_none_or(|end| at < end), Reason::ValidityOver)?;
    require(!conditions.used_code || bound.used_code, Reason::NoUsedCode)?;
    let channel = conditions.channels.iter().any(|known| known.as_str() == bound.channel);
    require(conditions.channels.is_empty() || channel, Reason::ChannelNotMatched)?;
    require(!conditions.new_customers_only || !bound.existing, Reason::ExistingCustomer)?;
    let plan = conditions.plans.iter().any(|known| Some(known.as_str()) == facts.plan);
    require(conditions.plans.is_empty() || plan, Reason::PlanNotMatched)?;
    if !conditions.min_purchase.is_empty() {
        let least = of_unit(&conditions.min_purchase, facts.currency.unwrap_or_default());
        let least = least.ok_or(Reason::CurrencyNotOffered)?;
        require(facts.paid >= Some(least), Reason::BelowMinimumPurchase)?;
    }
    Ok(())
}

fn triggers(rule: &RewardRule, facts: &Facts) -> bool {
    match (&rule.trigger, facts.kind) {
        (Trigger::InvoicePaid, Kind::Invoice)
        | (Trigger::Signup, Kind::SignUp)
        | (Trigger::PayoutRecorded, Kind::Payout)
        | (Trigger::RewardEarned, Kind::Reward) => true,
        (trigger, Kind::Event(name)) => trigger.event_name() == Some(name),
        _ => false,
    }
}

/// Whether an event lies within so many months from the first.
pub fn lasts(months: u32, first: chrono::DateTime<chrono::Utc>, at: chrono::DateTime<chrono::Utc>) -> bool {
    at < first.checked_add_months(Months::new(months)).unwrap()
}

/// What the rule gives for the source, within the least and the most of one reward; `reached` is what its tiers count.
pub fn value(rule: &RewardRule, facts: &Facts, reached: Option<i64>) -> Result<Amount, Reason> {
    let (amount, unit, taken_of) = match rule.amount.as_ref().unwrap() {
        RuleAmount::Fixed(fixed) => flat(fixed, facts),
        RuleAmount::PerCurrency(list) => {
            let currency = facts.currency.ok_or(Reason::CurrencyNotOffered)?;
            let found = list.amounts.iter().find(|(unit, _)| unit.code() == currency);
            let (unit, amount) = found.ok_or(Reason::CurrencyNotOffered)?;
            flat(&FixedAmount { amount: *amount, currency: *unit }, facts)
        }
        RuleAmount::Percentage(share) => part(share, facts)?,
        RuleAmount::Tiers(tiers) => {
            let reached = match tiers.by {
                TierBy::PaymentAmount => facts.paid.unwrap_or(0),
                TierBy::QualifiedReferrals | TierBy::ReferredRevenue => reached.unwrap(),
            };
            let currency = tiers.currency.map(|unit| unit.code().to_owned());
            // What others have brought picks the tier of an event in any currency.
            if tiers.by == TierBy::PaymentAmount && currency.as_deref() != facts.currency {
                return Err(Reason::CurrencyNotOffered);
            }
            let tier: Option<&Tier> = tiers.steps.iter().rev().find(|tier| tier.from <= reached);
            match &tier.ok_or(Reason::BelowFirstTier)?.amount {
                TierAmount::Fixed(fixed) => flat(fixed, facts),
                TierAmount::Percentage(share) => part(share, facts)?,
            }
        }
        RuleAmount::Milestones(_) | RuleAmount::PercentOff(_) | RuleAmount::Product(_) => unreachable!(),
    };
    let mut amount = amount;
    if facts.stands()
        && let Some(least) = of_unit(&rule.limits.at_least, &unit)
    {
        amount = amount.max(taken_of.map_or(least, |whole| least.min(whole)));
    }
    if let Some(most) = of_unit(&rule.limits.at_most, &unit) {
        amount = amount.min(most);
    }
    Ok((amount.max(0), unit))
}

type Priced = (i64, String, Option<i64>);

fn flat(fixed: &FixedAmount, facts: &Facts) -> Priced {
    let amount = if facts.stands() { fixed.amount } else { 0 };
    (amount, fixed.currency.code().to_owned(), None)
}

fn part(share: &PercentageAmount, facts: &Facts) -> Result<Priced, Reason> {
    let whole = basis(share.basis, facts).ok_or(Reason::BasisUnknown)?;
    let whole = if facts.gone { 0 } else { whole };
    let unit = facts.currency.ok_or(Reason::BasisUnknown)?;
    Ok((percent(share.percent, whole), unit.to_owned(), Some(whole.max(0))))
}

fn basis(basis: Basis, facts: &Facts) -> Option<i64> {
    match basis {
        Basis::PaidTotal | Basis::EventAmount | Basis::Reward => facts.left,
        Basis::PaidExcludingTax => {
            let left = facts.left?;
            let (total, without_tax) = facts.totals.unwrap_or((1, 1));
            i64::try_from(i128::from(left) * i128::from(without_tax) / i128::from(total)).ok()
        }
        Basis::Payout => facts.payout.map(|(payout, _)| payout),
        Basis::Profit => facts.payout.map(|(_, profit)| profit),
        Basis::Revenue => None,
    }
}

/// A share, toward zero: in integers, with the four decimals that a percentage may have.
fn percent(percent: Percentage, of: i64) -> i64 {
    let text = percent.to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let scaled: i128 = format!("{whole}{decimals:0<4}").parse().unwrap();
    i64::try_from(i128::from(of) * scaled / 1_000_000).unwrap()
}

/// The amount of a unit in a list.
pub fn of_unit(list: &[Money], unit: &str) -> Option<i64> {
    list.iter().find(|money| money.unit.code() == unit).map(|money| money.amount)
}
