//! Rules that count across events: tiers, milestones, caps, and what a reversal does to them.

use serde_json::{Value, json};
use tests::{Tenant, World};

use super::{rule, ten_percent, usd, with_referees};

fn tiers(on_drop: &str) -> Value {
    let share = |percent: &str| json!({"percentage": {"percent": percent}});
    json!({"tiers": {"by": "qualified_referrals", "on_drop": on_drop, "steps": [
        {"from": 1, "amount": share("10")}, {"from": 3, "amount": share("20")}]}})
}

fn milestones(on_drop: &str) -> Value {
    let step = |at: u32, amount: i64| json!({"at": at, "amount": amount, "currency": "USD"});
    let amount = json!({"milestones": {"on_drop": on_drop, "steps": [step(2, 1_000), step(3, 5_000)]}});
    rule(amount, json!({"trigger": "referral_count"}))
}

async fn pay_all(tenant: &Tenant, count: usize) {
    for number in 0..count {
        tenant.pay(&format!("ben-{number}"), &format!("in_{number}"), 1_000).await.ok();
    }
}

#[tokio::test]
async fn more_referrals_earn_a_higher_rate() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, rule(tiers("revoke"), json!({})), 3).await;
    pay_all(&tenant, 3).await;
    assert_eq!(tenant.figures(&anna).await.2, 100 + 100 + 200);
    // A second payment of a referee counts no referral.
    tenant.pay("ben-0", "in_again", 1_000).await.ok();
    assert_eq!(tenant.figures(&anna).await.2, 600);
    // One referral is refunded: what it earned goes back at the rate that it was earned at, and the next payment is of
    // the lower tier.
    tenant.refund("re_2", "in_2", 1_000).await.ok();
    assert_eq!(tenant.figures(&anna).await.3, 200);
    tenant.pay("ben-1", "in_lower", 1_000).await.ok();
    assert_eq!(tenant.figures(&anna).await.2, 700);
    let decision = tenant.get("/v1/decisions/invoice/stripe/in_2").await.ok();
    assert_eq!(decision["reason"], "refunded");
    world.drain().await;
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_tier_that_is_kept_outlasts_a_reversal() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, rule(tiers("keep"), json!({})), 3).await;
    pay_all(&tenant, 3).await;
    tenant.refund("re_2", "in_2", 1_000).await.ok();
    tenant.pay("ben-1", "in_kept", 1_000).await.ok();
    assert_eq!(tenant.figures(&anna).await.2, 100 + 100 + 200 + 200);
    world.drain().await;
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_milestone_is_awarded_once_and_taken_back_while_it_is_not_reached() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, milestones("revoke"), 4).await;
    pay_all(&tenant, 2).await;
    assert_eq!(tenant.figures(&anna).await.2, 1_000);
    tenant.pay("ben-0", "in_more", 1_000).await.ok();
    tenant.pay("ben-2", "in_2", 1_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (6_000, 0, 6_000, 0));
    // Below three again: the third milestone's reward goes back; reached again, it returns, once.
    tenant.refund("re_2", "in_2", 1_000).await.ok();
    assert_eq!(tenant.figures(&anna).await, (1_000, 0, 6_000, 5_000));
    tenant.pay("ben-3", "in_3", 1_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (6_000, 0, 11_000, 5_000));
    tenant.pay("ben-2", "in_2b", 1_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await.0, 6_000);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_milestone_that_is_kept_is_never_taken_back() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (program, anna) = with_referees(&tenant, milestones("keep"), 3).await;
    pay_all(&tenant, 2).await;
    tenant.refund("re_1", "in_1", 1_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (1_000, 0, 1_000, 0));
    // Editing a milestone changes nothing for those who have reached it.
    let step = json!({"at": 2, "amount": 9_000, "currency": "USD"});
    let edited = rule(
        json!({"milestones": {"on_drop": "keep", "steps": [step]}}),
        json!({"trigger": "referral_count"}),
    );
    let path = format!("/v1/programs/{program}");
    tenant.call("PATCH", &path, Some(&json!({"terms": edited}))).await.ok();
    world.advance(61).await;
    tenant.pay("ben-1", "in_1b", 1_000).await.ok();
    tenant.pay("ben-2", "in_2", 1_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (1_000, 0, 1_000, 0));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_cap_cuts_the_reward_that_crosses_it_or_refuses_it() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let cap = |over: &str| json!({"limits": {"caps": [{"per": "day", "amount": 250, "currency": "USD", "over": over}]}});
    let (_, anna) = with_referees(&tenant, rule(ten_percent(), cap("cut")), 1).await;
    for (number, expected) in [(0, 100), (1, 200), (2, 250), (3, 250)] {
        tenant.pay("ben-0", &format!("in_{number}"), 1_000).await.ok();
        assert_eq!(tenant.figures(&anna).await.2, expected, "after payment {number}");
    }
    assert_eq!(tenant.reason("in_3").await, "cap_reached");
    // A place under the cap is kept: a refund makes no room, and a refund that fails gives back exactly.
    tenant.refund("re_2", "in_2", 1_000).await.ok();
    tenant.pay("ben-0", "in_4", 1_000).await.ok();
    let failed = json!({"refund_id": "re_2", "processor": "stripe", "invoice_id": "in_2", "amount": 1_000,
        "currency": "USD", "status": "failed"});
    tenant.post("/v1/track/refund", failed).await.ok();
    let (_, _, earned, reversed) = tenant.figures(&anna).await;
    assert_eq!(earned - reversed, 250);
    world.advance(86_400).await;
    tenant.pay("ben-0", "in_5", 1_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await.0, 350);

    let other = world.tenant().await;
    let (_, dora) = with_referees(&other, rule(ten_percent(), cap("refuse")), 1).await;
    for (number, amount) in [(0, 2_000), (1, 1_000), (2, 500)] {
        other.pay("ben-0", &format!("in_{number}"), amount).await.ok();
    }
    world.drain().await;
    assert_eq!(other.figures(&dora).await, (250, 0, 250, 0));
    assert_eq!(other.reason("in_1").await, "cap_reached");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_rule_can_pay_once_for_a_referee_or_once_at_all() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let terms = json!({"rules": [
        {"id": "each", "amount": usd(100), "repeat": "once_per_referee"},
        {"id": "ever", "amount": usd(1_000), "repeat": "once"},
        {"id": "twice", "amount": usd(10), "limits": {"max_rewards_per_referee": 2}}]});
    let (_, anna) = with_referees(&tenant, terms, 2).await;
    for number in 0..3 {
        tenant.pay("ben-0", &format!("in_0{number}"), 1_000).await.ok();
        tenant.pay("ben-1", &format!("in_1{number}"), 1_000).await.ok();
    }
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await.0, 2 * 100 + 1_000 + 4 * 10);
    let reasons = super::reasons(&tenant, "invoice/stripe/in_02").await;
    let reasons: Vec<&str> = reasons.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(reasons, ["already_enrolled", "already_enrolled", "referee_limit_reached"]);
    world.assert_at_rest().await;
}

/// Two hundred referees of one referrer pay at once: the cap holds to the cent, and each milestone is awarded once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_payments_never_pass_a_cap_and_award_each_milestone_once() {
    const REFEREES: usize = 200;
    let world = World::start().await;
    let tenant = world.tenant().await;
    let steps: Vec<Value> =
        [10, 50, 200].iter().map(|at| json!({"at": at, "amount": at * 100, "currency": "EUR"})).collect();
    let caps = json!([{"per": "all_time", "amount": 12_345, "currency": "USD"}]);
    let terms = json!({"rules": [
        {"id": "share", "amount": {"percentage": {"percent": "10"}}, "limits": {"caps": caps}},
        {"id": "bonus", "trigger": "referral_count", "amount": {"milestones": {"steps": steps}}}]});
    let (_, anna) = with_referees(&tenant, terms, REFEREES).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..REFEREES {
        let tenant = tenant.clone();
        calls.spawn(async move {
            // Whoever lost the race too often is asked to come back.
            while tenant.pay(&format!("ben-{number}"), &format!("in_{number}"), 1_000).await.status != 200 {}
        });
    }
    calls.join_all().await;
    world.drain().await;
    assert_eq!(super::figures_in(&tenant, &anna.id, "USD").await, (12_345, 0, 12_345, 0));
    assert_eq!(super::figures_in(&tenant, &anna.id, "EUR").await, (26_000, 0, 26_000, 0));
    world.assert_at_rest().await;
}
