//! The samples with fields changed that Stripe may change.

use serde_json::{Value, json};

use super::*;
use crate::fact::Fact;
use crate::source::{Payment, RefundStatus};
use crate::stripe::EXTERNAL_ID_KEY;
use crate::stripe::invoice::PAYMENTS_MAX;
use crate::stripe::samples::*;

fn payment(event: &str) -> Payment {
    fact(event).state.payment.unwrap()
}

#[test]
fn the_payer_is_looked_up_in_three_places_in_order() {
    let set = |body: &str, place: &str, value: &str| with(body, place, json!({ EXTERNAL_ID_KEY: value }));
    let named = |body: &str| fact(body).payer.external_id.map(String::from);
    let [own, old, new] = [
        "/data/object/metadata",
        "/data/object/subscription_details/metadata",
        "/data/object/parent/subscription_details/metadata",
    ];
    let both = with(OLD_PAID, "/data/object/parent", json!({"subscription_details": {}}));
    let both = set(&set(&both, old, "old"), new, "new");
    assert_eq!(named(&both).as_deref(), Some("old"));
    assert_eq!(named(&set(&both, own, "own")).as_deref(), Some("own"));
    assert_eq!(named(&without(&both, old)).as_deref(), Some("new"));
    // The lines hold the same key: they say whose line it is, which need not be who pays.
    assert_eq!(named(&without(OLD_PAID, old)), None);
    assert_eq!(named(&without(NEW_PAID, new)), None);
    let null = with(NEW_PAID, new, json!({ EXTERNAL_ID_KEY: null }));
    assert_eq!(named(&null), None);
}

#[test]
fn an_expanded_object_reads_like_its_id() {
    let cases = [
        (OLD_PAID, "/data/object/customer"),
        (OLD_PAID, "/data/object/payment_intent"),
        (OLD_PAID, "/data/object/charge"),
        (OLD_REFUNDED, "/data/object/invoice"),
        (NEW_REFUNDED, "/data/object/payment_intent"),
        (NEW_REFUND_UPDATED, "/data/object/charge"),
        (NEW_PAYMENT, "/data/object/invoice"),
        (NEW_PAYMENT, "/data/object/payment/payment_intent"),
    ];
    for (body, pointer) in cases {
        let event: Value = serde_json::from_str(body).unwrap();
        let text = event.pointer(pointer).unwrap().clone();
        let expanded = with(body, pointer, json!({"id": text, "object": "anything", "metadata": {}}));
        assert_eq!(fact(&expanded), fact(body), "{pointer}");
        let broken = with(body, pointer, json!({"object": "anything"}));
        assert_eq!(refusal(&broken), (format!("{pointer}/id"), "is missing".to_owned()));
    }
}

#[test]
fn listed_payments_are_tied_once_and_only_when_paid() {
    let member = |status: Value, payment: Value| json!({"object": "invoice_payment", "status": status, "payment": payment});
    let list = json!({"object": "list", "data": [
        member(json!("paid"), json!({"type": "payment_intent", "payment_intent": "pi_1"})),
        member(json!("paid"), json!({"type": "charge", "charge": {"id": "ch_2"}})),
        member(json!(null), json!({"type": "payment_intent", "payment_intent": {"id": "pi_3"}, "charge": null})),
        member(json!("paid"), json!({"type": "payment_intent", "payment_intent": "pi_1"})),
        member(json!("canceled"), json!({"type": "payment_intent", "payment_intent": "pi_4"})),
        member(json!("open"), json!({"type": "payment_intent", "payment_intent": "pi_5"})),
    ]});
    let tied: Vec<String> = fact(&with(NEW_PAID, "/data/object/payments", list))
        .payments
        .iter()
        .map(|tie| tie.payment.to_string())
        .collect();
    assert_eq!(tied, ["payment/stripe/pi_1", "payment/stripe/ch_2", "payment/stripe/pi_3"]);
    let many = json!({"data": vec![member(json!("paid"), json!({})); PAYMENTS_MAX + 1]});
    let (pointer, problem) = refusal(&with(NEW_PAID, "/data/object/payments", many));
    assert_eq!(
        (pointer.as_str(), problem.as_str()),
        ("/data/object/payments/data", "must have at most 50 members")
    );
}

#[test]
fn the_total_without_tax_is_given_or_derived_or_unknown() {
    let object = "/data/object";
    let old = without(OLD_PAID, "/data/object/total_excluding_tax");
    let new = with(NEW_PAID, "/data/object/total_excluding_tax", json!(null));
    let no_tax = with(&old, "/data/object/tax", json!(null));
    let bare = without(&no_tax, "/data/object/total_tax_amounts");
    let set = |body: &str, field: &str, value: Value| with(body, &format!("{object}/{field}"), value);
    let cases = [
        (OLD_PAID.to_owned(), Some(20_000)),
        (old.clone(), Some(20_000)),
        (no_tax.clone(), Some(20_000)),
        (new.clone(), Some(20_000)),
        (bare.clone(), None),
        (set(&bare, "total_tax_amounts", json!([])), Some(22_000)),
        (set(&bare, "total_taxes", json!([{"amount": 3_000}, {"amount": -500}])), Some(19_500)),
        (set(&old, "tax", json!(22_001)), None),
        (without(&old, "/data/object/total"), None),
        (set(NEW_PAID, "total_excluding_tax", json!(0)), Some(0)),
    ];
    for (body, expected) in cases {
        assert_eq!(payment(&body).total_excluding_tax, expected, "{body}");
    }
}

#[test]
fn a_credit_with_a_negative_total_is_a_payment_of_nothing() {
    let mut body = NEW_PAID.to_owned();
    for (field, amount) in [("amount_paid", 0), ("total", -500), ("total_excluding_tax", -450)] {
        body = with(&body, &format!("/data/object/{field}"), json!(amount));
    }
    let expected = Payment { amount: 0, total: None, total_excluding_tax: None, ..sample_payment() };
    assert_eq!(payment(&body), expected);
}

#[test]
fn a_paid_invoice_of_zero_is_kept() {
    assert_eq!(payment(&with(NEW_PAID, "/data/object/amount_paid", json!(0))).amount, 0);
}

#[test]
fn the_time_of_payment_falls_back_to_the_events() {
    for body in [
        with(OLD_PAID, "/data/object/status_transitions/paid_at", json!(null)),
        without(OLD_PAID, "/data/object/status_transitions"),
    ] {
        assert_eq!(payment(&body).paid_at, seconds(1_767_348_001));
        assert_eq!(refusal(&without(&body, "/created")).0, "/created");
    }
}

#[test]
fn a_charge_without_a_payment_intent_is_its_own_key() {
    let old = with(OLD_REFUNDED, "/data/object/payment_intent", json!(null));
    let charge = "ch_1QsampleOldCharge0000000";
    assert_eq!(fact(&old).payments[0].payment, source(&format!("payment/stripe/{charge}")));
    assert_eq!(fact(&old).state.refunded_by_charge.into_iter().collect::<Vec<_>>(), [(id(charge), 5_500)]);
    let new = without(NEW_REFUNDED, "/data/object/payment_intent");
    assert_eq!(fact(&new).source, source("payment/stripe/ch_1QsampleNewCharge0000000"));
    let refund = with(NEW_REFUND_UPDATED, "/data/object/payment_intent", json!(null));
    assert_eq!(fact(&refund).source, fact(&new).source, "the refund and its charge meet");
    let keys =
        |fact: Fact| fact.state.refunds.into_values().filter_map(|refund| refund.charge).collect::<Vec<_>>();
    assert_eq!(keys(fact(&refund)), [id("ch_1QsampleNewCharge0000000")]);
}

#[test]
fn the_figures_of_a_charge_and_of_its_refund_are_not_added() {
    for (charge, refund) in [(OLD_REFUNDED, NEW_REFUND_UPDATED), (NEW_REFUNDED, NEW_REFUND_UPDATED)] {
        let refund = refund.replace("New", "Old");
        let charge = charge.replace("New", "Old");
        let state = fact(&charge).state.merge(&fact(&refund).state).unwrap();
        assert_eq!(state.refunded_amount(), 5_500);
    }
}

#[test]
fn a_charge_keeps_its_invoice_of_a_type_charge_payment() {
    let body = with(NEW_PAYMENT, "/data/object/payment", json!({"type": "charge", "charge": "ch_9"}));
    assert_eq!(fact(&body).payments[0].payment, source("payment/stripe/ch_9"));
}

#[test]
fn a_refund_status_has_a_rank() {
    let cases = [
        (json!("pending"), RefundStatus::Pending),
        (json!("requires_action"), RefundStatus::Pending),
        (json!("succeeded"), RefundStatus::Succeeded),
        (json!("failed"), RefundStatus::Failed),
        (json!("canceled"), RefundStatus::Failed),
        (json!("a_later_one"), RefundStatus::Pending),
        (json!(null), RefundStatus::Pending),
    ];
    for (status, expected) in cases {
        let body = with(NEW_REFUND_UPDATED, "/data/object/status", status);
        let statuses: Vec<_> = fact(&body).state.refunds.into_values().map(|refund| refund.status).collect();
        assert_eq!(statuses, [expected]);
        let failed = with(&body, "/type", json!("refund.failed"));
        let statuses: Vec<_> =
            fact(&failed).state.refunds.into_values().map(|refund| refund.status).collect();
        assert_eq!(statuses, [RefundStatus::Failed]);
    }
}

#[test]
fn what_says_nothing_here_is_ignored() {
    let neither = with(NEW_REFUND_UPDATED, "/data/object/payment_intent", json!(null));
    let bodies = [
        with(NEW_PAID, "/type", json!("invoice.created")),
        with(NEW_PAID, "/type", json!("")),
        json!({"id": "evt_1", "type": "customer.deleted", "livemode": true, "data": null}).to_string(),
        with(&neither, "/data/object/charge", json!(null)),
        with(NEW_PAYMENT, "/data/object/payment", json!({"type": "a_later_one"})),
    ];
    let samples = [CUSTOMER_DELETED, SUBSCRIPTION_DELETED, INVOICE_MARKED_UNCOLLECTIBLE];
    for body in samples.concat().into_iter().chain(bodies.iter().map(String::as_str)) {
        assert!(parse(body.as_bytes()).unwrap().is_ignored(), "{body}");
    }
}

#[test]
fn live_and_test_mode_are_told_apart() {
    assert_eq!(parse(with(NEW_PAID, "/livemode", json!(true)).as_bytes()).unwrap().livemode, Some(true));
}
