//! What is wrong with terms: every contradiction and every limit that is passed, each by the field that it is in.

mod payout;

use std::collections::BTreeSet;

use crate::ledger::Way;
use crate::money::{AMOUNT_MAX, Money, Unit};
use crate::source::LABEL_BYTES_MAX;
use crate::template::Scope;

use super::amount::{
    Basis, FixedAmount, Milestones, PercentageAmount, RuleAmount, TierAmount, TierBy, Tiers,
};
use super::rule::{Approval, LineFilter, OverCap, Recipient, Repeat, RewardKind, RewardRule, Trigger};
use super::{
    COUNT_MAX, DAYS_MAX, DESCRIPTION_CHARS_MAX, GRACE_HOURS_MAX, LIST_MAX, MONTHS_MAX, RULES_MAX, STEPS_MAX,
    TermsDraft, VARIANTS_MAX,
};

/// Most keys of metadata in one condition.
const METADATA_MAX: usize = 10;
/// Most caps of a rule.
const CAPS_MAX: usize = 4;
/// Longest time to confirm a delivery, in days.
const CONFIRM_DAYS_MAX: u32 = 365;
/// Longest attribution window and half-life, in days.
const WINDOW_DAYS_MAX: u32 = 365;

/// A field that is wrong, by JSON pointer relative to the terms, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// JSON pointer.
    pub pointer: String,
    /// What it must be.
    pub detail: String,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Flaws(Vec<Flaw>);

impl Flaws {
    /// Looks from the root of the document on.
    pub(crate) fn finder(&mut self) -> Finder<'_> {
        Finder { flaws: &mut self.0, place: String::new() }
    }

    pub(crate) fn found(self) -> Vec<Flaw> {
        self.0
    }
}

/// Collects flaws below one place of the document.
#[derive(Debug)]
pub(crate) struct Finder<'a> {
    flaws: &'a mut Vec<Flaw>,
    place: String,
}

impl Finder<'_> {
    pub(crate) fn at(&mut self, place: impl std::fmt::Display) -> Finder<'_> {
        Finder { place: format!("{}/{place}", self.place), flaws: self.flaws }
    }

    pub(crate) fn require(&mut self, holds: bool, place: &str, detail: impl Into<String>) {
        if !holds {
            let separator = if place.is_empty() { "" } else { "/" };
            let pointer = format!("{}{separator}{place}", self.place);
            self.flaws.push(Flaw { pointer, detail: detail.into() });
        }
    }

    pub(crate) fn range(&mut self, number: Option<u32>, place: &str, most: u32) {
        let fits = number.is_none_or(|number| (1..=most).contains(&number));
        self.require(fits, place, format!("must be 1 to {most}"));
    }

    fn amount(&mut self, amount: i64, place: &str) {
        let fits = (1..=AMOUNT_MAX).contains(&amount);
        self.require(fits, place, format!("must be 1 to {AMOUNT_MAX} minor units"));
    }

    /// At most one amount of each unit.
    fn amounts(&mut self, list: &[Money], place: &str) {
        self.require(list.len() <= LIST_MAX, place, format!("must have at most {LIST_MAX} amounts"));
        let mut seen = BTreeSet::new();
        for (index, money) in list.iter().enumerate() {
            self.amount(money.amount, &format!("{place}/{index}/amount"));
            self.require(seen.insert(money.unit), &format!("{place}/{index}/currency"), "is given twice");
        }
    }

    fn texts(&mut self, list: &[String], place: &str) {
        self.require(list.len() <= LIST_MAX, place, format!("must have at most {LIST_MAX} values"));
        for (index, text) in list.iter().enumerate() {
            let fits = (1..=LABEL_BYTES_MAX).contains(&text.len());
            self.require(
                fits,
                &format!("{place}/{index}"),
                format!("must have 1 to {LABEL_BYTES_MAX} characters"),
            );
        }
    }
}

impl TermsDraft {
    /// Everything that contradicts itself or the limits; empty when the terms can be used.
    #[must_use]
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Flaws::default();
        let mut find = flaws.finder();
        let least = usize::from(!self.track_only);
        let fits = (least..=RULES_MAX).contains(&self.rules.len());
        find.require(fits, "rules", format!("must have {least} to {RULES_MAX} rules"));
        find.require(
            self.grace_hours <= GRACE_HOURS_MAX,
            "grace_hours",
            format!("must be 0 to {GRACE_HOURS_MAX}"),
        );
        if let Some(channels) = &self.channels {
            let fits = (1..=LIST_MAX).contains(&channels.len());
            find.require(
                fits,
                "channels",
                format!("must have 1 to {LIST_MAX} channels; leave it out to accept all"),
            );
        }
        let attribution = &self.attribution;
        find.at("attribution").range(Some(attribution.window_days), "window_days", WINDOW_DAYS_MAX);
        find.at("attribution").range(Some(attribution.half_life_days), "half_life_days", WINDOW_DAYS_MAX);
        let countable = !matches!(self.qualifying_event, Trigger::ReferralCount | Trigger::RewardEarned);
        find.require(countable, "qualifying_event", "must be an event of the referee's own");
        find.range(self.max_referrals, "max_referrals", COUNT_MAX);
        find.amounts(&self.min_earnings, "min_earnings");
        payout::list_flaws(&self.min_earnings, self.payout_currency, "min_earnings", &mut find);
        self.variant_flaws(&mut find);
        for (index, rule) in self.rules.iter().enumerate() {
            let earlier = self.rules.get(..index).unwrap_or_default();
            let mut find = find.at(format_args!("rules/{index}"));
            let unique = earlier.iter().all(|earlier| earlier.id != rule.id);
            find.require(unique, "id", "must differ from the other rules' ids");
            let alike = |other: &RewardRule| {
                rule.first_of.is_none()
                    || other.first_of != rule.first_of
                    || (other.trigger == rule.trigger && other.recipient == rule.recipient)
            };
            let fits = earlier.iter().all(alike);
            find.require(fits, "first_of", "rules of one set must have the same trigger and recipient");
            for (number, variant) in rule.variants.iter().enumerate() {
                let known = self.variants.iter().any(|known| known.name == *variant);
                find.require(known, &format!("variants/{number}"), "is not among the variants of the terms");
            }
            rule_flaws(rule, &mut find);
            payout::rule_flaws(rule, self.payout_currency, &mut find);
            let revenue =
                matches!(&rule.amount, Some(RuleAmount::Tiers(tiers)) if tiers.by == TierBy::ReferredRevenue);
            let brought = !revenue || has_payment(&self.qualifying_event);
            find.require(brought, "amount/tiers/by", "needs a qualifying_event with a payment");
        }
        flaws.found()
    }

    fn variant_flaws(&self, find: &mut Finder<'_>) {
        let fits = self.variants.is_empty() || (2..=VARIANTS_MAX).contains(&self.variants.len());
        find.require(fits, "variants", format!("must have 2 to {VARIANTS_MAX} variants, or none"));
        let mut seen = BTreeSet::new();
        for (index, variant) in self.variants.iter().enumerate() {
            let mut find = find.at(format_args!("variants/{index}"));
            find.require(seen.insert(&variant.name), "name", "must differ from the other variants' names");
            find.range(Some(variant.weight), "weight", COUNT_MAX);
        }
    }
}

fn rule_flaws(rule: &RewardRule, find: &mut Finder<'_>) {
    let short = rule.description.as_ref().is_none_or(|text| text.chars().count() <= DESCRIPTION_CHARS_MAX);
    find.require(short, "description", format!("must have at most {DESCRIPTION_CHARS_MAX} characters"));
    find.require(rule.hold_days <= DAYS_MAX, "hold_days", format!("must be 0 to {DAYS_MAX}"));
    find.range(rule.expires_after_days, "expires_after_days", DAYS_MAX);
    let lasts = rule.expires_after_days.is_none_or(|days| days > rule.hold_days);
    find.require(lasts, "expires_after_days", "must be longer than hold_days");
    if let Approval::ManualAbove(money) = &rule.approval {
        find.amount(money.amount, "approval/manual_above/amount");
    }
    let deliverers = Way::deliverers(rule.kind);
    let can = rule.deliver_by.is_none_or(|deliverer| deliverers.contains(&deliverer));
    find.require(can, "deliver_by", "cannot deliver this kind; docs/rules.md lists who can");
    let listens = Way::of(rule.kind, rule.deliver_by) == Way::Listener;
    find.range(rule.confirm_days, "confirm_days", CONFIRM_DAYS_MAX);
    find.require(
        rule.confirm_days.is_none() || listens,
        "confirm_days",
        "is only for what a listener delivers",
    );
    action_flaws(rule, find);
    amount_flaws(rule, find);
    line_flaws(rule, find);
    condition_flaws(rule, find);
    limit_flaws(rule, find);
    if rule.trigger == Trigger::RewardEarned {
        let counts = rule.counts_by_referee() || rule.counts_by_recipient();
        let detail = "is for a second level, which follows its source exactly: repeat, caps, counted limits and tiers by \
                      a count are not for it";
        find.require(!counts, "trigger", detail);
    }
    if rule.trigger == Trigger::ReferralCount {
        find.require(
            rule.recipient == Recipient::Referrer,
            "recipient",
            "must be referrer: milestones count referrals",
        );
        find.require(
            rule.repeat == Repeat::EveryTime,
            "repeat",
            "is not for milestones: each is awarded once",
        );
        let plain = rule.conditions == Default::default();
        find.require(plain, "conditions", "are not for milestones: the qualifying event is what counts");
        find.require(rule.limits == Default::default(), "limits", "are not for milestones");
        find.require(rule.first_of.is_none(), "first_of", "is not for milestones");
    }
}

fn action_flaws(rule: &RewardRule, find: &mut Finder<'_>) {
    if let Some(message) = &rule.message {
        message.flaws(Scope::Reward(rule.kind), &mut find.at("message"));
    }
    if let Some(task) = &rule.task {
        find.require(rule.kind == RewardKind::Task, "task", "is for the kind task");
        task.flaws(&mut find.at("task"));
    }
}

fn amount_flaws(rule: &RewardRule, find: &mut Finder<'_>) {
    let milestones = matches!(rule.amount, Some(RuleAmount::Milestones(_)));
    if rule.kind.is_action() {
        let fits = rule.amount.is_none() || milestones;
        find.require(fits, "amount", "must be left out: a message, task or webhook has no value");
        let triggered = rule.trigger != Trigger::ReferralCount;
        find.require(triggered || milestones, "amount", "must be milestones for the trigger referral_count");
        return;
    }
    let Some(amount) = &rule.amount else {
        return find.require(false, "amount", "must say how much is given");
    };
    let counted = rule.trigger == Trigger::ReferralCount;
    find.require(
        milestones == counted,
        "amount",
        "must be milestones for the trigger referral_count, and only for it",
    );
    let product = matches!(amount, RuleAmount::Product(_));
    let is_product = rule.kind == RewardKind::Product;
    find.require(
        product == is_product || (milestones && is_product),
        "amount",
        "must be a product for the kind product, and only for it",
    );
    let mut find = find.at("amount");
    match amount {
        RuleAmount::Fixed(fixed) => fixed_flaws(rule, fixed, &mut find.at("fixed")),
        RuleAmount::PerCurrency(list) => {
            let fits = (1..=LIST_MAX).contains(&list.amounts.len());
            find.require(fits, "per_currency", format!("must have 1 to {LIST_MAX} amounts"));
            for (unit, amount) in &list.amounts {
                let place = format!("per_currency/{unit}");
                find.amount(*amount, &place);
                unit_flaws(rule.kind, *unit, &place, &mut find);
                find.require(
                    unit.currency().is_some(),
                    &place,
                    "must be by ISO 4217 currency of the payment",
                );
            }
            let paid = has_payment(&rule.trigger) || rule.trigger == Trigger::PayoutRecorded;
            find.require(paid, "per_currency", "needs a trigger with an amount");
        }
        RuleAmount::Percentage(share) => share_flaws(rule, share, &mut find.at("percentage")),
        RuleAmount::Tiers(tiers) => tier_flaws(rule, tiers, &mut find.at("tiers")),
        RuleAmount::Milestones(list) => milestone_flaws(rule, list, &mut find.at("milestones")),
        RuleAmount::PercentOff(off) => {
            find.require(rule.kind == RewardKind::Discount, "percent_off", "is only for the kind discount");
            find.require(!off.percent.is_above_whole(), "percent_off/percent", "must be at most 100");
        }
        RuleAmount::Product(product) => {
            let fits = (1..=LABEL_BYTES_MAX).contains(&product.sku.len());
            find.require(fits, "product/sku", format!("must have 1 to {LABEL_BYTES_MAX} characters"));
            find.range(Some(product.quantity), "product/quantity", COUNT_MAX);
        }
    }
}

fn fixed_flaws(rule: &RewardRule, fixed: &FixedAmount, find: &mut Finder<'_>) {
    find.amount(fixed.amount, "amount");
    unit_flaws(rule.kind, fixed.currency, "currency", find);
    let passes =
        rule.limits.caps.iter().all(|cap| {
            cap.over == OverCap::Cut || cap.currency != fixed.currency || cap.amount >= fixed.amount
        });
    find.require(passes, "amount", "is above a cap that refuses: the rule could never pay");
}

fn unit_flaws(kind: RewardKind, unit: Unit, place: &str, find: &mut Finder<'_>) {
    let currency = unit.currency().is_some();
    find.require(
        !RewardKind::is_action_unit(unit),
        place,
        "is the unit of an action, which has no balance; choose another name",
    );
    match kind {
        RewardKind::Points => find.require(!currency, place, "must be the name of a unit, such as points"),
        RewardKind::InvoiceCredit | RewardKind::Cash | RewardKind::Discount => {
            find.require(currency, place, "must be an ISO 4217 currency for this kind");
        }
        RewardKind::Allowance
        | RewardKind::Product
        | RewardKind::Message
        | RewardKind::Task
        | RewardKind::Webhook => {}
    }
}

fn share_flaws(rule: &RewardRule, share: &PercentageAmount, find: &mut Finder<'_>) {
    let allowed = share.over_100 || !share.percent.is_above_whole();
    find.require(
        allowed,
        "percent",
        "is above 100; say over_100: true if the reward may exceed what it is taken of",
    );
    let bases = bases_of(&rule.trigger);
    let names = "must be a figure of the trigger: paid_total or paid_excluding_tax for invoice_paid, event_amount for \
                 qualifying events, payout, profit or revenue for payout_recorded, reward for reward_earned";
    find.require(bases.contains(&share.basis), "basis", names);
    let countable = rule.kind != RewardKind::Points;
    find.require(countable, "percent", "points cannot be a share of money; give a fixed number");
}

/// The figures that an event of a trigger has.
fn bases_of(trigger: &Trigger) -> &'static [Basis] {
    match trigger {
        Trigger::InvoicePaid => &[Basis::PaidTotal, Basis::PaidExcludingTax],
        Trigger::PayoutRecorded => &[Basis::Payout, Basis::Profit, Basis::Revenue],
        Trigger::RewardEarned => &[Basis::Reward],
        Trigger::Approved | Trigger::PlanStarted | Trigger::BookingCompleted | Trigger::Custom(_) => {
            &[Basis::EventAmount]
        }
        Trigger::Signup | Trigger::ReferralCount => &[],
    }
}

fn has_amount(trigger: &Trigger) -> bool {
    !bases_of(trigger).is_empty()
}

/// Whether its events are payments: one amount in a currency.
fn has_payment(trigger: &Trigger) -> bool {
    bases_of(trigger).iter().any(|basis| matches!(basis, Basis::PaidTotal | Basis::EventAmount))
}

fn tier_flaws(rule: &RewardRule, tiers: &Tiers, find: &mut Finder<'_>) {
    let fits = (1..=STEPS_MAX).contains(&tiers.steps.len());
    find.require(fits, "steps", format!("must have 1 to {STEPS_MAX} tiers"));
    let by_amount = tiers.by != TierBy::QualifiedReferrals;
    let detail = "must say the currency of the tiers' amounts, and only for tiers by an amount";
    find.require(by_amount == tiers.currency.is_some(), "currency", detail);
    let currency = tiers.currency.is_none_or(|unit| unit.currency().is_some());
    find.require(currency, "currency", "must be an ISO 4217 currency");
    let known = match tiers.by {
        TierBy::QualifiedReferrals => true,
        TierBy::ReferredRevenue => has_amount(&rule.trigger),
        TierBy::PaymentAmount => has_payment(&rule.trigger),
    };
    find.require(known, "by", "needs a trigger with an amount");
    let mut last = None;
    for (index, step) in tiers.steps.iter().enumerate() {
        let mut find = find.at(format_args!("steps/{index}"));
        find.require((0..=AMOUNT_MAX).contains(&step.from), "from", format!("must be 0 to {AMOUNT_MAX}"));
        find.require(last.is_none_or(|last| last < step.from), "from", "must be above the tier before");
        last = Some(step.from);
        match &step.amount {
            TierAmount::Fixed(fixed) => fixed_flaws(rule, fixed, &mut find.at("amount/fixed")),
            TierAmount::Percentage(share) => share_flaws(rule, share, &mut find.at("amount/percentage")),
        }
    }
}

fn milestone_flaws(rule: &RewardRule, list: &Milestones, find: &mut Finder<'_>) {
    let fits = (1..=STEPS_MAX).contains(&list.steps.len());
    find.require(fits, "steps", format!("must have 1 to {STEPS_MAX} milestones"));
    let mut last = None;
    for (index, step) in list.steps.iter().enumerate() {
        let mut find = find.at(format_args!("steps/{index}"));
        find.range(Some(step.at), "at", COUNT_MAX);
        find.require(last.is_none_or(|last| last < step.at), "at", "must be above the milestone before");
        last = Some(step.at);
        find.amount(step.amount, "amount");
        unit_flaws(rule.kind, step.currency, "currency", &mut find);
    }
}

fn line_flaws(rule: &RewardRule, find: &mut Finder<'_>) {
    let Some(lines) = &rule.lines else { return };
    let invoices = rule.trigger == Trigger::InvoicePaid;
    find.require(invoices, "lines", "is for the trigger invoice_paid: only invoices have lines");
    let asks = *lines != LineFilter::default();
    find.require(
        asks,
        "lines",
        "must name plans, products or prorations; leave it out for the whole invoice",
    );
    let mut find = find.at("lines");
    find.texts(&lines.plans, "plans");
    find.texts(&lines.products, "products");
}

fn condition_flaws(rule: &RewardRule, find: &mut Finder<'_>) {
    let conditions = &rule.conditions;
    let mut find = find.at("conditions");
    find.amounts(&conditions.min_purchase, "min_purchase");
    for (index, least) in conditions.min_purchase.iter().enumerate() {
        let currency = least.unit.currency().is_some();
        find.require(currency, &format!("min_purchase/{index}/currency"), "must be an ISO 4217 currency");
    }
    let paid = conditions.min_purchase.is_empty() || has_payment(&rule.trigger);
    find.require(paid, "min_purchase", "needs a trigger with a payment");
    let first = !conditions.first_payment_only || rule.trigger == Trigger::InvoicePaid;
    find.require(first, "first_payment_only", "is for the trigger invoice_paid");
    find.texts(&conditions.plans, "plans");
    find.texts(&conditions.products, "products");
    find.texts(&conditions.countries, "countries");
    let fits = conditions.channels.len() <= LIST_MAX;
    find.require(fits, "channels", format!("must have at most {LIST_MAX} channels"));
    let fits = conditions.metadata.len() <= METADATA_MAX;
    find.require(fits, "metadata", format!("must have at most {METADATA_MAX} keys"));
    for (key, values) in &conditions.metadata {
        let place = format!("metadata/{}", key.replace('~', "~0").replace('/', "~1"));
        let fits = (1..=LABEL_BYTES_MAX).contains(&key.len());
        find.require(fits, &place, format!("must have a key of 1 to {LABEL_BYTES_MAX} characters"));
        find.require(!values.is_empty(), &place, "must have at least one value");
        let values: Vec<String> = values.iter().cloned().collect();
        find.texts(&values, &place);
    }
}

fn limit_flaws(rule: &RewardRule, find: &mut Finder<'_>) {
    let limits = &rule.limits;
    let mut find = find.at("limits");
    find.range(limits.validity_days, "validity_days", DAYS_MAX);
    find.range(limits.duration_months, "duration_months", MONTHS_MAX);
    find.range(limits.max_rewards_per_referee, "max_rewards_per_referee", COUNT_MAX);
    find.amounts(&limits.at_least, "at_least");
    find.amounts(&limits.at_most, "at_most");
    for (index, least) in limits.at_least.iter().enumerate() {
        let most = limits.at_most.iter().find(|most| most.unit == least.unit);
        let fits = most.is_none_or(|most| most.amount >= least.amount);
        find.require(fits, &format!("at_least/{index}/amount"), "must not be above at_most");
    }
    find.require(limits.caps.len() <= CAPS_MAX, "caps", format!("must have at most {CAPS_MAX} caps"));
    let mut seen = BTreeSet::new();
    for (index, cap) in limits.caps.iter().enumerate() {
        find.amount(cap.amount, &format!("caps/{index}/amount"));
        let unique = seen.insert((cap.per, cap.currency));
        find.require(unique, &format!("caps/{index}/per"), "is given twice for this currency");
    }
    let once = rule.repeat == Repeat::EveryTime || limits.max_rewards_per_referee.is_none();
    find.require(once, "max_rewards_per_referee", "contradicts a rule that pays once");
}
