//! The sample events, and the helpers of the other tests of events.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::fact::Payer;
use crate::id::ExternalId;
use crate::money::Currency;
use crate::source::{Labels, Payment};

macro_rules! sample {
    ($path:literal) => {
        include_str!(concat!("../../../../infra/events/stripe/", $path, ".json"))
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
pub(super) const SAMPLES: [(&str, &str); 10] = [
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
];

pub(super) fn id(text: &str) -> ProcessorRef {
    ProcessorRef::parse(text).unwrap()
}

pub(super) fn source(text: &str) -> SourceId {
    SourceId::parse(text).unwrap()
}

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

pub(super) fn seconds(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn payer(external_id: Option<&str>) -> Payer {
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

fn sample_labels() -> Labels {
    let one = |text: &str| BTreeSet::from([text.to_owned()]);
    Labels::from([
        ("plan".to_owned(), one("price_1QsamplePlan000000000000")),
        ("product".to_owned(), one("prod_QsamplePlan01")),
    ])
}

fn tie(payment: &str) -> Tie {
    Tie { payment: source(payment), amount: None }
}

fn sample_refund(charge: &str, status: RefundStatus) -> Refund {
    Refund { amount: 5_500, status, charge: Some(id(charge)) }
}

#[test]
fn every_sample_is_an_event_of_its_name() {
    for (kind, body) in SAMPLES {
        let event = parse(body.as_bytes()).unwrap();
        assert_eq!((event.kind.as_str(), event.livemode), (kind, Some(false)));
        assert!(event.id.as_str().starts_with("evt_"));
        assert!(!body.contains('@'), "no person's address stands in a sample");
    }
}

#[test]
fn an_invoice_before_basil_names_its_payment_and_its_charge() {
    let expected = Fact {
        source: source("invoice/stripe/in_1QsampleOldInvoice000000"),
        payer: payer(Some("account-1042")),
        state: SourceState { labels: sample_labels(), ..SourceState::paid(usd(), sample_payment()) },
        payments: vec![
            tie("payment/stripe/pi_1QsampleOldIntent0000000"),
            tie("payment/stripe/ch_1QsampleOldCharge0000000"),
        ],
        email: None,
    };
    assert_eq!(fact(OLD_PAID), expected);
    assert_eq!(fact(OLD_SUCCEEDED), expected, "the twin event says the same");
}

#[test]
fn an_invoice_since_basil_leaves_its_payment_to_another_event() {
    let invoice = source("invoice/stripe/in_1QsampleNewInvoice000000");
    let expected = Fact {
        source: invoice.clone(),
        payer: payer(Some("account-1042")),
        state: SourceState { labels: sample_labels(), ..SourceState::paid(usd(), sample_payment()) },
        payments: vec![],
        email: None,
    };
    assert_eq!(fact(NEW_PAID), expected);
    assert_eq!(fact(NEW_SUCCEEDED), expected, "the twin event says the same");
    let tied = Fact {
        source: invoice,
        payer: Payer::default(),
        state: SourceState::default(),
        payments: vec![Tie { amount: Some(22_000), ..tie("payment/stripe/pi_1QsampleNewIntent0000000") }],
        email: None,
    };
    assert_eq!(fact(NEW_PAYMENT), tied);
}

#[test]
fn a_refunded_charge_before_basil_is_a_fact_about_its_invoice() {
    let intent = "pi_1QsampleOldIntent0000000";
    let mut state = SourceState::refunded(usd(), id(intent), 5_500);
    state.refunds.insert(id("re_1QsampleOldRefund0000000"), sample_refund(intent, RefundStatus::Succeeded));
    let expected = Fact {
        source: source("invoice/stripe/in_1QsampleOldInvoice000000"),
        payer: payer(None),
        state,
        payments: vec![
            tie("payment/stripe/pi_1QsampleOldIntent0000000"),
            tie("payment/stripe/ch_1QsampleOldCharge0000000"),
        ],
        email: None,
    };
    assert_eq!(fact(OLD_REFUNDED), expected);
}

#[test]
fn a_refunded_charge_since_basil_is_a_fact_about_its_payment() {
    let intent = "pi_1QsampleNewIntent0000000";
    let expected = Fact {
        source: source("payment/stripe/pi_1QsampleNewIntent0000000"),
        payer: payer(None),
        state: SourceState::refunded(usd(), id(intent), 5_500),
        payments: vec![],
        email: None,
    };
    assert_eq!(fact(NEW_REFUNDED), expected);
}

#[test]
fn a_refund_is_a_fact_about_its_payment() {
    let cases = [
        (OLD_REFUND_UPDATED, "Old", RefundStatus::Failed),
        (NEW_REFUND_UPDATED, "New", RefundStatus::Succeeded),
        (NEW_REFUND_FAILED, "New", RefundStatus::Failed),
    ];
    for (body, age, status) in cases {
        let intent = format!("pi_1Qsample{age}Intent0000000");
        let refund = id(&format!("re_1Qsample{age}Refund0000000"));
        let expected = Fact {
            source: source(&format!("payment/stripe/{intent}")),
            payer: Payer::default(),
            state: SourceState::refund(usd(), refund, sample_refund(&intent, status)),
            payments: vec![],
            email: None,
        };
        assert_eq!(fact(body), expected);
        let created = with(body, "/type", json!("refund.created"));
        assert_eq!(fact(&created), expected, "every refund event reads the same fields");
    }
}

#[test]
fn both_stories_end_alike_whatever_the_order() {
    let stories = [
        [OLD_PAID, OLD_SUCCEEDED, OLD_REFUNDED, OLD_REFUND_UPDATED, OLD_REFUNDED],
        [NEW_PAID, NEW_PAYMENT, NEW_REFUNDED, NEW_REFUND_UPDATED, NEW_REFUND_FAILED],
    ];
    for story in stories {
        let joined = |bodies: &[&str]| {
            bodies.iter().fold(SourceState::default(), |state, body| state.merge(&fact(body).state).unwrap())
        };
        for turn in 0..story.len() {
            let mut turned = story;
            turned.rotate_left(turn);
            assert_eq!(joined(&turned), joined(&story));
            turned.reverse();
            assert_eq!(joined(&turned), joined(&story));
        }
        assert_eq!(joined(story.get(..3).unwrap()).standing_amount(), 16_500);
        assert_eq!(joined(&story).standing_amount(), 22_000, "a refund that failed takes nothing");
    }
}

#[test]
fn the_processor_is_stripe() {
    assert_eq!(processor().as_str(), "stripe");
}
