//! Moves messages from queues to functions the way Lambda's event source mappings do.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use aws_sdk_sqs::types::Message;
use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::core::Core;
use crate::engine::REGION;
use crate::template::EventSource;

/// Pollers per event source, each with one batch at a time: two, so that batches do run beside each other.
const POLLERS: u32 = 2;
/// The longest a queue lets a receive wait.
const WAIT_S: i32 = 20;
/// The pause after a receive that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Starts the pollers of every event source; they end with the runtime.
pub(crate) fn spawn(core: &Arc<Core>) {
    for source in core.template.event_sources() {
        for _ in 0..source.concurrency_max.unwrap_or(POLLERS).min(POLLERS) {
            tokio::spawn(poll(core.clone(), source.clone()));
        }
    }
}

async fn poll(core: Arc<Core>, source: EventSource) {
    let max = i32::try_from(source.batch_size.clamp(1, 10)).unwrap_or(1);
    loop {
        let handled = match core.queues.receive(&source.queue, max, WAIT_S).await {
            Ok(messages) if messages.is_empty() => Ok(()),
            Ok(messages) => deliver(&core, &source, &messages).await,
            Err(error) => Err(error),
        };
        if let Err(error) = handled {
            tracing::warn!(queue = source.queue, error = format!("{error:#}"), "polling failed");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Hands one batch to the function, deletes what it took and leaves the rest to its visibility timeout.
async fn deliver(core: &Core, source: &EventSource, messages: &[Message]) -> Result<()> {
    let visibility_s = core.template.queue(&source.queue).map_or(30, |queue| queue.visibility_timeout_s);
    let visible_at = core.clock.now() + TimeDelta::seconds(visibility_s.into());
    core.queues.add_deliveries(messages);
    let arn = &core.queues.address(&source.queue)?.arn;
    let records: Vec<Value> = messages.iter().map(|message| record(message, arn)).collect();
    let answer = core.invoke(&source.function, json!({ "Records": records })).await;
    let failed = match &answer {
        Ok(answer) if source.reports_item_failures => failed_items(answer, messages),
        Ok(_) => HashSet::new(),
        Err(_) => all(messages),
    };
    let (failed, done): (Vec<&Message>, Vec<&Message>) =
        messages.iter().partition(|message| failed.contains(id(message)));
    for message in &failed {
        core.queues.wait(&source.queue, message, visible_at);
    }
    core.queues.note_taken(&source.queue, &done);
    core.queues.delete(&source.queue, &done).await?;
    if visible_at <= core.clock.now() {
        // The clock was advanced past the timeout while the function ran.
        core.queues.follow_clock(core.clock.now()).await;
    }
    Ok(())
}

/// The messages that the answer reports as failed. As with Lambda, an answer that cannot be read, or that names a
/// message which is not in the batch, fails all of it.
fn failed_items<'a>(answer: &'a Value, messages: &'a [Message]) -> HashSet<&'a str> {
    let items = match answer.get("batchItemFailures") {
        None | Some(Value::Null) if answer.is_null() || answer.is_object() => return HashSet::new(),
        Some(Value::Array(items)) => items,
        _ => return all(messages),
    };
    let known = all(messages);
    let named = items.iter().map(|item| item.get("itemIdentifier").and_then(Value::as_str));
    let named: Option<HashSet<&str>> = named.map(|name| name.filter(|name| known.contains(name))).collect();
    named.unwrap_or(known)
}

fn all(messages: &[Message]) -> HashSet<&str> {
    messages.iter().map(id).collect()
}

fn id(message: &Message) -> &str {
    message.message_id().unwrap_or_default()
}

/// One record of an `SqsEvent`.
fn record(message: &Message, queue_arn: &str) -> Value {
    let attributes = message.attributes().into_iter().flatten();
    let attributes: Map<String, Value> =
        attributes.map(|(name, value)| (name.as_str().to_owned(), Value::String(value.clone()))).collect();
    json!({
        "messageId": id(message),
        "receiptHandle": message.receipt_handle(),
        "body": message.body(),
        "attributes": attributes,
        "messageAttributes": message_attributes(message),
        "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    })
}

fn message_attributes(message: &Message) -> Map<String, Value> {
    let attributes = message.message_attributes().into_iter().flatten();
    let convert = |value: &aws_sdk_sqs::types::MessageAttributeValue| {
        json!({
            "dataType": value.data_type(),
            "stringValue": value.string_value(),
            "stringListValues": [],
            "binaryListValues": [],
        })
    };
    attributes.map(|(name, value)| (name.clone(), convert(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Vec<Message> {
        ["a", "b"].map(|id| Message::builder().message_id(id).build()).into()
    }

    fn failed(answer: Value) -> Vec<String> {
        let batch = batch();
        let mut failed: Vec<String> = failed_items(&answer, &batch).into_iter().map(str::to_owned).collect();
        failed.sort();
        failed
    }

    #[test]
    fn an_empty_answer_means_that_all_went_well() {
        assert_eq!(failed(Value::Null), [""; 0]);
        assert_eq!(failed(json!({})), [""; 0]);
        assert_eq!(failed(json!({ "batchItemFailures": null })), [""; 0]);
        assert_eq!(failed(json!({ "batchItemFailures": [] })), [""; 0]);
    }

    #[test]
    fn only_the_named_messages_fail() {
        assert_eq!(failed(json!({ "batchItemFailures": [{ "itemIdentifier": "b" }] })), ["b"]);
    }

    #[test]
    fn an_answer_that_names_no_message_of_the_batch_fails_all_of_it() {
        for items in
            [json!([{ "itemIdentifier": "c" }]), json!([{ "itemIdentifier": "" }]), json!([{}]), json!("a")]
        {
            assert_eq!(failed(json!({ "batchItemFailures": items })), ["a", "b"]);
        }
        assert_eq!(failed(json!("done")), ["a", "b"]);
    }
}
