//! Rewards that whoever listens delivers, and confirms.

use serde_json::json;

use super::{DAY, act, by, figure, only, paid};

#[tokio::test]
async fn a_listener_is_told_delivers_and_confirms() {
    let (world, tenant, anna) = paid(json!({"deliver_by": "listener"})).await;
    let told = world.told("reward.earned").await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["data"]["deliver_by"], &told[0]["data"]["state"]),
        (&json!("listener"), &json!("fulfilling"))
    );
    assert_eq!(told[0]["data"]["payable"], json!({"amount": 2_000, "currency": "USD"}));
    let reward = only(&tenant, &anna).await;
    assert_eq!(reward["state"], "fulfilling");
    assert!(reward["confirm_by"].is_string(), "{reward}");
    assert_eq!(tenant.figures(&anna).await, (0, 2_000, 2_000, 0));

    let path = act(&tenant, &anna, "fulfill").await;
    for _ in 0..2 {
        let fulfilled = tenant.post(&path, json!({"actor": "wallet"})).await.ok();
        assert_eq!(fulfilled["state"], "fulfilled");
    }
    assert_eq!(figure(&tenant, &anna, "elsewhere").await, 2_000);
    assert_eq!(figure(&tenant, &anna, "available").await, 0, "what is elsewhere cannot be spent here");
    world.drain().await;
    assert_eq!(world.told("reward.fulfilled").await.len(), 1);
    let moves = only(&tenant, &anna).await["moves"].clone();
    assert_eq!(moves.as_array().unwrap().len(), 1, "{moves}");
    assert_eq!((&moves[0]["actor"], &moves[0]["state"]), (&json!("wallet"), &json!("fulfilled")));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_nobody_confirms_fails_and_can_be_handed_over_again() {
    let (world, tenant, anna) = paid(json!({"deliver_by": "listener", "confirm_days": 3})).await;
    world.advance(2 * DAY).await;
    world.drain().await;
    assert_eq!(only(&tenant, &anna).await["state"], "fulfilling");
    world.advance(DAY + 120).await;
    world.drain().await;
    let reward = only(&tenant, &anna).await;
    assert_eq!((&reward["state"], &reward["failure"]["code"]), (&json!("failed"), &json!("not_confirmed")));
    assert_eq!(tenant.figures(&anna).await, (0, 2_000, 2_000, 0), "it is still owed");
    assert_eq!(world.told("reward.failed").await.len(), 1);
    assert_eq!(world.due_rows().await, 0);

    tenant.post(&act(&tenant, &anna, "retry").await, by()).await.ok();
    world.drain().await;
    let reward = only(&tenant, &anna).await;
    assert_eq!((&reward["state"], &reward["failure"]), (&json!("fulfilling"), &json!(null)));
    tenant.post(&act(&tenant, &anna, "fulfill").await, by()).await.ok();
    assert_eq!(tenant.figures(&anna).await, (2_000, 0, 2_000, 0));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_refund_while_a_listener_delivers_is_told_and_ends_what_is_left_of_nothing() {
    let (world, tenant, anna) = paid(json!({"deliver_by": "listener"})).await;
    tenant.refund("re_1", "in_0", 5_000).await.ok();
    world.drain().await;
    let told = world.told("reward.reversed").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["data"]["amount"]["amount"], 1_500);
    assert_eq!(only(&tenant, &anna).await["state"], "fulfilling");
    tenant.refund("re_2", "in_0", 15_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.rewards(&anna).await, [("reversed".to_owned(), 0)]);
    assert_eq!(tenant.figures(&anna).await, (0, 0, 2_000, 2_000));
    let path = act(&tenant, &anna, "fulfill").await;
    tenant.post(&path, json!({"actor": "wallet"})).await.refused(409, "reward_not_fulfillable");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn an_allowance_that_a_listener_delivers_is_no_balance_and_terms_say_who_can() {
    let (world, tenant, _) = paid(json!({"deliver_by": "listener"})).await;
    for (rule, pointer) in [
        (json!({"kind": "allowance", "deliver_by": "processor"}), "/terms/rules/0/deliver_by"),
        (
            json!({"kind": "product", "deliver_by": "engine", "amount": {"product": {"sku": "mug", "quantity": 1}}}),
            "/terms/rules/0/deliver_by",
        ),
        (json!({"confirm_days": 3}), "/terms/rules/0/confirm_days"),
        (json!({"deliver_by": "listener", "confirm_days": 366}), "/terms/rules/0/confirm_days"),
    ] {
        let terms = crate::rules::rule(crate::rules::ten_percent(), rule);
        let problem =
            tenant.post("/v1/programs", json!({"name": "P", "status": "active", "terms": terms})).await;
        let body = problem.refused(400, "invalid_request");
        assert_eq!(body["errors"][0]["pointer"], pointer, "{body}");
    }
    world.assert_at_rest().await;
}
