//! Whose terms apply, and when: seasons, groups, participants' own terms, policies, variants, tracking alone.

use serde_json::{Value, json};
use tests::World;

use super::{rule, ten_percent, with_referees};

fn percent(percent: &str) -> Value {
    rule(json!({"percentage": {"percent": percent}}), json!({}))
}

#[tokio::test]
async fn a_season_begins_and_ends_by_itself() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let now = world.now().await;
    let hours = |hours: i64| now + chrono::Duration::hours(hours);
    let body = json!({"name": "Summer", "type": "influencer", "terms": percent("10"), "starts_at": hours(2),
        "ends_at": hours(4)});
    let program = tenant.post("/v1/programs", body).await.created()["id"].as_str().unwrap().to_owned();
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.refused(422, "program_not_active");
    world.advance(2 * 3_600 + 1).await;
    tenant.sign_up("ben", &anna.code).await.created();
    tenant.pay("ben", "in_0", 1_000).await.ok();
    // The end can be moved as long as it has not come; the beginning has passed.
    let path = format!("/v1/programs/{program}");
    tenant.call("PATCH", &path, Some(&json!({"starts_at": hours(3)}))).await.names("/starts_at");
    tenant.call("PATCH", &path, Some(&json!({"ends_at": hours(5)}))).await.ok();
    world.advance(2 * 3_600).await;
    tenant.pay("ben", "in_1", 1_000).await.ok();
    world.advance(3_600).await;
    tenant.pay("ben", "in_2", 1_000).await.ok();
    assert_eq!(tenant.reason("in_1").await, "earned");
    assert_eq!(tenant.reason("in_2").await, "program_not_active");
    world.drain().await;
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_program_that_only_tracks_binds_and_pays_nothing() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, json!({"rules": [], "track_only": true}), 1).await;
    tenant.pay("ben-0", "in_0", 1_000).await.ok();
    assert_eq!(tenant.reason("in_0").await, "track_only");
    assert_eq!(tenant.get("/v1/referrals/ben-0").await.ok()["referral"]["referrer"], anna.id.as_str());
    world.assert_at_rest().await;
}

#[tokio::test]
async fn groups_and_participants_have_terms_of_their_own() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (program, anna) = with_referees(&tenant, percent("10"), 1).await;
    let group = format!("/v1/programs/{program}/groups/gold");
    tenant.call("PUT", &group, Some(&json!({"terms": percent("20")}))).await.created();
    let participant = format!("/v1/participants/{}", anna.id);
    tenant.call("PATCH", &participant, Some(&json!({"group": "silver"}))).await.names("/group");
    tenant.call("PATCH", &participant, Some(&json!({"group": "gold"}))).await.ok();
    tenant.pay("ben-0", "in_0", 1_000).await.ok();
    world.advance(61).await;
    tenant.pay("ben-0", "in_1", 1_000).await.ok();
    tenant.call("PATCH", &participant, Some(&json!({"terms": percent("30")}))).await.ok();
    world.advance(61).await;
    tenant.pay("ben-0", "in_2", 1_000).await.ok();
    tenant.call("PATCH", &participant, Some(&json!({"disabled": true}))).await.ok();
    world.advance(61).await;
    tenant.pay("ben-0", "in_3", 1_000).await.ok();
    tenant
        .call("PATCH", &participant, Some(&json!({"disabled": false, "group": null, "terms": null})))
        .await
        .ok();
    world.advance(61).await;
    tenant.pay("ben-0", "in_4", 1_000).await.ok();
    assert_eq!(tenant.reason("in_3").await, "participant_disabled");
    let amounts: Vec<i64> = tenant.ledger(&anna).await.into_iter().map(|(_, amount)| amount).collect();
    assert_eq!(amounts, [100, 200, 300, 100]);
    // Each decision keeps its terms, also when it is made again.
    tenant.refund("re_1", "in_1", 500).await.ok();
    assert_eq!(tenant.ledger(&anna).await.last().unwrap().1, -100);
    world.drain().await;
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_referral_keeps_the_terms_it_was_made_under_where_the_program_says_so() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let body = json!({"name": "Partners", "type": "partner", "terms_policy": "keep", "terms": percent("10")});
    let program = tenant.post("/v1/programs", body).await.created()["id"].as_str().unwrap().to_owned();
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let path = format!("/v1/programs/{program}");
    tenant.call("PATCH", &path, Some(&json!({"terms": percent("50")}))).await.ok();
    world.advance(61).await;
    tenant.sign_up("cleo", &anna.code).await.created();
    tenant.pay("ben", "in_0", 1_000).await.ok();
    tenant.pay("cleo", "in_1", 1_000).await.ok();
    let version = |decision: Value| decision["inputs"]["terms_version"].as_u64().unwrap();
    assert_eq!(version(tenant.get("/v1/decisions/invoice/stripe/in_0").await.ok()), 1);
    assert_eq!(version(tenant.get("/v1/decisions/invoice/stripe/in_1").await.ok()), 2);
    assert_eq!(tenant.figures(&anna).await.2, 100 + 500);
    world.drain().await;
    world.assert_at_rest().await;
}

#[tokio::test]
async fn variants_are_dealt_for_good_and_shown_in_every_decision() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let terms = json!({"variants": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}], "rules": [
        {"id": "low", "variants": ["a"], "amount": ten_percent()},
        {"id": "high", "variants": ["b"], "amount": {"percentage": {"percent": "20"}}}]});
    let (_, anna) = with_referees(&tenant, terms, 12).await;
    let mut dealt = (0, 0);
    for number in 0..12 {
        for round in 0..2 {
            let invoice = format!("in_{number}_{round}");
            let settled = tenant.pay(&format!("ben-{number}"), &invoice, 1_000).await.ok();
            let variant = tenant.get(&format!("/v1/decisions/invoice/stripe/{invoice}")).await.ok()["inputs"]
                ["variant"]
                .clone();
            let amount = &settled["posted"][0]["amount"]["amount"];
            assert_eq!(*amount, if variant == "a" { 100 } else { 200 });
            if variant == "a" { dealt.0 += 1 } else { dealt.1 += 1 }
        }
    }
    assert!(dealt.0 % 2 == 0 && dealt.0 > 0 && dealt.1 > 0, "{dealt:?}");
    assert_eq!(tenant.figures(&anna).await.2, dealt.0 * 100 + dealt.1 * 200);
    world.drain().await;
    world.assert_at_rest().await;
}
