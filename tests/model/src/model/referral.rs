//! Who has referred whom, by `docs/rules.md`: the first sign-up stands.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use domain::program::ProgramStatus;
use domain::reason::Reason;
use domain::terms::{AttributionModel, Precedence, TermsDraft};

use crate::op::{Code, Op, Told, Who};

/// A referral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Everybody who referred, with the weights of their shares.
    pub referrers: Vec<(Who, i64)>,
    /// When the referee signed up.
    pub at: DateTime<Utc>,
    pub used_code: bool,
    pub channel: &'static str,
    pub existing: bool,
}

/// Everybody who has signed up: referred or not.
pub type Referrals = BTreeMap<Who, Option<Bound>>;

/// Takes a sign-up; why it is refused, if it is: any of these.
pub fn sign_up(
    referrals: &mut Referrals,
    told: &Told,
    draft: &TermsDraft,
    status: ProgramStatus,
) -> Result<(), Vec<Reason>> {
    let Op::SignUp { who, code, touches, existing, channel, .. } = &told.op else { unreachable!() };
    if let Some(known) = referrals.get(who) {
        return again(known.as_ref(), *code);
    }
    if *code == Code::Unknown {
        return Err(vec![Reason::CodeNotFound]);
    }
    let accepted = |list: &Vec<_>| list.iter().any(|known: &domain::id::Channel| known.as_str() == *channel);
    let accepted = draft.channels.as_ref().is_none_or(accepted);
    // Links that do not count are as if they had not been followed; a code that does not is refused.
    let counts = accepted && status == ProgramStatus::Active;
    let shares = if counts { linked(*who, touches, told.at, draft) } else { Vec::new() };
    let links_decide =
        !shares.is_empty() && (*code == Code::None || draft.attribution.precedence == Precedence::Link);
    let referrers = match code {
        _ if links_decide => shares,
        Code::None => {
            referrals.insert(*who, None);
            return Ok(());
        }
        Code::Of(owner) => vec![(*owner, 1)],
        Code::Unknown => unreachable!(),
    };
    let mut refused = Vec::new();
    if status != ProgramStatus::Active {
        refused.push(Reason::ProgramNotActive);
    }
    if !accepted {
        refused.push(Reason::ChannelNotAccepted);
    }
    if referrers.iter().any(|(referrer, _)| referrer == who) {
        refused.push(Reason::SelfReferral);
    }
    let made = referrals.values().flatten().filter(|bound| bound.referrers[0].0 == referrers[0].0).count();
    if draft.max_referrals.is_some_and(|most| made >= usize::try_from(most).unwrap()) {
        refused.push(Reason::ReferrerLimitReached);
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    let bound = Bound { referrers, at: told.at, used_code: !links_decide, channel, existing: *existing };
    referrals.insert(*who, Some(bound));
    Ok(())
}

/// A sign-up of somebody who has signed up: the first stands.
fn again(known: Option<&Bound>, code: Code) -> Result<(), Vec<Reason>> {
    match (known, code) {
        (None, Code::None) => Ok(()),
        (None, _) => Err(vec![Reason::AlreadySignedUp]),
        // A link holds its owner's code.
        (Some(bound), Code::Of(owner)) if bound.referrers[0].0 == owner => Ok(()),
        (Some(bound), Code::None) if !bound.used_code => Ok(()),
        (Some(_), _) => Err(vec![Reason::AlreadyReferred]),
    }
}

/// How the links that somebody followed share the referral, largest share first.
fn linked(
    who: Who,
    touches: &[(Who, i64)],
    signed_up_at: DateTime<Utc>,
    draft: &TermsDraft,
) -> Vec<(Who, i64)> {
    let policy = &draft.attribution;
    let opens = signed_up_at - Duration::days(i64::from(policy.window_days));
    let mut seen: Vec<(DateTime<Utc>, Who)> = touches
        .iter()
        .enumerate()
        .map(|(index, (of, hours))| (touched_at(signed_up_at, index, *hours), *of))
        .filter(|(at, of)| *at >= opens && *at <= signed_up_at && *of != who)
        .collect();
    seen.sort_unstable();
    let count = i64::try_from(seen.len()).unwrap();
    let weight = |place: i64| match policy.model {
        AttributionModel::FirstTouch => i64::from(place == 0),
        AttributionModel::LastTouch => i64::from(place == count - 1),
        AttributionModel::Linear => 1,
        AttributionModel::PositionBased if count < 3 => 1,
        // 40% for the first, 40% for the last, the rest between.
        AttributionModel::PositionBased => {
            if place == 0 || place == count - 1 {
                2 * (count - 2)
            } else {
                1
            }
        }
        AttributionModel::TimeDecay => unreachable!(),
    };
    let mut shares: Vec<(Who, i64)> = Vec::new();
    for (place, (_, of)) in (0..).zip(seen) {
        match shares.iter_mut().find(|(known, _)| *known == of) {
            Some((_, sum)) => *sum += weight(place),
            None => shares.push((of, weight(place))),
        }
    }
    shares.retain(|(_, weight)| *weight > 0);
    shares.sort_by_key(|(_, weight)| -weight);
    shares
}

/// When a link was followed: so many hours before the sign-up, no two at the same moment.
pub fn touched_at(signed_up_at: DateTime<Utc>, index: usize, hours: i64) -> DateTime<Utc> {
    signed_up_at - Duration::hours(hours) - Duration::minutes(i64::try_from(index).unwrap())
}
