use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Result, bail};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use axum::Router;
use axum::extract::Path as UrlPath;
use axum::http::StatusCode;
use axum::routing::{get, put};
use serde_json::{Value, json};

use crate::template::Template;
use crate::{EventHandler, Lookup, Options, Registry, Stage};

const TEMPLATE: &str = include_str!("fixture.yaml");

/// A running stage, and the events that its event function was called with.
pub(super) struct Fixture {
    pub(super) stage: Stage,
    pub(super) http: reqwest::Client,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Fixture {
    pub(super) async fn start() -> Self {
        Self::start_in(None).await
    }

    pub(super) async fn start_in(state: Option<&Path>) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let options = Options { state: state.map(Path::to_owned), ticking: false, ..Options::default() };
        let stage = Stage::start_with(options, template(), functions(events.clone())).await.unwrap();
        Self { stage, http: reqwest::Client::new(), events }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.stage.base_url())
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.http.post(self.url(path)).json(&body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.http.get(self.url(path)).send().await.unwrap().json().await.unwrap()
    }

    pub(super) async fn send(&self, body: &str) {
        self.post("/_local/queues/WorkQueue/send", json!({ "body": body })).await;
    }

    pub(super) async fn drain(&self) -> Value {
        self.post("/_local/drain", json!({})).await
    }

    pub(super) async fn advance(&self, seconds: u32) -> Value {
        self.post("/_local/clock/advance", json!({ "seconds": seconds })).await
    }

    pub(super) async fn count_items(&self) -> i32 {
        self.stage.dynamodb().scan().table_name("Notes").send().await.unwrap().count
    }

    /// Waits until the event function was called.
    pub(super) async fn wait_for_event(&self) {
        while self.events.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// What the event function was called with since the last time.
    pub(super) fn take_events(&self) -> Vec<Value> {
        std::mem::take(&mut self.events.lock().unwrap())
    }

    /// The bodies of the messages that the event function was given since the last time, in alphabetical order.
    pub(super) fn take_bodies(&self) -> Vec<String> {
        let events = self.take_events();
        let records =
            events.iter().flat_map(|event| event["Records"].as_array().cloned().unwrap_or_default());
        let mut bodies: Vec<String> =
            records.map(|record| record["body"].as_str().unwrap().to_owned()).collect();
        bodies.sort();
        bodies
    }
}

pub(super) fn template() -> Template {
    Template::parse(TEMPLATE).unwrap()
}

pub(super) fn functions(events: Arc<Mutex<Vec<Value>>>) -> Registry {
    Registry::default().http("WriteFunction", |platform, lookup| write_function(platform, lookup)).event(
        "WorkFunction",
        move |_, _| {
            let events = events.clone();
            Ok(EventHandler::new(move |event| {
                events.lock().unwrap().push(event.clone());
                work(event)
            }))
        },
    )
}

/// Fails the messages that say so; `panic` and `error` take their whole batch along, `hang` never ends.
async fn work(event: Value) -> Result<Value> {
    let records = event["Records"].as_array().cloned().unwrap_or_default();
    let says = |text: &str| records.iter().any(|record| record["body"] == text);
    if says("panic") {
        panic!("the message said so");
    }
    if says("error") {
        bail!("the message said so");
    }
    if says("hang") {
        std::future::pending::<()>().await;
    }
    let failed = records.iter().filter(|record| record["body"].as_str().unwrap().starts_with("fail"));
    let items: Vec<Value> = failed.map(|record| json!({ "itemIdentifier": record["messageId"] })).collect();
    Ok(json!({ "batchItemFailures": items }))
}

fn write_function(platform: &aws::Platform, lookup: Lookup<'_>) -> Result<Router> {
    let environment: Vec<String> =
        ["TABLE_NAME", "LABEL"].iter().map(|name| lookup(name).unwrap_or_default()).collect();
    let secret = lookup("SECRET_ARN").unwrap_or_default();
    let secrets = platform.secrets();
    let clock = platform.clock.clone();
    let find = |UrlPath(path): UrlPath<String>| async move { path };
    let dynamodb = platform.dynamodb();
    let write = |UrlPath(id): UrlPath<String>, body: String| async move {
        match write_note(&dynamodb, &id).await {
            Ok(()) => (StatusCode::OK, format!("{id}={body}")),
            Err(error) => (StatusCode::CONFLICT, error),
        }
    };
    let read = |UrlPath(id): UrlPath<String>| async move {
        match id.as_str() {
            "panic" => panic!("the request said so"),
            "environment" => environment.join(" "),
            "time" => clock.now().to_rfc3339(),
            "secret" => {
                let value = secrets.get_secret_value().secret_id(secret).send().await.unwrap();
                value.secret_string.unwrap()
            }
            _ => id,
        }
    };
    Ok(Router::new().route("/notes/{id}", put(write).get(read)).route("/find/{*path}", get(find)))
}

/// Writes a note and its twin in one transaction; says which items stood in the way.
async fn write_note(client: &aws_sdk_dynamodb::Client, id: &str) -> Result<(), String> {
    let mut request = client.transact_write_items();
    for sk in ["note", "twin"] {
        let put = Put::builder().table_name("Notes").item("pk", AttributeValue::S(id.to_owned()));
        let put = put.item("sk", AttributeValue::S(sk.to_owned())).build().unwrap();
        request = request.transact_items(TransactWriteItem::builder().put(put).build());
    }
    let Err(error) = request.send().await else {
        return Ok(());
    };
    let error = error.into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(canceled) = &error else {
        return Err(error.to_string());
    };
    let reasons = canceled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default());
    Err(reasons.collect::<Vec<_>>().join(" "))
}
