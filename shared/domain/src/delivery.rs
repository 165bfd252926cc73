//! Deliveries of events to their destinations: how an attempt ended, what that leads to, and when the next one is due.

pub mod signature;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::id::DeliveryId;

/// Seconds from each attempt to the next, before the jitter: ten attempts in a little over three days.
const DELAYS_SECONDS: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// The jitter is at most this part of a delay, and only ever adds to it.
const JITTER_PART: u64 = 10;
/// The longest that a receiver can put off the next attempt.
const RETRY_AFTER_SECONDS_MAX: i64 = 86_400;
/// Answers by which a receiver can say when to come again.
const BUSY: [u16; 4] = [429, 502, 503, 504];
/// By this answer a receiver says that it wants no more events.
const GONE: u16 = 410;
/// A destination at which nothing has succeeded for so long is disabled by the next failure.
const FAILING_DAYS: i64 = 5;
/// Most attempts that are kept of a delivery: those of two rounds.
const ATTEMPTS_KEPT: usize = 20;
/// Most bytes of an answer that are kept.
const ANSWER_BYTES_MAX: usize = 1_024;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is being attempted, or will be.
    Pending,
    /// The receiver has answered 2xx.
    Delivered,
    /// It is given up, unless it is replayed.
    Failed,
}

/// Why a delivery is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The last of ten attempts has failed.
    AttemptsExhausted,
    /// The receiver has answered 410.
    DestinationGone,
    /// The destination was disabled.
    DestinationDisabled,
    /// The destination was removed.
    DestinationRemoved,
}

/// Why an attempt has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptError {
    /// The name stands for no address that may be called.
    AddressNotAllowed,
    /// Nobody could be reached, the connection broke, or the certificate is not good.
    Unreachable,
    /// There was no answer within 15 seconds.
    Timeout,
}

/// Why a destination gets no events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledBecause {
    /// Its owner has said so.
    Owner,
    /// Nothing was delivered for five days, and what was attempted failed.
    Failing,
    /// It has answered 410.
    Gone,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The HTTP status of the answer; null without one.
    pub status: Option<u16>,
    /// Why there is no answer.
    pub error: Option<AttemptError>,
    /// The same in words.
    pub detail: Option<String>,
    /// The first kilobyte of the answer's body; null where it has none, or more than 64 KiB.
    pub answer: Option<String>,
}

/// What an attempt leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is delivered.
    Delivered,
    /// It is attempted again.
    At(DateTime<Utc>),
    /// It is given up.
    Failed(Failure),
}

impl Attempt {
    /// Whether the event was taken: by 2xx alone. A redirect is not followed.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the receiver wants no more events.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.status == Some(GONE)
    }
}

/// What an attempt leads to; it was the delivery's `tries`th of this round and ended at `now`. `retry_after` is what the
/// receiver asks for, in seconds.
#[must_use]
pub fn next(
    delivery: &DeliveryId,
    tries: u32,
    attempt: &Attempt,
    retry_after: Option<i64>,
    now: DateTime<Utc>,
) -> Next {
    if attempt.succeeded() {
        return Next::Delivered;
    }
    if attempt.is_gone() {
        return Next::Failed(Failure::DestinationGone);
    }
    let Some(delay) = delay(delivery, tries) else { return Next::Failed(Failure::AttemptsExhausted) };
    let asked = retry_after.filter(|_| attempt.status.is_some_and(|status| BUSY.contains(&status)));
    let asked = asked.unwrap_or_default().clamp(0, RETRY_AFTER_SECONDS_MAX);
    Next::At(now + delay.max(Duration::seconds(asked)))
}

/// How long after the `tries`th attempt the next one is due; `None` after the last. What comes on top of the schedule is
/// the same for the same delivery and attempt, and differs between deliveries: they do not all come back at once.
fn delay(delivery: &DeliveryId, tries: u32) -> Option<Duration> {
    let index = usize::try_from(tries.checked_sub(1)?).ok()?;
    let seconds = *DELAYS_SECONDS.get(index)?;
    let digest = Sha256::digest(format!("{delivery}.{tries}"));
    let number = digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let most = seconds.unsigned_abs().saturating_mul(1_000) / JITTER_PART;
    let jitter = i64::try_from(number % most.saturating_add(1)).unwrap_or_default();
    Some(Duration::seconds(seconds) + Duration::milliseconds(jitter))
}

/// Whether a destination that has failed since then without a success is to be disabled.
#[must_use]
pub fn has_failed_long_enough(failing_since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - failing_since >= Duration::days(FAILING_DAYS)
}

/// Adds an attempt to those that are kept.
pub fn keep(attempts: &mut Vec<Attempt>, attempt: Attempt) {
    attempts.push(attempt);
    let surplus = attempts.len().saturating_sub(ATTEMPTS_KEPT);
    attempts.drain(..surplus);
}

/// What is kept of an answer's body.
#[must_use]
pub fn excerpt(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body.get(..ANSWER_BYTES_MAX).unwrap_or(body)).into_owned();
    // What is no UTF-8 became longer: cut at a character.
    let end = (0..=ANSWER_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    let kept = text.get(..end.unwrap_or_default()).unwrap_or_default();
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// What a receiver asks for by the header `Retry-After`, in seconds: a number, or a date.
#[must_use]
pub fn retry_after(header: &str, now: DateTime<Utc>) -> Option<i64> {
    let header = header.trim();
    match header.parse::<u32>() {
        Ok(seconds) => Some(seconds.into()),
        Err(_) => {
            DateTime::parse_from_rfc2822(header).ok().map(|at| (at.to_utc() - now).num_seconds().max(0))
        }
    }
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
