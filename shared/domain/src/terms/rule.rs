//! Reward rules: what earns, for whom, what is given, under which conditions and within which limits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{Channel, EventName, Label, RuleId};
use crate::money::{Money, Unit, UnitName};
use crate::source::Line;

use super::action::{MessageTemplate, TaskTemplate};
use super::amount::{RuleAmount, TierBy};

/// What earns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The referee paid an invoice.
    InvoicePaid,
    /// The referee signed up.
    Signup,
    /// The referee was approved (mission 001).
    Approved,
    /// The referee started a plan.
    PlanStarted,
    /// The referee completed a booking (mission 004).
    BookingCompleted,
    /// An event of this name was reported of the referee.
    Custom(EventName),
    /// A payout record of the referee was reported (mission 001).
    PayoutRecorded,
    /// The referrer's number of qualified referrals reached a milestone.
    ReferralCount,
    /// The referee, a participant of the same program, earned a reward from somebody else's event.
    RewardEarned,
}

impl Trigger {
    /// Whether it is the usual one.
    #[must_use]
    pub fn is_invoice_paid(&self) -> bool {
        *self == Self::InvoicePaid
    }

    /// The name of the qualifying event, where it is one.
    #[must_use]
    pub fn event_name(&self) -> Option<&str> {
        match self {
            Self::Approved => Some("approved"),
            Self::PlanStarted => Some("plan_started"),
            Self::BookingCompleted => Some("booking_completed"),
            Self::Custom(name) => Some(name.as_str()),
            Self::InvoicePaid
            | Self::Signup
            | Self::PayoutRecorded
            | Self::ReferralCount
            | Self::RewardEarned => None,
        }
    }
}

/// Who is rewarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// The one who referred; where several share the referral, each gets its share.
    Referrer,
    /// The one who was referred. Two rules make a program that rewards both.
    Referee,
}

/// Whether a rule is in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleStatus {
    /// It is.
    #[default]
    Active,
    /// It is not, and says so in every decision.
    Paused,
}

/// How often a rule pays ("re-enrollment" in mission 000).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// For every event.
    #[default]
    EveryTime,
    /// Once for each referee.
    OncePerReferee,
    /// Once for each recipient, whoever the referees are.
    Once,
}

/// What is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RewardKind {
    /// Credit in the participant's balance here.
    Allowance,
    /// Credit on the participant's next invoice at the payment processor.
    InvoiceCredit,
    /// A discount, of an amount or of a percentage.
    Discount,
    /// Money, paid out by a payout provider.
    Cash,
    /// Points.
    Points,
    /// A product or a service.
    Product,
    /// A message to the recipient; has no value.
    Message,
    /// A task for an administrator; has no value.
    Task,
    /// A webhook; has no value.
    Webhook,
}

impl RewardKind {
    /// Whether it is an action without value: nothing is added to a balance.
    #[must_use]
    pub const fn is_action(self) -> bool {
        matches!(self, Self::Message | Self::Task | Self::Webhook)
    }

    /// Whether a unit counts actions: it is in no balance and no sum.
    #[must_use]
    pub fn is_action_unit(unit: Unit) -> bool {
        [Self::Message, Self::Task, Self::Webhook].into_iter().any(|kind| kind.piece() == unit)
    }

    /// The unit of a reward that is counted in pieces and not in money: one message, two mugs.
    #[must_use]
    pub const fn piece(self) -> Unit {
        Unit::Named(match self {
            Self::Allowance | Self::InvoiceCredit | Self::Cash => UnitName::CREDIT,
            Self::Discount => UnitName::DISCOUNT,
            Self::Points => UnitName::POINTS,
            Self::Product => UnitName::PRODUCT,
            Self::Message => UnitName::MESSAGE,
            Self::Task => UnitName::TASK,
            Self::Webhook => UnitName::WEBHOOK,
        })
    }
}

/// Who delivers a reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deliverer {
    /// This engine: into the balance here, onto a partner invoice, or by a discount code of its own.
    Engine,
    /// The payment processor: credit or a promotion code for its customer.
    Processor,
    /// Whoever listens to `reward.earned`, and confirms with `POST /v1/rewards/{id}/fulfill` (mission 003).
    Listener,
}

/// Whether somebody must agree before a reward is delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nobody.
    #[default]
    Automatic,
    /// An administrator, for every reward.
    Manual,
    /// An administrator, for rewards above this amount (in its unit; rewards of other units always).
    ManualAbove(Money),
}

/// What must hold of an event for a rule to apply; every one that is given must.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Conditions {
    /// The referee entered a code (and was not only assigned by an administrator, or came by a link).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub used_code: bool,
    /// The least that must have been paid, by currency; other currencies do not qualify.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub min_purchase: Vec<Money>,
    /// Only the referee's first payment.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub first_payment_only: bool,
    /// The referee was not a customer before the sign-up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub new_customers_only: bool,
    /// The event is for one of these plans (a price id of Stripe's, or what you reported).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<String>,
    /// The event is for one of these products.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<String>,
    /// The event is from one of these countries (ISO 3166 codes, as reported).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// The event's metadata has one of these values under each of these keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, BTreeSet<String>>,
    /// The referee signed up through one of these channels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
}

impl Conditions {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The keys of the labels that are asked for.
    #[must_use]
    pub fn label_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.metadata.keys().map(|key| format!("metadata.{key}")).collect();
        let lists = [("plan", &self.plans), ("product", &self.products), ("country", &self.countries)];
        keys.extend(lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(key, _)| key.to_owned()));
        keys
    }
}

/// The period of a cap, in UTC and by the time at which the engine decides; weeks are ISO weeks and start on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CapPeriod {
    /// A calendar day.
    Day,
    /// A week.
    Week,
    /// A calendar month.
    Month,
    /// For ever.
    AllTime,
}

/// What becomes of the reward that crosses a cap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverCap {
    /// It is cut to what is left.
    #[default]
    Cut,
    /// It is refused; a smaller one may still fit.
    Refuse,
}

/// The most that a rule gives one recipient in a period. A reward keeps its place under the cap when it is taken back:
/// a dispute that is won or a refund that fails gives it back exactly, and the cap still holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// The period.
    pub per: CapPeriod,
    /// Minor units, above zero.
    #[schema(minimum = 1, example = 100_000)]
    pub amount: i64,
    /// Currency or unit; rewards of other units are not capped by it.
    #[schema(value_type = String, example = "USD")]
    pub currency: Unit,
    /// What becomes of the reward that crosses it.
    #[serde(default)]
    pub over: OverCap,
}

/// Limits of a rule; none unless told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Days from the sign-up in which events earn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3660)]
    pub validity_days: Option<u32>,
    /// Calendar months (UTC) from the referee's first qualifying payment in which payments earn; without it, for ever. A
    /// month after the 31st ends on the last day of a shorter month.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 120)]
    pub duration_months: Option<u32>,
    /// Most rewards by this rule for one referee.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub max_rewards_per_referee: Option<u32>,
    /// The least that one reward gives, as long as the event stands and never more than what it is taken of; at most one
    /// amount of each unit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at_least: Vec<Money>,
    /// The most that one reward gives; at most one amount of each unit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at_most: Vec<Money>,
    /// The most that one recipient gets by this rule in a period: at most four.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Cap>,
}

impl Limits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of lines for a part of a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prorations {
    /// They are lines like any other.
    #[default]
    Include,
    /// They are left out.
    Exclude,
    /// They alone are meant.
    Only,
}

/// The lines of an invoice that a rule is about; a line must fit every part that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LineFilter {
    /// Lines of one of these plans (a price id of Stripe's, or what you reported).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<String>,
    /// Lines of one of these products.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<String>,
    /// What becomes of lines for a part of a period.
    pub prorations: Prorations,
}

impl LineFilter {
    /// Whether a line is meant.
    #[must_use]
    pub fn matches(&self, line: &Line) -> bool {
        let one_of = |accepted: &[String], value: Option<&String>| {
            accepted.is_empty() || value.is_some_and(|value| accepted.contains(value))
        };
        let proration = match self.prorations {
            Prorations::Include => true,
            Prorations::Exclude => !line.proration,
            Prorations::Only => line.proration,
        };
        proration && one_of(&self.plans, line.plan.as_ref()) && one_of(&self.products, line.product.as_ref())
    }
}

/// One promise in the terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RewardRule {
    /// Its name within the terms; keep it when the promise stays the same.
    #[schema(value_type = String, example = "commission")]
    pub id: RuleId,
    /// What it promises, for people: up to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it is in force.
    #[serde(default, skip_serializing_if = "is_active")]
    pub status: RuleStatus,
    /// What earns.
    #[serde(default = "default_trigger", skip_serializing_if = "Trigger::is_invoice_paid")]
    pub trigger: Trigger,
    /// Who is rewarded.
    #[serde(default = "default_recipient", skip_serializing_if = "is_referrer")]
    pub recipient: Recipient,
    /// How often.
    #[serde(default, skip_serializing_if = "is_every_time")]
    pub repeat: Repeat,
    /// What is given.
    #[serde(default = "default_kind", skip_serializing_if = "is_allowance")]
    pub kind: RewardKind,
    /// How much; left out for messages, tasks and webhooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<RuleAmount>,
    /// The lines of the invoice that it is about: it applies where there is one, and takes its percentage of these lines'
    /// part of what was paid. Only with the trigger `invoice_paid`; all of the invoice unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<LineFilter>,
    /// What must hold of the event.
    #[serde(default, skip_serializing_if = "Conditions::is_default")]
    pub conditions: Conditions,
    /// Limits.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// Days from the event until the reward may be delivered.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schema(maximum = 3660)]
    pub hold_days: u32,
    /// Whether somebody must agree.
    #[serde(default, skip_serializing_if = "is_automatic")]
    pub approval: Approval,
    /// Who delivers; the kind's usual one unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_by: Option<Deliverer>,
    /// Days that a listener has to confirm its delivery before it counts as failed; 30 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 365)]
    pub confirm_days: Option<u32>,
    /// Days from the event after which a reward that has not been used is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3660)]
    pub expires_after_days: Option<u32>,
    /// What the recipient is told once the reward is delivered: of a message, what it says; of anything else, that it is
    /// there. Without it nothing is sent but events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageTemplate>,
    /// What is to be done, of the kind `task`; the rule's description, or else its id, unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskTemplate>,
    /// The set that the rule belongs to: of the rules of one set, the first whose conditions hold applies, in stated
    /// order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub first_of: Option<Label>,
    /// The variants of the terms that it belongs to; all unless told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub variants: Vec<Label>,
}

impl RewardRule {
    /// Whether deciding it needs what was counted of the referee.
    #[must_use]
    pub fn counts_by_referee(&self) -> bool {
        self.conditions.first_payment_only
            || self.repeat == Repeat::OncePerReferee
            || self.limits.duration_months.is_some()
            || self.limits.max_rewards_per_referee.is_some()
    }

    /// Whether deciding it needs what was counted of the recipient.
    #[must_use]
    pub fn counts_by_recipient(&self) -> bool {
        let tiers =
            matches!(&self.amount, Some(RuleAmount::Tiers(tiers)) if tiers.by != TierBy::PaymentAmount);
        tiers || self.repeat == Repeat::Once || !self.limits.caps.is_empty()
    }
}

const fn default_trigger() -> Trigger {
    Trigger::InvoicePaid
}

const fn default_recipient() -> Recipient {
    Recipient::Referrer
}

const fn default_kind() -> RewardKind {
    RewardKind::Allowance
}

fn is_active(status: &RuleStatus) -> bool {
    *status == RuleStatus::Active
}

fn is_referrer(recipient: &Recipient) -> bool {
    *recipient == Recipient::Referrer
}

fn is_every_time(repeat: &Repeat) -> bool {
    *repeat == Repeat::EveryTime
}

fn is_allowance(kind: &RewardKind) -> bool {
    *kind == RewardKind::Allowance
}

fn is_automatic(approval: &Approval) -> bool {
    *approval == Approval::Automatic
}

const fn is_zero(number: &u32) -> bool {
    *number == 0
}
