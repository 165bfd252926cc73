//! Bodies of what is reported: sign-ups, touches, payments, refunds, events, payout records.

use chrono::Duration;
use serde_json::{Value, json};

use super::bodies::BodyRoute;
use super::setup::Setup;
use super::values::{
    not_amount, not_bool, not_currency, not_external_id, not_label, not_moment, not_slug, not_text,
    not_within,
};

pub fn routes(setup: &Setup) -> Vec<BodyRoute> {
    vec![
        signup(setup),
        touch(setup),
        invoice(setup),
        refund(),
        dispute(),
        credit(),
        void(),
        event(setup),
        payout(setup),
        batch(),
    ]
}

/// Moments that a sign-up or a touch cannot have.
fn beyond(setup: &Setup) -> Vec<Value> {
    let moments = [setup.now + Duration::hours(1), setup.now - Duration::days(31)].map(|at| json!(at));
    [not_moment(), moments.into()].concat()
}

/// Moments that an event cannot have.
fn ahead(setup: &Setup) -> Vec<Value> {
    [not_moment(), vec![json!(setup.now + Duration::hours(1)), json!("+262142-12-31T23:59:59Z")]].concat()
}

fn or_null(mut values: Vec<Value>) -> Vec<Value> {
    values.push(Value::Null);
    values
}

/// What an event can be about.
fn labels() -> Value {
    let longest = "k".repeat(100);
    json!({"plans": ["pro", "team"], "products": ["mat"], "country": "AT", "metadata": {"campaign": "may", "a/b~c": "x", (longest): "x"}})
}

/// A key of metadata of 101 characters.
const LONG_KEY: &str = "/labels/metadata/\
    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
    bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn wrong_labels() -> Vec<(&'static str, Vec<Value>)> {
    let lists = || vec![json!("x"), json!({}), Value::Null, json!(7)];
    vec![
        ("/labels", vec![json!("x"), json!(7), Value::Null, json!({"plans": vec_of_texts(65)})]),
        ("/labels", vec![json!({"plans": vec_of_texts(60), "products": vec_of_texts(5)})]),
        ("/labels/plans", lists()),
        ("/labels/plans/1", or_null(not_label())),
        ("/labels/products", lists()),
        ("/labels/products/0", or_null(not_label())),
        ("/labels/country", not_label()),
        ("/labels/metadata", vec![json!("x"), json!([["a", "b"]]), Value::Null]),
        ("/labels/metadata/", vec![json!("x")]),
        (LONG_KEY, vec![json!("x")]),
        ("/labels/metadata/campaign", or_null(not_label())),
        ("/labels/metadata/a~1b~0c", vec![json!("")]),
    ]
}

fn vec_of_texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("value-{number}")).collect()
}

fn signup(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "POST /v1/track/signup",
        good: json!({"external_id": "dora", "code": setup.anna.code, "channel": "tour", "occurred_at": setup.now,
            "customer": {"processor": "stripe", "id": "cus_2"}, "visitor_id": "v-1", "existing_customer": false}),
        required: &["/external_id", "/customer/processor", "/customer/id"],
        objects: &["", "/customer"],
        wrong: vec![
            ("/external_id", or_null(not_external_id())),
            ("/code", not_text()),
            ("/visitor_id", not_external_id()),
            ("/channel", not_slug()),
            ("/existing_customer", or_null(not_bool())),
            ("/occurred_at", beyond(setup)),
            ("/customer", vec![json!("cus_2"), json!(7), json!([])]),
            ("/customer/processor", not_slug()),
            ("/customer/id", not_external_id()),
        ],
        ..BodyRoute::default()
    }
}

fn touch(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "POST /v1/track/touch",
        good: json!({"visitor_id": "v-1", "code": setup.anna.code, "occurred_at": setup.now}),
        required: &["/visitor_id", "/code"],
        objects: &[""],
        wrong: vec![
            ("/visitor_id", or_null(not_external_id())),
            ("/code", or_null(not_text())),
            ("/occurred_at", beyond(setup)),
        ],
        ..BodyRoute::default()
    }
}

fn invoice(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "POST /v1/track/invoice-paid",
        good: json!({"invoice_id": "in_2", "processor": "stripe", "external_id": "ben", "customer_id": "cus_1",
            "amount_paid": 20_000, "currency": "USD", "total": 20_000, "total_excluding_tax": 18_000,
            "paid_at": setup.now, "payment_id": "pi_2", "out_of_band": false, "lines_complete": true,
            "payments": [{"payment_id": "pi_2", "amount": 19_000}, {"payment_id": "pi_3"}],
            "lines": [{"line_id": "il_1", "amount": 21_000, "plan": "pro", "product": "mat", "proration": false},
                {"line_id": "il_2", "amount": -1_000}],
            "email": "ben@example.com", "promotion_codes": ["WINTER24"], "labels": labels()}),
        required: &[
            "/invoice_id",
            "/amount_paid",
            "/currency",
            "/payments/0/payment_id",
            "/lines/0/line_id",
            "/lines/1/amount",
        ],
        objects: &["", "/labels", "/payments/0", "/lines/1"],
        wrong: [
            vec![
                ("/invoice_id", not_external_id()),
                ("/processor", not_slug()),
                ("/external_id", not_external_id()),
                ("/customer_id", not_external_id()),
                ("/amount_paid", or_null(not_amount())),
                ("/currency", or_null(not_currency())),
                ("/total", not_amount()),
                ("/total_excluding_tax", not_amount()),
                ("/paid_at", ahead(setup)),
                ("/payment_id", not_external_id()),
            ],
            wrong_parts(),
            wrong_labels(),
        ]
        .concat(),
        told: vec![
            ("/payments", json!([{"payment_id": "pi_2"}, {"payment_id": "pi_2"}]), "/payments/1/payment_id"),
            (
                "/lines",
                json!([{"line_id": "il_1", "amount": 1}, {"line_id": "il_1", "amount": 1}]),
                "/lines/1/line_id",
            ),
            ("/lines", json!([]), "/lines_complete"),
        ],
        ..BodyRoute::default()
    }
}

/// What an invoice is made of, and who paid it, in forms that cannot be.
fn wrong_parts() -> Vec<(&'static str, Vec<Value>)> {
    let lists = || vec![json!("x"), json!({}), Value::Null, json!(7)];
    let lines = |count: usize| -> Vec<Value> {
        (0..count).map(|number| json!({"line_id": format!("il_{number}"), "amount": 1, "plan": format!("p-{number}")})).collect()
    };
    let payments: Vec<Value> = (0..21).map(|number| json!({"payment_id": format!("pi_{number}")})).collect();
    let texts = || vec![json!(7), json!([]), json!(""), json!("x".repeat(101))];
    let mut amounts = not_amount();
    amounts.retain(|amount| *amount != -1);
    vec![
        ("/out_of_band", or_null(not_bool())),
        ("/lines_complete", not_bool()),
        ("/payments", [lists(), vec![json!(payments)]].concat()),
        ("/payments/0/payment_id", or_null(not_external_id())),
        ("/payments/0/amount", not_amount()),
        // A hundred lines fit, of which no more than 64 have something to say.
        ("/lines", [lists(), vec![json!(lines(101)), json!(lines(65))]].concat()),
        ("/lines/0/line_id", or_null(not_external_id())),
        ("/lines/0/amount", or_null(amounts)),
        ("/lines/0/plan", texts()),
        ("/lines/0/product", texts()),
        ("/lines/0/proration", or_null(not_bool())),
        ("/email", vec![json!(7), json!([]), json!(""), json!("ben"), json!("@"), json!("a b@example.com")]),
        (
            "/promotion_codes",
            [lists(), vec![json!((0..11).map(|n| format!("C{n}")).collect::<Vec<_>>())]].concat(),
        ),
        ("/promotion_codes/0", or_null(not_external_id())),
    ]
}

fn dispute() -> BodyRoute {
    BodyRoute {
        route: "POST /v1/track/dispute",
        good: json!({"dispute_id": "dp_2", "processor": "stripe", "invoice_id": "in_1", "payment_id": "pi_1",
            "amount": 500, "currency": "USD", "status": "open"}),
        required: &["/dispute_id", "/amount", "/currency", "/status"],
        objects: &[""],
        wrong: vec![
            ("/dispute_id", or_null(not_external_id())),
            ("/processor", not_slug()),
            ("/invoice_id", not_external_id()),
            ("/payment_id", not_external_id()),
            ("/amount", or_null(not_amount())),
            ("/currency", or_null(not_currency())),
            ("/status", [not_text(), vec![json!("closed"), json!("Won"), Value::Null]].concat()),
        ],
        ..BodyRoute::default()
    }
}

fn credit() -> BodyRoute {
    BodyRoute {
        route: "POST /v1/track/credit",
        good: json!({"credit_id": "cn_2", "processor": "stripe", "invoice_id": "in_1", "amount": 500,
            "currency": "USD", "status": "succeeded"}),
        required: &["/credit_id", "/invoice_id", "/amount", "/currency"],
        objects: &[""],
        wrong: vec![
            ("/credit_id", or_null(not_external_id())),
            ("/processor", not_slug()),
            ("/invoice_id", or_null(not_external_id())),
            ("/amount", or_null(not_amount())),
            ("/currency", or_null(not_currency())),
            ("/status", [not_text(), vec![json!("voided")]].concat()),
        ],
        ..BodyRoute::default()
    }
}

fn void() -> BodyRoute {
    BodyRoute {
        route: "POST /v1/track/void",
        good: json!({"invoice_id": "in_7", "processor": "stripe"}),
        required: &["/invoice_id"],
        objects: &[""],
        wrong: vec![("/invoice_id", or_null(not_external_id())), ("/processor", not_slug())],
        ..BodyRoute::default()
    }
}

fn batch() -> BodyRoute {
    let item = json!({"type": "void", "invoice_id": "in_8"});
    let many = vec![item.clone(); 101];
    BodyRoute {
        route: "POST /v1/track/batch",
        good: json!({"items": [item]}),
        required: &["/items"],
        objects: &[""],
        wrong: vec![("/items", vec![json!([]), json!(many), json!("x"), json!({}), Value::Null, json!(7)])],
        ..BodyRoute::default()
    }
}

fn refund() -> BodyRoute {
    BodyRoute {
        route: "POST /v1/track/refund",
        good: json!({"refund_id": "re_2", "processor": "stripe", "invoice_id": "in_1", "payment_id": "pi_1",
            "amount": 500, "currency": "USD", "status": "succeeded"}),
        required: &["/refund_id", "/amount", "/currency"],
        objects: &[""],
        wrong: vec![
            ("/refund_id", not_external_id()),
            ("/processor", not_slug()),
            ("/invoice_id", not_external_id()),
            ("/payment_id", not_external_id()),
            ("/amount", or_null(not_amount())),
            ("/currency", or_null(not_currency())),
            ("/status", [not_text(), vec![json!("done")]].concat()),
        ],
        ..BodyRoute::default()
    }
}

fn event(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "POST /v1/track/event",
        good: json!({"name": "booking_completed", "event_id": "b-1", "external_id": "ben", "amount": 12_000,
            "currency": "USD", "occurred_at": setup.now, "cancelled": false, "labels": labels()}),
        required: &["/name", "/event_id", "/external_id"],
        objects: &["", "/labels"],
        wrong: [
            vec![
                ("/name", or_null(not_slug())),
                ("/name", vec![json!("x".repeat(33)), json!("invoice/paid")]),
                ("/event_id", or_null(not_external_id())),
                ("/external_id", or_null(not_external_id())),
                ("/amount", not_amount()),
                ("/currency", or_null(not_currency())),
                ("/occurred_at", ahead(setup)),
                ("/cancelled", or_null(not_bool())),
            ],
            wrong_labels(),
        ]
        .concat(),
        told: vec![("/amount", Value::Null, "/currency")],
        ..BodyRoute::default()
    }
}

fn payout(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "POST /v1/track/payout",
        good: json!({"payout_id": "p-1", "processor": "own", "external_id": "ben", "payout": 10_000, "profit": 3_000,
            "revenue": 50_000, "currency": "USD", "revision": 1, "occurred_at": setup.now, "cancelled": false,
            "labels": labels()}),
        required: &["/payout_id", "/external_id", "/currency"],
        objects: &["", "/labels"],
        wrong: [
            vec![
                ("/payout_id", or_null(not_external_id())),
                ("/processor", not_slug()),
                ("/external_id", or_null(not_external_id())),
                ("/payout", not_amount()),
                ("/profit", not_amount()),
                ("/revenue", not_amount()),
                ("/currency", or_null(not_currency())),
                ("/revision", or_null(not_within(0, i64::from(u32::MAX)))),
                ("/occurred_at", ahead(setup)),
                ("/cancelled", or_null(not_bool())),
            ],
            wrong_labels(),
        ]
        .concat(),
        ..BodyRoute::default()
    }
}
