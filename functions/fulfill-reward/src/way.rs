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
pub(crate) struct Step<'a> {
    /// Whose.
    pub(crate) organization: &'a OrganizationId,
    /// Of what.
    pub(crate) reward: &'a Reward,
    /// To whom, where they are enrolled: a referee who is rewarded need not be.
    pub(crate) participant: Option<&'a ParticipantRow>,
    /// Which step of the reward it is, from 0.
    pub(crate) number: u32,
    /// What it gives, in minor units of the reward's unit; below zero when it takes back. Never zero.
    pub(crate) amount: i64,
    /// Which key of the step it is, from 0: a further one is begun when what became of the last is known, or can no
    /// longer be asked by it. From 1 on, an earlier key may have had its effect: look before sending.
    pub(crate) key: u32,
    /// When this key was first sent.
    pub(crate) key_since: DateTime<Utc>,
    /// Now.
    pub(crate) now: DateTime<Utc>,
}

/// Proof that a step is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// What it is called there: the id of a transaction, a promotion code; at most 255 bytes.
    pub(crate) reference: String,
}

/// Why a step is not true (yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undone {
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

/// A way of delivery.
pub(crate) trait Way {
    /// Makes a step true, or finds that it is.
    async fn take(&self, step: &Step<'_>) -> Result<Receipt, Undone>;
}

/// The ways outside that there are.
#[derive(Debug, Clone)]
pub(crate) struct Ways;

impl Way for Ways {
    async fn take(&self, step: &Step<'_>) -> Result<Receipt, Undone> {
        if step.reward.way() == domain::ledger::Way::Code {
            return Ok(Receipt { reference: step.reward.reward.to_string() });
        }
        Err(Undone::Never { code: "no_processor_connection", detail: "no processor is connected".to_owned() })
    }
}
