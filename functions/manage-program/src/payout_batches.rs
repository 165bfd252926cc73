//! Payout batches: finalized partner invoices that are paid out together, by whatever pays.

pub(crate) mod export;
pub(crate) mod lines;

use aws::http::{
    Caller, IdempotencyKey, Json, Params, Path, PathId, Problem, ProblemBody, hash_of, open_cursor,
    seal_cursor,
};
use aws::store::{Act, NewBatch, PayoutBatchRow, StoreError};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::id::{PayoutBatchId, ProgramId};
use domain::ledger::Note;
use domain::message::ReportMessage;
use domain::money::{AMOUNT_MAX, Currency, Money};
use domain::payout::{BatchStatus, Step};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::by_hand::{ReasonedRequest, note};
use crate::page::PageQuery;
use crate::terms::ATTEMPTS_MAX;
use crate::{Deps, replay_header};

/// A payout batch to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayoutBatchRequest {
    /// The program (prg_...).
    #[schema(value_type = String)]
    program: ProgramId,
    /// The currency: ISO 4217.
    #[schema(value_type = String, example = "USD")]
    currency: Currency,
    /// Who has less to get in this currency is left out, and waits for a later batch; nobody unless told.
    minimum: Option<Money>,
    /// Who: your own name of an administrator, 1 to 100 characters.
    #[schema(example = "admin_3", min_length = 1, max_length = 100)]
    actor: String,
    /// Why: 1 to 500 characters.
    #[schema(example = "October", min_length = 1, max_length = 500)]
    reason: String,
}

/// Lines, and what they come to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PayoutLinesTotal {
    /// How many.
    lines: u64,
    /// What they come to.
    total: Money,
}

/// Who was left out because of the minimum.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PayoutLeftOutView {
    /// How many participants.
    participants: u64,
    /// What they have to get.
    total: Money,
}

/// A payout batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PayoutBatchView {
    /// Its id.
    id: PayoutBatchId,
    /// The program.
    program: ProgramId,
    /// The currency.
    #[schema(value_type = String, example = "USD")]
    currency: Currency,
    /// What a participant must have to get at least; null when there is no minimum.
    minimum: Option<Money>,
    /// Where it stands.
    status: BatchStatus,
    /// Its lines so far, one for each participant.
    lines: u64,
    /// Their invoices.
    invoices: u64,
    /// What they come to.
    total: Money,
    /// Lines that are paid.
    paid: PayoutLinesTotal,
    /// Lines that failed; their invoices come into a later batch.
    failed: PayoutLinesTotal,
    /// Who was left out because of the minimum.
    left_out: PayoutLeftOutView,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// When it was complete.
    opened_at: Option<DateTime<Utc>>,
    /// When it was cancelled.
    cancelled_at: Option<DateTime<Utc>>,
    /// Who asked for it or cancelled it, and why.
    note: Note,
}

impl From<PayoutBatchRow> for PayoutBatchView {
    fn from(row: PayoutBatchRow) -> Self {
        let money = |amount| Money::new(amount, row.currency);
        let status = row.status_now();
        let (cancelled_at, cancelled_by) = row.cancelled.map(|act| (act.at, act.note)).unzip();
        Self {
            id: row.batch,
            program: row.program,
            currency: row.currency,
            minimum: (row.minimum > 0).then(|| money(row.minimum)),
            status,
            lines: row.lines,
            invoices: row.invoices,
            total: money(row.total),
            paid: PayoutLinesTotal { lines: row.paid_lines, total: money(row.paid_total) },
            failed: PayoutLinesTotal { lines: row.failed_lines, total: money(row.failed_total) },
            left_out: PayoutLeftOutView {
                participants: row.left_out.participants,
                total: money(row.left_out.total),
            },
            created_at: row.created_at,
            opened_at: row.opened_at,
            cancelled_at,
            note: cancelled_by.unwrap_or(row.note),
        }
    }
}

/// A page of payout batches.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PayoutBatchList {
    /// Newest first.
    data: Vec<PayoutBatchView>,
    /// Where to go on; absent at the end.
    next_cursor: Option<String>,
}

/// Make a payout batch
///
/// Takes the program's finalized partner invoices in a currency that stand in no other batch: a line for each participant, with
/// at most 90 of its invoices, the oldest first. It works in the background; read the batch until it is `open`. It pays nothing:
/// export it, have it paid, and mark its lines.
#[utoipa::path(post, path = "/v1/payout-batches", operation_id = "create_payout_batch", tag = "billing",
    request_body = PayoutBatchRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats of the call answer the batch that the first one made")),
    responses((status = 202, body = PayoutBatchView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 payout_batch_in_progress, 422 idempotency_mismatch")))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    key: IdempotencyKey,
    request: Json<PayoutBatchRequest>,
) -> Result<Response, Problem> {
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let asked = request.value;
    let note = note(&asked.actor, &asked.reason)?;
    let minimum = checked_minimum(asked.minimum, asked.currency)?;
    let program = store.find_program(organization, &asked.program).await?;
    program.ok_or_else(|| Problem::field("/program", "there is no such program"))?;
    let seed = deps.seed("payout-batch", organization.as_str(), &key).await?;
    let batch = PayoutBatchId::derive(&[&hash_of(&format!("{seed:?}"))]);
    let of = (asked.program, asked.currency);
    let row = PayoutBatchRow {
        request_hash: request.hash,
        ..PayoutBatchRow::new(batch.clone(), of, minimum, note, deps.edge.now())
    };
    for _ in 0..ATTEMPTS_MAX {
        match store.commit_new_payout_batch(organization, &row).await? {
            NewBatch::Done => {
                announce(&deps, &caller, &batch).await;
                return Ok(accepted(row, false));
            }
            NewBatch::Known(known) if known.request_hash == row.request_hash => {
                return Ok(accepted(*known, true));
            }
            NewBatch::Known(_) => return Err(Problem::idempotency_mismatch()),
            NewBatch::Busy(running) => return Err(in_progress(&running)),
            NewBatch::Lost => {}
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

fn checked_minimum(minimum: Option<Money>, currency: Currency) -> Result<i64, Problem> {
    let Some(minimum) = minimum else { return Ok(0) };
    if minimum.unit.currency() != Some(currency) {
        return Err(Problem::field("/minimum/currency", "must be the currency of the batch"));
    }
    let fits = (1..=AMOUNT_MAX).contains(&minimum.amount);
    let wrong = || Problem::field("/minimum/amount", format!("must be 1 to {AMOUNT_MAX}"));
    fits.then_some(minimum.amount).ok_or_else(wrong)
}

async fn announce(deps: &Deps, caller: &Caller, batch: &PayoutBatchId) {
    let organization = caller.organization.clone();
    let due = ReportMessage::PayoutBatchDueV1 { organization, batch: batch.clone() };
    if let Err(error) = deps.report_queue.send(&due).await {
        // The batch is due: the sweeper sends it.
        tracing::warn!(%batch, %error, "the payout batch is gone on with later");
    }
}

fn in_progress(running: &PayoutBatchId) -> Problem {
    let title = "Another payout batch of the program and currency is at work.";
    let problem = Problem::new(409, "payout_batch_in_progress", title);
    problem.detail(format_args!("{running} is being made or cancelled; wait until it is done"))
}

/// What a batch of this status does not allow.
fn transition(status: BatchStatus) -> Problem {
    let title = "The status of the payout batch does not allow it.";
    let problem = Problem::new(409, "payout_batch_transition", title);
    problem.detail(format_args!("its status is {}", status.as_str()))
}

fn accepted(row: PayoutBatchRow, repeated: bool) -> Response {
    let location = [("location", format!("/v1/payout-batches/{}", row.batch))];
    (StatusCode::ACCEPTED, replay_header(repeated), location, axum::Json(PayoutBatchView::from(row)))
        .into_response()
}

/// List payout batches
#[utoipa::path(get, path = "/v1/payout-batches", operation_id = "list_payout_batches", tag = "billing",
    params(PageQuery),
    responses((status = 200, body = PayoutBatchList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Params(query): Params<PageQuery>,
) -> Result<axum::Json<PayoutBatchList>, Problem> {
    let list = "payout batches";
    let cursor = open_cursor(list, query.cursor.as_deref())?;
    let (store, limit) = (&deps.edge.store, query.limit.get());
    let page = store.list_payout_batches(&caller.organization, cursor.as_deref(), limit).await?;
    let next_cursor = page.next.map(|next| seal_cursor(list, &next));
    Ok(axum::Json(PayoutBatchList {
        data: page.rows.into_iter().map(PayoutBatchView::from).collect(),
        next_cursor,
    }))
}

/// Read a payout batch
#[utoipa::path(get, path = "/v1/payout-batches/{batch}", operation_id = "read_payout_batch", tag = "billing",
    params(("batch" = String, Path, description = "The batch's id (pob_...)")),
    responses((status = 200, body = PayoutBatchView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<PayoutBatchView>, Problem> {
    find(&deps, &caller, &id).await.map(|row| axum::Json(row.into()))
}

/// Cancel a payout batch
///
/// While no line of it is paid and one has no mark. Its invoices are freed in the background: it is `cancelling`, then
/// `cancelled`, and the next batch takes them. Idempotent.
#[utoipa::path(post, path = "/v1/payout-batches/{batch}/cancel", operation_id = "cancel_payout_batch",
    tag = "billing", params(("batch" = String, Path, description = "The batch's id (pob_...)")),
    request_body = ReasonedRequest,
    responses((status = 200, body = PayoutBatchView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 payout_batch_transition, 409 payout_batch_in_progress")))]
pub(crate) async fn cancel(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<ReasonedRequest>,
) -> Result<axum::Json<PayoutBatchView>, Problem> {
    let note = note(&request.value.actor, &request.value.reason)?;
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let cancelled = Some(Act { at: deps.edge.now(), note });
    for _ in 0..ATTEMPTS_MAX {
        let row = find(&deps, &caller, &id).await?;
        match row.status_now().cancel(row.paid_lines) {
            Step::Already => return Ok(axum::Json(row.into())),
            Step::Refused if row.paid_lines > 0 => {
                let problem = transition(row.status_now());
                return Err(problem.detail(format_args!("{} of its lines are paid", row.paid_lines)));
            }
            Step::Refused => return Err(transition(row.status_now())),
            Step::Becomes(_) => {}
        }
        let running = store.payout_batch_at_work(organization, &row.program, row.currency).await?;
        if let Some(running) = running.filter(|running| *running != row.batch) {
            return Err(in_progress(&running));
        }
        let row = PayoutBatchRow { cancelled: cancelled.clone(), ..row };
        if store.cancel_payout_batch(organization, &row).await? {
            announce(&deps, &caller, &row.batch).await;
            return Ok(axum::Json(PayoutBatchRow { status: BatchStatus::Cancelling, ..row }.into()));
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

async fn find(deps: &Deps, caller: &Caller, id: &str) -> Result<PayoutBatchRow, Problem> {
    let id = PayoutBatchId::own(id, "payout batch")?;
    let row = deps.edge.store.find_payout_batch(&caller.organization, &id).await?;
    row.ok_or_else(|| Problem::not_found("payout batch"))
}
