//! Consuming SQS: every record gets an outcome, and only a done one is acknowledged.

use std::future::Future;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::stream::{self, StreamExt as _};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::HandlerError;

/// What became of one record.
#[derive(Debug)]
pub enum Outcome {
    /// Done; acknowledge it.
    Done,
    /// Not now; it comes again after its visibility timeout.
    Retry(String),
    /// It can never be done. It is left to the queue's redrive, which parks it in the dead-letter queue.
    Poison(String),
}

/// Handles the records of an event one after the other.
///
/// # Errors
/// [`HandlerError`] when the event is not an SQS event, or a record has no id; the whole batch comes again then.
pub async fn run<M, F, Fut>(event: Value, handle: F) -> Result<Value, HandlerError>
where
    M: DeserializeOwned,
    F: Fn(M) -> Fut,
    Fut: Future<Output = Outcome>,
{
    run_at_once(event, 1, handle).await
}

/// Handles the records of an event, so many at a time: for records that wait for others than the table.
///
/// # Errors
/// The same as of [`run`].
pub async fn run_at_once<M, F, Fut>(event: Value, at_once: usize, handle: F) -> Result<Value, HandlerError>
where
    M: DeserializeOwned,
    F: Fn(M) -> Fut,
    Fut: Future<Output = Outcome>,
{
    let event: SqsEvent = serde_json::from_value(event).map_err(|error| HandlerError::event(&error))?;
    let mut records = Vec::with_capacity(event.records.len());
    for record in event.records {
        let id = record.message_id.clone().filter(|id| !id.is_empty());
        records.push((id.ok_or_else(|| HandlerError::event(&"a record without a message id"))?, record));
    }
    let handle = &handle;
    let outcomes = records.into_iter().map(|(id, record)| async move {
        let outcome = match parse(&record) {
            Ok(message) => handle(message).await,
            Err(reason) => Outcome::Poison(reason),
        };
        (id, outcome)
    });
    let outcomes: Vec<_> = stream::iter(outcomes).buffered(at_once).collect().await;
    let mut failures = Vec::new();
    for (id, outcome) in outcomes {
        match outcome {
            Outcome::Done => continue,
            Outcome::Retry(reason) => tracing::warn!(message.id = %id, reason, "will be tried again"),
            Outcome::Poison(reason) => tracing::error!(message.id = %id, reason, "cannot be handled"),
        }
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
        failures.push(failure);
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failures;
    serde_json::to_value(response).map_err(|error| HandlerError::event(&error))
}

fn parse<M: DeserializeOwned>(record: &SqsMessage) -> Result<M, String> {
    let body = record.body.as_deref().unwrap_or_default();
    serde_json::from_str(body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use domain::message::FulfillMessage;
    use serde_json::json;

    use super::*;

    fn record(id: &str, body: &str) -> Value {
        json!({"messageId": id, "body": body, "eventSource": "aws:sqs"})
    }

    async fn failures(records: Vec<Value>, outcome: fn() -> Outcome) -> Vec<String> {
        let answer = run::<FulfillMessage, _, _>(json!({"Records": records}), |_| async move { outcome() })
            .await
            .unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap();
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
    }

    fn due() -> String {
        let organization = format!("org_{}", "0".repeat(26));
        json!({"type": "reward.due.v1", "organization": organization, "reward": format!("rwd_{}", "0".repeat(46))})
            .to_string()
    }

    #[tokio::test]
    async fn only_what_is_done_is_acknowledged() {
        assert!(failures(vec![record("1", &due())], || Outcome::Done).await.is_empty());
        assert_eq!(failures(vec![record("1", &due())], || Outcome::Retry(String::new())).await, ["1"]);
    }

    #[tokio::test]
    async fn a_body_that_cannot_be_read_fails_alone() {
        let records = vec![record("1", "not json"), record("2", &due()), record("3", "{}")];
        assert_eq!(failures(records, || Outcome::Done).await, ["1", "3"]);
    }

    #[tokio::test]
    async fn a_record_without_an_id_fails_the_batch() {
        let event = json!({"Records": [{"body": due()}]});
        assert!(run::<FulfillMessage, _, _>(event, |_| async { Outcome::Done }).await.is_err());
    }
}
