//! What the parts of a running stage share.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result};
use aws::{Clock, Meter};
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::JoinError;

use crate::faults::Faults;
use crate::handler::Handler;
use crate::queue::Queues;
use crate::scheduler::{Run, Scheduler};
use crate::state::State;
use crate::template::Template;

/// What is answered once the stage was stopped, by a planned fault or because it was dropped.
pub(crate) const HALTED: &str = "the stage was stopped";

/// A running stage, without its ports.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) template: Template,
    pub(crate) handlers: BTreeMap<String, Handler>,
    pub(crate) queues: Queues,
    pub(crate) scheduler: Scheduler,
    pub(crate) clock: Clock,
    /// How far `clock` is ahead of the system's.
    pub(crate) clock_offset_ms: Arc<AtomicI64>,
    pub(crate) meter: Meter,
    pub(crate) faults: Faults,
    pub(crate) state: State,
}

/// Why an event got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvokeError {
    #[error("no function is named {0}")]
    Unknown(String),
    #[error("{0} is called over HTTP")]
    Http(String),
    #[error("{0}")]
    Failed(String),
}

impl Core {
    /// Calls a function with a raw event, as Lambda does: it ends in an answer or a failure, whatever it does.
    pub(crate) async fn invoke(&self, function: &str, event: Value) -> Result<Value, InvokeError> {
        let handler = match self.handlers.get(function) {
            Some(Handler::Event(handler)) => handler.clone(),
            Some(Handler::Http(_)) => return Err(InvokeError::Http(function.to_owned())),
            None => return Err(InvokeError::Unknown(function.to_owned())),
        };
        let (runtime, faults) = (Handle::current(), self.faults.clone());
        // A thread of its own, as in Lambda: a panic ends the invocation and not the stage.
        let invocation = tokio::task::spawn_blocking(move || {
            runtime.block_on(async move {
                tokio::select! {
                    answer = handler.call(event) => answer.map_err(|error| format!("{error:#}")),
                    () = faults.halted() => Err(HALTED.to_owned()),
                }
            })
        });
        let answer = invocation.await.unwrap_or_else(|error| Err(panic_message(error)));
        answer.map_err(|error| {
            tracing::warn!(function, error, "the invocation failed");
            InvokeError::Failed(error)
        })
    }

    /// Advances the stage's clock and does what has become due: messages come back, schedules run.
    pub(crate) async fn advance(&self, milliseconds: i64) -> Result<(DateTime<Utc>, Vec<Run>)> {
        let before = self.clock_offset_ms.load(Ordering::SeqCst);
        let offset = before.checked_add(milliseconds).context("the clock cannot go that far")?;
        self.state.keep_clock_offset_ms(offset)?;
        self.clock_offset_ms.store(offset, Ordering::SeqCst);
        let now = self.clock.now();
        self.queues.follow_clock(now).await;
        let runs = self.scheduler.run_due(self).await;
        Ok((now, runs))
    }
}

/// What a task that did not end by itself has to say.
pub(crate) fn panic_message(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => format!("panic: {}", panic_text(payload.as_ref())),
        Err(error) => error.to_string(),
    }
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
