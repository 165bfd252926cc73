//! A payout batch as a file for whoever pays.

use aws::http::{Caller, CsvFile, Params, Path, Problem, ProblemBody, open_cursor, seal_cursor};
use aws::store::PayoutLineRow;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use domain::money::Money;
use domain::payout::LineStatus;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{find, transition};
use crate::Deps;

/// Most lines of one file.
const LINES_MAX: usize = 10_000;
/// Once a file has so many bytes, the next one goes on: Lambda answers 6 MB at most, and signs can become two on the way.
const BYTES_MAX: usize = 2 << 20;
/// Lines that are read at a time.
const PAGE: usize = 250;
/// The columns.
const COLUMNS: [&str; 9] = [
    "line",
    "participant",
    "external_id",
    "amount",
    "amount_minor",
    "currency",
    "invoices",
    "status",
    "reference",
];

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PayoutExportQuery {
    /// Only those that stand so; `pending` is what is still to be paid.
    #[param(inline)]
    status: Option<LineStatus>,
    /// Lines of a file, 1 to 10,000; 10,000 unless told.
    #[param(minimum = 1, maximum = 10000)]
    limit: Option<usize>,
    /// The `next-cursor` of the file before.
    cursor: Option<String>,
}

/// Export a payout batch
///
/// As CSV (RFC 4180, UTF-8), a row for each line; the first file begins with the names of the columns. A cell that a spreadsheet
/// would take for a formula has an apostrophe before it. Where there is more, the header `next-cursor` says where to go on.
#[utoipa::path(get, path = "/v1/payout-batches/{batch}/export", operation_id = "export_payout_batch",
    tag = "billing", params(("batch" = String, Path, description = "The batch's id (pob_...)"), PayoutExportQuery),
    responses((status = 200, body = String, content_type = "text/csv",
               headers(("next-cursor" = String, description = "Where to go on; absent at the end"))),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 payout_batch_transition")))]
pub(crate) async fn export(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<PayoutExportQuery>,
) -> Result<Response, Problem> {
    let list = format!("export of {id}, {:?}", query.status);
    let limit = query.limit.unwrap_or(LINES_MAX);
    if !(1..=LINES_MAX).contains(&limit) {
        return Err(Problem::field("?limit", format!("must be 1 to {LINES_MAX}")));
    }
    let mut cursor = open_cursor(&list, query.cursor.as_deref())?;
    let batch = find(&deps, &caller, &id).await?;
    if !batch.status_now().is_exportable() {
        return Err(transition(batch.status_now()));
    }
    let mut file = CsvFile::default();
    if cursor.is_none() {
        file.add(COLUMNS.map(str::to_owned)).map_err(|error| Problem::internal(&error))?;
    }
    let mut left = limit;
    loop {
        let some = i32::try_from(left.min(PAGE)).unwrap_or(1);
        let store = &deps.edge.store;
        let page = store
            .list_payout_lines(&caller.organization, &batch.batch, query.status, cursor.as_deref(), some)
            .await?;
        left = left.saturating_sub(page.rows.len());
        for line in &page.rows {
            file.add(cells(line)).map_err(|error| Problem::internal(&error))?;
        }
        cursor = page.next;
        if cursor.is_none() || left == 0 || file.bytes() >= BYTES_MAX {
            break;
        }
    }
    let file = file.finish().map_err(|error| Problem::internal(&error))?;
    let name = format!("attachment; filename=\"{}.csv\"", batch.batch);
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)];
    let next = cursor.map(|next| [("next-cursor", seal_cursor(&list, &next))]);
    Ok(match next {
        Some(next) => (headers, next, file).into_response(),
        None => (headers, file).into_response(),
    })
}

fn cells(line: &PayoutLineRow) -> [String; 9] {
    let amount = Money::new(line.amount, line.currency).to_string();
    let decimal = amount.split(' ').next().unwrap_or_default().to_owned();
    let reference = line.reference.clone().unwrap_or_default();
    [
        line.line.to_string(),
        line.participant.to_string(),
        line.external_id.to_string(),
        decimal,
        line.amount.to_string(),
        line.currency.to_string(),
        line.invoices.len().to_string(),
        line.status.as_str().to_owned(),
        reference,
    ]
}
