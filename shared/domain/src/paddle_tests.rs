use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::id::{ProcessorRef, SourceId};
use crate::source::{DisputeStatus, Line, Payment, Refund, RefundStatus};
use crate::webhook::trials::{any_json, fact, in_any_order, is_answered, refusal, spoilt, with};

macro_rules! sample {
    ($path:literal) => {
        include_str!(concat!("../../../infra/events/paddle/", $path, ".json"))
    };
}

const PAID: &str = sample!("transaction.paid");
const COMPLETED: &str = sample!("transaction.completed");
const REFUND: &str = sample!("adjustment.created.refund");
const APPROVED: &str = sample!("adjustment.updated.approved");
const REJECTED: &str = sample!("adjustment.updated.rejected");
const CREDIT: &str = sample!("adjustment.created.credit");
const CHARGEBACK: &str = sample!("adjustment.created.chargeback");
const REVERSED: &str = sample!("adjustment.created.chargeback_reverse");
const CUSTOMER: &str = sample!("customer.updated");
const ACTIVATED: &str = sample!("subscription.activated");
const SAMPLES: [(&str, &str); 10] = [
    ("transaction.paid", PAID),
    ("transaction.completed", COMPLETED),
    ("adjustment.created", REFUND),
    ("adjustment.updated", APPROVED),
    ("adjustment.updated", REJECTED),
    ("adjustment.created", CREDIT),
    ("adjustment.created", CHARGEBACK),
    ("adjustment.created", REVERSED),
    ("customer.updated", CUSTOMER),
    ("subscription.activated", ACTIVATED),
];
const TRANSACTION: &str = "invoice/paddle/txn_01samplepaddletransaction01";
const REFUND_ID: &str = "adj_01samplepaddlerefund0000001";

fn id(text: &str) -> ProcessorRef {
    ProcessorRef::parse(text).unwrap()
}

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn told(body: &str) -> Fact {
    fact(parse, body)
}

#[test]
fn every_sample_is_an_event_of_its_name() {
    for (kind, body) in SAMPLES {
        let event = parse(body.as_bytes()).unwrap();
        assert_eq!((event.kind.as_str(), event.livemode, event.is_ignored()), (kind, None, false));
        assert!(!body.contains('@'), "no person's address stands in a sample");
    }
    assert_eq!(processor().as_str(), "paddle");
}

#[test]
fn a_transaction_is_a_paid_invoice() {
    let completed = told(COMPLETED);
    assert_eq!(completed.source, SourceId::parse(TRANSACTION).unwrap());
    let payer = &completed.payer;
    assert_eq!(payer.external_id.as_ref().unwrap().as_str(), "account-1042");
    assert_eq!(payer.customer.as_ref().unwrap().reference, id("ctm_01samplepaddlecustomer00001"));
    assert!(payer.promotions.contains(&id("dsc_01samplepaddlediscount00001")) && payer.promotions.len() == 1);
    let state = &completed.state;
    let payment = Payment {
        amount: 22_000,
        total: Some(22_000),
        total_excluding_tax: Some(20_000),
        paid_at: moment("2026-01-02T10:00:00Z"),
    };
    assert_eq!(state.payment, Some(payment));
    let line = Line {
        amount: 20_000,
        plan: Some("pri_01samplepaddleprice00000001".to_owned()),
        product: Some("pro_01samplepaddleproduct000001".to_owned()),
        proration: false,
    };
    assert_eq!(state.lines.values().collect::<Vec<_>>(), [&line]);
    assert!(state.lines_complete && completed.payments.is_empty());
    let labels: Vec<&str> = state.labels.keys().map(String::as_str).collect();
    assert_eq!(labels, ["metadata.campaign", "plan", "product"]);
    assert_eq!(told(PAID).state, completed.state, "both events say the same of the money");
}

#[test]
fn what_credit_covered_was_not_paid_and_a_line_of_a_part_of_a_period_is_known() {
    let covered = with(COMPLETED, "/data/details/totals/grand_total", json!("15000"));
    assert_eq!(told(&covered).state.payment.unwrap().amount, 15_000);
    let prorated = with(COMPLETED, "/data/details/line_items/0/proration", json!({"rate": "0.5"}));
    assert!(told(&prorated).state.lines.values().all(|line| line.proration));
    let many = vec![json!({"id": "txnitm_1", "totals": {"subtotal": "1"}}); 101];
    let many = told(&with(COMPLETED, "/data/details/line_items", json!(many)));
    assert!(!many.state.lines_complete, "some of them are left out");
    let untaken = with(COMPLETED, "/data/payments", json!([]));
    assert_eq!(told(&untaken).state.payment.unwrap().paid_at, moment("2026-01-02T10:00:04.500Z"));
}

#[test]
fn adjustments_are_refunds_credits_and_chargebacks_of_their_transaction() {
    for body in [REFUND, APPROVED, REJECTED, CREDIT, CHARGEBACK, REVERSED] {
        assert_eq!(told(body).source, SourceId::parse(TRANSACTION).unwrap());
    }
    for (body, expected) in [(REFUND, RefundStatus::Pending), (APPROVED, RefundStatus::Succeeded)] {
        let refund = Refund { amount: 5_500, status: expected, charge: None };
        assert_eq!(told(body).state.refunds, [(id(REFUND_ID), refund)].into());
    }
    let status = |body: &str| told(body).state.refunds.into_values().next().unwrap().status;
    assert_eq!(status(REJECTED), RefundStatus::Failed);
    assert_eq!(status(&with(REFUND, "/data/status", json!("looked_at"))), RefundStatus::Pending);
    let credit = |status: &str| {
        let credits = told(&with(CREDIT, "/data/status", json!(status))).state.credits;
        credits.into_values().next().unwrap().status
    };
    assert_eq!((credit("approved"), credit("reversed")), (RefundStatus::Succeeded, RefundStatus::Failed));
    let dispute = |body: &str| told(body).state.disputes.into_iter().next().unwrap();
    let (open, won) = (dispute(CHARGEBACK), dispute(REVERSED));
    assert_eq!(
        (open.1.status, won.1.status, open.1.amount),
        (DisputeStatus::Open, DisputeStatus::Won, 11_000)
    );
    assert_eq!(open.0, won.0, "the reversal is told of the same dispute");
    assert_eq!(dispute(&with(CHARGEBACK, "/data/status", json!("reversed"))).1.status, DisputeStatus::Won);
    let warning = dispute(&with(CHARGEBACK, "/data/action", json!("chargeback_warning")));
    assert_ne!(warning.0, open.0, "a warning that is called off says nothing of a chargeback");
}

#[test]
fn credit_that_lowered_what_was_to_be_paid_and_unknown_actions_take_nothing() {
    let unpaid = with(CREDIT, "/data/credit_applied_to_balance", json!(false));
    let reversed = with(CREDIT, "/data/action", json!("credit_reverse"));
    let unknown = with(REFUND, "/data/action", json!("something_new"));
    for body in [unpaid, reversed, unknown] {
        assert!(parse(body.as_bytes()).unwrap().is_ignored());
    }
}

#[test]
fn a_customer_is_tied_and_a_subscription_starts_a_plan() {
    let event = parse(CUSTOMER.as_bytes()).unwrap();
    let reference = id("ctm_01samplepaddlecustomer00001");
    let customer = Customer { processor: processor(), reference };
    let referee = ExternalId::parse("account-1042").unwrap();
    assert_eq!(event.links, [Link { customer, referee }]);
    let nobody = with(CUSTOMER, "/data/custom_data", json!(null));
    assert!(parse(nobody.as_bytes()).unwrap().is_ignored());
    let activated = told(ACTIVATED);
    assert_eq!(activated.source.to_string(), "event/plan_started/sub_01samplepaddlesubscript0001");
    assert_eq!(activated.state.payment.unwrap().paid_at, moment("2026-01-02T10:00:03Z"));
}

#[test]
fn every_order_of_the_story_ends_in_one_state() {
    let story = [PAID, COMPLETED, REFUND, APPROVED, REJECTED, CREDIT, CHARGEBACK, REVERSED];
    // 220.00 less the refund and the credit; one refund was rejected, and the chargeback was reversed.
    assert_eq!(in_any_order(parse, &story[..6]).standing_amount(), 22_000 - 5_500 - 2_200);
    assert_eq!(in_any_order(parse, &story[..7]).standing_amount(), 22_000 - 5_500 - 2_200 - 11_000);
    assert_eq!(in_any_order(parse, &story[1..]).standing_amount(), 22_000 - 5_500 - 2_200);
}

#[test]
fn what_cannot_be_used_is_refused_by_its_pointer() {
    let cases = [
        (COMPLETED, "/event_id", json!("")),
        (COMPLETED, "/event_type", json!(7)),
        (COMPLETED, "/data/id", json!(null)),
        (COMPLETED, "/data/customer_id", json!("a b")),
        (COMPLETED, "/data/currency_code", json!("XXX")),
        (COMPLETED, "/data/details/totals/grand_total", json!(22_000)),
        (COMPLETED, "/data/details/totals/grand_total", json!("220.00")),
        (COMPLETED, "/data/details/totals/grand_total", json!("-1")),
        (COMPLETED, "/data/details/totals/grand_total", json!("1000000000001")),
        (COMPLETED, "/data/details/totals/grand_total", json!("99999999999999999999999")),
        (COMPLETED, "/data/details/totals/tax", json!("")),
        (COMPLETED, "/data/details/line_items/0/id", json!(null)),
        (COMPLETED, "/data/details/line_items/0/totals/subtotal", json!(null)),
        (COMPLETED, "/data/payments/0/captured_at", json!("yesterday")),
        (COMPLETED, "/data/custom_data/referral_external_id", json!(1042)),
        (REFUND, "/data/transaction_id", json!(null)),
        (REFUND, "/data/action", json!(null)),
        (REFUND, "/data/totals/total", json!(null)),
        (CHARGEBACK, "/data/transaction_id", json!("x".repeat(128))),
        (ACTIVATED, "/occurred_at", json!(null)),
        (ACTIVATED, "/data/id", json!(7)),
    ];
    for (body, pointer, value) in cases {
        assert_eq!(refusal(parse, &with(body, pointer, value)), pointer);
    }
    assert!(matches!(parse(b"{"), Err(EventError::NotJson { line: 1, .. })));
}

proptest! {
    #[test]
    fn arbitrary_json_is_answered(value in any_json()) {
        is_answered(parse, value.to_string().as_bytes());
    }

    #[test]
    fn a_sample_with_any_member_replaced_is_answered(
        sample in 0..SAMPLES.len(), choice in 0_usize..140, value in any_json()
    ) {
        is_answered(parse, spoilt(SAMPLES[sample].1, choice, &value).as_bytes());
    }

    #[test]
    fn a_truncated_or_flipped_sample_is_answered(
        sample in 0..SAMPLES.len(), place: prop::sample::Index, byte: u8, cut: bool
    ) {
        let mut body = SAMPLES[sample].1.as_bytes().to_vec();
        let place = place.index(body.len());
        if cut { body.truncate(place) } else { body[place] = byte }
        is_answered(parse, &body);
    }
}
