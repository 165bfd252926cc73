//! The small functions between what was read and what is written.

use domain::fact::{Fact, Payer};
use domain::id::{RewardId, SourceId, SourceKind};
use domain::ledger::{Cause, Posted, Posting};
use domain::money::Money;
use domain::reason::Reason;
use domain::source::MergeError;

use super::{SettleError, Settled};
use crate::store::{SourceRow, Then, Waiting};

/// The source as it is with the fact joined.
pub(super) fn join(before: &SourceRow, fact: Option<&Fact>) -> Result<SourceRow, SettleError> {
    let mut row = before.clone();
    if let Some(fact) = fact {
        row.state = before.state.merge(&fact.state).map_err(|error| {
            let reason = match error {
                MergeError::CurrencyMismatch { .. } => Reason::CurrencyMismatch,
                MergeError::TooManyReversals | MergeError::TooManyLabels => Reason::TooManyReversals,
            };
            SettleError::Refused { reason, detail: error.to_string() }
        })?;
        row.payer = before.payer.merge(&fact.payer).map_err(|error| SettleError::Refused {
            reason: Reason::PayerMismatch,
            detail: error.to_string(),
        })?;
    }
    Ok(row)
}

/// Whom the source waits for, when its payer is all that is missing.
pub(super) fn waiting_for(reason: Reason, payer: &Payer) -> Option<Waiting> {
    if reason == Reason::AwaitingSignup {
        payer.external_id.clone().map(Waiting::Referee)
    } else if reason == Reason::PayerUnknown {
        payer.customer.clone().map(Waiting::Customer)
    } else {
        None
    }
}

/// A reward of somebody who was not referred has no second level, and waits for nobody.
pub(super) fn told_reason(source: &SourceId, reason: Reason) -> Reason {
    let waits = matches!(reason, Reason::AwaitingSignup | Reason::PayerUnknown);
    if source.kind == SourceKind::Reward && waits { Reason::NotReferred } else { reason }
}

/// The rewards whose second-level rewards are to be decided: those that changed, where the program pays for them. There
/// is no third level.
pub(super) fn cascades(postings: &[Posting], found: Option<&Then>) -> Vec<SourceId> {
    let pays = found.is_some_and(|found| found.cascades);
    let changed = postings.iter().filter(|_| pays).map(|posting| match posting {
        Posting::Open(reward) => (&reward.source, &reward.reward),
        Posting::Correct { entry, .. } => (&entry.source, &entry.reward),
    });
    changed
        .filter(|(source, _)| source.kind != SourceKind::Reward)
        .map(|(_, id)| SourceId::reward(id))
        .collect()
}

/// What takes back: what the event says, or what the state shows when it was not an event.
pub(super) fn takes_back(row: &SourceRow, fact: Option<&Fact>) -> Cause {
    Cause::taking_back(&row.source, fact.map_or(&row.state, |fact| &fact.state))
}

pub(super) fn replace(all: &mut Vec<Posted>, before: Option<&Posted>, after: Posted) {
    match all.iter_mut().find(|posted| Some(&**posted) == before) {
        Some(posted) => *posted = after,
        None => all.push(after),
    }
}

pub(super) fn posted_line(posting: &Posting) -> (RewardId, Money) {
    match posting {
        Posting::Open(reward) => (reward.reward.clone(), Money::new(reward.delta, reward.unit)),
        Posting::Correct { entry, .. } => (entry.reward.clone(), Money::new(entry.delta, entry.unit)),
    }
}

pub(super) fn same_but_time(before: &SourceRow, after: &SourceRow) -> bool {
    before.version > 0 && SourceRow { updated_at: before.updated_at, ..after.clone() } == *before
}

pub(super) fn unchanged(source: SourceId, reason: Reason) -> Settled {
    Settled { source, reason, changed: false, posted: Vec::new() }
}

pub(super) fn settled(row: &SourceRow, before: &SourceRow, posted: Vec<(RewardId, Money)>) -> Settled {
    let reason = row.reason.unwrap_or(Reason::AwaitingPayment);
    Settled { source: row.source.clone(), reason, changed: !same_but_time(before, row), posted }
}
