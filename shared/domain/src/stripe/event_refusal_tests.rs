//! Events that cannot be read, and events of chance.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::money::AMOUNT_MAX;
use crate::source::REVERSALS_MAX;
use crate::stripe::EXTERNAL_ID_KEY;
use crate::stripe::samples::*;

#[test]
fn a_body_that_is_not_json_says_where() {
    let cases: [(&[u8], usize, usize); 5] =
        [(b"", 1, 0), (b"hello", 1, 1), (b"{\n\"a\":}", 2, 5), (b"{} {}", 1, 4), (b"\"\xff\"", 1, 2)];
    for (body, line, column) in cases {
        assert_eq!(parse(body), Err(EventError::NotJson { line, column }), "{body:?}");
    }
    let deep = "[".repeat(100_000);
    assert!(matches!(parse(deep.as_bytes()), Err(EventError::NotJson { .. })));
}

#[test]
fn a_missing_field_is_named() {
    let cases = [
        (NEW_PAID, "/type"),
        (NEW_PAID, "/id"),
        (NEW_PAID, "/livemode"),
        (NEW_PAID, "/data/object/id"),
        (NEW_PAID, "/data/object/currency"),
        (NEW_PAID, "/data/object/amount_paid"),
        (NEW_PAYMENT, "/data/object/invoice"),
        (OLD_REFUNDED, "/data/object/id"),
        (OLD_REFUNDED, "/data/object/currency"),
        (OLD_REFUNDED, "/data/object/amount_refunded"),
        (NEW_REFUND_UPDATED, "/data/object/id"),
        (NEW_REFUND_UPDATED, "/data/object/amount"),
        (NEW_REFUND_UPDATED, "/data/object/currency"),
    ];
    for (body, pointer) in cases {
        for broken in [without(body, pointer), with(body, pointer, json!(null))] {
            assert_eq!(refusal(&broken), (pointer.to_owned(), "is missing".to_owned()));
        }
    }
    assert_eq!(refusal("[]").0, "/type");
    assert_eq!(refusal("null").0, "/type");
    let first = "/data/object/refunds/data/0/id";
    let list = with(OLD_REFUNDED, "/data/object/refunds/data", json!([{"amount": 1}]));
    assert_eq!(refusal(&list), (first.to_owned(), "is missing".to_owned()));
}

#[test]
fn an_unusable_field_is_named() {
    let amounts = || {
        [json!(-1), json!(1.0), json!("100"), json!(true), json!(AMOUNT_MAX + 1), json!(u64::MAX), json!([1])]
    };
    let ids =
        || [json!(""), json!("in_1#x"), json!("a/b"), json!(5), json!("x".repeat(129)), json!(["in_1"])];
    let times = || [json!(-1), json!("now"), json!(1.5), json!(253_402_300_800_i64), json!(i64::MAX)];
    let metadata = format!("/data/object/parent/subscription_details/metadata/{EXTERNAL_ID_KEY}");
    let cases: Vec<(&str, &str, Vec<Value>)> = vec![
        (NEW_PAID, "/type", vec![json!(1), json!({}), json!("x".repeat(129))]),
        (NEW_PAID, "/id", ids().into()),
        (NEW_PAID, "/livemode", vec![json!("false"), json!(0)]),
        (NEW_PAID, "/data/object/id", ids().into()),
        (NEW_PAID, "/data/object/currency", vec![json!("dollars"), json!(""), json!(840), json!("xxx")]),
        (NEW_PAID, "/data/object/amount_paid", amounts().into()),
        (NEW_PAID, "/data/object/total", amounts().into_iter().skip(1).collect()),
        (NEW_PAID, "/data/object/total_excluding_tax", amounts().into_iter().skip(1).collect()),
        (NEW_PAID, "/data/object/customer", ids().into()),
        (NEW_PAID, "/data/object/status_transitions/paid_at", times().into()),
        (NEW_PAID, &metadata, vec![json!("a person@example.com"), json!(""), json!(7)]),
        (OLD_PAID, "/data/object/payment_intent", ids().into()),
        (OLD_PAID, "/data/object/charge", ids().into()),
        (NEW_PAYMENT, "/data/object/invoice", ids().into()),
        (NEW_PAYMENT, "/data/object/payment/payment_intent", ids().into()),
        (OLD_REFUNDED, "/data/object/invoice", ids().into()),
        (OLD_REFUNDED, "/data/object/amount_refunded", amounts().into()),
        (
            OLD_REFUNDED,
            "/data/object/refunds/data",
            vec![json!({}), json!(1), json!(vec![0; REVERSALS_MAX + 1])],
        ),
        (NEW_REFUND_UPDATED, "/data/object/amount", amounts().into()),
        (NEW_REFUND_UPDATED, "/data/object/status", vec![json!(1), json!({})]),
        (NEW_REFUND_UPDATED, "/data/object/charge", ids().into()),
    ];
    for (body, pointer, values) in cases {
        for value in values {
            let (named, problem) = refusal(&with(body, pointer, value.clone()));
            assert_eq!(named, pointer, "{value}");
            assert!(problem.starts_with("must ") || problem.starts_with("may "), "{pointer} {problem}");
        }
    }
    let untaxed = with(OLD_PAID, "/data/object/total_excluding_tax", json!(null));
    let taxed = with(&untaxed, "/data/object/tax", json!("20"));
    assert_eq!(refusal(&taxed).0, "/data/object/tax");
    let listed =
        with(&with(&untaxed, "/data/object/tax", json!(null)), "/data/object/total_tax_amounts", json!([{}]));
    assert_eq!(refusal(&listed).0, "/data/object/total_tax_amounts/0/amount");
}

#[test]
fn an_error_reads_as_a_sentence_and_repeats_nothing_of_the_body() {
    let error = parse(with(NEW_PAID, "/data/object/amount_paid", json!("secret")).as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "/data/object/amount_paid must be a whole number from 0 to 1000000000000");
    let error = parse(with(NEW_PAID, "/data/object/id", json!("secret/1")).as_bytes()).unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z_]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![
            Just("id"),
            Just("type"),
            Just("data"),
            Just("object"),
            Just("amount"),
            Just("metadata"),
            Just("payment"),
            Just("status"),
            Just("lines"),
            Just("items"),
            Just("price"),
            Just("refunds"),
            Just("discounts"),
            Just("promotion_code"),
            Just("balance_transactions"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Puts `value` in the place of the member that `choice` falls on, counted in document order.
fn replace(target: &mut Value, choice: &mut usize, value: &Value) {
    if *choice == 0 {
        target.clone_from(value);
    }
    *choice = choice.wrapping_sub(1);
    match target {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, choice, value)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, choice, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&body).is_err());
    }

    #[test]
    fn any_json_is_answered(sample in 0..SAMPLES.len(), object in any_json()) {
        let kind = SAMPLES.get(sample).unwrap().0;
        let event = json!({"id": "evt_1", "type": kind, "livemode": false, "created": 1, "data": {"object": object}});
        let _answered = parse(event.to_string().as_bytes());
    }

    #[test]
    fn a_sample_with_any_member_replaced_is_answered(sample in 0..SAMPLES.len(), choice in 0_usize..260, value in any_json()) {
        let mut event: Value = serde_json::from_str(SAMPLES.get(sample).unwrap().1).unwrap();
        replace(&mut event, &mut { choice }, &value);
        if let Ok(Event { facts, .. }) = parse(event.to_string().as_bytes()) {
            for fact in facts {
                prop_assert!((0..=AMOUNT_MAX).contains(&fact.state.paid_money().map_or(0, |paid| paid.amount)));
                let state = &fact.state;
                let reversals = state.refunds.values().chain(state.credits.values()).map(|refund| refund.amount);
                let withheld = state.disputes.values().map(|dispute| dispute.amount);
                let outside = state.out_of_band.values().copied();
                prop_assert!(reversals.chain(withheld).chain(outside).all(|amount| (0..=AMOUNT_MAX).contains(&amount)));
                prop_assert!(state.lines.values().all(|line| (-AMOUNT_MAX..=AMOUNT_MAX).contains(&line.amount)));
                prop_assert!(state.merge(state).is_ok_and(|twice| twice == *state));
            }
        }
    }

    #[test]
    fn a_truncated_or_flipped_sample_is_answered(
        sample in 0..SAMPLES.len(), place: prop::sample::Index, byte: u8, cut: bool
    ) {
        let mut body = SAMPLES.get(sample).unwrap().1.as_bytes().to_vec();
        let place = place.index(body.len());
        if cut { body.truncate(place) } else { *body.get_mut(place).unwrap() = byte }
        let _answered = parse(&body);
    }
}
