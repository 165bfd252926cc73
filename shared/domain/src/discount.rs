//! One-time discounts of the engine's own: a code that somebody shows to the caller's shop, which redeems it here once.
//!
//! A code is a secret of whoever has it: twelve signs of [`SIGNS`], 55 bits, so that nobody finds one by trying. Whose
//! reward it is stands beside it, but whoever shows it may use it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[cfg(doc)]
use crate::code::SIGNS;
use crate::code::{CodeError, INPUT_BYTES_MAX, clean_signs, is_filler, plain_signs, read_sign};
use crate::id::{OrganizationId, ParticipantId, ProcessorRef, ProgramId, RewardId};
use crate::ledger::Reward;
use crate::money::{Money, Percentage};

/// Signs of a discount code.
pub const DISCOUNT_SIGNS: usize = 12;
/// Signs between two dashes.
const GROUP: usize = 4;

/// A discount code. Stored as `2345CDFHJKMN` ([`Self::as_str`], and what serde writes); shown as `2345-CDFH-JKMN`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DiscountCode(String);

impl DiscountCode {
    /// Reads a code as a person types it: case, dashes and white space do not count, and a sign that was taken for its
    /// look-alike is read as it was meant.
    ///
    /// # Errors
    /// [`CodeError`]; such a text is no discount code.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if text.len() > INPUT_BYTES_MAX {
            return Err(CodeError::Length);
        }
        let typed = text.chars().filter(|sign| !is_filler(*sign)).map(|sign| sign.to_ascii_uppercase());
        let signs: Option<String> = typed.map(read_sign).collect();
        let signs = signs.ok_or(CodeError::Character)?;
        if signs.len() == DISCOUNT_SIGNS { Ok(Self(signs)) } else { Err(CodeError::Length) }
    }

    /// The code of a reward. `entropy` is a secret of the reward's, the same whenever it is asked for; `attempt` counts
    /// from 0 and rises when the code before was taken.
    #[must_use]
    pub fn generate(entropy: &[u8; 32], attempt: u32) -> Self {
        let clean = clean_signs(entropy, attempt, DISCOUNT_SIGNS).next();
        Self(clean.unwrap_or_else(|| plain_signs(entropy, attempt, DISCOUNT_SIGNS)))
    }

    /// As stored: upper case, no dash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DiscountCode {
    /// As shown: `2345-CDFH-JKMN`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, sign) in self.0.chars().enumerate() {
            if place > 0 && place % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{sign}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for DiscountCode {
    type Error = CodeError;
    fn try_from(text: String) -> Result<Self, CodeError> {
        Self::parse(&text)
    }
}

impl From<DiscountCode> for String {
    fn from(code: DiscountCode) -> Self {
        code.0
    }
}

/// What a discount takes off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worth {
    /// So many percent.
    PercentOff(Percentage),
    /// An amount.
    AmountOff(Money),
}

impl Worth {
    /// What the discount of a reward takes off when `amount` of the reward's unit is given; `None` when the reward is no
    /// discount: neither a percentage nor money.
    #[must_use]
    pub fn of(reward: &Reward, amount: i64) -> Option<Self> {
        match (reward.promise.percent_off, reward.unit.currency()) {
            (Some(percent), _) => Some(Self::PercentOff(percent)),
            (None, Some(currency)) => Some(Self::AmountOff(Money::new(amount, currency))),
            (None, None) => None,
        }
    }
}

/// How a discount was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redemption {
    /// For what: the caller's own id of an order, say.
    pub reference: ProcessorRef,
    /// When.
    pub at: DateTime<Utc>,
}

/// A discount, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// Its code.
    pub code: DiscountCode,
    /// Whose program.
    pub organization: OrganizationId,
    /// The program.
    pub program: ProgramId,
    /// The reward that it is.
    pub reward: RewardId,
    /// Who earned it.
    pub participant: ParticipantId,
    /// What it takes off.
    pub worth: Worth,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it can be used, exclusive; for ever unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
    /// How it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed: Option<Redemption>,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<DateTime<Utc>>,
}

/// Where a discount stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiscountState {
    /// It can be used.
    Open,
    /// It was used.
    Redeemed,
    /// It was taken back before it was used.
    Withdrawn,
    /// It was not used in time.
    Expired,
}

/// What the wish to use a discount comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeem {
    /// It is used now.
    Now,
    /// It was used for the same before: the same is answered.
    Before,
    /// It cannot be used; it is in this state, which is not [`DiscountState::Open`].
    Refused(DiscountState),
}

impl Discount {
    /// Where it stands. What was used stays so, whatever came later.
    #[must_use]
    pub fn state_at(&self, now: DateTime<Utc>) -> DiscountState {
        if self.redeemed.is_some() {
            DiscountState::Redeemed
        } else if self.withdrawn_at.is_some() {
            DiscountState::Withdrawn
        } else if self.valid_until.is_some_and(|until| now >= until) {
            DiscountState::Expired
        } else {
            DiscountState::Open
        }
    }

    /// What becomes of it when somebody wants to use it for `reference`.
    #[must_use]
    pub fn redeem(&self, reference: &ProcessorRef, now: DateTime<Utc>) -> Redeem {
        match (&self.redeemed, self.state_at(now)) {
            (Some(redeemed), _) if redeemed.reference == *reference => Redeem::Before,
            (_, DiscountState::Open) => Redeem::Now,
            (_, state) => Redeem::Refused(state),
        }
    }
}

#[cfg(test)]
#[path = "discount_tests.rs"]
mod tests;
