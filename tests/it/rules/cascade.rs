//! Second-level rewards: a share of what the referred participant earned.

use serde_json::json;
use tests::World;

#[tokio::test]
async fn a_second_level_reward_follows_its_source_exactly() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let terms = json!({"rules": [
        {"id": "commission", "amount": {"percentage": {"percent": "10"}}},
        {"id": "override", "trigger": "reward_earned",
         "amount": {"percentage": {"percent": "25", "basis": "reward"}}}]});
    let program = tenant.program(terms).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    let ben = tenant.enrol(&program, "ben", "Ben").await;
    // Anna referred Ben, and Ben referred Cleo.
    tenant.sign_up("ben", &anna.code).await.created();
    tenant.sign_up("cleo", &ben.code).await.created();
    let settled = tenant.pay("cleo", "in_0", 33_330).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&ben).await, (3_333, 0, 3_333, 0));
    assert_eq!(tenant.figures(&anna).await, (833, 0, 833, 0));
    let reward = settled["posted"][0]["reward"].as_str().unwrap();
    let decision = tenant.get(&format!("/v1/decisions/reward/own/{reward}")).await.ok();
    assert_eq!(decision["reason"], "earned");

    tenant.refund("re_0", "in_0", 11_110).await.ok();
    assert_eq!(tenant.figures(&ben).await, (2_222, 0, 3_333, 1_111));
    assert_eq!(tenant.figures(&anna).await, (555, 0, 833, 278));
    assert_eq!(tenant.ledger(&anna).await.last().unwrap(), &("source_reversed".to_owned(), -278));
    tenant.refund("re_1", "in_0", 22_220).await.ok();
    assert_eq!(tenant.figures(&ben).await, (0, 0, 3_333, 3_333));
    assert_eq!(tenant.figures(&anna).await, (0, 0, 833, 833));
    // There is no third level, and no reward for what nobody referred.
    let of_anna = tenant.get(&format!("/v1/rewards?participant={}", anna.id)).await.ok();
    let id = of_anna["data"][0]["id"].as_str().unwrap();
    tenant.get(&format!("/v1/decisions/reward/own/{id}")).await.refused(404, "not_found");
    world.assert_at_rest().await;
}
