//! How much a rule gives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::money::{Percentage, Unit};

/// What a percentage is taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// What was paid, tax included (mission 000).
    PaidTotal,
    /// What was paid, less the tax in it: `paid * total excluding tax / total`, rounded toward zero.
    PaidExcludingTax,
    /// The amount of a qualifying event.
    EventAmount,
    /// What the referred partner was paid (mission 001).
    Payout,
    /// What was made of the referred partner (mission 001).
    Profit,
    /// What the referred partner turned over (mission 001).
    Revenue,
    /// What the referred participant earned by the reward.
    Reward,
}

/// How much a rule gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleAmount {
    /// The same amount each time; it stands as long as any of the payment stands.
    Fixed(FixedAmount),
    /// The same amount each time, by the currency of the payment; other currencies earn nothing.
    PerCurrency(PerCurrencyAmount),
    /// A share, rounded toward zero to the minor unit.
    Percentage(PercentageAmount),
    /// More for more.
    Tiers(Tiers),
    /// An amount for each number of qualified referrals, once each. Only with the trigger `referral_count`.
    Milestones(Milestones),
    /// A discount of a percentage; only with the kind `discount`.
    PercentOff(PercentOff),
    /// A product; only with the kind `product`.
    Product(ProductAmount),
}

/// A fixed amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedAmount {
    /// Minor units, above zero.
    #[schema(minimum = 1, example = 500)]
    pub amount: i64,
    /// ISO 4217 code, or the name of a unit such as `points`.
    #[schema(value_type = String, example = "USD")]
    pub currency: Unit,
}

/// Fixed amounts by the currency of the payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct PerCurrencyAmount {
    /// Minor units, above zero, by ISO 4217 code.
    #[schema(value_type = std::collections::HashMap<String, i64>)]
    pub amounts: BTreeMap<Unit, i64>,
}

/// A share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PercentageAmount {
    /// Percent as a string, above 0 and at most 100 (1000 with `over_100`).
    #[schema(value_type = String, example = "10")]
    pub percent: Percentage,
    /// What it is taken of.
    #[serde(default = "default_basis")]
    pub basis: Basis,
    /// Whether the percentage may be above 100: the reward is then more than what it is taken of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over_100: bool,
}

const fn default_basis() -> Basis {
    Basis::PaidTotal
}

/// What picks the tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TierBy {
    /// The referrer's qualified referrals, this one included.
    QualifiedReferrals,
    /// What the referrer's referrals have brought in the tiers' currency and still stands, this event included.
    ReferredRevenue,
    /// The amount of this event.
    PaymentAmount,
}

/// What a reversal does to what was reached by counting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDrop {
    /// What was reached stays reached.
    #[default]
    Keep,
    /// Counting falls back: later rewards are of the lower tier, and the reward of a milestone is taken back until the
    /// number is reached again.
    Revoke,
}

/// Steps of an amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tiers {
    /// What picks the tier.
    pub by: TierBy,
    /// The currency that `from` is in, where the tier is picked by an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "USD")]
    pub currency: Option<Unit>,
    /// 1 to 20 tiers, lowest first. The last whose `from` is reached applies to the whole event; below the first nothing
    /// is given.
    pub steps: Vec<Tier>,
    /// What a reversal does to the tier of later events.
    #[serde(default)]
    pub on_drop: OnDrop,
}

/// One tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// From which count, or from which amount in minor units.
    #[schema(minimum = 0)]
    pub from: i64,
    /// What it gives.
    pub amount: TierAmount,
}

/// What a tier gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TierAmount {
    /// The same amount each time.
    Fixed(FixedAmount),
    /// A share.
    Percentage(PercentageAmount),
}

/// Rewards for numbers of qualified referrals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Milestones {
    /// 1 to 20 milestones, lowest first.
    pub steps: Vec<Milestone>,
    /// What a reversal does to a milestone that was reached.
    #[serde(default)]
    pub on_drop: OnDrop,
}

/// One milestone. It is awarded once, with the amount that it had then: editing it later changes nothing for those who
/// have reached it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Milestone {
    /// At how many qualified referrals.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub at: u32,
    /// Minor units, above zero.
    #[schema(minimum = 1, example = 5000)]
    pub amount: i64,
    /// ISO 4217 code, or the name of a unit such as `points`.
    #[schema(value_type = String, example = "USD")]
    pub currency: Unit,
}

/// A discount of a percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PercentOff {
    /// Percent as a string, above 0 and at most 100.
    #[schema(value_type = String, example = "15")]
    pub percent: Percentage,
}

/// A product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductAmount {
    /// Your own name of it: 1 to 100 characters.
    #[schema(example = "mug-blue", min_length = 1, max_length = 100)]
    pub sku: String,
    /// How many: 1 to 1,000,000; one unless told.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
}

const fn one() -> u32 {
    1
}
