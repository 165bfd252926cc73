//! How one rule of a decision is shown.

use aws::store::SourceRow;
use domain::decision::{Decision, RuleOutcome};
use domain::id::{ParticipantId, RewardId, RuleId, SourceId};
use domain::ledger::Posted;
use domain::money::Money;
use domain::reason::Reason;
use domain::tally::{Admission, Awarded, Tallies};
use serde::Serialize;
use utoipa::ToSchema;

/// What one rule came to for one recipient.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleView {
    /// The rule.
    rule: RuleId,
    /// Who earns by it.
    recipient: ParticipantId,
    /// What its reward is earned from: the source itself, or a milestone that it reached.
    #[schema(value_type = String, example = "invoice/stripe/in_123")]
    source: SourceId,
    /// Whether its reward stands.
    pub(super) fired: bool,
    /// Why, or why not.
    #[schema(value_type = String, example = "earned")]
    pub(super) reason: Reason,
    /// The reason in words.
    explanation: &'static str,
    /// What of the event the rule was applied to, in minor units.
    basis: i64,
    /// What it should have given by now.
    target: Money,
    /// What is in the ledger.
    posted: Money,
    /// The reward that stands for it.
    reward: Option<RewardId>,
    /// What was taken back by hand, or because it was not used in time; it is not given again.
    taken_back: Option<Money>,
    /// What was counted, where the rule counts.
    counted: Option<CountedView>,
}

/// What a rule that counts found when it first met the source; a milestone finds what is counted now.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct CountedView {
    /// The referrer's qualified referrals, this one included.
    referrals: Option<u32>,
    /// What the referrer's referrals had brought, this event included, in minor units.
    revenue: Option<i64>,
    /// How often the rule had paid for this referee before.
    rewards_before: Option<u32>,
    /// The reward of the whole event, before caps, in minor units.
    uncapped: Option<i64>,
    /// The most that the rule's caps left to it, in minor units.
    room: Option<i64>,
}

impl RuleView {
    /// What a milestone came to: `qualified` is what is counted now.
    pub(super) fn of_milestone(source: SourceId, awarded: &Awarded, qualified: u32) -> Self {
        let posted = &awarded.posted;
        let reason = if posted.closed {
            Reason::TakenBack
        } else if posted.amount > 0 {
            Reason::Earned
        } else {
            Reason::MilestoneNotReached
        };
        Self {
            rule: posted.rule.clone(),
            recipient: posted.recipient.clone(),
            source,
            fired: reason == Reason::Earned,
            reason,
            explanation: reason.text(),
            basis: 0,
            target: Money::new(awarded.amount, posted.unit),
            posted: Money::new(posted.amount, posted.unit),
            reward: Some(posted.reward.clone()),
            taken_back: taken_back(posted),
            counted: Some(CountedView { referrals: Some(qualified), ..CountedView::default() }),
        }
    }
}

/// Every rule of the terms, and what is posted by rules that the decision does not come to any more.
pub(crate) fn rules_of(decision: &Decision, row: &SourceRow) -> Vec<RuleView> {
    let outcomes = &decision.judgement.rules;
    let posted_of = |outcome: &RuleOutcome| {
        let own = row.posted.iter().find(|posted| outcome.counted.is_none() && is_same(posted, outcome));
        own.or_else(|| awarded(&decision.judgement.tallies, outcome))
    };
    let mut rules: Vec<RuleView> = outcomes.iter().map(|outcome| rule(outcome, posted_of(outcome))).collect();
    let reason = decision.judgement.reason;
    for posted in &row.posted {
        if !outcomes.iter().any(|outcome| outcome.counted.is_none() && is_same(posted, outcome)) {
            rules.push(RuleView {
                rule: posted.rule.clone(),
                recipient: posted.recipient.clone(),
                source: row.source.clone(),
                fired: false,
                reason,
                explanation: reason.text(),
                basis: 0,
                target: Money::new(0, posted.unit),
                posted: Money::new(posted.amount, posted.unit),
                reward: Some(posted.reward.clone()),
                taken_back: taken_back(posted),
                counted: None,
            });
        }
    }
    rules
}

fn is_same(posted: &Posted, outcome: &RuleOutcome) -> bool {
    posted.rule == outcome.rule && posted.recipient == outcome.recipient && posted.unit == outcome.target.unit
}

/// What is posted of a milestone that was awarded.
fn awarded<'a>(tallies: &'a Tallies, outcome: &RuleOutcome) -> Option<&'a Posted> {
    let tally = tallies.recipients.get(&outcome.recipient).filter(|_| outcome.counted.is_some())?;
    let is_it = |awarded: &&Awarded| SourceId::milestone(&awarded.posted.rule, awarded.at) == outcome.source;
    tally.milestones.iter().find(is_it).map(|awarded| &awarded.posted)
}

fn rule(outcome: &RuleOutcome, posted: Option<&Posted>) -> RuleView {
    let closed = outcome.reason == Reason::Earned && posted.is_some_and(|posted| posted.closed);
    let reason = if closed { Reason::TakenBack } else { outcome.reason };
    let of_milestone =
        outcome.counted.map(|referrals| CountedView { referrals: Some(referrals), ..CountedView::default() });
    RuleView {
        rule: outcome.rule.clone(),
        recipient: outcome.recipient.clone(),
        source: outcome.source.clone(),
        fired: reason == Reason::Earned,
        reason,
        explanation: reason.text(),
        basis: outcome.basis,
        target: outcome.target,
        posted: Money::new(posted.map_or(0, |posted| posted.amount), outcome.target.unit),
        reward: posted.map(|posted| posted.reward.clone()),
        taken_back: posted.and_then(taken_back),
        counted: of_milestone.or_else(|| outcome.admission.as_ref().map(CountedView::from)),
    }
}

impl From<&Admission> for CountedView {
    fn from(admission: &Admission) -> Self {
        Self {
            referrals: admission.referrals,
            revenue: admission.revenue,
            rewards_before: admission.rewards_before,
            uncapped: Some(admission.gross).filter(|gross| *gross > 0),
            room: admission.room,
        }
    }
}

fn taken_back(posted: &Posted) -> Option<Money> {
    (posted.taken > 0).then(|| Money::new(posted.taken, posted.unit))
}
