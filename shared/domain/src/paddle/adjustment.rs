//! What corrects a transaction after it was billed. Every adjustment is told with its full amount each time; what changes is
//! its status.

use super::{payer, processor};
use crate::fact::Fact;
use crate::id::{ProcessorRef, SourceId};
use crate::source::{Dispute, DisputeStatus, Refund, RefundStatus, SourceState};
use crate::webhook::EventError;
use crate::webhook::document::{Document, refuse, require};

pub(super) fn told(event: &Document) -> Result<Option<Fact>, EventError> {
    let id = require("/data/id", event.reference("/data/id")?)?;
    let transaction = require("/data/transaction_id", event.reference("/data/transaction_id")?)?;
    let action = require("/data/action", event.text("/data/action")?)?;
    let status = event.text("/data/status")?;
    let currency = event.currency("/data/currency_code")?;
    let amount = event.amount_text("/data/totals/total")?;
    let state = match action {
        "refund" => {
            let refund = Refund { amount, status: given_back(status), charge: None };
            SourceState::refund(currency, id, refund)
        }
        // Credit that lowered what was still to be paid is in the grand total already.
        "credit" if event.flag("/data/credit_applied_to_balance")? == Some(false) => return Ok(None),
        "credit" => SourceState::credit(currency, id, amount, given_back(status)),
        "chargeback" | "chargeback_warning" | "chargeback_reverse" | "chargeback_warning_reverse" => {
            let of = action.strip_suffix("_reverse");
            // A chargeback takes the money at once and may still be reversed: it is never lost for good.
            let reversed = of.is_some() || matches!(status, Some("reversed" | "rejected"));
            let status = if reversed { DisputeStatus::Won } else { DisputeStatus::Open };
            let dispute = ProcessorRef::parse(&format!("{transaction}.{}", of.unwrap_or(action)));
            let dispute = dispute.map_err(|error| refuse("/data/transaction_id", error))?;
            SourceState::dispute(currency, dispute, Dispute { amount, status, charge: None })
        }
        // A reversed credit is told by the credit's own status; others may come that nobody knows yet.
        _ => return Ok(None),
    };
    Ok(Some(Fact::of(SourceId::invoice(processor(), transaction), payer(event)?, state)))
}

fn given_back(status: Option<&str>) -> RefundStatus {
    match status {
        Some("approved") => RefundStatus::Succeeded,
        Some("rejected" | "reversed") => RefundStatus::Failed,
        // Not approved yet, or a status that Paddle adds later: the money is taken to go back until it does not.
        Some(_) | None => RefundStatus::Pending,
    }
}
