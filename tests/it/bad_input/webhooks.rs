//! Webhooks: signatures that must not be believed, and events that cannot be used or do not matter.

use chrono::Duration;
use domain::stripe::signature::sign;
use serde_json::{Value, json};

use super::case::Case;
use super::setup::{SECRETS, Setup};

const ROUTE: &str = "POST /v1/webhooks/stripe/{endpoint}";

pub fn cases(setup: &Setup) -> Vec<Case> {
    [signatures(setup), places(setup), events(setup), ignored(setup)].concat()
}

/// A paid invoice of ben's.
pub fn invoice_paid(setup: &Setup) -> Value {
    json!({"id": "evt_1", "object": "event", "livemode": false, "type": "invoice.paid",
        "created": setup.now.timestamp(), "data": {"object": {"id": "in_2", "object": "invoice",
        "amount_paid": 20_000, "total": 20_000, "currency": "usd", "customer": "cus_1", "payment_intent": "pi_2",
        "metadata": {"referral_external_id": "ben"}, "status_transitions": {"paid_at": setup.now.timestamp()}}}})
}

fn at(setup: &Setup, seconds: i64) -> chrono::DateTime<chrono::Utc> {
    setup.now + Duration::seconds(seconds)
}

fn signatures(setup: &Setup) -> Vec<Case> {
    let body = invoice_paid(setup).to_string();
    let bytes = body.as_bytes();
    let case = |what: &str| {
        let case = Case::new(ROUTE, &[&setup.endpoint], "", what).text(&body);
        case.gives(400, "invalid_signature")
    };
    let with = |what: &str, header: String| case(what).header("stripe-signature", header);
    let good = sign(bytes, SECRETS[0], setup.now);
    let (time, signature) = good.split_once(",v1=").unwrap();
    let mut flipped = signature.to_owned();
    flipped.replace_range(0..1, if flipped.starts_with('0') { "1" } else { "0" });
    let mut cases = vec![
        case("no signature"),
        with("stale", sign(bytes, SECRETS[0], at(setup, -301))),
        with("from the future", sign(bytes, SECRETS[0], at(setup, 3_600))),
        with("another secret", sign(bytes, "whsec_of_somebody_else", setup.now)),
        with("an empty secret", sign(bytes, "", setup.now)),
        with("another body", sign(b"{}", SECRETS[0], setup.now)),
        with("another time", format!("t={},v1={signature}", at(setup, 1).timestamp())),
        with("a bit flipped", format!("{time},v1={flipped}")),
        with("cut short", format!("{time},v1={}", &signature[..62])),
        with("the old scheme only", format!("{time},v0={signature}")),
        with("two times", format!("{time},{good}")),
        with("no time", format!("v1={signature}")),
        with("a time that is no number", format!("t=now,v1={signature}")),
        with("no hexadecimal", format!("{time},v1={}", "z".repeat(64))),
        with("too long", format!("{good},{}", "v1=00,".repeat(400))),
    ];
    for header in ["", ",", "=", "t=,v1=", "x"] {
        cases.push(with(&format!("{header:?} as signature"), header.to_owned()));
    }
    let bare = Case::new(ROUTE, &[&setup.bare_endpoint], "", "an endpoint without a secret");
    let bare = bare.text(&body).header("stripe-signature", sign(bytes, "", setup.now));
    cases.push(bare.gives(400, "invalid_signature"));
    // An API key opens nothing here.
    let key =
        Case::new(ROUTE, &[&setup.endpoint], &setup.tenant.key, "an API key and no signature").text(&body);
    cases.push(key.gives(400, "invalid_signature"));
    cases
}

fn places(setup: &Setup) -> Vec<Case> {
    let body = invoice_paid(setup).to_string();
    let signature = sign(body.as_bytes(), SECRETS[0], setup.now);
    let case = |endpoint: &str| {
        let case = Case::new(ROUTE, &[endpoint], "", format!("{endpoint:.40} as endpoint")).text(&body);
        case.header("stripe-signature", &signature).gives(404, "not_found")
    };
    let nobody = format!("whe_{}", "0".repeat(26));
    let mut cases: Vec<Case> = [&nobody, "x", "%20", "a%23b", &setup.program].map(case).into();
    let large = format!("{body}{}", " ".repeat(256 * 1024 + 1 - body.len()));
    let signature = sign(large.as_bytes(), SECRETS[0], setup.now);
    let large = Case::new(ROUTE, &[&setup.endpoint], "", "too large").text(large);
    cases.push(large.header("stripe-signature", signature).gives(413, "body_too_large"));
    cases
}

fn signed(setup: &Setup, what: impl Into<String>, body: &str) -> Case {
    let signature = sign(body.as_bytes(), SECRETS[1], setup.now);
    Case::new(ROUTE, &[&setup.endpoint], "", what).text(body).header("stripe-signature", signature)
}

fn events(setup: &Setup) -> Vec<Case> {
    let mut cases = Vec::new();
    for text in ["", "{", "x", "{}{}", "\u{0}"] {
        let case = signed(setup, format!("{text:?} as event"), text);
        cases.push(case.gives(400, "invalid_event"));
    }
    for text in ["{}", "[]", "7", "null", "{\"type\": 7}"] {
        cases.push(signed(setup, format!("{text} as event"), text).unusable("/type"));
    }
    let numbers = [json!("1"), json!(1.5), json!(-1), json!(1_000_000_000_001_i64), json!([]), json!(1e30)];
    let amounts = [numbers.to_vec(), vec![Value::Null]].concat();
    let ids =
        [json!(7), json!(""), json!("a b"), json!("a#b"), json!("x".repeat(129)), json!({}), json!(true)];
    let required_ids = [ids.to_vec(), vec![Value::Null]].concat();
    let wrong = [
        ("/id", required_ids.clone()),
        ("/type", vec![json!(7), Value::Null, json!("x".repeat(129))]),
        ("/livemode", vec![json!("false"), json!(0), Value::Null]),
        ("/data/object/id", required_ids),
        ("/data/object/amount_paid", amounts),
        ("/data/object/currency", vec![json!(7), Value::Null, json!("xxx"), json!("us"), json!("bitcoin")]),
        ("/data/object/customer", ids.to_vec()),
        ("/data/object/payment_intent", ids.to_vec()),
        (
            "/data/object/metadata/referral_external_id",
            vec![json!(7), json!("ben@example.com"), json!("a#b")],
        ),
        ("/data/object/status_transitions/paid_at", vec![json!("now"), json!(-1), json!(1.5), json!(1e15)]),
        ("/data/object/total", vec![json!("1"), json!(1.5), json!(1_000_000_000_001_i64)]),
    ];
    for (pointer, values) in wrong {
        for value in values {
            let mut event = invoice_paid(setup);
            *event.pointer_mut(pointer).unwrap() = value.clone();
            let short: String = value.to_string().chars().take(40).collect();
            let case = signed(setup, format!("{short} as {pointer}"), &event.to_string());
            // An id that is an object is one that Stripe expanded: its own id is what is missing.
            let expanded = if value.is_object() { "/id" } else { "" };
            cases.push(case.unusable(&format!("{pointer}{expanded}")));
        }
    }
    for (what, change, status, code) in [
        ("another currency", json!({"id": "in_1", "currency": "eur"}), 409, "currency_mismatch"),
        (
            "another payer",
            json!({"id": "in_1", "metadata": {"referral_external_id": "dora"}}),
            409,
            "payer_mismatch",
        ),
    ] {
        let mut event = invoice_paid(setup);
        for (name, value) in change.as_object().unwrap() {
            event["data"]["object"][name] = value.clone();
        }
        cases.push(signed(setup, what, &event.to_string()).gives(status, code));
    }
    cases
}

fn ignored(setup: &Setup) -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in ["customer.deleted", "invoice.created", "invoice.voided.later", "charge.succeeded", "x", ""] {
        let mut event = invoice_paid(setup);
        event["type"] = json!(kind);
        cases.push(signed(setup, format!("{kind:?} as type"), &event.to_string()).ignored("event_type"));
    }
    let mut live = invoice_paid(setup);
    live["livemode"] = json!(true);
    cases.push(signed(setup, "a live event at a test endpoint", &live.to_string()).ignored("livemode"));
    cases
}
