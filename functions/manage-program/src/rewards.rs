//! Rewards.

use aws::http::{Caller, Limit, Params, Path, PathId, Problem, ProblemBody, open_cursor, seal_cursor};
use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use domain::id::{ExternalId, ParticipantId, ProgramId, RewardId, RuleId, SourceId};
use domain::ledger::{Cause, Failure, Move, Note, Reward, RewardState};
use domain::money::Money;
use domain::terms::{Deliverer, RewardKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Deps;
use crate::reports::days;

/// What a reward waits for before it can be delivered.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WaitsFor {
    /// An administrator's approval.
    Approval,
    /// The end of its hold.
    Hold,
    /// That the participant has earned the least that the terms ask for.
    Earnings,
}

/// A reward.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RewardView {
    /// Its id.
    id: RewardId,
    /// Where it stands.
    state: RewardState,
    /// What it waits for, while it does.
    waits_for: Option<WaitsFor>,
    /// What is given.
    kind: RewardKind,
    /// The percentage of a discount, as a string.
    #[schema(example = "15")]
    percent_off: Option<String>,
    /// The product's name.
    #[schema(example = "mug-blue")]
    sku: Option<String>,
    /// Who earned.
    participant: ParticipantId,
    /// The program.
    program: ProgramId,
    /// The rule; `by_hand` when an administrator gave it.
    rule: RuleId,
    /// The terms that were applied.
    terms_version: u32,
    /// What it was earned from; `GET /v1/decisions/{source}` explains it.
    #[schema(value_type = String, example = "invoice/stripe/in_123")]
    source: SourceId,
    /// Your own id of the referee whose event it was; of the participant itself when an administrator gave it.
    referee: ExternalId,
    /// Why it was opened.
    cause: Cause,
    /// Who gave or approved it by hand, and why, if somebody did.
    note: Option<Note>,
    /// Who delivers it.
    deliver_by: Deliverer,
    /// Until when a listener has to confirm that it has delivered it.
    confirm_by: Option<DateTime<Utc>>,
    /// What it is called where it was delivered: a discount code, a transaction at the processor.
    reference: Option<String>,
    /// Why it could not be delivered, or not be taken back where it was; `POST /v1/rewards/{id}/retry` tries again.
    failure: Option<Failure>,
    /// What corrections, people and failures did to it, oldest first: the latest 20.
    moves: Vec<Move>,
    /// What was earned first.
    earned: Money,
    /// What stands of it after refunds and the like.
    amount: Money,
    /// Until when it is held, if it is or was.
    held_until: Option<DateTime<Utc>>,
    /// When it is gone if it was not used.
    expires_at: Option<DateTime<Utc>>,
    /// When the event happened.
    occurred_at: DateTime<Utc>,
    /// When the engine wrote it.
    recorded_at: DateTime<Utc>,
    /// When it was delivered.
    fulfilled_at: Option<DateTime<Utc>>,
}

/// A page of rewards.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RewardList {
    /// Newest first.
    data: Vec<RewardView>,
    /// Where to go on; absent at the end. A page can be short while there is more.
    next_cursor: Option<String>,
}

/// Which rewards.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only this participant's (prt_...), of any day.
    participant: Option<String>,
    /// Only those in this state.
    state: Option<RewardState>,
    /// Only those of this program (prg_...).
    program: Option<String>,
    /// First day (UTC) that they were recorded on; six days before `to` unless told.
    from: Option<NaiveDate>,
    /// Last day; today unless told. At most 31 days.
    to: Option<NaiveDate>,
    /// Rows of a page, 1 to 100; 50 unless told.
    #[serde(default)]
    #[param(value_type = Option<i32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl From<Reward> for RewardView {
    fn from(reward: Reward) -> Self {
        let deliver_by = reward.deliverer();
        Self {
            waits_for: waits_for(&reward),
            kind: reward.kind(),
            percent_off: reward.promise.percent_off.map(|percent| percent.to_string()),
            sku: reward.promise.sku,
            held_until: reward.promise.held_until,
            expires_at: reward.promise.expires_at,
            cause: reward.cause,
            note: reward.note,
            deliver_by,
            confirm_by: reward.handed.as_ref().map(|handed| handed.until),
            reference: reward.outside.and_then(|outside| outside.reference),
            failure: reward.failure,
            moves: reward.moves,
            id: reward.reward,
            state: reward.state,
            participant: reward.participant,
            program: reward.program,
            rule: reward.rule,
            terms_version: reward.terms_version,
            source: reward.source,
            referee: reward.referee,
            earned: Money::new(reward.delta, reward.unit),
            amount: Money::new(reward.net, reward.unit),
            occurred_at: reward.occurred_at,
            recorded_at: reward.recorded_at,
            fulfilled_at: reward.fulfilled_at,
        }
    }
}

pub(crate) fn waits_for(reward: &Reward) -> Option<WaitsFor> {
    match reward.state {
        RewardState::Pending => Some(WaitsFor::Approval),
        RewardState::Held if reward.promise.below_threshold => Some(WaitsFor::Earnings),
        RewardState::Held => Some(WaitsFor::Hold),
        RewardState::Approved
        | RewardState::Fulfilling
        | RewardState::Fulfilled
        | RewardState::Rejected
        | RewardState::Reversed
        | RewardState::Expired
        | RewardState::Failed => None,
    }
}

/// List rewards
#[utoipa::path(get, path = "/v1/rewards", operation_id = "list_rewards", tag = "reading", params(ListQuery),
    responses((status = 200, body = RewardList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Params(query): Params<ListQuery>,
) -> Result<axum::Json<RewardList>, Problem> {
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let limit = query.limit.get();
    let program = query.program.as_deref().map(|id| ProgramId::theirs(id, "?program")).transpose()?;
    let (list, page) = if let Some(participant) = &query.participant {
        let participant = ParticipantId::theirs(participant, "?participant")?;
        let list = format!("rewards of {participant} {:?} {program:?}", query.state);
        let cursor = open_cursor(&list, query.cursor.as_deref())?;
        let page = store.list_rewards_of(organization, &participant, cursor.as_deref(), limit).await?;
        (list, page)
    } else {
        let range = days(query.from, query.to, deps.edge.now())?;
        let list = format!("rewards {range:?} {:?} {program:?}", query.state);
        let cursor = open_cursor(&list, query.cursor.as_deref())?;
        (list, store.list_rewards(organization, range, cursor.as_deref(), limit).await?)
    };
    let wanted = |reward: &Reward| {
        let is_of = |program: &ProgramId| *program == reward.program;
        query.state.is_none_or(|state| state == reward.state) && program.as_ref().is_none_or(is_of)
    };
    let data = page.rows.into_iter().filter(wanted).map(RewardView::from).collect();
    let next_cursor = page.next.map(|next| seal_cursor(&list, &next));
    Ok(axum::Json(RewardList { data, next_cursor }))
}

/// Read a reward
#[utoipa::path(get, path = "/v1/rewards/{id}", operation_id = "read_reward", tag = "reading",
    params(("id" = String, Path, description = "The reward's id (rwd_...)")),
    responses((status = 200, body = RewardView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<RewardView>, Problem> {
    let id = RewardId::own(&id, "reward")?;
    let reward = deps.edge.store.find_reward(&caller.organization, &id).await?;
    reward.map(|reward| axum::Json(reward.into())).ok_or_else(|| Problem::not_found("reward"))
}
