//! What a Stripe event says, as facts about sources and as links between customers and referees.
//!
//! | event | what it says |
//! |---|---|
//! | `invoice.paid`, `invoice.payment_succeeded` | the invoice's payment, its lines, its payer, the payments that are known |
//! | `invoice_payment.paid` | ties a payment to its invoice (basil), or says what was paid outside Stripe |
//! | `invoice.voided` | the invoice is void |
//! | `credit_note.created`, `.updated`, `.voided` | what was credited after the payment and not refunded |
//! | `charge.refunded` | the charge's cumulative figure, and its refunds where they are listed (before 2022-11-15) |
//! | `refund.created`, `.updated`, `.failed`, `charge.refund.updated` | one refund |
//! | `charge.dispute.created`, `.updated`, `.closed`, `.funds_withdrawn`, `.funds_reinstated` | one dispute |
//! | `checkout.session.completed`, `.async_payment_succeeded` | a payment without an invoice; whose customer it is |
//! | `customer.created`, `.updated` | whose customer it is |
//! | `customer.subscription.created`, `.updated` | the plans that it started, once it is active; whose customer it is |
//!
//! Everything else is ignored; of these on purpose:
//!
//! | event | why nothing follows |
//! |---|---|
//! | `invoice.marked_uncollectible` | nothing was paid by it, and the invoice can still be paid later: it must not be void |
//! | `customer.deleted` | what the customer paid stays paid, and its refunds still have to find it |
//! | `customer.subscription.deleted` | a plan that ended has started; what was paid for it goes back by refunds only |
//!
//! Before basil a charge names its invoice, and the fact is the invoice's; since then a refund or dispute names only the
//! payment, and the fact is about that payment until it is tied to an invoice.

use crate::webhook::document::{Document, refuse, require};
use crate::webhook::{Event, EventError, KIND_BYTES_MAX, Said};

use super::{checkout, credit, dispute, invoice, minor, payer, refund, subscription};

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
    let Said { facts, links } = read(&event, kind)?;
    let facts = facts.into_iter().map(minor::in_iso_units).collect::<Result<_, _>>()?;
    Ok(Event { id, livemode: Some(livemode), kind: kind.to_owned(), facts, links })
}

fn read(event: &Document, kind: &str) -> Result<Said, EventError> {
    Ok(match kind {
        "invoice.paid" | "invoice.payment_succeeded" => Some(invoice::paid(event)?).into(),
        "invoice_payment.paid" => invoice::payment_paid(event)?.into(),
        "invoice.voided" => Some(invoice::voided(event)?).into(),
        "credit_note.created" | "credit_note.updated" => credit::note(event, false)?.into(),
        "credit_note.voided" => credit::note(event, true)?.into(),
        "charge.refunded" => Some(refund::charge_refunded(event)?).into(),
        "refund.created" | "refund.updated" | "charge.refund.updated" => refund::refund(event, false)?.into(),
        "refund.failed" => refund::refund(event, true)?.into(),
        "charge.dispute.created" | "charge.dispute.updated" | "charge.dispute.closed" => {
            dispute::dispute(event, None)?.into()
        }
        "charge.dispute.funds_withdrawn" => dispute::dispute(event, Some(dispute::Funds::Withdrawn))?.into(),
        "charge.dispute.funds_reinstated" => {
            dispute::dispute(event, Some(dispute::Funds::Reinstated))?.into()
        }
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            checkout::session(event)?
        }
        "customer.created" | "customer.updated" => {
            Said { facts: Vec::new(), links: payer::of_customer(event)?.into_iter().collect() }
        }
        "customer.subscription.created" | "customer.subscription.updated" => subscription::started(event)?,
        _ => Said::default(),
    })
}

#[cfg(test)]
#[path = "event_refusal_tests.rs"]
mod refusal_tests;
#[cfg(test)]
#[path = "event_story_tests.rs"]
mod story_tests;
#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "event_variant_tests.rs"]
mod variant_tests;
