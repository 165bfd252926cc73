//! What people do about deliveries: many at once, by hand, after a failure, and all at the same time.

use serde_json::{Value, json};

use super::{act, by, only, paid};
use crate::rules::{rule, ten_percent, with_referees};
use tests::World;

#[tokio::test]
async fn credit_without_a_processor_fails_with_its_reason_and_somebody_gives_it_by_hand() {
    let (world, tenant, anna) = paid(json!({"kind": "invoice_credit"})).await;
    let reward = only(&tenant, &anna).await;
    let failed = (json!("failed"), json!("no_processor_customer"));
    assert_eq!((reward["state"].clone(), reward["failure"]["code"].clone()), failed);
    assert_eq!(tenant.figures(&anna).await, (0, 2_000, 2_000, 0));
    tenant.post(&act(&tenant, &anna, "approve").await, by()).await.refused(409, "reward_not_approvable");
    // What is refunded meanwhile is not delivered.
    tenant.refund("re_1", "in_0", 5_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (0, 1_500, 2_000, 500));
    tenant.post(&act(&tenant, &anna, "fulfill").await, by()).await.ok();
    assert_eq!(tenant.figures(&anna).await, (1_500, 0, 2_000, 500));
    // From then on it is theirs to take back: nothing is tried at a processor.
    tenant.refund("re_2", "in_0", 15_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.rewards(&anna).await, [("reversed".to_owned(), 0)]);
    assert_eq!(only(&tenant, &anna).await["failure"], Value::Null);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_failed_reward_that_is_rejected_is_gone() {
    let (world, tenant, anna) = paid(json!({"kind": "invoice_credit"})).await;
    tenant.post(&act(&tenant, &anna, "reject").await, by()).await.ok();
    world.drain().await;
    assert_eq!(tenant.rewards(&anna).await, [("rejected".to_owned(), 0)]);
    assert_eq!(tenant.figures(&anna).await, (0, 0, 2_000, 2_000));
    tenant.post(&act(&tenant, &anna, "retry").await, by()).await.refused(409, "reward_not_retriable");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn many_rewards_are_changed_in_one_call_and_each_stands_alone() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, rule(ten_percent(), json!({"approval": "manual"})), 1).await;
    for number in 0..3 {
        tenant.pay("ben-0", &format!("in_{number}"), 1_000).await.ok();
        world.advance(1).await;
    }
    world.drain().await;
    assert_eq!(world.told("reward.held").await.len(), 3);
    let list = tenant.get(&format!("/v1/rewards?participant={}&state=pending", anna.id)).await.ok();
    let mut ids: Vec<String> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reward| reward["id"].as_str().unwrap().to_owned())
        .collect();
    tenant.post(&format!("/v1/rewards/{}/reject", ids[0]), by()).await.ok();
    ids.push(format!("rwd_{}", "0".repeat(46)));
    ids.push("nonsense".to_owned());

    let call = json!({"action": "approve", "rewards": ids, "actor": "support", "reason": "checked"});
    for _ in 0..2 {
        let answer = tenant.post("/v1/rewards/bulk", call.clone()).await.ok();
        let results = answer["results"].as_array().unwrap();
        let status: Vec<u64> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
        assert_eq!(status, [409, 200, 200, 404, 400], "{answer}");
        assert_eq!(results[0]["problem"]["code"], "reward_not_approvable");
        assert_eq!(results[4]["problem"]["errors"][0]["pointer"], "/rewards/4");
        world.drain().await;
    }
    assert_eq!(tenant.figures(&anna).await, (200, 0, 300, 100));
    assert_eq!(world.told("reward.approved").await.len(), 2);

    // Another organization's rewards are none of theirs.
    let stranger = world.tenant().await;
    let answer = stranger.post("/v1/rewards/bulk", call.clone()).await.ok();
    assert!(
        answer["results"].as_array().unwrap().iter().take(4).all(|result| result["status"] == 404),
        "{answer}"
    );
    for (field, wrong) in [("rewards", json!([])), ("actor", json!("")), ("action", json!("burn"))] {
        let mut call = call.clone();
        call[field] = wrong;
        let body = tenant.post("/v1/rewards/bulk", call).await.refused(400, "invalid_request");
        assert_eq!(body["errors"][0]["pointer"], format!("/{field}"), "{body}");
    }
    world.assert_at_rest().await;
}

#[tokio::test]
async fn of_approving_and_reversing_at_once_both_or_one_win_and_the_books_are_exact() {
    let (world, tenant, anna) = paid(json!({"approval": "manual"})).await;
    let (approve, reverse) = (act(&tenant, &anna, "approve").await, act(&tenant, &anna, "reverse").await);
    let calls = (0..20).map(|number| {
        let path = if number % 2 == 0 { &approve } else { &reverse };
        tenant.post(path, by())
    });
    futures_util::future::join_all(calls).await;
    world.drain().await;
    // Whoever reverses while it is being delivered is asked to come back.
    tenant.post(&reverse, by()).await.ok();
    world.drain().await;
    assert_eq!(tenant.rewards(&anna).await, [("reversed".to_owned(), 0)]);
    assert_eq!(tenant.figures(&anna).await, (0, 0, 2_000, 2_000));
    assert_eq!(tenant.ledger(&anna).await.len(), 2);
    world.assert_at_rest().await;
}
