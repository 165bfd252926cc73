//! How referees find their referrers: codes, channels, links, administrators.

use serde_json::{Value, json};
use tests::{Participant, Tenant, World};

use super::{rule, ten_percent, with_referees};

#[tokio::test]
async fn codes_are_accepted_through_the_channels_of_the_program() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let mut terms = rule(ten_percent(), json!({"conditions": {"channels": ["tour"]}}));
    terms["channels"] = json!(["tour", "mobile"]);
    let (_, anna) = with_referees(&tenant, terms, 0).await;
    let signup =
        |referee: &str, channel: &str| json!({"external_id": referee, "code": anna.code, "channel": channel});
    tenant.post("/v1/track/signup", signup("ben", "inquiry")).await.refused(422, "channel_not_accepted");
    tenant.post("/v1/track/signup", signup("ben", "mobile")).await.created();
    tenant.post("/v1/track/signup", signup("cleo", "tour")).await.created();
    let known = tenant.get("/v1/referrals/cleo").await.ok();
    assert_eq!(
        (&known["referral"]["channel"], &known["referral"]["used_code"]),
        (&json!("tour"), &json!(anna.code))
    );
    tenant.pay("ben", "in_0", 1_000).await.ok();
    tenant.pay("cleo", "in_1", 1_000).await.ok();
    assert_eq!(tenant.reason("in_0").await, "channel_not_matched");
    assert_eq!(tenant.reason("in_1").await, "earned");
    world.drain().await;
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_promo_code_leads_to_its_participant_within_its_dates_and_uses() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (program, anna) = with_referees(&tenant, rule(ten_percent(), json!({})), 0).await;
    let now = world.now().await;
    let path = format!("/v1/programs/{program}/codes");
    let promo = json!({"code": "SUMMER25", "participant": "anna", "max_uses": 2,
        "starts_at": now + chrono::Duration::hours(1), "ends_at": now + chrono::Duration::hours(3)});
    tenant.post(&path, promo.clone()).await.created();
    tenant.post(&path, promo.clone()).await.ok();
    tenant.enrol(&program, "dora", "Dora").await;
    let taken = json!({"code": "summer-25", "participant": "dora"});
    tenant.post(&path, taken).await.refused(409, "code_taken");

    tenant.sign_up("ben", "SUMMER25").await.refused(422, "code_not_yet_valid");
    world.advance(3_700).await;
    let signup = tenant.sign_up("ben", "summer25").await.created();
    assert_eq!(signup["referral"]["referrer"], anna.id.as_str());
    tenant.sign_up("ben", "summer25").await.ok();
    tenant.sign_up("cleo", "summer25").await.created();
    tenant.sign_up("emil", "summer25").await.refused(422, "code_limit_reached");
    assert_eq!(tenant.get("/v1/codes/summer25").await.ok()["promo"]["uses"], 2);
    world.advance(7_200).await;
    tenant.sign_up("finn", "summer25").await.refused(422, "code_expired");
    // The system's own code is as it was.
    tenant.sign_up("emil", &anna.code).await.created();
    world.assert_at_rest().await;
}

#[tokio::test]
async fn an_assigned_referrer_earns_from_then_on_and_a_removed_one_no_more() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (program, anna) = with_referees(&tenant, rule(ten_percent(), json!({})), 0).await;
    let dora = tenant.enrol(&program, "dora", "Dora").await;
    tenant.post("/v1/track/signup", json!({"external_id": "ben"})).await.created();
    tenant.pay("ben", "in_0", 1_000).await.ok();
    world.advance(60).await;
    let before = world.now().await - chrono::Duration::seconds(30);

    let assign = |referrer: &str| json!({"program": program, "referrer": referrer});
    tenant.call("PUT", "/v1/referrals/ben", Some(&assign("ben"))).await.names("/referrer");
    let assigned = tenant.call("PUT", "/v1/referrals/ben", Some(&assign("anna"))).await.created();
    assert_eq!(assigned["referral"]["found_by"], "assignment");
    tenant.call("PUT", "/v1/referrals/ben", Some(&assign("anna"))).await.ok();
    tenant.call("PUT", "/v1/referrals/ben", Some(&assign("dora"))).await.refused(409, "already_referred");

    let late = json!({"invoice_id": "in_1", "processor": "stripe", "external_id": "ben", "amount_paid": 1_000,
        "currency": "USD", "paid_at": before});
    assert_eq!(tenant.post("/v1/track/invoice-paid", late).await.ok()["reason"], "paid_before_assignment");
    world.advance(1).await;
    tenant.pay("ben", "in_2", 1_000).await.ok();
    world.advance(1).await;
    let removed = tenant.call("DELETE", "/v1/referrals/ben", None).await.ok();
    assert_eq!(removed["referral"]["status"], "inactive");
    world.advance(1).await;
    tenant.pay("ben", "in_3", 1_000).await.ok();
    assert_eq!(tenant.reason("in_3").await, "referral_inactive");
    // What was earned follows its refunds, whoever refers now.
    tenant.call("PUT", "/v1/referrals/ben", Some(&assign("dora"))).await.created();
    world.advance(1).await;
    tenant.refund("re_2", "in_2", 500).await.ok();
    tenant.pay("ben", "in_4", 1_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (50, 0, 100, 50));
    assert_eq!(tenant.figures(&dora).await, (100, 0, 100, 0));
    let of_anna = tenant.get(&format!("/v1/referrals?referrer={}", anna.id)).await.ok();
    assert_eq!(of_anna["data"][0]["status"], "inactive");
    world.assert_at_rest().await;
}

async fn touched(model: &str) -> (World, Tenant, Vec<Participant>) {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let mut terms = rule(ten_percent(), json!({}));
    terms["attribution"] = json!({"model": model, "window_days": 7});
    let program = tenant.program(terms).await;
    let mut all = Vec::new();
    for name in ["anna", "dora", "emil"] {
        let participant = tenant.enrol(&program, name, name).await;
        let touch = json!({"visitor_id": "v-1", "code": participant.code});
        tenant.post("/v1/track/touch", touch).await.created();
        world.advance(3 * 86_400).await;
        all.push(participant);
    }
    (world, tenant, all)
}

async fn pay_by_link(world: &World, tenant: &Tenant, body: Value) -> Vec<i64> {
    tenant.post("/v1/track/signup", body).await.created();
    let settled = tenant.pay("ben", "in_0", 10_010).await.ok();
    world.drain().await;
    let amounts = settled["posted"].as_array().unwrap().iter();
    amounts.map(|line| line["amount"]["amount"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn the_policy_of_the_program_chooses_among_touches() {
    let by_link = json!({"external_id": "ben", "visitor_id": "v-1"});
    // Anna's touch is nine days old at the sign-up: outside the window of seven.
    let (world, tenant, all) = touched("first_touch").await;
    assert_eq!(pay_by_link(&world, &tenant, by_link.clone()).await, [1_001]);
    assert_eq!(tenant.figures(&all[1]).await.0, 1_001);
    world.assert_at_rest().await;

    let (world, tenant, all) = touched("linear").await;
    assert_eq!(pay_by_link(&world, &tenant, by_link.clone()).await, [501, 500]);
    let figures = (tenant.figures(&all[1]).await.0, tenant.figures(&all[2]).await.0);
    assert_eq!(figures, (501, 500));
    tenant.refund("re_0", "in_0", 10_010).await.ok();
    assert_eq!((tenant.figures(&all[1]).await.0, tenant.figures(&all[2]).await.0), (0, 0));
    let known = tenant.get("/v1/referrals/ben").await.ok();
    assert_eq!(known["referral"]["shares"].as_array().unwrap().len(), 2);
    assert_eq!(known["referral"]["touches"].as_array().unwrap().len(), 2);
    for participant in &all[1..] {
        let list = tenant.get(&format!("/v1/referrals?referrer={}", participant.id)).await.ok();
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
    }
    world.assert_at_rest().await;

    // A code that was entered beats every link.
    let (world, tenant, all) = touched("last_touch").await;
    let body = json!({"external_id": "ben", "visitor_id": "v-1", "code": all[0].code});
    assert_eq!(pay_by_link(&world, &tenant, body).await, [1_001]);
    assert_eq!(tenant.figures(&all[0]).await.0, 1_001);
    world.assert_at_rest().await;
}
