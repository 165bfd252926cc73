//! Whether a rule that counts still pays: decided when the source first meets it, and kept with the source from then on.

use chrono::{DateTime, Months, Utc};

use crate::id::ParticipantId;
use crate::money::Money;
use crate::reason::Reason;
use crate::tally::{Admission, FirstPayment, RefereeTally, Tally};
use crate::terms::{Cap, OnDrop, OverCap, Repeat, RewardRule, RuleAmount, TierBy};

use super::{Case, Judgement};

/// What tiers look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct TierCounts {
    /// Qualified referrals, this one included.
    pub(super) referrals: u32,
    /// What referrals brought, this event included.
    pub(super) revenue: i64,
}

/// Whether what was counted of the referee lets a rule pay for this source; a refusal is kept with the source. `first` is
/// the first of the recipients.
///
/// # Errors
/// Why it does not.
pub(super) fn admit_referee(
    rule: &RewardRule,
    case: &Case<'_>,
    first: Option<&ParticipantId>,
    judgement: &mut Judgement,
) -> Result<(), Reason> {
    let known = judgement.memory.admissions.iter().find(|known| known.rule == rule.id);
    if let Some(known) = known {
        // A recipient's own refusal has a reward that is refused; the referee's has none.
        return known.refused.filter(|_| known.gross == 0).map_or(Ok(()), Err);
    }
    let admitted = pays_for_referee(rule, case, &judgement.tallies.referee);
    if let (Err(reason), Some(first)) = (admitted, first) {
        let refused = Admission { refused: Some(reason), ..nothing(rule, first, None, judgement) };
        judgement.memory.admissions.push(refused);
    }
    admitted
}

fn pays_for_referee(rule: &RewardRule, case: &Case<'_>, counted: &RefereeTally) -> Result<(), Reason> {
    let paid_before = counted.rewards.get(&rule.id).copied().unwrap_or(0);
    let first = counted.first_payment.as_ref();
    let other = |first: &FirstPayment| first.source != *case.source;
    if rule.conditions.first_payment_only
        && (paid_before > 0 || counted.first_invoice.as_ref().is_some_and(other))
    {
        return Err(Reason::NotFirstPayment);
    }
    if rule.repeat == Repeat::OncePerReferee && paid_before > 0 {
        return Err(Reason::AlreadyEnrolled);
    }
    if rule.limits.max_rewards_per_referee.is_some_and(|most| paid_before >= most) {
        return Err(Reason::RefereeLimitReached);
    }
    let at = case.state.payment.as_ref().map_or(case.now, |payment| payment.paid_at);
    let over = |months: u32| first.is_some_and(|first| at >= after_months(first.at, months));
    if rule.limits.duration_months.is_some_and(over) { Err(Reason::DurationOver) } else { Ok(()) }
}

/// The same day so many calendar months later, in UTC; the last day of a shorter month.
fn after_months(at: DateTime<Utc>, months: u32) -> DateTime<Utc> {
    at.checked_add_months(Months::new(months)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// What the tiers of a rule look at: what they looked at when the source first met it, or the counters now.
pub(super) fn tier_counts(
    rule: &RewardRule,
    case: &Case<'_>,
    recipient: &ParticipantId,
    judgement: &Judgement,
) -> Option<TierCounts> {
    let Some(RuleAmount::Tiers(tiers)) = &rule.amount else { return None };
    let known = case.memory.admissions.iter().find(|known| known.rule == rule.id);
    if let Some(known) = known {
        let (referrals, revenue) = (known.referrals.unwrap_or(0), known.revenue.unwrap_or(0));
        return Some(TierCounts { referrals, revenue });
    }
    let tally = judgement.tallies.recipients.get(recipient).cloned().unwrap_or_default();
    let keeps = tiers.on_drop == OnDrop::Keep;
    let revenue =
        |of: &std::collections::BTreeMap<_, i64>| tiers.currency.and_then(|unit| of.get(&unit).copied());
    Some(match tiers.by {
        TierBy::QualifiedReferrals | TierBy::PaymentAmount => {
            TierCounts { referrals: if keeps { tally.qualified_peak } else { tally.qualified }, revenue: 0 }
        }
        TierBy::ReferredRevenue => {
            let found = if keeps { revenue(&tally.revenue_peak) } else { revenue(&tally.revenue) };
            TierCounts { referrals: 0, revenue: found.unwrap_or(0) }
        }
    })
}

/// Whether a rule that counts pays this recipient for this source, and how much at most; none for rules that do not
/// count. What it takes is noted in the counters. `whole` is the reward of the whole event.
pub(super) fn admit(
    rule: &RewardRule,
    case: &Case<'_>,
    recipient: &ParticipantId,
    whole: Money,
    counted: Option<TierCounts>,
    judgement: &mut Judgement,
) -> Option<Admission> {
    if !rule.counts_by_referee() && !rule.counts_by_recipient() {
        return None;
    }
    let known = judgement
        .memory
        .admissions
        .iter()
        .position(|known| known.rule == rule.id && known.recipient == *recipient);
    let admission = match known.and_then(|index| judgement.memory.admissions.get(index)).cloned() {
        Some(known) if known.gross > 0 || known.refused.is_some() => {
            grown(rule, case, known, whole, judgement)
        }
        Some(known) if whole.amount <= 0 => known,
        None if whole.amount <= 0 => nothing(rule, recipient, counted, judgement),
        Some(_) | None => first_met(rule, case, recipient, whole, counted, judgement),
    };
    match known.and_then(|index| judgement.memory.admissions.get_mut(index)) {
        Some(place) => *place = admission.clone(),
        None => judgement.memory.admissions.push(admission.clone()),
    }
    Some(admission)
}

/// What is kept of a rule that applies and gives nothing: what was counted when it met the source.
fn nothing(
    rule: &RewardRule,
    recipient: &ParticipantId,
    counted: Option<TierCounts>,
    judgement: &Judgement,
) -> Admission {
    let before = judgement.tallies.referee.rewards.get(&rule.id).copied().unwrap_or(0);
    let tiered = rule.counts_by_recipient().then_some(counted).flatten();
    Admission {
        rule: rule.id.clone(),
        recipient: recipient.clone(),
        refused: None,
        gross: 0,
        unit: None,
        room: None,
        referrals: tiered.map(|counted| counted.referrals).filter(|referrals| *referrals > 0),
        revenue: tiered.map(|counted| counted.revenue).filter(|revenue| *revenue > 0),
        rewards_before: rule.counts_by_referee().then_some(before),
    }
}

fn first_met(
    rule: &RewardRule,
    case: &Case<'_>,
    recipient: &ParticipantId,
    whole: Money,
    counted: Option<TierCounts>,
    judgement: &mut Judgement,
) -> Admission {
    // The shares of one reward are one reward for the referee.
    let pays = |known: &Admission| known.rule == rule.id && known.gross > 0 && known.refused.is_none();
    let met = judgement.memory.admissions.iter().any(pays);
    let of_referee = if met { Ok(()) } else { pays_for_referee(rule, case, &judgement.tallies.referee) };
    let admission = nothing(rule, recipient, counted, judgement);
    let tally = judgement.tallies.recipients.entry(recipient.clone()).or_default();
    let enrolled = tally.rules.get(&rule.id).map_or(0, |counted| counted.enrolled);
    let room = room(rule, tally, whole, case.now);
    let refused = if let Err(reason) = of_referee {
        Some(reason)
    } else if rule.repeat == Repeat::Once && enrolled > 0 {
        Some(Reason::AlreadyEnrolled)
    } else if room == Some(0) {
        Some(Reason::CapReached)
    } else {
        None
    };
    if refused.is_none() {
        take(rule, tally, whole, room, case.now);
        let counted = tally.rules.entry(rule.id.clone()).or_default();
        counted.enrolled = counted.enrolled.saturating_add(1);
        if !met && rule.counts_by_referee() {
            let rewards = judgement.tallies.referee.rewards.entry(rule.id.clone()).or_default();
            *rewards = rewards.saturating_add(1);
        }
    }
    Admission { refused, gross: whole.amount, unit: Some(whole.unit), room, ..admission }
}

/// A source that is worth more than when it was admitted asks for more room; one that is worth another unit, for all of it.
fn grown(
    rule: &RewardRule,
    case: &Case<'_>,
    known: Admission,
    whole: Money,
    judgement: &mut Judgement,
) -> Admission {
    if known.refused.is_none() && known.unit.is_some_and(|unit| unit != whole.unit) {
        let tally = judgement.tallies.recipients.entry(known.recipient.clone()).or_default();
        let room = room(rule, tally, whole, case.now);
        take(rule, tally, whole, room, case.now);
        let refused = (room == Some(0)).then_some(Reason::CapReached);
        return Admission { refused, gross: whole.amount, unit: Some(whole.unit), room, ..known };
    }
    let more = whole.amount.saturating_sub(known.gross);
    let (Some(taken), None, true) = (known.room, known.refused, more > 0) else { return known };
    let tally = judgement.tallies.recipients.entry(known.recipient.clone()).or_default();
    let wanted = Money::new(more, whole.unit);
    let room = room(rule, tally, wanted, case.now).unwrap_or(0);
    take(rule, tally, wanted, Some(room), case.now);
    Admission { gross: whole.amount, room: Some(taken.saturating_add(room)), ..known }
}

/// What the caps of a rule leave to a reward; none without a cap in its unit.
fn room(rule: &RewardRule, tally: &Tally, whole: Money, now: DateTime<Utc>) -> Option<i64> {
    let caps = rule.limits.caps.iter().filter(|cap| cap.currency == whole.unit);
    let left = |cap: &Cap| {
        let left = cap.amount.saturating_sub(tally.spent(&rule.id, cap.per, cap.currency, now)).max(0);
        match cap.over {
            OverCap::Cut => left.min(whole.amount),
            OverCap::Refuse if whole.amount <= left => whole.amount,
            OverCap::Refuse => 0,
        }
    };
    caps.map(left).min()
}

fn take(rule: &RewardRule, tally: &mut Tally, whole: Money, room: Option<i64>, now: DateTime<Utc>) {
    let taken = room.map_or(whole.amount, |room| room.min(whole.amount));
    for cap in rule.limits.caps.iter().filter(|cap| cap.currency == whole.unit) {
        tally.spend(&rule.id, cap.per, cap.currency, taken, now);
    }
}
