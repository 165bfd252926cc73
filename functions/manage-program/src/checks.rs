//! Self-checks: what is stored, compared with what it must be.

use std::collections::BTreeMap;

use aws::http::{Caller, IdempotencyKey, Json, Path, PathId, Problem, ProblemBody, hash_of};
use aws::store::{CheckCounts, CheckPosition, CheckRow, CheckScope, RunStatus};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, Utc};
use domain::audit::{Finding, FindingCode};
use domain::id::{CheckId, OrganizationId};
use domain::message::ReportMessage;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Deps, replay_header};

/// Programs that are read at a time.
const PAGE: i32 = 100;

/// A check of everything of the organization.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckRequest {}

/// How far a check has come.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// Among what the days wrote; `day` says which.
    Days,
    /// Among the events that wait.
    Parked,
    /// Among the payout batches.
    Payouts,
    /// Among what is left to do.
    Due,
}

/// What a check has looked at so far.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Checked {
    /// Participants whose ledgers were added up; who has no ledger line has no balance either.
    participants: u64,
    /// Rewards that were compared with what they were earned from.
    rewards: u64,
    /// Sources that were decided again.
    sources: u64,
    /// Ledger lines that were added up.
    entries: u64,
    /// Partner invoices.
    partner_invoices: u64,
    /// Payout batches.
    payout_batches: u64,
    /// Daily reports.
    reports: u64,
    /// Rows with something left to do by now.
    due: u64,
}

impl From<CheckCounts> for Checked {
    fn from(counts: CheckCounts) -> Self {
        let CheckCounts { participants, rewards, sources, entries, invoices, payout_batches, reports, due } =
            counts;
        Self {
            participants,
            rewards,
            sources,
            entries,
            partner_invoices: invoices,
            payout_batches,
            reports,
            due,
        }
    }
}

/// A self-check.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckView {
    /// Its id.
    id: CheckId,
    /// Whether it is at work.
    status: RunStatus,
    /// The first day whose lines it looks at.
    from: NaiveDate,
    /// The last day.
    to: NaiveDate,
    /// How far it has come.
    stage: Stage,
    /// The day that it is at; null afterwards.
    day: Option<NaiveDate>,
    /// What it has looked at so far.
    checked: Checked,
    /// How many findings there are, by code; empty when all is as it must be.
    #[schema(value_type = std::collections::HashMap<String, u64>)]
    found: BTreeMap<FindingCode, u64>,
    /// The first 100 of them.
    findings: Vec<Finding>,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// When it was done.
    finished_at: Option<DateTime<Utc>>,
}

impl From<CheckRow> for CheckView {
    fn from(row: CheckRow) -> Self {
        let (stage, day) = match row.position {
            CheckPosition::Days { day, .. } => (Stage::Days, Some(day)),
            CheckPosition::Parked { .. } => (Stage::Parked, None),
            CheckPosition::Payouts { .. } => (Stage::Payouts, None),
            CheckPosition::Due { .. } => (Stage::Due, None),
        };
        Self {
            id: row.check,
            status: row.status,
            from: row.first_day,
            to: row.last_day,
            stage,
            day: day.filter(|_| row.status == RunStatus::Running),
            checked: row.counts.into(),
            found: row.found,
            findings: row.findings,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

/// Begin a self-check
///
/// Adds up every ledger, decides every source of a reward again, and compares both with what is stored; the daily reports,
/// partner invoices and payout batches with their lines; and looks for what has been left undone for more than an hour. It works in the background
/// and changes nothing; read the check to see how far it is. It reads everything that it looks at, and costs as much.
#[utoipa::path(post, path = "/v1/checks", operation_id = "create_check", tag = "operations",
    request_body = CheckRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats of the call answer the check that the first one began")),
    responses((status = 202, body = CheckView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 422 idempotency_mismatch")))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    key: IdempotencyKey,
    request: Json<CheckRequest>,
) -> Result<Response, Problem> {
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let now = deps.edge.now();
    let seed = deps.seed("check", organization.as_str(), &key).await?;
    let check = CheckId::derive(&[&hash_of(&format!("{seed:?}"))]);
    let today = now.date_naive();
    let first_day = first_day(&deps, organization).await?.unwrap_or(today);
    let row = CheckRow {
        request_hash: request.hash.clone(),
        ..CheckRow::new(check.clone(), CheckScope::Whole, (first_day, today), now)
    };
    if let Some(known) = store.commit_new_check(organization, &row).await? {
        let is_same = known.request_hash == row.request_hash;
        return if is_same { Ok(accepted(known, true)) } else { Err(Problem::idempotency_mismatch()) };
    }
    let due = ReportMessage::CheckDueV1 { organization: organization.clone(), check: check.clone() };
    if let Err(error) = deps.report_queue.send(&due).await {
        // The check is due: the sweeper sends it.
        tracing::warn!(%check, %error, "the check begins later");
    }
    Ok(accepted(row, false))
}

fn accepted(row: CheckRow, repeated: bool) -> Response {
    let location = [("location", format!("/v1/checks/{}", row.check))];
    (StatusCode::ACCEPTED, replay_header(repeated), location, axum::Json(CheckView::from(row)))
        .into_response()
}

/// The day of the organization's first program: nothing was earned before.
async fn first_day(deps: &Deps, organization: &OrganizationId) -> Result<Option<NaiveDate>, Problem> {
    let (mut first, mut cursor) = (None, None);
    loop {
        let page = deps.edge.store.list_programs(organization, cursor.as_deref(), PAGE).await?;
        let days = page.rows.iter().map(|row| row.program.created_at.date_naive());
        first = days.chain(first).min();
        cursor = page.next;
        if cursor.is_none() {
            return Ok(first);
        }
    }
}

/// Read a self-check
#[utoipa::path(get, path = "/v1/checks/{check}", operation_id = "read_check", tag = "operations",
    params(("check" = String, Path, description = "The check's id (chk_...)")),
    responses((status = 200, body = CheckView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<CheckView>, Problem> {
    let id = CheckId::own(&id, "check")?;
    let row = deps.edge.store.find_check(&caller.organization, &id).await?;
    Ok(axum::Json(row.ok_or_else(|| Problem::not_found("check"))?.into()))
}
