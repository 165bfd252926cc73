//! How a decision is shown.

use aws::http::ReferralView;
use aws::settle::Explanation;
use aws::store::{Grant, SourceRow, Then, Waiting};
use chrono::{DateTime, Utc};
use domain::id::{ExternalId, Label, ParticipantId, ProgramId, RewardId, SourceId};
use domain::ledger::{Note, Reward};
use domain::money::Money;
use domain::program::ProgramStatus;
use domain::rate::{ExchangeRate, RateKey};
use domain::reason::Reason;
use domain::referral::Binding;
use domain::source::Labels;
use domain::tally::Awarded;
use serde::Serialize;
use utoipa::ToSchema;

use super::rule::{RuleView, rules_of};

/// A decision, explained.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DecisionView {
    /// The source; the invoice, when a payment was asked for that is tied to one.
    #[schema(value_type = String, example = "invoice/stripe/in_123")]
    source: SourceId,
    /// Why the source earns or does not; see docs/problems.md.
    #[schema(value_type = String, example = "earned")]
    reason: Reason,
    /// The reason in words.
    explanation: &'static str,
    /// What it waits for, when it is parked: `sign_up`, `customer` or `exchange_rate`.
    waiting_for: Option<&'static str>,
    /// Which exchange rate it waits for, when it does.
    missing_rate: Option<RateKey>,
    /// What went in.
    inputs: InputsView,
    /// Every rule of the terms, for every recipient.
    rules: Vec<RuleView>,
    /// What was given by hand, where the source is that.
    grant: Option<GrantView>,
    /// When the source was first heard of.
    created_at: DateTime<Utc>,
    /// When something about it last changed.
    updated_at: DateTime<Utc>,
}

/// What a decision was made from.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct InputsView {
    /// Your own id of the referee.
    payer: Option<ExternalId>,
    /// The participant who referred; of several, the one with the largest share.
    referrer: Option<ParticipantId>,
    /// The referral that held when the event happened; the latest, when none did.
    referral: Option<ReferralView>,
    /// When the referee signed up.
    signed_up_at: Option<DateTime<Utc>>,
    /// The program.
    program: Option<ProgramId>,
    /// Its status when the event happened.
    program_status: Option<ProgramStatus>,
    /// Whether the referrer's participation was switched off then.
    disabled: bool,
    /// The terms that were applied: those that held when the event happened.
    terms_version: Option<u32>,
    /// The referee's variant of the terms, where they have variants.
    variant: Option<Label>,
    /// What was paid, or the amount of the event.
    paid: Option<Money>,
    /// When it happened.
    paid_at: Option<DateTime<Utc>>,
    /// The exchange rate that was applied, where the terms pay out in another currency than the event's.
    rate: Option<ExchangeRate>,
    /// What was refunded of it, in minor units.
    refunded: i64,
    /// What was credited of it without a refund, in minor units.
    credited: i64,
    /// What is disputed or lost of it, in minor units.
    disputed: i64,
    /// What of it was paid outside the processor, in minor units.
    out_of_band: i64,
    /// Whether the invoice was voided, or the event cancelled.
    voided: bool,
    /// What stands of it, in minor units.
    standing: i64,
    /// The event's plans, products, countries and metadata, as far as any terms ask for them, by key: `plan`, `product`,
    /// `country`, `metadata.<key>`.
    #[schema(value_type = std::collections::HashMap<String, Vec<String>>)]
    labels: Labels,
    /// The figures of a payout record.
    figures: Option<FiguresView>,
    /// What stands of the reward that a second level is earned of.
    earned: Option<Money>,
}

/// The figures of a payout record, in minor units.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FiguresView {
    /// Which version of the record it is.
    revision: u32,
    /// What the partner was paid.
    payout: Option<i64>,
    /// What was made of the partner.
    profit: Option<i64>,
    /// What the partner turned over.
    revenue: Option<i64>,
}

/// A reward given by hand.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GrantView {
    /// To whom.
    participant: ParticipantId,
    /// How much.
    amount: Money,
    /// Who gave it, and why.
    note: Note,
    /// The reward.
    reward: Option<RewardId>,
}

impl From<Explanation> for DecisionView {
    fn from(found: Explanation) -> Self {
        let rules = found.decision.as_ref().map_or_else(Vec::new, |decision| rules_of(decision, &found.row));
        let row = found.row;
        let stands = rules.iter().any(|rule| rule.fired);
        // What was earned and taken back by hand is not given again.
        let taken_back = found.reason == Reason::Earned && !stands;
        let reason = if taken_back { Reason::TakenBack } else { found.reason };
        let variant = found.decision.and_then(|decision| decision.judgement.variant);
        let reward = row.posted.first().map(|posted| posted.reward.clone());
        let program = row.program.clone();
        Self {
            reason,
            explanation: reason.text(),
            waiting_for: row.waiting_for.as_ref().map(|waiting| match waiting {
                Waiting::Referee(_) => "sign_up",
                Waiting::Customer(_) => "customer",
                Waiting::Rate(_) => "exchange_rate",
            }),
            missing_rate: match row.waiting_for {
                Some(Waiting::Rate(key)) => Some(key),
                Some(Waiting::Referee(_) | Waiting::Customer(_)) | None => None,
            },
            inputs: InputsView {
                variant,
                ..inputs(&row, found.payer, &found.binding, found.then.as_ref(), program)
            },
            rules,
            grant: row.grant.map(|grant| grant_view(grant, reward)),
            source: row.source,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl DecisionView {
    /// The decision on a milestone: `qualified` is what is counted now.
    pub(super) fn of_milestone(source: SourceId, awarded: &Awarded, qualified: u32, reward: &Reward) -> Self {
        let rule = RuleView::of_milestone(source.clone(), awarded, qualified);
        let reason = rule.reason;
        let inputs = InputsView {
            payer: Some(reward.referee.clone()),
            referrer: Some(reward.participant.clone()),
            program: Some(reward.program.clone()),
            terms_version: Some(reward.terms_version),
            paid_at: Some(reward.occurred_at),
            ..InputsView::default()
        };
        Self {
            source,
            reason,
            explanation: reason.text(),
            waiting_for: None,
            missing_rate: None,
            inputs,
            rules: vec![rule],
            grant: None,
            created_at: reward.recorded_at,
            updated_at: reward.recorded_at,
        }
    }
}

fn inputs(
    row: &SourceRow,
    payer: Option<ExternalId>,
    binding: &Binding,
    then: Option<&Then>,
    program: Option<ProgramId>,
) -> InputsView {
    let state = &row.state;
    let at = state.payment.as_ref().map(|payment| payment.paid_at);
    let judged = at.and_then(|at| binding.judged_at(at, row.memory.referral).ok());
    let held = judged.map(|(referral, _)| referral).or_else(|| binding.latest()).cloned();
    let organic = match binding {
        Binding::Organic { signed_up_at } => Some(*signed_up_at),
        Binding::Bound { .. } | Binding::Unknown => None,
    };
    let then = then.map(|found| &found.then);
    InputsView {
        payer,
        referrer: held.as_ref().map(|referral| referral.referrer.clone()),
        signed_up_at: held.as_ref().map(|referral| referral.signed_up_at).or(organic),
        referral: held.map(ReferralView::from),
        program: then.map(|then| then.program.clone()).or(program),
        program_status: then.map(|then| then.status),
        disabled: then.is_some_and(|then| then.disabled),
        terms_version: then.map(|then| then.terms.version).or(row.terms_version),
        variant: None,
        paid: state.paid_money(),
        paid_at: at,
        rate: row.rate,
        refunded: state.refunded_amount(),
        credited: state.credited_amount(),
        disputed: state.disputed_amount(),
        out_of_band: state.out_of_band_amount(),
        voided: state.voided,
        standing: state.standing_amount(),
        labels: state.labels.clone(),
        figures: state.payout.as_ref().map(|figures| FiguresView {
            revision: figures.revision,
            payout: figures.payout,
            profit: figures.profit,
            revenue: figures.revenue,
        }),
        earned: state.earned.as_ref().map(|earned| Money::new(earned.net, earned.unit)),
    }
}

fn grant_view(grant: Grant, reward: Option<RewardId>) -> GrantView {
    GrantView { participant: grant.participant, amount: grant.amount, note: grant.note, reward }
}
