use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::fixture::Fixture;

const DAY_S: u32 = 86_400;

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_rate_runs_when_the_clock_passes_it_and_once_per_advance() {
    let fixture = Fixture::start().await;
    fixture.advance(1).await;
    assert_eq!(fixture.take_events().len(), 0);
    fixture.advance(59).await;
    assert_eq!(types(&fixture.take_events()), ["sweep"]);
    fixture.advance(3600).await;
    let events = fixture.take_events();
    assert_eq!(events.iter().filter(|event| event["type"] == "sweep").count(), 1);
}

#[tokio::test]
async fn a_nightly_run_comes_once_per_passed_night_and_knows_its_time() {
    let fixture = Fixture::start().await;
    let before: DateTime<Utc> = fixture.advance(0).await["now"].as_str().unwrap().parse().unwrap();
    let answer = fixture.advance(3 * DAY_S).await;
    let events = fixture.take_events();
    let nights: Vec<&Value> = events.iter().filter(|event| event["type"] == "nightly").collect();
    assert_eq!(nights.len(), 3);
    for night in nights {
        let time = night["scheduled_time"].as_str().unwrap();
        assert!(time.ends_with("T00:10:00Z"), "{time}");
        assert!(time.parse::<DateTime<Utc>>().unwrap() > before);
    }
    let runs = answer["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 4);
    assert!(runs.iter().all(|run| run["function"] == "WorkFunction" && run["error"].is_null()));
}

#[tokio::test]
async fn functions_share_the_clock_of_the_stage() {
    let fixture = Fixture::start().await;
    let now = fixture.advance(10 * DAY_S).await["now"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    let seen = fixture.http.get(fixture.url("/notes/time")).send().await.unwrap().text().await.unwrap();
    let apart = seen.parse::<DateTime<Utc>>().unwrap() - now;
    assert!((0..60).contains(&apart.num_seconds()), "{apart}");
}

#[tokio::test]
async fn an_empty_body_is_an_empty_object() {
    let fixture = Fixture::start().await;
    let answer = fixture.http.post(fixture.url("/_local/drain")).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "delivered": 0, "waiting": 0 }));
}
