//! The ledger: rewards, the entries that correct them, and balances as a fold of both.
//!
//! A reward is the opening entry of its own small account. Later entries (refunds, restorations) are lines of their
//! own that name it; no line's `delta` ever changes. What becomes available to the participant, and when:
//!
//! | line | adds to `available` |
//! |---|---|
//! | reward | `payable`, at the moment of fulfilment, once |
//! | entry against a reward that is not yet being delivered | nothing; it lowers or raises `payable` |
//! | entry against a reward that is being or was delivered | its `delta`, at once (a clawback when negative) |
//!
//! So `available + pending = earned - reversed` always, and every settled line's contribution is final: a snapshot of
//! a settled prefix of the ledger stays true for ever.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{EntryId, ExternalId, ParticipantId, ProgramId, RewardId, RuleId, SourceId, SourceKind};
use crate::money::{Money, MoneyError, Percentage, Unit};
use crate::source::{Earned, SourceState};
use crate::terms::RewardKind;

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
}

impl Cause {
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
    /// The percentage of a discount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_off: Option<Percentage>,
    /// The product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
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
    /// What its delivery made available; set once, at fulfilment.
    #[serde(default)]
    pub available: i64,
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
}

const fn one() -> u32 {
    1
}

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
    /// What it adds to the available balance.
    pub available: i64,
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
    Open(Reward),
    /// A correcting entry, and the reward as it is after it. The write must find the reward in state `was`.
    Correct {
        /// The new line.
        entry: Entry,
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
        return Ok((Posting::Open(reward), posted));
    };
    let closed =
        matches!(current.state, RewardState::Reversed | RewardState::Rejected | RewardState::Expired);
    let undelivered = closed && current.fulfilled_at.is_none();
    if undelivered && delta.amount.amount > 0 {
        let (reward, again) = open_again(delta, posted.generation.saturating_add(1), context);
        let after = Posted { taken: posted.taken, hands: posted.hands.clone(), ..again };
        return Ok((Posting::Open(reward), after));
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
    let reward = Reward {
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
        settled: false,
        state: delta.promise.first_state(context.recorded_at),
        ready_at: None,
        attempt: 0,
        lease_until: None,
        fulfilled_at: None,
    };
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
        RewardState::Pending | RewardState::Held | RewardState::Approved => {
            reward.payable = reward.net;
            if reward.net == 0 {
                (reward.state, reward.settled) = (closed_by(context.takes_back), true);
            }
            false
        }
        RewardState::Fulfilling => true,
        RewardState::Fulfilled | RewardState::Reversed => {
            let stands = reward.net != 0;
            reward.state = if stands { RewardState::Fulfilled } else { closed_by(context.takes_back) };
            true
        }
        RewardState::Rejected | RewardState::Expired | RewardState::Failed => false,
    };
    let cause = if change < 0 { context.takes_back } else { Cause::Restored };
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
        number: posted.entries,
    };
    let posted = Posted {
        amount: posted.amount.checked_add(change).ok_or(MoneyError::Overflow)?,
        entries: posted.entries.saturating_add(1),
        ..posted.clone()
    };
    Ok((Posting::Correct { entry, reward: Box::new(reward), was: current.state }, posted))
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
        | Cause::TakenBack => RewardState::Reversed,
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
    if taken <= 0 || current.state == RewardState::Fulfilling {
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

/// What a participant has in one unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Delivered and standing. Below zero when more was taken back after delivery than was earned since.
    pub available: i64,
    /// Earned and not yet delivered.
    #[serde(default)]
    pub pending: i64,
    /// Everything ever earned or restored.
    pub earned: i64,
    /// Everything ever taken back, as a positive number.
    pub reversed: i64,
}

impl Figures {
    /// What can be used: what was delivered and stands, and nothing while more was taken back than that.
    #[must_use]
    pub fn usable(&self) -> i64 {
        self.available.max(0)
    }

    /// What was taken back after its delivery and is not yet netted by what was delivered since.
    #[must_use]
    pub fn shortfall(&self) -> i64 {
        self.available.min(0).saturating_neg()
    }
}

/// Figures by unit.
pub type Balances = BTreeMap<Unit, Figures>;

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A reward with its opening entry.
    Reward(Box<Reward>),
    /// A correcting entry.
    Entry(Box<Entry>),
}

impl Line {
    /// Whether its contribution to the balance is final.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Reward(reward) => reward.settled,
            Self::Entry(_) => true,
        }
    }

    /// When it was written.
    #[must_use]
    pub fn recorded_at(&self) -> DateTime<Utc> {
        match self {
            Self::Reward(reward) => reward.recorded_at,
            Self::Entry(entry) => entry.recorded_at,
        }
    }
}

/// Adds one line to balances.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn add_line(balances: &mut Balances, line: &Line) -> Result<(), MoneyError> {
    let (unit, delta, available, pending) = match line {
        Line::Reward(reward) => {
            let pending = if reward.settled { 0 } else { reward.payable };
            (reward.unit, reward.delta, reward.available, pending)
        }
        Line::Entry(entry) => (entry.unit, entry.delta, entry.available, 0),
    };
    // An action has no value: it is in the ledger as having happened, and in no balance.
    if RewardKind::is_action_unit(unit) {
        return Ok(());
    }
    let figures = balances.entry(unit).or_default();
    let add = |a: i64, b: i64| a.checked_add(b).ok_or(MoneyError::Overflow);
    figures.available = add(figures.available, available)?;
    figures.pending = add(figures.pending, pending)?;
    figures.earned = add(figures.earned, delta.max(0))?;
    figures.reversed = add(figures.reversed, delta.min(0).checked_neg().ok_or(MoneyError::Overflow)?)?;
    Ok(())
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
