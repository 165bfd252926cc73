//! Queues as the simulator has them: what is sent stays until a delivery of it has succeeded, or has failed too often.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::client::parsed;
use super::world::EVENTS;

/// One message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    /// How often it was delivered.
    pub(super) deliveries: u32,
}

/// All queues, by logical id.
#[derive(Debug, Clone, Default)]
pub(super) struct Queues {
    pub(super) visible: BTreeMap<String, VecDeque<Message>>,
    /// What was sent to be told outside.
    pub(super) told: BTreeSet<String>,
    /// Whether that is delivered, and not only looked at.
    pub(super) outside: bool,
    sent: u64,
}

impl Queues {
    /// Answers a request to SQS.
    pub(super) fn answer(&mut self, operation: &str, body: &[u8]) -> (u16, String) {
        let request = parsed(body);
        let url = request["QueueUrl"].as_str().unwrap_or_default();
        let queue = url.rsplit('/').next().unwrap_or_default().to_owned();
        match operation {
            "SendMessage" => {
                let id = self.send(&queue, request["MessageBody"].as_str().unwrap_or_default());
                (200, json!({ "MessageId": id }).to_string())
            }
            "SendMessageBatch" => {
                let mut taken = Vec::new();
                for entry in request["Entries"].as_array().into_iter().flatten() {
                    let id = self.send(&queue, entry["MessageBody"].as_str().unwrap_or_default());
                    taken.push(json!({ "Id": entry["Id"], "MessageId": id, "MD5OfMessageBody": "" }));
                }
                (200, json!({ "Successful": taken, "Failed": [] }).to_string())
            }
            _ => (400, json!({ "__type": "com.amazonaws.sqs#UnsupportedOperation" }).to_string()),
        }
    }

    fn send(&mut self, queue: &str, body: &str) -> String {
        self.sent += 1;
        let id = format!("message-{}", self.sent);
        if queue == EVENTS {
            self.told.insert(body.to_owned());
            if !self.outside {
                return id;
            }
        }
        let message = Message { id: id.clone(), body: body.to_owned(), deliveries: 0 };
        self.visible.entry(queue.to_owned()).or_default().push_back(message);
        id
    }

    /// Takes up to `max` messages.
    pub(super) fn receive(&mut self, queue: &str, max: usize) -> Vec<Message> {
        let waiting = self.visible.entry(queue.to_owned()).or_default();
        let mut batch: Vec<_> = waiting.drain(..max.min(waiting.len())).collect();
        for message in &mut batch {
            message.deliveries += 1;
        }
        batch
    }

    /// Puts messages back.
    pub(super) fn put_back(&mut self, queue: &str, messages: impl IntoIterator<Item = Message>) {
        self.visible.entry(queue.to_owned()).or_default().extend(messages);
    }

    /// The bodies of what is in a queue.
    pub(super) fn bodies(&self, queue: &str) -> Vec<Value> {
        let messages = self.visible.get(queue).into_iter().flatten();
        messages.map(|message| parsed(message.body.as_bytes())).collect()
    }
}
