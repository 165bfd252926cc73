//! A fact: what one event, from a webhook or from the API, says about one source.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{ExternalId, OrganizationId, Processor, ProcessorRef, SourceId, digest};
use crate::source::SourceState;

/// A payment processor's customer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Customer {
    /// Who keeps the customer.
    pub processor: Processor,
    /// The customer's id there.
    pub reference: ProcessorRef,
}

impl Customer {
    /// An e-mail address, by its hash, as if it were a customer of a processor of its own.
    #[must_use]
    pub fn of_email(hash: ProcessorRef) -> Self {
        Self { processor: Processor::email(), reference: hash }
    }
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
    /// The payer's e-mail address, hashed; kept only where a program lets it tell who paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<ProcessorRef>,
    /// Promotion codes (or their ids at the processor) that the payer used; at most [`PROMOTIONS_MAX`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub promotions: BTreeSet<ProcessorRef>,
}

/// Most promotion codes of one payment that are looked at.
pub const PROMOTIONS_MAX: usize = 10;

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
            // An address may change between two events of one payment: that is no contradiction.
            email: self.email.clone().max(other.email.clone()),
            promotions: self.promotions.union(&other.promotions).take(PROMOTIONS_MAX).cloned().collect(),
        })
    }

    /// A payer known by the caller's own id.
    #[must_use]
    pub fn named(external_id: ExternalId) -> Self {
        Self { external_id: Some(external_id), ..Self::default() }
    }
}

fn agree<T: Clone + PartialEq>(a: Option<&T>, b: Option<&T>) -> Result<Option<T>, PayerMismatch> {
    match (a, b) {
        (Some(a), Some(b)) if a != b => Err(PayerMismatch),
        _ => Ok(a.or(b).cloned()),
    }
}

/// A payment that an event ties to an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tie {
    /// The payment (or charge).
    pub payment: SourceId,
    /// What it paid of the invoice, in minor units, where the event says; matters where it paid several.
    pub amount: Option<i64>,
}

/// A processor's customer of whom an event says which referee it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The customer.
    pub customer: Customer,
    /// The caller's own id of it.
    pub referee: ExternalId,
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
    pub payments: Vec<Tie>,
    /// The payer's e-mail address, where the event says; it is hashed before anything of it is kept.
    pub email: Option<Email>,
}

impl Fact {
    /// A fact of a source, and nothing else.
    #[must_use]
    pub fn of(source: SourceId, payer: Payer, state: SourceState) -> Self {
        Self { source, payer, state, payments: Vec::new(), email: None }
    }
}

/// A person's e-mail address, trimmed and in lower case. It is never written down, only its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

/// Longest e-mail address, in bytes (RFC 5321 section 4.5.3.1).
const EMAIL_BYTES_MAX: usize = 254;

impl Email {
    /// Reads an address; `None` for what is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let (local, host) = text.rsplit_once('@')?;
        let fits = !local.is_empty() && !host.is_empty() && text.len() <= EMAIL_BYTES_MAX;
        (fits && !text.contains(char::is_whitespace)).then_some(Self(text))
    }

    /// The hash that an organization knows the address by; another organization's hash of it is another.
    #[must_use]
    pub fn hashed(&self, organization: &OrganizationId) -> ProcessorRef {
        ProcessorRef::of_hash(digest("email", &[organization.as_str(), &self.0]))
    }
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email(..)")
    }
}
