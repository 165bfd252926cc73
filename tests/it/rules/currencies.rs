//! Currencies: balances by currency that never mix, what is converted into the payout currency, and what waits for a
//! rate.

use local::{Effect, Fault};
use serde_json::{Value, json};
use tests::{Answer, Tenant, World};

use super::{figures_in, rule, ten_percent, with_referees};

/// Ten percent, paid out in a currency.
fn paid_out_in(currency: &str) -> Value {
    let mut terms = rule(ten_percent(), json!({}));
    terms["payout_currency"] = currency.into();
    terms
}

async fn pay(tenant: &Tenant, invoice: &str, amount: i64, currency: &str) -> Answer {
    let body = json!({"invoice_id": invoice, "processor": "stripe", "external_id": "ben-0", "amount_paid": amount,
        "currency": currency});
    tenant.post("/v1/track/invoice-paid", body).await
}

async fn refund(tenant: &Tenant, refund: &str, invoice: &str, amount: i64, currency: &str) -> Answer {
    let body = json!({"refund_id": refund, "processor": "stripe", "invoice_id": invoice, "amount": amount,
        "currency": currency});
    tenant.post("/v1/track/refund", body).await
}

async fn give(tenant: &Tenant, day: &str, currency: &str, rates: Value) -> Answer {
    let body = json!({"currency": currency, "rates": rates});
    tenant.call("PUT", &format!("/v1/exchange-rates/{day}"), Some(&body)).await
}

async fn today(world: &World) -> String {
    world.now().await.date_naive().to_string()
}

#[tokio::test]
async fn without_a_payout_currency_every_currency_has_a_balance_of_its_own() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, rule(ten_percent(), json!({})), 1).await;
    for (invoice, amount, currency) in
        [("in_1", 10_000, "USD"), ("in_2", 10_000, "EUR"), ("in_3", 15_550, "JPY"), ("in_4", 12_345, "KWD")]
    {
        pay(&tenant, invoice, amount, currency).await.ok();
    }
    world.drain().await;
    refund(&tenant, "re_2", "in_2", 2_500, "EUR").await.ok();
    refund(&tenant, "re_4", "in_4", 12_345, "KWD").await.ok();
    for (unit, figures) in [
        ("USD", (1_000, 0, 1_000, 0)),
        ("EUR", (750, 0, 1_000, 250)),
        ("JPY", (1_555, 0, 1_555, 0)),
        ("KWD", (0, 0, 1_234, 1_234)),
    ] {
        assert_eq!(figures_in(&tenant, &anna.id, unit).await, figures, "{unit}");
    }
    refund(&tenant, "re_1", "in_1", 1_000, "EUR").await.refused(409, "currency_mismatch");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_payment_waits_for_the_rate_of_its_day_and_is_decided_when_it_is_given() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, paid_out_in("USD"), 1).await;
    let day = today(&world).await;
    let answer = pay(&tenant, "in_1", 20_000, "EUR").await;
    assert_eq!((answer.status, &answer.body["reason"]), (202, &json!("awaiting_rate")));
    assert_eq!((&answer.body["parked"], &answer.body["posted"]), (&json!(true), &json!([])));
    let again = pay(&tenant, "in_1", 20_000, "EUR").await;
    assert_eq!((again.status, &again.body["duplicate"]), (202, &json!(true)));
    // Refunds join it meanwhile, and nobody else waits.
    assert_eq!(refund(&tenant, "re_1", "in_1", 5_000, "EUR").await.status, 202);
    assert_eq!(pay(&tenant, "in_2", 1_000, "USD").await.ok()["reason"], "earned");
    let decision = tenant.get("/v1/decisions/invoice/stripe/in_1").await.ok();
    assert_eq!(
        (&decision["reason"], &decision["waiting_for"]),
        (&json!("awaiting_rate"), &json!("exchange_rate"))
    );
    assert_eq!(decision["missing_rate"], json!({"from": "EUR", "to": "USD", "day": day}));
    assert_eq!((&decision["rules"], &decision["inputs"]["rate"]), (&json!([]), &Value::Null));

    // Another currency, another day and another organization are none of its concern.
    give(&tenant, &day, "USD", json!({"GBP": "1.3"})).await.ok();
    give(&tenant, &day, "CHF", json!({"EUR": "0.93"})).await.ok();
    give(&world.tenant().await, &day, "USD", json!({"EUR": "7"})).await.ok();
    assert_eq!(tenant.reason("in_1").await, "awaiting_rate");
    let given = give(&tenant, &day, "USD", json!({"EUR": "1.0843", "JPY": "0.0067"})).await.ok();
    assert_eq!(given["rates"], json!({"EUR": "1.0843", "GBP": "1.3", "JPY": "0.0067"}));
    assert_eq!(given["releasing"], false);
    world.drain().await;
    // 150.00 EUR stand: 15.00, that is 16.2645 USD.
    assert_eq!(tenant.figures(&anna).await, (1_626 + 100, 0, 1_626 + 100, 0));
    let decision = tenant.get("/v1/decisions/invoice/stripe/in_1").await.ok();
    let rate = json!({"from": "EUR", "to": "USD", "day": day, "rate": "1.0843"});
    assert_eq!((&decision["inputs"]["rate"], &decision["waiting_for"]), (&rate, &Value::Null));
    assert_eq!(decision["rules"][0]["target"], json!({"amount": 1_626, "currency": "USD"}));
    assert_eq!(decision["inputs"]["paid"], json!({"amount": 20_000, "currency": "EUR"}));
    let replayed = tenant.post("/v1/events/invoice:stripe:in_1/replay", json!({})).await.ok();
    assert_eq!(replayed["unchanged"], true, "{replayed}");

    // What is left of it is taken back exactly, by the rate that was used.
    refund(&tenant, "re_2", "in_1", 15_000, "EUR").await.ok();
    assert_eq!(tenant.figures(&anna).await.0, 100);
    let failed = json!({"refund_id": "re_2", "processor": "stripe", "invoice_id": "in_1", "amount": 15_000,
        "currency": "EUR", "status": "failed"});
    tenant.post("/v1/track/refund", failed).await.ok();
    assert_eq!(tenant.figures(&anna).await.0, 1_726);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_rate_that_was_given_is_not_changed() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, paid_out_in("JPY"), 1).await;
    let day = today(&world).await;
    give(&tenant, &day, "JPY", json!({"USD": "149.25"})).await.ok();
    give(&tenant, &day, "JPY", json!({"USD": "149.250"})).await.ok();
    let refused = give(&tenant, &day, "JPY", json!({"EUR": "160", "USD": "149.26"})).await;
    assert_eq!(refused.refused(409, "rate_given")["errors"][0]["pointer"], "/rates/USD");
    let listed = tenant.get(&format!("/v1/exchange-rates/{day}")).await.ok();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!(listed["data"][0]["rates"], json!({"USD": "149.25"}));
    assert_eq!(tenant.get("/v1/exchange-rates/2026-01-01").await.ok(), json!({"data": []}));
    pay(&tenant, "in_1", 9_999, "USD").await.ok();
    pay(&tenant, "in_2", 12_345, "JPY").await.ok();
    world.drain().await;
    assert_eq!(figures_in(&tenant, &anna.id, "JPY").await.0, 1_491 + 1_234);
    assert_eq!(figures_in(&tenant, &anna.id, "USD").await, (0, 0, 0, 0));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_waits_for_its_sign_up_waits_for_its_rate_afterwards_and_for_its_milestone_too() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let mut terms = paid_out_in("USD");
    let bonus = json!({"id": "bonus", "trigger": "referral_count", "amount": {"milestones": {"steps": [
        {"at": 1, "amount": 700, "currency": "USD"}]}}});
    terms["rules"].as_array_mut().unwrap().push(bonus);
    let program = tenant.program(terms).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    assert_eq!(pay(&tenant, "in_1", 10_000, "EUR").await.body["reason"], "awaiting_signup");
    tenant.sign_up("ben-0", &anna.code).await.created();
    assert_eq!(tenant.reason("in_1").await, "awaiting_rate");
    assert_eq!(tenant.figures(&anna).await, (0, 0, 0, 0));
    give(&tenant, &today(&world).await, "USD", json!({"EUR": "1.25"})).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (1_250 + 700, 0, 1_250 + 700, 0));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_day_with_many_that_wait_is_finished_by_the_sweeper() {
    const WAITING: usize = 40;
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, paid_out_in("USD"), 1).await;
    let day = today(&world).await;
    for number in 0..WAITING {
        assert_eq!(pay(&tenant, &format!("in_{number}"), 1_000, "EUR").await.status, 202);
    }
    let given = give(&tenant, &day, "USD", json!({"EUR": "1.25"})).await.ok();
    assert_eq!(given["releasing"], true);
    world.advance(130).await;
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await.0, 125 * 40);
    let listed = tenant.get(&format!("/v1/exchange-rates/{day}")).await.ok();
    assert_eq!(listed["data"][0]["releasing"], false);
    world.assert_at_rest().await;
}

/// A payment that is told while its rate is given is decided, whichever comes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_that_race_with_their_rate_are_all_decided() {
    const PAYMENTS: usize = 40;
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, paid_out_in("USD"), 1).await;
    let day = today(&world).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..PAYMENTS {
        let (tenant, day) = (tenant.clone(), day.clone());
        calls.spawn(async move {
            if number == PAYMENTS / 2 {
                give(&tenant, &day, "USD", json!({"EUR": "1.25"})).await.ok();
            }
            let answer = pay(&tenant, &format!("in_{number}"), 1_000, "EUR").await;
            assert!(matches!(answer.status, 200 | 202), "{answer:?}");
        });
    }
    calls.join_all().await;
    world.advance(130).await;
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (125 * 40, 0, 125 * 40, 0));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_simulation_says_what_it_would_come_to_with_rates_and_that_it_waits_without() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(tests::percent_rule("10")).await;
    let events = json!([
        {"type": "signup", "referee": "ben", "referrer": "anna", "at": "2026-01-01T00:00:00Z"},
        {"type": "invoice_paid", "referee": "ben", "invoice": "in_1", "amount_paid": 10_000, "currency": "EUR",
         "at": "2026-01-02T00:00:00Z"}]);
    let mut request = json!({"terms": paid_out_in("USD"), "events": events});
    let path = format!("/v1/programs/{program}/simulate");
    let waits = tenant.post(&path, request.clone()).await.ok();
    assert_eq!(waits["steps"][1]["decisions"][0]["reason"], "awaiting_rate");
    request["rates"] = json!({"EUR": "1.25"});
    let earned = tenant.post(&path, request).await.ok();
    assert_eq!(earned["summary"]["participants"]["anna"]["USD"]["net"], 1_250);
}

#[tokio::test]
async fn what_is_taken_back_while_it_is_delivered_is_a_shortfall_that_later_deliveries_net() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, rule(ten_percent(), json!({})), 1).await;
    let balance = async || {
        let body = tenant.get(&format!("/v1/participants/{}/balances", anna.id)).await.ok();
        let number = |name: &str| body["data"][0][name].as_i64().unwrap();
        assert_eq!(
            number("available") - number("shortfall") + number("pending"),
            number("earned") - number("reversed")
        );
        (number("available"), number("shortfall"), number("pending"))
    };
    // The worker will have claimed it and not get on: it comes of itself as soon as the payment is told.
    let send = Some("SendMessageBatch".to_owned());
    world.plan(vec![Fault { call: send, skip: 0, times: 1_000, effect: Effect::Unavailable }]);
    pay(&tenant, "in_1", 20_000, "USD").await.ok();
    world.drain().await;
    world.plan(Vec::new());
    refund(&tenant, "re_1", "in_1", 15_000, "USD").await.ok();
    assert_eq!(balance().await, (0, 1_500, 2_000));
    pay(&tenant, "in_2", 7_000, "USD").await.ok();
    world.drain().await;
    assert_eq!(balance().await, (0, 800, 2_000));
    world.advance(200).await;
    world.drain().await;
    assert_eq!(balance().await, (1_200, 0, 0));
    world.assert_at_rest().await;
}
