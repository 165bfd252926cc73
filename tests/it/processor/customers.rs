//! What processors call a participant.

use serde_json::{Value, json};
use tests::{Tenant, World, percent_rule};

async fn customers(tenant: &Tenant, id: &str) -> Value {
    tenant.get(&format!("/v1/participants/{id}")).await.ok()["customers"].clone()
}

#[tokio::test]
async fn a_participants_customer_is_given_at_its_enrolment_changed_and_removed() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule("10")).await;
    let path = format!("/v1/programs/{program}/participants/anna");
    let body = json!({"name": "Anna", "customers": {"stripe": "cus_1"}});
    let anna = tenant.call("PUT", &path, Some(&body)).await.created();
    assert_eq!(anna["customers"], json!({"stripe": "cus_1"}));
    let id = anna["id"].as_str().unwrap();
    // A participant that exists is answered unchanged.
    let again = tenant.call("PUT", &path, Some(&json!({"customers": {"stripe": "cus_2"}}))).await.ok();
    assert_eq!(again, anna);
    let change = format!("/v1/participants/{id}");
    for (body, expected) in [
        (json!({"customers": {"stripe": "cus_2"}}), json!("cus_2")),
        (json!({"customers": {}}), json!("cus_2")),
        (json!({}), json!("cus_2")),
        (json!({"customers": {"stripe": null}}), Value::Null),
        (json!({"customers": {"stripe": "cus_3"}}), json!("cus_3")),
        (json!({"customers": null}), Value::Null),
    ] {
        let answer = tenant.call("PATCH", &change, Some(&body)).await.ok();
        assert_eq!(answer["customers"], json!({"stripe": expected}), "{body}");
        assert_eq!(customers(&tenant, id).await, answer["customers"], "{body}");
        // It is no change of the terms.
        assert_eq!(answer["effective_from"], Value::Null, "{body}");
    }
    let both = json!({"disabled": true, "customers": {"stripe": "cus_4"}});
    let answer = tenant.call("PATCH", &change, Some(&both)).await.ok();
    assert_eq!((&answer["disabled"], &answer["customers"]["stripe"]), (&json!(true), &json!("cus_4")));
    // The same again writes nothing.
    let rows = world.snapshot().await;
    assert_eq!(tenant.call("PATCH", &change, Some(&both)).await.ok(), answer);
    assert_eq!(world.snapshot().await, rows);
}

#[tokio::test]
async fn a_customer_can_be_given_after_the_program_has_ended() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.call("PATCH", &format!("/v1/programs/{program}"), Some(&json!({"status": "ended"}))).await.ok();
    world.advance(61).await;
    // What was earned by then is still to be delivered.
    let body = json!({"customers": {"stripe": "cus_1"}});
    tenant.call("PATCH", &format!("/v1/participants/{}", anna.id), Some(&body)).await.ok();
    assert_eq!(customers(&tenant, &anna.id).await, json!({"stripe": "cus_1"}));
}
