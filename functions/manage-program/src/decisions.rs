//! Decisions: what is known of a source, what each rule came to, and why. The explanation is computed again from the
//! stored facts: the rules are pure, terms never change, and what was counted is kept with the source, so it is what was
//! decided.

mod rule;
mod view;

use aws::http::{Caller, Params, Path, PathId, Problem, ProblemBody};
use axum::extract::State;
use domain::id::{OrganizationId, ParticipantId, SourceId, SourceKind};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Deps;
pub(crate) use rule::{RuleView, rules_of};
pub(crate) use view::DecisionView;

/// Whose decision, where the source alone does not say.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DecisionQuery {
    /// The participant (prt_...) who reached it; needed for a milestone, and only for one.
    participant: Option<String>,
}

/// Explain a decision
///
/// What went in, every rule of the terms with the reason why it fired or did not, and what is in the ledger for it. For
/// every kind of source: invoices and payments, sign-ups, qualifying events, payout records, rewards (of which a second
/// level may be earned), milestones, and rewards given by hand.
#[utoipa::path(get, path = "/v1/decisions/{source}", operation_id = "explain_decision", tag = "reading",
    params(("source" = String, Path, description = "The source as rewards and ledger lines name it, such as `invoice/stripe/in_123`, slashes as they are"),
           DecisionQuery),
    responses((status = 200, body = DecisionView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(source): Path<String>,
    Params(query): Params<DecisionQuery>,
) -> Result<axum::Json<DecisionView>, Problem> {
    let source = SourceId::parse(&source).map_err(|error| Problem::field("{source}", error))?;
    match (source.kind == SourceKind::Milestone, query.participant) {
        (true, Some(participant)) => {
            let participant = ParticipantId::theirs(&participant, "?participant")?;
            milestone(&deps, &caller.organization, source, participant).await.map(axum::Json)
        }
        (true, None) => Err(Problem::field("?participant", "must say who reached the milestone")),
        (false, Some(_)) => Err(Problem::field("?participant", "is for milestones alone")),
        (false, None) => {
            let found = deps.settler.explain(&caller.organization, &source).await?;
            let found = found.ok_or_else(|| Problem::not_found("source"))?;
            Ok(axum::Json(DecisionView::from(found)))
        }
    }
}

/// What became of a milestone: counted for its participant, and awarded once.
async fn milestone(
    deps: &Deps,
    organization: &OrganizationId,
    source: SourceId,
    participant: ParticipantId,
) -> Result<DecisionView, Problem> {
    let store = &deps.edge.store;
    let counted = store.get_tally(organization, &participant, false).await?.tally;
    let is_it = |at: u32, rule| SourceId::milestone(rule, at) == source;
    let awarded = counted.milestones.iter().find(|awarded| is_it(awarded.at, &awarded.posted.rule));
    let awarded = awarded.ok_or_else(|| Problem::not_found("milestone of the participant"))?;
    let reward = store.find_reward(organization, &awarded.posted.reward).await?;
    let reward = reward.ok_or_else(|| Problem::not_found("reward"))?;
    Ok(DecisionView::of_milestone(source, awarded, counted.qualified, &reward))
}
