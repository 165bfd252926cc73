//! Terms: the rules of a program as its owner writes them. A version of them is numbered and never changes; what is
//! written is checked for every contradiction before it becomes one ([`TermsDraft::flaws`]).

mod action;
mod amount;
mod attribution;
mod flaws;
mod rule;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{Channel, Label};
use crate::money::{Currency, Money};

pub use action::{MessageTemplate, TaskTemplate, Transport};
pub use amount::{
    Basis, FixedAmount, Milestone, Milestones, OnDrop, PerCurrencyAmount, PercentOff, PercentageAmount,
    ProductAmount, RuleAmount, Tier, TierAmount, TierBy, Tiers,
};
pub use attribution::{Attribution, AttributionModel, Precedence};
pub use flaws::Flaw;
pub(crate) use flaws::Flaws;
pub use rule::{
    Approval, Cap, CapPeriod, Conditions, Deliverer, Limits, LineFilter, OverCap, Prorations, Recipient,
    Repeat, RewardKind, RewardRule, RuleStatus, Trigger,
};

/// Most rules in one version of the terms.
pub const RULES_MAX: usize = 20;
/// Longest grace, in hours (30 days).
pub const GRACE_HOURS_MAX: u32 = 720;
/// Most channels, plans, products, countries or currencies in one list.
pub const LIST_MAX: usize = 50;
/// Most tiers or milestones of a rule.
pub const STEPS_MAX: usize = 20;
/// Most variants of the terms.
pub const VARIANTS_MAX: usize = 5;
/// Longest period that terms may name, in days (ten years).
pub const DAYS_MAX: u32 = 3660;
/// Longest duration, in months (ten years).
pub const MONTHS_MAX: u32 = 120;
/// Largest count that terms may name.
pub const COUNT_MAX: u32 = 1_000_000;
/// Longest description of a rule, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 200;

/// What stands for an invoice's lines among the keys of labels that terms ask for.
pub const LINES_KEY: &str = "lines";

/// A variant of the terms in an A/B test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name; rules name the variants that they belong to.
    #[schema(value_type = String, example = "double_sided")]
    pub name: Label,
    /// How many of the referees get it, relative to the other weights: 1 to 1,000,000.
    #[schema(minimum = 1, maximum = 1_000_000, example = 50)]
    pub weight: u32,
}

/// The rules of a program as a program owner writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermsDraft {
    /// 1 to 20 rules, each decided on its own; none is allowed when the program only tracks.
    pub rules: Vec<RewardRule>,
    /// How long before the sign-up a payment may lie and still earn, in hours (0 to 720).
    #[serde(default = "default_grace")]
    #[schema(maximum = 720, example = 24)]
    pub grace_hours: u32,
    /// Links and codes bind referees as ever, but nothing is paid (mission 001).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub track_only: bool,
    /// Forms and apps whose codes are accepted; all of them unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<Channel>>,
    /// How a sign-up finds its referrer.
    #[serde(default, skip_serializing_if = "Attribution::is_default")]
    pub attribution: Attribution,
    /// Whether invoices that were paid outside the processor (by bank transfer, in cash) earn; they do not unless told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_out_of_band: bool,
    /// Whether invoices over nothing (a trial, a discount of all) trigger rules; they do not unless told (mission 000). A
    /// share of nothing stays nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_zero_amount: bool,
    /// Which event makes a referral count for tiers and milestones; the paid invoice unless told.
    #[serde(default = "default_qualifying_event", skip_serializing_if = "Trigger::is_invoice_paid")]
    pub qualifying_event: Trigger,
    /// Most referrals of one referrer; a sign-up beyond it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub max_referrals: Option<u32>,
    /// What a participant must have earned in a unit before rewards of that unit are delivered: at most one amount of
    /// each unit. Rewards below it are held, and released together when it is reached (mission 001).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub min_earnings: Vec<Money>,
    /// The currency that everything earned in money is paid in. What a rule gives in another currency is converted at the
    /// rate that you give for the day of the event, rounded toward zero; without it nothing is ever converted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "USD")]
    pub payout_currency: Option<Currency>,
    /// Variants for an A/B test: 2 to 5. A referee gets one for good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
}

const fn default_grace() -> u32 {
    24
}

const fn default_qualifying_event() -> Trigger {
    Trigger::InvoicePaid
}

/// A numbered, immutable version of a program's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// From 1.
    pub version: u32,
    /// From when it holds (business time of the event).
    pub effective_from: DateTime<Utc>,
    /// The rules.
    #[serde(flatten)]
    pub draft: TermsDraft,
}

impl TermsDraft {
    /// Whether a decision by these terms needs what was counted of the referee.
    #[must_use]
    pub fn counts_by_referee(&self) -> bool {
        self.counts_referrals() || self.rules.iter().any(RewardRule::counts_by_referee)
    }

    /// Whether a decision by these terms needs what was counted of the recipient.
    #[must_use]
    pub fn counts_by_recipient(&self) -> bool {
        self.counts_referrals()
            || !self.min_earnings.is_empty()
            || self.rules.iter().any(RewardRule::counts_by_recipient)
    }

    /// Whether qualified referrals, or what they bring, are counted.
    #[must_use]
    pub fn counts_referrals(&self) -> bool {
        self.rules.iter().any(|rule| match &rule.amount {
            Some(RuleAmount::Tiers(tiers)) => tiers.by != TierBy::PaymentAmount,
            Some(RuleAmount::Milestones(_)) => true,
            _ => false,
        })
    }

    /// Whether anything about a program's participants is counted, sign-ups among it.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.counts_by_referee() || self.counts_by_recipient() || self.max_referrals.is_some()
    }

    /// Whether some rule pays for what a referred participant earns.
    #[must_use]
    pub fn cascades(&self) -> bool {
        !self.track_only && self.rules.iter().any(|rule| rule.trigger == Trigger::RewardEarned)
    }

    /// Whether a sign-up itself can earn.
    #[must_use]
    pub fn pays_for_sign_up(&self) -> bool {
        let signup = |trigger: &Trigger| *trigger == Trigger::Signup;
        self.rules.iter().any(|rule| signup(&rule.trigger))
            || (self.counts_referrals() && signup(&self.qualifying_event))
    }

    /// The keys of the labels that some rule asks for; [`LINES_KEY`] where one asks for an invoice's lines.
    #[must_use]
    pub fn label_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.rules.iter().flat_map(|rule| rule.conditions.label_keys()).collect();
        if self.rules.iter().any(|rule| rule.lines.is_some()) {
            keys.push(LINES_KEY.to_owned());
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

#[cfg(test)]
#[path = "terms/flaws_tests.rs"]
mod flaws_tests;
