use serde_json::{Value, json};

use super::*;
use crate::fact::Customer;
use crate::stripe::samples::*;

/// What of the sample is changed, and what is credited then.
type Case = (Vec<(&'static str, Value)>, Option<i64>);

const OBJECT: &str = "/data/object";

fn amount(body: &str) -> Option<i64> {
    let facts = parse(body.as_bytes()).unwrap().facts;
    let credits: Vec<_> = facts.into_iter().flat_map(|fact| fact.state.credits.into_values()).collect();
    assert!(credits.len() <= 1);
    credits.first().map(|credit| credit.amount)
}

fn set(body: &str, fields: &[(&str, Value)]) -> String {
    let set = |body: String, (field, value): &(&str, Value)| {
        with(&body, &format!("{OBJECT}/{field}"), value.clone())
    };
    fields.iter().fold(body.to_owned(), set)
}

#[test]
fn a_credit_note_is_a_fact_about_its_invoice() {
    for (age, at) in [("Old", 0), ("New", 1)] {
        let cases = [
            (CREDIT_NOTE_CREATED[at], RefundStatus::Succeeded),
            (CREDIT_NOTE_UPDATED[at], RefundStatus::Succeeded),
            (CREDIT_NOTE_VOIDED[at], RefundStatus::Failed),
        ];
        for (body, status) in cases {
            let customer = Customer { processor: processor(), reference: id("cus_QsampleBuyer01") };
            let payer = Payer { customer: Some(customer), ..Payer::default() };
            let state =
                SourceState::credit(usd(), id(&format!("cn_1Qsample{age}Note000000000")), 5_500, status);
            let invoice = source(&format!("invoice/stripe/in_1Qsample{age}Invoice000000"));
            assert_eq!(fact(body), Fact::of(invoice, payer, state));
        }
    }
}

#[test]
fn only_what_was_paid_and_is_not_refunded_counts() {
    let [_, new] = CREDIT_NOTE_CREATED;
    let refund = |amount: i64| json!({"amount_refunded": amount, "refund": "re_1", "type": "refund"});
    let outside = |amount: i64| {
        let record = json!({"payment_record": "pr_1", "refund_group": "rg_1"});
        json!({"amount_refunded": amount, "payment_record_refund": record, "type": "payment_record_refund"})
    };
    let untyped = json!({"amount_refunded": 500, "refund": {"id": "re_2"}});
    let cases: Vec<Case> = vec![
        // All of it went to the customer's balance.
        (vec![], Some(5_500)),
        (vec![("out_of_band_amount", json!(5_500))], Some(5_500)),
        (vec![("refunds", json!([refund(5_500)]))], None),
        (vec![("refunds", json!([refund(2_000), refund(500)]))], Some(3_000)),
        (vec![("refunds", json!([refund(2_000), outside(3_500)]))], Some(3_500)),
        (vec![("refunds", json!([untyped]))], Some(5_000)),
        // Issued before the invoice was paid, in all or in part.
        (vec![("type", json!("pre_payment")), ("post_payment_amount", json!(0))], None),
        (vec![("type", json!("mixed")), ("post_payment_amount", json!(1_500))], Some(1_500)),
        (
            vec![
                ("type", json!("mixed")),
                ("post_payment_amount", json!(1_500)),
                ("refunds", json!([refund(1_499)])),
            ],
            Some(1),
        ),
        // More refunded than credited: another note's part of one refund.
        (vec![("refunds", json!([refund(9_000)]))], None),
    ];
    for (fields, expected) in cases {
        assert_eq!(amount(&set(new, &fields)), expected, "{fields:?}");
    }
}

#[test]
fn a_note_before_the_list_of_refunds_has_one_refund() {
    let [old, _] = CREDIT_NOTE_CREATED;
    let cases: Vec<Case> = vec![
        (vec![], Some(5_500)),
        (vec![("type", json!("pre_payment"))], None),
        (vec![("refund", json!("re_1"))], None),
        (vec![("refund", json!("re_1")), ("out_of_band_amount", json!(1_500))], Some(1_500)),
        (vec![("refund", json!({"id": "re_1", "amount": 2_000}))], Some(3_500)),
        (vec![("out_of_band_amount", json!(5_500))], Some(5_500)),
    ];
    for (fields, expected) in cases {
        assert_eq!(amount(&set(old, &fields)), expected, "{fields:?}");
    }
}

#[test]
fn a_voided_note_gives_back_exactly_what_it_took() {
    let story = [NEW_PAID, CREDIT_NOTE_CREATED[1], CREDIT_NOTE_UPDATED[1], CREDIT_NOTE_VOIDED[1]];
    assert_eq!(joined(&story[..2]).standing_amount(), 16_500);
    assert_eq!(joined(&story[..3]).standing_amount(), 16_500);
    assert_eq!(joined(&story).standing_amount(), 22_000);
    let late = [CREDIT_NOTE_VOIDED[1], CREDIT_NOTE_CREATED[1], NEW_PAID];
    assert_eq!(joined(&late).standing_amount(), 22_000);
}

#[test]
fn a_note_whose_part_is_refunded_takes_each_part_once() {
    // 55.00: 20.00 of it refunded, 35.00 to the balance.
    let refunds =
        json!([{"amount_refunded": 2_000, "refund": "re_1QsampleNewRefund0000000", "type": "refund"}]);
    let note = set(CREDIT_NOTE_CREATED[1], &[("refunds", refunds)]);
    let refund = with(NEW_REFUND_UPDATED, "/data/object/amount", json!(2_000));
    let charge = with(NEW_REFUNDED, "/data/object/amount_refunded", json!(2_000));
    assert_eq!(joined(&[NEW_PAID, &note, &refund, &charge]).standing_amount(), 16_500);
    assert_eq!(joined(&[&charge, &note, NEW_PAID]).standing_amount(), 16_500);
}

#[test]
fn a_note_that_cannot_be_read_names_its_field() {
    let [old, new] = CREDIT_NOTE_CREATED;
    for pointer in ["/data/object/id", "/data/object/invoice", "/data/object/currency"] {
        assert_eq!(refusal(&without(new, pointer)), (pointer.to_owned(), "is missing".to_owned()));
    }
    assert_eq!(refusal(&without(old, "/data/object/amount")).0, "/data/object/amount");
    let cases = [
        ("/data/object/post_payment_amount", json!("5500"), "/data/object/post_payment_amount"),
        ("/data/object/refunds", json!({}), "/data/object/refunds"),
        ("/data/object/refunds", json!([{}]), "/data/object/refunds/0/amount_refunded"),
        ("/data/object/refunds", json!(vec![0; REFUNDS_MAX + 1]), "/data/object/refunds"),
        ("/data/object/status", json!(1), "/data/object/status"),
        ("/data/object/customer", json!("a b"), "/data/object/customer"),
    ];
    for (pointer, value, named) in cases {
        assert_eq!(refusal(&with(new, pointer, value)).0, named);
    }
}
