//! From a difference to lines: opening, correcting and taking back.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{EntryId, ExternalId, ParticipantId, ProgramId, RewardId, RuleId, SourceId};
use crate::money::{Money, MoneyError, Unit};

use super::delivery::{Account, News, Untold};
use super::reward::{Cause, Note, Promise, Reward, RewardState};

/// A later line of the ledger that corrects a reward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub entry: EntryId,
    /// The reward that it corrects.
    pub reward: RewardId,
    /// Whose ledger it is in.
    pub participant: ParticipantId,
    /// The program.
    pub program: ProgramId,
    /// The rule.
    pub rule: RuleId,
    /// The terms that were applied.
    pub terms_version: u32,
    /// The source.
    pub source: SourceId,
    /// Signed minor units; never changes.
    pub delta: i64,
    /// Their unit.
    pub unit: Unit,
    /// Why.
    pub cause: Cause,
    /// Who did it by hand, if somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// When the payment was made (business time).
    pub occurred_at: DateTime<Utc>,
    /// When the engine wrote it.
    pub recorded_at: DateTime<Utc>,
    /// What it adds to what is delivered.
    pub available: i64,
    /// Where that is counted.
    #[serde(default, skip_serializing_if = "Account::is_balance")]
    pub account: Account,
    /// The reward's entries before this one.
    pub number: u32,
}

/// What has been posted for one rule of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The rule.
    pub rule: RuleId,
    /// Who earned.
    pub recipient: ParticipantId,
    /// The program.
    pub program: ProgramId,
    /// Sum of all entries, in minor units.
    pub amount: i64,
    /// Their unit.
    pub unit: Unit,
    /// The reward that stands for it now.
    pub reward: RewardId,
    /// How many rewards came before it and were taken back undelivered.
    pub generation: u32,
    /// Entries of this reward so far.
    pub entries: u32,
    /// What was taken back by hand or by time, and is not given again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub taken: i64,
    /// Whether nothing is given any more: rejected, expired or taken back in full.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// The keys of what was taken back by hand, so that a repeated call takes nothing twice; at most [`HANDS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hands: Vec<String>,
}

/// Most times that something of one reward is taken back by hand.
pub const HANDS_MAX: usize = 20;

const fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

/// A difference between what a rule should have given and what is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// The source that it is earned from.
    pub source: SourceId,
    /// The rule.
    pub rule: RuleId,
    /// Who earns by it.
    pub recipient: ParticipantId,
    /// What is to be posted: never zero.
    pub amount: Money,
    /// What is posted already.
    pub posted: Option<Posted>,
    /// What is particular about the reward.
    pub promise: Promise,
}

/// What is the same for every line that one decision writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The program.
    pub program: ProgramId,
    /// The terms that were applied.
    pub terms_version: u32,
    /// Whose payment it was.
    pub referee: ExternalId,
    /// Cause of lines that open.
    pub opens: Cause,
    /// Cause of lines that take back.
    pub takes_back: Cause,
    /// Who did it by hand, if somebody did.
    pub note: Option<Note>,
    /// When the payment was made.
    pub occurred_at: DateTime<Utc>,
    /// Now.
    pub recorded_at: DateTime<Utc>,
}

/// What is to be written for one difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posting {
    /// A new reward.
    Open(Box<Reward>),
    /// A correcting entry, and the reward as it is after it. The write must find the reward in state `was`.
    Correct {
        /// The new line.
        entry: Box<Entry>,
        /// The reward afterwards.
        reward: Box<Reward>,
        /// The state that the reward was read in.
        was: RewardState,
    },
}

impl Posting {
    /// The reward as it is afterwards.
    #[must_use]
    pub const fn reward(&self) -> &Reward {
        match self {
            Self::Open(reward) => reward,
            Self::Correct { reward, .. } => reward,
        }
    }

    /// What the line adds.
    #[must_use]
    pub fn amount(&self) -> Money {
        match self {
            Self::Open(reward) => Money::new(reward.delta, reward.unit),
            Self::Correct { entry, .. } => Money::new(entry.delta, entry.unit),
        }
    }
}

/// Notes what is posted after a line, in the place of what was posted `before`.
pub fn note(all: &mut Vec<Posted>, before: Option<&Posted>, after: Posted) {
    match all.iter_mut().find(|posted| Some(&**posted) == before) {
        Some(posted) => *posted = after,
        None => all.push(after),
    }
}

/// Turns one difference into lines. `current` is the reward named by `delta.posted`, as it was read.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn post(
    delta: &Delta,
    current: Option<&Reward>,
    context: &Context,
) -> Result<(Posting, Posted), MoneyError> {
    let Some((posted, current)) = delta.posted.as_ref().zip(current) else {
        let (reward, posted) = open(delta, context);
        return Ok((Posting::Open(Box::new(reward)), posted));
    };
    let closed =
        matches!(current.state, RewardState::Reversed | RewardState::Rejected | RewardState::Expired);
    let undelivered = closed && current.fulfilled_at.is_none();
    if undelivered && delta.amount.amount > 0 {
        let (reward, again) = open_again(delta, posted.generation.saturating_add(1), context);
        let after = Posted { taken: posted.taken, hands: posted.hands.clone(), ..again };
        return Ok((Posting::Open(Box::new(reward)), after));
    }
    correct(delta, posted, current, context)
}

/// A reward that is opened for the first time, and what is posted of it then.
#[must_use]
pub fn open(delta: &Delta, context: &Context) -> (Reward, Posted) {
    open_again(delta, 0, context)
}

fn open_again(delta: &Delta, generation: u32, context: &Context) -> (Reward, Posted) {
    let (rule, recipient) = (&delta.rule, &delta.recipient);
    let id = RewardId::of(recipient, context.recorded_at, &delta.source, rule, delta.amount.unit, generation);
    let mut reward = Reward {
        reward: id.clone(),
        participant: recipient.clone(),
        program: context.program.clone(),
        rule: rule.clone(),
        terms_version: context.terms_version,
        source: delta.source.clone(),
        referee: context.referee.clone(),
        delta: delta.amount.amount,
        unit: delta.amount.unit,
        promise: delta.promise.clone(),
        note: context.note.clone(),
        cause: if generation == 0 { context.opens } else { Cause::Restored },
        occurred_at: context.occurred_at,
        recorded_at: context.recorded_at,
        net: delta.amount.amount,
        lines: 1,
        payable: delta.amount.amount,
        available: 0,
        evened: 0,
        settled: false,
        state: delta.promise.first_state(context.recorded_at),
        ready_at: None,
        attempt: 0,
        lease_until: None,
        fulfilled_at: None,
        untold: vec![Untold { news: News::Earned, number: 0, at: context.recorded_at }],
        handed: None,
        outside: None,
        failure: None,
        moves: Vec::new(),
    };
    if reward.state != RewardState::Approved {
        reward.untold.push(Untold { news: News::Held, number: 0, at: context.recorded_at });
    }
    let posted = Posted {
        rule: rule.clone(),
        recipient: recipient.clone(),
        program: context.program.clone(),
        amount: delta.amount.amount,
        unit: delta.amount.unit,
        reward: id,
        generation,
        entries: 1,
        taken: 0,
        closed: false,
        hands: Vec::new(),
    };
    (reward, posted)
}

fn correct(
    delta: &Delta,
    posted: &Posted,
    current: &Reward,
    context: &Context,
) -> Result<(Posting, Posted), MoneyError> {
    let change = delta.amount.amount;
    let mut reward = current.clone();
    reward.net = current.net.checked_add(change).ok_or(MoneyError::Overflow)?;
    reward.lines = current.lines.saturating_add(1);
    let delivered = match current.state {
        RewardState::Pending | RewardState::Held | RewardState::Approved | RewardState::Failed => {
            reward.payable = reward.net;
            if reward.net == 0 {
                (reward.state, reward.settled) = (closed_by(context.takes_back), true);
                reward.failure = None;
            }
            false
        }
        RewardState::Fulfilling => true,
        RewardState::Fulfilled | RewardState::Reversed => {
            let stands = reward.net != 0;
            reward.state = if stands { RewardState::Fulfilled } else { closed_by(context.takes_back) };
            true
        }
        RewardState::Rejected | RewardState::Expired => false,
    };
    let takes_back = change.is_negative();
    let cause = if takes_back { context.takes_back } else { Cause::Restored };
    let news = match cause {
        Cause::Restored => News::Restored,
        Cause::Rejected => News::Rejected,
        Cause::Expired => News::Expired,
        Cause::Earned
        | Cause::Refund
        | Cause::Credit
        | Cause::Dispute
        | Cause::Void
        | Cause::Correction
        | Cause::Cancelled
        | Cause::SourceReversed
        | Cause::Granted
        | Cause::TakenBack
        | Cause::Redeemed
        | Cause::Returned => News::Reversed,
    };
    // What stands outside differs again: that is worth another try.
    if delivered && reward.differs_outside() {
        reward.failure = None;
    }
    reward.untold.push(Untold { news, number: posted.entries, at: context.recorded_at });
    let note = context.note.as_ref().filter(|_| takes_back);
    let reason = note.map_or(cause.as_str(), |note| &note.reason);
    reward.remember(context.recorded_at, note.map(|note| note.actor.as_str()), reason);
    let entry = Entry {
        entry: EntryId::derive(&[current.reward.as_str(), &posted.entries.to_string()]),
        reward: current.reward.clone(),
        participant: current.participant.clone(),
        program: current.program.clone(),
        rule: current.rule.clone(),
        terms_version: context.terms_version,
        source: current.source.clone(),
        delta: change,
        unit: current.unit,
        cause,
        note: context.note.clone(),
        occurred_at: context.occurred_at,
        recorded_at: context.recorded_at,
        available: if delivered { change } else { 0 },
        account: current.account(),
        number: posted.entries,
    };
    let posted = Posted {
        amount: posted.amount.checked_add(change).ok_or(MoneyError::Overflow)?,
        entries: posted.entries.saturating_add(1),
        ..posted.clone()
    };
    Ok((Posting::Correct { entry: Box::new(entry), reward: Box::new(reward), was: current.state }, posted))
}

/// The state of a reward of which nothing is left.
const fn closed_by(cause: Cause) -> RewardState {
    match cause {
        Cause::Rejected => RewardState::Rejected,
        Cause::Expired => RewardState::Expired,
        Cause::Earned
        | Cause::Refund
        | Cause::Credit
        | Cause::Dispute
        | Cause::Void
        | Cause::Restored
        | Cause::Correction
        | Cause::Cancelled
        | Cause::SourceReversed
        | Cause::Granted
        | Cause::TakenBack
        | Cause::Redeemed
        | Cause::Returned => RewardState::Reversed,
    }
}

/// Takes back up to `amount` of what stands of a reward, by hand or by time; what is taken so is not given again by
/// later events of its source. `None` when nothing of it stands, or when it is just being delivered: then the caller
/// comes back after the lease.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn take_back(
    posted: &Posted,
    current: &Reward,
    amount: Option<i64>,
    context: &Context,
) -> Result<Option<(Posting, Posted)>, MoneyError> {
    let taken = amount.unwrap_or(current.net).min(current.net);
    if taken <= 0 || current.is_being_delivered() {
        return Ok(None);
    }
    let delta = Delta {
        source: current.source.clone(),
        rule: current.rule.clone(),
        recipient: current.participant.clone(),
        amount: Money::new(taken.checked_neg().ok_or(MoneyError::Overflow)?, current.unit),
        posted: Some(posted.clone()),
        promise: current.promise.clone(),
    };
    let (posting, after) = correct(&delta, posted, current, context)?;
    let closed = matches!(context.takes_back, Cause::Rejected | Cause::Expired) || taken == current.net;
    let taken = after.taken.checked_add(taken).ok_or(MoneyError::Overflow)?;
    Ok(Some((posting, Posted { taken, closed, ..after })))
}

#[cfg(test)]
#[path = "posting_tests.rs"]
mod tests;
