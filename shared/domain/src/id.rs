//! Identifiers. Each is parsed once, at the edge, and never holds a character that could forge a table key (`#`) or
//! break a path (`/`). Ids that stand for a business fact are derived from that fact, so a retry names the same row.

mod source;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::money::{Currency, Unit};

pub use source::{OWN, SourceId, SourceKind};

/// Longest identifier that a caller may choose, in bytes.
pub const EXTERNAL_ID_BYTES_MAX: usize = 128;

/// Characters in the random or derived part of an id: 26 base-32 digits, 130 bits.
const DIGITS: usize = 26;
/// Base-32 digits of a millisecond timestamp (50 bits, until the year 37648).
const TIME_DIGITS: usize = 10;
/// Base-32 digits that tell rewards of one participant and millisecond apart (50 bits).
const TAIL_DIGITS: usize = 10;

/// Crockford's alphabet in lower case: sorts like the number it encodes and has no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// An identifier that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty, or longer than allowed.
    #[error("must have 1 to {max} characters")]
    Length {
        /// Longest accepted, in characters.
        max: usize,
    },
    /// A character outside the accepted set.
    #[error("may hold only letters, digits and . _ : | - (use your own opaque id, not an e-mail address)")]
    Character,
    /// Not of the form `prefix_` and base-32 digits.
    #[error("must be an id of the form {form}")]
    Form {
        /// What the id looks like.
        form: &'static str,
    },
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the form and keeps the text verbatim.
            ///
            /// # Errors
            /// [`IdError`] says what the text must look like.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let check: fn(&str) -> Result<(), IdError> = $check;
                check(text).map(|()| Self(text.to_owned()))
            }

            /// The id as written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                String::schema()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

macro_rules! own_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        text_id!($(#[$doc])* $name, |text| check_own(text, $prefix, DIGITS, concat!($prefix, "<26 base-32 digits>")));

        impl $name {
            /// An id from 17 bytes of cryptographic randomness.
            #[must_use]
            pub fn from_entropy(entropy: &[u8; 17]) -> Self {
                Self(format!(concat!($prefix, "{}"), base32(entropy, DIGITS)))
            }

            /// The id of a business fact: the same parts give the same id.
            #[must_use]
            pub fn derive(parts: &[&str]) -> Self {
                Self(format!(concat!($prefix, "{}"), base32(&digest($prefix, parts), DIGITS)))
            }
        }
    };
}

macro_rules! placed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        text_id!($(#[$doc])* $name, |text| {
            check_own(text, $prefix, DIGITS + TIME_DIGITS + TAIL_DIGITS, concat!($prefix, "<46 base-32 digits>"))
        });

        impl $name {
            /// The id of what a participant has at a moment; `parts` tell it from others of that moment.
            fn placed(participant: &ParticipantId, at: DateTime<Utc>, parts: &[&str]) -> Self {
                let tail = base32(&digest($prefix, parts), TAIL_DIGITS);
                Self(format!(concat!($prefix, "{}{}{}"), participant.digits(), time_digits(at), tail))
            }

            /// Whose it is.
            #[must_use]
            pub fn participant(&self) -> ParticipantId {
                ParticipantId(format!("prt_{}", self.0.get(4..4 + DIGITS).unwrap_or_default()))
            }

            /// Where it stands among its participant's: time digits, then the tail.
            #[must_use]
            pub fn place(&self) -> (&str, &str) {
                let digits = self.0.get(4 + DIGITS..).unwrap_or_default();
                digits.split_at_checked(TIME_DIGITS).unwrap_or((digits, ""))
            }
        }
    };
}

own_id!(
    /// A tenant; owns everything below.
    OrganizationId, "org_"
);
own_id!(
    /// A configured scheme of one organization.
    ProgramId, "prg_"
);
own_id!(
    /// A participant of one program; derived from organization, program and the caller's own id.
    ParticipantId, "prt_"
);
own_id!(
    /// An API key (never its secret).
    ApiKeyId, "key_"
);
own_id!(
    /// A webhook endpoint for a payment processor.
    EndpointId, "whe_"
);
own_id!(
    /// A line of the ledger.
    EntryId, "led_"
);
own_id!(
    /// A billing run.
    BillingRunId, "run_"
);
own_id!(
    /// A payout batch.
    PayoutBatchId, "pob_"
);
own_id!(
    /// A line of a payout batch; derived from the batch and the participant.
    PayoutLineId, "pol_"
);
own_id!(
    /// A self-check.
    CheckId, "chk_"
);
own_id!(
    /// A campaign.
    CampaignId, "cmp_"
);
own_id!(
    /// A task for an administrator.
    TaskId, "tsk_"
);
own_id!(
    /// A queue message; derived from what it announces.
    MessageId, "msg_"
);
own_id!(
    /// Where an organization has its events sent.
    DestinationId, "dst_"
);
own_id!(
    /// The delivery of one event to one destination.
    DeliveryId, "dlv_"
);

text_id!(
    /// The caller's own id of a person, company or account: 1 to 128 of `A-Z a-z 0-9 . _ : | -`.
    ExternalId, check_external
);
text_id!(
    /// A payment processor's id of an invoice, payment, refund, charge, dispute or customer; same form as [`ExternalId`].
    ProcessorRef, check_external
);
text_id!(
    /// A customer's id at Stripe: `cus_`, then 1 to 60 letters and digits.
    StripeCustomerId, check_stripe_customer
);
text_id!(
    /// A payment processor or billing system: 1 to 32 of `a-z 0-9 _ -`.
    Processor, |text| check_slug(text, 32)
);
text_id!(
    /// A rule's name within its terms: 1 to 40 of `a-z 0-9 _ -`.
    RuleId, |text| check_slug(text, 40)
);
text_id!(
    /// The form or app that a code was entered in (`sign-up`, `tour`, `mobile`, ...): 1 to 40 of `a-z 0-9 _ -`.
    Channel, |text| check_slug(text, 40)
);
text_id!(
    /// The name of a group of participants, of a variant of the terms, or of a set of rules of which one applies: 1 to 40
    /// of `a-z 0-9 _ -`.
    Label, |text| check_slug(text, 40)
);
text_id!(
    /// A qualifying event's name (`booking_completed`, `webinar_attended`, ...): 1 to 32 of `a-z 0-9 _ -`.
    EventName, |text| check_slug(text, 32)
);
text_id!(
    /// A visitor's id as the caller's site made it (a random cookie value, say); same form as [`ExternalId`].
    VisitorId, check_external
);
impl DeliveryId {
    /// The delivery of an event to a destination: the same event told again is the same delivery.
    #[must_use]
    pub fn of(organization: &OrganizationId, event: &MessageId, destination: &DestinationId) -> Self {
        Self::derive(&[organization.as_str(), event.as_str(), destination.as_str()])
    }
}

impl PayoutLineId {
    /// The line that pays a participant in a batch.
    #[must_use]
    pub fn of(batch: &PayoutBatchId, participant: &ParticipantId) -> Self {
        Self::derive(&[batch.as_str(), participant.as_str()])
    }
}

impl Processor {
    /// The name under which e-mail addresses are kept, by their hash, beside the processors' customers.
    #[must_use]
    pub fn email() -> Self {
        Self("email".to_owned())
    }
}

impl ProcessorRef {
    /// A hash as a reference.
    #[must_use]
    pub(crate) fn of_hash(hash: [u8; 32]) -> Self {
        Self(hex::encode(hash))
    }
}

placed_id!(
    /// A reward. It names its own place: 26 digits of the participant, 10 of the time, 10 that tell twins apart.
    RewardId, "rwd_"
);
placed_id!(
    /// A partner invoice. It names its own place: 26 digits of the participant, 10 of the end of its period, 10 of the run
    /// and the currency.
    PartnerInvoiceId, "pin_"
);
placed_id!(
    /// A notification. It names its own place: 26 digits of the participant, 10 of the time, 10 of what it is about.
    NotificationId, "ntf_"
);
text_id!(
    /// What a participant unsubscribes with: 26 digits of the organization, 26 of the participant, 26 that only the engine
    /// can compute from these.
    UnsubscribeToken, |text| check_own(text, "uns_", 3 * DIGITS, "uns_<78 base-32 digits>")
);

impl ParticipantId {
    /// The participant that a program knows by `external_id`.
    #[must_use]
    pub fn of(organization: &OrganizationId, program: &ProgramId, external_id: &ExternalId) -> Self {
        Self::derive(&[organization.as_str(), program.as_str(), external_id.as_str()])
    }

    fn digits(&self) -> &str {
        self.0.get(4..).unwrap_or_default()
    }
}

impl RewardId {
    /// The reward of one rule for one recipient from one source, in one unit. `generation` counts the rewards that earlier
    /// were taken back before they were delivered.
    #[must_use]
    pub fn of(
        participant: &ParticipantId,
        recorded_at: DateTime<Utc>,
        source: &SourceId,
        rule: &RuleId,
        unit: Unit,
        generation: u32,
    ) -> Self {
        let parts = [&source.to_string(), rule.as_str(), unit.code(), &generation.to_string()];
        Self::placed(participant, recorded_at, &parts)
    }
}

impl PartnerInvoiceId {
    /// What one billing run makes for one participant in one currency, for a period that ends at `ends_at`.
    #[must_use]
    pub fn of(
        participant: &ParticipantId,
        ends_at: DateTime<Utc>,
        run: &BillingRunId,
        currency: Currency,
    ) -> Self {
        Self::placed(participant, ends_at, &[run.as_str(), currency.code()])
    }
}

impl NotificationId {
    /// What is sent to a participant at a moment about something: the same thing has the same id.
    #[must_use]
    pub fn of(participant: &ParticipantId, at: DateTime<Utc>, about: &[&str]) -> Self {
        Self::placed(participant, at, about)
    }
}

impl UnsubscribeToken {
    /// The token of a participant; `seal` is what only the engine can compute from both.
    #[must_use]
    pub fn new(organization: &OrganizationId, participant: &ParticipantId, seal: &[u8; 32]) -> Self {
        let organization = organization.as_str().get(4..).unwrap_or_default();
        Self(format!("uns_{organization}{}{}", participant.digits(), base32(seal, DIGITS)))
    }

    /// Whose it says to be: nothing is known of that until it is the token that [`Self::new`] makes for them.
    #[must_use]
    pub fn claims(&self) -> (OrganizationId, ParticipantId) {
        let digits = |from: usize| self.0.get(from..from.saturating_add(DIGITS)).unwrap_or_default();
        (OrganizationId(format!("org_{}", digits(4))), ParticipantId(format!("prt_{}", digits(4 + DIGITS))))
    }
}

/// A moment as ten base-32 digits that sort by time (millisecond resolution; moments before 1970 count as 1970).
#[must_use]
pub fn time_digits(at: DateTime<Utc>) -> String {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    (0..TIME_DIGITS).rev().map(|place| digit(millis >> (5 * place))).collect()
}

/// Reads such digits back.
#[must_use]
pub fn time_of(digits: &str) -> Option<DateTime<Utc>> {
    let value = |byte: u8| ALPHABET.iter().position(|known| *known == byte);
    let millis = digits
        .bytes()
        .try_fold(0_i64, |sum, byte| sum.checked_mul(32)?.checked_add(i64::try_from(value(byte)?).ok()?))?;
    DateTime::from_timestamp_millis(millis)
}

/// SHA-256 over length-framed parts, so that `("ab", "c")` and `("a", "bc")` differ.
pub(crate) fn digest(purpose: &str, parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in std::iter::once(&purpose).chain(parts) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// The first `length` base-32 digits of `bytes`.
fn base32(bytes: &[u8], length: usize) -> String {
    let mut text = String::with_capacity(length);
    let (mut bits, mut count) = (0_u64, 0_u32);
    for byte in bytes {
        if text.len() == length {
            break;
        }
        bits = (bits << 8) | u64::from(*byte);
        count += 8;
        while count >= 5 && text.len() < length {
            count -= 5;
            text.push(digit(bits >> count));
        }
        bits &= (1 << count) - 1;
    }
    text
}

fn digit(bits: u64) -> char {
    let index = usize::try_from(bits & 31).unwrap_or_default();
    ALPHABET.get(index).copied().map_or('0', char::from)
}

fn check_external(text: &str) -> Result<(), IdError> {
    if text.is_empty() || text.len() > EXTERNAL_ID_BYTES_MAX {
        return Err(IdError::Length { max: EXTERNAL_ID_BYTES_MAX });
    }
    let accepted = |c: char| c.is_ascii_alphanumeric() || "._:|-".contains(c);
    if text.chars().all(accepted) { Ok(()) } else { Err(IdError::Character) }
}

fn check_stripe_customer(text: &str) -> Result<(), IdError> {
    let form = IdError::Form { form: "cus_ and 1 to 60 letters and digits" };
    let rest = text.strip_prefix("cus_").ok_or(form.clone())?;
    let fits = (1..=60).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits { Ok(()) } else { Err(form) }
}

fn check_slug(text: &str, max: usize) -> Result<(), IdError> {
    if text.is_empty() || text.len() > max {
        return Err(IdError::Length { max });
    }
    let accepted = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    if text.chars().all(accepted) {
        Ok(())
    } else {
        Err(IdError::Form { form: "lower-case letters, digits, _ and -" })
    }
}

fn check_own(text: &str, prefix: &str, digits: usize, form: &'static str) -> Result<(), IdError> {
    let rest = text.strip_prefix(prefix).ok_or(IdError::Form { form })?;
    let accepted = |byte: u8| ALPHABET.contains(&byte);
    if rest.len() == digits && rest.bytes().all(accepted) { Ok(()) } else { Err(IdError::Form { form }) }
}

#[cfg(test)]
#[path = "id_tests.rs"]
mod tests;
