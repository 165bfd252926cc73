use std::time::Duration;

use serde_json::{Value, json};

use super::fixture::Fixture;

/// The fixture's visibility timeout.
const VISIBILITY_S: u32 = 30;

async fn counts(fixture: &Fixture, queue: &str) -> (u64, u64) {
    let queues = fixture.get("/_local/queues").await;
    let count = |name: &str| queues[queue][name].as_u64().unwrap();
    (count("visible"), count("in_flight"))
}

#[tokio::test]
async fn a_message_becomes_an_event_as_lambda_makes_it() {
    let fixture = Fixture::start().await;
    fixture.send("hello").await;
    assert_eq!(fixture.drain().await, json!({ "delivered": 1, "waiting": 0 }));
    let record = &fixture.take_events()[0]["Records"][0];
    assert_eq!(record["body"], "hello");
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(record["eventSourceARN"], "arn:aws:sqs:us-east-1:000000000000:WorkQueue");
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert!(record["messageId"].is_string() && record["receiptHandle"].is_string());
    assert_eq!(counts(&fixture, "WorkQueue").await, (0, 0));
}

#[tokio::test]
async fn only_the_failed_message_of_a_batch_comes_back_and_only_after_its_visibility_timeout() {
    let fixture = Fixture::start().await;
    for body in ["a", "fail", "b"] {
        fixture.send(body).await;
    }
    assert_eq!(fixture.drain().await, json!({ "delivered": 3, "waiting": 1 }));
    assert_eq!(fixture.take_bodies(), ["a", "b", "fail"]);
    fixture.advance(VISIBILITY_S - 5).await;
    assert_eq!(fixture.drain().await, json!({ "delivered": 0, "waiting": 1 }));
    fixture.advance(5).await;
    assert_eq!(fixture.drain().await, json!({ "delivered": 1, "waiting": 1 }));
    let again = fixture.take_events();
    assert_eq!(again.last().unwrap()["Records"][0]["attributes"]["ApproximateReceiveCount"], "2");
}

#[tokio::test]
async fn an_error_and_a_panic_fail_the_whole_batch() {
    for body in ["error", "panic"] {
        let fixture = Fixture::start().await;
        fixture.send(body).await;
        assert_eq!(fixture.drain().await, json!({ "delivered": 1, "waiting": 1 }));
        fixture.send("a").await;
        assert_eq!(fixture.drain().await, json!({ "delivered": 1, "waiting": 1 }), "the poller is gone");
    }
}

#[tokio::test]
async fn a_stage_ends_while_an_invocation_hangs() {
    let fixture = Fixture::start().await;
    fixture.send("hang").await;
    fixture.wait_for_event().await;
    // Longer than a drop takes, shorter than the runtime would wait for a thread that does not end.
    let dropped = tokio::task::spawn_blocking(move || drop(fixture));
    tokio::time::timeout(Duration::from_secs(3), dropped).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_poison_message_goes_to_the_dead_letter_queue_after_five_receives() {
    let fixture = Fixture::start().await;
    fixture.send("fail for ever").await;
    for _ in 0..5 {
        assert_eq!(fixture.drain().await, json!({ "delivered": 1, "waiting": 1 }));
        fixture.advance(VISIBILITY_S).await;
    }
    assert_eq!(fixture.drain().await, json!({ "delivered": 0, "waiting": 0 }));
    assert_eq!(counts(&fixture, "WorkQueue").await, (0, 0));
    let dead = fixture.post("/_local/queues/WorkDlq/receive", json!({ "max": 10 })).await;
    assert_eq!(dead, json!({ "messages": [{ "body": "fail for ever" }] }));
    assert_eq!(counts(&fixture, "WorkDlq").await, (0, 0));
}

#[tokio::test]
async fn a_message_is_picked_up_at_once() {
    let fixture = Fixture::start().await;
    fixture.send("warm up").await;
    fixture.drain().await;
    fixture.send("hello").await;
    // A poll that began before the message came must not sit its 20 s out.
    tokio::time::timeout(Duration::from_secs(2), fixture.drain()).await.unwrap();
}

#[tokio::test]
async fn many_messages_are_each_delivered_once() {
    let fixture = Fixture::start().await;
    for number in 0..50 {
        fixture.send(&format!("{number:02}")).await;
    }
    assert_eq!(fixture.drain().await["delivered"], 50);
    let bodies = fixture.take_bodies();
    assert_eq!(bodies, (0..50).map(|number| format!("{number:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_control_surface_names_what_it_does_not_know() {
    let fixture = Fixture::start().await;
    let calls = [
        ("/_local/queues/NoQueue/send", json!({ "body": "x" }), 404),
        ("/_local/queues/WorkQueue/send", json!({ "text": "x" }), 400),
        ("/_local/queues/WorkDlq/receive", json!({ "max": 11 }), 400),
        ("/_local/invoke/NoFunction", json!({}), 404),
        ("/_local/invoke/WriteFunction", json!({}), 400),
        ("/_local/invoke/WorkFunction", json!({ "Records": [{ "body": "panic" }] }), 502),
        ("/_local/clock/advance", json!({ "seconds": -1 }), 400),
    ];
    for (path, body, status) in calls {
        let answer = fixture.http.post(fixture.url(path)).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert!(answer.json::<Value>().await.unwrap()["error"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn an_event_can_be_given_to_a_function_by_hand() {
    let fixture = Fixture::start().await;
    let event = json!({ "Records": [{ "messageId": "m-1", "body": "fail" }] });
    let answer = fixture.post("/_local/invoke/WorkFunction", event).await;
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m-1" }] }));
}
