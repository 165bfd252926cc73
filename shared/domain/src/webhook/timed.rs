//! Signatures of the kind that most processors send: one header with a time and one or more HMAC-SHA256 of time and body.
//! A processor of that kind states its [`Scheme`], and is done.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use super::Unverified;

/// How far a signature's time may lie from now, before or after.
pub const TOLERANCE_SECONDS: i64 = 300;
/// Longest header that is looked at.
pub const HEADER_BYTES_MAX: usize = 2048;
/// Most digits of a time that is read: until the year 33658.
const TIME_DIGITS_MAX: usize = 12;

/// How a processor writes the header, and what it signs.
#[derive(Debug, Clone, Copy)]
pub struct Scheme {
    /// Between the header's parts.
    pub separator: char,
    /// Name of the part that is the time.
    pub time: &'static str,
    /// Name of the parts that are signatures, in hexadecimal.
    pub signature: &'static str,
    /// What stands between time and body in what is signed.
    pub joint: char,
}

impl Scheme {
    /// Checks that whoever holds one of `secrets` signed exactly these bytes, near `now`. An empty secret matches nothing.
    ///
    /// # Errors
    /// [`Unverified`], for the first of: form, presence, time, match.
    pub fn verify(
        self,
        header: &str,
        body: &[u8],
        secrets: &[&str],
        now: DateTime<Utc>,
    ) -> Result<(), Unverified> {
        let (time, signatures) = self.read(header)?;
        if signatures.is_empty() {
            return Err(Unverified::NoSignature);
        }
        let seconds: i64 = time.parse().map_err(|_| Unverified::Malformed)?;
        if now.timestamp().abs_diff(seconds) > TOLERANCE_SECONDS.unsigned_abs() {
            return Err(Unverified::Stale);
        }
        // Every pair is compared, and each in constant time: the duration tells neither which matched nor how far.
        let mut matched = Choice::from(0);
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            let expected = self.digest(secret, time, body);
            for signature in &signatures {
                matched |= expected.as_slice().ct_eq(signature);
            }
        }
        if matched.into() { Ok(()) } else { Err(Unverified::Mismatch) }
    }

    /// The header that the processor would send; for tests and the local stage.
    #[must_use]
    pub fn sign(self, body: &[u8], secret: &str, at: DateTime<Utc>) -> String {
        let time = at.timestamp().to_string();
        let digest = hex::encode(self.digest(secret, &time, body));
        format!("{}={time}{}{}={digest}", self.time, self.separator, self.signature)
    }

    /// The time, verbatim since it is part of what is signed, and the signatures.
    fn read(self, header: &str) -> Result<(&str, Vec<Vec<u8>>), Unverified> {
        if header.len() > HEADER_BYTES_MAX {
            return Err(Unverified::Malformed);
        }
        let (mut time, mut signatures) = (None, Vec::new());
        for part in header.split(self.separator) {
            let (name, value) = part.split_once('=').ok_or(Unverified::Malformed)?;
            if value.contains('=') || (name == self.time && time.replace(value).is_some()) {
                return Err(Unverified::Malformed);
            }
            if name == self.signature
                && let Ok(signature) = hex::decode(value)
            {
                signatures.push(signature);
            }
        }
        let is_time = |value: &&str| {
            (1..=TIME_DIGITS_MAX).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit())
        };
        Ok((time.filter(is_time).ok_or(Unverified::Malformed)?, signatures))
    }

    #[expect(
        clippy::expect_used,
        reason = "HMAC takes a key of any length; the error is of the trait, not of HMAC"
    )]
    fn digest(self, secret: &str, time: &str, body: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
        mac.update(time.as_bytes());
        mac.update(self.joint.to_string().as_bytes());
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
#[path = "timed_tests.rs"]
mod tests;
