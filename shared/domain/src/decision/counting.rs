//! What a source adds to the counters, and what is decided by counters alone: milestones and the threshold of earnings.

use std::collections::BTreeMap;

use crate::id::{ParticipantId, SourceId, SourceKind};
use crate::ledger::{Delta, Posted, Promise};
use crate::money::{Money, MoneyError, Unit, split};
use crate::reason::Reason;
use crate::referral::Referral;
use crate::tally::{Awarded, Contribution, FirstPayment, RefereeTally, Tallies};
use crate::terms::{Milestone, OnDrop, RewardRule, RuleAmount};
use crate::touch::Share;

use super::matching::is_triggered;
use super::value::{Part, paid};
use super::{Case, Judgement, ProgramThen, RuleOutcome};

/// Brings the counters in line with what the source is worth now.
pub(super) fn contribute(
    case: &Case<'_>,
    settled: Option<Reason>,
    referral: &Referral,
    then: &ProgramThen,
    judgement: &mut Judgement,
) -> Result<(), MoneyError> {
    let draft = &then.terms.draft;
    let before = case.memory.contribution.clone();
    let shares = referral.referrers();
    let counts = draft.counts_referrals() && settled.is_none() && is_triggered(&draft.qualifying_event, case);
    let mut after = Contribution::default();
    if counts && case.state.stands() {
        let weights: Vec<u64> = shares.iter().map(|share| share.weight).collect();
        let parts = split(paid(case.state, Part::Standing), &weights)?;
        after.stands = true;
        after.revenue = shares.iter().map(|share| share.participant.clone()).zip(parts).collect();
        after.revenue.retain(|_, part| *part != 0);
    }
    count_referral(&before, &after, &shares, &mut judgement.tallies);
    if let Some(currency) = case.state.currency {
        count_revenue(&before, &after, Unit::Currency(currency), &mut judgement.tallies)?;
    }
    judgement.memory.contribution = after;
    note_first_payment(case, settled, draft.counts_by_referee(), &mut judgement.tallies);
    Ok(())
}

/// A referral qualifies as long as one of its qualifying events stands.
fn count_referral(before: &Contribution, after: &Contribution, shares: &[Share], tallies: &mut Tallies) {
    let standing = &mut tallies.referee.standing;
    let had = *standing > 0;
    match (before.stands, after.stands) {
        (false, true) => *standing = standing.saturating_add(1),
        (true, false) => *standing = standing.saturating_sub(1),
        _ => return,
    }
    let has = *standing > 0;
    for share in shares.iter().filter(|_| had != has) {
        let tally = tallies.recipients.entry(share.participant.clone()).or_default();
        tally.qualified =
            if has { tally.qualified.saturating_add(1) } else { tally.qualified.saturating_sub(1) };
        tally.qualified_peak = tally.qualified_peak.max(tally.qualified);
    }
}

fn count_revenue(
    before: &Contribution,
    after: &Contribution,
    unit: Unit,
    tallies: &mut Tallies,
) -> Result<(), MoneyError> {
    let mut changes: BTreeMap<&ParticipantId, i64> = BTreeMap::new();
    for (participant, amount) in &after.revenue {
        changes.insert(participant, *amount);
    }
    for (participant, amount) in &before.revenue {
        let change = changes.entry(participant).or_default();
        *change = change.checked_sub(*amount).ok_or(MoneyError::Overflow)?;
    }
    for (participant, change) in changes.into_iter().filter(|(_, change)| *change != 0) {
        let tally = tallies.recipients.entry(participant.clone()).or_default();
        let sum = tally.revenue.entry(unit).or_default();
        *sum = sum.checked_add(change).ok_or(MoneyError::Overflow)?;
        let peak = tally.revenue_peak.entry(unit).or_default();
        *peak = (*peak).max(*sum);
    }
    Ok(())
}

fn note_first_payment(case: &Case<'_>, settled: Option<Reason>, counts: bool, tallies: &mut Tallies) {
    let Some(payment) = case.state.payment.as_ref().filter(|_| counts && settled.is_none()) else { return };
    let earning = matches!(case.source.kind, SourceKind::Invoice | SourceKind::Payout | SourceKind::Event);
    let RefereeTally { first_payment, first_invoice, .. } = &mut tallies.referee;
    let invoice = case.source.kind == SourceKind::Invoice;
    for (first, counts) in [(first_payment, earning), (first_invoice, invoice)] {
        if counts && first.as_ref().is_none_or(|first| payment.paid_at < first.at) {
            *first = Some(FirstPayment { source: case.source.clone(), at: payment.paid_at });
        }
    }
}

/// The milestones of every rule in force.
pub(super) fn all_milestones(
    case: &Case<'_>,
    referral: &Referral,
    then: &ProgramThen,
    judgement: &mut Judgement,
) {
    for rule in &then.terms.draft.rules {
        if super::matching::matches(rule, case, referral, judgement.variant.as_ref()).is_ok() {
            milestones(rule, case, &referral.referrers(), then, judgement);
        }
    }
}

/// The milestones of a rule, for each referrer, by the counters as they are after this source.
pub(super) fn milestones(
    rule: &RewardRule,
    case: &Case<'_>,
    recipients: &[Share],
    then: &ProgramThen,
    judgement: &mut Judgement,
) {
    let Some(RuleAmount::Milestones(list)) = &rule.amount else { return };
    for share in recipients {
        let tally = judgement.tallies.recipients.get(&share.participant).cloned().unwrap_or_default();
        for step in &list.steps {
            let awarded = tally
                .milestones
                .iter()
                .find(|awarded| awarded.posted.rule == rule.id && awarded.at == step.at);
            let reached = tally.qualified >= step.at || (awarded.is_some() && list.on_drop == OnDrop::Keep);
            let promised = promised(rule, step, awarded);
            let target = if reached { promised.amount } else { 0 };
            let promise = super::promise(rule, case, promised, then);
            judgement.rules.push(RuleOutcome {
                source: SourceId::milestone(&rule.id, step.at),
                rule: rule.id.clone(),
                recipient: share.participant.clone(),
                reason: if reached { Reason::Earned } else { Reason::MilestoneNotReached },
                basis: 0,
                target: Money::new(target, promised.unit),
                promise: if reached { promise } else { Promise::default() },
                admission: None,
                counted: Some(tally.qualified),
            });
        }
    }
}

/// A milestone that was awarded keeps the amount that it had then.
fn promised(rule: &RewardRule, step: &Milestone, awarded: Option<&Awarded>) -> Money {
    match awarded {
        Some(awarded) => Money::new(awarded.amount, awarded.posted.unit),
        None if rule.kind.is_action() => Money::new(1, rule.kind.piece()),
        None => Money::new(step.amount, step.currency),
    }
}

/// The award that a milestone's outcome is about, if it was awarded.
pub(super) fn awarded<'a>(tallies: &'a Tallies, outcome: &RuleOutcome) -> Option<&'a Awarded> {
    let tally = tallies.recipients.get(&outcome.recipient)?;
    let is_it = |awarded: &&Awarded| SourceId::milestone(&awarded.posted.rule, awarded.at) == outcome.source;
    tally.milestones.iter().find(is_it)
}

/// Notes in the counters what was posted for milestones.
pub fn note_posted(tallies: &mut Tallies, delta: &Delta, posted: Posted) {
    let Some(at) = delta.source.milestone_at() else { return };
    let tally = tallies.recipients.entry(delta.recipient.clone()).or_default();
    let known = tally.milestones.iter_mut().find(|known| known.at == at && known.posted.rule == delta.rule);
    match known {
        Some(known) => known.posted = posted,
        None => tally.milestones.push(Awarded { at, amount: delta.amount.amount, posted }),
    }
}

/// Recipients whose earnings in a unit have reached the threshold: what was held for it is to be released.
pub type Release = Vec<(ParticipantId, Unit)>;

/// Adds what a decision posts to what its recipients have earned, and says in each new reward whether it must wait until
/// more is earned. Answers whose rewards that waited are to be released.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn count_earned(
    deltas: &mut [Delta],
    then: &ProgramThen,
    tallies: &mut Tallies,
) -> Result<Release, MoneyError> {
    let least = &then.terms.draft.min_earnings;
    if !then.counts {
        return Ok(Release::new());
    }
    for delta in deltas.iter() {
        tallies.recipients.entry(delta.recipient.clone()).or_default().earn(delta.amount)?;
    }
    let mut release = Release::new();
    for delta in deltas.iter_mut() {
        let tally = tallies.recipients.entry(delta.recipient.clone()).or_default();
        let opens = delta.amount.amount.is_positive() && delta.promise.below_threshold;
        delta.promise.below_threshold = opens && tally.must_wait(delta.amount.unit, least);
        let reached = tally.release(least);
        release.extend(reached.into_iter().map(|unit| (delta.recipient.clone(), unit)));
    }
    Ok(release)
}
