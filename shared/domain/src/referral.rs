//! Attribution: who referred whom. A referee is bound once; the first sign-up stands.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::code::ReferralCode;
use crate::id::{Channel, ExternalId, ParticipantId, ProgramId};
use crate::program::ProgramStatus;
use crate::reason::Reason;
use crate::terms::{Precedence, TermsDraft};
use crate::touch::{self, Share, Touch};

/// How far back a sign-up may be reported, in days.
pub const SIGNUP_AGE_DAYS_MAX: i64 = 30;
/// How far ahead of the engine's clock a reported moment may lie, in seconds.
pub const CLOCK_SKEW_SECONDS_MAX: i64 = 300;

/// Most referrals of one referee, one after the other.
pub const REFERRALS_MAX: usize = 20;

/// The binding of a referee to the referrer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referral {
    /// The one who was referred.
    pub referee: ExternalId,
    /// How many referrals the referee had before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u32,
    /// The program of the code or link.
    pub program: ProgramId,
    /// The participant who referred; of several, the one with the largest share.
    pub referrer: ParticipantId,
    /// Everybody's share, where several share the referral.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<Share>,
    /// The code that the referee entered, or that was in the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_code: Option<ReferralCode>,
    /// How the referrer was found.
    #[serde(default)]
    pub found_by: FoundBy,
    /// The touches that were chosen, oldest first, where links decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touches: Vec<ChosenTouch>,
    /// The form or app that the referee came through.
    pub channel: Channel,
    /// Whether the referee was a customer before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub existing_customer: bool,
    /// When the referee signed up (business time).
    pub signed_up_at: DateTime<Utc>,
    /// When an administrator assigned the referrer, if one did: it earns from then on only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_at: Option<DateTime<Utc>>,
    /// Since when the referral is inactive: removed by an administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactive_from: Option<DateTime<Utc>>,
    /// When the engine was told.
    pub recorded_at: DateTime<Utc>,
}

/// How a referrer was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    /// By the code that the referee entered.
    #[default]
    Code,
    /// By the links that the referee followed.
    Link,
    /// By an administrator.
    Assignment,
}

/// A touch that a referral rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChosenTouch {
    /// Whose link.
    pub participant: ParticipantId,
    /// When.
    pub at: DateTime<Utc>,
}

const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Referral {
    /// Everybody who referred, with their shares' weights.
    #[must_use]
    pub fn referrers(&self) -> Vec<Share> {
        if self.shares.is_empty() {
            vec![Share { participant: self.referrer.clone(), weight: 1 }]
        } else {
            self.shares.clone()
        }
    }

    /// When the referral was made, as far as terms are concerned.
    #[must_use]
    pub fn bound_at(&self) -> DateTime<Utc> {
        self.assigned_at.unwrap_or(self.signed_up_at)
    }

    fn holds_at(&self, at: DateTime<Utc>) -> bool {
        self.assigned_at.is_none_or(|from| at >= from) && self.inactive_from.is_none_or(|until| at < until)
    }
}

/// What is known of a payer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time is read, and most payers were not referred")]
pub enum Binding {
    /// No sign-up yet.
    Unknown,
    /// Signed up without a code; earns nothing for anybody.
    Organic {
        /// When (business time).
        signed_up_at: DateTime<Utc>,
    },
    /// Referred.
    Bound {
        /// The latest referral.
        referral: Referral,
        /// Those that were removed before, oldest first.
        former: Vec<Referral>,
    },
}

impl Binding {
    /// The referral that holds for an event of `at`.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn referral_at(&self, at: DateTime<Utc>) -> Result<&Referral, Reason> {
        let (referral, former) = match self {
            Self::Unknown => return Err(Reason::AwaitingSignup),
            Self::Organic { .. } => return Err(Reason::NotReferred),
            Self::Bound { referral, former } => (referral, former),
        };
        let found = std::iter::once(referral).chain(former.iter().rev()).find(|known| known.holds_at(at));
        let removed = || {
            former.iter().chain([referral]).any(|known| known.inactive_from.is_some_and(|from| at >= from))
        };
        found.ok_or_else(|| if removed() { Reason::ReferralInactive } else { Reason::PaidBeforeAssignment })
    }

    /// The referral that an event of `at` is judged under, and why it earns nothing by it, if no referral holds then: it is
    /// the one that the event was judged under `before`, so that what was counted by it is counted no more.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn judged_at(&self, at: DateTime<Utc>, before: u32) -> Result<(&Referral, Option<Reason>), Reason> {
        let known = |reason| self.numbered(before).map(|referral| (referral, Some(reason))).ok_or(reason);
        self.referral_at(at).map_or_else(known, |referral| Ok((referral, None)))
    }

    fn numbered(&self, number: u32) -> Option<&Referral> {
        let Self::Bound { referral, former } = self else { return None };
        former.iter().chain([referral]).find(|known| known.number == number)
    }

    /// The latest referral, removed or not.
    #[must_use]
    pub const fn latest(&self) -> Option<&Referral> {
        match self {
            Self::Bound { referral, .. } => Some(referral),
            Self::Unknown | Self::Organic { .. } => None,
        }
    }
}

/// A sign-up as it was reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signup {
    /// Who signed up.
    pub referee: ExternalId,
    /// The code entered, if any.
    pub code: Option<ReferralCode>,
    /// The form or app.
    pub channel: Channel,
    /// Whether the referee was a customer before.
    pub existing_customer: bool,
    /// When (business time).
    pub signed_up_at: DateTime<Utc>,
}

/// Whose a code is, and when and how often it can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeOwner {
    /// The participant.
    pub participant: ParticipantId,
    /// The caller's own id of the participant.
    pub external_id: ExternalId,
    /// The program.
    pub program: ProgramId,
    /// From when it can be used.
    pub starts_at: Option<DateTime<Utc>>,
    /// Until when.
    pub ends_at: Option<DateTime<Utc>>,
    /// Whether it was used as often as it may be.
    pub used_up: bool,
}

/// A program as it was when a referee signed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramAtSignup {
    /// Its status.
    pub status: ProgramStatus,
    /// Its terms.
    pub terms: TermsDraft,
}

/// Whether a reported moment can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// Ahead of the engine's clock.
    #[error("must not lie more than {CLOCK_SKEW_SECONDS_MAX} seconds in the future")]
    Future,
    /// Too long ago.
    #[error("must not lie more than {SIGNUP_AGE_DAYS_MAX} days in the past")]
    TooOld,
}

/// Checks that a moment does not lie in the future (beyond the clocks' tolerance).
///
/// # Errors
/// [`MomentError::Future`].
pub fn check_past(at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), MomentError> {
    if at > now + Duration::seconds(CLOCK_SKEW_SECONDS_MAX) { Err(MomentError::Future) } else { Ok(()) }
}

/// Checks the moment of a reported sign-up.
///
/// # Errors
/// [`MomentError`].
pub fn check_signup_moment(at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), MomentError> {
    check_past(at, now)?;
    if at < now - Duration::days(SIGNUP_AGE_DAYS_MAX) { Err(MomentError::TooOld) } else { Ok(()) }
}

/// Binds a referee who was not known before. `owner` is whose code was entered, `None` when there is no such code;
/// `touches` are the visitor's; `program` is that of the code, or of the latest touch when there is no code.
///
/// # Errors
/// A [`Reason`] when the sign-up is refused; nothing is to be written then. Links refuse no sign-up: those that cannot
/// count leave it without a referrer.
pub fn attribute(
    signup: &Signup,
    owner: Option<&CodeOwner>,
    touches: &[Touch],
    program: Option<&ProgramAtSignup>,
    now: DateTime<Utc>,
) -> Result<Binding, Reason> {
    let of_code = signup.code.as_ref().and(owner).map(|owner| &owner.program);
    let by_link = program.and_then(|program| by_link(signup, touches, program, of_code, now));
    let prefers_link =
        program.is_some_and(|program| program.terms.attribution.precedence == Precedence::Link);
    let referral = match &signup.code {
        None => by_link,
        Some(_) if prefers_link && by_link.is_some() => by_link,
        Some(code) => Some(by_code(signup, code, owner, program, now)?),
    };
    Ok(match referral {
        Some(referral) => Binding::Bound { referral, former: Vec::new() },
        None => Binding::Organic { signed_up_at: signup.signed_up_at },
    })
}

fn by_code(
    signup: &Signup,
    code: &ReferralCode,
    owner: Option<&CodeOwner>,
    program: Option<&ProgramAtSignup>,
    now: DateTime<Utc>,
) -> Result<Referral, Reason> {
    let (owner, program) = owner.zip(program).ok_or(Reason::CodeNotFound)?;
    if owner.external_id == signup.referee {
        return Err(Reason::SelfReferral);
    }
    if program.status != ProgramStatus::Active {
        return Err(Reason::ProgramNotActive);
    }
    if program.terms.channels.as_ref().is_some_and(|accepted| !accepted.contains(&signup.channel)) {
        return Err(Reason::ChannelNotAccepted);
    }
    if owner.starts_at.is_some_and(|start| signup.signed_up_at < start) {
        return Err(Reason::CodeNotYetValid);
    }
    if owner.ends_at.is_some_and(|end| signup.signed_up_at >= end) {
        return Err(Reason::CodeExpired);
    }
    if owner.used_up {
        return Err(Reason::CodeLimitReached);
    }
    Ok(Referral {
        used_code: Some(code.clone()),
        ..referral(signup, owner.program.clone(), owner.participant.clone(), FoundBy::Code, now)
    })
}

/// `of_code` is the program of the code that was entered, if one was: links of other programs do not count against it.
fn by_link(
    signup: &Signup,
    touches: &[Touch],
    program: &ProgramAtSignup,
    of_code: Option<&ProgramId>,
    now: DateTime<Utc>,
) -> Option<Referral> {
    let accepts = program.terms.channels.as_ref().is_none_or(|accepted| accepted.contains(&signup.channel));
    if program.status != ProgramStatus::Active || !accepts {
        return None;
    }
    let policy = &program.terms.attribution;
    let latest =
        touches.iter().max_by(|a, b| a.at.cmp(&b.at).then_with(|| b.participant.cmp(&a.participant)))?;
    let chosen_program = of_code.unwrap_or(&latest.program);
    let counts = |touch: &&Touch| touch.external_id != signup.referee && touch.program == *chosen_program;
    let counted: Vec<Touch> = touches.iter().filter(counts).cloned().collect();
    let counted = touch::in_window(&counted, policy, signup.signed_up_at);
    let shares = touch::shares(&counted, policy);
    let first = shares.first()?.participant.clone();
    let chosen: Vec<&Touch> = counted
        .iter()
        .filter(|touch| shares.iter().any(|share| share.participant == touch.participant))
        .collect();
    let used_code = chosen.iter().find(|touch| touch.participant == first).map(|touch| touch.code.clone());
    let touches =
        chosen.iter().map(|touch| ChosenTouch { participant: touch.participant.clone(), at: touch.at });
    Some(Referral {
        used_code,
        touches: touches.collect(),
        shares: if shares.len() > 1 { shares } else { Vec::new() },
        ..referral(signup, chosen_program.clone(), first, FoundBy::Link, now)
    })
}

fn referral(
    signup: &Signup,
    program: ProgramId,
    referrer: ParticipantId,
    found_by: FoundBy,
    now: DateTime<Utc>,
) -> Referral {
    Referral {
        referee: signup.referee.clone(),
        number: 0,
        program,
        referrer,
        shares: Vec::new(),
        used_code: None,
        found_by,
        touches: Vec::new(),
        channel: signup.channel.clone(),
        existing_customer: signup.existing_customer,
        signed_up_at: signup.signed_up_at,
        assigned_at: None,
        inactive_from: None,
        recorded_at: now,
    }
}

/// Assigns a referrer to a referee who has none (any more): it earns from `now` on.
///
/// # Errors
/// [`Reason::SelfReferral`], or [`Reason::AlreadyReferred`] while a referral holds.
pub fn assign(
    referee: &ExternalId,
    known: &Binding,
    referrer: &CodeOwner,
    channel: Channel,
    now: DateTime<Utc>,
) -> Result<Binding, Reason> {
    if referrer.external_id == *referee {
        return Err(Reason::SelfReferral);
    }
    let (signed_up_at, number, former) = match known {
        Binding::Unknown => (now, 0, Vec::new()),
        Binding::Organic { signed_up_at } => (*signed_up_at, 0, Vec::new()),
        Binding::Bound { referral, .. } if referral.inactive_from.is_none() => {
            return Err(Reason::AlreadyReferred);
        }
        Binding::Bound { referral, former } => {
            let former: Vec<Referral> = former.iter().chain([referral]).cloned().collect();
            (referral.signed_up_at, referral.number.saturating_add(1), former)
        }
    };
    if former.len() >= REFERRALS_MAX {
        return Err(Reason::AlreadyReferred);
    }
    let signup =
        Signup { referee: referee.clone(), code: None, channel, existing_customer: false, signed_up_at };
    let (program, participant) = (referrer.program.clone(), referrer.participant.clone());
    let made = referral(&signup, program, participant, FoundBy::Assignment, now);
    Ok(Binding::Bound { referral: Referral { number, assigned_at: Some(now), ..made }, former })
}

/// Makes a referral inactive from `now` on; one that is inactive already stays as it is. `None` when there is none.
#[must_use]
pub fn remove(known: &Binding, now: DateTime<Utc>) -> Option<Binding> {
    let Binding::Bound { referral, former } = known else { return None };
    let inactive_from = Some(referral.inactive_from.unwrap_or(now));
    Some(Binding::Bound { referral: Referral { inactive_from, ..referral.clone() }, former: former.clone() })
}

/// What a sign-up means for a referee who is known already: the same sign-up again, or one that comes too late.
///
/// # Errors
/// [`Reason::AlreadyReferred`] or [`Reason::AlreadySignedUp`].
pub fn repeat(signup: &Signup, known: &Binding) -> Result<(), Reason> {
    match known {
        Binding::Unknown => Ok(()),
        Binding::Organic { .. } if signup.code.is_none() => Ok(()),
        Binding::Organic { .. } => Err(Reason::AlreadySignedUp),
        Binding::Bound { referral, former } => {
            let same = |known: &Referral| {
                let by_code = known.found_by == FoundBy::Code;
                known.used_code == signup.code || (!by_code && signup.code.is_none())
            };
            let same = former.iter().chain([referral]).any(same);
            if same { Ok(()) } else { Err(Reason::AlreadyReferred) }
        }
    }
}

#[cfg(test)]
#[path = "referral_tests.rs"]
mod tests;
