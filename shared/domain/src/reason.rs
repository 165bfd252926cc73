//! Reason codes: the stable words in which every decision and every refusal is explained. Listed for callers in
//! `docs/problems.md`.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)+) => {
        /// Why a decision or a refusal came out as it did.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[$doc])* #[doc = $text] #[serde(rename = $code)] $name,)+
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// One sentence for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

reasons! {
    Earned = "earned", "The rule fired and its reward stands.";
    AwaitingPayment = "awaiting_payment", "The source is known, but no payment of it yet.";
    AwaitingSignup = "awaiting_signup",
        "The payer is known, but has not signed up yet; parked and decided again when the sign-up arrives.";
    PayerUnknown = "payer_unknown",
        "The processor's customer is not tied to anybody yet; parked and decided again when it is.";
    NotReferred = "not_referred", "The payer signed up without a referral code.";
    PaidBeforeSignup = "paid_before_signup",
        "The payment lies further before the sign-up than the terms' grace; nothing is paid retroactively.";
    ProgramNotActive = "program_not_active", "The program was not active at the time.";
    ZeroAmount = "zero_amount", "Nothing was paid.";
    Refunded = "refunded", "The whole payment was refunded.";
    Disputed = "disputed", "The payment is disputed.";
    Voided = "voided", "The invoice was voided.";
    RoundsToZero = "rounds_to_zero", "The reward is less than one minor unit.";
    CodeNotFound = "code_not_found", "No participant of this organization has the code.";
    SelfReferral = "self_referral", "The referee is the referrer.";
    AlreadyReferred = "already_referred", "The referee was referred before with another code; the first bind stands.";
    AlreadySignedUp = "already_signed_up", "The referee signed up before without a code; that stands.";
    CustomerTaken = "customer_taken", "The processor's customer belongs to another referee.";
    PayerMismatch = "payer_mismatch", "The source belongs to another payer.";
    CurrencyMismatch = "currency_mismatch", "The source is in another currency.";
    TooManyReversals = "too_many_reversals", "The source has more refunds or disputes than can be kept.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
