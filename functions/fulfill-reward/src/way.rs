//! Ways of delivery: how a reward reaches somebody outside the engine.
//!
//! A delivery outside is made of steps, each a signed difference: what stands of the reward less what the steps before
//! have given. The first gives, one after a refund takes back. The reward's row names the step, and the key it is sent
//! under, before anybody is called; so whoever comes after a crash sends the same step under the same key.

use aws::store::ParticipantRow;
use chrono::{DateTime, Utc};
use domain::id::OrganizationId;
use domain::ledger::Reward;

/// One step of a delivery, to be made true outside.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Whose.
    pub organization: &'a OrganizationId,
    /// Of what.
    pub reward: &'a Reward,
    /// To whom, of a step at a processor, where they are enrolled: a referee who is rewarded need not be.
    pub participant: Option<&'a ParticipantRow>,
    /// Which step of the reward it is, from 0.
    pub number: u32,
    /// What it gives, in minor units of the reward's unit; below zero when it takes back. Never zero.
    pub amount: i64,
    /// Which key of the step it is, from 0: a further one is begun when what became of the last is known, or can no
    /// longer be asked by it. From 1 on, an earlier key may have had its effect: look before sending.
    pub key: u32,
    /// When this key was first sent.
    pub key_since: DateTime<Utc>,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Proof that a step is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What it is called there: the id of a transaction, a promotion code; at most 255 bytes.
    pub reference: String,
}

/// Why a step is not true (yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// Not now: it is tried again, at the earliest after `after_seconds` where they are told.
    Later {
        /// How long who was asked wants to be left alone.
        after_seconds: Option<u32>,
        /// Whether the next try needs a new key, and looks first.
        renew: bool,
        /// What happened, for people; nothing secret or personal.
        detail: String,
    },
    /// Never, as things stand: somebody must change something first.
    Never {
        /// A stable code, `currency_mismatch` for example: documented in `docs/fulfillment.md`.
        code: &'static str,
        /// What happened, for people; nothing secret or personal.
        detail: String,
    },
}

impl Undone {
    /// Not now, under the same key.
    pub(crate) fn later(detail: impl Into<String>) -> Self {
        Self::Later { after_seconds: None, renew: false, detail: detail.into() }
    }

    /// Not now, and under another key.
    pub(crate) fn later_renewed(detail: impl Into<String>) -> Self {
        Self::Later { after_seconds: None, renew: true, detail: detail.into() }
    }

    /// Never, as things stand.
    pub(crate) fn never(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Never { code, detail: detail.into() }
    }
}

/// A way of delivery.
#[expect(async_fn_in_trait, reason = "every way is named by its type, and its futures are looked at there")]
pub trait Way {
    /// Makes a step true, or finds that it is.
    async fn take(&self, step: &Step<'_>) -> Result<Receipt, Undone>;
}
