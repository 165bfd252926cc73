//! The facts of the samples that tell of payments and refunds.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::fact::{Fact, Payer, Tie};
use crate::source::{Labels, Line, Refund, RefundStatus, SourceState};
use crate::stripe::processor;
use crate::stripe::samples::*;

fn sample_labels() -> Labels {
    let one = |text: &str| BTreeSet::from([text.to_owned()]);
    Labels::from([
        ("plan".to_owned(), one("price_1QsamplePlan000000000000")),
        ("product".to_owned(), one("prod_QsamplePlan01")),
    ])
}

fn sample_state(age: &str) -> SourceState {
    let line = Line {
        amount: 20_000,
        plan: Some("price_1QsamplePlan000000000000".to_owned()),
        product: Some("prod_QsamplePlan01".to_owned()),
        proration: false,
    };
    let lines = [(id(&format!("il_1Qsample{age}Line000000000")), line)].into();
    let paid = SourceState::paid(usd(), sample_payment());
    SourceState { lines, lines_complete: true, labels: sample_labels(), ..paid }
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
fn every_sample_is_explained_to_whoever_sets_the_webhook_up() {
    let page = include_str!("../../../../docs/stripe.md");
    for (kind, _) in SAMPLES {
        assert!(page.contains(&format!("`{kind}`")), "{kind}");
    }
}

#[test]
fn an_invoice_before_basil_names_its_payment_and_its_charge() {
    let expected = Fact {
        source: source("invoice/stripe/in_1QsampleOldInvoice000000"),
        payer: payer(Some("account-1042")),
        state: sample_state("Old"),
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
        state: sample_state("New"),
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
        (NEW_REFUND_CREATED, "New", RefundStatus::Pending),
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
fn the_processor_is_stripe() {
    assert_eq!(processor().as_str(), "stripe");
}
