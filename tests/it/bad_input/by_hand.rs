//! Bodies of what administrators do by hand: assign, give, approve, reject, take back, decide again.

use serde_json::{Value, json};

use super::bodies::BodyRoute;
use super::setup::Setup;
use super::values::{
    not_amount, not_bool, not_currency, not_external_id, not_name, not_own_id, not_slug, not_text, not_unit,
    or_empty,
};

pub fn routes(setup: &Setup) -> Vec<BodyRoute> {
    vec![
        assignment(setup),
        gift(setup),
        approval(setup),
        rejection(setup),
        reversal(setup),
        replay(),
        fulfillment(setup),
        retry(setup),
        bulk(setup),
        redemption(setup),
    ]
}

fn assignment(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "PUT /v1/referrals/{referee}",
        ids: vec!["carl".to_owned()],
        good: json!({"program": setup.program, "referrer": "anna", "channel": "tour"}),
        required: &["/program", "/referrer"],
        objects: &[""],
        wrong: vec![
            ("/program", not_own_id("prg_")),
            ("/referrer", [not_external_id(), vec![json!("nobody"), json!("pam"), Value::Null]].concat()),
            ("/channel", not_slug()),
        ],
        ..BodyRoute::default()
    }
}

/// What no name and no reason of at most `longest` characters is.
pub fn not_said(longest: usize) -> Vec<Value> {
    or_empty(not_name(longest))
}

fn gift(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "POST /v1/participants/{id}/rewards",
        ids: vec![setup.anna.id.clone()],
        keyed: true,
        good: json!({"amount": {"amount": 500, "currency": "USD"}, "kind": "cash", "actor": "admin", "reason": "by phone"}),
        required: &["/amount", "/amount/amount", "/amount/currency", "/actor", "/reason"],
        objects: &["", "/amount"],
        wrong: vec![
            ("/amount", vec![json!(500), json!("5.00 USD"), json!([]), Value::Null]),
            ("/amount/amount", [not_amount(), vec![json!(0), Value::Null]].concat()),
            ("/amount/currency", [not_currency(), not_unit(), vec![json!("points")]].concat()),
            (
                "/kind",
                [not_text(), vec![json!("gold"), json!("discount"), json!("message"), Value::Null]].concat(),
            ),
            ("/actor", not_said(100)),
            ("/reason", not_said(500)),
        ],
        told: vec![("/kind", json!("points"), "/amount/currency")],
        ..BodyRoute::default()
    }
}

fn approval(setup: &Setup) -> BodyRoute {
    let reasons = not_said(500).into_iter().filter(|value| !value.is_null()).collect();
    BodyRoute {
        route: "POST /v1/rewards/{id}/approve",
        ids: vec![setup.waiting[0].clone()],
        good: json!({"actor": "admin", "reason": "looked into it"}),
        required: &["/actor"],
        objects: &[""],
        wrong: vec![("/actor", not_said(100)), ("/reason", reasons)],
        ..BodyRoute::default()
    }
}

fn fulfillment(setup: &Setup) -> BodyRoute {
    BodyRoute { route: "POST /v1/rewards/{id}/fulfill", ids: vec![setup.failed.clone()], ..approval(setup) }
}

fn retry(setup: &Setup) -> BodyRoute {
    BodyRoute { route: "POST /v1/rewards/{id}/retry", ids: vec![setup.failed.clone()], ..approval(setup) }
}

fn bulk(setup: &Setup) -> BodyRoute {
    let id = || json!(setup.waiting[0]);
    BodyRoute {
        route: "POST /v1/rewards/bulk",
        ids: Vec::new(),
        good: json!({"action": "approve", "rewards": [id()], "actor": "admin", "reason": "looked into it"}),
        required: &["/action", "/rewards", "/actor", "/reason"],
        objects: &[""],
        wrong: vec![
            ("/action", [not_text(), vec![json!("burn"), json!("reverse"), Value::Null]].concat()),
            ("/rewards", vec![json!([]), json!("rwd_1"), json!(vec![id(); 101]), Value::Null]),
            ("/actor", not_said(100)),
            ("/reason", not_said(500)),
        ],
        ..BodyRoute::default()
    }
}

fn redemption(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "POST /v1/participants/{id}/redemptions",
        ids: vec![setup.anna.id.clone()],
        good: json!({"reference": "order_1", "amount": {"amount": 1, "currency": "USD"}, "actor": "admin", "reason": "by phone"}),
        required: &["/reference", "/amount", "/amount/amount", "/amount/currency"],
        objects: &["", "/amount"],
        wrong: vec![
            ("/reference", [not_external_id(), vec![Value::Null]].concat()),
            ("/amount", vec![json!(500), json!("5.00 USD"), json!([]), Value::Null]),
            ("/amount/amount", [not_amount(), vec![json!(0), Value::Null]].concat()),
            ("/amount/currency", [not_unit(), vec![json!("task")]].concat()),
            ("/actor", not_said(100).into_iter().filter(|value| !value.is_null()).collect()),
            ("/reason", not_said(500).into_iter().filter(|value| !value.is_null()).collect()),
        ],
        ..BodyRoute::default()
    }
}

fn rejection(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "POST /v1/rewards/{id}/reject",
        ids: vec![setup.waiting[1].clone()],
        good: json!({"actor": "admin", "reason": "no such customer"}),
        required: &["/actor", "/reason"],
        objects: &[""],
        wrong: vec![("/actor", not_said(100)), ("/reason", not_said(500))],
        ..BodyRoute::default()
    }
}

fn reversal(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "POST /v1/rewards/{id}/reverse",
        ids: vec![setup.delivered.clone()],
        keyed: true,
        good: json!({"actor": "admin", "reason": "too much", "amount": {"amount": 500, "currency": "USD"}}),
        required: &["/actor", "/reason", "/amount/amount", "/amount/currency"],
        objects: &["", "/amount"],
        wrong: vec![
            ("/actor", not_said(100)),
            ("/reason", not_said(500)),
            ("/amount", vec![json!(500), json!("5.00 USD"), json!([])]),
            ("/amount/amount", [not_amount(), vec![json!(0), Value::Null]].concat()),
            ("/amount/currency", [not_unit(), vec![json!("EUR"), json!("points")]].concat()),
        ],
        ..BodyRoute::default()
    }
}

fn replay() -> BodyRoute {
    BodyRoute {
        route: "POST /v1/events/{source}/replay",
        ids: vec!["invoice:stripe:in_1".to_owned()],
        good: json!({"dry_run": false}),
        objects: &[""],
        wrong: vec![("/dry_run", [not_bool(), vec![Value::Null]].concat())],
        ..BodyRoute::default()
    }
}
