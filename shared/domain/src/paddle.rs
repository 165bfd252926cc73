//! Paddle Billing: the signature of its webhooks, and what its events say.
//!
//! | event | fact |
//! |---|---|
//! | `transaction.paid`, `transaction.completed` | the payment of `invoice/paddle/txn_...`, its payer, lines and discount |
//! | `adjustment.created`, `adjustment.updated` | a refund, a credit or a chargeback of its transaction |
//! | `subscription.activated` | the qualifying event `plan_started` |
//! | `customer.created`, `.updated`, `.imported` | whom a customer is, where its custom data say so |
//!
//! Everything else is ignored. A transaction is Paddle's invoice, and whatever corrects it names it: there is nothing to
//! tie. Live and sandbox are accounts of their own, with endpoints and secrets of their own; an event does not say which.
//!
//! A chargeback and its reversal are two adjustments that do not name one another, so both are told of one dispute per
//! transaction, `txn_....chargeback`: reversed for good once any of them is. A reversed credit is known by the credit's own
//! status.

mod adjustment;
mod transaction;

use crate::fact::{Customer, Fact, Link, Payer};
use crate::id::{ExternalId, Processor};
use crate::source::SourceState;
use crate::webhook::document::{Document, refuse, require};
use crate::webhook::labels::{Collected, LABELLED_LINES_MAX};
use crate::webhook::timed::Scheme;
use crate::webhook::{Event, EventError, KIND_BYTES_MAX, plan_started};

/// Name of the signature's header, in lower case.
pub const HEADER: &str = "paddle-signature";
/// `ts=<unix seconds>;h1=<hex>`, several `h1` while a secret is rotated; signed is `<ts>:<raw body>`.
pub const SCHEME: Scheme = Scheme { separator: ';', time: "ts", signature: "h1", joint: ':' };
/// How the secret of a notification destination begins.
pub const SECRET_PREFIX: &str = "pdl_ntfset_";
/// Key of the custom data that holds the payer's id as the caller knows it; on the transaction, subscription or customer.
pub const EXTERNAL_ID_KEY: &str = "referral_external_id";

/// Paddle as a processor: the middle of `invoice/paddle/txn_123`.
#[must_use]
#[expect(clippy::expect_used, reason = "a constant, and a test holds that it is a processor's name")]
pub fn processor() -> Processor {
    Processor::parse("paddle").expect("paddle is a valid slug")
}

/// Reads an event. Fields that are not needed are not looked at.
///
/// # Errors
/// [`EventError`] when the body is not an event, or when a needed field is missing or unusable.
pub fn parse(body: &[u8]) -> Result<Event, EventError> {
    let event = Document::parse(body)?;
    let kind = require("/event_type", event.text("/event_type")?)?;
    if kind.len() > KIND_BYTES_MAX {
        return Err(refuse("/event_type", format!("must have at most {KIND_BYTES_MAX} bytes")));
    }
    let id = require("/event_id", event.reference("/event_id")?)?;
    let (fact, link) = match kind {
        "transaction.paid" | "transaction.completed" => (Some(transaction::paid(&event)?), None),
        "adjustment.created" | "adjustment.updated" => (adjustment::told(&event)?, None),
        "subscription.activated" => (Some(activated(&event)?), None),
        "customer.created" | "customer.updated" | "customer.imported" => (None, link(&event)?),
        _ => (None, None),
    };
    Ok(Event {
        id,
        livemode: None,
        kind: kind.to_owned(),
        facts: fact.into_iter().collect(),
        links: link.into_iter().collect(),
    })
}

/// Who paid: the id in the custom data, and the customer.
fn payer(event: &Document) -> Result<Payer, EventError> {
    let reference = event.reference("/data/customer_id")?;
    let customer = reference.map(|reference| Customer { processor: processor(), reference });
    Ok(Payer { external_id: external_id(event)?, customer, ..Payer::default() })
}

fn external_id(event: &Document) -> Result<Option<ExternalId>, EventError> {
    let pointer = format!("/data/custom_data/{EXTERNAL_ID_KEY}");
    let Some(text) = event.text(&pointer)? else { return Ok(None) };
    ExternalId::parse(text).map(Some).map_err(|error| refuse(&pointer, error))
}

fn link(event: &Document) -> Result<Option<Link>, EventError> {
    let Some(referee) = external_id(event)? else { return Ok(None) };
    let reference = require("/data/id", event.reference("/data/id")?)?;
    Ok(Some(Link { customer: Customer { processor: processor(), reference }, referee }))
}

fn activated(event: &Document) -> Result<Fact, EventError> {
    let id = require("/data/id", event.reference("/data/id")?)?;
    let at = require("/occurred_at", event.moment("/occurred_at")?)?;
    let mut labels = Collected::new(event);
    for item in 0..event.length("/data/items", LABELLED_LINES_MAX) {
        labels.put("plan", &format!("/data/items/{item}/price/id"));
        labels.put("product", &format!("/data/items/{item}/price/product_id"));
    }
    labels.put_metadata("/data/custom_data", EXTERNAL_ID_KEY);
    let state = SourceState { labels: labels.labels(), ..SourceState::happened(at, None) };
    Ok(Fact::of(plan_started(id), payer(event)?, state))
}

#[cfg(test)]
#[path = "paddle_tests.rs"]
mod tests;
