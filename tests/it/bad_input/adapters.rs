//! Paddle's and Chargebee's webhooks: who must not be believed, and events that cannot be used or do not matter.

use chrono::Duration;
use domain::chargebee::credentials;
use domain::paddle::SCHEME;
use serde_json::{Value, json};
use tests::{CHARGEBEE_SECRET, PADDLE_SECRET};

use super::case::Case;
use super::setup::Setup;

const PADDLE: &str = "POST /v1/webhooks/paddle/{endpoint}";
const CHARGEBEE: &str = "POST /v1/webhooks/chargebee/{endpoint}";
const STRIPE: &str = "POST /v1/webhooks/stripe/{endpoint}";

pub fn cases(setup: &Setup) -> Vec<Case> {
    [
        paddle_signatures(setup),
        chargebee_credentials(setup),
        places(setup),
        paddle_events(setup),
        chargebee_events(setup),
    ]
    .concat()
}

/// A transaction that ben paid.
pub fn transaction(setup: &Setup) -> Value {
    json!({"event_id": "evt_1", "event_type": "transaction.completed", "occurred_at": setup.now, "data": {
        "id": "txn_1", "customer_id": "ctm_1", "currency_code": "USD", "custom_data": {"referral_external_id": "ben"},
        "details": {"totals": {"total": "20000", "tax": "0", "grand_total": "20000"},
            "line_items": [{"id": "txnitm_1", "price_id": "pri_1", "totals": {"subtotal": "20000", "discount": "0"}}]}}})
}

/// An invoice that ben paid.
pub fn invoice(setup: &Setup) -> Value {
    let paid_at = setup.now.timestamp();
    json!({"id": "ev_1", "event_type": "payment_succeeded", "occurred_at": paid_at, "content": {
        "invoice": {"id": "1", "customer_id": "cb_1", "status": "paid", "currency_code": "USD", "amount_paid": 20_000,
            "total": 20_000, "tax": 0, "paid_at": paid_at, "deleted": false,
            "line_items": [{"id": "li_1", "amount": 20_000, "entity_id": "pro"}]},
        "customer": {"id": "cb_1", "meta_data": {"referral_external_id": "ben"}}}})
}

fn paddle_signatures(setup: &Setup) -> Vec<Case> {
    let body = transaction(setup).to_string();
    let sign = |secret: &str, seconds: i64| {
        SCHEME.sign(body.as_bytes(), secret, setup.now + Duration::seconds(seconds))
    };
    let case = |what: &str| {
        Case::new(PADDLE, &[&setup.paddle], "", what).text(&body).gives(400, "invalid_signature")
    };
    let with = |what: &str, header: String| case(what).header("paddle-signature", header);
    let good = sign(PADDLE_SECRET, 0);
    let (time, signature) = good.split_once(";h1=").unwrap();
    vec![
        case("no signature"),
        with("stale", sign(PADDLE_SECRET, -301)),
        with("from the future", sign(PADDLE_SECRET, 3_600)),
        with("another secret", sign("pdl_ntfset_of_somebody_else", 0)),
        with("another body", SCHEME.sign(b"{}", PADDLE_SECRET, setup.now)),
        with("cut short", format!("{time};h1={}", &signature[..62])),
        with("no time", format!("h1={signature}")),
        with("two times", format!("{time};{good}")),
        with("Stripe's form", good.replace(';', ",")),
        case("Stripe's header").header("stripe-signature", good.clone()),
        case("credentials").header("authorization", credentials(PADDLE_SECRET)),
    ]
}

fn chargebee_credentials(setup: &Setup) -> Vec<Case> {
    let body = invoice(setup).to_string();
    let case = |what: &str| {
        Case::new(CHARGEBEE, &[&setup.chargebee], "", what).text(&body).gives(400, "invalid_signature")
    };
    let with = |what: &str, header: String| case(what).header("authorization", header);
    let good = credentials(CHARGEBEE_SECRET);
    vec![
        case("no credentials"),
        with("another password", credentials("chargebee:of_somebody_else")),
        with("no password", credentials("chargebee:")),
        with("a part of the password", credentials(&CHARGEBEE_SECRET[..20])),
        with("more than the password", credentials(&format!("{CHARGEBEE_SECRET}x"))),
        with("another scheme", good.replace("Basic", "Bearer")),
        with("not base 64", "Basic ???".to_owned()),
        with("in the clear", format!("Basic {CHARGEBEE_SECRET}")),
        with("an API key", format!("Bearer {}", setup.tenant.key)),
    ]
}

/// An endpoint takes the events of its own processor alone.
fn places(setup: &Setup) -> Vec<Case> {
    let (paddle, chargebee) = (transaction(setup).to_string(), invoice(setup).to_string());
    let signature = SCHEME.sign(paddle.as_bytes(), PADDLE_SECRET, setup.now);
    let stripe = super::webhooks::invoice_paid(setup).to_string();
    let stripe_signature =
        domain::stripe::signature::sign(stripe.as_bytes(), super::setup::SECRETS[0], setup.now);
    let case = |route, endpoint: &str, body: &str| {
        Case::new(route, &[endpoint], "", format!("{endpoint:.40} as endpoint"))
            .text(body)
            .gives(404, "not_found")
    };
    let nobody = format!("whe_{}", "0".repeat(26));
    let mut cases = Vec::new();
    for endpoint in [nobody.as_str(), "x", &setup.endpoint, &setup.chargebee] {
        cases.push(case(PADDLE, endpoint, &paddle).header("paddle-signature", &signature));
    }
    for endpoint in [nobody.as_str(), "x", &setup.endpoint, &setup.paddle] {
        cases.push(
            case(CHARGEBEE, endpoint, &chargebee).header("authorization", credentials(CHARGEBEE_SECRET)),
        );
    }
    for endpoint in [&setup.paddle, &setup.chargebee] {
        cases.push(case(STRIPE, endpoint, &stripe).header("stripe-signature", &stripe_signature));
    }
    let large = format!("{chargebee}{}", " ".repeat(256 * 1024 + 1 - chargebee.len()));
    let large = Case::new(CHARGEBEE, &[&setup.chargebee], "", "too large").text(large);
    cases.push(large.header("authorization", credentials(CHARGEBEE_SECRET)).gives(413, "body_too_large"));
    cases
}

fn paddle_case(setup: &Setup, what: impl Into<String>, body: &str) -> Case {
    let signature = SCHEME.sign(body.as_bytes(), PADDLE_SECRET, setup.now);
    Case::new(PADDLE, &[&setup.paddle], "", what).text(body).header("paddle-signature", signature)
}

fn chargebee_case(setup: &Setup, what: impl Into<String>, body: &str) -> Case {
    let header = credentials(CHARGEBEE_SECRET);
    Case::new(CHARGEBEE, &[&setup.chargebee], "", what).text(body).header("authorization", header)
}

/// Each pointer with each value in its place.
fn spoilt(event: &Value, wrong: &[(&str, Vec<Value>)], case: impl Fn(String, &str) -> Case) -> Vec<Case> {
    let mut cases = Vec::new();
    for (pointer, values) in wrong {
        for value in values {
            let mut event = event.clone();
            *event.pointer_mut(pointer).unwrap() = value.clone();
            let short: String = value.to_string().chars().take(40).collect();
            cases.push(case(format!("{short} as {pointer}"), &event.to_string()).unusable(pointer));
        }
    }
    cases
}

fn not_id() -> Vec<Value> {
    vec![json!(7), json!(""), json!("a b"), json!("a#b"), json!("x".repeat(129)), Value::Null]
}

fn not_payer() -> Vec<Value> {
    vec![json!(7), json!("ben@example.com"), json!("a#b")]
}

fn paddle_events(setup: &Setup) -> Vec<Case> {
    let event = transaction(setup);
    let not_amount =
        || vec![json!(1), json!("1.5"), json!("-1"), json!("1e3"), json!("1000000000001"), Value::Null];
    let wrong = [
        ("/event_id", not_id()),
        ("/event_type", vec![json!(7), Value::Null, json!("x".repeat(129))]),
        ("/data/id", not_id()),
        ("/data/currency_code", vec![json!(7), Value::Null, json!("XXX")]),
        ("/data/custom_data/referral_external_id", not_payer()),
        ("/data/details/totals/grand_total", not_amount()),
        ("/data/details/line_items/0/id", not_id()),
        ("/occurred_at", vec![json!("yesterday"), json!(1), json!("1969-12-31T23:59:59Z"), Value::Null]),
    ];
    let mut cases = spoilt(&event, &wrong, |what, body| paddle_case(setup, what, body));
    for text in ["", "{", "x"] {
        cases.push(paddle_case(setup, format!("{text:?} as event"), text).gives(400, "invalid_event"));
    }
    for kind in ["transaction.created", "subscription.canceled", "x", ""] {
        let mut event = event.clone();
        event["event_type"] = json!(kind);
        cases.push(paddle_case(setup, format!("{kind:?} as type"), &event.to_string()).ignored("event_type"));
    }
    cases
}

fn chargebee_events(setup: &Setup) -> Vec<Case> {
    let event = invoice(setup);
    let not_amount = || vec![json!("1"), json!(1.5), json!(-1), json!(1_000_000_000_001_i64)];
    let wrong = [
        ("/id", not_id()),
        ("/event_type", vec![json!(7), Value::Null, json!("x".repeat(129))]),
        ("/content/invoice/id", not_id()),
        ("/content/invoice/currency_code", vec![json!(7), Value::Null, json!("XXX")]),
        ("/content/invoice/amount_paid", not_amount()),
        ("/content/invoice/paid_at", vec![json!("now"), json!(-1), json!(1e15)]),
        ("/content/invoice/line_items/0/id", not_id()),
        ("/content/customer/meta_data/referral_external_id", not_payer()),
    ];
    let mut cases = spoilt(&event, &wrong, |what, body| chargebee_case(setup, what, body));
    for text in ["", "{", "x"] {
        cases.push(chargebee_case(setup, format!("{text:?} as event"), text).gives(400, "invalid_event"));
    }
    for kind in ["plan_created", "subscription_cancelled", "x", ""] {
        let mut event = event.clone();
        event["event_type"] = json!(kind);
        cases.push(
            chargebee_case(setup, format!("{kind:?} as type"), &event.to_string()).ignored("event_type"),
        );
    }
    cases
}
