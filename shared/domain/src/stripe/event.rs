//! What a Stripe event says, as facts about sources.
//!
//! | event | fact |
//! |---|---|
//! | `invoice.paid`, `invoice.payment_succeeded` | the invoice's payment, its payer, the payments that are known |
//! | `invoice_payment.paid` | ties a payment to its invoice (basil) |
//! | `charge.refunded` | the charge's cumulative figure, and its refunds where they are listed (before 2022-11-15) |
//! | `refund.*`, `charge.refund.updated` | one refund |
//!
//! Everything else is ignored. Before basil a charge names its invoice, and the fact is the invoice's; since then a
//! refund names only the payment, and the fact is about that payment until it is tied to an invoice.

use crate::fact::{Customer, Fact, Payer};
use crate::id::{ProcessorRef, SourceId};
use crate::source::{REVERSALS_MAX, Refund, RefundStatus, SourceState};

use super::document::{Document, refuse, require};
use super::{invoice, minor, processor};

/// Longest event type that is taken, in bytes.
const KIND_BYTES_MAX: usize = 128;

/// An event as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Stripe's id of the event (`evt_...`); names the delivery, never the effect.
    pub id: ProcessorRef,
    /// Whether it happened in live mode; a live endpoint of a Stripe App receives test events too.
    pub livemode: bool,
    /// The event's type, such as `invoice.paid`.
    pub kind: String,
    /// What it says.
    pub facts: Parsed,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// Nothing that matters here: another type of event, or one that names neither invoice nor payment.
    Ignored,
    /// These facts.
    Facts(Vec<Fact>),
}

/// An event that cannot be read. Nothing of the body is repeated in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON.
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson {
        /// Line where reading stopped, from 1.
        line: usize,
        /// Column where reading stopped.
        column: usize,
    },
    /// A field is missing, or not what it must be.
    #[error("{pointer} {problem}")]
    Field {
        /// JSON pointer to the field.
        pointer: String,
        /// What is wrong with it; reads on after the pointer.
        problem: String,
    },
}

/// Reads an event. Fields that are not needed are not looked at, since Stripe adds new ones within a version.
///
/// # Errors
/// [`EventError`] when the body is not an event, or when a needed field is missing or unusable.
pub fn parse(body: &[u8]) -> Result<Event, EventError> {
    let event = Document::parse(body)?;
    let kind = require("/type", event.text("/type")?)?;
    if kind.len() > KIND_BYTES_MAX {
        return Err(refuse("/type", format!("must have at most {KIND_BYTES_MAX} bytes")));
    }
    let id = require("/id", event.reference("/id")?)?;
    let livemode = require("/livemode", event.flag("/livemode")?)?;
    let fact = match kind {
        "invoice.paid" | "invoice.payment_succeeded" => Some(invoice::paid(&event)?),
        "invoice_payment.paid" => invoice::payment_paid(&event)?,
        "charge.refunded" => Some(charge_refunded(&event)?),
        "refund.created" | "refund.updated" | "charge.refund.updated" => refund(&event, None)?,
        "refund.failed" => refund(&event, Some(RefundStatus::Failed))?,
        _ => None,
    };
    let fact = fact.map(minor::in_iso_units).transpose()?;
    let facts = fact.map_or(Parsed::Ignored, |fact| Parsed::Facts(vec![fact]));
    Ok(Event { id, livemode, kind: kind.to_owned(), facts })
}

pub(super) fn customer(event: &Document) -> Result<Option<Customer>, EventError> {
    let reference = event.reference("/data/object/customer")?;
    Ok(reference.map(|reference| Customer { processor: processor(), reference }))
}

/// The payment intent and the charge that an object names, in this order.
pub(super) fn payments_of(event: &Document, object: &str) -> Result<Vec<SourceId>, EventError> {
    let intent = event.reference(&format!("{object}/payment_intent"))?;
    let charge = event.reference(&format!("{object}/charge"))?;
    Ok([intent, charge].into_iter().flatten().map(|id| SourceId::payment(processor(), id)).collect())
}

fn charge_refunded(event: &Document) -> Result<Fact, EventError> {
    let id = require("/data/object/id", event.reference("/data/object/id")?)?;
    let currency = event.currency("/data/object/currency")?;
    let intent = event.reference("/data/object/payment_intent")?;
    // The refund's own events know the charge by its payment intent too; one key for both, so that nothing counts twice.
    let key = intent.clone().unwrap_or_else(|| id.clone());
    let cumulative = event.amount("/data/object/amount_refunded")?;
    let mut state = SourceState::refunded(currency, key.clone(), cumulative);
    for member in event.members("/data/object/refunds/data", REVERSALS_MAX)?.unwrap_or_default() {
        let (refund_id, refund) = refund_at(event, &member, &key, None)?;
        state.refunds.insert(refund_id, refund);
    }
    let (source, payments) = match event.reference("/data/object/invoice")? {
        Some(invoice) => {
            let payments = [intent, Some(id)].into_iter().flatten();
            let payments = payments.map(|payment| SourceId::payment(processor(), payment)).collect();
            (SourceId::invoice(processor(), invoice), payments)
        }
        None => (SourceId::payment(processor(), key), Vec::new()),
    };
    let payer = Payer { external_id: None, customer: customer(event)? };
    Ok(Fact { source, payer, state, payments })
}

fn refund(event: &Document, forced: Option<RefundStatus>) -> Result<Option<Fact>, EventError> {
    // A refund of a customer's cash balance has neither payment intent nor charge, so no invoice either.
    let Some(source) = payments_of(event, "/data/object")?.into_iter().next() else {
        return Ok(None);
    };
    let currency = event.currency("/data/object/currency")?;
    let (id, refund) = refund_at(event, "/data/object", &source.reference, forced)?;
    let state = SourceState::refund(currency, id, refund);
    Ok(Some(Fact { source, payer: Payer::default(), state, payments: Vec::new() }))
}

fn refund_at(
    event: &Document,
    object: &str,
    charge: &ProcessorRef,
    forced: Option<RefundStatus>,
) -> Result<(ProcessorRef, Refund), EventError> {
    let pointer = format!("{object}/id");
    let id = require(&pointer, event.reference(&pointer)?)?;
    let amount = event.amount(&format!("{object}/amount"))?;
    let status = match event.text(&format!("{object}/status"))? {
        Some("succeeded") => RefundStatus::Succeeded,
        Some("failed" | "canceled") => RefundStatus::Failed,
        // pending, requires_action, none, or one that Stripe adds later: the money is taken to go back until it fails.
        Some(_) | None => RefundStatus::Pending,
    };
    Ok((id, Refund { amount, status: forced.unwrap_or(status), charge: Some(charge.clone()) }))
}

#[cfg(test)]
#[path = "event_refusal_tests.rs"]
mod refusal_tests;
#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "event_variant_tests.rs"]
mod variant_tests;
