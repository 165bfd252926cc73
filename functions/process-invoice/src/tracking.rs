//! The tracking API: what a backend tells itself instead of (or beside) a processor's webhooks. Each kind of report is a fact of
//! its source; what they do is what the same event of a processor does, under the same keys.

pub(crate) mod batch;
pub(crate) mod credit;
pub(crate) mod dispute;
pub(crate) mod event;
pub(crate) mod invoice;
mod labels;
pub(crate) mod payout;
pub(crate) mod refund;
pub(crate) mod void;

use aws::http::{Caller, FieldError, Problem};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::fact::{Fact, Tie};
use domain::id::{OWN, Processor, ProcessorRef, SourceId};
use domain::money::AMOUNT_MAX;
use domain::referral::check_past;
use serde::de::DeserializeOwned;

use crate::{Deps, SettledView};

/// What a backend can report.
pub(crate) trait Report: DeserializeOwned + Send {
    /// What it says of its source.
    fn fact(self, now: DateTime<Utc>) -> Result<Fact, Problem>;
}

/// Takes a report: parse, decide and commit are the settler's.
pub(crate) async fn record<R: Report>(
    deps: &Deps,
    caller: &Caller,
    report: R,
) -> Result<SettledView, Problem> {
    let fact = report.fact(deps.edge.now())?;
    Ok(deps.settler.record(&caller.organization, &fact).await?.into())
}

/// The status of a report that was taken.
pub(crate) const fn status(view: &SettledView) -> StatusCode {
    if view.parked { StatusCode::ACCEPTED } else { StatusCode::OK }
}

fn answer(view: SettledView) -> Response {
    (status(&view), axum::Json(view)).into_response()
}

/// What a refund or a dispute is about: its invoice where that is told, else its payment; and the payment itself. Told with
/// both, it ties the payment to the invoice.
fn subject(
    processor: Processor,
    invoice: Option<ProcessorRef>,
    payment: Option<ProcessorRef>,
) -> Result<(SourceId, Option<ProcessorRef>, Vec<Tie>), Problem> {
    match (invoice, payment) {
        (Some(invoice), Some(payment)) => {
            let tie = Tie { payment: SourceId::payment(processor.clone(), payment.clone()), amount: None };
            Ok((SourceId::invoice(processor, invoice), Some(payment), vec![tie]))
        }
        (Some(invoice), None) => Ok((SourceId::invoice(processor, invoice), None, Vec::new())),
        (None, Some(payment)) => {
            Ok((SourceId::payment(processor, payment.clone()), Some(payment), Vec::new()))
        }
        (None, None) => {
            Err(Problem::field("/invoice_id", "invoice_id or payment_id must say what it is about"))
        }
    }
}

fn processor_or_own(processor: Option<Processor>) -> Result<Processor, Problem> {
    let processor = processor.map_or_else(|| Processor::parse(OWN), Ok);
    processor.map_err(|error| Problem::field("/processor", error))
}

fn check_amount(pointer: &str, amount: i64) -> Option<FieldError> {
    let fits = (0..=AMOUNT_MAX).contains(&amount);
    let detail = format!("must be a whole number of minor units from 0 to {AMOUNT_MAX}");
    (!fits).then(|| FieldError { pointer: pointer.to_owned(), detail })
}

/// When it happened; now unless told, and never ahead.
fn moment(
    pointer: &str,
    told: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    errors: &mut Vec<FieldError>,
) -> DateTime<Utc> {
    let at = told.unwrap_or(now);
    if let Err(error) = check_past(at, now) {
        errors.push(FieldError { pointer: pointer.to_owned(), detail: error.to_string() });
    }
    at
}

/// A field that cannot be used.
fn wrong(pointer: impl Into<String>, detail: impl std::fmt::Display) -> FieldError {
    FieldError { pointer: pointer.into(), detail: detail.to_string() }
}
