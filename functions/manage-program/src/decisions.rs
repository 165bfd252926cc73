//! Decisions: what is known of a source, what each rule came to, and why. The explanation is computed again from the
//! stored facts: the rules are pure and terms never change, so it is what was decided.

use aws::http::{Caller, Path, Problem, ProblemBody};
use aws::store::{SourceRow, Waiting};
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::decision::{Posted, ProgramThen, RuleOutcome, judge};
use domain::fact::Payer;
use domain::id::{ExternalId, OrganizationId, ParticipantId, ProgramId, RewardId, RuleId, SourceId};
use domain::money::Money;
use domain::program::ProgramStatus;
use domain::reason::Reason;
use domain::referral::Binding;
use domain::source::SourceState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Deps;

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
    /// What it waits for, when it is parked: `sign_up` or `customer`.
    waiting_for: Option<&'static str>,
    /// What went in.
    inputs: InputsView,
    /// Every rule of the terms.
    rules: Vec<RuleView>,
    /// When the source was first heard of.
    created_at: DateTime<Utc>,
    /// When something about it last changed.
    updated_at: DateTime<Utc>,
}

/// What a decision was made from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InputsView {
    /// Your own id of the payer.
    payer: Option<ExternalId>,
    /// The participant who referred the payer.
    referrer: Option<ParticipantId>,
    /// When the payer signed up.
    signed_up_at: Option<DateTime<Utc>>,
    /// The program.
    program: Option<ProgramId>,
    /// Its status when the payment was made.
    program_status: Option<ProgramStatus>,
    /// The terms that held when the payment was made.
    terms_version: Option<u32>,
    /// What was paid.
    paid: Option<Money>,
    /// When.
    paid_at: Option<DateTime<Utc>>,
    /// What was refunded of it, in minor units.
    refunded: i64,
    /// What is disputed or lost of it.
    disputed: i64,
    /// Whether the invoice was voided.
    voided: bool,
    /// What stands of the payment.
    standing: i64,
}

/// What one rule came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleView {
    /// The rule.
    rule: RuleId,
    /// Who earns by it.
    recipient: ParticipantId,
    /// Whether its reward stands.
    fired: bool,
    /// Why, or why not.
    #[schema(value_type = String, example = "earned")]
    reason: Reason,
    /// What of the payment the rule was applied to, in minor units of the payment.
    basis: i64,
    /// What it should have given by now.
    target: Money,
    /// What is in the ledger.
    posted: Money,
    /// The reward that stands for it.
    reward: Option<RewardId>,
}

/// Explain a decision
#[utoipa::path(get, path = "/v1/decisions/{source}", operation_id = "explain_decision", tag = "reading",
    params(("source" = String, Path, description = "`invoice/<processor>/<id>` or `payment/<processor>/<id>`, slashes as they are")),
    responses((status = 200, body = DecisionView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(source): Path<String>,
) -> Result<axum::Json<DecisionView>, Problem> {
    let source = SourceId::parse(&source).map_err(|error| Problem::field("{source}", error))?;
    let row = find(&deps, &caller.organization, &source).await?;
    let row = row.ok_or_else(|| Problem::not_found("source"))?;
    let payer = deps.edge.store.find_referee_of(&caller.organization, &row.payer).await?;
    let binding = match &payer {
        Some(payer) => deps.edge.store.get_referee(&caller.organization, payer).await?.binding(),
        None => Binding::Unknown,
    };
    let then = deps.edge.store.find_program_then(&caller.organization, &binding, &row.state).await?;
    let known = Payer { external_id: payer.clone(), ..row.payer.clone() };
    let judgement =
        judge(&row.state, &known, &binding, then.as_ref()).map_err(|error| Problem::internal(&error))?;
    let rules = judgement.rules.into_iter().map(|outcome| rule(outcome, &row.posted)).collect();
    Ok(axum::Json(DecisionView {
        reason: judgement.reason,
        explanation: judgement.reason.text(),
        waiting_for: row.waiting_for.as_ref().map(|waiting| match waiting {
            Waiting::Referee(_) => "sign_up",
            Waiting::Customer(_) => "customer",
        }),
        inputs: inputs(&row.state, payer, &binding, then.as_ref()),
        rules,
        source: row.source,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }))
}

/// The source, or the invoice that it forwards to.
async fn find(
    deps: &Deps,
    organization: &OrganizationId,
    source: &SourceId,
) -> Result<Option<SourceRow>, Problem> {
    let row = deps.edge.store.find_source(organization, source).await?;
    match row.as_ref().and_then(|row| row.forward_to.clone()) {
        Some(invoice) => Ok(deps.edge.store.find_source(organization, &invoice).await?),
        None => Ok(row),
    }
}

fn inputs(
    state: &SourceState,
    payer: Option<ExternalId>,
    binding: &Binding,
    then: Option<&ProgramThen>,
) -> InputsView {
    let (referrer, signed_up_at) = match binding {
        Binding::Bound(referral) => (Some(referral.referrer.clone()), Some(referral.signed_up_at)),
        Binding::Organic { signed_up_at } => (None, Some(*signed_up_at)),
        Binding::Unknown => (None, None),
    };
    InputsView {
        payer,
        referrer,
        signed_up_at,
        program: then.map(|then| then.program.clone()),
        program_status: then.map(|then| then.status),
        terms_version: then.map(|then| then.terms.version),
        paid: state.paid_money(),
        paid_at: state.payment.as_ref().map(|payment| payment.paid_at),
        refunded: state.refunded_amount(),
        disputed: state.disputed_amount(),
        voided: state.voided,
        standing: state.standing_amount(),
    }
}

fn rule(outcome: RuleOutcome, posted: &[Posted]) -> RuleView {
    let posted =
        posted.iter().find(|posted| posted.rule == outcome.rule && posted.recipient == outcome.recipient);
    let amount = posted.map_or(0, |posted| posted.amount);
    RuleView {
        fired: outcome.reason == Reason::Earned,
        reason: outcome.reason,
        basis: outcome.basis,
        target: outcome.target,
        posted: Money::new(amount, outcome.target.currency),
        reward: posted.map(|posted| posted.reward.clone()),
        rule: outcome.rule,
        recipient: outcome.recipient,
    }
}
