//! What rewards come from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{EntryId, EventName, ExternalId, IdError, Processor, ProcessorRef, RewardId, RuleId};

/// What a reward can come from. The id is the processor's, so the webhook path and the API path meet in one row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceId {
    /// What it is.
    pub kind: SourceKind,
    /// Who keeps it; the event's name where it is a qualifying event.
    pub processor: Processor,
    /// Its id there.
    pub reference: ProcessorRef,
}

/// Kinds of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// A paid (or to be paid) invoice.
    Invoice,
    /// A payment or charge; what is known of it is passed on to the invoices that it paid.
    Payment,
    /// A referee's sign-up.
    Signup,
    /// A qualifying event of the caller's; the processor part is its name.
    Event,
    /// What a referred partner was paid, made or turned over in a period.
    Payout,
    /// What a referred participant earned: the source of second-level rewards.
    Reward,
    /// A number of qualified referrals that was reached.
    Milestone,
    /// A reward given by hand.
    Grant,
}

/// The processor part of sources that come from no processor.
pub const OWN: &str = "own";

impl SourceKind {
    const ALL: [Self; 8] = [
        Self::Invoice,
        Self::Payment,
        Self::Signup,
        Self::Event,
        Self::Payout,
        Self::Reward,
        Self::Milestone,
        Self::Grant,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::Payment => "payment",
            Self::Signup => "signup",
            Self::Event => "event",
            Self::Payout => "payout",
            Self::Reward => "reward",
            Self::Milestone => "milestone",
            Self::Grant => "grant",
        }
    }
}

impl SourceId {
    /// An invoice of a processor.
    #[must_use]
    pub const fn invoice(processor: Processor, reference: ProcessorRef) -> Self {
        Self { kind: SourceKind::Invoice, processor, reference }
    }

    /// A payment (or charge) of a processor.
    #[must_use]
    pub const fn payment(processor: Processor, reference: ProcessorRef) -> Self {
        Self { kind: SourceKind::Payment, processor, reference }
    }

    /// A payout record of a processor.
    #[must_use]
    pub const fn payout(processor: Processor, reference: ProcessorRef) -> Self {
        Self { kind: SourceKind::Payout, processor, reference }
    }

    /// The sign-up of a referee.
    #[must_use]
    pub fn signup(referee: &ExternalId) -> Self {
        Self::own(SourceKind::Signup, ProcessorRef(referee.0.clone()))
    }

    /// A qualifying event of the caller's.
    #[must_use]
    pub fn event(name: &EventName, reference: ProcessorRef) -> Self {
        Self { kind: SourceKind::Event, processor: Processor(name.0.clone()), reference }
    }

    /// What a participant earned by a reward.
    #[must_use]
    pub fn reward(reward: &RewardId) -> Self {
        Self::own(SourceKind::Reward, ProcessorRef(reward.0.clone()))
    }

    /// A milestone of a rule.
    #[must_use]
    pub fn milestone(rule: &RuleId, at: u32) -> Self {
        Self::own(SourceKind::Milestone, ProcessorRef(format!("{rule}.{at}")))
    }

    /// At how many referrals, where it is a milestone.
    #[must_use]
    pub fn milestone_at(&self) -> Option<u32> {
        let (_, at) = self.reference.0.rsplit_once('.').filter(|_| self.kind == SourceKind::Milestone)?;
        at.parse().ok()
    }

    /// A reward given by hand; `id` is what tells one such gift from another.
    #[must_use]
    pub fn grant(id: &EntryId) -> Self {
        Self::own(SourceKind::Grant, ProcessorRef(id.0.clone()))
    }

    fn own(kind: SourceKind, reference: ProcessorRef) -> Self {
        Self { kind, processor: Processor(OWN.to_owned()), reference }
    }

    /// Reads `invoice/stripe/in_123`, or the same with colons for paths where a slash has a meaning.
    ///
    /// # Errors
    /// [`IdError::Form`] when it is not kind, processor and reference.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let form = IdError::Form { form: "<kind>/<processor>/<id>, such as invoice/stripe/in_123" };
        let separator = if text.contains('/') { '/' } else { ':' };
        let mut parts = text.splitn(3, separator);
        let (Some(kind), Some(processor), Some(reference)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(form);
        };
        let kind = SourceKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or(form)?;
        Ok(Self { kind, processor: Processor::parse(processor)?, reference: ProcessorRef::parse(reference)? })
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.as_str(), self.processor, self.reference)
    }
}

impl TryFrom<String> for SourceId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<SourceId> for String {
    fn from(id: SourceId) -> String {
        id.to_string()
    }
}
