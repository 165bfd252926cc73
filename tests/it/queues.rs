//! Queues: poison is parked with its reason and blocks nobody, a message told twice delivers once, a lost one is sent
//! again, and what a dead worker held is taken over.

use local::{Effect, Fault};
use serde_json::{Value, json};
use tests::{Participant, Tenant, World};

/// The visibility timeout of FulfillQueue, and of ReportQueue, in seconds; and the second that it takes to pass it.
const HIDDEN: [(&str, i64); 2] = [("FulfillQueue", 181), ("ReportQueue", 361)];

async fn start() -> (World, Tenant, Participant) {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    (world, tenant, anna)
}

fn fault(call: &str, skip: u32, times: u32) -> Fault {
    Fault { call: Some(call.to_owned()), skip, times, effect: Effect::Unavailable }
}

/// Pays without the message that announces the reward; the message itself.
async fn pay_silently(world: &World, tenant: &Tenant, invoice: &str) -> Value {
    world.plan(vec![fault("SendMessage", 0, 1_000)]);
    let settled = tenant.pay("ben", invoice, 20_000).await.ok();
    world.plan(Vec::new());
    let (organization, reward) = (world.organization(tenant).await, &settled["posted"][0]["reward"]);
    json!({"type": "reward.due.v1", "organization": organization, "reward": reward})
}

/// Lets a queue's failed messages come back as often as it takes.
async fn until_given_up(world: &World, queue: &str) {
    let seconds = HIDDEN.iter().find(|(name, _)| *name == queue).unwrap().1;
    for _ in 0..5 {
        world.drain().await;
        world.advance(seconds).await;
    }
    world.drain().await;
}

#[tokio::test]
async fn poison_is_parked_and_keeps_nobody_waiting() {
    let (world, tenant, anna) = start().await;
    let (organization, other) = (world.organization(&tenant).await, world.tenant().await);
    let stranger = world.organization(&other).await;
    let settled = tenant.pay("ben", "in_1", 20_000).await.ok();
    let reward = &settled["posted"][0]["reward"];
    let nothing = format!("rwd_{}", "0".repeat(46));
    let poison = [
        json!("not JSON at all"),
        json!({}),
        json!({"type": "reward.due.v9", "organization": organization, "reward": reward}),
        json!({"type": "reward.due.v1", "organization": organization}),
        json!({"type": "reward.due.v1", "organization": organization, "reward": "rwd_x"}),
        json!({"type": "reward.due.v1", "organization": "org_#forged", "reward": reward}),
        json!({"type": "reward.due.v1", "organization": organization, "reward": nothing}),
        json!({"type": "reward.due.v1", "organization": stranger, "reward": reward}),
    ];
    for body in &poison {
        world.send("FulfillQueue", body.as_str().unwrap_or(&body.to_string())).await;
    }
    for number in 2..5 {
        tenant.pay("ben", &format!("in_{number}"), 20_000).await.ok();
    }
    // The others do not wait for it, not even those of the same batch.
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (8_000, 0, 8_000, 0));
    let rows = world.snapshot().await;
    until_given_up(&world, "FulfillQueue").await;
    let sorted = |mut bodies: Vec<Value>| {
        bodies.sort_by_key(Value::to_string);
        bodies
    };
    assert_eq!(sorted(world.receive("FulfillDlq").await), sorted(poison.to_vec()));
    assert_eq!(world.snapshot().await, rows);
    assert_eq!(world.told().await.len(), 4);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_report_message_that_cannot_be_used_is_parked() {
    let (world, tenant, _) = start().await;
    let organization = world.organization(&tenant).await;
    let day = world.now().await.date_naive();
    let poison = [
        json!("?"),
        json!({"type": "report.day.v2", "organization": organization, "day": day}),
        json!({"type": "report.day.v1", "organization": organization, "day": "2026-02-30"}),
        json!({"type": "report.day.v1", "organization": "org_x", "day": day}),
    ];
    for body in &poison {
        world.send("ReportQueue", body.as_str().unwrap_or(&body.to_string())).await;
    }
    world
        .send(
            "ReportQueue",
            &json!({"type": "report.day.v1", "organization": organization, "day": day}).to_string(),
        )
        .await;
    world.drain().await;
    let report = tenant.get(&format!("/v1/reports/daily?from={day}&to={day}")).await.ok();
    assert_eq!(report["data"][0]["total"]["referrals"], 1);
    until_given_up(&world, "ReportQueue").await;
    assert_eq!(world.receive("ReportDlq").await.len(), poison.len());
    world.assert_at_rest().await;
}

#[tokio::test]
async fn an_event_that_is_not_the_schedules_fails_the_run() {
    let (world, _, _) = start().await;
    let rows = world.snapshot().await;
    for event in [
        json!({}),
        json!({"type": "nightly"}),
        json!({"type": "weekly"}),
        json!({"type": "nightly", "day": "x"}),
        json!({"type": "nightly", "day": "2026-11-21", "more": 1}),
        json!({"Records": [{"body": "{}"}]}),
    ] {
        let path = "/_local/invoke/AggregateReportsFunction";
        assert_eq!(world.call("POST", path, None, Some(&event)).await.status, 502, "{event}");
    }
    world.drain().await;
    assert_eq!(world.snapshot().await, rows);
}

#[tokio::test]
async fn a_message_told_many_times_delivers_once() {
    let (world, tenant, anna) = start().await;
    let due = pay_silently(&world, &tenant, "in_1").await.to_string();
    for _ in 0..25 {
        world.send("FulfillQueue", &due).await;
    }
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (2_000, 0, 2_000, 0));
    assert_eq!(tenant.rewards(&anna).await, [("fulfilled".to_owned(), 2_000)]);
    // Also long after.
    world.advance(86_400).await;
    world.send("FulfillQueue", &due).await;
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (2_000, 0, 2_000, 0));
    assert_eq!(world.told().await.len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_lost_message_is_sent_again_after_a_minute() {
    let (world, tenant, anna) = start().await;
    pay_silently(&world, &tenant, "in_1").await;
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (0, 2_000, 2_000, 0));
    assert_eq!(world.due_rows().await, 1);
    // Too early for the sweeper to doubt the message.
    let swept = world.invoke("SweepDueFunction", json!({"type": "sweep"})).await;
    assert_eq!(swept, json!({"sent": 0, "finished": 0, "failed": 0}));
    world.advance(61).await;
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (2_000, 0, 2_000, 0));
    let swept = world.invoke("SweepDueFunction", json!({"type": "sweep"})).await;
    assert_eq!(swept, json!({"sent": 0, "finished": 0, "failed": 0}));
    assert_eq!(world.told().await.len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_delivers_once() {
    let (world, tenant, anna) = start().await;
    world.plan(vec![Fault { effect: Effect::LoseAnswer, ..fault("SendMessage", 0, 2) }]);
    tenant.pay("ben", "in_1", 20_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (2_000, 0, 2_000, 0));
    let told = world.told().await;
    assert!(told.iter().all(|message| message["id"] == told[0]["id"]), "{told:?}");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_a_worker_held_that_died_before_it_told_anybody_is_taken_over() {
    let (world, tenant, anna) = start().await;
    // The announcement goes through; the worker claims the reward and gets no further.
    world.plan(vec![fault("SendMessage", 1, 3)]);
    tenant.pay("ben", "in_1", 20_000).await.ok();
    world.drain().await;
    is_held_and_then_taken_over(&world, &tenant, &anna).await;
    assert_eq!(world.told().await.len(), 1);
}

#[tokio::test]
async fn what_a_worker_held_that_died_before_it_was_done_is_taken_over() {
    let (world, tenant, anna) = start().await;
    // The claim goes through, and so does the message to the outside; the completion does not.
    world.plan(vec![fault("UpdateItem", 1, 3)]);
    tenant.pay("ben", "in_1", 20_000).await.ok();
    world.drain().await;
    is_held_and_then_taken_over(&world, &tenant, &anna).await;
    // The outside is told again, under the same id.
    let told = world.told().await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["id"], told[1]["id"]);
}

async fn is_held_and_then_taken_over(world: &World, tenant: &Tenant, anna: &Participant) {
    let held = [("fulfilling".to_owned(), 2_000)];
    assert_eq!(tenant.rewards(anna).await, held);
    assert_eq!(tenant.figures(anna).await, (0, 2_000, 2_000, 0));
    // While the lease holds, nobody else delivers, whatever the sweeper sends.
    world.advance(61).await;
    world.drain().await;
    assert_eq!(tenant.rewards(anna).await, held);
    assert_eq!(world.due_rows().await, 1);
    world.advance(61).await;
    world.drain().await;
    assert_eq!(tenant.rewards(anna).await, [("fulfilled".to_owned(), 2_000)]);
    assert_eq!(tenant.figures(anna).await, (2_000, 0, 2_000, 0));
    // The message that the dead worker left comes back to nothing.
    world.advance(181).await;
    world.assert_at_rest().await;
    assert_eq!(tenant.figures(anna).await, (2_000, 0, 2_000, 0));
}

#[tokio::test]
async fn a_refund_that_meets_a_held_reward_is_not_lost() {
    let (world, tenant, anna) = start().await;
    world.plan(vec![fault("SendMessage", 1, 3)]);
    tenant.pay("ben", "in_1", 20_000).await.ok();
    world.drain().await;
    tenant.refund("re_1", "in_1", 5_000).await.ok();
    let (available, pending, earned, reversed) = tenant.figures(&anna).await;
    assert_eq!((available + pending, earned, reversed), (1_500, 2_000, 500));
    world.advance(121).await;
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (1_500, 0, 2_000, 500));
    assert_eq!(tenant.rewards(&anna).await, [("fulfilled".to_owned(), 1_500)]);
    world.advance(181).await;
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_table_that_is_asked_too_much_delays_and_loses_nothing() {
    let (world, tenant, anna) = start().await;
    world.plan(vec![Fault { effect: Effect::Throttle, ..fault("UpdateItem", 0, 30) }]);
    tenant.pay("ben", "in_1", 20_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (0, 2_000, 2_000, 0));
    world.plan(Vec::new());
    world.advance(181).await;
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (2_000, 0, 2_000, 0));
    assert_eq!(world.told().await.len(), 1);
    world.assert_at_rest().await;
}
