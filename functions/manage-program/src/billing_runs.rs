//! Billing runs: what partners have earned, put onto invoices.

use aws::http::{
    Caller, IdempotencyKey, Json, Params, Path, PathId, Problem, ProblemBody, hash_of, open_cursor,
    seal_cursor,
};
use aws::store::{BillingRunRow, NewRun, RunInvoice, RunStatus, StoreError};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use domain::billing::{InvoiceStatus, Period, PeriodError};
use domain::id::{BillingRunId, ParticipantId, PartnerInvoiceId, ProgramId};
use domain::message::ReportMessage;
use domain::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::page::PageQuery;
use crate::reports::YEARS;
use crate::terms::ATTEMPTS_MAX;
use crate::{Deps, replay_header};

/// A billing run to be begun.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunRequest {
    /// The program (prg_...).
    #[schema(value_type = String)]
    program: ProgramId,
    /// The first day (UTC) that the invoices are for. What was earned before and stands on no invoice yet is billed too.
    from: NaiveDate,
    /// The last day; it must have ended 15 minutes ago. At most 366 days.
    to: NaiveDate,
    /// Whether only to show what would be billed; true unless told.
    #[serde(default = "yes")]
    #[schema(value_type = Option<bool>)]
    dry_run: bool,
}

const fn yes() -> bool {
    true
}

/// What a run has left for a later one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeftOut {
    /// Participants of whom rewards wait for an approval, a date or more earnings.
    waiting: u64,
    /// Times that what was due of a participant in a currency did not come to more than nothing.
    not_above_zero: u64,
}

/// A billing run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunView {
    /// Its id.
    id: BillingRunId,
    /// The program.
    program: ProgramId,
    /// The first day that the invoices are for.
    from: NaiveDate,
    /// The last day.
    to: NaiveDate,
    /// Whether it only shows what would be billed.
    dry_run: bool,
    /// Whether it is at work.
    status: RunStatus,
    /// Participants looked at so far.
    participants: u64,
    /// Invoices so far: made, or such as would be made.
    invoices: u64,
    /// Ledger lines on them.
    lines: u64,
    /// What they come to, by currency.
    totals: Vec<Money>,
    /// What is left for a later run.
    left_out: LeftOut,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// When it was done.
    finished_at: Option<DateTime<Utc>>,
}

impl From<BillingRunRow> for RunView {
    fn from(row: BillingRunRow) -> Self {
        let money = |(currency, amount)| Money::new(amount, currency);
        Self {
            id: row.run,
            program: row.program,
            from: row.period.from,
            to: row.period.to,
            dry_run: row.dry_run,
            status: row.status,
            participants: row.participants,
            invoices: row.invoices,
            lines: row.lines,
            totals: row.totals.into_iter().map(money).collect(),
            left_out: LeftOut { waiting: row.waiting, not_above_zero: row.not_above_zero },
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

/// A page of billing runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunList {
    /// Newest first.
    data: Vec<RunView>,
    /// Where to go on; absent at the end.
    next_cursor: Option<String>,
}

/// What a run made, or would make, for one participant in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunInvoiceView {
    /// The invoice (pin_...); null of a dry run, which makes none.
    id: Option<PartnerInvoiceId>,
    /// For whom.
    participant: ParticipantId,
    /// Where the invoice stands now; null of a dry run.
    status: Option<InvoiceStatus>,
    /// What it comes to.
    total: Money,
    /// Its ledger lines.
    lines: u32,
}

/// A page of what a run made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunInvoiceList {
    /// By participant. What a dry run would make can be looked at for a week.
    data: Vec<RunInvoiceView>,
    /// Where to go on; absent at the end.
    next_cursor: Option<String>,
}

/// Begin a billing run
///
/// Puts what partners have earned in cash onto draft invoices: each ledger line that was recorded before the end of the
/// period, whose reward is approved or delivered, and that stands on no other invoice that is not void. It works in the
/// background; read the run to see how far it is. A dry run, which it is unless told, changes nothing but itself. A run over
/// days that were billed before bills what has come up since, and nothing twice.
#[utoipa::path(post, path = "/v1/billing-runs", operation_id = "create_billing_run", tag = "billing",
    request_body = RunRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats of the call answer the run that the first one began")),
    responses((status = 202, body = RunView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 billing_run_in_progress, 422 idempotency_mismatch")))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    key: IdempotencyKey,
    request: Json<RunRequest>,
) -> Result<Response, Problem> {
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let asked = request.value;
    let now = deps.edge.now();
    let period = checked_period(&asked, now)?;
    let program = store.find_program(organization, &asked.program).await?;
    let program = program.ok_or_else(|| Problem::field("/program", "there is no such program"))?.program;
    let seed = deps.seed("billing-run", organization.as_str(), &key).await?;
    let run = BillingRunId::derive(&[&hash_of(&format!("{seed:?}"))]);
    for _ in 0..ATTEMPTS_MAX {
        let billing = store.get_program_billing(organization, &asked.program).await?;
        let row = BillingRunRow {
            dry_run: asked.dry_run,
            request_hash: request.hash.clone(),
            ..BillingRunRow::new(run.clone(), &program, period, &billing, now)
        };
        match store.commit_new_run(organization, &row, &billing).await? {
            NewRun::Done => {
                let due =
                    ReportMessage::BillingRunDueV1 { organization: organization.clone(), run: run.clone() };
                if let Err(error) = deps.report_queue.send(&due).await {
                    // The run is due: the sweeper sends it.
                    tracing::warn!(%run, %error, "the run begins later");
                }
                return Ok(accepted(row, false));
            }
            NewRun::Known(known) if known.request_hash == row.request_hash => {
                return Ok(accepted(*known, true));
            }
            NewRun::Known(_) => return Err(Problem::idempotency_mismatch()),
            NewRun::Busy(running) => {
                let title = "Another billing run of the program is at work.";
                let problem = Problem::new(409, "billing_run_in_progress", title);
                return Err(problem.detail(format_args!("{running} is at work; wait until it is done")));
            }
            NewRun::Lost => {}
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

fn accepted(row: BillingRunRow, repeated: bool) -> Response {
    let location = [("location", format!("/v1/billing-runs/{}", row.run))];
    (StatusCode::ACCEPTED, replay_header(repeated), location, axum::Json(RunView::from(row))).into_response()
}

fn checked_period(asked: &RunRequest, now: DateTime<Utc>) -> Result<Period, Problem> {
    let period = Period { from: asked.from, to: asked.to };
    if !YEARS.contains(&period.from.year()) {
        return Err(Problem::field("/from", "must be of the years 1970 to 9999"));
    }
    period.check(now).map(|()| period).map_err(|error| {
        let pointer = match error {
            PeriodError::Backwards | PeriodError::TooLong => "/from",
            PeriodError::NotOver => "/to",
        };
        Problem::field(pointer, error)
    })
}

/// List billing runs
#[utoipa::path(get, path = "/v1/billing-runs", operation_id = "list_billing_runs", tag = "billing",
    params(PageQuery),
    responses((status = 200, body = RunList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Params(query): Params<PageQuery>,
) -> Result<axum::Json<RunList>, Problem> {
    let list = "billing runs";
    let cursor = open_cursor(list, query.cursor.as_deref())?;
    let store = &deps.edge.store;
    let page = store.list_billing_runs(&caller.organization, cursor.as_deref(), query.limit.get()).await?;
    let next_cursor = page.next.map(|next| seal_cursor(list, &next));
    Ok(axum::Json(RunList { data: page.rows.into_iter().map(RunView::from).collect(), next_cursor }))
}

/// Read a billing run
#[utoipa::path(get, path = "/v1/billing-runs/{run}", operation_id = "read_billing_run", tag = "billing",
    params(("run" = String, Path, description = "The run's id (run_...)")),
    responses((status = 200, body = RunView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<RunView>, Problem> {
    find(&deps, &caller, &id).await.map(|row| axum::Json(row.into()))
}

/// List what a billing run made
///
/// Or what it would make, of a dry run.
#[utoipa::path(get, path = "/v1/billing-runs/{run}/invoices", operation_id = "list_invoices_of_billing_run",
    tag = "billing", params(("run" = String, Path, description = "The run's id (run_...)"), PageQuery),
    responses((status = 200, body = RunInvoiceList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn invoices(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<axum::Json<RunInvoiceList>, Problem> {
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let list = format!("invoices of {id}");
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let run = find(&deps, &caller, &id).await?;
    let limit = query.limit.get();
    let page = store.list_run_invoices(organization, &run.run, cursor.as_deref(), limit).await?;
    let made: Vec<PartnerInvoiceId> = page.rows.iter().map(|row| row.invoice.clone()).collect();
    let made = if run.dry_run { Vec::new() } else { store.get_partner_invoices(organization, &made).await? };
    let view = |row: RunInvoice| RunInvoiceView {
        status: made.iter().find(|made| made.invoice == row.invoice).map(|made| made.status),
        id: Some(row.invoice).filter(|_| !run.dry_run),
        participant: row.participant,
        total: row.total,
        lines: row.lines,
    };
    let next_cursor = page.next.map(|next| seal_cursor(&list, &next));
    Ok(axum::Json(RunInvoiceList { data: page.rows.into_iter().map(view).collect(), next_cursor }))
}

async fn find(deps: &Deps, caller: &Caller, id: &str) -> Result<BillingRunRow, Problem> {
    let id = BillingRunId::own(id, "billing run")?;
    let row = deps.edge.store.find_billing_run(&caller.organization, &id).await?;
    row.ok_or_else(|| Problem::not_found("billing run"))
}
