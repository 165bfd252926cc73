//! Checkout sessions: who somebody is, and what was paid where no invoice says so.
//!
//! | mode | payment | what it says |
//! |---|---|---|
//! | `payment`, no invoice | `paid` | a payment of `amount_total`, tied to its payment intent |
//! | `payment`, no invoice | `no_payment_required` | a payment of nothing |
//! | `payment`, no invoice | `unpaid` | whose customer it is; `async_payment_succeeded` follows with the payment |
//! | `payment` with an invoice, `subscription`, `setup` | any | whose customer it is; the invoice has events of its own |
//!
//! Where an invoice is made for it and a promotion code was entered, the session tells the invoice's payer of the code:
//! since basil no event of the invoice does, since discounts are mere ids there.

use crate::fact::{Fact, Payer, Tie};
use crate::id::SourceId;
use crate::source::{LABEL_BYTES_MAX, Payment, SourceState};
use crate::webhook::document::{Document, require};
use crate::webhook::{EventError, Said};

use super::invoice::{metadata_labels, put};
use super::payer::{customer, email, external_id, link, payments_of, possible_id, promotions};
use super::processor;

/// A completed session, or one whose delayed payment has succeeded.
pub(super) fn session(event: &Document) -> Result<Said, EventError> {
    let referee = external_id(event, &["/data/object", "/data/object/payment_intent"])?;
    let referee = referee.or_else(|| possible_id(event, "/data/object/client_reference_id"));
    let mut payer = Payer { external_id: referee, customer: customer(event)?, ..Payer::default() };
    let links = link(payer.customer.as_ref(), payer.external_id.as_ref()).into_iter().collect();
    let lists = ["/data/object/discounts", "/data/object/total_details/breakdown/discounts"];
    promotions(event, &lists.map(str::to_owned), &mut payer.promotions);
    if let Some(invoice) = event.reference("/data/object/invoice")? {
        let told = Payer { external_id: None, ..payer };
        let told = Fact::of(SourceId::invoice(processor(), invoice), told, SourceState::default());
        let facts = Some(told).into_iter().filter(|told| !told.payer.promotions.is_empty()).collect();
        return Ok(Said { facts, links });
    }
    // Of a delayed payment the invoice is made, and named, only afterwards.
    let invoiced = event.flag("/data/object/invoice_creation/enabled")? == Some(true);
    if invoiced || event.text("/data/object/mode")? != Some("payment") {
        return Ok(Said { facts: Vec::new(), links });
    }
    let total = match event.text("/data/object/payment_status")? {
        Some("paid") => event.amount("/data/object/amount_total")?,
        Some("no_payment_required") => 0,
        // unpaid, or one that Stripe adds later: nothing is known to have been paid.
        Some(_) | None => return Ok(Said { facts: Vec::new(), links }),
    };
    Ok(Said { facts: vec![paid(event, payer, total)?], links })
}

fn paid(event: &Document, payer: Payer, total: i64) -> Result<Fact, EventError> {
    let id = require("/data/object/id", event.reference("/data/object/id")?)?;
    let currency = event.currency("/data/object/currency")?;
    let tax = event.signed("/data/object/total_details/amount_tax")?.filter(|tax| (0..=total).contains(tax));
    let payment = Payment {
        amount: total,
        total: Some(total),
        total_excluding_tax: tax.and_then(|tax| total.checked_sub(tax)),
        paid_at: require("/created", event.time("/created")?)?,
    };
    let mut labels = metadata_labels(event);
    let country = event.short_text("/data/object/customer_details/address/country", LABEL_BYTES_MAX);
    put(&mut labels, "country", country);
    let state = SourceState { labels, ..SourceState::paid(currency, payment) };
    let payments = payments_of(event, "/data/object")?;
    let payments = payments.into_iter().map(|payment| Tie { payment, amount: None }).collect();
    let email = email(event, &["/data/object/customer_details/email", "/data/object/customer_email"]);
    let fact = Fact::of(SourceId::invoice(processor(), id), payer, state);
    Ok(Fact { payments, email, ..fact })
}

#[cfg(test)]
#[path = "checkout_tests.rs"]
mod tests;
