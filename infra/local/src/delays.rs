//! Messages that were sent with a delay. The engine would count it in real time; here they wait by the stage's clock.

use std::sync::{Arc, Mutex, PoisonError};

use aws::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

/// The messages of one stage; all clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Delays {
    clock: Clock,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    messages: Vec<Delayed>,
    count: u64,
}

/// A message that waits.
#[derive(Debug)]
pub(crate) struct Delayed {
    visible_at: DateTime<Utc>,
    /// The queue that it is for.
    pub(crate) queue_url: String,
    /// What it says.
    pub(crate) body: String,
}

/// What of a request to send matters here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    queue_url: String,
    message_body: String,
    #[serde(default)]
    delay_seconds: i64,
}

impl Delays {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, held: Arc::default() }
    }

    /// Keeps a message if it is sent with a delay, and says what it is called.
    pub(crate) fn hold(&self, request: &[u8]) -> Option<String> {
        let request: Request = serde_json::from_slice(request).ok()?;
        let delay =
            TimeDelta::try_seconds(request.delay_seconds).filter(|delay| *delay > TimeDelta::zero())?;
        let visible_at = self.clock.now() + delay;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.messages.push(Delayed { visible_at, queue_url: request.queue_url, body: request.message_body });
        held.count += 1;
        Some(format!("delayed-{}", held.count))
    }

    /// Takes out what has waited long enough.
    pub(crate) fn take_due(&self) -> Vec<Delayed> {
        let now = self.clock.now();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (due, waiting) = std::mem::take(&mut held.messages)
            .into_iter()
            .partition(|message: &Delayed| message.visible_at <= now);
        held.messages = waiting;
        due
    }
}
