//! The loop: code, sign-up, payment, reward, refund, report.

use serde_json::json;
use tests::{World, percent_rule};

#[tokio::test]
async fn a_payment_of_a_referee_rewards_the_referrer_and_a_refund_takes_it_back() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    assert!(anna.code.starts_with("ANN-"), "{}", anna.code);

    let signup = tenant.sign_up("ben", &anna.code).await.created();
    assert_eq!(signup["referral"]["referrer"], anna.id.as_str());
    let settled = tenant.pay("ben", "in_1", 20_000).await.ok();
    assert_eq!((&settled["reason"], &settled["duplicate"]), (&json!("earned"), &json!(false)));
    assert_eq!(settled["posted"][0]["amount"], json!({"amount": 2000, "currency": "USD"}));

    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (2000, 0, 2000, 0));
    assert_eq!(tenant.rewards(&anna).await, [("fulfilled".to_owned(), 2000)]);
    let told = world.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["type"], "reward.fulfilled");
    assert_eq!(told[0]["data"]["amount"], json!({"amount": 2000, "currency": "USD"}));

    tenant.refund("re_1", "in_1", 5_000).await.ok();
    assert_eq!(tenant.figures(&anna).await, (1500, 0, 2000, 500));
    tenant.refund("re_2", "in_1", 15_000).await.ok();
    assert_eq!(tenant.figures(&anna).await, (0, 0, 2000, 2000));
    assert_eq!(tenant.rewards(&anna).await, [("reversed".to_owned(), 0)]);
    assert_eq!(tenant.reason("in_1").await, "refunded");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn the_nightly_report_equals_the_ledger_and_is_the_same_when_it_is_run_again() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    for number in 0..3 {
        let referee = format!("ben-{number}");
        tenant.sign_up(&referee, &anna.code).await.created();
        tenant.pay(&referee, &format!("in_{number}"), 10_000 + number).await.ok();
    }
    tenant.refund("re_1", "in_1", 2_500).await.ok();
    world.drain().await;

    let today = world.now().await.date_naive().to_string();
    world.advance(86_400).await;
    world.drain().await;
    let path = format!("/v1/reports/daily?from={today}&to={today}");
    let report = tenant.get(&path).await.ok();
    let total = &report["data"][0]["total"];
    assert_eq!(
        (&total["referrals"], &total["rewards"], &total["corrections"]),
        (&json!(3), &json!(3), &json!(1))
    );
    let ledger: i64 = tenant.ledger(&anna).await.iter().map(|(_, amount)| amount).sum();
    assert_eq!(total["amounts"]["USD"]["net"], ledger);
    assert_eq!(total["amounts"]["USD"]["earned"], 3000);

    world.invoke("AggregateReportsFunction", json!({"type": "nightly", "day": today})).await;
    world.drain().await;
    assert_eq!(tenant.get(&path).await.ok(), report);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn an_organic_customers_payment_is_not_parked() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    let signup = tenant.post("/v1/track/signup", json!({"external_id": "carl"})).await.created();
    assert_eq!(signup["outcome"], "organic");
    let settled = tenant.pay("carl", "in_1", 20_000).await.ok();
    assert_eq!((&settled["reason"], &settled["parked"]), (&json!("not_referred"), &json!(false)));
    tenant.sign_up("carl", &anna.code).await.refused(409, "already_signed_up");
    assert_eq!(tenant.figures(&anna).await, (0, 0, 0, 0));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_change_of_terms_applies_to_payments_made_after_it_took_effect() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let path = format!("/v1/programs/{program}");
    let changed = tenant.call("PATCH", &path, Some(&json!({"terms": percent_rule("20")}))).await.ok();
    assert_eq!((&changed["terms"]["version"], &changed["next_terms"]["version"]), (&json!(1), &json!(2)));

    tenant.pay("ben", "in_1", 10_000).await.ok();
    world.advance(61).await;
    tenant.pay("ben", "in_2", 10_000).await.ok();
    // The first payment keeps the terms that it was made under, also when it is decided again.
    tenant.refund("re_1", "in_1", 5_000).await.ok();
    assert_eq!(tenant.figures(&anna).await.2 - tenant.figures(&anna).await.3, 500 + 2000);

    tenant.call("PATCH", &path, Some(&json!({"status": "paused"}))).await.ok();
    world.advance(61).await;
    tenant.pay("ben", "in_3", 10_000).await.ok();
    assert_eq!(tenant.reason("in_3").await, "program_not_active");
    tenant.sign_up("dora", &anna.code).await.refused(422, "program_not_active");
    // The repetition of a sign-up that was taken is still answered with it.
    assert_eq!(tenant.sign_up("ben", &anna.code).await.ok()["outcome"], "referred");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn many_lines_are_snapshotted_and_balances_stay_the_same() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    for number in 0..40 {
        tenant.pay("ben", &format!("in_{number}"), 1_000).await.ok();
        if number % 4 == 0 {
            tenant.refund(&format!("re_{number}"), &format!("in_{number}"), 500).await.ok();
        }
    }
    world.drain().await;
    let before = tenant.figures(&anna).await;
    assert_eq!(before, (3500, 0, 4000, 500));
    // Once the lines have settled for good, a reader writes the snapshot that the next one starts from.
    world.advance(3600).await;
    assert_eq!(tenant.figures(&anna).await, before);
    world.reset_meter().await;
    assert_eq!(tenant.figures(&anna).await, before);
    let (requests, read_units, _) = world.meter().await;
    assert!(requests <= 2 && read_units <= 1.5, "{requests} requests, {read_units} read units");
    tenant.refund("re_0b", "in_0", 500).await.ok();
    assert_eq!(tenant.figures(&anna).await, (3450, 0, 4000, 550));
    assert_eq!(tenant.ledger(&anna).await.len(), 51);
    world.assert_at_rest().await;
}
