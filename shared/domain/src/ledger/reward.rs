//! A reward: what one rule earned for one recipient, and how far its delivery has come.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{ExternalId, ParticipantId, ProgramId, RewardId, RuleId, SourceId, SourceKind};
use crate::money::{Percentage, Unit};
use crate::source::{Earned, SourceState};
use crate::terms::{Deliverer, RewardKind};

use super::delivery::{Account, Failure, Handed, News, Outside, Untold, Way};

/// Where a reward stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RewardState {
    /// Earned, not yet decided on.
    Pending,
    /// Withheld for review or until a date.
    Held,
    /// To be delivered.
    Approved,
    /// A worker is delivering it.
    Fulfilling,
    /// Delivered.
    Fulfilled,
    /// Refused by an administrator.
    Rejected,
    /// Taken back in full.
    Reversed,
    /// Not used in time.
    Expired,
    /// Could not be delivered.
    Failed,
}

/// What a line of the ledger was caused by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A qualifying event.
    Earned,
    /// A refund.
    Refund,
    /// A credit note, or another credit that is no refund.
    Credit,
    /// A dispute.
    Dispute,
    /// The invoice was voided.
    Void,
    /// A refund that failed or a dispute that was won gave back what was taken.
    Restored,
    /// A fact that arrived later changed what the source is worth.
    Correction,
    /// The event was cancelled.
    Cancelled,
    /// The reward that this one is a share of was taken back.
    SourceReversed,
    /// Given by an administrator.
    Granted,
    /// Refused by an administrator before it was delivered.
    Rejected,
    /// Taken back by an administrator.
    TakenBack,
    /// Not used in time.
    Expired,
    /// Spent by the participant.
    Redeemed,
    /// What was spent was given back.
    Returned,
}

impl Cause {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Earned => "earned",
            Self::Refund => "refund",
            Self::Credit => "credit",
            Self::Dispute => "dispute",
            Self::Void => "void",
            Self::Restored => "restored",
            Self::Correction => "correction",
            Self::Cancelled => "cancelled",
            Self::SourceReversed => "source_reversed",
            Self::Granted => "granted",
            Self::Rejected => "rejected",
            Self::TakenBack => "taken_back",
            Self::Expired => "expired",
            Self::Redeemed => "redeemed",
            Self::Returned => "returned",
        }
    }

    /// What takes back from a reward of `source`, where something does: what an event says (`told`), or what is known of
    /// the source when there was no event.
    #[must_use]
    pub fn taking_back(source: &SourceId, told: &SourceState) -> Self {
        if told.voided {
            let billed = matches!(source.kind, SourceKind::Invoice | SourceKind::Payment);
            if billed { Self::Void } else { Self::Cancelled }
        } else if told.earned.is_some() {
            Self::SourceReversed
        } else if !told.disputes.is_empty() {
            Self::Dispute
        } else if !told.refunds.is_empty() || !told.refunded_by_charge.is_empty() {
            Self::Refund
        } else if !told.credits.is_empty() {
            Self::Credit
        } else {
            Self::Correction
        }
    }
}

/// Who did something by hand, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// Who: the caller's own name of an administrator.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// What is particular about a reward that is to be opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// What is given.
    #[serde(default)]
    pub kind: Option<RewardKind>,
    /// Who delivers it, where the rule says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_by: Option<Deliverer>,
    /// Days that a listener has to confirm its delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_days: Option<u32>,
    /// The percentage of a discount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_off: Option<Percentage>,
    /// The product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Whether its recipient is told once it is delivered: what, the rule says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub message: bool,
    /// Whether somebody must agree first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_approval: bool,
    /// Until when it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<DateTime<Utc>>,
    /// Whether it waits until enough is earned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub below_threshold: bool,
    /// When it is gone if it was not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

impl Promise {
    /// The state that a reward of it begins in.
    #[must_use]
    pub fn first_state(&self, now: DateTime<Utc>) -> RewardState {
        if self.needs_approval { RewardState::Pending } else { self.approved_state(now) }
    }

    /// The state that it is in once it is approved.
    #[must_use]
    pub fn approved_state(&self, now: DateTime<Utc>) -> RewardState {
        let held = self.below_threshold || self.held_until.is_some_and(|until| now < until);
        if held { RewardState::Held } else { RewardState::Approved }
    }
}

/// What one rule earned for one recipient from one source, and how far its delivery has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reward {
    /// Its id; names its place.
    pub reward: RewardId,
    /// Who earned.
    pub participant: ParticipantId,
    /// The program.
    pub program: ProgramId,
    /// The rule.
    pub rule: RuleId,
    /// The terms that were applied.
    pub terms_version: u32,
    /// What it was earned from.
    pub source: SourceId,
    /// Whose payment it was.
    pub referee: ExternalId,
    /// Its opening entry, in minor units; never changes.
    pub delta: i64,
    /// Unit of every figure here.
    pub unit: Unit,
    /// What is particular about it.
    #[serde(default)]
    pub promise: Promise,
    /// Who gave it by hand, if somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// Why it was opened.
    pub cause: Cause,
    /// When the payment was made (business time).
    pub occurred_at: DateTime<Utc>,
    /// When the engine wrote it.
    pub recorded_at: DateTime<Utc>,
    /// What stands of it: the opening entry and every later one.
    pub net: i64,
    /// How many lines that is.
    #[serde(default = "one")]
    pub lines: u32,
    /// What is (or was) to be delivered; fixed when a worker claims the reward.
    pub payable: i64,
    /// What its delivery made available; set once, at fulfilment. Before that, what makes it even (`evened`).
    #[serde(default)]
    pub available: i64,
    /// What was taken back while a delivery was under way that then failed: the lines that did so count it as delivered, and
    /// this is counted against them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub evened: i64,
    /// Whether its contribution to the balance is final.
    #[serde(default)]
    pub settled: bool,
    /// Where it stands.
    pub state: RewardState,
    /// When an approval, or enough earnings, last let it go on, where it waited for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<DateTime<Utc>>,
    /// How often a worker has claimed it; the fence of a delivery.
    #[serde(default)]
    pub attempt: u32,
    /// Until when the latest claim holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<DateTime<Utc>>,
    /// When it was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfilled_at: Option<DateTime<Utc>>,
    /// What the outside is still to be told of it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Untold>,
    /// Since when somebody else is to deliver it, and until when that has to be confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed: Option<Handed>,
    /// What has been done outside, where it is delivered in steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<Outside>,
    /// Why the last try to deliver it, or to take it back outside, was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What people and failures did to it, oldest first; the latest [`MOVES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<Move>,
}

/// Most moves that a reward remembers.
pub const MOVES_MAX: usize = 20;

/// That somebody or something moved a reward, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Move {
    /// Where it stood then.
    pub state: RewardState,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: the caller's own name of an administrator; the engine itself where nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why: what the administrator said, the cause of the ledger's line, or the code of a failure.
    pub reason: String,
}

const fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

const fn one() -> u32 {
    1
}

impl Reward {
    /// What it gives; rewards that were opened before there were kinds are allowances.
    #[must_use]
    pub fn kind(&self) -> RewardKind {
        self.promise.kind.unwrap_or(RewardKind::Allowance)
    }

    /// The source of what its recipient's referrer earns by it, in a program that pays a second level. There is none of
    /// what is of the second level itself, nor of what was given by hand.
    #[must_use]
    pub fn second_level(&self) -> Option<SourceId> {
        let pays = !matches!(self.source.kind, SourceKind::Reward | SourceKind::Grant);
        pays.then(|| SourceId::reward(&self.reward))
    }

    /// How it reaches its recipient.
    #[must_use]
    pub fn way(&self) -> Way {
        Way::of(self.kind(), self.promise.deliver_by)
    }

    /// Who delivers it.
    #[must_use]
    pub fn deliverer(&self) -> Deliverer {
        match self.way() {
            Way::Balance | Way::Cash | Way::Code | Way::Action => Deliverer::Engine,
            Way::ProcessorCredit | Way::ProcessorDiscount => Deliverer::Processor,
            Way::Listener => Deliverer::Listener,
        }
    }

    /// Where its value is counted.
    #[must_use]
    pub fn account(&self) -> Account {
        self.way().account()
    }

    /// Whether a worker is at it. What somebody else is to deliver waits for its confirmation.
    #[must_use]
    pub fn is_being_delivered(&self) -> bool {
        self.state == RewardState::Fulfilling && self.handed.is_none()
    }

    /// Whether what stands outside is not what stands here, though it has been delivered.
    #[must_use]
    pub fn differs_outside(&self) -> bool {
        self.outside.as_ref().is_some_and(|outside| outside.sending.is_some() || outside.given != self.net)
    }

    /// When the next thing is to be done about it, once all is told; `None` when nothing is left to do.
    #[must_use]
    pub fn due_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let promise = &self.promise;
        match self.state {
            RewardState::Approved => Some(now),
            RewardState::Held if !promise.below_threshold => promise.held_until,
            RewardState::Held | RewardState::Pending => promise.expires_at,
            RewardState::Fulfilling => Some(self.lease_until.unwrap_or(now)),
            RewardState::Fulfilled | RewardState::Reversed if self.differs_outside() => {
                self.failure.is_none().then(|| self.lease_until.unwrap_or(now))
            }
            // One whose time was over when it came is looked at once: then it lapses.
            RewardState::Fulfilled if self.account() == Account::Balance => {
                promise.expires_at.filter(|at| now < *at || self.fulfilled_at == Some(now))
            }
            RewardState::Fulfilled
            | RewardState::Rejected
            | RewardState::Reversed
            | RewardState::Expired
            | RewardState::Failed => None,
        }
    }

    /// What stands of it in the balance in a unit.
    #[must_use]
    pub fn in_balance(&self, unit: Unit) -> i64 {
        let is_there = self.state == RewardState::Fulfilled && self.account() == Account::Balance;
        if is_there && self.unit == unit { self.net } else { 0 }
    }

    /// Whether what is left of it in the balance is over.
    #[must_use]
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        let lapses = self.state == RewardState::Fulfilled && self.account() == Account::Balance;
        lapses && self.promise.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether a worker may deliver it: a reward whose hold is over is as good as approved.
    #[must_use]
    pub fn is_deliverable(&self, now: DateTime<Utc>) -> bool {
        let promise = &self.promise;
        let held_no_more = !promise.below_threshold && promise.held_until.is_some_and(|until| until <= now);
        self.state == RewardState::Approved || (self.state == RewardState::Held && held_no_more)
    }

    /// As it is once somebody who had to agree has agreed.
    #[must_use]
    pub fn approved(&self, note: Option<&Note>, now: DateTime<Utc>) -> Self {
        let mut reward = self.clone();
        reward.promise.needs_approval = false;
        reward.state = reward.promise.approved_state(now);
        reward.ready_at = Some(now);
        reward.untold.push(Untold { news: News::Approved, number: 0, at: now });
        if let Some(note) = note {
            reward.note = Some(note.clone());
            reward.remember(now, Some(&note.actor), &note.reason);
        }
        reward
    }

    /// As it is once it has been delivered: what was payable is available, and nothing but news and steps is left to do.
    /// `told` of its news have been told.
    #[must_use]
    pub fn completed(&self, outside: Option<Outside>, told: usize, now: DateTime<Utc>) -> Self {
        let state = if self.net == 0 { RewardState::Reversed } else { RewardState::Fulfilled };
        Self {
            state,
            settled: true,
            available: self.available.saturating_add(self.payable),
            fulfilled_at: Some(now),
            lease_until: None,
            handed: None,
            failure: None,
            outside,
            untold: self.untold.iter().skip(told).cloned().collect(),
            ..self.clone()
        }
    }

    /// As it is once its delivery, or a step after it, has failed for good. What corrected it while it was being delivered
    /// counts as if it had been delivered; that is made even, and what stands is what is to be delivered.
    #[must_use]
    pub fn failed(&self, failure: Failure, outside: Option<Outside>) -> Self {
        let at = failure.at;
        let mut reward = Self { lease_until: None, handed: None, outside, ..self.clone() };
        if !self.settled {
            if self.net == 0 {
                return reward.completed(reward.outside.clone(), 0, at);
            }
            reward.evened = self.evened.saturating_add(self.payable).saturating_sub(self.net);
            reward.available = reward.evened;
            reward.payable = self.net;
            reward.state = RewardState::Failed;
        }
        reward.untold.push(Untold { news: News::Failed, number: self.attempt, at });
        reward.remember(at, None, &failure.code);
        reward.failure = Some(failure);
        reward
    }

    /// As it is once somebody lets a delivery that has failed be tried again.
    #[must_use]
    pub fn retried(&self, note: &Note, now: DateTime<Utc>) -> Self {
        let mut reward = Self { failure: None, lease_until: None, ..self.clone() };
        if self.state == RewardState::Failed {
            reward.state = RewardState::Approved;
        }
        if let Some(sending) = reward.outside.as_mut().and_then(|outside| outside.sending.as_mut()) {
            sending.tries = 0;
        }
        reward.remember(now, Some(&note.actor), &note.reason);
        reward
    }

    /// As it is once somebody has delivered it by hand, or confirmed that they have. From then on it is theirs to take back.
    #[must_use]
    pub fn fulfilled_by_hand(&self, note: &Note, now: DateTime<Utc>) -> Self {
        let by_listener = self.way().has_steps();
        let mut reward = self.completed(None, 0, now);
        if by_listener {
            reward.promise.deliver_by = Some(Deliverer::Listener);
        }
        if reward.state == RewardState::Fulfilled {
            reward.untold.push(Untold { news: News::Fulfilled, number: 0, at: now });
        }
        reward.remember(now, Some(&note.actor), &note.reason);
        reward
    }

    /// Whether it can be delivered by hand: it is to be delivered, somebody else is to, or it has failed.
    #[must_use]
    pub fn can_be_fulfilled_by_hand(&self) -> bool {
        let handed = self.state == RewardState::Fulfilling && self.handed.is_some();
        handed || matches!(self.state, RewardState::Approved | RewardState::Failed)
    }

    /// Notes who or what moved it; what is oldest is forgotten.
    pub fn remember(&mut self, at: DateTime<Utc>, actor: Option<&str>, reason: &str) {
        if self.moves.len() >= MOVES_MAX {
            self.moves.remove(0);
        }
        let (actor, reason) = (actor.map(str::to_owned), reason.to_owned());
        self.moves.push(Move { state: self.state, at, actor, reason });
    }

    /// From when it could be delivered: written, and no longer waiting for approval, earnings or the end of its hold.
    #[must_use]
    pub fn deliverable_from(&self) -> DateTime<Utc> {
        let waited = self.ready_at.into_iter().chain(self.promise.held_until);
        waited.fold(self.recorded_at, DateTime::max)
    }

    /// The state of that source.
    #[must_use]
    pub fn as_source(&self) -> SourceState {
        let earned = Earned {
            lines: self.lines,
            gross: self.delta,
            net: self.net,
            unit: self.unit,
            program: self.program.clone(),
        };
        SourceState { earned: Some(earned), ..SourceState::happened(self.occurred_at, None) }
    }
}

#[cfg(test)]
#[path = "reward_tests.rs"]
mod tests;
