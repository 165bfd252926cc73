//! Credit notes.
//!
//! Of a note's amount there counts what it takes back after the payment, and what no refund tells of:
//!
//! | part of the note | counts | since |
//! |---|---|---|
//! | before the payment (`pre_payment_amount`) | no | it was never paid |
//! | refunded (`refunds[].refund`, `refund`) | no | the refund has events of its own |
//! | credited to the customer's balance | yes | the next invoice is paid with it, and earns less by as much |
//! | given back outside Stripe (`out_of_band_amount`, a refund of a payment record) | yes | no other event says so |

use crate::fact::{Fact, Payer};
use crate::id::SourceId;
use crate::source::{RefundStatus, SourceState};
use crate::webhook::EventError;
use crate::webhook::document::{Document, require};

use super::payer::customer;
use super::processor;

/// Most refunds that a credit note lists.
const REFUNDS_MAX: usize = 100;

/// A credit note, as a fact of its invoice; `void` where the event's type says so, whatever its status.
pub(super) fn note(event: &Document, void: bool) -> Result<Option<Fact>, EventError> {
    let id = require("/data/object/id", event.reference("/data/object/id")?)?;
    let invoice = require("/data/object/invoice", event.reference("/data/object/invoice")?)?;
    let currency = event.currency("/data/object/currency")?;
    let amount = credited(event)?;
    if amount == 0 {
        return Ok(None);
    }
    let void = void || event.text("/data/object/status")? == Some("void");
    let status = if void { RefundStatus::Failed } else { RefundStatus::Succeeded };
    let payer = Payer { customer: customer(event)?, ..Payer::default() };
    let state = SourceState::credit(currency, id, amount, status);
    Ok(Some(Fact::of(SourceId::invoice(processor(), invoice), payer, state)))
}

fn credited(event: &Document) -> Result<i64, EventError> {
    let after_payment = match event.signed("/data/object/post_payment_amount")? {
        Some(amount) => amount,
        // Before 2025 a note was of one kind, by the state of the invoice.
        None if event.text("/data/object/type")? == Some("pre_payment") => 0,
        None => event.amount("/data/object/amount")?,
    };
    let refunded = match refunds(event)? {
        Some(refunded) => refunded,
        None => one_refund(event, after_payment)?,
    };
    Ok(after_payment.saturating_sub(refunded).max(0))
}

/// What the listed refunds give back through Stripe. A refund of a payment record was made elsewhere.
fn refunds(event: &Document) -> Result<Option<i64>, EventError> {
    let Some(members) = event.members("/data/object/refunds", REFUNDS_MAX)? else { return Ok(None) };
    let mut sum = 0_i64;
    for member in members {
        if event.text(&format!("{member}/type"))? != Some("payment_record_refund") {
            sum = sum.saturating_add(event.amount(&format!("{member}/amount_refunded"))?);
        }
    }
    Ok(Some(sum))
}

/// Before the list there was one refund, whose amount stands only in the refund itself. Unless that is expanded, it is
/// taken to be all that was not given back outside Stripe.
fn one_refund(event: &Document, after_payment: i64) -> Result<i64, EventError> {
    if event.reference("/data/object/refund")?.is_none() {
        return Ok(0);
    }
    if let Ok(Some(amount)) = event.signed("/data/object/refund/amount") {
        return Ok(amount.max(0));
    }
    let outside = event.signed("/data/object/out_of_band_amount")?.unwrap_or(0);
    Ok(after_payment.saturating_sub(outside).max(0))
}

#[cfg(test)]
#[path = "credit_tests.rs"]
mod tests;
