//! Redemptions: what participants spend of their balances.

use aws::http::{Caller, Json, Params, Path, PathId, Problem, ProblemBody, open_cursor, seal_cursor};
use aws::settle::Redeemed;
use aws::store::RedemptionRow;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::id::{ExternalId, ParticipantId};
use domain::ledger::Note;
use domain::money::{AMOUNT_MAX, Money};
use domain::terms::RewardKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::by_hand::{ReasonedRequest, note};
use crate::ledger::check_exists;
use crate::page::PageQuery;

/// Something to be spent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedemptionRequest {
    /// Your own name of what it is spent on: 1 to 128 of `A-Z a-z 0-9 . _ : | -`. Each is spent on once: the call repeated
    /// with the same amount answers what it did the first time.
    #[schema(value_type = String, example = "order_77")]
    reference: ExternalId,
    /// How much: 1 to 1,000,000,000,000 minor units of a currency, or whole points.
    amount: Money,
    /// Who spends it for the participant, 1 to 100 characters, if not the participant itself; with `reason`.
    #[schema(min_length = 1, max_length = 100)]
    actor: Option<String>,
    /// Why, 1 to 500 characters; with `actor`.
    #[schema(min_length = 1, max_length = 500)]
    reason: Option<String>,
}

/// Something that was spent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RedemptionView {
    /// Your own name of it.
    #[schema(value_type = String, example = "order_77")]
    reference: ExternalId,
    /// Who spent.
    participant: ParticipantId,
    /// How much.
    amount: Money,
    /// Who spent it for the participant, and why, if somebody did.
    note: Option<Note>,
    /// When.
    redeemed_at: DateTime<Utc>,
    /// When it was given back, if it was.
    returned_at: Option<DateTime<Utc>>,
    /// Who gave it back, and why.
    return_note: Option<Note>,
}

/// A page of redemptions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RedemptionList {
    /// By reference.
    data: Vec<RedemptionView>,
    /// Where to go on; absent at the end.
    next_cursor: Option<String>,
}

impl From<RedemptionRow> for RedemptionView {
    fn from(row: RedemptionRow) -> Self {
        Self {
            reference: row.reference,
            participant: row.participant,
            amount: Money::new(row.amount, row.unit),
            note: row.note,
            redeemed_at: row.redeemed_at,
            returned_at: row.returned_at,
            return_note: row.return_note,
        }
    }
}

/// Spend of a balance
///
/// All of the amount or nothing: of what is `available` in its unit. What expires is spent before it does, the oldest first.
/// Idempotent by `reference`.
#[utoipa::path(post, path = "/v1/participants/{id}/redemptions", operation_id = "redeem", tag = "rewards",
    params(("id" = String, Path, description = "The participant's id (prt_...)")), request_body = RedemptionRequest,
    responses((status = 201, body = RedemptionView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 balance_too_low, reference_used")))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<RedemptionRequest>,
) -> Result<Response, Problem> {
    let participant = ParticipantId::own(&id, "participant")?;
    let asked = request.value;
    let fits = (1..=AMOUNT_MAX).contains(&asked.amount.amount);
    if !fits {
        return Err(Problem::field("/amount/amount", format!("must be 1 to {AMOUNT_MAX}")));
    }
    if RewardKind::is_action_unit(asked.amount.unit) {
        return Err(Problem::field("/amount/currency", "is the unit of an action, which has no balance"));
    }
    let note = match (&asked.actor, &asked.reason) {
        (None, None) => None,
        (Some(actor), Some(reason)) => Some(note(actor, reason)?),
        (Some(_), None) => return Err(Problem::field("/reason", "is needed with an actor")),
        (None, Some(_)) => return Err(Problem::field("/actor", "is needed with a reason")),
    };
    let row = RedemptionRow {
        participant,
        reference: asked.reference,
        amount: asked.amount.amount,
        unit: asked.amount.unit,
        note,
        redeemed_at: deps.edge.now(),
        returned_at: None,
        return_note: None,
    };
    match deps.settler.redeem(&caller.organization, &row).await? {
        Redeemed::Done(row) => {
            let location = format!("/v1/participants/{}/redemptions/{}", row.participant, row.reference);
            let view = axum::Json(RedemptionView::from(*row));
            Ok((StatusCode::CREATED, [("location", location)], view).into_response())
        }
        Redeemed::OtherRequest => Err(Problem::new(
            409,
            "reference_used",
            "Something else was spent under this reference; use another.",
        )),
        Redeemed::Short { available } => {
            check_exists(&deps, &caller.organization, &row.participant).await?;
            let available = Money::new(available, row.unit);
            let problem = Problem::new(409, "balance_too_low", "The participant does not have that much.");
            Err(problem.detail(format_args!("{available} can be spent")))
        }
    }
}

/// List what a participant has spent
#[utoipa::path(get, path = "/v1/participants/{id}/redemptions", operation_id = "list_redemptions", tag = "reading",
    params(("id" = String, Path, description = "The participant's id (prt_...)"), PageQuery),
    responses((status = 200, body = RedemptionList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<axum::Json<RedemptionList>, Problem> {
    let id = ParticipantId::own(&id, "participant")?;
    let list = format!("redemptions of {id}");
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let store = &deps.edge.store;
    let page =
        store.list_redemptions(&caller.organization, &id, cursor.as_deref(), query.limit.get()).await?;
    if page.rows.is_empty() && cursor.is_none() {
        check_exists(&deps, &caller.organization, &id).await?;
    }
    let next_cursor = page.next.map(|next| seal_cursor(&list, &next));
    Ok(axum::Json(RedemptionList { data: page.rows.into_iter().map(Into::into).collect(), next_cursor }))
}

/// Read what was spent under a reference
#[utoipa::path(get, path = "/v1/participants/{id}/redemptions/{reference}", operation_id = "read_redemption",
    tag = "reading",
    params(("id" = String, Path, description = "The participant's id (prt_...)"),
           ("reference" = String, Path, description = "Your own name of it")),
    responses((status = 200, body = RedemptionView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path((id, reference)): Path<(String, String)>,
) -> Result<axum::Json<RedemptionView>, Problem> {
    let (id, reference) = (ParticipantId::own(&id, "participant")?, named(&reference)?);
    let row = deps.edge.store.find_redemption(&caller.organization, &id, &reference).await?;
    row.map(|row| axum::Json(row.into())).ok_or_else(|| Problem::not_found("redemption"))
}

/// Give back what was spent
///
/// All of it: it can be spent again, and does not expire. Idempotent.
#[utoipa::path(post, path = "/v1/participants/{id}/redemptions/{reference}/return",
    operation_id = "return_redemption", tag = "rewards",
    params(("id" = String, Path, description = "The participant's id (prt_...)"),
           ("reference" = String, Path, description = "Your own name of it")),
    request_body = ReasonedRequest,
    responses((status = 200, body = RedemptionView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn give_back(
    State(deps): State<Deps>,
    caller: Caller,
    Path((id, reference)): Path<(String, String)>,
    request: Json<ReasonedRequest>,
) -> Result<axum::Json<RedemptionView>, Problem> {
    let (id, reference) = (ParticipantId::own(&id, "participant")?, named(&reference)?);
    let note = note(&request.value.actor, &request.value.reason)?;
    let row = deps.settler.return_redemption(&caller.organization, &id, &reference, &note).await?;
    row.map(|row| axum::Json(row.into())).ok_or_else(|| Problem::not_found("redemption"))
}

fn named(reference: &str) -> Result<ExternalId, Problem> {
    ExternalId::parse(reference).map_err(|_| Problem::not_found("redemption"))
}
