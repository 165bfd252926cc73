//! What payment processors' webhooks have in common: an event is read into facts, and what cannot be read is refused by the
//! field that it is about. Each processor's own module (`stripe`, ...) knows its signature and its events, and nothing else
//! knows them.

pub(crate) mod document;
pub(crate) mod labels;
pub mod processor;
pub mod timed;
#[cfg(test)]
pub(crate) mod trials;

use crate::fact::{Fact, Link};
use crate::id::{EventName, ProcessorRef, SourceId};

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

/// Name of the event that the start of a plan is.
pub(crate) const PLAN_STARTED: &str = "plan_started";

/// The start of a plan: one qualifying event per subscription, or per plan of it where a processor knows several.
#[expect(clippy::expect_used, reason = "a constant, and a test holds that it is an event's name")]
pub(crate) fn plan_started(subscription: ProcessorRef) -> SourceId {
    SourceId::event(&EventName::parse(PLAN_STARTED).expect("plan_started is a valid slug"), subscription)
}

/// What an event says.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) facts: Vec<Fact>,
    pub(crate) links: Vec<Link>,
}

impl From<Option<Fact>> for Said {
    fn from(fact: Option<Fact>) -> Self {
        Self { facts: fact.into_iter().collect(), links: Vec::new() }
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

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The header is missing, too long, or not of the processor's form.
    #[error("the header that signs is missing or malformed")]
    Malformed,
    /// No signature of a scheme that counts.
    #[error("the header has no signature of a scheme that counts")]
    NoSignature,
    /// Signed too long ago, or in the future.
    #[error("the signature's time is more than {} s from now", timed::TOLERANCE_SECONDS)]
    Stale,
    /// By none of the endpoint's secrets.
    #[error("it is by none of the endpoint's secrets")]
    Mismatch,
}
