//! Programs and their terms. Terms are numbered and never change; what a program was at a moment (its status, its
//! terms) is read from its history by business time, so that a decision does not depend on when it is made.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{ProgramId, RuleId};
use crate::money::{AMOUNT_MAX, Currency, Percentage};

/// Seconds between the acceptance of a change and its effect. Functions keep a program in memory for half of it, so no
/// function decides by a stale one.
pub const CHANGE_DELAY_SECONDS: i64 = 60;
/// Most changes of status, and most versions of terms, in a program's life.
pub const CHANGES_MAX: usize = 100;
/// Most rules in one version of the terms.
pub const RULES_MAX: usize = 10;
/// Longest name of a program, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// Longest grace, in hours (30 days).
pub const GRACE_HOURS_MAX: u32 = 720;

/// Whether a program takes sign-ups and pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProgramStatus {
    /// Being set up; codes can be issued, nothing is earned.
    Draft,
    /// Takes sign-ups and pays.
    Active,
    /// Takes no sign-ups; payments of this time earn nothing.
    Paused,
    /// Over for good.
    Ended,
}

/// A status and the moment from which it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    /// The status.
    pub status: ProgramStatus,
    /// From when.
    pub effective_from: DateTime<Utc>,
}

/// A terms version and the moment from which it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsChange {
    /// The version, from 1.
    pub version: u32,
    /// From when.
    pub effective_from: DateTime<Utc>,
}

/// A program with its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its id.
    pub id: ProgramId,
    /// Its name, for people.
    pub name: String,
    /// Every status it had or will have, oldest first.
    pub statuses: Vec<StatusChange>,
    /// Every version of its terms, oldest first.
    pub versions: Vec<TermsChange>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// What earns. The data model has room for more; this engine knows the paid invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The referee paid an invoice.
    InvoicePaid,
}

/// Who is rewarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// The one who referred.
    Referrer,
}

/// What is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RewardKind {
    /// Credit in the participant's balance.
    Allowance,
}

/// What a percentage is taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// What was paid, tax included (mission 000).
    PaidTotal,
    /// What was paid, less the tax in it: `paid * total excluding tax / total`, rounded toward zero.
    PaidExcludingTax,
}

/// How much a rule gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleAmount {
    /// The same amount each time; it stands as long as any of the payment stands.
    Fixed(FixedAmount),
    /// A share of the payment, rounded toward zero to the minor unit.
    Percentage(PercentageAmount),
}

/// A fixed amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedAmount {
    /// Minor units, above zero.
    #[schema(minimum = 1, example = 500)]
    pub amount: i64,
    /// ISO 4217 code.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
}

/// A share of the payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PercentageAmount {
    /// Percent as a string, above 0 and at most 100.
    #[schema(value_type = String, example = "10")]
    pub percent: Percentage,
    /// What it is taken of.
    #[serde(default = "default_basis")]
    pub basis: Basis,
}

const fn default_basis() -> Basis {
    Basis::PaidTotal
}

/// One promise in the terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RewardRule {
    /// Its name within the terms; keep it when the promise stays the same.
    #[schema(value_type = String, example = "commission")]
    pub id: RuleId,
    /// What earns.
    #[serde(default = "default_trigger")]
    pub trigger: Trigger,
    /// Who is rewarded.
    #[serde(default = "default_recipient")]
    pub recipient: Recipient,
    /// What is given.
    #[serde(default = "default_kind")]
    pub kind: RewardKind,
    /// How much.
    pub amount: RuleAmount,
}

const fn default_trigger() -> Trigger {
    Trigger::InvoicePaid
}

const fn default_recipient() -> Recipient {
    Recipient::Referrer
}

const fn default_kind() -> RewardKind {
    RewardKind::Allowance
}

/// The rules of a program as a program owner writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermsDraft {
    /// 1 to 10 rules; each is decided on its own.
    pub rules: Vec<RewardRule>,
    /// How long before the sign-up a payment may lie and still earn, in hours (0 to 720).
    #[serde(default = "default_grace")]
    #[schema(maximum = 720, example = 24)]
    pub grace_hours: u32,
}

const fn default_grace() -> u32 {
    24
}

/// A numbered, immutable version of a program's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// From 1.
    pub version: u32,
    /// From when it holds (business time of the payment).
    pub effective_from: DateTime<Utc>,
    /// The rules.
    #[serde(flatten)]
    pub draft: TermsDraft,
}

/// A field that is wrong, by JSON pointer relative to the terms, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// JSON pointer.
    pub pointer: String,
    /// What it must be.
    pub detail: String,
}

/// A change that a program cannot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// A program that ended, or a return to draft.
    #[error("a program cannot go from {from:?} to {to:?}")]
    Transition {
        /// Status now.
        from: ProgramStatus,
        /// Status asked for.
        to: ProgramStatus,
    },
    /// The history is full.
    #[error("a program can change at most {CHANGES_MAX} times; start a new one")]
    TooMany,
}

impl TermsDraft {
    /// Everything that contradicts itself or the limits; empty when the terms can be used.
    #[must_use]
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut flaw = |pointer: String, detail: String| flaws.push(Flaw { pointer, detail });
        if self.rules.is_empty() || self.rules.len() > RULES_MAX {
            flaw("/rules".into(), format!("must have 1 to {RULES_MAX} rules"));
        }
        if self.grace_hours > GRACE_HOURS_MAX {
            flaw("/grace_hours".into(), format!("must be 0 to {GRACE_HOURS_MAX}"));
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if self.rules.iter().take(index).any(|earlier| earlier.id == rule.id) {
                flaw(format!("/rules/{index}/id"), "must differ from the other rules' ids".into());
            }
            if let RuleAmount::Fixed(fixed) = &rule.amount
                && !(1..=AMOUNT_MAX).contains(&fixed.amount)
            {
                let pointer = format!("/rules/{index}/amount/fixed/amount");
                flaw(pointer, format!("must be 1 to {AMOUNT_MAX} minor units"));
            }
        }
        flaws
    }
}

impl Program {
    /// A new program: its first status and terms hold from `now` on.
    #[must_use]
    pub fn create(id: ProgramId, name: String, status: ProgramStatus, now: DateTime<Utc>) -> Self {
        Self {
            id,
            name,
            statuses: vec![StatusChange { status, effective_from: now }],
            versions: vec![TermsChange { version: 1, effective_from: now }],
            created_at: now,
        }
    }

    /// The status at a moment; `draft` before the program existed.
    #[must_use]
    pub fn status_at(&self, at: DateTime<Utc>) -> ProgramStatus {
        let held = self.statuses.iter().rev().find(|change| change.effective_from <= at);
        held.map_or(ProgramStatus::Draft, |change| change.status)
    }

    /// The status that holds once every accepted change has come into effect, and since (or from) when.
    #[must_use]
    pub fn latest_status(&self) -> StatusChange {
        let first = StatusChange { status: ProgramStatus::Draft, effective_from: self.created_at };
        self.statuses.last().cloned().unwrap_or(first)
    }

    /// The terms version that holds at a moment; none before the program existed.
    #[must_use]
    pub fn version_at(&self, at: DateTime<Utc>) -> Option<u32> {
        self.versions.iter().rev().find(|change| change.effective_from <= at).map(|change| change.version)
    }

    /// The newest terms version.
    #[must_use]
    pub fn latest_version(&self) -> u32 {
        self.versions.last().map_or(0, |change| change.version)
    }

    /// Takes a change of status, which holds from [`CHANGE_DELAY_SECONDS`] after `now`. The status it has already is
    /// no change.
    ///
    /// # Errors
    /// [`ChangeError`]; the program is left as it was.
    pub fn change_status(&mut self, to: ProgramStatus, now: DateTime<Utc>) -> Result<(), ChangeError> {
        use ProgramStatus::{Active, Draft, Ended, Paused};
        let from = self.latest_status();
        match (from.status, to) {
            (now, to) if now == to => return Ok(()),
            (Draft | Paused, Active) | (Active, Paused) | (Draft | Active | Paused, Ended) => {}
            (from, to) => return Err(ChangeError::Transition { from, to }),
        }
        if self.statuses.len() >= CHANGES_MAX {
            return Err(ChangeError::TooMany);
        }
        let effective_from = effect_of(now, from.effective_from);
        self.statuses.push(StatusChange { status: to, effective_from });
        Ok(())
    }

    /// Takes new terms, which hold from [`CHANGE_DELAY_SECONDS`] after `now`.
    ///
    /// # Errors
    /// [`ChangeError`]; the program is left as it was.
    pub fn change_terms(&mut self, draft: TermsDraft, now: DateTime<Utc>) -> Result<Terms, ChangeError> {
        let latest = self.latest_status();
        if latest.status == ProgramStatus::Ended {
            return Err(ChangeError::Transition { from: ProgramStatus::Ended, to: ProgramStatus::Ended });
        }
        if self.versions.len() >= CHANGES_MAX {
            return Err(ChangeError::TooMany);
        }
        let last = self.versions.last().map_or(self.created_at, |change| change.effective_from);
        let (version, effective_from) = (self.latest_version().saturating_add(1), effect_of(now, last));
        self.versions.push(TermsChange { version, effective_from });
        Ok(Terms { version, effective_from, draft })
    }
}

/// When a change accepted now takes effect: after the delay, and never before the change it follows.
fn effect_of(now: DateTime<Utc>, previous: DateTime<Utc>) -> DateTime<Utc> {
    (now + Duration::seconds(CHANGE_DELAY_SECONDS)).max(previous + Duration::milliseconds(1))
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
