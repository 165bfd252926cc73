//! The `Stripe-Signature` header: `t=<unix seconds>,v1=<hex>,v1=<hex>,v0=...`.
//!
//! Signed is `<t>.<raw body>` with HMAC-SHA256, the key being the endpoint's whole secret with its `whsec_`. Several
//! `v1` stand there while a secret is rolled over. Stripe's own libraries refuse old timestamps only; here one from the
//! future is refused as well.

use chrono::{DateTime, Utc};

use crate::webhook::timed::Scheme;

/// Name of the header, in lower case. It has about 90 bytes, and 68 more for each further signature.
pub const HEADER: &str = "stripe-signature";
/// How Stripe signs.
pub const SCHEME: Scheme = Scheme { separator: ',', time: "t", signature: "v1", joint: '.' };

/// The header that Stripe would send; for tests, the demo and the local stage.
#[must_use]
pub fn sign(body: &[u8], secret: &str, at: DateTime<Utc>) -> String {
    SCHEME.sign(body, secret, at)
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
