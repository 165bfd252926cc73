//! Order does not matter for what `schedules` does not tell: a payment's business time that is corrected.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tests::World;

/// Ten percent, and a milestone for as long as it is reached.
fn counting_terms() -> Value {
    let milestone = json!({"steps": [{"at": 1, "amount": 700, "currency": "USD"}], "on_drop": "revoke"});
    json!({"rules": [
        {"id": "commission", "amount": {"percentage": {"percent": "10"}}},
        {"id": "bonus", "trigger": "referral_count", "amount": {"milestones": milestone}}]})
}

#[tokio::test]
async fn a_payment_that_turns_out_to_be_older_than_its_program_counts_no_more() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(counting_terms()).await;
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
async fn a_payment_that_turns_out_to_be_older_than_its_assignment_or_to_lie_between_two_counts_no_more() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(counting_terms()).await;
    world.advance(10).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.post("/v1/track/signup", json!({"external_id": "ben"})).await.created();
    let assign = |referrer: &str| json!({"program": program, "referrer": referrer});
    let paid = |invoice: &str, at: DateTime<Utc>| {
        let body = json!({"invoice_id": invoice, "processor": "stripe", "external_id": "ben",
            "amount_paid": 20_000, "currency": "USD", "paid_at": at});
        let (tenant, world) = (tenant.clone(), &world);
        async move {
            tenant.post("/v1/track/invoice-paid", body).await.ok();
            world.drain().await;
        }
    };
    let dora = tenant.enrol(&program, "dora", "Dora").await;
    let unassigned = world.now().await;
    world.advance(100).await;
    tenant.call("PUT", "/v1/referrals/ben", Some(&assign("anna"))).await.created();
    let assigned = world.now().await;
    world.advance(100).await;
    tenant.call("DELETE", "/v1/referrals/ben", None).await.ok();
    let removed = world.now().await;
    world.advance(100).await;
    tenant.call("PUT", "/v1/referrals/ben", Some(&assign("dora"))).await.created();
    world.advance(100).await;
    let now = world.now().await;
    for (invoice, whose, in_time, older, reason) in [
        ("in_1", &anna, assigned, unassigned, "paid_before_assignment"),
        ("in_2", &dora, now, removed, "referral_inactive"),
    ] {
        for (at, stands) in [(in_time, 2_700), (older, 0)] {
            paid(invoice, at).await;
            let (available, pending, earned, reversed) = tenant.figures(whose).await;
            assert_eq!((available, pending, earned - reversed), (stands, 0, stands), "{invoice}");
        }
        assert_eq!(tenant.reason(invoice).await, reason);
        // Nothing is left of it in the counters: the next one is the first again.
        paid(&format!("{invoice}_again"), in_time).await;
        assert_eq!(tenant.figures(whose).await.0, 2_700, "{invoice}");
    }
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
