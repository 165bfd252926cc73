//! Order does not matter for what `schedules` does not tell: a payment's business time that is corrected.

use chrono::{DateTime, Utc};
use serde_json::json;
use tests::World;

#[tokio::test]
async fn a_payment_that_turns_out_to_be_older_than_its_program_counts_no_more() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let milestone = json!({"steps": [{"at": 1, "amount": 700, "currency": "USD"}], "on_drop": "revoke"});
    let terms = json!({"rules": [
        {"id": "commission", "amount": {"percentage": {"percent": "10"}}},
        {"id": "bonus", "trigger": "referral_count", "amount": {"milestones": milestone}}]});
    let program = tenant.program(terms).await;
    world.advance(10).await;
    let now = world.now().await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    for (at, stands) in [(now, 2_700), (now - chrono::Duration::hours(1), 0)] {
        let body = json!({"invoice_id": "in_1", "processor": "stripe", "external_id": "ben",
            "amount_paid": 20_000, "currency": "USD", "paid_at": at});
        tenant.post("/v1/track/invoice-paid", body).await.ok();
        world.drain().await;
        let (available, pending, earned, reversed) = tenant.figures(&anna).await;
        assert_eq!((available, pending, earned - reversed), (stands, 0, stands));
    }
    assert_eq!(tenant.reason("in_1").await, "program_not_active");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_payment_that_turns_out_to_be_older_than_its_program_or_referral_earns_nothing_in_any_order() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(tests::percent_rule("10")).await;
    world.advance(10).await;
    let now = world.now().await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    // Cleo came by herself, and was assigned a day later.
    tenant.post("/v1/track/signup", json!({"external_id": "cleo"})).await.created();
    let tomorrow = now + chrono::Duration::days(1);
    world.advance(86_400).await;
    let assigned = json!({"program": program, "referrer": "anna"});
    tenant.call("PUT", "/v1/referrals/cleo", Some(&assigned)).await;
    world.advance(10).await;
    let paid = |referee: &str, invoice: &str, at: DateTime<Utc>| {
        let body = json!({"invoice_id": invoice, "processor": "stripe", "external_id": referee,
            "amount_paid": 20_000, "currency": "USD", "paid_at": at});
        let tenant = tenant.clone();
        async move { tenant.post("/v1/track/invoice-paid", body).await.ok() }
    };
    let later = tomorrow + chrono::Duration::seconds(5);
    let before_program = now - chrono::Duration::hours(1);
    for (referee, older) in [("ben", before_program), ("cleo", now)] {
        for (number, order) in [[older, later], [later, older]].into_iter().enumerate() {
            let invoice = format!("in_{referee}_{number}");
            for at in order {
                paid(referee, &invoice, at).await;
                world.drain().await;
            }
            let (available, pending, earned, reversed) = tenant.figures(&anna).await;
            assert_eq!((available, pending, earned - reversed), (0, 0, 0), "{invoice}");
            tenant.refund(&format!("re_{invoice}"), &invoice, 20_000).await.ok();
            assert_eq!(tenant.figures(&anna).await.0, 0, "{invoice}");
        }
    }
    world.assert_at_rest().await;
}
