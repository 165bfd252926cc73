//! Deliveries from queues to functions, as Lambda makes them.

use serde_json::{Value, json};

use super::queue::Message;
use super::world::{EVENTS, World};

impl World {
    /// Delivers what is in the queues that feed functions, one batch after the other. Messages that fail come back with
    /// the next call of this, and go to the dead-letter queue when they have failed too often. Whether any failed.
    pub async fn deliver(&self) -> bool {
        let mut failed = Vec::new();
        let mut sources: Vec<_> = self.wiring.template().event_sources().collect();
        // What others do is told outside, so that comes last.
        sources.sort_by_key(|source| source.queue == EVENTS);
        for source in sources {
            let queue = self.wiring.template().queue(&source.queue).unwrap();
            let max = usize::try_from(source.batch_size).unwrap();
            loop {
                let batch = self.wire.state().queues.receive(&source.queue, max);
                if batch.is_empty() {
                    break;
                }
                for message in self.deliver_batch(&source.queue, &source.function, batch).await {
                    let dead = queue
                        .redrive
                        .as_ref()
                        .filter(|redrive| message.deliveries >= redrive.receive_count_max);
                    let to = dead.map_or(&source.queue, |redrive| &redrive.dead_letter_queue);
                    failed.push((to.clone(), message));
                }
            }
        }
        let any = !failed.is_empty();
        for (queue, message) in failed {
            self.wire.state().queues.put_back(&queue, [message]);
        }
        any
    }

    /// Those messages of a batch that the function did not take.
    async fn deliver_batch(&self, queue: &str, function: &str, batch: Vec<Message>) -> Vec<Message> {
        let record = |message: &Message| json!({"messageId": message.id, "body": message.body, "eventSource": "aws:sqs"});
        let records: Vec<Value> = batch.iter().map(record).collect();
        let who = format!("delivery of {queue}");
        let answer = self.invoke(&who, function, json!({ "Records": records })).await.flatten();
        let failures =
            answer.as_ref().map(|answer| answer["batchItemFailures"].as_array().cloned().unwrap_or_default());
        let is_failed = |message: &Message| {
            // A function that did not answer has taken nothing.
            failures
                .as_ref()
                .is_none_or(|all| all.iter().any(|failure| failure["itemIdentifier"] == message.id.as_str()))
        };
        batch.into_iter().filter(is_failed).collect()
    }
}
