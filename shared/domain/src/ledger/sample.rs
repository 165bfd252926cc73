//! What the tests of the ledger stand on: what one rule gives Anna for one invoice of Ben's.

use chrono::{DateTime, Utc};

use super::{Cause, Context, Delta, Posted, Promise};
use crate::id::{ExternalId, OrganizationId, ParticipantId, ProgramId, RuleId, SourceId};
use crate::money::{Currency, Money};

pub(crate) fn usd(amount: i64) -> Money {
    Money::new(amount, Currency::parse("USD").unwrap())
}

/// What gives or takes back so many cents.
pub(crate) fn delta(amount: i64, posted: Option<Posted>, promise: Promise) -> Delta {
    let anna = ExternalId::parse("anna").unwrap();
    Delta {
        source: SourceId::parse("invoice/stripe/in_1").unwrap(),
        rule: RuleId::parse("commission").unwrap(),
        recipient: ParticipantId::of(&OrganizationId::derive(&["o"]), &ProgramId::derive(&["p"]), &anna),
        amount: usd(amount),
        posted,
        promise,
    }
}

/// What is the same for every line of a moment.
pub(crate) fn context(at: DateTime<Utc>) -> Context {
    Context {
        program: ProgramId::derive(&["p"]),
        terms_version: 1,
        referee: ExternalId::parse("ben").unwrap(),
        opens: Cause::Earned,
        takes_back: Cause::Refund,
        note: None,
        occurred_at: at,
        recorded_at: at,
    }
}
