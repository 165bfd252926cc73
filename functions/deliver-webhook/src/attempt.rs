//! One attempt: a signed POST, and what came back.

use std::time::Duration;

use aws::Clock;
use aws::outbound::{Answer, Limits, Outbound, OutboundError};
use aws::store::{DeliveryRow, DestinationRow};
use chrono::{DateTime, Utc};
use domain::delivery::signature::sign;
use domain::delivery::{Attempt, AttemptError, excerpt, retry_after};
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{Request, StatusCode};

/// How far a call goes.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(15), body_bytes: 64 * 1_024 };
/// Who calls.
const AGENT: &str = "referral-engine-webhooks/1";
/// Most characters of an error that are kept.
const DETAIL_CHARS_MAX: usize = 200;

/// What became of an attempt.
#[derive(Debug)]
pub(crate) struct Answered {
    /// For the row.
    pub(crate) attempt: Attempt,
    /// How long the receiver wants to be left alone, in seconds.
    pub(crate) retry_after: Option<i64>,
}

/// Sends a delivery's body, signed with every secret that is valid.
pub(crate) async fn make(
    outbound: &Outbound,
    clock: &Clock,
    destination: &DestinationRow,
    row: &DeliveryRow,
    secrets: &[String],
) -> Answered {
    let at = clock.now();
    let answer = match request(destination, row, secrets, at) {
        Ok(request) => outbound.send(request, LIMITS).await,
        Err(error) => Err(OutboundError::Unsendable { detail: error.to_string() }),
    };
    let now = clock.now();
    let duration_ms = u64::try_from((now - at).num_milliseconds()).unwrap_or_default();
    let attempt = Attempt { at, duration_ms, status: None, error: None, detail: None, answer: None };
    match answer {
        Ok(answer) => Answered { retry_after: asked(&answer, now), attempt: answered(attempt, &answer) },
        Err(error) => Answered { attempt: unanswered(attempt, &error), retry_after: None },
    }
}

fn request(
    destination: &DestinationRow,
    row: &DeliveryRow,
    secrets: &[String],
    at: DateTime<Utc>,
) -> Result<Request<Vec<u8>>, http::Error> {
    let signatures: Vec<String> =
        secrets.iter().filter_map(|secret| sign(&row.event, at, &row.body, secret)).collect();
    Request::post(&destination.url)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, AGENT)
        .header("webhook-id", row.event.as_str())
        .header("webhook-timestamp", at.timestamp())
        .header("webhook-signature", signatures.join(" "))
        .body(row.body.clone().into_bytes())
}

fn asked(answer: &Answer, now: DateTime<Utc>) -> Option<i64> {
    retry_after(answer.headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

fn answered(attempt: Attempt, answer: &Answer) -> Attempt {
    Attempt { status: Some(answer.status.as_u16()), answer: excerpt(&answer.body), ..attempt }
}

fn unanswered(attempt: Attempt, error: &OutboundError) -> Attempt {
    let (status, kind) = match error {
        // The status says whether it was taken, however long the body is.
        OutboundError::Body { status, .. } => (Some(StatusCode::as_u16(status)), None),
        OutboundError::NotAllowed { .. } => (None, Some(AttemptError::AddressNotAllowed)),
        OutboundError::Unreachable { .. } | OutboundError::Unsendable { .. } => {
            (None, Some(AttemptError::Unreachable))
        }
        OutboundError::Timeout { .. } => (None, Some(AttemptError::Timeout)),
    };
    let detail: String = error.to_string().chars().take(DETAIL_CHARS_MAX).collect();
    Attempt { status, error: kind, detail: Some(detail), ..attempt }
}

#[cfg(test)]
#[path = "attempt_tests.rs"]
mod tests;
