use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::source::SourceState;
use crate::stripe::samples::*;

const LIST: &str = "/data/object/lines/data";

fn state(lines: Value) -> SourceState {
    fact(&with(NEW_PAID, LIST, lines)).state
}

/// The sample's line with some fields changed.
fn changed(body: &str, fields: &[(&str, Value)]) -> Value {
    let mut line: Value =
        serde_json::from_str::<Value>(body).unwrap().pointer("/data/object/lines/data/0").unwrap().clone();
    for (field, value) in fields {
        line.as_object_mut().unwrap().insert((*field).to_owned(), value.clone());
    }
    line
}

fn amount(body: &str, fields: &[(&str, Value)]) -> Option<i64> {
    let lines = state(json!([changed(body, fields)])).lines;
    lines.into_values().next().map(|line| line.amount)
}

#[test]
fn a_line_comes_to_what_remains_of_it_without_tax() {
    let discounts = json!([{"amount": 2_000, "discount": "di_1"}, {"amount": 500, "discount": "di_2"}]);
    let old_tax = |inclusive: bool| json!([{"amount": 3_193, "inclusive": inclusive, "tax_rate": "txr_1"}]);
    let new_tax =
        |behavior: &str| json!([{"amount": 3_193, "tax_behavior": behavior, "type": "tax_rate_details"}]);
    let credits = json!([{"amount": 700, "type": "credit_balance_transaction", "credit_balance_transaction": "cbtxn_1"},
                         {"amount": 2_000, "type": "discount", "discount": "di_1"}]);
    for body in [OLD_PAID, NEW_PAID] {
        assert_eq!(amount(body, &[]), Some(20_000), "tax on top is no part of it");
        assert_eq!(amount(body, &[("discount_amounts", json!(null))]), Some(20_000));
        assert_eq!(amount(body, &[("discount_amounts", discounts.clone())]), Some(17_500));
        assert_eq!(amount(body, &[("tax_amounts", old_tax(true)), ("taxes", json!(null))]), Some(16_807));
        assert_eq!(amount(body, &[("tax_amounts", old_tax(false)), ("taxes", json!(null))]), Some(20_000));
        assert_eq!(
            amount(body, &[("tax_amounts", json!(null)), ("taxes", new_tax("inclusive"))]),
            Some(16_807)
        );
        assert_eq!(amount(body, &[("taxes", new_tax("exclusive"))]), Some(20_000));
        let all = [("discount_amounts", discounts.clone()), ("pretax_credit_amounts", credits.clone())];
        assert_eq!(amount(body, &all), Some(16_800), "a discount that is listed twice counts once");
        assert_eq!(
            amount(body, &[("amount", json!(-4_000))]),
            Some(-4_000),
            "a credit for the rest of a period"
        );
    }
}

#[test]
fn plan_product_and_proration_have_an_old_and_a_new_place() {
    let expanded = json!({"price_details": {"price": {"id": "price_2"}, "product": {"id": "prod_2"}}});
    let parent = |details: &str| json!({details: {"proration": true}, "type": details});
    let none = json!(null);
    let cases = [
        (changed(OLD_PAID, &[]), Some("price_1QsamplePlan000000000000"), Some("prod_QsamplePlan01"), false),
        (changed(NEW_PAID, &[]), Some("price_1QsamplePlan000000000000"), Some("prod_QsamplePlan01"), false),
        (changed(NEW_PAID, &[("pricing", expanded)]), Some("price_2"), Some("prod_2"), false),
        (
            changed(
                OLD_PAID,
                &[("price", none.clone()), ("plan", json!({"id": "gold", "product": "prod_3"}))],
            ),
            Some("gold"),
            Some("prod_3"),
            false,
        ),
        (
            changed(NEW_PAID, &[("pricing", none.clone()), ("parent", parent("invoice_item_details"))]),
            None,
            None,
            true,
        ),
        (
            changed(NEW_PAID, &[("parent", parent("subscription_item_details"))]),
            Some("price_1QsamplePlan000000000000"),
            Some("prod_QsamplePlan01"),
            true,
        ),
        (
            changed(OLD_PAID, &[("proration", json!(true))]),
            Some("price_1QsamplePlan000000000000"),
            Some("prod_QsamplePlan01"),
            true,
        ),
    ];
    for (line, plan, product, proration) in cases {
        let found = state(json!([line])).lines.into_values().next().unwrap();
        assert_eq!(
            (found.plan.as_deref(), found.product.as_deref(), found.proration),
            (plan, product, proration)
        );
    }
}

#[test]
fn lines_are_complete_when_all_are_there_and_readable() {
    let line = |id: &str| changed(NEW_PAID, &[("id", json!(id))]);
    let two = json!([line("il_1"), line("il_2")]);
    let more = |value: Value| {
        fact(&with(&with(NEW_PAID, LIST, two.clone()), "/data/object/lines/has_more", value)).state
    };
    assert!(more(json!(false)).lines_complete);
    for unknown in [json!(true), json!(null), json!("no")] {
        let state = more(unknown);
        assert_eq!((state.lines.len(), state.lines_complete), (2, false));
    }
    let unreadable = [
        json!({}),
        json!(7),
        changed(NEW_PAID, &[("id", json!("il 1"))]),
        changed(NEW_PAID, &[("amount", json!("20000"))]),
        changed(NEW_PAID, &[("discount_amounts", json!([{"discount": "di_1"}]))]),
        changed(NEW_PAID, &[("taxes", json!({}))]),
        changed(
            NEW_PAID,
            &[("amount", json!(-AMOUNT_MAX)), ("discount_amounts", json!([{"amount": AMOUNT_MAX}]))],
        ),
    ];
    for each in unreadable {
        let state = state(json!([line("il_1"), each.clone()]));
        assert_eq!((state.lines.len(), state.lines_complete), (1, false), "{each}");
    }
    let many: Vec<Value> = (0..=LINES_MAX).map(|n| line(&format!("il_{n}"))).collect();
    let state = state(json!(many));
    assert_eq!((state.lines.len(), state.lines_complete), (LINES_MAX, false));
    assert!(!fact(&without(NEW_PAID, "/data/object/lines")).state.lines_complete);
}

proptest! {
    #[test]
    fn lines_add_up_to_what_the_invoice_comes_to_without_tax(
        lines in prop::collection::vec((1_i64..1_000_000, 0_i64..100, 0_i64..30, any::<bool>()), 1..10)
    ) {
        let (mut expected, mut listed) = (0, Vec::new());
        for (index, (gross, off, rate, inclusive)) in lines.iter().enumerate() {
            let discount = gross * off / 100;
            let tax = (gross - discount) * rate / (100 + rate);
            let behavior = if *inclusive { "inclusive" } else { "exclusive" };
            expected += gross - discount - if *inclusive { tax } else { 0 };
            listed.push(changed(NEW_PAID, &[
                ("id", json!(format!("il_{index}"))),
                ("amount", json!(gross)),
                ("discount_amounts", json!([{"amount": discount, "discount": "di_1"}])),
                ("taxes", json!([{"amount": tax, "tax_behavior": behavior}])),
            ]));
        }
        let state = state(json!(listed));
        prop_assert!(state.lines_complete);
        prop_assert_eq!(state.lines.values().map(|line| line.amount).sum::<i64>(), expected);
    }
}
