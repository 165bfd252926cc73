//! The small functions between what was read and what is written.

use domain::decision::{Judgement, Posted};
use domain::fact::{Fact, Payer};
use domain::id::{RewardId, SourceId};
use domain::ledger::{Cause, Posting};
use domain::money::Money;
use domain::reason::Reason;
use domain::source::{MergeError, SourceState};

use super::{SettleError, Settled};
use crate::store::{SourceRow, Waiting};

/// The source as it is with the fact joined.
pub(super) fn join(before: &SourceRow, fact: Option<&Fact>) -> Result<SourceRow, SettleError> {
    let mut row = before.clone();
    if let Some(fact) = fact {
        row.state = before.state.merge(&fact.state).map_err(|error| {
            let reason = match error {
                MergeError::CurrencyMismatch { .. } => Reason::CurrencyMismatch,
                MergeError::TooManyReversals => Reason::TooManyReversals,
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
pub(super) fn waiting_for(judgement: &Judgement, payer: &Payer) -> Option<Waiting> {
    if judgement.reason == Reason::AwaitingSignup {
        payer.external_id.clone().map(Waiting::Referee)
    } else if judgement.reason == Reason::PayerUnknown {
        payer.customer.clone().map(Waiting::Customer)
    } else {
        None
    }
}

/// What takes back: what the event says, or what the state shows when it was not an event.
pub(super) fn takes_back(state: &SourceState, fact: Option<&Fact>) -> Cause {
    let told = fact.map(|fact| &fact.state).unwrap_or(state);
    if told.voided {
        Cause::Void
    } else if !told.disputes.is_empty() {
        Cause::Dispute
    } else if !told.refunds.is_empty() || !told.refunded_by_charge.is_empty() {
        Cause::Refund
    } else {
        Cause::Correction
    }
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
