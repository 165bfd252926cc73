//! The reward decision: from what is known of a source, of its payer and of the program, to what each rule should have
//! given by now. It is a function of facts (business times, immutable terms) and, for rules that count, of counters that
//! are read and written in the same transaction; what those came to is kept with the source ([`Memory`]), so that it
//! comes out the same however often it is made again. The ledger receives the difference to what is posted already.

mod admission;
mod counting;
mod matching;
mod rate;
mod value;

use chrono::{DateTime, Duration, Utc};

use crate::fact::Payer;
use crate::id::{Label, ParticipantId, ProgramId, RuleId, SourceId, SourceKind};
use crate::ledger::{Delta, Posted, Promise};
use crate::money::{Money, MoneyError, split};
use crate::program::ProgramStatus;
use crate::rate::ExchangeRate;
use crate::reason::Reason;
use crate::referral::{Binding, Referral};
use crate::source::SourceState;
use crate::tally::{Admission, Memory, Tallies};
use crate::terms::{Approval, Recipient, RewardRule, Terms, Trigger};
use crate::touch::Share;
use crate::variant::variant_of;

use value::Part;

/// The program as it was when the event happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramThen {
    /// The program.
    pub program: ProgramId,
    /// Its status then.
    pub status: ProgramStatus,
    /// Whether the referrer's participation was switched off then.
    pub disabled: bool,
    /// The terms that apply.
    pub terms: Terms,
    /// Whether the program counts what recipients earn.
    pub counts: bool,
    /// The participant that the referee is in this program, for rewards to the referee.
    pub referee: ParticipantId,
}

/// Everything that a decision is made from.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The source.
    pub source: &'a SourceId,
    /// What is known of it.
    pub state: &'a SourceState,
    /// Whose it is.
    pub payer: &'a Payer,
    /// How the payer is bound.
    pub binding: &'a Binding,
    /// The program then; needed once the payer is bound and the event is known.
    pub then: Option<&'a ProgramThen>,
    /// What was counted for this source before.
    pub memory: &'a Memory,
    /// The counters, where the terms count.
    pub tallies: &'a Tallies,
    /// The exchange rate that [`rate_wanted`] asks for, where it is known.
    pub rate: Option<&'a ExchangeRate>,
    /// Now; only caps by period ask for it.
    pub now: DateTime<Utc>,
}

/// What one rule came to for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOutcome {
    /// The source that its reward is earned from: the decision's own, or a milestone.
    pub source: SourceId,
    /// The rule.
    pub rule: RuleId,
    /// Who earns by it.
    pub recipient: ParticipantId,
    /// Whether its reward stands, and if not, why.
    pub reason: Reason,
    /// What of the event stands, by the rule's basis, in minor units.
    pub basis: i64,
    /// What the rule should have given by now.
    pub target: Money,
    /// What is particular about the reward.
    pub promise: Promise,
    /// What was counted, where the rule counts.
    pub admission: Option<Admission>,
    /// How many referrals had qualified, for a milestone.
    pub counted: Option<u32>,
}

/// The decision on a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The first reason that settles the whole source; `earned` when at least one rule's reward stands.
    pub reason: Reason,
    /// The terms that were applied, once they are known.
    pub terms_version: Option<u32>,
    /// The referee's variant of them, where they have variants.
    pub variant: Option<Label>,
    /// Every rule of the terms; empty when the source does not get as far.
    pub rules: Vec<RuleOutcome>,
    /// What is to be kept with the source.
    pub memory: Memory,
    /// The counters as they are after it.
    pub tallies: Tallies,
}

/// What is to be written for a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The judgement, with what is to be kept with the source.
    pub judgement: Judgement,
    /// What is to be posted.
    pub deltas: Vec<Delta>,
    /// The counters afterwards; only what was posted for milestones is still to be noted ([`note_posted`]).
    pub tallies: Tallies,
    /// Whose rewards have waited for earnings that are now reached.
    pub release: Release,
}

/// Decides a source, against what is posted of it.
///
/// # Errors
/// [`MoneyError`] when an amount cannot be computed exactly.
pub fn decide(case: &Case<'_>, posted: &[Posted]) -> Result<Decision, MoneyError> {
    let judgement = judge(case)?;
    if judgement.reason == Reason::AwaitingRate {
        // Nothing is known of what it should have given: what is posted stays.
        let (tallies, release) = (judgement.tallies.clone(), Release::new());
        return Ok(Decision { judgement, deltas: Vec::new(), tallies, release });
    }
    let mut tallies = judgement.tallies.clone();
    let mut deltas = deltas(&judgement, case.source, posted)?;
    let release = match case.then {
        Some(then) => count_earned(&mut deltas, then, &mut tallies)?,
        None => Release::new(),
    };
    Ok(Decision { judgement, deltas, tallies, release })
}

/// What each rule comes to for a source.
///
/// # Errors
/// [`MoneyError`] when an amount cannot be computed exactly.
pub fn judge(case: &Case<'_>) -> Result<Judgement, MoneyError> {
    let stop = |reason| Judgement {
        reason,
        terms_version: None,
        variant: None,
        rules: Vec::new(),
        memory: case.memory.clone(),
        tallies: case.tallies.clone(),
    };
    let Some(payment) = &case.state.payment else { return Ok(stop(Reason::AwaitingPayment)) };
    let referral = match case.binding {
        // What somebody earned whom nobody referred has no second level, and waits for nobody.
        Binding::Unknown if case.source.kind == SourceKind::Reward => return Ok(stop(Reason::NotReferred)),
        Binding::Unknown if case.payer.external_id.is_none() => return Ok(stop(Reason::PayerUnknown)),
        Binding::Unknown => return Ok(stop(Reason::AwaitingSignup)),
        Binding::Organic { .. } => return Ok(stop(Reason::NotReferred)),
        Binding::Bound { .. } => case.binding.judged_at(payment.paid_at, case.memory.referral),
    };
    let (referral, unheld, then) = match (referral, case.then) {
        (Err(reason), _) => return Ok(stop(reason)),
        (Ok((_, unheld)), None) => return Ok(stop(unheld.unwrap_or(Reason::ProgramNotActive))),
        // A second level stays within its program.
        (Ok((referral, None)), _) if case.state.is_earned_elsewhere(&referral.program) => {
            return Ok(stop(Reason::NotReferred));
        }
        (Ok((referral, unheld)), Some(then)) => (referral, unheld, then),
    };
    let in_band = (!case.state.out_of_band.is_empty() && !then.terms.draft.accept_out_of_band)
        .then(|| case.state.without_out_of_band());
    let case = &Case { state: in_band.as_ref().unwrap_or(case.state), ..*case };
    let variant = variant_of(&then.program, &referral.referee, &then.terms.draft.variants);
    let mut judgement =
        Judgement { terms_version: Some(then.terms.version), variant, ..stop(Reason::Earned) };
    judgement.memory.referral = referral.number;
    let settled = match in_band {
        _ if unheld.is_some() => unheld,
        Some(ref state) if state.payment.as_ref().is_none_or(|payment| payment.amount == 0) => {
            Some(Reason::OutOfBand)
        }
        Some(_) | None => settled_by(case, payment.paid_at, referral, then),
    };
    counting::contribute(case, settled, referral, then, &mut judgement)?;
    if let Some(reason) = settled {
        judgement.reason = reason;
        if case.memory.contribution.stands {
            // What counted and counts no more may cost a milestone.
            counting::all_milestones(case, referral, then, &mut judgement);
        }
        return Ok(judgement);
    }
    rule_outcomes(case, referral, then, &mut judgement)?;
    if judgement.rules.iter().any(|outcome| outcome.reason == Reason::AwaitingRate) {
        return Ok(stop(Reason::AwaitingRate));
    }
    let decided = |outcome: &&RuleOutcome| outcome.reason == Reason::Earned;
    let telling =
        |outcome: &&RuleOutcome| !matches!(outcome.reason, Reason::OtherTrigger | Reason::OtherVariant);
    // What the source itself came to, before what it adds to a count.
    let rules = &judgement.rules;
    let own = || rules.iter().filter(|outcome| outcome.counted.is_none());
    let told = own().find(decided).or_else(|| own().find(telling)).or_else(|| rules.iter().find(decided));
    let told = told.or_else(|| rules.iter().find(telling)).or(rules.first());
    judgement.reason = told.map_or(Reason::ZeroAmount, |outcome| outcome.reason);
    Ok(judgement)
}

/// The reason that settles a whole source, whatever the rules say.
fn settled_by(case: &Case<'_>, at: DateTime<Utc>, referral: &Referral, then: &ProgramThen) -> Option<Reason> {
    let grace = Duration::hours(i64::from(then.terms.draft.grace_hours));
    if !value::has_substance(case.source, case.state, &then.terms.draft) {
        Some(Reason::ZeroAmount)
    } else if referral.assigned_at.is_none() && at < referral.signed_up_at - grace {
        Some(Reason::PaidBeforeSignup)
    } else if then.status != ProgramStatus::Active {
        Some(Reason::ProgramNotActive)
    } else if then.terms.draft.track_only {
        Some(Reason::TrackOnly)
    } else if then.disabled {
        Some(Reason::ParticipantDisabled)
    } else {
        None
    }
}

fn rule_outcomes(
    case: &Case<'_>,
    referral: &Referral,
    then: &ProgramThen,
    judgement: &mut Judgement,
) -> Result<(), MoneyError> {
    let mut sets: Vec<&Label> = Vec::new();
    for rule in &then.terms.draft.rules {
        let recipients = match rule.recipient {
            Recipient::Referrer => referral.referrers(),
            Recipient::Referee => vec![Share { participant: then.referee.clone(), weight: 1 }],
        };
        let taken = rule.first_of.as_ref().filter(|set| sets.contains(set));
        let matched = match taken {
            Some(_) => Err(Reason::EarlierRuleApplied),
            None => matching::matches(rule, case, referral, judgement.variant.as_ref()),
        };
        let first = recipients.first().map(|share| &share.participant);
        let matched = matched.and_then(|()| admission::admit_referee(rule, case, first, judgement));
        match matched {
            Err(reason) => {
                let counts = |known: &&Admission| known.rule == rule.id && known.refused == Some(reason);
                let admission = judgement.memory.admissions.iter().find(counts).cloned();
                let outcome = |share| RuleOutcome {
                    admission: admission.clone(),
                    ..refused(rule, case, share, reason)
                };
                judgement.rules.extend(recipients.iter().map(outcome));
            }
            Ok(()) if rule.trigger == Trigger::ReferralCount => {
                counting::milestones(rule, case, &recipients, then, judgement);
            }
            Ok(()) => {
                sets.extend(&rule.first_of);
                pay(rule, case, &recipients, then, judgement)?;
            }
        }
    }
    Ok(())
}

/// What a rule that applies gives each of its recipients.
fn pay(
    rule: &RewardRule,
    case: &Case<'_>,
    recipients: &[Share],
    then: &ProgramThen,
    judgement: &mut Judgement,
) -> Result<(), MoneyError> {
    let weights: Vec<u64> = recipients.iter().map(|share| share.weight).collect();
    // Every recipient of a shared referral is counted by the first one's tier: the shares are of one reward.
    let first = recipients.first().map(|share| &share.participant);
    let counted = first.and_then(|first| admission::tier_counts(rule, case, first, judgement));
    let gross = match value::of(rule, case, Part::Gross, counted)? {
        Ok(gross) => gross,
        Err(reason) => {
            for share in recipients {
                let nothing = Money::new(0, value::nominal_unit(rule, case));
                let admission = admission::admit(rule, case, &share.participant, nothing, counted, judgement);
                judgement.rules.push(RuleOutcome { admission, ..refused(rule, case, share, reason) });
            }
            return Ok(());
        }
    };
    let standing = value::of(rule, case, Part::Standing, counted)?;
    let standing = standing.unwrap_or(value::Value::nothing(gross.money.unit));
    let gross_parts = split(gross.money.amount, &weights)?;
    let standing_parts = split(standing.money.amount, &weights)?;
    for ((share, whole), part) in recipients.iter().zip(gross_parts).zip(standing_parts) {
        let whole = Money::new(whole, gross.money.unit);
        let admission = admission::admit(rule, case, &share.participant, whole, counted, judgement);
        let room = admission.as_ref().and_then(|admission| admission.room).unwrap_or(i64::MAX);
        let refusal = admission.as_ref().and_then(|admission| admission.refused);
        let target = if refusal.is_some() { 0 } else { part.min(room) };
        let reason = refusal.unwrap_or_else(|| standing_reason(case, target));
        judgement.rules.push(RuleOutcome {
            source: case.source.clone(),
            rule: rule.id.clone(),
            recipient: share.participant.clone(),
            reason,
            basis: standing.basis,
            target: Money::new(target, gross.money.unit),
            promise: promise(rule, case, Money::new(whole.amount.min(room), whole.unit), then),
            admission,
            counted: None,
        });
    }
    Ok(())
}

fn refused(rule: &RewardRule, case: &Case<'_>, share: &Share, reason: Reason) -> RuleOutcome {
    RuleOutcome {
        source: case.source.clone(),
        rule: rule.id.clone(),
        recipient: share.participant.clone(),
        reason,
        basis: 0,
        target: Money::new(0, value::nominal_unit(rule, case)),
        promise: Promise::default(),
        admission: None,
        counted: None,
    }
}

/// Why a reward stands or does not.
fn standing_reason(case: &Case<'_>, target: i64) -> Reason {
    let state = case.state;
    if target > 0 {
        Reason::Earned
    } else if state.earned.as_ref().is_some_and(|earned| earned.net <= 0) {
        Reason::TakenBack
    } else if state.voided && !matches!(case.source.kind, SourceKind::Invoice | SourceKind::Payment) {
        Reason::Cancelled
    } else if state.voided {
        Reason::Voided
    } else if state.stands() {
        Reason::RoundsToZero
    } else if state.disputed_amount() > 0 {
        Reason::Disputed
    } else {
        Reason::Refunded
    }
}

/// What is particular about a reward of a rule; `whole` is what the rule gives for the whole event, within the caps.
fn promise(rule: &RewardRule, case: &Case<'_>, whole: Money, then: &ProgramThen) -> Promise {
    let at = case.state.payment.as_ref().map_or(case.now, |payment| payment.paid_at);
    let after = |days: u32| at + Duration::days(i64::from(days));
    let needs_approval = match &rule.approval {
        Approval::Automatic => false,
        Approval::Manual => true,
        Approval::ManualAbove(most) => whole.unit != most.unit || whole.amount > most.amount,
    };
    let threshold = then.terms.draft.min_earnings.iter().any(|least| least.unit == whole.unit);
    Promise {
        kind: Some(rule.kind),
        deliver_by: rule.deliver_by,
        confirm_days: rule.confirm_days,
        percent_off: value::percent_off(rule),
        sku: value::sku(rule),
        message: rule.message.is_some(),
        needs_approval,
        held_until: (rule.hold_days > 0).then(|| after(rule.hold_days)),
        // Whether it really is below is known once everything that the decision earns has been added.
        below_threshold: threshold && !rule.kind.is_action(),
        expires_at: rule.expires_after_days.map(after),
    }
}

/// What is to be posted so that the ledger says what the judgement says. `posted` is what the source's own row has; what
/// was posted for milestones is in the counters.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn deltas(judgement: &Judgement, source: &SourceId, posted: &[Posted]) -> Result<Vec<Delta>, MoneyError> {
    let mut deltas = Vec::new();
    for outcome in &judgement.rules {
        let before = match outcome.counted {
            Some(_) => counting::awarded(&judgement.tallies, outcome).map(|awarded| awarded.posted.clone()),
            None => posted.iter().find(|posted| is_same(posted, outcome)).cloned(),
        };
        let amount = difference(outcome.target, before.as_ref())?;
        deltas.push(Delta {
            source: outcome.source.clone(),
            rule: outcome.rule.clone(),
            recipient: outcome.recipient.clone(),
            amount,
            posted: before,
            promise: outcome.promise.clone(),
        });
    }
    for before in posted {
        if !judgement.rules.iter().any(|outcome| outcome.counted.is_none() && is_same(before, outcome)) {
            let amount = difference(Money::new(0, before.unit), Some(before))?;
            deltas.push(Delta {
                source: source.clone(),
                rule: before.rule.clone(),
                recipient: before.recipient.clone(),
                amount,
                posted: Some(before.clone()),
                promise: Promise::default(),
            });
        }
    }
    deltas.retain(|delta| delta.amount.amount != 0);
    Ok(deltas)
}

fn is_same(posted: &Posted, outcome: &RuleOutcome) -> bool {
    posted.rule == outcome.rule && posted.recipient == outcome.recipient && posted.unit == outcome.target.unit
}

fn difference(target: Money, posted: Option<&Posted>) -> Result<Money, MoneyError> {
    let (before, taken) = posted.map_or((0, 0), |posted| (posted.amount, posted.taken));
    let left = if posted.is_some_and(|posted| posted.closed) {
        0
    } else {
        target.amount.saturating_sub(taken).max(0)
    };
    let amount = left.checked_sub(before).ok_or(MoneyError::Overflow)?;
    Ok(Money::new(amount, target.unit))
}

pub use counting::{Release, count_earned, note_posted};
pub use rate::rate_wanted;

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;
