//! Attribution: who referred whom. A referee is bound once; the first sign-up stands.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::code::ReferralCode;
use crate::id::{Channel, ExternalId, ParticipantId, ProgramId};
use crate::program::ProgramStatus;
use crate::reason::Reason;

/// How far back a sign-up may be reported, in days.
pub const SIGNUP_AGE_DAYS_MAX: i64 = 30;
/// How far ahead of the engine's clock a reported moment may lie, in seconds.
pub const CLOCK_SKEW_SECONDS_MAX: i64 = 300;

/// The binding of a referee to the referrer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referral {
    /// The one who was referred.
    pub referee: ExternalId,
    /// The program of the code.
    pub program: ProgramId,
    /// The participant who referred.
    pub referrer: ParticipantId,
    /// The code that the referee entered.
    pub used_code: ReferralCode,
    /// The form or app that it came through.
    pub channel: Channel,
    /// When the referee signed up (business time).
    pub signed_up_at: DateTime<Utc>,
    /// When the engine was told.
    pub recorded_at: DateTime<Utc>,
}

/// What is known of a payer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// No sign-up yet.
    Unknown,
    /// Signed up without a code; earns nothing for anybody.
    Organic {
        /// When (business time).
        signed_up_at: DateTime<Utc>,
    },
    /// Referred.
    Bound(Referral),
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
    /// When (business time).
    pub signed_up_at: DateTime<Utc>,
}

/// Whose a code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeOwner {
    /// The participant.
    pub participant: ParticipantId,
    /// The caller's own id of the participant.
    pub external_id: ExternalId,
    /// The program.
    pub program: ProgramId,
    /// The program's status when the referee signed up.
    pub program_status: ProgramStatus,
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

/// Binds a referee who was not known before. `owner` is whose code was entered, `None` when there is no such code.
///
/// # Errors
/// A [`Reason`] when the sign-up is refused; nothing is to be written then.
pub fn attribute(signup: &Signup, owner: Option<&CodeOwner>, now: DateTime<Utc>) -> Result<Binding, Reason> {
    let Some(code) = &signup.code else {
        return Ok(Binding::Organic { signed_up_at: signup.signed_up_at });
    };
    let owner = owner.ok_or(Reason::CodeNotFound)?;
    if owner.external_id == signup.referee {
        return Err(Reason::SelfReferral);
    }
    if owner.program_status != ProgramStatus::Active {
        return Err(Reason::ProgramNotActive);
    }
    Ok(Binding::Bound(Referral {
        referee: signup.referee.clone(),
        program: owner.program.clone(),
        referrer: owner.participant.clone(),
        used_code: code.clone(),
        channel: signup.channel.clone(),
        signed_up_at: signup.signed_up_at,
        recorded_at: now,
    }))
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
        Binding::Bound(referral) if signup.code.as_ref() == Some(&referral.used_code) => Ok(()),
        Binding::Bound(_) => Err(Reason::AlreadyReferred),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;
    use crate::id::OrganizationId;

    fn at(seconds: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_767_225_600 + seconds, 0).unwrap()
    }

    fn signup(referee: &str, code: Option<&str>) -> Signup {
        Signup {
            referee: ExternalId::parse(referee).unwrap(),
            code: code.map(|code| ReferralCode::parse(code).unwrap()),
            channel: Channel::parse("sign-up").unwrap(),
            signed_up_at: at(0),
        }
    }

    fn owner(status: ProgramStatus) -> CodeOwner {
        let (organization, program) = (OrganizationId::derive(&["o"]), ProgramId::derive(&["p"]));
        let external_id = ExternalId::parse("anna").unwrap();
        let participant = ParticipantId::of(&organization, &program, &external_id);
        CodeOwner { participant, external_id, program, program_status: status }
    }

    #[test]
    fn a_code_binds_the_referee_to_its_owner() {
        let owner = owner(ProgramStatus::Active);
        let binding = attribute(&signup("ben", Some("ANN-2345")), Some(&owner), at(5)).unwrap();
        let Binding::Bound(referral) = binding else { panic!("{binding:?}") };
        assert_eq!(referral.referrer, owner.participant);
        assert_eq!((referral.signed_up_at, referral.recorded_at), (at(0), at(5)));
    }

    #[test]
    fn refusals_name_their_reason() {
        let refused = |referee, owner: Option<&CodeOwner>| {
            attribute(&signup(referee, Some("ANN-2345")), owner, at(0)).unwrap_err()
        };
        assert_eq!(refused("ben", None), Reason::CodeNotFound);
        assert_eq!(refused("anna", Some(&owner(ProgramStatus::Active))), Reason::SelfReferral);
        for status in [ProgramStatus::Draft, ProgramStatus::Paused, ProgramStatus::Ended] {
            assert_eq!(refused("ben", Some(&owner(status))), Reason::ProgramNotActive);
        }
    }

    #[test]
    fn the_first_sign_up_stands() {
        let bound = attribute(&signup("ben", Some("ANN-2345")), Some(&owner(ProgramStatus::Active)), at(0));
        let (bound, organic) = (bound.unwrap(), attribute(&signup("ben", None), None, at(0)).unwrap());
        assert_eq!(repeat(&signup("ben", Some("ann2345")), &bound), Ok(()));
        assert_eq!(repeat(&signup("ben", Some("BOB-2345")), &bound), Err(Reason::AlreadyReferred));
        assert_eq!(repeat(&signup("ben", None), &bound), Err(Reason::AlreadyReferred));
        assert_eq!(repeat(&signup("ben", None), &organic), Ok(()));
        assert_eq!(repeat(&signup("ben", Some("ANN-2345")), &organic), Err(Reason::AlreadySignedUp));
    }

    #[test]
    fn moments_are_believed_within_bounds() {
        assert_eq!(check_signup_moment(at(300), at(0)), Ok(()));
        assert_eq!(check_signup_moment(at(301), at(0)), Err(MomentError::Future));
        assert_eq!(check_signup_moment(at(-30 * 86_400), at(0)), Ok(()));
        assert_eq!(check_signup_moment(at(-30 * 86_400 - 1), at(0)), Err(MomentError::TooOld));
    }
}
