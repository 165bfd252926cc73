//! What is spent of a balance.

use serde_json::{Value, json};
use tests::{Answer, Participant, Tenant, World};

use super::{DAY, by, figure, paid};
use crate::rules::{rule, ten_percent, with_referees};

async fn redeem(tenant: &Tenant, anna: &Participant, reference: &str, amount: i64) -> Answer {
    let path = format!("/v1/participants/{}/redemptions", anna.id);
    tenant.post(&path, json!({"reference": reference, "amount": {"amount": amount, "currency": "USD"}})).await
}

async fn available(tenant: &Tenant, anna: &Participant) -> i64 {
    figure(tenant, anna, "available").await
}

#[tokio::test]
async fn a_balance_is_spent_once_for_each_reference_and_given_back_once() {
    let (world, tenant, anna) = paid(json!({})).await;
    for _ in 0..2 {
        let spent = redeem(&tenant, &anna, "order_1", 500).await.created();
        assert_eq!((&spent["reference"], &spent["amount"]["amount"]), (&json!("order_1"), &json!(500)));
    }
    assert_eq!((available(&tenant, &anna).await, figure(&tenant, &anna, "spent").await), (1_500, 500));
    redeem(&tenant, &anna, "order_1", 501).await.refused(409, "reference_used");
    let short = redeem(&tenant, &anna, "order_2", 1_501).await.refused(409, "balance_too_low");
    assert_eq!(short["detail"], "15.00 USD can be spent");
    assert_eq!(available(&tenant, &anna).await, 1_500);

    let path = format!("/v1/participants/{}/redemptions/order_1", anna.id);
    for _ in 0..2 {
        let returned = tenant.post(&format!("{path}/return"), by()).await.ok();
        assert!(returned["returned_at"].is_string(), "{returned}");
    }
    assert_eq!((available(&tenant, &anna).await, figure(&tenant, &anna, "spent").await), (2_000, 0));
    assert_eq!(tenant.get(&path).await.ok()["return_note"]["actor"], "support");
    let lines: Vec<(String, i64)> = tenant.ledger(&anna).await;
    let lines: Vec<(&str, i64)> = lines.iter().map(|(cause, amount)| (cause.as_str(), *amount)).collect();
    assert_eq!(lines, [("earned", 2_000), ("redeemed", -500), ("returned", 500)]);
    // A reference that was given back stays used.
    redeem(&tenant, &anna, "order_1", 100).await.refused(409, "reference_used");
    let list = tenant.get(&format!("/v1/participants/{}/redemptions", anna.id)).await.ok();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn of_fifty_that_would_spend_a_balance_at_once_as_many_do_as_it_has_room_for() {
    let (world, tenant, anna) = paid(json!({})).await;
    let references: Vec<String> = (0..50).map(|number| format!("order_{number}")).collect();
    let calls = references.iter().map(|reference| redeem(&tenant, &anna, reference, 600));
    let answers = futures_util::future::join_all(calls).await;
    let spent = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(spent, 3, "2,000 has room for three times 600");
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        // Whoever lost too many races is asked to come back, and then told.
        assert!(matches!(answer.status, 409 | 503), "{answer:?}");
    }
    assert_eq!((available(&tenant, &anna).await, figure(&tenant, &anna, "spent").await), (200, 1_800));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn of_many_that_would_take_the_whole_balance_one_does() {
    let (world, tenant, anna) = paid(json!({})).await;
    let references: Vec<String> = (0..20).map(|number| format!("order_{number}")).collect();
    let calls = references.iter().map(|reference| redeem(&tenant, &anna, reference, 2_000));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(available(&tenant, &anna).await, 0);
    // A refund of what was spent is a shortfall, as after any spending.
    tenant.refund("re_1", "in_0", 5_000).await.ok();
    assert_eq!(figure(&tenant, &anna, "shortfall").await, 500);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_is_not_spent_in_time_expires_and_the_oldest_is_spent_first() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, rule(ten_percent(), json!({"expires_after_days": 10})), 1).await;
    tenant.pay("ben-0", "in_0", 10_000).await.ok();
    world.drain().await;
    world.advance(5 * DAY).await;
    tenant.pay("ben-0", "in_1", 10_000).await.ok();
    world.drain().await;
    redeem(&tenant, &anna, "order_1", 400).await.created();
    assert_eq!(available(&tenant, &anna).await, 1_600);

    // The first reward's 600 that are left.
    world.advance(5 * DAY + 120).await;
    world.drain().await;
    assert_eq!(available(&tenant, &anna).await, 1_000);
    assert_eq!(tenant.rewards(&anna).await, [("fulfilled".to_owned(), 400), ("fulfilled".to_owned(), 1_000)]);
    assert_eq!(world.told("reward.expired").await.len(), 1);
    redeem(&tenant, &anna, "order_2", 1_000).await.created();
    // All of the second was spent.
    world.advance(5 * DAY).await;
    world.drain().await;
    assert_eq!(available(&tenant, &anna).await, 0);
    assert_eq!(figure(&tenant, &anna, "reversed").await, 600);
    assert_eq!(tenant.rewards(&anna).await, [("fulfilled".to_owned(), 400), ("fulfilled".to_owned(), 1_000)]);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_is_told_when_its_time_is_over_lapses_at_once() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, rule(ten_percent(), json!({"expires_after_days": 3})), 1).await;
    let paid_at = world.now().await.to_rfc3339();
    world.advance(5 * DAY).await;
    let late = json!({"invoice_id": "in_late", "external_id": "ben-0", "amount_paid": 10_000, "currency": "USD",
        "paid_at": paid_at});
    tenant.post("/v1/track/invoice-paid", late).await.ok();
    world.drain().await;
    world.advance(120).await;
    world.drain().await;
    assert_eq!(tenant.rewards(&anna).await, [("expired".to_owned(), 0)]);
    assert_eq!((available(&tenant, &anna).await, world.told("reward.expired").await.len()), (0, 1));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_was_returned_before_its_reward_expires_does_not_expire() {
    let (world, tenant, anna) = paid(json!({"expires_after_days": 10})).await;
    redeem(&tenant, &anna, "order_1", 500).await.created();
    let path = format!("/v1/participants/{}/redemptions/order_1/return", anna.id);
    tenant.post(&path, by()).await.ok();
    redeem(&tenant, &anna, "order_2", 300).await.created();
    world.advance(10 * DAY + 120).await;
    world.drain().await;
    // Of 20.00, 3.00 are spent, and 5.00 were spent and returned.
    assert_eq!((available(&tenant, &anna).await, figure(&tenant, &anna, "spent").await), (500, 300));
    assert_eq!(tenant.rewards(&anna).await, [("fulfilled".to_owned(), 800)]);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_cannot_be_spent_is_said_and_nothing_is_written() {
    let (world, tenant, anna) = paid(json!({})).await;
    let path = format!("/v1/participants/{}/redemptions", anna.id);
    let good = json!({"reference": "order_1", "amount": {"amount": 1, "currency": "USD"}});
    for (field, wrong, pointer) in [
        ("reference", json!("a b"), "/reference"),
        ("amount", json!({"amount": 0, "currency": "USD"}), "/amount/amount"),
        ("amount", json!({"amount": 1, "currency": "task"}), "/amount/currency"),
        ("actor", json!("support"), "/reason"),
        ("reason", json!("gift"), "/actor"),
    ] {
        let mut body: Value = good.clone();
        body[field] = wrong;
        let problem = tenant.post(&path, body).await.refused(400, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    tenant.get(&format!("{path}/order_1")).await.refused(404, "not_found");
    tenant.post(&format!("{path}/order_1/return"), by()).await.refused(404, "not_found");
    let stranger = format!("/v1/participants/prt_{}/redemptions", "0".repeat(26));
    tenant.post(&stranger, good).await.refused(404, "not_found");
    assert_eq!(available(&tenant, &anna).await, 2_000);
    world.assert_at_rest().await;
}
