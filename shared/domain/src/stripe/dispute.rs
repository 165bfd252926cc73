//! Disputes: money that the customer's bank takes back, and gives back to whoever wins.
//!
//! Stripe tells of a dispute by its status and, in events of their own, by the moves of the money. `created` and
//! `funds_withdrawn` come about together; a win is told by `closed` and `funds_reinstated`, in either order.
//!
//! | the event's status | `created`, `updated`, `closed` | `funds_withdrawn` | `funds_reinstated` |
//! |---|---|---|---|
//! | `warning_*` (an inquiry), `prevented` | nothing | open | won, if all came back |
//! | `needs_response`, `under_review`, any later one | open | open | won, if all came back; else open |
//! | `won` | won | won | won |
//! | `lost` | lost | lost | lost |
//!
//! Withheld is what is open or lost. The rank only rises, open < won < lost: so a win stands whatever comes late, and
//! money that is given back although the dispute was lost (the part that had been refunded before) does not make it won;
//! that part is refunded anyway. A bank that turns a loss into a win afterwards is not followed; the reward can be
//! given by hand then.

use crate::fact::{Fact, Payer};
use crate::source::{Dispute, DisputeStatus, SourceState};
use crate::webhook::EventError;
use crate::webhook::document::{Document, require};

use super::payer::payments_of;

/// Most moves of money that a dispute lists; Stripe knows two.
const MOVES_MAX: usize = 20;

/// A move of the disputed money, where the event is about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Funds {
    /// Stripe took it.
    Withdrawn,
    /// Stripe gave it back.
    Reinstated,
}

/// One dispute, as a fact of the payment that it is about.
pub(super) fn dispute(event: &Document, funds: Option<Funds>) -> Result<Option<Fact>, EventError> {
    let Some(status) = status(event, funds)? else { return Ok(None) };
    let Some(source) = payments_of(event, "/data/object")?.into_iter().next() else { return Ok(None) };
    let id = require("/data/object/id", event.reference("/data/object/id")?)?;
    let currency = event.currency("/data/object/currency")?;
    let amount = event.amount("/data/object/amount")?;
    let charge = Some(source.reference.clone());
    let state = SourceState::dispute(currency, id, Dispute { amount, status, charge });
    Ok(Some(Fact::of(source, Payer::default(), state)))
}

fn status(event: &Document, funds: Option<Funds>) -> Result<Option<DisputeStatus>, EventError> {
    let inquiry = |status: &str| status.starts_with("warning_") || status == "prevented";
    Ok(match (event.text("/data/object/status")?, funds) {
        (Some("won"), _) => Some(DisputeStatus::Won),
        (Some("lost"), _) => Some(DisputeStatus::Lost),
        (_, Some(Funds::Withdrawn)) => Some(DisputeStatus::Open),
        (_, Some(Funds::Reinstated)) if all_came_back(event)? => Some(DisputeStatus::Won),
        (Some(status), _) if inquiry(status) => None,
        (Some(_) | None, _) => Some(DisputeStatus::Open),
    })
}

/// Whether the moves that are listed, in whatever currency the account settles in, come to nothing; a list without the
/// move that the event is about cannot tell, and the event's word holds.
fn all_came_back(event: &Document) -> Result<bool, EventError> {
    let (mut sum, mut returned) = (0_i64, false);
    for member in event.members("/data/object/balance_transactions", MOVES_MAX)?.unwrap_or_default() {
        let amount = event.signed(&format!("{member}/amount"))?.unwrap_or(0);
        sum = sum.saturating_add(amount);
        returned |= amount > 0;
    }
    Ok(!returned || sum >= 0)
}

#[cfg(test)]
#[path = "dispute_tests.rs"]
mod tests;
