//! Stripe: the signature of its webhooks, and what its events say, in the shapes before and after the API version
//! 2025-03-31 ("basil"), which took the payment out of the invoice and the invoice out of the charge. And what has to be
//! known to call it: the form of its keys, and its minor units.

use crate::id::Processor;

pub mod api_key;
mod checkout;
mod credit;
mod dispute;
pub mod event;
mod invoice;
mod lines;
pub mod minor;
mod payer;
mod refund;
#[cfg(test)]
mod samples;
pub mod signature;
mod subscription;

/// Metadata key that holds the payer's id as the caller knows it; set on the subscription, the invoice, the checkout
/// session or the customer.
pub const EXTERNAL_ID_KEY: &str = "referral_external_id";

/// Stripe as a processor: the middle of `invoice/stripe/in_123`.
#[must_use]
#[expect(clippy::expect_used, reason = "a constant, and a test holds that it is a processor's name")]
pub fn processor() -> Processor {
    Processor::parse("stripe").expect("stripe is a valid slug")
}
