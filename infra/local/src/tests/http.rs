use std::sync::{Arc, Mutex};

use reqwest::StatusCode;
use serde_json::json;

use super::fixture::{Fixture, functions, template};
use crate::{Options, Registry, Stage};

async fn text(fixture: &Fixture, path: &str) -> String {
    fixture.http.get(fixture.url(path)).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_request_reaches_the_function_of_its_route_with_path_and_body() {
    let fixture = Fixture::start().await;
    let written = fixture.http.put(fixture.url("/notes/7")).body("text").send().await.unwrap();
    assert_eq!(written.text().await.unwrap(), "7=text");
    assert_eq!(text(&fixture, "/find/invoice/stripe/in_123").await, "invoice/stripe/in_123");
}

#[tokio::test]
async fn a_function_sees_the_environment_that_the_template_declares() {
    let fixture = Fixture::start().await;
    let label = "test-arn:aws:dynamodb:us-east-1:000000000000:table/Notes-${kept}";
    assert_eq!(text(&fixture, "/notes/environment").await, format!("Notes {label}"));
}

#[tokio::test]
async fn a_function_reads_a_secret_through_the_sdk() {
    let fixture = Fixture::start().await;
    assert_eq!(text(&fixture, "/notes/secret").await, fixture.stage.root_key());
    assert_eq!(fixture.stage.root_key().len(), 48);
}

#[tokio::test]
async fn an_unknown_path_is_a_problem_and_a_wrong_method_is_what_the_api_gateway_says() {
    let fixture = Fixture::start().await;
    let unknown = fixture.http.get(fixture.url("/nothing")).send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert_eq!(unknown.headers()["content-type"], "application/problem+json");
    let wrong = fixture.http.delete(fixture.url("/notes/7")).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::NOT_FOUND);
    assert_eq!(wrong.text().await.unwrap(), r#"{"message":"Not Found"}"#);
}

#[tokio::test]
async fn a_panic_is_an_internal_server_error_and_the_stage_goes_on() {
    let fixture = Fixture::start().await;
    let answer = fixture.http.get(fixture.url("/notes/panic")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.text().await.unwrap(), r#"{"message":"Internal Server Error"}"#);
    assert_eq!(text(&fixture, "/notes/7").await, "7");
}

#[tokio::test]
async fn the_routes_are_those_of_the_template() {
    let fixture = Fixture::start().await;
    let expected = json!([
        { "method": "GET", "path": "/find/{path+}", "function": "WriteFunction" },
        { "method": "GET", "path": "/notes/{id}", "function": "WriteFunction" },
        { "method": "PUT", "path": "/notes/{id}", "function": "WriteFunction" },
    ]);
    assert_eq!(fixture.get("/_local/routes").await, expected);
}

#[tokio::test]
async fn a_function_without_a_handler_and_a_handler_without_a_function_are_refused() {
    let missing = Stage::start_with(Options::default(), template(), Registry::default()).await.unwrap_err();
    assert!(missing.to_string().contains("WorkFunction"), "{missing}");
    let extra =
        functions(Arc::new(Mutex::new(Vec::new()))).http("GoneFunction", |_, _| Ok(axum::Router::new()));
    let extra = Stage::start_with(Options::default(), template(), extra).await.unwrap_err();
    assert!(extra.to_string().contains("GoneFunction"), "{extra}");
}

#[tokio::test]
async fn stages_beside_each_other_share_nothing() {
    let (one, other) = (Fixture::start().await, Fixture::start().await);
    assert_ne!(one.stage.root_key(), other.stage.root_key());
    one.post("/_local/queues/WorkDlq/send", json!({ "body": "here" })).await;
    assert_eq!(one.get("/_local/queues").await["WorkDlq"]["visible"], 1);
    assert_eq!(other.get("/_local/queues").await["WorkDlq"]["visible"], 0);
}

#[tokio::test]
async fn nothing_answers_once_the_stage_is_dropped() {
    let fixture = Fixture::start().await;
    let url = fixture.url("/notes/7");
    drop(fixture);
    assert!(reqwest::get(url).await.unwrap_err().is_connect());
}
