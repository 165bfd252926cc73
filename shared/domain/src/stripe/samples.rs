//! The sample events, and the helpers of the tests of events.

use chrono::{DateTime, Utc};
use serde_json::Value;

pub(super) use super::event::parse;
use super::processor;
use crate::fact::{Customer, Fact, Payer};
use crate::id::{ExternalId, ProcessorRef, SourceId};
use crate::money::Currency;
use crate::source::{Payment, SourceState};
use crate::webhook::EventError;

macro_rules! sample {
    ($path:expr) => {
        include_str!(concat!("../../../../infra/events/stripe/", $path, ".json"))
    };
}

/// A sample of an event that the oldest and the newest version have alike: the old one, and the new one.
macro_rules! both {
    ($kind:literal) => {
        [sample!(concat!("2020-08-27/", $kind)), sample!(concat!("dahlia/", $kind))]
    };
}

pub(super) const OLD_PAID: &str = sample!("2020-08-27/invoice.paid");
pub(super) const OLD_SUCCEEDED: &str = sample!("2020-08-27/invoice.payment_succeeded");
pub(super) const OLD_REFUNDED: &str = sample!("2020-08-27/charge.refunded");
pub(super) const OLD_REFUND_UPDATED: &str = sample!("2020-08-27/charge.refund.updated");
pub(super) const NEW_PAID: &str = sample!("basil/invoice.paid");
pub(super) const NEW_SUCCEEDED: &str = sample!("basil/invoice.payment_succeeded");
pub(super) const NEW_PAYMENT: &str = sample!("basil/invoice_payment.paid");
pub(super) const NEW_REFUNDED: &str = sample!("basil/charge.refunded");
pub(super) const NEW_REFUND_UPDATED: &str = sample!("basil/refund.updated");
pub(super) const NEW_REFUND_FAILED: &str = sample!("basil/refund.failed");
pub(super) const DISPUTE_CLOSED: [&str; 2] = both!("charge.dispute.closed");
pub(super) const DISPUTE_CREATED: [&str; 2] = both!("charge.dispute.created");
pub(super) const DISPUTE_FUNDS_REINSTATED: [&str; 2] = both!("charge.dispute.funds_reinstated");
pub(super) const DISPUTE_FUNDS_WITHDRAWN: [&str; 2] = both!("charge.dispute.funds_withdrawn");
pub(super) const DISPUTE_UPDATED: [&str; 2] = both!("charge.dispute.updated");
pub(super) const SESSION_ASYNC_PAYMENT_SUCCEEDED: [&str; 2] =
    both!("checkout.session.async_payment_succeeded");
pub(super) const SESSION_COMPLETED: [&str; 2] = both!("checkout.session.completed");
pub(super) const CREDIT_NOTE_CREATED: [&str; 2] = both!("credit_note.created");
pub(super) const CREDIT_NOTE_UPDATED: [&str; 2] = both!("credit_note.updated");
pub(super) const CREDIT_NOTE_VOIDED: [&str; 2] = both!("credit_note.voided");
pub(super) const CUSTOMER_CREATED: [&str; 2] = both!("customer.created");
pub(super) const CUSTOMER_DELETED: [&str; 2] = both!("customer.deleted");
pub(super) const SUBSCRIPTION_CREATED: [&str; 2] = both!("customer.subscription.created");
pub(super) const SUBSCRIPTION_DELETED: [&str; 2] = both!("customer.subscription.deleted");
pub(super) const SUBSCRIPTION_UPDATED: [&str; 2] = both!("customer.subscription.updated");
pub(super) const CUSTOMER_UPDATED: [&str; 2] = both!("customer.updated");
pub(super) const INVOICE_MARKED_UNCOLLECTIBLE: [&str; 2] = both!("invoice.marked_uncollectible");
pub(super) const INVOICE_VOIDED: [&str; 2] = both!("invoice.voided");
pub(super) const NEW_REFUND_CREATED: &str = sample!("dahlia/refund.created");
pub(super) const OUTSIDE_PAID: &str = sample!("dahlia/invoice.paid");
pub(super) const OUTSIDE_PAYMENT: &str = sample!("dahlia/invoice_payment.paid");
pub(super) const SAMPLES: [(&str, &str); 49] = [
    ("invoice.paid", OLD_PAID),
    ("invoice.payment_succeeded", OLD_SUCCEEDED),
    ("charge.refunded", OLD_REFUNDED),
    ("charge.refund.updated", OLD_REFUND_UPDATED),
    ("invoice.paid", NEW_PAID),
    ("invoice.payment_succeeded", NEW_SUCCEEDED),
    ("invoice_payment.paid", NEW_PAYMENT),
    ("charge.refunded", NEW_REFUNDED),
    ("refund.updated", NEW_REFUND_UPDATED),
    ("refund.failed", NEW_REFUND_FAILED),
    ("refund.created", NEW_REFUND_CREATED),
    ("invoice.paid", OUTSIDE_PAID),
    ("invoice_payment.paid", OUTSIDE_PAYMENT),
    ("charge.dispute.closed", DISPUTE_CLOSED[0]),
    ("charge.dispute.closed", DISPUTE_CLOSED[1]),
    ("charge.dispute.created", DISPUTE_CREATED[0]),
    ("charge.dispute.created", DISPUTE_CREATED[1]),
    ("charge.dispute.funds_reinstated", DISPUTE_FUNDS_REINSTATED[0]),
    ("charge.dispute.funds_reinstated", DISPUTE_FUNDS_REINSTATED[1]),
    ("charge.dispute.funds_withdrawn", DISPUTE_FUNDS_WITHDRAWN[0]),
    ("charge.dispute.funds_withdrawn", DISPUTE_FUNDS_WITHDRAWN[1]),
    ("charge.dispute.updated", DISPUTE_UPDATED[0]),
    ("charge.dispute.updated", DISPUTE_UPDATED[1]),
    ("checkout.session.async_payment_succeeded", SESSION_ASYNC_PAYMENT_SUCCEEDED[0]),
    ("checkout.session.async_payment_succeeded", SESSION_ASYNC_PAYMENT_SUCCEEDED[1]),
    ("checkout.session.completed", SESSION_COMPLETED[0]),
    ("checkout.session.completed", SESSION_COMPLETED[1]),
    ("credit_note.created", CREDIT_NOTE_CREATED[0]),
    ("credit_note.created", CREDIT_NOTE_CREATED[1]),
    ("credit_note.updated", CREDIT_NOTE_UPDATED[0]),
    ("credit_note.updated", CREDIT_NOTE_UPDATED[1]),
    ("credit_note.voided", CREDIT_NOTE_VOIDED[0]),
    ("credit_note.voided", CREDIT_NOTE_VOIDED[1]),
    ("customer.created", CUSTOMER_CREATED[0]),
    ("customer.created", CUSTOMER_CREATED[1]),
    ("customer.deleted", CUSTOMER_DELETED[0]),
    ("customer.deleted", CUSTOMER_DELETED[1]),
    ("customer.subscription.created", SUBSCRIPTION_CREATED[0]),
    ("customer.subscription.created", SUBSCRIPTION_CREATED[1]),
    ("customer.subscription.deleted", SUBSCRIPTION_DELETED[0]),
    ("customer.subscription.deleted", SUBSCRIPTION_DELETED[1]),
    ("customer.subscription.updated", SUBSCRIPTION_UPDATED[0]),
    ("customer.subscription.updated", SUBSCRIPTION_UPDATED[1]),
    ("customer.updated", CUSTOMER_UPDATED[0]),
    ("customer.updated", CUSTOMER_UPDATED[1]),
    ("invoice.marked_uncollectible", INVOICE_MARKED_UNCOLLECTIBLE[0]),
    ("invoice.marked_uncollectible", INVOICE_MARKED_UNCOLLECTIBLE[1]),
    ("invoice.voided", INVOICE_VOIDED[0]),
    ("invoice.voided", INVOICE_VOIDED[1]),
];

pub(super) fn id(text: &str) -> ProcessorRef {
    ProcessorRef::parse(text).unwrap()
}

pub(super) fn source(text: &str) -> SourceId {
    SourceId::parse(text).unwrap()
}

pub(super) fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

pub(super) fn seconds(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

pub(super) fn payer(external_id: Option<&str>) -> Payer {
    let customer = Customer { processor: processor(), reference: id("cus_QsampleBuyer01") };
    Payer {
        external_id: external_id.map(|text| ExternalId::parse(text).unwrap()),
        customer: Some(customer),
        ..Payer::default()
    }
}

pub(super) fn fact(body: &str) -> Fact {
    let facts = parse(body.as_bytes()).unwrap().facts;
    <[Fact; 1]>::try_from(facts).unwrap().into_iter().next().unwrap()
}

/// The sample with `value` in the place of what `pointer` names.
pub(super) fn with(body: &str, pointer: &str, value: Value) -> String {
    let mut event: Value = serde_json::from_str(body).unwrap();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(field.to_owned(), value);
    event.to_string()
}

pub(super) fn without(body: &str, pointer: &str) -> String {
    let mut event: Value = serde_json::from_str(body).unwrap();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
    event.to_string()
}

pub(super) fn refusal(body: &str) -> (String, String) {
    match parse(body.as_bytes()) {
        Err(EventError::Field { pointer, problem }) => (pointer, problem),
        other => panic!("{other:?}"),
    }
}

pub(super) fn sample_payment() -> Payment {
    Payment {
        amount: 22_000,
        total: Some(22_000),
        total_excluding_tax: Some(20_000),
        paid_at: seconds(1_767_348_000),
    }
}

/// What some events of one source end in together.
pub(super) fn joined(bodies: &[&str]) -> SourceState {
    bodies.iter().fold(SourceState::default(), |state, body| state.merge(&fact(body).state).unwrap())
}
