//! Balances: the fold of a ledger's lines.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{ExternalId, ParticipantId};
use crate::money::{MoneyError, Unit};
use crate::terms::RewardKind;

use super::delivery::Account;
use super::posting::Entry;
use super::reward::{Cause, Note, Reward};

/// What a participant has in one unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// What can be spent here: delivered into the balance, less what was spent. Below zero when more was taken back after
    /// its delivery than was left.
    pub available: i64,
    /// Cash that was delivered and stands: what partner invoices pay out, or have.
    #[serde(default)]
    pub cash: i64,
    /// What was delivered elsewhere and stands: credit at the processor, discounts, products.
    #[serde(default)]
    pub elsewhere: i64,
    /// What was spent of the balance, less what was given back of that.
    #[serde(default)]
    pub spent: i64,
    /// Earned and not yet delivered.
    #[serde(default)]
    pub pending: i64,
    /// Everything ever earned or restored.
    pub earned: i64,
    /// Everything ever taken back, as a positive number.
    pub reversed: i64,
}

impl Figures {
    /// What can be spent: nothing while more was taken back than is left.
    #[must_use]
    pub fn usable(&self) -> i64 {
        self.available.max(0)
    }

    /// What was taken back of the balance beyond what was left, and is not yet netted by what was delivered since.
    #[must_use]
    pub fn shortfall(&self) -> i64 {
        self.available.min(0).saturating_neg()
    }
}

/// Figures by unit.
pub type Balances = BTreeMap<Unit, Figures>;

/// What is left of something that was delivered into a balance and of which `standing` stands, where `available` can be
/// spent in all and `later` of it came after it, delivered or returned: what came first is spent first.
#[must_use]
pub fn left_of(available: i64, later: i64, standing: i64) -> i64 {
    available.saturating_sub(later).clamp(0, standing.max(0))
}

/// A line that spends of the balance, or gives back what was spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redemption {
    /// Who spends.
    pub participant: ParticipantId,
    /// The caller's own name of what it is spent on; each is spent on once.
    pub reference: ExternalId,
    /// What is spent, in minor units; below zero when it is given back.
    pub amount: i64,
    /// Their unit.
    pub unit: Unit,
    /// Who did it, and why, where the caller says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// When the engine wrote it.
    pub recorded_at: DateTime<Utc>,
}

impl Redemption {
    /// Why the line was written.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        if self.amount < 0 { Cause::Returned } else { Cause::Redeemed }
    }

    /// What it gives back of a unit; it does not expire.
    #[must_use]
    pub fn returned(&self, unit: Unit) -> i64 {
        if self.unit == unit { self.amount.min(0).saturating_neg() } else { 0 }
    }
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A reward with its opening entry.
    Reward(Box<Reward>),
    /// A correcting entry.
    Entry(Box<Entry>),
    /// Something that was spent, or given back.
    Redemption(Box<Redemption>),
}

impl Line {
    /// Whether its contribution to the balance is final.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Reward(reward) => reward.settled,
            Self::Entry(_) | Self::Redemption(_) => true,
        }
    }

    /// In whose ledger it is.
    #[must_use]
    pub fn participant(&self) -> &ParticipantId {
        match self {
            Self::Reward(reward) => &reward.participant,
            Self::Entry(entry) => &entry.participant,
            Self::Redemption(redemption) => &redemption.participant,
        }
    }

    /// When it was written.
    #[must_use]
    pub fn recorded_at(&self) -> DateTime<Utc> {
        match self {
            Self::Reward(reward) => reward.recorded_at,
            Self::Entry(entry) => entry.recorded_at,
            Self::Redemption(redemption) => redemption.recorded_at,
        }
    }
}

/// Adds one line to balances.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn add_line(balances: &mut Balances, line: &Line) -> Result<(), MoneyError> {
    let add = |a: i64, b: i64| a.checked_add(b).ok_or(MoneyError::Overflow);
    let minus = |a: i64| a.checked_neg().ok_or(MoneyError::Overflow);
    let (unit, delta, delivered, account, pending) = match line {
        Line::Reward(reward) => {
            let pending = if reward.settled { 0 } else { reward.payable };
            (reward.unit, reward.delta, reward.available, reward.account(), pending)
        }
        Line::Entry(entry) => (entry.unit, entry.delta, entry.available, entry.account, 0),
        Line::Redemption(redemption) => {
            let figures = balances.entry(redemption.unit).or_default();
            figures.available = add(figures.available, minus(redemption.amount)?)?;
            figures.spent = add(figures.spent, redemption.amount)?;
            return Ok(());
        }
    };
    // An action has no value: it is in the ledger as having happened, and in no balance.
    if RewardKind::is_action_unit(unit) {
        return Ok(());
    }
    let figures = balances.entry(unit).or_default();
    let place = match account {
        Account::Balance => &mut figures.available,
        Account::Cash => &mut figures.cash,
        Account::Elsewhere => &mut figures.elsewhere,
    };
    *place = add(*place, delivered)?;
    figures.pending = add(figures.pending, pending)?;
    figures.earned = add(figures.earned, delta.max(0))?;
    figures.reversed = add(figures.reversed, minus(delta.min(0))?)?;
    Ok(())
}

#[cfg(test)]
#[path = "balance_tests.rs"]
mod tests;
