//! Bad input: every route refuses it with a stable code, names what is wrong, and writes nothing.

#[path = "bad_input/adapters.rs"]
mod adapters;
#[path = "bad_input/billing.rs"]
mod billing;
#[path = "bad_input/bodies.rs"]
mod bodies;
#[path = "bad_input/by_hand.rs"]
mod by_hand;
#[path = "bad_input/case.rs"]
mod case;
#[path = "bad_input/cursors.rs"]
mod cursors;
#[path = "bad_input/deliveries.rs"]
mod deliveries;
#[path = "bad_input/destinations.rs"]
mod destinations;
#[path = "bad_input/exchange_rates.rs"]
mod exchange_rates;
#[path = "bad_input/notifications.rs"]
mod notifications;
#[path = "bad_input/places.rs"]
mod places;
#[path = "bad_input/programs.rs"]
mod programs;
#[path = "bad_input/refusals.rs"]
mod refusals;
#[path = "bad_input/setup.rs"]
mod setup;
#[path = "bad_input/simulations.rs"]
mod simulations;
#[path = "bad_input/tracking.rs"]
mod tracking;
#[path = "bad_input/values.rs"]
mod values;
#[path = "bad_input/webhooks.rs"]
mod webhooks;

use std::collections::BTreeSet;

use chrono::Duration;
use domain::stripe::signature::sign;
use serde_json::json;
use setup::{SECRETS, Setup};
use tests::World;

/// Every route of the template, as the cases name them.
async fn routes(world: &World) -> Vec<&'static str> {
    let routes = world.call("GET", "/_local/routes", None, None).await.ok();
    let name = |route: &serde_json::Value| {
        let text = format!("{} {}", route["method"].as_str().unwrap(), route["path"].as_str().unwrap());
        &*text.leak()
    };
    routes.as_array().unwrap().iter().map(name).collect()
}

/// The cases of the routes that terms belong to, or of all others: two halves that run side by side.
async fn bodies_are_refused(of_programs: bool) {
    let setup = Setup::new().await;
    let mut cases = bodies::cases(&setup);
    cases.retain(|case| case.route.contains("/v1/programs") == of_programs);
    case::run(&setup.world, &cases).await;
}

#[tokio::test]
async fn bodies_that_are_not_what_the_route_takes_are_refused_by_their_pointers() {
    bodies_are_refused(false).await;
}

#[tokio::test]
async fn programs_that_are_not_what_programs_can_be_are_refused_by_their_pointers() {
    bodies_are_refused(true).await;
}

#[tokio::test]
async fn moments_at_the_ends_of_time_break_nothing() {
    let setup = Setup::new().await;
    let codes = format!("/v1/programs/{}/codes", setup.program);
    let simulate = format!("/v1/programs/{}/simulate", setup.program);
    let moments = [
        "-262143-01-01T00:00:00Z",
        "-262142-06-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "+10000-01-01T00:00:00Z",
        "+262142-12-31T23:59:59Z",
    ];
    let terms = json!({"min_earnings": [{"amount": 1, "currency": "USD"}], "rules": [{"id": "share",
        "amount": {"percentage": {"percent": "10"}}, "hold_days": 3_000, "expires_after_days": 3_660,
        "limits": {"validity_days": 3_660, "duration_months": 120, "caps": [
            {"per": "week", "amount": 10_000, "currency": "USD"}, {"per": "month", "amount": 10_000, "currency": "USD"}]}}]});
    let owner = setup.tenant.program(terms.clone()).await;
    let olga = setup.tenant.enrol(&owner, "olga", "Olga").await;
    setup.tenant.sign_up("paul", &olga.code).await.created();
    for (number, at) in moments.iter().enumerate() {
        let events = json!([
            {"type": "signup", "referee": "ben", "touches": [{"referrer": "anna", "at": at}], "at": at},
            {"type": "signup", "referee": "carl", "referrer": "anna", "at": setup.now},
            {"type": "invoice_paid", "referee": "ben", "invoice": "in_1", "amount_paid": 20_000, "currency": "USD", "at": at},
            {"type": "invoice_paid", "referee": "carl", "invoice": "in_2", "amount_paid": 20_000, "currency": "USD", "at": at}]);
        let calls = [
            ("POST", "/v1/track/signup", json!({"external_id": "dora", "occurred_at": at})),
            (
                "POST",
                "/v1/track/touch",
                json!({"visitor_id": "v-1", "code": setup.anna.code, "occurred_at": at}),
            ),
            (
                "POST",
                "/v1/track/invoice-paid",
                json!({"invoice_id": format!("in_old_{number}"), "external_id": "paul", "amount_paid": 1_000,
                    "currency": "USD", "paid_at": at}),
            ),
            (
                "POST",
                "/v1/track/event",
                json!({"name": "approved", "event_id": format!("e-{number}"), "external_id": "paul", "occurred_at": at}),
            ),
            (
                "POST",
                "/v1/track/payout",
                json!({"payout_id": format!("p-{number}"), "external_id": "paul", "payout": 1, "currency": "USD",
                    "occurred_at": at}),
            ),
            ("POST", "/v1/programs", json!({"name": "x", "terms": terms, "starts_at": at})),
            ("POST", "/v1/programs", json!({"name": "x", "terms": terms, "ends_at": at})),
            (
                "POST",
                &codes,
                json!({"code": format!("EARLY{number}"), "participant": "anna", "starts_at": at}),
            ),
            ("POST", &codes, json!({"code": format!("LATER{number}"), "participant": "anna", "ends_at": at})),
            ("POST", &simulate, json!({"terms": terms, "events": events})),
            ("POST", &simulate, json!({"events": events})),
        ];
        for (method, path, body) in calls {
            let answer = setup.tenant.call(method, path, Some(&body)).await;
            assert!(answer.status < 500, "{method} {path} {body}: {answer:?}");
        }
    }
    setup.world.assert_at_rest().await;
}

#[tokio::test]
async fn ids_and_queries_that_name_nothing_are_refused() {
    let setup = Setup::new().await;
    let cases = [
        places::ids(&setup),
        places::queries(&setup),
        places::idempotency_keys(&setup),
        exchange_rates::days(&setup),
    ]
    .concat();
    case::run(&setup.world, &cases).await;
}

#[tokio::test]
async fn a_cursor_works_for_its_own_list_and_as_it_was_given() {
    let setup = Setup::new().await;
    case::run(&setup.world, &cursors::cases(&setup).await).await;
}

#[tokio::test]
async fn no_route_opens_without_a_key_that_works() {
    let setup = Setup::new().await;
    let routes = routes(&setup.world).await;
    case::run(&setup.world, &places::keys(&setup, &routes)).await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_reason() {
    let setup = Setup::new().await;
    case::run(&setup.world, &refusals::cases(&setup)).await;
}

#[tokio::test]
async fn webhooks_that_are_forged_stale_unusable_or_of_no_concern_change_nothing() {
    let setup = Setup::new().await;
    case::run(&setup.world, &webhooks::cases(&setup)).await;
    case::run(&setup.world, &adapters::cases(&setup)).await;
}

#[tokio::test]
async fn the_events_that_the_bad_ones_were_made_from_are_taken() {
    let setup = Setup::new().await;
    let event = webhooks::invoice_paid(&setup);
    // Larger than the body of an API call may be, and signed by the old secret, by the new one, and by both; minutes ago
    // and minutes ahead.
    let body = format!("{event}{}", " ".repeat(100 * 1024));
    let signed = |secret, seconds| sign(body.as_bytes(), secret, setup.now + Duration::seconds(seconds));
    let path = format!("/v1/webhooks/stripe/{}", setup.endpoint);
    let anonymous = setup.world.tenant_with(String::new());
    let (old, new) = (signed(SECRETS[0], 0), signed(SECRETS[1], 0));
    let both = format!("{old},v1={}", new.split_once(",v1=").unwrap().1);
    let rolled = format!("{},v1={}", signed("whsec_of_somebody_else", 0), new.split_once(",v1=").unwrap().1);
    for signature in [old, new, both, rolled, signed(SECRETS[0], -200), signed(SECRETS[1], 300)] {
        let answer = anonymous.send("POST", &path, body.clone(), &[("stripe-signature", &signature)]).await;
        assert_eq!(answer.ok()["results"][0]["reason"], "earned", "{signature}");
    }
    setup.world.drain().await;
    assert_eq!(setup.tenant.figures(&setup.anna).await, (4_000, 0, 4_000, 0));
    setup.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_signature_may_be_five_minutes_ahead_and_no_second_more() {
    let setup = Setup::new().await;
    let body = webhooks::invoice_paid(&setup).to_string();
    let path = format!("/v1/webhooks/stripe/{}", setup.endpoint);
    let anonymous = setup.world.tenant_with(String::new());
    for _ in 0..50 {
        let now = setup.world.now().await;
        let signature = sign(body.as_bytes(), SECRETS[0], now + Duration::seconds(301));
        let answer = anonymous.send("POST", &path, body.clone(), &[("stripe-signature", &signature)]).await;
        // Only within one second of the engine's clock was it 301 seconds ahead when it was looked at.
        if setup.world.now().await.timestamp() == now.timestamp() {
            answer.refused(400, "invalid_signature");
            return;
        }
    }
    panic!("no call took less than what was left of a second");
}

#[tokio::test]
async fn the_bodies_that_the_bad_ones_were_made_from_are_taken() {
    let setup = Setup::new().await;
    for (number, (route, path, body)) in bodies::good(&setup).into_iter().enumerate() {
        let caller = setup.world.tenant_with(setup.key_for(route));
        let (method, key) = (route.split_once(' ').unwrap().0, format!("good-{number}"));
        let answer = caller.send(method, &path, body.to_string(), &[(bodies::KEY.0, &key)]).await;
        assert!(matches!(answer.status, 200..=202), "{route}: {answer:?}");
    }
    setup.world.assert_at_rest().await;
}

#[tokio::test]
async fn every_route_has_a_case() {
    /// Nothing can be given to these but a key.
    const WITHOUT_INPUT: [&str; 4] =
        ["GET /v1/api-keys", "GET /v1/webhook-endpoints", "GET /v1/event-destinations", "GET /openapi.json"];
    let setup = Setup::new().await;
    let all = [
        bodies::cases(&setup),
        places::ids(&setup),
        places::queries(&setup),
        refusals::cases(&setup),
        webhooks::cases(&setup),
        exchange_rates::days(&setup),
        adapters::cases(&setup),
    ];
    let mut covered: BTreeSet<&str> = all.iter().flatten().map(|case| case.route).collect();
    covered.extend(WITHOUT_INPUT);
    let declared: BTreeSet<&str> = routes(&setup.world).await.into_iter().collect();
    assert_eq!(covered, declared, "left: routes with a bad-input case; right: routes of the template");
    for route in WITHOUT_INPUT {
        let (method, path) = route.split_once(' ').unwrap();
        let caller = setup.world.tenant_with(setup.key_for(route));
        caller.call(method, path, None).await.ok();
    }
}

#[tokio::test]
async fn what_is_no_route_is_told_so() {
    let setup = Setup::new().await;
    let key = Some(setup.tenant.key.as_str());
    let before = setup.world.snapshot().await;
    let paths = [
        "/",
        "/v1",
        "/v2/programs",
        "/v1/program",
        "/v1/programs/",
        "/v1/programs/a/b",
        "/v1/rewards/a/b",
        "/v1//programs",
        "/v1/participants//ledger",
        "/v1/decisions/",
        "/openapi.yaml",
    ];
    for path in paths {
        for method in ["GET", "POST", "PUT"] {
            let answer = setup.world.call(method, path, key, Some(&json!({}))).await;
            assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
        }
    }
    // A route's path with a method that it does not have: API Gateway knows no 405.
    let declared: BTreeSet<&str> = routes(&setup.world).await.into_iter().collect();
    let mut tried = 0;
    for route in &declared {
        let path = route.split_once(' ').unwrap().1;
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if !declared.contains(format!("{method} {path}").as_str()) {
                let answer = setup.world.call(method, path, key, Some(&json!({}))).await;
                assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 50, "{tried}");
    assert_eq!(setup.world.snapshot().await, before);
}

#[tokio::test]
async fn lists_that_are_full_refuse_more() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    // 200 invoices can wait for one payer.
    for number in 0..200 {
        assert_eq!(tenant.pay("ben", &format!("in_{number}"), 1_000).await.status, 202);
    }
    let before = world.snapshot().await;
    tenant.pay("ben", "in_200", 1_000).await.refused(409, "waiting_list_full");
    assert_eq!(world.snapshot().await, before);
    // 200 refunds can belong to one invoice.
    tenant.sign_up("dora", &anna.code).await.created();
    tenant.pay("dora", "in_300", 100_000).await.ok();
    for number in 0..200 {
        tenant.refund(&format!("re_{number}"), "in_300", 10).await.ok();
    }
    world.drain().await;
    let before = world.snapshot().await;
    tenant.refund("re_200", "in_300", 10).await.refused(422, "too_many_reversals");
    assert_eq!(world.snapshot().await, before);
    // What waited is decided when the sign-up comes.
    tenant.sign_up("ben", &anna.code).await.created();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await.0, 200 * 100 + (100_000 - 200 * 10) / 10);
    world.assert_at_rest().await;
}
