//! Lines of payout batches, and what is said to have become of them.

use aws::http::{Caller, Json, Limit, Params, Path, PathId, Problem, ProblemBody, open_cursor, seal_cursor};
use aws::store::{Act, PayoutLineRow, StoreError};
use axum::extract::State;
use chrono::{DateTime, Duration, Utc};
use domain::id::{ExternalId, OrganizationId, ParticipantId, PartnerInvoiceId, PayoutBatchId, PayoutLineId};
use domain::ledger::Note;
use domain::money::Money;
use domain::payout::{BatchStatus, LineStatus, Mark, Step};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{find, transition};
use crate::by_hand::note;
use crate::terms::ATTEMPTS_MAX;
use crate::{Deps, checked_text};

/// Longest reference, in characters.
const REFERENCE_CHARS_MAX: usize = 200;
/// Most marks of one call.
const BULK_MAX: usize = 100;
/// After so many seconds nothing more is begun: the function has 10, and the answer must say what was done.
const BULK_SECONDS_MAX: i64 = 7;

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PayoutLineQuery {
    /// Only those that stand so.
    #[param(inline)]
    status: Option<LineStatus>,
    /// Rows of a page, 1 to 100; 50 unless told.
    #[serde(default)]
    #[param(value_type = Option<i32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A line of a payout batch: what one participant is paid.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PayoutLineView {
    /// Its id: the same for this participant in this batch for ever, so that it can be the idempotency key of the payout.
    id: PayoutLineId,
    /// Whom it pays.
    participant: ParticipantId,
    /// Your own id of the participant.
    external_id: ExternalId,
    /// What its invoices come to.
    amount: Money,
    /// The invoices, at most 90.
    invoices: Vec<PartnerInvoiceId>,
    /// Where it stands.
    status: LineStatus,
    /// Your reference of the payout, by which it was marked.
    reference: Option<String>,
    /// When it was marked.
    marked_at: Option<DateTime<Utc>>,
    /// Who marked it, and why.
    note: Option<Note>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl From<PayoutLineRow> for PayoutLineView {
    fn from(row: PayoutLineRow) -> Self {
        let (marked_at, note) = row.marked.map(|act| (act.at, act.note)).unzip();
        Self {
            id: row.line,
            participant: row.participant,
            external_id: row.external_id,
            amount: Money::new(row.amount, row.currency),
            invoices: row.invoices,
            status: row.status,
            reference: row.reference,
            marked_at,
            note,
            created_at: row.created_at,
        }
    }
}

/// A page of a payout batch's lines.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PayoutLineList {
    /// By participant.
    data: Vec<PayoutLineView>,
    /// Where to go on; absent at the end. A page can be short while there is more.
    next_cursor: Option<String>,
}

/// What became of one payout.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayoutMarkRequest {
    /// Your reference of the payout, such as the provider's id of it: 1 to 200 characters. It tells a repeated call.
    #[schema(example = "tr_4711", min_length = 1, max_length = 200)]
    reference: String,
    /// Who: your own name of an administrator, or of the system that did it; 1 to 100 characters.
    #[schema(example = "payouts", min_length = 1, max_length = 100)]
    actor: String,
    /// Why: 1 to 500 characters.
    #[schema(example = "the bank knows no such account", min_length = 1, max_length = 500)]
    reason: String,
}

/// What became of many payouts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayoutMarksRequest {
    /// 1 to 100 of them.
    #[schema(min_items = 1, max_items = 100)]
    marks: Vec<PayoutMark>,
    /// Who: your own name of an administrator, or of the system that did it; 1 to 100 characters.
    #[schema(example = "payouts", min_length = 1, max_length = 100)]
    actor: String,
    /// Why, where a mark does not say: 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// What became of one of many payouts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayoutMark {
    /// Whose line (prt_...).
    participant: String,
    /// Whether it arrived.
    status: Mark,
    /// Your reference of the payout: 1 to 200 characters.
    #[schema(example = "tr_4711", min_length = 1, max_length = 200)]
    reference: String,
    /// Why: 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    reason: Option<String>,
}

/// What became of each mark, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PayoutMarksView {
    /// As many as there were marks.
    results: Vec<PayoutMarksItem>,
}

/// What became of one mark.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PayoutMarksItem {
    /// Its place in the request, from 0.
    index: usize,
    /// The status that the single call would have had.
    status: u16,
    /// The line as it is then; absent where nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<PayoutLineView>,
    /// Why nothing was done. After 500 and 503, send it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

/// List the lines of a payout batch
#[utoipa::path(get, path = "/v1/payout-batches/{batch}/lines", operation_id = "list_payout_lines",
    tag = "billing", params(("batch" = String, Path, description = "The batch's id (pob_...)"), PayoutLineQuery),
    responses((status = 200, body = PayoutLineList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<PayoutLineQuery>,
) -> Result<axum::Json<PayoutLineList>, Problem> {
    let list = format!("lines of {id}, {:?}", query.status);
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let batch = find(&deps, &caller, &id).await?.batch;
    let (store, limit) = (&deps.edge.store, query.limit.get());
    let page =
        store.list_payout_lines(&caller.organization, &batch, query.status, cursor.as_deref(), limit).await?;
    let next_cursor = page.next.map(|next| seal_cursor(&list, &next));
    Ok(axum::Json(PayoutLineList {
        data: page.rows.into_iter().map(PayoutLineView::from).collect(),
        next_cursor,
    }))
}

/// Mark a line as paid
///
/// Its invoices are paid then; nothing of it can be changed any more. The same mark again, by the same reference, answers the
/// same.
#[utoipa::path(post, path = "/v1/payout-batches/{batch}/lines/{participant}/paid",
    operation_id = "mark_payout_line_paid", tag = "billing",
    params(("batch" = String, Path, description = "The batch's id (pob_...)"),
           ("participant" = String, Path, description = "The participant's id (prt_...)")),
    request_body = PayoutMarkRequest,
    responses((status = 200, body = PayoutLineView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 payout_line_settled, 409 payout_batch_transition")))]
pub(crate) async fn paid(
    deps: State<Deps>,
    caller: Caller,
    ids: Path<(String, String)>,
    request: Json<PayoutMarkRequest>,
) -> Result<axum::Json<PayoutLineView>, Problem> {
    mark(deps, caller, ids, request, Mark::Paid).await
}

/// Mark a line as failed
///
/// Its invoices are free for the next batch. The same mark again, by the same reference, answers the same.
#[utoipa::path(post, path = "/v1/payout-batches/{batch}/lines/{participant}/failed",
    operation_id = "mark_payout_line_failed", tag = "billing",
    params(("batch" = String, Path, description = "The batch's id (pob_...)"),
           ("participant" = String, Path, description = "The participant's id (prt_...)")),
    request_body = PayoutMarkRequest,
    responses((status = 200, body = PayoutLineView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 payout_line_settled, 409 payout_batch_transition")))]
pub(crate) async fn failed(
    deps: State<Deps>,
    caller: Caller,
    ids: Path<(String, String)>,
    request: Json<PayoutMarkRequest>,
) -> Result<axum::Json<PayoutLineView>, Problem> {
    mark(deps, caller, ids, request, Mark::Failed).await
}

async fn mark(
    State(deps): State<Deps>,
    caller: Caller,
    Path((batch, participant)): Path<(String, String)>,
    request: Json<PayoutMarkRequest>,
    mark: Mark,
) -> Result<axum::Json<PayoutLineView>, Problem> {
    let PayoutMarkRequest { reference, actor, reason } = request.value;
    let batch = PayoutBatchId::own(&batch, "payout batch")?;
    let participant = ParticipantId::own(&participant, "payout line")?;
    let note = note(&actor, &reason)?;
    let reference = checked_text("/reference", &reference, REFERENCE_CHARS_MAX)?;
    let marking = Marking { mark, reference, note };
    let line = settle(&deps, &caller.organization, &batch, &participant, &marking).await?;
    Ok(axum::Json(line.into()))
}

/// Mark many lines
///
/// One after another; each stands alone, and a problem with one stops no other. After 7 seconds the rest is answered 503, undone.
/// Idempotent as the single calls are, so it can be sent again after any answer or none.
#[utoipa::path(post, path = "/v1/payout-batches/{batch}/lines/bulk", operation_id = "mark_payout_lines",
    tag = "billing", params(("batch" = String, Path, description = "The batch's id (pob_...)")),
    request_body = PayoutMarksRequest,
    responses((status = 200, body = PayoutMarksView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "The request as a whole cannot be used, and nothing was done")))]
pub(crate) async fn bulk(
    State(deps): State<Deps>,
    caller: Caller,
    Path(batch): Path<String>,
    request: Json<PayoutMarksRequest>,
) -> Result<axum::Json<PayoutMarksView>, Problem> {
    let PayoutMarksRequest { marks, actor, reason } = request.value;
    note(&actor, &reason)?;
    if !(1..=BULK_MAX).contains(&marks.len()) {
        return Err(Problem::field("/marks", format!("must have 1 to {BULK_MAX} marks")));
    }
    let batch = find(&deps, &caller, &batch).await?.batch;
    let end = deps.edge.now() + Duration::seconds(BULK_SECONDS_MAX);
    let mut results = Vec::with_capacity(marks.len());
    for (index, one) in marks.into_iter().enumerate() {
        let done = if deps.edge.now() < end {
            let by = (actor.as_str(), reason.as_str());
            mark_one(&deps, &caller.organization, &batch, (index, one), by).await
        } else {
            Err(Problem::no_time())
        };
        results.push(match done {
            Ok(line) => PayoutMarksItem { index, status: 200, line: Some(line.into()), problem: None },
            Err(problem) => {
                let status = problem.status();
                PayoutMarksItem { index, status, line: None, problem: Some(problem.into_body()) }
            }
        });
    }
    Ok(axum::Json(PayoutMarksView { results }))
}

async fn mark_one(
    deps: &Deps,
    organization: &OrganizationId,
    batch: &PayoutBatchId,
    (index, one): (usize, PayoutMark),
    (actor, reason): (&str, &str),
) -> Result<PayoutLineRow, Problem> {
    let within = |problem: Problem| problem.within(&format!("/marks/{index}"));
    let participant = ParticipantId::theirs(&one.participant, "/participant").map_err(within)?;
    let reference = checked_text("/reference", &one.reference, REFERENCE_CHARS_MAX).map_err(within)?;
    let note = note(actor, one.reason.as_deref().unwrap_or(reason)).map_err(within)?;
    let marking = Marking { mark: one.status, reference, note };
    settle(deps, organization, batch, &participant, &marking).await
}

/// What is said to have become of a payout, and by whom.
struct Marking {
    mark: Mark,
    reference: String,
    note: Note,
}

/// Marks a line, and pays or frees its invoices with it.
async fn settle(
    deps: &Deps,
    organization: &OrganizationId,
    batch: &PayoutBatchId,
    participant: &ParticipantId,
    marking: &Marking,
) -> Result<PayoutLineRow, Problem> {
    let store = &deps.edge.store;
    for _ in 0..ATTEMPTS_MAX {
        // Before the line: of a batch that is closed, every line that is read then is settled.
        let found = store.find_payout_batch(organization, batch).await?;
        let found = found.ok_or_else(|| Problem::not_found("payout batch"))?;
        let line = store.find_payout_line(organization, batch, participant).await?;
        let line = line.ok_or_else(|| Problem::not_found("payout line"))?;
        let is_same = line.reference.as_ref() == Some(&marking.reference);
        let status = match line.status.step(marking.mark, is_same) {
            Step::Already => return Ok(line),
            Step::Refused => return Err(settled(&line)),
            Step::Becomes(status) => status,
        };
        if found.status_now() != BatchStatus::Open {
            return Err(transition(found.status_now()));
        }
        let invoices = store.invoices_of_line(organization, &line).await?;
        if line.held(batch, &invoices) != line.says() {
            // Somebody else has marked the line since it was read.
            continue;
        }
        let marked = Some(Act { at: deps.edge.now(), note: marking.note.clone() });
        let reference = Some(marking.reference.clone());
        let line = PayoutLineRow { status, reference, marked, ..line };
        if store.commit_payout_mark(organization, batch, marking.mark, &line, &invoices).await? {
            return Ok(line);
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

fn settled(line: &PayoutLineRow) -> Problem {
    let title = "The payout line has another mark.";
    let problem = Problem::new(409, "payout_line_settled", title);
    let was = line.status.as_str();
    match &line.reference {
        Some(reference) => problem.detail(format_args!("it is {was}, by the reference {reference}")),
        None => problem.detail(format_args!("it is {was}")),
    }
}
