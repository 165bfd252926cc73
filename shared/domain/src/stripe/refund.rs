//! Refunds: by a charge's cumulative figure, and one by one.

use crate::fact::{Fact, Payer, Tie};
use crate::id::{ProcessorRef, SourceId};
use crate::source::{REVERSALS_MAX, Refund, RefundStatus, SourceState};
use crate::webhook::EventError;
use crate::webhook::document::{Document, require};

use super::payer::{customer, payments_of};
use super::processor;

/// `charge.refunded`: how much of a charge has been refunded so far.
pub(super) fn charge_refunded(event: &Document) -> Result<Fact, EventError> {
    let id = require("/data/object/id", event.reference("/data/object/id")?)?;
    let currency = event.currency("/data/object/currency")?;
    let intent = event.reference("/data/object/payment_intent")?;
    // The refund's own events know the charge by its payment intent too; one key for both, so that nothing counts twice.
    let key = intent.clone().unwrap_or_else(|| id.clone());
    let cumulative = event.amount("/data/object/amount_refunded")?;
    let mut state = SourceState::refunded(currency, key.clone(), cumulative);
    for member in event.members("/data/object/refunds/data", REVERSALS_MAX)?.unwrap_or_default() {
        let (refund_id, refund) = refund_at(event, &member, &key, false)?;
        state.refunds.insert(refund_id, refund);
    }
    let (source, payments) = match event.reference("/data/object/invoice")? {
        Some(invoice) => {
            let payments = [intent, Some(id)].into_iter().flatten();
            let payments =
                payments.map(|id| Tie { payment: SourceId::payment(processor(), id), amount: None });
            (SourceId::invoice(processor(), invoice), payments.collect())
        }
        None => (SourceId::payment(processor(), key), Vec::new()),
    };
    let payer = Payer { customer: customer(event)?, ..Payer::default() };
    Ok(Fact { payments, ..Fact::of(source, payer, state) })
}

/// One refund; `failed` where the event's type says so, whatever its status.
pub(super) fn refund(event: &Document, failed: bool) -> Result<Option<Fact>, EventError> {
    // A refund of a customer's cash balance has neither payment intent nor charge, so no invoice either.
    let Some(source) = payments_of(event, "/data/object")?.into_iter().next() else {
        return Ok(None);
    };
    let currency = event.currency("/data/object/currency")?;
    let (id, refund) = refund_at(event, "/data/object", &source.reference, failed)?;
    let state = SourceState::refund(currency, id, refund);
    Ok(Some(Fact::of(source, Payer::default(), state)))
}

fn refund_at(
    event: &Document,
    object: &str,
    charge: &ProcessorRef,
    failed: bool,
) -> Result<(ProcessorRef, Refund), EventError> {
    let pointer = format!("{object}/id");
    let id = require(&pointer, event.reference(&pointer)?)?;
    let amount = event.amount(&format!("{object}/amount"))?;
    let status = match event.text(&format!("{object}/status"))? {
        Some("failed" | "canceled") => RefundStatus::Failed,
        _ if failed => RefundStatus::Failed,
        Some("succeeded") => RefundStatus::Succeeded,
        // pending, requires_action, none, or one that Stripe adds later: the money is taken to go back until it fails.
        Some(_) | None => RefundStatus::Pending,
    };
    Ok((id, Refund { amount, status, charge: Some(charge.clone()) }))
}
