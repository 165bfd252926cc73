//! The stage's own dealings with its queues: what pollers and the control surface need, and visibility in logical time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName,
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::delays::Delays;
use crate::engine::sqs::QueueAddress;

/// Most messages of a queue that are remembered once they are taken.
const TAKEN_MAX: usize = 150_000;
/// How often a stage whose time passes by itself looks at what was sent with a delay.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// All queues of the template.
#[derive(Debug)]
pub(crate) struct Queues {
    client: Client,
    addresses: BTreeMap<String, QueueAddress>,
    waiting: Mutex<HashMap<String, Waiting>>,
    delays: Delays,
    /// What functions took, by queue.
    taken: Mutex<BTreeMap<String, VecDeque<String>>>,
    deliveries: AtomicU64,
    deliveries_reported: AtomicU64,
}

/// A message whose delivery failed. The engine hides it in real time; this is what is needed to bring it back earlier.
#[derive(Debug)]
struct Waiting {
    queue: String,
    receipt_handle: String,
    visible_at: DateTime<Utc>,
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Ready to be received.
    pub(crate) visible: u64,
    /// Received and neither deleted nor visible again.
    pub(crate) in_flight: u64,
    /// Sent with a delay that has not passed.
    pub(crate) delayed: u64,
}

impl Queues {
    pub(crate) fn new(client: Client, addresses: BTreeMap<String, QueueAddress>, delays: Delays) -> Self {
        Self {
            client,
            addresses,
            waiting: Mutex::default(),
            delays,
            taken: Mutex::default(),
            deliveries: AtomicU64::new(0),
            deliveries_reported: AtomicU64::new(0),
        }
    }

    /// Where the queue with this logical id is.
    pub(crate) fn address(&self, id: &str) -> Result<&QueueAddress> {
        self.addresses.get(id).with_context(|| format!("no queue is named {id}"))
    }

    /// Waits up to `wait_s` seconds for messages, at most ten of them.
    pub(crate) async fn receive(&self, id: &str, max: i32, wait_s: i32) -> Result<Vec<Message>> {
        let request = self.client.receive_message().queue_url(&self.address(id)?.url);
        let received = request
            .max_number_of_messages(max)
            .wait_time_seconds(wait_s)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await?;
        let messages = received.messages.unwrap_or_default();
        let mut waiting = self.waiting();
        for message in &messages {
            waiting.remove(message.message_id().unwrap_or_default());
        }
        Ok(messages)
    }

    /// Sends one message.
    pub(crate) async fn send(&self, id: &str, body: &str) -> Result<()> {
        let url = &self.address(id)?.url;
        self.client.send_message().queue_url(url).message_body(body).send().await?;
        Ok(())
    }

    /// Deletes up to ten received messages.
    pub(crate) async fn delete(&self, id: &str, messages: &[&Message]) -> Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let mut request = self.client.delete_message_batch().queue_url(&self.address(id)?.url);
        for (position, message) in messages.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(position.to_string())
                .receipt_handle(message.receipt_handle().unwrap_or_default());
            request = request.entries(entry.build()?);
        }
        request.send().await?;
        Ok(())
    }

    /// Remembers a message whose delivery failed.
    pub(crate) fn wait(&self, id: &str, message: &Message, visible_at: DateTime<Utc>) {
        let waiting = Waiting {
            queue: id.to_owned(),
            receipt_handle: message.receipt_handle().unwrap_or_default().to_owned(),
            visible_at,
        };
        self.waiting().insert(message.message_id().unwrap_or_default().to_owned(), waiting);
    }

    /// Sends what was sent with a delay that is over.
    async fn release(&self) {
        for message in self.delays.take_due() {
            let request = self.client.send_message().queue_url(message.queue_url);
            if let Err(error) = request.message_body(message.body).send().await {
                tracing::warn!(%error, "a delayed message is lost");
            }
        }
    }

    /// The same again and again, for as long as the stage lives.
    pub(crate) async fn release_in_time(&self) {
        loop {
            self.release().await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Remembers what a function took.
    pub(crate) fn note_taken(&self, id: &str, messages: &[&Message]) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = taken.entry(id.to_owned()).or_default();
        taken.extend(messages.iter().map(|message| message.body().unwrap_or_default().to_owned()));
        let surplus = taken.len().saturating_sub(TAKEN_MAX);
        taken.drain(..surplus);
    }

    /// What functions took from a queue since this was asked the last time.
    pub(crate) fn taken(&self, id: &str) -> Vec<String> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(id).unwrap_or_default().into()
    }

    /// Makes the engine hide each failed message for as long as it has left on the stage's clock, which is no longer
    /// at all for those whose time has come.
    pub(crate) async fn follow_clock(&self, now: DateTime<Utc>) {
        self.release().await;
        let mut changes = Vec::new();
        // Taken out before the engine shows them: whoever receives one again may put it back in.
        self.waiting().retain(|_, message| {
            let left_ms = (message.visible_at - now).num_milliseconds().max(0);
            let left_s = i32::try_from(left_ms.unsigned_abs().div_ceil(1000)).unwrap_or(i32::MAX);
            changes.push((message.queue.clone(), message.receipt_handle.clone(), left_s));
            left_s > 0
        });
        for (queue, receipt_handle, left_s) in changes {
            if let Err(error) = self.change_visibility(&queue, &receipt_handle, left_s).await {
                // It has become visible in real time in the meantime, which is what was wanted.
                tracing::debug!(queue, %error, "the visibility could not be changed");
            }
        }
    }

    async fn change_visibility(&self, id: &str, receipt_handle: &str, seconds: i32) -> Result<()> {
        let request = self.client.change_message_visibility().queue_url(&self.address(id)?.url);
        request.receipt_handle(receipt_handle).visibility_timeout(seconds).send().await?;
        Ok(())
    }

    /// What the queue with this logical id holds.
    pub(crate) async fn counts(&self, id: &str) -> Result<Counts> {
        let request = self.client.get_queue_attributes().queue_url(&self.address(id)?.url);
        let attributes =
            request.attribute_names(QueueAttributeName::All).send().await?.attributes.unwrap_or_default();
        let count = |name| attributes.get(&name).and_then(|text: &String| text.parse().ok()).unwrap_or(0);
        Ok(Counts {
            visible: count(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            delayed: count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        })
    }

    /// Every queue, by logical id.
    pub(crate) async fn all_counts(&self) -> Result<BTreeMap<String, Counts>> {
        let mut all = BTreeMap::new();
        for id in self.addresses.keys() {
            all.insert(id.clone(), self.counts(id).await?);
        }
        Ok(all)
    }

    /// How many failed messages of this queue wait for their visibility timeout.
    pub(crate) fn waiting_in(&self, id: &str) -> u64 {
        let count = self.waiting().values().filter(|message| message.queue == id).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// Counts messages that are handed to a function.
    pub(crate) fn add_deliveries(&self, messages: &[Message]) {
        self.deliveries.fetch_add(u64::try_from(messages.len()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// How many messages were handed to functions so far, each as often as it was.
    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries.load(Ordering::SeqCst)
    }

    /// How many of them there were since this was asked the last time.
    pub(crate) fn report_deliveries(&self) -> u64 {
        let deliveries = self.deliveries();
        deliveries.saturating_sub(self.deliveries_reported.swap(deliveries, Ordering::SeqCst))
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        // The map is whole between any two statements, so a panic elsewhere does not spoil it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
