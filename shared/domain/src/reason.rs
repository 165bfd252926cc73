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
    AwaitingRate = "awaiting_rate",
        "The exchange rate of its day has not been given yet; parked and decided again when it is.";
    NotReferred = "not_referred", "The payer signed up without a referral code.";
    PaidBeforeSignup = "paid_before_signup",
        "The payment lies further before the sign-up than the terms' grace; nothing is paid retroactively.";
    ProgramNotActive = "program_not_active", "The program was not active at the time.";
    ZeroAmount = "zero_amount", "Nothing was paid.";
    OutOfBand = "out_of_band",
        "The invoice was paid outside the payment processor, and the terms do not accept that.";
    Refunded = "refunded", "The whole payment was refunded.";
    Disputed = "disputed", "The payment is disputed.";
    Voided = "voided", "The invoice was voided.";
    RoundsToZero = "rounds_to_zero", "The reward is less than one minor unit.";
    TrackOnly = "track_only", "The program tracks referrals and pays nothing.";
    ParticipantDisabled = "participant_disabled", "The referrer's participation was switched off at the time.";
    ReferralInactive = "referral_inactive", "The referral had been removed before.";
    PaidBeforeAssignment = "paid_before_assignment",
        "The referrer was assigned later; nothing is paid retroactively.";
    RulePaused = "rule_paused", "The rule is paused.";
    OtherTrigger = "other_trigger", "The rule is triggered by another event.";
    OtherVariant = "other_variant", "The rule belongs to another variant of the terms.";
    ValidityOver = "validity_over", "The event lies after the rule's validity period.";
    DurationOver = "duration_over", "The event lies after the months for which the rule pays.";
    NoUsedCode = "no_used_code", "The referee entered no code.";
    ChannelNotMatched = "channel_not_matched", "The referee came through another channel.";
    ExistingCustomer = "existing_customer", "The referee was a customer before.";
    PlanNotMatched = "plan_not_matched", "The event is for another plan.";
    ProductNotMatched = "product_not_matched", "The event is for another product.";
    CountryNotMatched = "country_not_matched", "The event is from another country.";
    MetadataNotMatched = "metadata_not_matched", "The event's metadata differs from what the rule asks for.";
    BelowMinimumPurchase = "below_minimum_purchase", "The purchase is below the rule's minimum.";
    CurrencyNotOffered = "currency_not_offered", "The rule has no amount in the currency of the event.";
    LineNotMatched = "line_not_matched", "No line of the invoice is one that the rule is about.";
    LinesUnknown = "lines_unknown", "The rule is about single lines, and not all lines of the invoice are known.";
    BasisUnknown = "basis_unknown", "The event does not say the figure that the rule takes a share of.";
    EarlierRuleApplied = "earlier_rule_applied", "An earlier rule of the same set applied.";
    NotFirstPayment = "not_first_payment", "The rule pays for the first payment only.";
    AlreadyEnrolled = "already_enrolled", "The rule pays once, and has.";
    RefereeLimitReached = "referee_limit_reached", "The rule has paid for this referee as often as it may.";
    CapReached = "cap_reached", "The recipient has received as much as the rule may give in the period.";
    BelowFirstTier = "below_first_tier", "What is counted is below the lowest tier.";
    MilestoneNotReached = "milestone_not_reached", "Fewer referrals have qualified than the milestone asks for.";
    TakenBack = "taken_back", "The reward was taken back, rejected or left to expire.";
    Granted = "granted", "Given by hand.";
    Cancelled = "cancelled", "The event was cancelled.";
    ChannelNotAccepted = "channel_not_accepted", "The program accepts no codes through this channel.";
    CodeNotYetValid = "code_not_yet_valid", "The code cannot be used yet.";
    CodeExpired = "code_expired", "The code cannot be used any more.";
    CodeLimitReached = "code_limit_reached", "The code was used as often as it may be.";
    ReferrerLimitReached = "referrer_limit_reached", "The referrer has as many referrals as the program allows.";
    CodeNotFound = "code_not_found", "No participant of this organization has the code.";
    SelfReferral = "self_referral", "The referee is the referrer.";
    AlreadyReferred = "already_referred", "The referee was referred before with another code; the first bind stands.";
    AlreadySignedUp = "already_signed_up", "The referee signed up before without a code; that stands.";
    CustomerTaken = "customer_taken", "The processor's customer belongs to another referee.";
    PayerMismatch = "payer_mismatch", "The source belongs to another payer.";
    CurrencyMismatch = "currency_mismatch", "The source is in another currency.";
    TooManyReversals = "too_many_reversals",
        "The source has more refunds, credits or disputes than can be kept.";
    TooManyDetails = "too_many_details",
        "The source has more lines, labels or payments from elsewhere than can be kept.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
