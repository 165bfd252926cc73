//! What deliveries need: connections to processors, participants' customers, and the redeeming of discounts.

use serde_json::{Value, json};

use super::bodies::BodyRoute;
use super::case::Case;
use super::setup::{OPEN_DISCOUNT, Setup, USED_DISCOUNT};
use super::values::{not_external_id, not_text};

const CONNECTION: [&str; 3] = [
    "PUT /v1/processor-connections/{processor}",
    "GET /v1/processor-connections/{processor}",
    "DELETE /v1/processor-connections/{processor}",
];
const DISCOUNT: [&str; 2] = ["GET /v1/discounts/{code}", "POST /v1/discounts/{code}/redeem"];

fn key(mode: &str) -> Value {
    json!({"api_key": format!("rk_{mode}_000000000000004242")})
}

/// What no customer of Stripe's is.
pub fn not_customers() -> Vec<(&'static str, Vec<Value>)> {
    let long = format!("cus_{}", "x".repeat(61));
    let texts = ["", "cus_", "ben", "sub_1", "CUS_1", "cus_a b", "cus_a/b", "cus_..", "cus_é", &long];
    vec![
        ("/customers/stripe", [not_text(), texts.map(Value::from).into()].concat()),
        ("/customers", vec![json!("cus_1"), json!(7), json!(true)]),
    ]
}

pub fn routes() -> Vec<BodyRoute> {
    let long = format!("sk_test_{}", "x".repeat(250));
    let keys = [
        "",
        "sk_test_",
        "sk_test_short",
        "pk_test_000000000000004242",
        tests::STRIPE_SECRET,
        "SK_TEST_000000000000004242",
        "sk_test_00000000000000 4242",
        "sk_test_000000000000004242\n",
        "sk_test_0000000000é0004242",
        &long,
    ];
    let connection = BodyRoute {
        route: CONNECTION[0],
        ids: vec!["stripe".to_owned()],
        good: key("test"),
        required: &["/api_key"],
        objects: &[""],
        wrong: vec![("/api_key", [not_text(), keys.map(Value::from).into(), vec![Value::Null]].concat())],
        ..BodyRoute::default()
    };
    let discount = BodyRoute {
        route: DISCOUNT[1],
        ids: vec![OPEN_DISCOUNT.to_owned()],
        good: json!({"reference": "order_1"}),
        required: &["/reference"],
        objects: &[""],
        wrong: vec![("/reference", [not_external_id(), vec![Value::Null]].concat())],
        ..BodyRoute::default()
    };
    vec![connection, discount]
}

/// Processors that cannot be connected, a connection that there is not, and codes of no discount.
pub fn places(setup: &Setup) -> Vec<Case> {
    let case =
        |route, id: &str, what| Case::new(route, &[id], &setup.tenant.key, format!("{id:.20} as {what}"));
    let mut cases = Vec::new();
    for route in CONNECTION {
        for processor in ["paddle", "Stripe", "%20", "a%23b", "%00", &"x".repeat(500)] {
            cases.push(case(route, processor, "processor").body(&key("test")).gives(404, "not_found"));
        }
        cases.push(case(route, "%FF", "processor").body(&key("test")).names("{path}"));
    }
    for route in &CONNECTION[1..] {
        cases.push(case(route, "stripe", "a processor that is not connected").gives(404, "not_found"));
    }
    let body = json!({"reference": "order_1"});
    for route in DISCOUNT {
        for code in
            ["2345-CDFH-JKMQ", "2345-CDFH", "x", "%20", "%00", "a%23b", &setup.anna.code, &"2".repeat(500)]
        {
            cases.push(case(route, code, "discount").body(&body).gives(404, "not_found"));
        }
        cases.push(case(route, "%FF", "discount").body(&body).names("{path}"));
    }
    cases
}

pub fn refusals(setup: &Setup) -> Vec<Case> {
    let case = |route, id: &str, what: &str| Case::new(route, &[id], &setup.tenant.key, what);
    let live = case(CONNECTION[0], "stripe", "a key of the other mode").body(&key("live"));
    let used = case(DISCOUNT[1], USED_DISCOUNT, "a discount that was used");
    vec![
        live.gives(422, "mode_mismatch").pointing_at("/api_key"),
        used.body(&json!({"reference": "order_1"})).gives(409, "discount_redeemed"),
    ]
}
