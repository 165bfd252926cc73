//! What payment processors' webhooks have in common: an event is read into facts, and what cannot be read is refused by the
//! field that it is about. Each processor's own module (`stripe`, ...) knows its signature and its events, and nothing else
//! knows them.

pub(crate) mod document;

use crate::fact::{Fact, Link};
use crate::id::ProcessorRef;

/// Longest event type that is taken, in bytes.
pub(crate) const KIND_BYTES_MAX: usize = 128;

/// An event as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The processor's id of the event; names the delivery, never the effect.
    pub id: ProcessorRef,
    /// Whether it happened in live mode, where the event says: one endpoint may receive both kinds.
    pub livemode: Option<bool>,
    /// The event's type, such as `invoice.paid`.
    pub kind: String,
    /// What it says of money and of qualifying events. With `links` empty too, it is of no concern.
    pub facts: Vec<Fact>,
    /// Whom it says to be who.
    pub links: Vec<Link>,
}

impl Event {
    /// Whether it says nothing that matters here.
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        self.facts.is_empty() && self.links.is_empty()
    }
}

/// An event that cannot be read. Nothing of the body is repeated in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON.
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson {
        /// Line where reading stopped, from 1.
        line: usize,
        /// Column where reading stopped.
        column: usize,
    },
    /// A field is missing, or not what it must be.
    #[error("{pointer} {problem}")]
    Field {
        /// JSON pointer to the field.
        pointer: String,
        /// What is wrong with it; reads on after the pointer.
        problem: String,
    },
}
