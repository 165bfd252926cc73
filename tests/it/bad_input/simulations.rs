//! Bodies of simulations: terms, and examples of every kind of event.

use chrono::Duration;
use serde_json::{Value, json};

use super::bodies::BodyRoute;
use super::exchange_rates;
use super::setup::Setup;

pub fn routes(setup: &Setup) -> Vec<BodyRoute> {
    let mut terms = tests::percent_rule("10");
    terms["payout_currency"] = json!("USD");
    let good = json!({"terms": terms, "rates": {"EUR": "1.0843"}, "events": events(setup)});
    let mut told = Vec::new();
    for (index, (place, event)) in PLACES.iter().zip(events(setup)).enumerate() {
        told.extend(wrong(index, &event).into_iter().map(|value| (*place, value, *place)));
        let kinds = [json!("purchase"), json!(7), Value::Null];
        told.extend(kinds.map(|kind| (*place, with(&event, "type", kind), KINDS[index])));
    }
    // Without a currency that they are told in, rates mean nothing.
    told.push(("/terms/payout_currency", Value::Null, "/rates"));
    told.extend(exchange_rates::wrong_rates().into_iter().map(|(rates, told)| ("/rates", rates, told)));
    vec![BodyRoute {
        route: "POST /v1/programs/{program}/simulate",
        ids: vec![setup.program.clone()],
        required: &["/events", "/terms/rules", "/terms/rules/0/id"],
        needed: &["/terms/rules/0/amount"],
        objects: &["", "/terms", "/terms/rules/0"],
        wrong: vec![
            ("/terms", vec![json!("x"), json!([]), json!(7)]),
            ("/terms/rules", vec![json!([]), json!({}), json!("x")]),
            ("/terms/rules/0/id", vec![json!("A b"), json!(7)]),
            ("/terms/rules/0/amount/percentage/percent", vec![json!("0"), json!(10), json!("101")]),
            (
                "/events",
                vec![
                    json!("x"),
                    json!({}),
                    json!(7),
                    Value::Null,
                    json!(vec![good["events"][1].clone(); 201]),
                ],
            ),
        ],
        told,
        good,
        ..BodyRoute::default()
    }]
}

const KINDS: [&str; 8] = [
    "/events/0/type",
    "/events/1/type",
    "/events/2/type",
    "/events/3/type",
    "/events/4/type",
    "/events/5/type",
    "/events/6/type",
    "/events/7/type",
];
const PLACES: [&str; 8] =
    ["/events/0", "/events/1", "/events/2", "/events/3", "/events/4", "/events/5", "/events/6", "/events/7"];

/// One of every kind.
fn events(setup: &Setup) -> Vec<Value> {
    let at = |hours: i64| json!(setup.now + Duration::hours(hours));
    vec![
        json!({"type": "signup", "referee": "ben", "referrer": "anna", "channel": "tour", "existing_customer": false,
            "touches": [{"referrer": "anna", "at": at(0)}], "at": at(1)}),
        json!({"type": "invoice_paid", "referee": "ben", "invoice": "in_1", "amount_paid": 20_000, "currency": "USD",
            "total": 20_000, "total_excluding_tax": 18_000, "plan": "pro", "product": "mat", "country": "AT",
            "metadata": {"campaign": "may"}, "at": at(2)}),
        json!({"type": "refund", "invoice": "in_1", "refund": "re_1", "amount": 5_000, "status": "succeeded", "at": at(3)}),
        json!({"type": "event", "name": "booking_completed", "referee": "ben", "id": "b-1", "amount": 100,
            "currency": "USD", "plan": "pro", "metadata": {}, "at": at(4)}),
        json!({"type": "payout", "referee": "ben", "id": "p-1", "revision": 1, "payout": 1, "profit": -1, "revenue": 1,
            "currency": "USD", "at": at(5)}),
        json!({"type": "dispute", "invoice": "in_1", "dispute": "dp_1", "amount": 1_000, "status": "open", "at": at(6)}),
        json!({"type": "void", "invoice": "in_1", "at": at(7)}),
        json!({"type": "signup", "referee": "carl", "at": at(8)}),
    ]
}

/// Values of a field, by its name, that cannot stand there.
fn wrong_values(name: &str) -> Vec<Value> {
    match name {
        "type" => Vec::new(),
        "referee" | "referrer" | "invoice" | "refund" | "id" | "dispute" => {
            vec![json!(7), json!("a b"), json!("")]
        }
        "name" => vec![json!(7), json!("A b"), json!("x".repeat(33))],
        "channel" => vec![json!(7), json!("A b")],
        "existing_customer" => vec![json!("no"), Value::Null],
        "touches" => vec![
            json!("x"),
            json!([{"referrer": "anna"}]),
            json!([{"referrer": "a b", "at": "2026-01-01T00:00:00Z"}]),
        ],
        "amount_paid" | "amount" | "total" | "total_excluding_tax" => {
            vec![json!(-1), json!(1.5), json!("1"), json!(1_000_000_000_001_i64)]
        }
        "payout" | "profit" | "revenue" => vec![json!(1.5), json!("1"), json!(1_000_000_000_001_i64)],
        "revision" => vec![json!(-1), json!(1.5), json!(4_294_967_296_i64)],
        "currency" => vec![json!(7), json!("XXX"), json!("points")],
        "status" => vec![json!(7), json!("done"), Value::Null],
        "plan" | "product" | "country" => vec![json!(7), json!(""), json!("x".repeat(101))],
        "metadata" => vec![
            json!("x"),
            json!({"k": 7}),
            json!({"k": ""}),
            json!({"": "x"}),
            json!({"x".repeat(101): "x"}),
        ],
        "at" => vec![json!(7), json!("2026-11-22"), json!("yesterday"), Value::Null],
        other => panic!("no wrong values for {other}"),
    }
}

fn with(event: &Value, name: &str, value: Value) -> Value {
    let mut changed = event.clone();
    changed[name] = value;
    changed
}

/// The event with one thing wrong.
fn wrong(index: usize, event: &Value) -> Vec<Value> {
    let mut all = vec![with(event, "surprise", json!(1))];
    if index == 0 {
        all.extend([json!("x"), json!(7), json!([]), json!({}), Value::Null]);
    }
    for name in event.as_object().unwrap().keys() {
        all.extend(wrong_values(name).into_iter().map(|value| with(event, name, value)));
    }
    // Without what must be there; an amount and its currency belong together.
    let needed: &[&str] = match index {
        0 => &["type", "referee", "at"],
        1 => &["referee", "invoice", "amount_paid", "currency", "at"],
        2 => &["invoice", "refund", "amount", "at"],
        3 => &["name", "referee", "id", "amount", "currency", "at"],
        4 => &["referee", "id", "currency", "at"],
        5 => &["invoice", "dispute", "amount", "status", "at"],
        6 => &["invoice", "at"],
        // The shape of a sign-up without a code: a refund lacks more.
        _ => return vec![with(event, "type", json!("refund"))],
    };
    for name in needed {
        let mut without = event.clone();
        without.as_object_mut().unwrap().remove(*name).unwrap();
        all.push(without);
    }
    all
}
