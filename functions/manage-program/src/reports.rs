//! Daily reports.

use aws::http::{Caller, Params, Problem, ProblemBody};
use axum::extract::State;
use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc};
use domain::report::DayReport;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Deps;

/// Most days of a list that is read day by day.
const LIST_DAYS_MAX: u64 = 31;
/// Days of such a list unless told.
const LIST_DAYS: u64 = 7;
/// Years whose days sort by time as they do by text, which is how the table sorts them.
pub(crate) const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;
/// Most daily reports in one answer.
pub(crate) const REPORTS_MAX: u64 = 366;

/// Daily reports.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportList {
    /// Oldest first. A day that has not been folded yet (today, until shortly after midnight UTC) is not here.
    data: Vec<DayReport>,
}

/// Which days.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportQuery {
    /// First day (UTC).
    from: NaiveDate,
    /// Last day. At most 366 days.
    to: NaiveDate,
}

/// Read daily reports
///
/// Written every night for the day before, from the day's own lines; each total equals the ledger's.
#[utoipa::path(get, path = "/v1/reports/daily",
    operation_id = "read_daily_reports", tag = "reading", params(ReportQuery),
    responses((status = 200, body = ReportList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn daily(
    State(deps): State<Deps>,
    caller: Caller,
    Params(query): Params<ReportQuery>,
) -> Result<axum::Json<ReportList>, Problem> {
    check_range(query.from, query.to, REPORTS_MAX)?;
    let limit = i32::try_from(REPORTS_MAX).unwrap_or(i32::MAX);
    let store = &deps.edge.store;
    let data = store.list_reports(&caller.organization, query.from, query.to, limit).await?;
    Ok(axum::Json(ReportList { data }))
}

/// The days of a list, with their defaults.
pub(crate) fn days(
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    now: DateTime<Utc>,
) -> Result<(NaiveDate, NaiveDate), Problem> {
    let to = to.unwrap_or_else(|| now.date_naive());
    let first = to.checked_sub_days(Days::new(LIST_DAYS - 1)).unwrap_or(to);
    let from = from.unwrap_or(first);
    check_range(from, to, LIST_DAYS_MAX)?;
    Ok((from, to))
}

pub(crate) fn check_range(from: NaiveDate, to: NaiveDate, max: u64) -> Result<(), Problem> {
    if [from, to].iter().any(|day| !YEARS.contains(&day.year())) {
        return Err(Problem::field("?from", "the days must be of the years 1970 to 9999"));
    }
    let days = u64::try_from((to - from).num_days()).ok();
    if days.is_some_and(|days| days < max) {
        return Ok(());
    }
    Err(Problem::field(
        "?from",
        format!("from must not lie after to, and at most {max} days may be asked for"),
    ))
}
