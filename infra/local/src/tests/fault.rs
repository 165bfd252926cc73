use reqwest::StatusCode;
use serde_json::json;

use super::fixture::Fixture;
use crate::{Effect, Fault};

fn fault(effect: Effect) -> Fault {
    Fault { call: Some("TransactWriteItems".to_owned()), skip: 0, times: 1, effect }
}

/// Writes a note, which is one transaction of two items.
async fn write(fixture: &Fixture) -> (StatusCode, String) {
    let answer = fixture.http.put(fixture.url("/notes/7")).body("text").send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_conflict_is_told_per_item_and_writes_nothing() {
    let fixture = Fixture::start().await;
    fixture.stage.faults().plan(vec![fault(Effect::Conflict)]);
    assert_eq!(write(&fixture).await, (StatusCode::CONFLICT, "TransactionConflict None".to_owned()));
    assert_eq!(fixture.count_items().await, 0);
    assert_eq!(write(&fixture).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_throttled_call_and_one_whose_answer_is_lost_are_tried_again_by_the_sdk() {
    for effect in [Effect::Throttle, Effect::Unavailable, Effect::LoseAnswer] {
        let fixture = Fixture::start().await;
        fixture.stage.faults().plan(vec![fault(effect)]);
        assert_eq!(write(&fixture).await.0, StatusCode::OK, "{effect:?}");
        assert_eq!(fixture.stage.faults().log().calls, ["TransactWriteItems"; 2]);
        assert_eq!(fixture.count_items().await, 2);
    }
}

#[tokio::test]
async fn a_stage_that_was_stopped_at_a_step_goes_on_from_its_state_directory() {
    for (effect, written) in [(Effect::HaltBefore, 0), (Effect::HaltAfter, 2)] {
        let directory = tempfile::tempdir().unwrap();
        let fixture = Fixture::start_in(Some(directory.path())).await;
        fixture.stage.faults().plan(vec![fault(effect)]);
        assert_eq!(write(&fixture).await.0, StatusCode::BAD_GATEWAY);
        assert!(fixture.stage.faults().log().halted);
        assert_eq!(write(&fixture).await.0, StatusCode::BAD_GATEWAY, "it went on after {effect:?}");
        drop(fixture);
        let fixture = Fixture::start_in(Some(directory.path())).await;
        assert_eq!(fixture.count_items().await, written, "{effect:?}");
        assert_eq!(write(&fixture).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn faults_are_planned_over_http_as_well() {
    let fixture = Fixture::start().await;
    fixture.post("/_local/faults", json!([{ "call": "TransactWriteItems", "effect": "conflict" }])).await;
    assert_eq!(write(&fixture).await.0, StatusCode::CONFLICT);
    let log = fixture.get("/_local/faults").await;
    assert_eq!(log, json!({ "calls": ["TransactWriteItems"], "halted": false }));
}
