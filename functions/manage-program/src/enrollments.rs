//! Enrollments: every time that a rule has fired for a participant.

use aws::http::{Caller, Params, Path, PathId, Problem, ProblemBody, open_cursor, seal_cursor};
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::id::{ExternalId, ParticipantId, RewardId, RuleId, SourceId, SourceKind};
use domain::ledger::{Reward, RewardState};
use domain::money::Money;
use domain::terms::RewardKind;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Deps;
use crate::ledger::check_exists;
use crate::page::PageQuery;
use crate::rewards::{WaitsFor, waits_for};

/// One firing of a rule for the participant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnrollmentView {
    /// The rule.
    rule: RuleId,
    /// The terms that were applied.
    terms_version: u32,
    /// Your own id of the referee whose event it was.
    referee: ExternalId,
    /// The event; `GET /v1/decisions/{source}` explains it.
    #[schema(value_type = String, example = "invoice/stripe/in_123")]
    source: SourceId,
    /// The reward that it gave.
    reward: RewardId,
    /// What is given.
    kind: RewardKind,
    /// What stands of it.
    amount: Money,
    /// Where the reward stands.
    state: RewardState,
    /// What the reward waits for, while it does.
    waits_for: Option<WaitsFor>,
    /// When the event happened.
    occurred_at: DateTime<Utc>,
    /// When the rule fired.
    recorded_at: DateTime<Utc>,
}

/// A page of enrollments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnrollmentList {
    /// Newest first.
    data: Vec<EnrollmentView>,
    /// Where to go on; absent at the end. A page can be short while there is more.
    next_cursor: Option<String>,
}

impl From<Reward> for EnrollmentView {
    fn from(reward: Reward) -> Self {
        Self {
            kind: reward.kind(),
            waits_for: waits_for(&reward),
            rule: reward.rule,
            terms_version: reward.terms_version,
            referee: reward.referee,
            source: reward.source,
            reward: reward.reward,
            amount: Money::new(reward.net, reward.unit),
            state: reward.state,
            occurred_at: reward.occurred_at,
            recorded_at: reward.recorded_at,
        }
    }
}

/// List a participant's enrollments
///
/// Every firing of a rule for the participant. Rewards that an administrator gave are none; a reward that was taken back
/// before its delivery and earned again is two.
#[utoipa::path(get, path = "/v1/participants/{id}/enrollments",
    operation_id = "list_enrollments", tag = "reading",
    params(("id" = String, Path, description = "The participant's id (prt_...)"), PageQuery),
    responses((status = 200, body = EnrollmentList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<axum::Json<EnrollmentList>, Problem> {
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let id = ParticipantId::own(&id, "participant")?;
    let list = format!("enrollments of {id}");
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let page = store.list_rewards_of(organization, &id, cursor.as_deref(), query.limit.get()).await?;
    if page.rows.is_empty() && cursor.is_none() {
        check_exists(&deps, organization, &id).await?;
    }
    let by_rule = |reward: &Reward| reward.source.kind != SourceKind::Grant;
    let data = page.rows.into_iter().filter(by_rule).map(EnrollmentView::from).collect();
    let next_cursor = page.next.map(|next| seal_cursor(&list, &next));
    Ok(axum::Json(EnrollmentList { data, next_cursor }))
}
