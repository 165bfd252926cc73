//! What example events lead to.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::id::{ExternalId, Label, RewardId, RuleId, SourceId};
use crate::ledger::{Cause, RewardState};
use crate::money::{Money, Unit};
use crate::reason::Reason;

/// What one example event leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Step {
    /// Why a sign-up is refused, if it is; nothing else comes of it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub refused: Option<Reason>,
    /// What is decided: the event's own source first, then what had waited for it and what follows from its rewards.
    pub decisions: Vec<Decided>,
}

/// The decision on one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Decided {
    /// The source.
    #[schema(value_type = String, example = "invoice/example/in_1")]
    pub source: SourceId,
    /// What it came to.
    #[schema(value_type = String, example = "earned")]
    pub reason: Reason,
    /// The referee's variant of the terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub variant: Option<Label>,
    /// Every rule of the terms, for each recipient.
    pub rules: Vec<SimulatedOutcome>,
    /// The lines that the ledger gets.
    pub posted: Vec<SimulatedLine>,
}

/// What one rule comes to for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SimulatedOutcome {
    /// The source of its reward: the decision's own, or a milestone.
    #[schema(value_type = String)]
    pub source: SourceId,
    /// The rule.
    #[schema(value_type = String, example = "commission")]
    pub rule: RuleId,
    /// Your own id of who earns by it.
    pub recipient: String,
    /// Whether its reward stands, and if not, why.
    #[schema(value_type = String, example = "earned")]
    pub reason: Reason,
    /// What of the event stands, by the rule's basis, in minor units.
    pub basis: i64,
    /// What the rule should have given by now.
    pub target: Money,
    /// What was counted.
    pub counted: Counted,
}

/// What was counted for a rule, where it counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Counted {
    /// Qualified referrals, this one included, for tiers and milestones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrals: Option<u32>,
    /// What referrals had brought, this event included, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revenue: Option<i64>,
    /// How often the rule had paid for this referee before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewards_before: Option<u32>,
    /// What the caps leave to the reward, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<i64>,
}

/// A line that the ledger gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SimulatedLine {
    /// The reward that it opens or corrects.
    pub reward: RewardId,
    /// The rule.
    #[schema(value_type = String)]
    pub rule: RuleId,
    /// Your own id of whose ledger it is in.
    pub recipient: String,
    /// Signed minor units.
    pub amount: Money,
    /// Why.
    pub cause: Cause,
    /// The reward's state after it.
    pub state: RewardState,
}

/// What a whole simulation comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Summary {
    /// Everybody who earned, by your own ids.
    #[schema(value_type = std::collections::HashMap<String, std::collections::HashMap<String, SummaryFigures>>)]
    pub participants: BTreeMap<ExternalId, BTreeMap<Unit, SummaryFigures>>,
}

/// What one participant comes to in one unit. Messages, tasks and webhooks have no value and are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct SummaryFigures {
    /// Earned and restored.
    pub earned: i64,
    /// Taken back, as a positive number.
    pub reversed: i64,
    /// What stands.
    pub net: i64,
}
