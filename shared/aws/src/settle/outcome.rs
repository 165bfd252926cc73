//! The small functions between what was read and what is written.

use domain::decision::{Case, rate_wanted};
use domain::fact::{Customer, Fact};
use domain::id::{RewardId, SourceId};
use domain::ledger::{Cause, Posting};
use domain::money::Money;
use domain::reason::Reason;
use domain::source::MergeError;

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
                MergeError::TooManyLabels | MergeError::TooManyParts | MergeError::TooManyLines => {
                    Reason::TooManyDetails
                }
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

/// What the source waits for, when its payer or its exchange rate is all that is missing.
pub(super) fn waiting_for(reason: Reason, case: &Case<'_>) -> Option<Waiting> {
    if reason == Reason::AwaitingSignup {
        case.payer.external_id.clone().map(Waiting::Referee)
    } else if reason == Reason::PayerUnknown {
        let by_email = || case.payer.email.clone().map(Customer::of_email);
        case.payer.customer.clone().or_else(by_email).map(Waiting::Customer)
    } else if reason == Reason::AwaitingRate {
        rate_wanted(case).map(Waiting::Rate)
    } else {
        None
    }
}

/// The rewards whose second-level rewards are to be decided: those that changed, where the program pays for them.
pub(super) fn second_level(postings: &[Posting], pays: bool) -> Vec<SourceId> {
    postings.iter().filter(|_| pays).filter_map(|posting| posting.reward().second_level()).collect()
}

/// What takes back: what the event says, or what the state shows when it was not an event.
pub(super) fn takes_back(row: &SourceRow, fact: Option<&Fact>) -> Cause {
    Cause::taking_back(&row.source, fact.map_or(&row.state, |fact| &fact.state))
}

pub(super) fn posted_line(posting: &Posting) -> (RewardId, Money) {
    (posting.reward().reward.clone(), posting.amount())
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
