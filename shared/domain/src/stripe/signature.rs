//! The `Stripe-Signature` header: `t=<unix seconds>,v1=<hex>,v1=<hex>,v0=...`.
//!
//! Signed is `<t>.<raw body>` with HMAC-SHA256, the key being the endpoint's whole secret with its `whsec_`. Several
//! `v1` stand there while a secret is rolled over. Stripe's own libraries refuse old timestamps only; here one from the
//! future is refused as well.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

/// Name of the header, in lower case.
pub const HEADER: &str = "stripe-signature";
/// How far the signature's time may lie from now, before or after.
pub const TOLERANCE_SECONDS: i64 = 300;
/// Longest header that is looked at; Stripe's has about 90 bytes and 68 more for each further signature.
pub const HEADER_BYTES_MAX: usize = 2048;

/// Most digits of a timestamp that is read: until the year 33658.
const TIMESTAMP_DIGITS_MAX: usize = 12;

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is too long, a part is not `name=value`, or there is not exactly one whole number as time.
    #[error("the Stripe-Signature header is malformed")]
    Malformed,
    /// No `v1` that is hexadecimal.
    #[error("the Stripe-Signature header has no v1 signature")]
    NoSignature,
    /// Signed too long ago, or in the future.
    #[error("the signature's time is more than {TOLERANCE_SECONDS} s from now")]
    Stale,
    /// No signature is that of any secret.
    #[error("no signature matches the body")]
    Mismatch,
}

/// Checks that whoever holds one of `secrets` signed exactly these bytes, near `now`. Call it before the body is
/// parsed, with the body as received. An empty secret matches nothing.
///
/// # Errors
/// [`SignatureError`], for the first of: form, presence, time, match.
pub fn verify(header: &str, body: &[u8], secrets: &[&str], now: DateTime<Utc>) -> Result<(), SignatureError> {
    let Header { time, signatures } = Header::parse(header)?;
    if signatures.is_empty() {
        return Err(SignatureError::NoSignature);
    }
    let seconds: i64 = time.parse().map_err(|_| SignatureError::Malformed)?;
    if now.timestamp().abs_diff(seconds) > TOLERANCE_SECONDS.unsigned_abs() {
        return Err(SignatureError::Stale);
    }
    // Every pair is compared, and each in constant time: the duration tells neither which matched nor how far.
    let mut matched = Choice::from(0);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let expected = digest(secret, time, body);
        for signature in &signatures {
            matched |= expected.as_slice().ct_eq(signature);
        }
    }
    if matched.into() { Ok(()) } else { Err(SignatureError::Mismatch) }
}

/// The header that Stripe would send; for tests, the demo and the local stage.
#[must_use]
pub fn sign(body: &[u8], secret: &str, at: DateTime<Utc>) -> String {
    let time = at.timestamp().to_string();
    format!("t={time},v1={}", hex::encode(digest(secret, &time, body)))
}

struct Header<'a> {
    /// Verbatim, since it is part of what is signed.
    time: &'a str,
    signatures: Vec<Vec<u8>>,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Result<Self, SignatureError> {
        if text.len() > HEADER_BYTES_MAX {
            return Err(SignatureError::Malformed);
        }
        let (mut time, mut signatures) = (None, Vec::new());
        for part in text.split(',') {
            let (name, value) = part.split_once('=').ok_or(SignatureError::Malformed)?;
            if value.contains('=') || (name == "t" && time.replace(value).is_some()) {
                return Err(SignatureError::Malformed);
            }
            if name == "v1"
                && let Ok(signature) = hex::decode(value)
            {
                signatures.push(signature);
            }
        }
        let is_time = |value: &&str| {
            (1..=TIMESTAMP_DIGITS_MAX).contains(&value.len())
                && value.bytes().all(|byte| byte.is_ascii_digit())
        };
        let time = time.filter(is_time).ok_or(SignatureError::Malformed)?;
        Ok(Self { time, signatures })
    }
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes a key of any length; the error is of the trait, not of HMAC"
)]
fn digest(secret: &str, time: &str, body: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
