//! Destinations: made, changed, removed; their secrets are shown once and stored sealed.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{Receiver, World};

use super::{Office, create, id_of};

#[tokio::test]
async fn a_destination_is_what_was_asked_for() {
    let world = World::start().await;
    for livemode in [true, false] {
        let tenant = world.tenant_in(livemode).await;
        let body = json!({"url": "https://example.com/hooks?a=b", "events": ["reward.fulfilled", "report.ready"],
            "description": "  the shop  "});
        let answer = tenant.post("/v1/event-destinations", body).await;
        let location = answer.headers["location"].to_str().unwrap().to_owned();
        let mut made = answer.created();
        assert_eq!(location, format!("/v1/event-destinations/{}", id_of(&made)));
        let secret = made["secret"].as_str().unwrap().to_owned();
        assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
        made.as_object_mut().unwrap().remove("secret");
        assert_eq!(tenant.get(&location).await.ok(), made);
        assert_eq!(tenant.get("/v1/event-destinations").await.ok(), json!({"data": [made]}));
        assert_eq!((&made["livemode"], &made["status"]), (&json!(livemode), &json!("enabled")));
        assert_eq!(made["description"], "the shop");
        let stored = format!("{:?}", world.rows().await);
        assert!(!stored.contains(&secret) && !stored.contains(&secret[6..]));

        let all = json!({"events": null, "description": null, "url": "https://example.com:8443/"});
        let changed = tenant.call("PATCH", &location, Some(&all)).await.ok();
        assert_eq!((&changed["events"], &changed["description"]), (&Value::Null, &Value::Null));
        assert_eq!(changed["url"], "https://example.com:8443/");
        let disabled = tenant.call("PATCH", &location, Some(&json!({"status": "disabled"}))).await.ok();
        assert_eq!(
            (&disabled["status"], &disabled["disabled_because"]),
            (&json!("disabled"), &json!("owner"))
        );
        assert_eq!(disabled["url"], "https://example.com:8443/");
        // Nothing asked, nothing changed.
        assert_eq!(tenant.call("PATCH", &location, Some(&json!({}))).await.ok(), disabled);
        assert_eq!(tenant.call("DELETE", &location, None).await.status, 204);
        tenant.get(&location).await.refused(404, "not_found");
        assert_eq!(tenant.get("/v1/event-destinations").await.ok(), json!({"data": []}));
    }
}

#[tokio::test]
async fn an_organization_has_ten_destinations_at_most() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let body = json!({"url": "https://example.com/"});
    let key = [("idempotency-key", "first")];
    let first = tenant.send("POST", "/v1/event-destinations", body.to_string(), &key).await.created();
    for _ in 1..10 {
        create(&tenant, body.clone()).await;
    }
    let before = world.snapshot().await;
    tenant.post("/v1/event-destinations", body.clone()).await.refused(409, "too_many_destinations");
    // A repeated call is none more.
    let again = tenant.send("POST", "/v1/event-destinations", body.to_string(), &key).await.created();
    assert_eq!(again, first);
    assert_eq!(world.snapshot().await, before);
}

#[tokio::test]
async fn a_rotation_that_is_repeated_answers_the_same_secret() {
    let office = Office::open().await;
    let rotate = format!("{}/rotate-secret", office.path());
    let keyed = async |key: &str| {
        office.tenant.send("POST", &rotate, "{}".to_owned(), &[("idempotency-key", key)]).await
    };
    let first = keyed("one").await;
    assert_eq!(first.headers["idempotent-replayed"], "false");
    let first = first.ok();
    let rows = office.world.snapshot().await;
    let again = keyed("one").await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.ok()["secret"], first["secret"]);
    assert_eq!(office.world.snapshot().await, rows);
    let second = keyed("two").await.ok();
    let secrets = [&office.secret, first["secret"].as_str().unwrap(), second["secret"].as_str().unwrap()];
    assert_eq!(BTreeSet::from(secrets.map(str::to_owned)).len(), 3);
    // Replaced, but still valid.
    assert_eq!(keyed("one").await.ok()["secret"], first["secret"]);
    keyed("three").await.refused(409, "too_many_secrets");
    office.tell().await;
    let got = office.receiver.got().remove(0);
    for secret in secrets {
        assert!(super::is_signed(&got, secret));
    }
    office.wait(86_401).await;
    keyed("three").await.ok();
}

#[tokio::test]
async fn what_waits_goes_to_the_new_address() {
    let office = Office::open().await;
    office.change(json!({"url": Receiver::nobody()})).await;
    office.tell().await;
    assert!(office.destination().await["failing_since"].is_string());
    let changed = office.change(json!({"url": office.receiver.url()})).await;
    assert_eq!(changed["failing_since"], Value::Null);
    office.wait(7).await;
    assert_eq!(office.receiver.got().len(), 1);
    assert_eq!(office.delivery().await["state"], "delivered");
}
