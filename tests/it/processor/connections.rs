//! Connections to processors.

use serde_json::{Value, json};
use tests::{Tenant, World};

const PATH: &str = "/v1/processor-connections/stripe";
const KEY: &str = "sk_test_000000000000004242";

async fn connect(tenant: &Tenant, key: &str) -> tests::Answer {
    tenant.call("PUT", PATH, Some(&json!({"api_key": key}))).await
}

#[tokio::test]
async fn a_key_is_kept_sealed_and_never_shown() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    tenant.get(PATH).await.refused(404, "not_found");
    let connected = connect(&tenant, KEY).await.ok();
    assert_eq!((&connected["processor"], &connected["livemode"]), (&json!("stripe"), &json!(false)));
    assert_eq!(connected["api_key_last4"], "4242");
    assert_eq!(tenant.get(PATH).await.ok(), connected);
    let rows = format!("{:?}", world.snapshot().await);
    assert!(!rows.contains(KEY) && !connected.to_string().contains("00004242"), "{rows}");
    assert_eq!(tenant.call("DELETE", PATH, None).await.status, 204);
    tenant.get(PATH).await.refused(404, "not_found");
    tenant.call("DELETE", PATH, None).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_same_key_again_is_no_change_and_another_one_takes_its_place() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let first = connect(&tenant, KEY).await.ok();
    let rows = world.snapshot().await;
    world.advance(61).await;
    assert_eq!(connect(&tenant, KEY).await.ok(), first);
    assert_eq!(world.snapshot().await, rows);
    let other = connect(&tenant, "rk_test_000000000000001111").await.ok();
    assert_eq!(other["api_key_last4"], "1111");
    assert_ne!(other["connected_at"], first["connected_at"]);
}

#[tokio::test]
async fn a_key_is_of_the_organizations_mode() {
    let world = World::start().await;
    let (test, live) = (world.tenant_in(false).await, world.tenant_in(true).await);
    for (tenant, good, bad) in [(&test, "test", "live"), (&live, "live", "test")] {
        let before = world.snapshot().await;
        for kind in ["sk", "rk"] {
            let wrong = connect(tenant, &format!("{kind}_{bad}_000000000000004242")).await;
            let told: Value = wrong.refused(422, "mode_mismatch");
            assert_eq!(told["errors"][0]["pointer"], "/api_key");
        }
        assert_eq!(world.snapshot().await, before);
        let connected = connect(tenant, &format!("rk_{good}_000000000000004242")).await.ok();
        assert_eq!(connected["livemode"], good == "live");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_race_leave_one_of_them() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..6 {
        let tenant = tenant.clone();
        calls
            .spawn(async move { connect(&tenant, &format!("sk_test_00000000000000000{number}")).await.ok() });
    }
    while let Some(answer) = calls.join_next().await {
        assert!(answer.unwrap()["api_key_last4"].as_str().unwrap().starts_with("000"));
    }
    tenant.get(PATH).await.ok();
}
