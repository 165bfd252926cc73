//! What SQS hands to a function: an event of SQS, or the body of one of its records.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::LazyLock;

use aws::batch::{self, Outcome};
use domain::message::{DeliverMessage, FulfillMessage, ReportMessage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().build().unwrap());

pub(super) fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    body::<FulfillMessage>(text);
    body::<ReportMessage>(text);
    body::<DeliverMessage>(text);
    if let Ok(event) = serde_json::from_str::<Value>(text) {
        of_event::<FulfillMessage>(event.clone());
        of_event::<ReportMessage>(event.clone());
        of_event::<DeliverMessage>(event);
    }
}

/// A record whose body is no message fails alone; a message is handled once, and reads back as it was written.
fn body<M: DeserializeOwned + Serialize + Debug + PartialEq>(text: &str) {
    let read = serde_json::from_str::<M>(text).ok();
    let record = |id: &str, body: &str| json!({"messageId": id, "body": body, "eventSource": "aws:sqs"});
    let event = json!({"Records": [record("1", text), record("2", "no message")]});
    let (handled, failures) = run::<M>(event, false).unwrap();
    let expected: Vec<&str> = if read.is_some() { vec!["2"] } else { vec!["1", "2"] };
    assert_eq!(failures, expected);
    assert_eq!(handled.as_slice(), read.as_slice());
    if let Some(message) = read {
        let written = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<M>(&written).unwrap(), message);
    }
}

/// Whatever the event is: no record is acknowledged that was not handled, and none that was not there is named.
fn of_event<M: DeserializeOwned + Debug>(event: Value) {
    let ids: Vec<String> = event["Records"].as_array().map_or_else(Vec::new, |records| {
        records.iter().filter_map(|record| Some(record["messageId"].as_str()?.to_owned())).collect()
    });
    let Some((handled, failures)) = run::<M>(event.clone(), false) else { return };
    assert_eq!(handled.len() + failures.len(), ids.len());
    assert!(failures.iter().all(|id| !id.is_empty() && ids.contains(id)));
    // What cannot be done now comes again, all of it.
    let (_, failures) = run::<M>(event, true).unwrap();
    assert_eq!(failures, ids);
}

/// What was handled, and the ids of the records that come again; `None` where the whole event fails.
fn run<M: DeserializeOwned>(event: Value, fails: bool) -> Option<(Vec<M>, Vec<String>)> {
    let handled = RefCell::new(Vec::new());
    let answer = RUNTIME.block_on(batch::run(event, |message: M| {
        handled.borrow_mut().push(message);
        async move { if fails { Outcome::Retry("not now".to_owned()) } else { Outcome::Done } }
    }));
    let answer = answer.ok()?;
    let failures = answer["batchItemFailures"].as_array().unwrap();
    let id = |failure: &Value| failure["itemIdentifier"].as_str().unwrap().to_owned();
    let failures = failures.iter().map(id).collect();
    Some((handled.into_inner(), failures))
}
