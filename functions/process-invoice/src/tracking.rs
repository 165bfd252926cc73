//! The tracking API: what a backend tells itself instead of (or beside) a processor's webhooks.

use aws::http::{Caller, FieldError, Json, Problem, ProblemBody};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::fact::{Customer, Fact, Payer, Tie};
use domain::id::{ExternalId, Processor, ProcessorRef, SourceId};
use domain::money::{AMOUNT_MAX, Currency};
use domain::referral::check_past;
use domain::source::{Payment, Refund, RefundStatus, SourceState};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::labels::LabelsInput;
use crate::{Deps, SettledView};

/// The processor of invoices that come from no processor.
const OWN_BILLING: &str = "own";

/// A paid invoice.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvoicePaidRequest {
    /// The invoice's id at the processor: the same invoice told twice, by whatever path, earns once.
    #[schema(example = "in_123")]
    pub invoice_id: ProcessorRef,
    /// Who keeps the invoice; `own` unless told. Write `stripe` when Stripe's webhooks may tell of it too.
    #[schema(example = "stripe")]
    pub processor: Option<Processor>,
    /// Your own id of the payer.
    #[schema(example = "user_42")]
    pub external_id: Option<ExternalId>,
    /// The processor's id of the payer, when you do not give your own.
    #[schema(example = "cus_123")]
    pub customer_id: Option<ProcessorRef>,
    /// What was paid, in minor units: 0 to 1,000,000,000,000.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 20000)]
    pub amount_paid: i64,
    /// ISO 4217 code.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
    /// The invoice's total with tax; needed with `total_excluding_tax` for rules that leave out the tax.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub total: Option<i64>,
    /// The invoice's total without tax.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub total_excluding_tax: Option<i64>,
    /// When it was paid; now unless told.
    pub paid_at: Option<DateTime<Utc>>,
    /// The payment (or charge) that paid it, so that refunds which name only that find the invoice.
    #[schema(example = "pi_123")]
    pub payment_id: Option<ProcessorRef>,
    /// What it is about.
    #[serde(default)]
    pub labels: LabelsInput,
}

/// A refund.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundRequest {
    /// The refund's id at the processor: the same refund told twice takes back once.
    #[schema(example = "re_123")]
    pub refund_id: ProcessorRef,
    /// Who keeps the invoice; `own` unless told.
    #[schema(example = "stripe")]
    pub processor: Option<Processor>,
    /// The invoice. Give it or `payment_id`.
    #[schema(example = "in_123")]
    pub invoice_id: Option<ProcessorRef>,
    /// The payment or charge that was refunded, when the invoice is not known.
    #[schema(example = "pi_123")]
    pub payment_id: Option<ProcessorRef>,
    /// What was refunded by this refund, in minor units.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 5000)]
    pub amount: i64,
    /// ISO 4217 code; the invoice's.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
    /// `pending` and `succeeded` (unless told) take back, `failed` gives back again.
    #[schema(value_type = Option<String>, example = "succeeded")]
    pub status: Option<RefundStatus>,
}

/// Report a paid invoice
///
/// Idempotent by processor and invoice. A payer who has not signed up yet: the invoice is parked, and decided again at
/// the sign-up.
#[utoipa::path(post, path = "/v1/track/invoice-paid", tag = "tracking", request_body = InvoicePaidRequest,
    responses((status = 200, body = SettledView, description = "Decided"),
              (status = 202, body = SettledView, description = "Parked until its payer, or the exchange rate of its day, is known"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 400 invalid_request, 409 currency_mismatch, payer_mismatch")))]
pub(crate) async fn track_invoice_paid(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<InvoicePaidRequest>,
) -> Result<Response, Problem> {
    let fact = invoice_fact(request.value, deps.edge.now())?;
    let settled = deps.settler.record(&caller.organization, &fact).await?;
    Ok(answer(settled.into()))
}

/// Report a refund
///
/// Idempotent by processor and refund; may come before its invoice.
#[utoipa::path(post, path = "/v1/track/refund", tag = "tracking", request_body = RefundRequest,
    responses((status = 200, body = SettledView, description = "Decided"),
              (status = 202, body = SettledView, description = "Parked until its payer, or the exchange rate of its day, is known"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 400 invalid_request, 409 currency_mismatch")))]
pub(crate) async fn track_refund(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<RefundRequest>,
) -> Result<Response, Problem> {
    let fact = refund_fact(request.value)?;
    let settled = deps.settler.record(&caller.organization, &fact).await?;
    Ok(answer(settled.into()))
}

pub(crate) fn answer(view: SettledView) -> Response {
    let status = if view.parked { StatusCode::ACCEPTED } else { StatusCode::OK };
    (status, axum::Json(view)).into_response()
}

fn invoice_fact(request: InvoicePaidRequest, now: DateTime<Utc>) -> Result<Fact, Problem> {
    let mut errors = Vec::new();
    let amounts = [
        ("/amount_paid", Some(request.amount_paid)),
        ("/total", request.total),
        ("/total_excluding_tax", request.total_excluding_tax),
    ];
    errors.extend(amounts.into_iter().filter_map(|(pointer, amount)| check_amount(pointer, amount?)));
    let paid_at = request.paid_at.unwrap_or(now);
    if let Err(error) = check_past(paid_at, now) {
        errors.push(FieldError { pointer: "/paid_at".to_owned(), detail: error.to_string() });
    }
    if request.external_id.is_none() && request.customer_id.is_none() {
        let detail = "external_id or customer_id must say who paid".to_owned();
        errors.push(FieldError { pointer: "/external_id".to_owned(), detail });
    }
    let labels = request.labels.labels(&mut errors);
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let processor = processor_or_own(request.processor)?;
    let customer = request.customer_id.map(|reference| Customer { processor: processor.clone(), reference });
    let payment = Payment {
        amount: request.amount_paid,
        total: request.total,
        total_excluding_tax: request.total_excluding_tax,
        paid_at,
    };
    let payments = request.payment_id.map(|id| SourceId::payment(processor.clone(), id));
    Ok(Fact {
        source: SourceId::invoice(processor, request.invoice_id),
        payer: Payer { external_id: request.external_id, customer, ..Payer::default() },
        state: SourceState { labels, ..SourceState::paid(request.currency, payment) },
        payments: payments.map(untold).into_iter().collect(),
        email: None,
    })
}

fn refund_fact(request: RefundRequest) -> Result<Fact, Problem> {
    if let Some(error) = check_amount("/amount", request.amount) {
        return Err(Problem::invalid(vec![error]));
    }
    let processor = processor_or_own(request.processor)?;
    let payment = request.payment_id.map(|id| SourceId::payment(processor.clone(), id));
    let invoice = request.invoice_id.map(|id| SourceId::invoice(processor, id));
    let Some(source) = invoice.clone().or_else(|| payment.clone()) else {
        return Err(Problem::field("/invoice_id", "invoice_id or payment_id must say what was refunded"));
    };
    let charge = payment.as_ref().map(|payment| payment.reference.clone());
    let status = request.status.unwrap_or(RefundStatus::Succeeded);
    let refund = Refund { amount: request.amount, status, charge };
    Ok(Fact {
        source,
        payer: Payer::default(),
        state: SourceState::refund(request.currency, request.refund_id, refund),
        // Told with both, a refund ties the payment to the invoice.
        payments: payment.filter(|_| invoice.is_some()).map(untold).into_iter().collect(),
        email: None,
    })
}

/// A payment that is tied to an invoice without a figure of its own.
const fn untold(payment: SourceId) -> Tie {
    Tie { payment, amount: None }
}

pub(crate) fn processor_or_own(processor: Option<Processor>) -> Result<Processor, Problem> {
    let processor = processor.map_or_else(|| Processor::parse(OWN_BILLING), Ok);
    processor.map_err(|error| Problem::field("/processor", error))
}

pub(crate) fn check_amount(pointer: &str, amount: i64) -> Option<FieldError> {
    let fits = (0..=AMOUNT_MAX).contains(&amount);
    let detail = format!("must be a whole number of minor units from 0 to {AMOUNT_MAX}");
    (!fits).then(|| FieldError { pointer: pointer.to_owned(), detail })
}
