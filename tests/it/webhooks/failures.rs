//! What receivers do wrong, and what becomes of the delivery and of the destination.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tests::{Receiver, Reply};

use super::Office;

/// Seconds from each attempt to the next.
const SCHEDULE: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// The state, and the status and error of each attempt.
fn story(delivery: &Value) -> (String, Vec<(Value, Value)>) {
    let attempts = delivery["attempts"].as_array().unwrap();
    let attempts = attempts.iter().map(|attempt| (attempt["status"].clone(), attempt["error"].clone()));
    (delivery["state"].as_str().unwrap().to_owned(), attempts.collect())
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_until_it_is() {
    let failing = [
        Reply::status(500),
        Reply::status(404),
        Reply::status(302).header("location", "https://example.com/elsewhere"),
        Reply::status(307).header("location", "/elsewhere"),
        Reply::status(500).body("x".repeat(70_000)),
    ];
    for reply in failing {
        let office = Office::open().await;
        office.receiver.answers_next(reply.clone());
        let event = office.tell().await;
        let delivery = office.delivery().await;
        assert_eq!((&delivery["state"], &delivery["tries"]), (&json!("pending"), &json!(1)), "{reply:?}");
        assert!(office.destination().await["failing_since"].is_string());
        // The message with the delay brings it back.
        office.wait(7).await;
        let delivery = office.delivery().await;
        assert_eq!((&delivery["state"], &delivery["tries"]), (&json!("delivered"), &json!(2)), "{reply:?}");
        assert_eq!(office.destination().await["failing_since"], Value::Null);
        let got = office.receiver.got();
        assert_eq!(got.len(), 2, "{reply:?}");
        for got in &got {
            // A redirect is not followed.
            assert_eq!(got.path, "/hooks");
            assert_eq!(got.header("webhook-id"), event);
            assert!(super::is_signed(got, &office.secret));
        }
        assert!(got[0].header("webhook-timestamp") < got[1].header("webhook-timestamp"));
        office.wait(600).await;
        assert!(office.receiver.got().is_empty());
        office.world.assert_at_rest().await;
    }
}

#[tokio::test]
async fn a_huge_answer_is_not_read_and_its_status_counts() {
    let office = Office::open().await;
    office.receiver.answers(Reply::status(200).body("x".repeat(10_000_000)));
    office.tell().await;
    let delivery = office.delivery().await;
    assert_eq!(story(&delivery), ("delivered".to_owned(), vec![(json!(200), Value::Null)]));
    assert_eq!(delivery["attempts"][0]["answer"], Value::Null);
}

#[tokio::test]
async fn what_is_answered_is_kept_up_to_a_kilobyte() {
    let office = Office::open().await;
    office.receiver.answers(Reply::status(200).body("y".repeat(60_000)));
    office.tell().await;
    assert_eq!(office.delivery().await["attempts"][0]["answer"], "y".repeat(1_024));
}

#[tokio::test]
async fn ten_attempts_follow_the_schedule_and_then_it_is_given_up() {
    let office = Office::open().await;
    office.change(json!({"url": Receiver::nobody()})).await;
    office.tell().await;
    for (tries, seconds) in (1..).zip(SCHEDULE) {
        let delivery = office.delivery().await;
        assert_eq!((&delivery["state"], &delivery["tries"]), (&json!("pending"), &json!(tries)));
        let attempt = &delivery["attempts"].as_array().unwrap()[tries - 1];
        assert_eq!((&attempt["status"], &attempt["error"]), (&Value::Null, &json!("unreachable")));
        let wait = (time(&delivery["next_attempt_at"]) - time(&attempt["at"])).num_seconds();
        assert!((seconds..=seconds + seconds / 10 + 5).contains(&wait), "{tries}: {wait}");
        office.wait_for_next().await;
    }
    let delivery = office.delivery().await;
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 10);
    assert_eq!((&delivery["state"], &delivery["failure"]), (&json!("failed"), &json!("attempts_exhausted")));
    assert_eq!(delivery["next_attempt_at"], Value::Null);
    assert_eq!(office.destination().await["status"], "enabled");
    office.wait(7 * 86_400).await;
    assert_eq!(office.delivery().await["tries"], 10);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_busy_receiver_is_left_alone_as_long_as_it_asks() {
    for (status, asked, expected) in
        [(429, "600", 600), (503, "1", 5), (502, "40000", 40_000), (504, "999999", 86_400), (500, "600", 5)]
    {
        let office = Office::open().await;
        office.receiver.answers_next(Reply::status(status).header("retry-after", asked));
        office.tell().await;
        let delivery = office.delivery().await;
        let attempted = time(&delivery["attempts"][0]["at"]);
        let wait = (time(&delivery["next_attempt_at"]) - attempted).num_seconds();
        assert!((expected..=expected + 5).contains(&wait), "{status} {asked}: {wait}");
        office.receiver.got();
        // Whoever comes earlier finds nothing due.
        let due = json!({"type": "webhook.due.v1", "organization": office.organization.as_str(),
            "delivery": delivery["id"]});
        office.world.send("EventsQueue", &due.to_string()).await;
        office.world.drain().await;
        assert!(office.receiver.got().is_empty());
        office.wait_for_next().await;
        assert_eq!(office.delivery().await["state"], "delivered");
        office.world.assert_at_rest().await;
    }
}

#[tokio::test]
async fn whoever_is_gone_is_disabled_at_once() {
    let office = Office::open().await;
    office.receiver.answers_next(Reply::status(500));
    office.tell().await;
    office.receiver.answers(Reply::status(410));
    office.tell().await;
    let destination = office.destination().await;
    assert_eq!(
        (&destination["status"], &destination["disabled_because"]),
        (&json!("disabled"), &json!("gone"))
    );
    assert!(destination["disabled_at"].is_string());
    office.receiver.got();
    // Neither what waits nor what happens now is sent.
    office.wait(7).await;
    office.tell().await;
    assert!(office.receiver.got().is_empty());
    let deliveries = office.deliveries().await;
    let failures: Vec<_> = deliveries.iter().map(|delivery| &delivery["failure"]).collect();
    assert_eq!(failures, [&json!("destination_gone"), &json!("destination_disabled")]);
    office.world.assert_at_rest().await;
    // Its owner can begin anew.
    office.receiver.answers(Reply::status(200));
    let enabled = office.change(json!({"status": "enabled"})).await;
    assert_eq!((&enabled["disabled_because"], &enabled["failing_since"]), (&Value::Null, &Value::Null));
    office.tell().await;
    assert_eq!(office.receiver.got().len(), 1);
}

#[tokio::test]
async fn five_days_without_a_success_disable_a_destination() {
    let office = Office::open().await;
    office.receiver.answers(Reply::status(500));
    office.tell().await;
    office.wait(3 * 86_400).await;
    // A success in between begins the count anew.
    office.receiver.answers_next(Reply::status(200));
    office.tell().await;
    office.wait(86_400).await;
    office.tell().await;
    office.wait(4 * 86_400).await;
    office.tell().await;
    assert_eq!(office.destination().await["status"], "enabled");
    office.wait(86_400 + 3_600).await;
    office.tell().await;
    let destination = office.destination().await;
    assert_eq!(
        (&destination["status"], &destination["disabled_because"]),
        (&json!("disabled"), &json!("failing"))
    );
    office.receiver.got();
    office.wait(2 * 86_400).await;
    assert!(office.receiver.got().is_empty());
    office.world.assert_at_rest().await;
    for delivery in office.deliveries().await {
        assert_ne!(delivery["state"], "pending", "{delivery}");
    }
}

#[tokio::test]
async fn what_waits_for_a_destination_that_is_removed_is_given_up() {
    let office = Office::open().await;
    office.receiver.answers(Reply::status(500));
    office.tell().await;
    assert_eq!(office.world.due_rows().await, 0, "the next attempt is to come");
    assert_eq!(office.tenant.call("DELETE", &office.path(), None).await.status, 204);
    office.receiver.got();
    office.wait(200).await;
    assert!(office.receiver.got().is_empty());
    office.world.assert_at_rest().await;
    let rows = office.world.rows().await;
    let states: Vec<_> = rows.iter().filter(|row| row["sk"].as_s().unwrap() == "DELIVERY").collect();
    assert_eq!(states.len(), 1);
    assert_eq!(states[0]["failure"].as_s().unwrap(), "destination_removed");
    assert!(states[0].contains_key("expires_at"));
}

#[tokio::test]
async fn a_name_that_stands_for_nothing_is_unreachable() {
    let office = Office::open().await;
    office.change(json!({"url": "https://hooks.invalid/x"})).await;
    office.tell().await;
    let delivery = office.delivery().await;
    assert_eq!(story(&delivery), ("pending".to_owned(), vec![(Value::Null, json!("unreachable"))]));
}
