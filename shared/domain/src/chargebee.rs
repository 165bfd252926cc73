//! Chargebee: the credentials of its webhooks, and what its events say.
//!
//! | event | fact |
//! |---|---|
//! | `payment_succeeded`, `invoice_generated`, `invoice_updated`, `invoice_deleted` | the invoice as it stands: what was paid of it, its payer, lines and coupons; that it was voided |
//! | `payment_refunded`, `refund_initiated`, `credit_note_created`, `_updated`, `_deleted` | the credit note, and the invoice where it is told |
//! | `subscription_activated`, and `subscription_created` and `_started` of one that is active | the qualifying event `plan_started` |
//! | `customer_created`, `customer_changed` | whom a customer is, where its metadata or its custom field say so |
//!
//! Everything else is ignored. Whatever goes back of an invoice goes through a refundable credit note, refunds and
//! chargebacks too: the note is the credit, under its own id, and its refunds add nothing. An adjustment note only lowers
//! what is still to be paid. Resource versions need not be compared: states are joined, and the newest is never undone.
//!
//! Chargebee does not sign its webhooks: it sends the user and password that were set with the webhook's address (HTTP
//! Basic), so an endpoint's secret is `user:password`. Live and test sites are sites of their own, each with its own
//! webhooks; an event does not say which.

mod invoice;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::{Choice, ConstantTimeEq as _};

use crate::fact::{Customer, Email, Fact, Link, Payer};
use crate::id::{ExternalId, Processor};
use crate::source::SourceState;
use crate::webhook::document::{Document, refuse, require};
use crate::webhook::labels::{Collected, LABELLED_LINES_MAX};
use crate::webhook::timed::HEADER_BYTES_MAX;
use crate::webhook::{Event, EventError, KIND_BYTES_MAX, Unverified, plan_started};

/// Name of the header with the credentials, in lower case.
pub const HEADER: &str = "authorization";
/// Key of the metadata that holds the payer's id as the caller knows it; as a custom field, with `cf_` before it.
pub const EXTERNAL_ID_KEY: &str = "referral_external_id";

/// Chargebee as a processor: the middle of `invoice/chargebee/123`.
#[must_use]
#[expect(clippy::expect_used, reason = "a constant, and a test holds that it is a processor's name")]
pub fn processor() -> Processor {
    Processor::parse("chargebee").expect("chargebee is a valid slug")
}

/// Checks that the credentials are one of `secrets`, each compared in constant time. An empty secret matches nothing.
///
/// # Errors
/// [`Unverified::Malformed`] or [`Unverified::Mismatch`].
pub fn verify(header: &str, secrets: &[&str]) -> Result<(), Unverified> {
    let credentials = header.split_once(' ').filter(|_| header.len() <= HEADER_BYTES_MAX);
    let credentials = credentials.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let credentials = credentials.and_then(|(_, text)| STANDARD.decode(text.trim()).ok());
    let credentials = credentials.ok_or(Unverified::Malformed)?;
    let mut matched = Choice::from(0);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        matched |= credentials.as_slice().ct_eq(secret.as_bytes());
    }
    if matched.into() { Ok(()) } else { Err(Unverified::Mismatch) }
}

/// The header that Chargebee would send; for tests and the local stage.
#[must_use]
pub fn credentials(secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(secret))
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
    let id = require("/id", event.reference("/id")?)?;
    let (facts, link) = match kind {
        "payment_succeeded"
        | "invoice_generated"
        | "invoice_updated"
        | "invoice_deleted"
        | "payment_refunded"
        | "refund_initiated"
        | "credit_note_created"
        | "credit_note_updated"
        | "credit_note_deleted" => (invoice::facts(&event)?, None),
        "subscription_activated" => (vec![started(&event)?], None),
        "subscription_created" | "subscription_started"
            if event.text("/content/subscription/status")? == Some("active") =>
        {
            (vec![started(&event)?], None)
        }
        "customer_created" | "customer_changed" => (Vec::new(), link(&event)?),
        _ => (Vec::new(), None),
    };
    Ok(Event { id, livemode: None, kind: kind.to_owned(), facts, links: link.into_iter().collect() })
}

/// Who paid: the id that stands with the invoice, the subscription or the customer, and the customer as `object` names it.
fn payer(event: &Document, object: &str) -> Result<Payer, EventError> {
    let reference = event.reference(&format!("{object}/customer_id"))?;
    let customer = reference.map(|reference| Customer { processor: processor(), reference });
    Ok(Payer { external_id: external_id(event)?, customer, ..Payer::default() })
}

fn external_id(event: &Document) -> Result<Option<ExternalId>, EventError> {
    for resource in ["invoice", "subscription", "customer"] {
        for place in ["cf_", "meta_data/"] {
            let pointer = format!("/content/{resource}/{place}{EXTERNAL_ID_KEY}");
            if let Some(text) = event.text(&pointer)? {
                return ExternalId::parse(text).map(Some).map_err(|error| refuse(&pointer, error));
            }
        }
    }
    Ok(None)
}

/// The payer's address, where the event tells it in a form that can be used.
fn email(event: &Document) -> Option<Email> {
    Email::parse(event.short_text("/content/customer/email", KIND_BYTES_MAX * 2)?)
}

fn link(event: &Document) -> Result<Option<Link>, EventError> {
    let Some(referee) = external_id(event)? else { return Ok(None) };
    let reference = require("/content/customer/id", event.reference("/content/customer/id")?)?;
    Ok(Some(Link { customer: Customer { processor: processor(), reference }, referee }))
}

fn started(event: &Document) -> Result<Fact, EventError> {
    const SUBSCRIPTION: &str = "/content/subscription";
    let place = format!("{SUBSCRIPTION}/id");
    let id = require(&place, event.reference(&place)?)?;
    let at = match event.time(&format!("{SUBSCRIPTION}/activated_at"))? {
        Some(at) => at,
        None => require("/occurred_at", event.time("/occurred_at")?)?,
    };
    let mut labels = Collected::new(event);
    labels.put("plan", &format!("{SUBSCRIPTION}/plan_id"));
    for item in 0..event.length(&format!("{SUBSCRIPTION}/subscription_items"), LABELLED_LINES_MAX) {
        labels.put("plan", &format!("{SUBSCRIPTION}/subscription_items/{item}/item_price_id"));
    }
    labels.put_metadata(&format!("{SUBSCRIPTION}/meta_data"), EXTERNAL_ID_KEY);
    let state = SourceState { labels: labels.labels(), ..SourceState::happened(at, None) };
    Ok(Fact { email: email(event), ..Fact::of(plan_started(id), payer(event, SUBSCRIPTION)?, state) })
}

#[cfg(test)]
#[path = "chargebee_tests.rs"]
mod tests;
