//! Sending to SQS.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde::Serialize;

use crate::Platform;
use crate::config::{ConfigError, Lookup, required};
use crate::handler::in_short;

/// Messages in one batch (an SQS limit).
pub const BATCH_MAX: usize = 10;

/// The longest that a message can be put off (an SQS limit).
pub const DELAY_SECONDS_MAX: i32 = 900;

/// One queue.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A message that was not sent.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not take the message: {detail}")]
pub struct QueueError {
    detail: String,
}

impl Queue {
    /// The queue whose URL a variable holds.
    ///
    /// # Errors
    /// [`ConfigError`] when the variable is missing.
    pub fn new(platform: &Platform, lookup: Lookup<'_>, variable: &str) -> Result<Self, ConfigError> {
        Ok(Self { client: platform.sqs(), url: required(lookup, variable)? })
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`QueueError`]; whether it was sent is then unknown.
    pub async fn send<T: Serialize + Sync>(&self, message: &T) -> Result<(), QueueError> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body(message)?);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(QueueError { detail: in_short(&error) }),
        }
    }

    /// Sends one message that is delivered so many seconds later: 900 at most (an SQS limit).
    ///
    /// # Errors
    /// [`QueueError`]; whether it was sent is then unknown.
    pub async fn send_later<T: Serialize + Sync>(&self, message: &T, seconds: i32) -> Result<(), QueueError> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body(message)?);
        match request.delay_seconds(seconds.clamp(0, DELAY_SECONDS_MAX)).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(QueueError { detail: in_short(&error) }),
        }
    }

    /// Sends messages in batches of ten; answers how many were taken.
    ///
    /// # Errors
    /// [`QueueError`] when a whole batch fails.
    pub async fn send_all<T: Serialize + Sync>(&self, messages: &[T]) -> Result<usize, QueueError> {
        let mut taken = 0_usize;
        for batch in messages.chunks(BATCH_MAX) {
            let mut request = self.client.send_message_batch().queue_url(&self.url);
            for (index, message) in batch.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(body(message)?)
                    .build()
                    .map_err(|error| QueueError { detail: error.to_string() })?;
                request = request.entries(entry);
            }
            let output = request.send().await.map_err(|error| QueueError { detail: in_short(&error) })?;
            taken = taken.saturating_add(output.successful().len());
        }
        Ok(taken)
    }
}

fn body<T: Serialize>(message: &T) -> Result<String, QueueError> {
    serde_json::to_string(message).map_err(|error| QueueError { detail: error.to_string() })
}
