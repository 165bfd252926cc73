//! Parts of invoices: single lines, what was paid elsewhere, invoices over nothing.

use serde_json::{Value, json};

use crate::reason::Reason;
use crate::simulation::stage::{Stage, outcome, percent, rule};

fn lines() -> Value {
    json!([
        {"amount": 6_000, "plan": "pro", "product": "app"},
        {"amount": 3_000, "plan": "seats", "product": "app"},
        {"amount": -1_000, "plan": "pro", "product": "app", "proration": true},
        {"amount": 2_000, "product": "training"}])
}

/// What a tenth of the lines that a filter means is, of an invoice of 100.00 in lines, taxed to 119.00.
fn tenth(filter: &Value, amount: i64, basis: &str, refunds: &[i64]) -> (Reason, i64) {
    let amount_of = json!({"percentage": {"percent": "10", "basis": basis}});
    let mut stage = Stage::with(&[rule(&json!({"amount": amount_of, "lines": filter}))]);
    stage.sign_up("ben", "anna", 0);
    let more = json!({"total": 11_900, "total_excluding_tax": 10_000, "lines": lines()});
    let mut step = stage.pay_with("ben", "in_1", amount, 1, &more);
    for refund in refunds {
        step = stage.refund("in_1", *refund, 2, "succeeded");
    }
    let outcome = outcome(&step, "a");
    (outcome.reason, outcome.target.amount)
}

#[test]
fn a_rule_can_be_about_single_lines() {
    let net = "paid_excluding_tax";
    for (filter, expected) in [
        (json!({"products": ["training"]}), (Reason::Earned, 200)),
        (json!({"products": ["app"]}), (Reason::Earned, 800)),
        (json!({"products": ["app"], "prorations": "exclude"}), (Reason::Earned, 900)),
        (json!({"plans": ["pro"]}), (Reason::Earned, 500)),
        (json!({"plans": ["pro", "seats"], "products": ["app"]}), (Reason::Earned, 800)),
        (json!({"prorations": "only"}), (Reason::RoundsToZero, 0)),
        (json!({"products": ["hats"]}), (Reason::LineNotMatched, 0)),
    ] {
        assert_eq!(tenth(&filter, 11_900, net, &[]), expected, "{filter}");
    }
    let app = json!({"products": ["app"]});
    assert_eq!(tenth(&app, 11_900, "paid_total", &[]), (Reason::Earned, 952), "with its part of the tax");
    assert_eq!(tenth(&app, 5_950, net, &[]), (Reason::Earned, 400), "half was paid with credit");
    assert_eq!(tenth(&app, 11_900, net, &[2_975]), (Reason::Earned, 600));
    assert_eq!(tenth(&app, 11_900, net, &[2_975, 8_925]), (Reason::Refunded, 0));
}

#[test]
fn a_rule_about_lines_needs_all_of_them() {
    let mut stage = Stage::with(&[rule(&json!({"amount": percent("10"), "lines": {"plans": ["pro"]}}))]);
    stage.sign_up("ben", "anna", 0);
    let step = stage.pay_with("ben", "in_1", 10_000, 1, &json!({}));
    assert_eq!(outcome(&step, "a").reason, Reason::LinesUnknown);
}

fn stage_with(given: &Value, terms: &Value) -> Stage {
    let mut all = terms.clone();
    all["rules"] = json!([rule(given)]);
    Stage::of(&all)
}

fn decided(terms: &Value, amount: i64, more: &Value) -> (Reason, i64) {
    let mut stage = stage_with(&json!({"amount": percent("10")}), terms);
    stage.sign_up("ben", "anna", 0);
    let step = stage.pay_with("ben", "in_1", amount, 1, more);
    let decision = &step.decisions[0];
    (decision.reason, decision.rules.first().map_or(0, |outcome| outcome.target.amount))
}

#[test]
fn what_was_paid_elsewhere_earns_only_where_the_terms_say_so() {
    let outside = json!({"out_of_band": true});
    assert_eq!(decided(&json!({}), 20_000, &outside), (Reason::OutOfBand, 0));
    let accepted = json!({"accept_out_of_band": true});
    assert_eq!(decided(&accepted, 20_000, &outside), (Reason::Earned, 2_000));
    assert_eq!(decided(&accepted, 20_000, &json!({})), (Reason::Earned, 2_000));
}

#[test]
fn an_invoice_over_nothing_earns_only_where_the_terms_say_so() {
    let fixed = json!({"amount": {"fixed": {"amount": 500, "currency": "USD"}}});
    for (terms, expected) in
        [(json!({}), (Reason::ZeroAmount, 0)), (json!({"accept_zero_amount": true}), (Reason::Earned, 500))]
    {
        let mut stage = stage_with(&fixed, &terms);
        stage.sign_up("ben", "anna", 0);
        let step = stage.pay("ben", "in_1", 0, 1);
        let decision = &step.decisions[0];
        let target = decision.rules.first().map_or(0, |outcome| outcome.target.amount);
        assert_eq!((decision.reason, target), expected);
    }
    let accepted = json!({"accept_zero_amount": true});
    assert_eq!(decided(&accepted, 0, &json!({})), (Reason::RoundsToZero, 0), "a share of nothing is nothing");
}
