//! How a reward reaches its recipient, and how far that has come.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::StripeCustomerId;
use crate::terms::{Deliverer, RewardKind};

/// Days that a listener has to confirm its delivery, unless the rule says otherwise.
pub const CONFIRM_DAYS: u32 = 30;
/// Most characters of what is told of a failure.
pub(super) const DETAIL_CHARS_MAX: usize = 300;
/// Seconds until a step is tried again, by how often it has been tried: a little more than two days in all.
const BACK_OFF_SECONDS: [u32; 10] = [60, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 57_600, 86_400];
/// Longest wait that somebody outside can ask for: a day.
const WAIT_SECONDS_MAX: u32 = 86_400;

/// How a reward reaches its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It becomes available in the recipient's balance here.
    Balance,
    /// It is owed, and paid out by partner invoices.
    Cash,
    /// By a one-time discount code of the engine's own.
    Code,
    /// By the payment processor: credit on the customer's next invoice.
    ProcessorCredit,
    /// By the payment processor: a promotion code for the customer.
    ProcessorDiscount,
    /// By whoever listens, and confirms it.
    Listener,
    /// It has no value: that it is told is all.
    Action,
}

/// Where a reward's value is counted once it is delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// The recipient's balance, which can be spent.
    #[default]
    Balance,
    /// Money that partner invoices pay out.
    Cash,
    /// Elsewhere: nothing here can be spent of it.
    Elsewhere,
}

impl Account {
    /// Whether it is the usual one.
    #[must_use]
    pub fn is_balance(&self) -> bool {
        *self == Self::Balance
    }
}

impl Way {
    /// The way of a kind, by who delivers it; each kind has a usual one.
    #[must_use]
    pub const fn of(kind: RewardKind, deliverer: Option<Deliverer>) -> Self {
        match (kind, deliverer) {
            (RewardKind::Message | RewardKind::Task | RewardKind::Webhook, _) => Self::Action,
            (RewardKind::Product, _) | (_, Some(Deliverer::Listener)) => Self::Listener,
            (RewardKind::InvoiceCredit, _) => Self::ProcessorCredit,
            (RewardKind::Discount, Some(Deliverer::Processor)) => Self::ProcessorDiscount,
            (RewardKind::Discount, _) => Self::Code,
            (RewardKind::Cash, _) => Self::Cash,
            (RewardKind::Allowance | RewardKind::Points, _) => Self::Balance,
        }
    }

    /// Who can deliver a kind; the first is the usual one.
    #[must_use]
    pub const fn deliverers(kind: RewardKind) -> &'static [Deliverer] {
        match kind {
            RewardKind::Allowance | RewardKind::Points | RewardKind::Cash => {
                &[Deliverer::Engine, Deliverer::Listener]
            }
            RewardKind::InvoiceCredit => &[Deliverer::Processor, Deliverer::Listener],
            RewardKind::Discount => &[Deliverer::Engine, Deliverer::Processor, Deliverer::Listener],
            RewardKind::Product => &[Deliverer::Listener],
            RewardKind::Message | RewardKind::Task | RewardKind::Webhook => &[Deliverer::Engine],
        }
    }

    /// Where what is delivered so is counted.
    #[must_use]
    pub const fn account(self) -> Account {
        match self {
            Self::Balance => Account::Balance,
            Self::Cash => Account::Cash,
            Self::Code | Self::ProcessorCredit | Self::ProcessorDiscount | Self::Listener | Self::Action => {
                Account::Elsewhere
            }
        }
    }

    /// Whether it is made of steps outside.
    #[must_use]
    pub const fn has_steps(self) -> bool {
        matches!(self, Self::Code | Self::ProcessorCredit | Self::ProcessorDiscount)
    }
}

/// Something that the outside is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untold {
    /// What.
    pub news: News,
    /// Tells it from other news of the same kind of the same reward.
    pub number: u32,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// What can have happened to a reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// It was earned.
    Earned,
    /// It waits.
    Held,
    /// It was approved.
    Approved,
    /// It was delivered.
    Fulfilled,
    /// Something of it was taken back.
    Reversed,
    /// Something of it was given again.
    Restored,
    /// It was rejected.
    Rejected,
    /// It was not used, or not approved, in time.
    Expired,
    /// It could not be delivered.
    Failed,
}

/// A delivery that somebody else is to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handed {
    /// Since when.
    pub at: DateTime<Utc>,
    /// Until when it has to be confirmed.
    pub until: DateTime<Utc>,
}

/// Why a delivery has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// A stable code: `docs/fulfillment.md` says what to do about each.
    #[schema(example = "currency_mismatch")]
    pub code: String,
    /// What happened, for people.
    pub detail: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What has been done outside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// How many steps are done.
    #[serde(default)]
    pub steps: u32,
    /// What they have given in all, in minor units.
    #[serde(default)]
    pub given: i64,
    /// Whom they are for there, from the first that may have been made on: who is given to is who is taken back from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<StripeCustomerId>,
    /// The key that the next step begins with: above 0 where a key of it has been used already.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub next_key: u32,
    /// What the latest is called there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The step that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sending: Option<Sending>,
}

/// A step that is under way: noted before anybody is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// What it gives; below zero when it takes back.
    pub amount: i64,
    /// The key that it is sent under, from 0.
    pub key: u32,
    /// Since when that key is used.
    pub key_since: DateTime<Utc>,
    /// How often it has been tried in vain since it was begun, or since somebody let it be tried again.
    #[serde(default)]
    pub tries: u32,
}

const fn is_zero(key: &u32) -> bool {
    *key == 0
}

impl Outside {
    /// With the next step begun, if one is needed so that `net` stands outside too. A step that is under way goes on as it is.
    #[must_use]
    pub fn begun(&self, net: i64, to: Option<&StripeCustomerId>, now: DateTime<Utc>) -> Self {
        let amount = net.saturating_sub(self.given);
        let next = Sending { amount, key: self.next_key, key_since: now, tries: 0 };
        let sending = self.sending.clone().or_else(|| (amount != 0).then_some(next));
        Self { sending, to: self.to.clone().or_else(|| to.cloned()), ..self.clone() }
    }

    /// With the step that was under way refused, as things stand. One that was sent for the first time was not made, nor was
    /// one for no customer, which no processor was ever sent: it can be begun again as another. Of any other it is not known,
    /// since whoever sent it before may have been stopped, or have got no answer: it stays, and whoever tries again looks
    /// first.
    #[must_use]
    pub fn refused(&self, is_first: bool, now: DateTime<Utc>) -> Self {
        match &self.sending {
            Some(sending) if is_first || self.to.is_none() => Self {
                next_key: sending.key.saturating_add(1),
                to: self.to.clone().filter(|_| self.steps > 0),
                sending: None,
                ..self.clone()
            },
            Some(sending) => Self { sending: Some(sending.again(true, now)), ..self.clone() },
            None => self.clone(),
        }
    }

    /// With the step that was under way done.
    #[must_use]
    pub fn done(&self, reference: String) -> Self {
        let given = self.sending.as_ref().map_or(0, |sending| sending.amount);
        Self {
            steps: self.steps.saturating_add(1),
            given: self.given.saturating_add(given),
            to: self.to.clone(),
            next_key: 0,
            reference: Some(reference),
            sending: None,
        }
    }
}

impl Sending {
    /// After a try in vain; under a new key where the old one cannot be used again.
    #[must_use]
    pub fn again(&self, renew: bool, now: DateTime<Utc>) -> Self {
        let tries = self.tries.saturating_add(1);
        if renew {
            Self { key: self.key.saturating_add(1), key_since: now, tries, ..self.clone() }
        } else {
            Self { tries, ..self.clone() }
        }
    }

    /// When it is tried next, `after_seconds` at the earliest where somebody asks for that; `None` when it has been tried
    /// often enough.
    #[must_use]
    pub fn next_try(&self, after_seconds: Option<u32>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let index = usize::try_from(self.tries.saturating_sub(1)).unwrap_or(usize::MAX);
        let wait = *BACK_OFF_SECONDS.get(index)?;
        let wait = wait.max(after_seconds.unwrap_or(0).min(WAIT_SECONDS_MAX));
        Some(now + Duration::seconds(i64::from(wait)))
    }
}

impl Failure {
    /// A failure; what is told of it is cut to 300 characters.
    #[must_use]
    pub fn new(code: &str, detail: &str, at: DateTime<Utc>) -> Self {
        Self { code: code.to_owned(), detail: detail.chars().take(DETAIL_CHARS_MAX).collect(), at }
    }
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
