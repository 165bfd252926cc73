//! A participant's ledger and balances.

use aws::http::{Caller, Params, Path, PathId, Problem, ProblemBody, open_cursor, seal_cursor};
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::id::{ExternalId, OrganizationId, ParticipantId, RewardId, RuleId, SourceId};
use domain::ledger::{Cause, Figures, Line, Note};
use domain::money::{Money, Unit};
use domain::terms::RewardKind;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Deps;
use crate::page::PageQuery;

/// A line of the ledger. Lines are never edited.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineView {
    /// Why it was written.
    cause: Cause,
    /// Signed: what it added.
    amount: Money,
    /// What the reward gives, in the line that opens it.
    kind: Option<RewardKind>,
    /// The percentage of a discount, in the line that opens it.
    #[schema(example = "15")]
    percent_off: Option<String>,
    /// The product's name, in the line that opens it.
    #[schema(example = "mug-blue")]
    sku: Option<String>,
    /// Who did it by hand, and why, if somebody did.
    note: Option<Note>,
    /// The reward that it opens or corrects; absent, as the next four are, from what was redeemed and returned.
    reward: Option<RewardId>,
    /// The rule; `by_hand` when an administrator gave the reward.
    rule: Option<RuleId>,
    /// The terms that were applied.
    terms_version: Option<u32>,
    /// The source.
    #[schema(value_type = Option<String>, example = "invoice/stripe/in_123")]
    source: Option<SourceId>,
    /// When the event happened.
    occurred_at: Option<DateTime<Utc>>,
    /// Your own name of what was redeemed or returned.
    reference: Option<ExternalId>,
    /// When the line was written.
    recorded_at: DateTime<Utc>,
}

/// A page of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerView {
    /// Newest first.
    data: Vec<LineView>,
    /// Where to go on; absent at the end.
    next_cursor: Option<String>,
}

/// What a participant has in one unit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BalanceView {
    /// ISO 4217 code, or the name of another unit such as `points`.
    #[schema(value_type = String, example = "USD")]
    unit: Unit,
    /// What can be spent, in minor units of a currency or whole pieces; never below zero.
    available: i64,
    /// What was taken back of the balance beyond all that was left: later deliveries net it first.
    shortfall: i64,
    /// Cash that was delivered and stands: what partner invoices pay out, or have. Below zero when more was taken back.
    cash: i64,
    /// What was delivered elsewhere and stands: credit at the processor, discounts, products, what a listener delivered.
    elsewhere: i64,
    /// What was spent of the balance and not given back.
    spent: i64,
    /// Earned, and not yet delivered.
    pending: i64,
    /// Everything ever earned or restored.
    earned: i64,
    /// Everything ever taken back. `available - shortfall + cash + elsewhere + spent + pending = earned -
    /// reversed`.
    reversed: i64,
}

/// Balances by unit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BalancesView {
    /// One per unit that the ledger has lines of; messages, tasks and webhooks have no value and no balance.
    data: Vec<BalanceView>,
}

impl From<Line> for LineView {
    fn from(line: Line) -> Self {
        match line {
            Line::Reward(reward) => Self {
                cause: reward.cause,
                amount: Money::new(reward.delta, reward.unit),
                kind: Some(reward.kind()),
                percent_off: reward.promise.percent_off.map(|percent| percent.to_string()),
                // Whoever approved the reward later is no part of the line that opened it.
                note: reward.note.filter(|_| reward.cause == Cause::Granted),
                sku: reward.promise.sku,
                reward: Some(reward.reward),
                rule: Some(reward.rule),
                terms_version: Some(reward.terms_version),
                source: Some(reward.source),
                occurred_at: Some(reward.occurred_at),
                recorded_at: reward.recorded_at,
                reference: None,
            },
            Line::Entry(entry) => Self {
                cause: entry.cause,
                amount: Money::new(entry.delta, entry.unit),
                kind: None,
                percent_off: None,
                sku: None,
                note: entry.note,
                reward: Some(entry.reward),
                rule: Some(entry.rule),
                terms_version: Some(entry.terms_version),
                source: Some(entry.source),
                occurred_at: Some(entry.occurred_at),
                recorded_at: entry.recorded_at,
                reference: None,
            },
            Line::Redemption(redemption) => Self {
                cause: redemption.cause(),
                amount: Money::new(redemption.amount.saturating_neg(), redemption.unit),
                kind: None,
                percent_off: None,
                sku: None,
                note: redemption.note,
                reward: None,
                rule: None,
                terms_version: None,
                source: None,
                occurred_at: None,
                recorded_at: redemption.recorded_at,
                reference: Some(redemption.reference),
            },
        }
    }
}

/// Read a participant's ledger
#[utoipa::path(get, path = "/v1/participants/{id}/ledger", operation_id = "read_ledger", tag = "reading",
    params(("id" = String, Path, description = "The participant's id (prt_...)"), PageQuery),
    responses((status = 200, body = LedgerView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<axum::Json<LedgerView>, Problem> {
    let id = ParticipantId::own(&id, "participant")?;
    let list = format!("ledger of {id}");
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let store = &deps.edge.store;
    let page = store.list_lines(&caller.organization, &id, cursor.as_deref(), query.limit.get()).await?;
    if page.rows.is_empty() && cursor.is_none() {
        check_exists(&deps, &caller.organization, &id).await?;
    }
    let next_cursor = page.next.map(|next| seal_cursor(&list, &next));
    Ok(axum::Json(LedgerView { data: page.rows.into_iter().map(LineView::from).collect(), next_cursor }))
}

/// Read a participant's balances
#[utoipa::path(get, path = "/v1/participants/{id}/balances", operation_id = "read_balances", tag = "reading",
    params(("id" = String, Path, description = "The participant's id (prt_...)")),
    responses((status = 200, body = BalancesView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn balances(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<BalancesView>, Problem> {
    let id = ParticipantId::own(&id, "participant")?;
    let balances = deps.edge.store.get_balances(&caller.organization, &id).await?;
    if balances.is_empty() {
        check_exists(&deps, &caller.organization, &id).await?;
    }
    let view = |(unit, figures): (Unit, Figures)| BalanceView {
        unit,
        available: figures.usable(),
        shortfall: figures.shortfall(),
        cash: figures.cash,
        elsewhere: figures.elsewhere,
        spent: figures.spent,
        pending: figures.pending,
        earned: figures.earned,
        reversed: figures.reversed,
    };
    Ok(axum::Json(BalancesView { data: balances.into_iter().map(view).collect() }))
}

/// A participant without a balance, or without lines on a page, may still exist; and one that never was enrolled may have
/// lines: a referee who was rewarded.
pub(crate) async fn check_exists(
    deps: &Deps,
    organization: &OrganizationId,
    id: &ParticipantId,
) -> Result<(), Problem> {
    let store = &deps.edge.store;
    if store.find_participant(organization, id).await?.is_some() {
        return Ok(());
    }
    // Two rows: the newest may be a snapshot, and before that there is a line.
    let has_lines = !store.list_lines(organization, id, None, 2).await?.rows.is_empty();
    has_lines.then_some(()).ok_or_else(|| Problem::not_found("participant"))
}
