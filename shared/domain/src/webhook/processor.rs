//! The processors whose webhooks are understood. Whatever differs between them to the rest of the engine is asked here; a
//! further processor is a further variant, and the compiler names every place that has to know it.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Event, EventError, Unverified};
use crate::id::Processor;
use crate::{chargebee, paddle, stripe};

/// Bounds of an endpoint's secret, in characters.
pub const SECRET_CHARS: std::ops::RangeInclusive<usize> = 16..=200;

/// How the signing secret of a Stripe endpoint begins.
const STRIPE_SECRET_PREFIX: &str = "whsec_";

/// A processor that can send webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookProcessor {
    /// Stripe.
    Stripe,
    /// Paddle Billing.
    Paddle,
    /// Chargebee.
    Chargebee,
}

impl WebhookProcessor {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stripe, Self::Paddle, Self::Chargebee];

    /// The one of a processor's name; `None` for a processor that sends no webhooks here.
    #[must_use]
    pub fn of(processor: &Processor) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.processor() == *processor)
    }

    /// The processor: the middle of its sources' ids, and a part of its endpoints' paths.
    #[must_use]
    pub fn processor(self) -> Processor {
        match self {
            Self::Stripe => stripe::processor(),
            Self::Paddle => paddle::processor(),
            Self::Chargebee => chargebee::processor(),
        }
    }

    /// The header, in lower case, that says who sends.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Stripe => stripe::signature::HEADER,
            Self::Paddle => paddle::HEADER,
            Self::Chargebee => chargebee::HEADER,
        }
    }

    /// Checks that whoever sent these bytes holds one of the endpoint's secrets. Call it before the body is parsed, with the
    /// body as received.
    ///
    /// # Errors
    /// [`Unverified`].
    pub fn verify(
        self,
        header: &str,
        body: &[u8],
        secrets: &[&str],
        now: DateTime<Utc>,
    ) -> Result<(), Unverified> {
        match self {
            Self::Stripe => stripe::signature::SCHEME.verify(header, body, secrets, now),
            Self::Paddle => paddle::SCHEME.verify(header, body, secrets, now),
            Self::Chargebee => chargebee::verify(header, secrets),
        }
    }

    /// Reads an event into facts and links.
    ///
    /// # Errors
    /// [`EventError`] names the field.
    pub fn parse(self, body: &[u8]) -> Result<Event, EventError> {
        match self {
            Self::Stripe => stripe::event::parse(body),
            Self::Paddle => paddle::parse(body),
            Self::Chargebee => chargebee::parse(body),
        }
    }

    /// What is wrong with an endpoint's secret: a key of another kind, pasted in its place, would refuse every event.
    ///
    /// # Errors
    /// What it must look like.
    pub fn check_secret(self, secret: &str) -> Result<(), &'static str> {
        let plain =
            SECRET_CHARS.contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic());
        let (fits, form) = match self {
            Self::Stripe => (
                secret.starts_with(STRIPE_SECRET_PREFIX),
                "must have 16 to 200 printable ASCII characters and begin with whsec_",
            ),
            Self::Paddle => (
                secret.starts_with(paddle::SECRET_PREFIX),
                "must have 16 to 200 printable ASCII characters and begin with pdl_ntfset_",
            ),
            Self::Chargebee => (
                secret
                    .split_once(':')
                    .is_some_and(|(user, password)| !user.is_empty() && !password.is_empty()),
                "must have 16 to 200 printable ASCII characters: user:password, as set at Chargebee",
            ),
        };
        if plain && fits { Ok(()) } else { Err(form) }
    }
}

#[cfg(test)]
#[path = "processor_tests.rs"]
mod tests;
