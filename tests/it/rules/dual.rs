//! Rewards for both sides, of every kind, under conditions.

use serde_json::json;
use tests::World;

use super::{event, figures_in, reasons, rule, ten_percent, usd, with_referees};

/// The program of mission 002: 25.00 of credit for the referrer, 15% off for the referee, from a purchase of 50.00 within
/// 30 days.
#[tokio::test]
async fn both_sides_are_rewarded_by_two_rules() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let conditions = json!({"used_code": true, "first_payment_only": true,
        "min_purchase": [{"amount": 5_000, "currency": "USD"}]});
    let terms = json!({"max_referrals": 10, "rules": [
        {"id": "credit", "amount": usd(2_500), "conditions": conditions, "limits": {"validity_days": 30}},
        {"id": "welcome", "recipient": "referee", "kind": "discount", "amount": {"percent_off": {"percent": "15"}},
         "conditions": conditions, "limits": {"validity_days": 30}}]});
    let (_, anna) = with_referees(&tenant, terms, 2).await;

    let small = tenant.pay("ben-0", "in_0", 4_999).await.ok();
    assert_eq!(small["reason"], "below_minimum_purchase");
    // The first payment was too small, and no later one is the first.
    tenant.pay("ben-0", "in_1", 9_000).await.ok();
    assert_eq!(tenant.reason("in_1").await, "not_first_payment");

    let settled = tenant.pay("ben-1", "in_2", 5_000).await.ok();
    assert_eq!(settled["posted"].as_array().unwrap().len(), 2, "{settled}");
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (2_500, 0, 2_500, 0));
    let decision = tenant.get("/v1/decisions/invoice/stripe/in_2").await.ok();
    let ben = decision["rules"][1]["recipient"].as_str().unwrap();
    assert_eq!(figures_in(&tenant, ben, "discount").await, (1, 0, 1, 0));
    let rewards = tenant.get(&format!("/v1/rewards?participant={ben}")).await.ok();
    assert_eq!(rewards["data"][0]["kind"], "discount");
    assert_eq!(rewards["data"][0]["percent_off"], "15");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn the_referral_limit_of_a_referrer_holds() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let mut terms = rule(ten_percent(), json!({}));
    terms["max_referrals"] = json!(2);
    let (_, anna) = with_referees(&tenant, terms, 2).await;
    tenant.sign_up("cleo", &anna.code).await.refused(422, "referrer_limit_reached");
    // Whoever was taken is still answered so, and whoever was not can sign up without a code.
    assert_eq!(tenant.sign_up("ben-1", &anna.code).await.ok()["outcome"], "referred");
    tenant.post("/v1/track/signup", json!({"external_id": "cleo"})).await.created();
    world.assert_at_rest().await;
}

#[tokio::test]
async fn points_products_and_actions_are_counted_in_their_own_units() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let terms = json!({"rules": [
        {"id": "points", "trigger": "booking_completed", "kind": "points",
         "amount": {"fixed": {"amount": 50, "currency": "points"}}},
        {"id": "mug", "trigger": "booking_completed", "kind": "product",
         "amount": {"product": {"sku": "mug-blue", "quantity": 2}}},
        {"id": "thanks", "trigger": "booking_completed", "kind": "message"},
        {"id": "follow-up", "trigger": {"custom": "webinar_attended"}, "kind": "task"}]});
    let (_, anna) = with_referees(&tenant, terms, 1).await;
    let settled = event(&tenant, "booking_completed", "b-1", "ben-0").await.ok();
    assert_eq!(settled["source"], "event/booking_completed/b-1");
    assert!(event(&tenant, "booking_completed", "b-1", "ben-0").await.ok()["duplicate"] == true);
    event(&tenant, "webinar_attended", "w-1", "ben-0").await.ok();
    world.drain().await;
    assert_eq!(figures_in(&tenant, &anna.id, "points").await, (50, 0, 50, 0));
    // A product is somebody else's to deliver, and waits for their word.
    assert_eq!(figures_in(&tenant, &anna.id, "product").await, (0, 2, 2, 0));
    let list = tenant.get(&format!("/v1/rewards?participant={}", anna.id)).await.ok();
    let rewards = list["data"].as_array().unwrap();
    let mug = rewards.iter().find(|reward| reward["kind"] == "product").unwrap();
    assert_eq!((&mug["state"], &mug["deliver_by"]), (&json!("fulfilling"), &json!("listener")));
    let path = format!("/v1/rewards/{}/fulfill", mug["id"].as_str().unwrap());
    tenant.post(&path, json!({"actor": "front desk"})).await.ok();
    assert_eq!(figures_in(&tenant, &anna.id, "product").await, (2, 0, 2, 0));
    let balances = tenant.get(&format!("/v1/participants/{}/balances", anna.id)).await.ok();
    assert_eq!(balances["data"].as_array().unwrap().len(), 2, "actions have no balance: {balances}");
    assert_eq!(tenant.rewards(&anna).await.len(), 4);
    let reasons = reasons(&tenant, "event/booking_completed/b-1").await;
    assert_eq!(reasons[3], ("follow-up".to_owned(), "other_trigger".to_owned()));

    // The booking is cancelled: everything it gave is taken back.
    let body =
        json!({"name": "booking_completed", "event_id": "b-1", "external_id": "ben-0", "cancelled": true});
    tenant.post("/v1/track/event", body).await.ok();
    assert_eq!(figures_in(&tenant, &anna.id, "points").await, (0, 0, 50, 50));
    assert_eq!(tenant.ledger(&anna).await.iter().filter(|(cause, _)| cause == "cancelled").count(), 3);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_sign_up_itself_can_earn() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let terms = json!({"rules": [
        {"id": "thanks", "trigger": "signup", "amount": usd(100)},
        {"id": "welcome", "trigger": "signup", "recipient": "referee", "amount": usd(200)}]});
    let (_, anna) = with_referees(&tenant, terms, 1).await;
    // The same sign-up again earns nothing more.
    tenant.sign_up("ben-0", &anna.code).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (100, 0, 100, 0));
    let decision = tenant.get("/v1/decisions/signup/own/ben-0").await.ok();
    let ben = decision["rules"][1]["recipient"].as_str().unwrap();
    assert_eq!(figures_in(&tenant, ben, "USD").await, (200, 0, 200, 0));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn conditional_rates_take_the_first_rule_that_matches() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let rate = |percent: &str| json!({"percentage": {"percent": percent}});
    let terms = json!({"rules": [
        {"id": "gold", "first_of": "rate", "amount": rate("20"), "conditions": {"plans": ["gold"]}},
        {"id": "swiss", "first_of": "rate", "amount": rate("15"), "conditions": {"countries": ["CH"]}},
        {"id": "partner", "first_of": "rate", "amount": rate("12"), "conditions": {"metadata": {"tier": ["a", "b"]}}},
        {"id": "rest", "first_of": "rate", "amount": rate("10")}]});
    let (_, anna) = with_referees(&tenant, terms, 1).await;
    let cases = [
        (json!({"plans": ["gold"], "country": "CH"}), 2_000),
        (json!({"plans": ["silver"], "country": "CH"}), 1_500),
        (json!({"metadata": {"tier": "b"}}), 1_200),
        (json!({}), 1_000),
    ];
    let mut sum = 0;
    for (number, (labels, expected)) in cases.into_iter().enumerate() {
        let body = json!({"invoice_id": format!("in_{number}"), "processor": "stripe", "external_id": "ben-0",
            "amount_paid": 10_000, "currency": "USD", "labels": labels});
        let settled = tenant.post("/v1/track/invoice-paid", body.clone()).await.ok();
        assert_eq!(settled["posted"][0]["amount"]["amount"], expected, "{settled}");
        assert_eq!(tenant.post("/v1/track/invoice-paid", body).await.ok()["duplicate"], true);
        sum += expected;
    }
    assert_eq!(reasons(&tenant, "invoice/stripe/in_0").await[1].1, "earlier_rule_applied");
    assert_eq!(reasons(&tenant, "invoice/stripe/in_1").await[0].1, "plan_not_matched");
    assert_eq!(tenant.figures(&anna).await.2, sum);
    world.drain().await;
    world.assert_at_rest().await;
}

/// Mission 001: 10 percent of the payout for one month; 100.00 paid out earns 10.00, and nothing after the month.
#[tokio::test]
async fn a_share_of_payouts_lasts_as_long_as_the_terms_say() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let share = json!({"percentage": {"percent": "10", "basis": "payout"}});
    let more = json!({"trigger": "payout_recorded", "limits": {"duration_months": 1}});
    let (_, anna) = with_referees(&tenant, rule(share, more), 1).await;
    let payout = |id: &str, amount: i64| json!({"payout_id": id, "external_id": "ben-0", "payout": amount, "profit": 1, "currency": "USD"});
    let settled = tenant.post("/v1/track/payout", payout("p-1", 10_000)).await.ok();
    assert_eq!(settled["posted"][0]["amount"], json!({"amount": 1_000, "currency": "USD"}));
    world.advance(40 * 86_400).await;
    let settled = tenant.post("/v1/track/payout", payout("p-2", 10_000)).await.ok();
    assert_eq!(settled["reason"], "duration_over");

    // A corrected record replaces the first, once.
    let mut corrected = payout("p-1", 8_000);
    corrected["revision"] = json!(1);
    let settled = tenant.post("/v1/track/payout", corrected.clone()).await.ok();
    assert_eq!(settled["posted"][0]["amount"]["amount"], -200);
    assert_eq!(tenant.post("/v1/track/payout", corrected).await.ok()["duplicate"], true);
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (800, 0, 1_000, 200));
    world.assert_at_rest().await;
}
