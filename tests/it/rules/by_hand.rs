//! What administrators give and take back.

use serde_json::json;
use tests::World;

use super::{figures_in, rule, ten_percent, with_referees};

#[tokio::test]
async fn points_given_by_hand_are_given_once_and_shown_as_such() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, rule(ten_percent(), json!({})), 0).await;
    let path = format!("/v1/participants/{}/rewards", anna.id);
    let gift = json!({"amount": {"amount": 50, "currency": "points"}, "kind": "points", "actor": "clinic",
        "reason": "The friend forgot the code"});
    let give = |key: &str| {
        let (tenant, path, body, key) = (tenant.clone(), path.clone(), gift.to_string(), key.to_owned());
        async move { tenant.send("POST", &path, body, &[("idempotency-key", &key)]).await }
    };
    tenant.post(&path, gift.clone()).await.refused(400, "invalid_request");
    let first = give("a").await.created();
    let again = give("a").await;
    assert_eq!(again.body["id"], first["id"]);
    give("b").await.created();
    world.drain().await;
    assert_eq!(figures_in(&tenant, &anna.id, "points").await, (100, 0, 100, 0));
    let ledger = tenant.get(&format!("/v1/participants/{}/ledger", anna.id)).await.ok();
    assert_eq!(ledger["data"][0]["cause"], "granted");
    assert_eq!(ledger["data"][0]["note"], json!({"actor": "clinic", "reason": "The friend forgot the code"}));

    let reverse = format!("/v1/rewards/{}/reverse", first["id"].as_str().unwrap());
    let by = json!({"actor": "clinic", "reason": "mistake"});
    tenant.post(&reverse, by.clone()).await.ok();
    tenant.post(&reverse, by).await.ok();
    assert_eq!(figures_in(&tenant, &anna.id, "points").await, (50, 0, 100, 50));
    assert_eq!(tenant.ledger(&anna).await.last().unwrap().0, "taken_back");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_was_taken_back_by_hand_is_not_given_again_by_later_events() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, rule(ten_percent(), json!({})), 1).await;
    let settled = tenant.pay("ben-0", "in_0", 20_000).await.ok();
    world.drain().await;
    let reward = settled["posted"][0]["reward"].as_str().unwrap();
    let body = json!({"actor": "support", "reason": "shared", "amount": {"amount": 500, "currency": "USD"}})
        .to_string();
    let path = format!("/v1/rewards/{reward}/reverse");
    for _ in 0..2 {
        tenant.send("POST", &path, body.clone(), &[("idempotency-key", "half")]).await.ok();
    }
    assert_eq!(tenant.figures(&anna).await, (1_500, 0, 2_000, 500));
    tenant.refund("re_0", "in_0", 10_000).await.ok();
    assert_eq!(tenant.figures(&anna).await, (500, 0, 2_000, 1_500));
    tenant.refund("re_1", "in_0", 10_000).await.ok();
    assert_eq!(tenant.figures(&anna).await, (0, 0, 2_000, 2_000));
    world.assert_at_rest().await;
}
