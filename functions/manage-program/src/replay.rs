//! Deciding a source again: dry, to see whether the decision still comes out the same, or for good.

use aws::http::{Caller, Json, Path, Problem, ProblemBody};
use aws::settle::Explanation;
use axum::extract::State;
use domain::id::{Label, ParticipantId, RewardId, RuleId, SourceId, SourceKind};
use domain::ledger::{Delta, Posted};
use domain::money::Money;
use domain::reason::Reason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::decisions::{RuleView, rules_of};

/// How a source is to be decided again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayRequest {
    /// Whether nothing is to be written; `true` unless told.
    #[serde(default = "dry")]
    dry_run: bool,
}

const fn dry() -> bool {
    true
}

/// A source that was decided again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplayView {
    /// The source; the invoice, when a payment was asked for that is tied to one.
    #[schema(value_type = String, example = "invoice/stripe/in_123")]
    source: SourceId,
    /// Whether nothing was written.
    dry_run: bool,
    /// Whether the decision came out as it is stored.
    unchanged: bool,
    /// The decision as it was stored.
    stored: OutcomeView,
    /// The decision as it comes out now.
    recomputed: OutcomeView,
    /// Every rule: what it came to now, beside what was in the ledger.
    rules: Vec<RuleView>,
    /// The lines that were missing in the ledger; empty when the decision came out the same.
    would_post: Vec<LineView>,
    /// The lines that were written; empty when it was dry.
    posted: Vec<PostedView>,
}

/// A decision in short.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct OutcomeView {
    /// Why the source earns or does not; null when it was never decided.
    #[schema(value_type = Option<String>, example = "earned")]
    reason: Option<Reason>,
    /// The terms that were applied.
    terms_version: Option<u32>,
    /// The referee's variant of them.
    variant: Option<Label>,
}

/// A line that the ledger lacks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineView {
    /// The rule.
    rule: RuleId,
    /// Who earns by it.
    recipient: ParticipantId,
    /// What it is earned from: the source itself, or a milestone.
    #[schema(value_type = String, example = "invoice/stripe/in_123")]
    source: SourceId,
    /// Signed: what it would add.
    amount: Money,
}

/// A line that was written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PostedView {
    /// The reward that it opens or corrects.
    reward: RewardId,
    /// Signed: what it added.
    amount: Money,
}

/// Decide a source again
///
/// From its stored facts, by the terms that held then. Dry unless told otherwise: it shows the difference between what
/// is stored and what comes out now, and there is none unless facts arrived that nothing has decided yet. With
/// `dry_run: false` the difference is posted. A source that waits for a sign-up stays waiting; of a reward given by hand
/// nothing is decided.
#[utoipa::path(post, path = "/v1/events/{source}/replay", operation_id = "replay_event", tag = "reading",
    params(("source" = String, Path, description = "The source with colons for slashes, such as `invoice:stripe:in_123`; a milestone is decided with the event that reached it")),
    request_body = ReplayRequest,
    responses((status = 200, body = ReplayView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn replay(
    State(deps): State<Deps>,
    caller: Caller,
    Path(source): Path<String>,
    request: Json<ReplayRequest>,
) -> Result<axum::Json<ReplayView>, Problem> {
    let organization = &caller.organization;
    let source = SourceId::parse(&source).map_err(|error| Problem::field("{source}", error))?;
    let found = deps.settler.explain(organization, &source).await?;
    let found = found.ok_or_else(|| Problem::not_found("source"))?;
    let before = found.row.posted.clone();
    let mut view = compare(found);
    if request.value.dry_run || view.source.kind == SourceKind::Grant {
        return Ok(axum::Json(view));
    }
    view.dry_run = false;
    view.posted = if view.source.kind == SourceKind::Reward {
        deps.settler.settle_cascade(organization, &view.source).await?;
        let after = deps.edge.store.find_source(organization, &view.source).await?;
        after.map_or_else(Vec::new, |after| difference(&before, &after.posted))
    } else {
        let settled = deps.settler.settle_again(organization, &view.source).await?;
        settled.posted.into_iter().map(|(reward, amount)| PostedView { reward, amount }).collect()
    };
    Ok(axum::Json(view))
}

fn compare(found: Explanation) -> ReplayView {
    let rules = found.decision.as_ref().map_or_else(Vec::new, |decision| rules_of(decision, &found.row));
    let stored = OutcomeView {
        reason: found.row.reason,
        terms_version: found.row.terms_version,
        variant: found.row.variant,
    };
    let recomputed = match &found.decision {
        Some(decision) => OutcomeView {
            reason: Some(found.reason),
            terms_version: decision.judgement.terms_version,
            variant: decision.judgement.variant.clone(),
        },
        None => OutcomeView { reason: Some(found.reason), terms_version: None, variant: None },
    };
    let line = |delta: Delta| LineView {
        rule: delta.rule,
        recipient: delta.recipient,
        source: delta.source,
        amount: delta.amount,
    };
    let deltas = found.decision.map_or_else(Vec::new, |decision| decision.deltas);
    let would_post: Vec<LineView> = deltas.into_iter().map(line).collect();
    ReplayView {
        source: found.row.source,
        dry_run: true,
        unchanged: stored == recomputed && would_post.is_empty(),
        stored,
        recomputed,
        rules,
        would_post,
        posted: Vec::new(),
    }
}

/// What was posted between two readings of a source.
fn difference(before: &[Posted], after: &[Posted]) -> Vec<PostedView> {
    let was =
        |posted: &Posted| before.iter().find(|was| was.reward == posted.reward).map_or(0, |was| was.amount);
    let line = |posted: &Posted| PostedView {
        reward: posted.reward.clone(),
        amount: Money::new(posted.amount.saturating_sub(was(posted)), posted.unit),
    };
    after.iter().map(line).filter(|line| line.amount.amount != 0).collect()
}
