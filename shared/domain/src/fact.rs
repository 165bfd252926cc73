//! A fact: what one event, from a webhook or from the API, says about one source.

use serde::{Deserialize, Serialize};

use crate::id::{ExternalId, Processor, ProcessorRef, SourceId};
use crate::source::SourceState;

/// A payment processor's customer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Customer {
    /// Who keeps the customer.
    pub processor: Processor,
    /// The customer's id there.
    pub reference: ProcessorRef,
}

/// Who paid, as far as an event says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    /// The caller's own id of the payer, from the event's metadata or from the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
    /// The processor's customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
}

/// Two events of one source that name different payers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the invoice belongs to another payer")]
pub struct PayerMismatch;

impl Payer {
    /// What two events say together.
    ///
    /// # Errors
    /// [`PayerMismatch`] when both name one and they differ.
    pub fn merge(&self, other: &Self) -> Result<Self, PayerMismatch> {
        Ok(Self {
            external_id: agree(self.external_id.as_ref(), other.external_id.as_ref())?,
            customer: agree(self.customer.as_ref(), other.customer.as_ref())?,
        })
    }
}

fn agree<T: Clone + PartialEq>(a: Option<&T>, b: Option<&T>) -> Result<Option<T>, PayerMismatch> {
    match (a, b) {
        (Some(a), Some(b)) if a != b => Err(PayerMismatch),
        _ => Ok(a.or(b).cloned()),
    }
}

/// What one event says about one source. `state` holds just this event; it is joined to what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The source; a payment when the event does not name its invoice.
    pub source: SourceId,
    /// Who paid, where the event says.
    pub payer: Payer,
    /// The event as a state of its own; may be empty when the event only ties payments to an invoice.
    pub state: SourceState,
    /// Payments (and charges) that this event ties to `source`, so that later refunds find it.
    pub payments: Vec<SourceId>,
}
