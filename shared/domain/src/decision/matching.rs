//! Whether a rule is about an event at all: its status, trigger, variant, validity and conditions. Nothing is counted
//! here.

use chrono::Duration;

use crate::id::{Label, SourceKind};
use crate::reason::Reason;
use crate::referral::{FoundBy, Referral};
use crate::source::{Labels, SourceState};
use crate::terms::{Conditions, RewardRule, RuleStatus, Trigger};

use super::Case;

pub(super) fn matches(
    rule: &RewardRule,
    case: &Case<'_>,
    referral: &Referral,
    variant: Option<&Label>,
) -> Result<(), Reason> {
    require(rule.status == RuleStatus::Active, Reason::RulePaused)?;
    require(is_triggered(&rule.trigger, case), Reason::OtherTrigger)?;
    let in_variant =
        rule.variants.is_empty() || variant.is_some_and(|variant| rule.variants.contains(variant));
    require(in_variant, Reason::OtherVariant)?;
    let at = case.state.payment.as_ref().map_or(case.now, |payment| payment.paid_at);
    let valid_until = |days: u32| referral.bound_at() + Duration::days(i64::from(days));
    let valid = rule.limits.validity_days.is_none_or(|days| at < valid_until(days));
    require(valid, Reason::ValidityOver)?;
    referral_matches(&rule.conditions, referral)?;
    event_matches(&rule.conditions, case.state)
}

/// Whether the source is of the kind that triggers a rule. A milestone may be reached with any event.
pub(super) fn is_triggered(trigger: &Trigger, case: &Case<'_>) -> bool {
    match (trigger, case.source.kind) {
        (Trigger::InvoicePaid, SourceKind::Invoice)
        | (Trigger::Signup, SourceKind::Signup)
        | (Trigger::PayoutRecorded, SourceKind::Payout)
        | (Trigger::RewardEarned, SourceKind::Reward)
        | (Trigger::ReferralCount, _) => true,
        (trigger, SourceKind::Event) => trigger.event_name() == Some(case.source.processor.as_str()),
        _ => false,
    }
}

fn referral_matches(conditions: &Conditions, referral: &Referral) -> Result<(), Reason> {
    let coded = referral.found_by == FoundBy::Code && referral.used_code.is_some();
    require(coded || !conditions.used_code, Reason::NoUsedCode)?;
    let channel = conditions.channels.is_empty() || conditions.channels.contains(&referral.channel);
    require(channel, Reason::ChannelNotMatched)?;
    require(!(conditions.new_customers_only && referral.existing_customer), Reason::ExistingCustomer)
}

fn event_matches(conditions: &Conditions, state: &SourceState) -> Result<(), Reason> {
    require(has_one_of(&state.labels, "plan", &conditions.plans), Reason::PlanNotMatched)?;
    require(has_one_of(&state.labels, "product", &conditions.products), Reason::ProductNotMatched)?;
    require(has_one_of(&state.labels, "country", &conditions.countries), Reason::CountryNotMatched)?;
    for (key, values) in &conditions.metadata {
        let values: Vec<String> = values.iter().cloned().collect();
        require(has_one_of(&state.labels, &format!("metadata.{key}"), &values), Reason::MetadataNotMatched)?;
    }
    if conditions.min_purchase.is_empty() {
        return Ok(());
    }
    let paid = state.paid_money().ok_or(Reason::BelowMinimumPurchase)?;
    let least = conditions.min_purchase.iter().find(|least| least.unit == paid.unit);
    let enough = least.ok_or(Reason::CurrencyNotOffered)?.amount <= paid.amount;
    require(enough, Reason::BelowMinimumPurchase)
}

fn has_one_of(labels: &Labels, key: &str, accepted: &[String]) -> bool {
    let found = labels.get(key);
    accepted.is_empty() || found.is_some_and(|found| accepted.iter().any(|value| found.contains(value)))
}

fn require(holds: bool, reason: Reason) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(reason) }
}
