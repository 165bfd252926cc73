//! When a reward is delivered: holds, thresholds, approval, expiry.

use serde_json::json;
use tests::World;

use super::{rule, ten_percent, with_referees};

const DAY: i64 = 86_400;

#[tokio::test]
async fn a_held_reward_is_delivered_when_its_days_are_over() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, rule(ten_percent(), json!({"hold_days": 30})), 1).await;
    tenant.pay("ben-0", "in_0", 1_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.rewards(&anna).await, [("held".to_owned(), 100)]);
    assert_eq!(tenant.figures(&anna).await, (0, 100, 100, 0));
    world.advance(29 * DAY).await;
    world.drain().await;
    assert_eq!(tenant.rewards(&anna).await, [("held".to_owned(), 100)]);
    // A refund within the hold leaves less to deliver, and no clawback.
    tenant.refund("re_0", "in_0", 400).await.ok();
    world.advance(DAY + 120).await;
    world.drain().await;
    assert_eq!(tenant.rewards(&anna).await, [("fulfilled".to_owned(), 60)]);
    assert_eq!(tenant.figures(&anna).await, (60, 0, 100, 40));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn nothing_is_delivered_below_the_minimum_earnings_and_everything_once_they_are_reached() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let mut terms = rule(ten_percent(), json!({}));
    terms["min_earnings"] = json!([{"amount": 250, "currency": "USD"}]);
    let (_, anna) = with_referees(&tenant, terms, 1).await;
    tenant.pay("ben-0", "in_0", 1_000).await.ok();
    tenant.pay("ben-0", "in_1", 1_000).await.ok();
    // Other currencies have no threshold.
    let euros =
        json!({"invoice_id": "in_e", "external_id": "ben-0", "amount_paid": 1_000, "currency": "EUR"});
    tenant.post("/v1/track/invoice-paid", euros).await.ok();
    world.drain().await;
    assert_eq!(super::figures_in(&tenant, &anna.id, "USD").await, (0, 200, 200, 0));
    assert_eq!(super::figures_in(&tenant, &anna.id, "EUR").await, (100, 0, 100, 0));
    tenant.refund("re_1", "in_1", 500).await.ok();
    tenant.pay("ben-0", "in_2", 500).await.ok();
    assert_eq!(super::figures_in(&tenant, &anna.id, "USD").await, (0, 200, 250, 50));
    tenant.pay("ben-0", "in_3", 500).await.ok();
    world.drain().await;
    assert_eq!(super::figures_in(&tenant, &anna.id, "USD").await, (250, 0, 300, 50));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_reward_waits_for_its_approval_and_expires_without() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let above =
        json!({"approval": {"manual_above": {"amount": 100, "currency": "USD"}}, "expires_after_days": 10});
    let (_, anna) = with_referees(&tenant, rule(ten_percent(), above), 1).await;
    for (invoice, amount) in [("in_0", 1_000), ("in_1", 2_000), ("in_2", 3_000), ("in_3", 4_000)] {
        tenant.pay("ben-0", invoice, amount).await.ok();
        world.advance(1).await;
    }
    world.drain().await;
    let list = tenant.get(&format!("/v1/rewards?participant={}", anna.id)).await.ok();
    let states: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|r| r["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["pending", "pending", "pending", "fulfilled"]);
    assert_eq!(list["data"][0]["waits_for"], "approval");
    let reward = |index: usize| list["data"][index]["id"].as_str().unwrap().to_owned();
    let act = |index: usize, what: &str| format!("/v1/rewards/{}/{what}", reward(index));
    let by = json!({"actor": "support", "reason": "checked"});

    tenant.post(&act(2, "approve"), by.clone()).await.ok();
    tenant.post(&act(2, "approve"), by.clone()).await.ok();
    tenant.post(&act(1, "reject"), by.clone()).await.ok();
    tenant.post(&act(1, "reject"), by.clone()).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (300, 400, 1_000, 300));
    // A rejected reward does not come back with a later event of its source.
    tenant.refund("re_2", "in_2", 1_000).await.ok();
    let failed = json!({"refund_id": "re_2", "processor": "stripe", "invoice_id": "in_2", "amount": 1_000,
        "currency": "USD", "status": "failed"});
    tenant.post("/v1/track/refund", failed).await.ok();
    assert_eq!(tenant.figures(&anna).await, (300, 400, 1_000, 300));

    world.advance(11 * DAY).await;
    world.drain().await;
    // What was delivered was not spent in time either.
    assert_eq!(tenant.figures(&anna).await, (0, 0, 1_000, 1_000));
    let states: Vec<(String, i64)> = tenant.rewards(&anna).await;
    let states: Vec<&str> = states.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(states, ["expired", "expired", "rejected", "expired"]);
    tenant.post(&act(0, "approve"), by).await.refused(409, "reward_not_approvable");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_reward_that_is_approved_after_the_threshold_was_reached_is_delivered() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let above = json!({"approval": {"manual_above": {"amount": 150, "currency": "USD"}}});
    let mut terms = rule(ten_percent(), above);
    terms["min_earnings"] = json!([{"amount": 250, "currency": "USD"}]);
    let (_, anna) = with_referees(&tenant, terms, 1).await;
    let settled = tenant.pay("ben-0", "in_0", 2_000).await.ok();
    tenant.pay("ben-0", "in_1", 1_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (100, 200, 300, 0));
    let path = format!("/v1/rewards/{}/approve", settled["posted"][0]["reward"].as_str().unwrap());
    tenant.post(&path, json!({"actor": "support"})).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (300, 0, 300, 0));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_waited_for_a_threshold_is_delivered_when_new_terms_have_none() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let mut terms = rule(ten_percent(), json!({}));
    terms["min_earnings"] = json!([{"amount": 1_000, "currency": "USD"}]);
    let (program, anna) = with_referees(&tenant, terms, 1).await;
    tenant.pay("ben-0", "in_0", 1_000).await.ok();
    let without = json!({"terms": rule(ten_percent(), json!({}))});
    tenant.call("PATCH", &format!("/v1/programs/{program}"), Some(&without)).await.ok();
    world.advance(61).await;
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (0, 100, 100, 0));
    // The next reward finds that there is nothing to wait for.
    tenant.pay("ben-0", "in_1", 1_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (200, 0, 200, 0));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_gift_that_reaches_the_threshold_releases_what_waited_for_it() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let mut terms = rule(ten_percent(), json!({}));
    terms["min_earnings"] = json!([{"amount": 250, "currency": "USD"}]);
    let (_, anna) = with_referees(&tenant, terms, 1).await;
    tenant.pay("ben-0", "in_0", 1_000).await.ok();
    let gift = json!({"amount": {"amount": 200, "currency": "USD"}, "actor": "support", "reason": "thanks"});
    let path = format!("/v1/participants/{}/rewards", anna.id);
    tenant.send("POST", &path, gift.to_string(), &[("idempotency-key", "a")]).await.created();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (300, 0, 300, 0));
    world.assert_at_rest().await;
}
