//! Touches: visits through a link before a sign-up, and how they share the referral.

use std::cmp::Reverse;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::code::ReferralCode;
use crate::id::{ExternalId, ParticipantId, ProgramId};
use crate::terms::{Attribution, AttributionModel};

/// Most touches of one visitor that are looked at: the latest ones.
pub const TOUCHES_MAX: usize = 50;
/// Most referrers that share a referral: those with the largest shares.
pub const SHARES_MAX: usize = 5;

/// A visit through a participant's link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// Whose link.
    pub participant: ParticipantId,
    /// The caller's own id of the participant.
    pub external_id: ExternalId,
    /// The participant's program.
    pub program: ProgramId,
    /// The code in the link.
    pub code: ReferralCode,
    /// When.
    pub at: DateTime<Utc>,
}

/// One referrer's part of a referral.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The referrer.
    pub participant: ParticipantId,
    /// Its part, relative to the other shares' weights.
    pub weight: u64,
}

/// The touches that count for a sign-up: within the window and before it, oldest first, at most [`TOUCHES_MAX`].
#[must_use]
pub fn in_window(touches: &[Touch], policy: &Attribution, signed_up_at: DateTime<Utc>) -> Vec<Touch> {
    let opens = signed_up_at - Duration::days(i64::from(policy.window_days));
    let mut counted: Vec<Touch> =
        touches.iter().filter(|touch| touch.at >= opens && touch.at <= signed_up_at).cloned().collect();
    counted.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.participant.cmp(&b.participant)));
    let surplus = counted.len().saturating_sub(TOUCHES_MAX);
    counted.drain(..surplus);
    counted
}

/// How touches, oldest first, share a referral: one share for each participant, largest first (the earlier touch of
/// equals). Empty without touches.
#[must_use]
pub fn shares(touches: &[Touch], policy: &Attribution) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for (touch, weight) in touches.iter().zip(weights(touches, policy)) {
        match shares.iter_mut().find(|share| share.participant == touch.participant) {
            Some(share) => share.weight = share.weight.saturating_add(weight),
            None => shares.push(Share { participant: touch.participant.clone(), weight }),
        }
    }
    shares.retain(|share| share.weight > 0);
    shares.sort_by_key(|share| Reverse(share.weight));
    shares.truncate(SHARES_MAX);
    shares
}

fn weights(touches: &[Touch], policy: &Attribution) -> Vec<u64> {
    let count = touches.len();
    let only = |chosen: usize| (0..count).map(|index| u64::from(index == chosen)).collect();
    let last = count.saturating_sub(1);
    match policy.model {
        AttributionModel::FirstTouch => only(0),
        AttributionModel::LastTouch => only(last),
        AttributionModel::Linear => vec![1; count],
        AttributionModel::PositionBased if count <= 2 => vec![1; count],
        AttributionModel::PositionBased => {
            // 40 : 20 / (n - 2) : 40 in whole numbers.
            let end = u64::try_from(count.saturating_sub(2)).unwrap_or(u64::MAX).saturating_mul(2);
            (0..count).map(|index| if index == 0 || index == last { end } else { 1 }).collect()
        }
        AttributionModel::TimeDecay => {
            let latest = touches.last().map(|touch| touch.at);
            let half_life = u64::from(policy.half_life_days).saturating_mul(86_400);
            let age = |touch: &Touch| latest.map_or(0, |latest| (latest - touch.at).num_seconds());
            touches.iter().map(|touch| decayed(u64::try_from(age(touch)).unwrap_or(0), half_life)).collect()
        }
    }
}

/// `2^30 * 2^(-age / half_life)` in whole numbers, the same on every machine; at least 1.
fn decayed(age_seconds: u64, half_life_seconds: u64) -> u64 {
    const SCALE: u32 = 60;
    let half_life = u128::from(half_life_seconds.max(1));
    let halves = u32::try_from(u128::from(age_seconds) / half_life).unwrap_or(u32::MAX);
    // The fraction of a half-life, as 16 binary digits; digit k stands for the factor 2^(-1 / 2^k).
    let mut fraction = ((u128::from(age_seconds) % half_life) << 16) / half_life;
    let (mut weight, mut factor) = (1_u128 << SCALE, 1_u128 << (SCALE - 1));
    for _ in 0..16 {
        factor = (factor << SCALE).isqrt();
        fraction <<= 1;
        if fraction & (1 << 16) != 0 {
            weight = (weight * factor) >> SCALE;
        }
    }
    let weight = weight.checked_shr(halves.saturating_add(30)).unwrap_or(0);
    u64::try_from(weight).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
#[path = "touch_tests.rs"]
mod tests;
