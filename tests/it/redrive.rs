//! Dead-letter queues: what could not be handled five times is looked at, mended and sent again, as `infra/redrive` does it, and
//! its effect comes once.

use std::collections::BTreeSet;

use local::{Effect, Fault};
use serde_json::{Value, json};
use tests::{Receiver, Tenant, World};

use crate::notifications::{Office, telling};

/// Each queue that messages are handled from, the one for those that could not be, and for how many seconds a failed message is
/// hidden, with the one that it takes to pass them.
const QUEUES: [(&str, &str, i64); 4] = [
    ("FulfillQueue", "FulfillDlq", 181),
    ("ReportQueue", "ReportDlq", 361),
    ("EventsQueue", "EventsDlq", 361),
    ("NotifyQueue", "NotifyDlq", 361),
];

/// Sends what cannot be handled, and lets it be tried five times and no more; what is then to be looked at.
async fn give_up(world: &World, queue: &str, poison: &str) -> Vec<Value> {
    let (_, dead, hidden) = QUEUES.into_iter().find(|(name, ..)| *name == queue).unwrap();
    world.send(queue, poison).await;
    for attempt in 0..5 {
        world.drain().await;
        assert_eq!(world.visible(dead).await, 0, "after {attempt} attempts");
        world.advance(hidden).await;
    }
    world.drain().await;
    assert_eq!(world.visible(queue).await, 0);
    world.receive(dead).await
}

/// Messages are lost, but for the first of them.
fn lost(skip: u32) -> Fault {
    Fault { call: Some("SendMessage".to_owned()), skip, times: 1_000, effect: Effect::Unavailable }
}

fn read(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| json!(body))
}

async fn start() -> (World, Tenant) {
    let world = World::start().await;
    let tenant = world.tenant().await;
    (world, tenant)
}

#[tokio::test]
async fn every_dead_letter_queue_is_redriven_here() {
    let (world, _) = start().await;
    let queues = world.call("GET", "/_local/queues", None, None).await.ok();
    let dead: BTreeSet<&str> =
        queues.as_object().unwrap().keys().map(String::as_str).filter(|name| name.ends_with("Dlq")).collect();
    let tried = QUEUES.map(|(_, dead, _)| dead).into_iter().chain(["ScheduleDlq"]);
    assert_eq!(dead, tried.collect(), "left: of the template; right: with a test here");
    for (queue, dead, _) in QUEUES {
        assert_eq!(format!("{}Dlq", queue.trim_end_matches("Queue")), dead, "as infra/redrive names them");
    }
}

#[tokio::test]
async fn a_reward_is_delivered_once_by_a_mended_message() {
    let (world, tenant) = start().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let poison = r#"{"type":"reward.due.v1","organization":"org_x"}"#;
    assert_eq!(give_up(&world, "FulfillQueue", poison).await, [read(poison)]);
    world.plan(vec![lost(0)]);
    let settled = tenant.pay("ben", "in_1", 20_000).await.ok();
    world.plan(Vec::new());
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (0, 2_000, 2_000, 0));
    let organization = world.organization(&tenant).await;
    let reward = &settled["posted"][0]["reward"];
    let mended = json!({"type": "reward.due.v1", "organization": organization, "reward": reward}).to_string();
    // Whoever was stopped after sending sends it again.
    for _ in 0..2 {
        world.send("FulfillQueue", &mended).await;
        world.drain().await;
        assert_eq!(tenant.figures(&anna).await, (2_000, 0, 2_000, 0));
    }
    assert_eq!(world.told("reward.fulfilled").await.len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_report_is_made_once_by_a_mended_message() {
    let (world, tenant) = start().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let organization = world.organization(&tenant).await;
    let day = world.now().await.date_naive();
    let message =
        |day: &str| json!({"type": "report.day.v1", "organization": organization, "day": day}).to_string();
    let poison = message("2026-02-30");
    assert_eq!(give_up(&world, "ReportQueue", &poison).await, [read(&poison)]);
    let report = format!("/v1/reports/daily?from={day}&to={day}");
    assert_eq!(tenant.get(&report).await.ok()["data"], json!([]));
    let mut made = Vec::new();
    for _ in 0..2 {
        world.send("ReportQueue", &message(&day.to_string())).await;
        world.drain().await;
        made.push(tenant.get(&report).await.ok());
    }
    assert_eq!(made[0]["data"][0]["total"]["referrals"], 1);
    assert_eq!(made[0], made[1]);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn an_event_is_told_once_by_a_mended_message() {
    let (world, tenant) = start().await;
    let receiver = Receiver::start().await;
    tenant.post("/v1/event-destinations", json!({"url": receiver.url()})).await.created();
    let organization = world.organization(&tenant).await;
    let id = format!("msg_{}", "0".repeat(26));
    let message = |kind: &str| {
        json!({"id": id, "organization": organization, "timestamp": "2026-11-22T12:00:00Z", "type": kind,
            "data": {"day": "2026-11-21"}})
        .to_string()
    };
    let poison = message("report.raedy");
    assert_eq!(give_up(&world, "EventsQueue", &poison).await, [read(&poison)]);
    assert_eq!(receiver.got().len(), 0);
    for _ in 0..2 {
        world.send("EventsQueue", &message("report.ready")).await;
        world.drain().await;
    }
    let got = receiver.got();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].header("webhook-id"), id);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_participant_is_sent_a_notification_once_by_a_mended_message() {
    let office = Office::open(telling(json!({"subject": "Thanks", "text": "Thank you."}))).await;
    let (world, tenant) = (&office.world, &office.tenant);
    let organization = world.organization(tenant).await;
    let poison = r#"{"type":"notification.due.v1","organization":"org_x"}"#;
    assert_eq!(give_up(world, "NotifyQueue", poison).await, [read(poison)]);
    // The reward's own message goes through, the notification's does not.
    world.plan(vec![lost(1)]);
    office.pay("in_1").await;
    world.plan(Vec::new());
    assert_eq!(office.told(), Vec::<Value>::new());
    let [notification] = office.notifications().await.try_into().unwrap();
    let mended = json!({"type": "notification.due.v1", "organization": organization, "notification": notification["id"]});
    for _ in 0..2 {
        world.send("NotifyQueue", &mended.to_string()).await;
        world.drain().await;
    }
    assert_eq!(office.told().len(), 1);
    assert_eq!(office.notifications().await[0]["state"], "sent");
    world.assert_at_rest().await;
}

/// What Lambda leaves of a nightly run that failed for good, and what the scheduler leaves of one that it could not begin.
#[tokio::test]
async fn a_nightly_run_that_failed_for_good_is_made_by_invoking_it_again() {
    let (world, tenant) = start().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let day = world.now().await.date_naive();
    let nightly = json!({"type": "nightly", "day": day});
    let left =
        json!({"version": "1.0", "requestPayload": nightly, "responsePayload": {"errorType": "failed"}});
    for body in [&left, &nightly] {
        world.send("ScheduleDlq", &body.to_string()).await;
        let [mut found] = world.receive("ScheduleDlq").await.try_into().unwrap();
        let event = if found["requestPayload"].is_object() { found["requestPayload"].take() } else { found };
        world.invoke("AggregateReportsFunction", event).await;
        world.drain().await;
        let report = tenant.get(&format!("/v1/reports/daily?from={day}&to={day}")).await.ok();
        assert_eq!(report["data"][0]["total"]["referrals"], 1);
    }
    world.assert_at_rest().await;
}
