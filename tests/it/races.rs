//! Many at once: whatever races, one effect.

use serde_json::json;
use tests::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_concurrent_deliveries_of_one_paid_invoice_give_one_reward() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    let endpoint = tenant.stripe_endpoint().await;
    tenant.sign_up("ben", &anna.code).await.created();
    world.advance(10).await;
    let now = world.now().await;
    let event = json!({"id": "evt_1", "object": "event", "livemode": false, "type": "invoice.paid",
        "created": now.timestamp(), "data": {"object": {"id": "in_1", "object": "invoice", "amount_paid": 20_000,
        "total": 20_000, "currency": "usd", "metadata": {"referral_external_id": "ben"},
        "status_transitions": {"paid_at": now.timestamp()}}}});
    let mut deliveries = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let (tenant, endpoint, event) = (tenant.clone(), endpoint.clone(), event.clone());
        deliveries.spawn(async move { tenant.stripe(&endpoint, &event, now).await });
    }
    let mut first = 0;
    while let Some(answer) = deliveries.join_next().await {
        let answer = answer.unwrap();
        // Whoever lost the race too often is asked to come back, as Stripe does.
        if answer.status == 503 {
            continue;
        }
        first += usize::from(answer.ok()["results"][0]["duplicate"] == false);
    }
    assert_eq!(first, 1);
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (2000, 0, 2000, 0));
    assert_eq!(tenant.ledger(&anna).await.len(), 1);
    assert_eq!(world.told().await.len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_sign_ups_of_one_referee_bind_once() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(tests::percent_rule("10")).await;
    let mut codes = Vec::new();
    for number in 0..4 {
        codes.push(tenant.enrol(&program, &format!("anna-{number}"), "Anna").await.code);
    }
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..64 {
        let (tenant, code) = (tenant.clone(), codes[number % 4].clone());
        calls.spawn(async move { tenant.sign_up("ben", &code).await });
    }
    let (mut new, mut same, mut refused) = (0, 0, 0);
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap().status {
            201 => new += 1,
            200 => same += 1,
            409 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!((new, same, refused), (1, 15, 48));
    world.assert_at_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_and_refunds_that_race_end_in_the_exact_sum() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..40 {
        let tenant = tenant.clone();
        calls.spawn(async move {
            // Each invoice is paid once and refunded in five parts, all at once.
            let invoice = format!("in_{}", number % 8);
            loop {
                let answer = match number / 8 {
                    0 => tenant.pay("ben", &invoice, 10_000).await,
                    part => tenant.refund(&format!("re_{number}"), &invoice, part * 100).await,
                };
                if answer.status != 503 {
                    break answer.status;
                }
            }
        });
    }
    while let Some(status) = calls.join_next().await {
        assert!(matches!(status.unwrap(), 200 | 202));
    }
    world.drain().await;
    // 8 x 10% of (10,000 - 100 - 200 - 300 - 400).
    let (available, pending, earned, reversed) = tenant.figures(&anna).await;
    assert_eq!((available, pending, earned - reversed), (7200, 0, 7200));
    world.assert_at_rest().await;
}
