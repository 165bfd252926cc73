//! Money that went back.

use aws::http::{Caller, Json, Problem, ProblemBody};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::fact::{Fact, Payer};
use domain::id::{Processor, ProcessorRef};
use domain::money::Currency;
use domain::source::{Refund, RefundStatus, SourceState};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Report, answer, check_amount, processor_or_own, record, subject};
use crate::{Deps, SettledView};

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

/// Report a refund
///
/// Idempotent by processor and refund; may come before its invoice.
#[utoipa::path(post, path = "/v1/track/refund", operation_id = "track_refund", tag = "tracking", request_body = RefundRequest,
    responses((status = 200, body = SettledView, description = "Decided"),
              (status = 202, body = SettledView, description = "Parked until its payer, or the exchange rate of its day, is known"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 400 invalid_request, 409 currency_mismatch")))]
pub(crate) async fn track_refund(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<RefundRequest>,
) -> Result<Response, Problem> {
    record(&deps, &caller, request.value).await.map(answer)
}

impl Report for RefundRequest {
    fn fact(self, _: DateTime<Utc>) -> Result<Fact, Problem> {
        if let Some(error) = check_amount("/amount", self.amount) {
            return Err(Problem::invalid(vec![error]));
        }
        let processor = processor_or_own(self.processor)?;
        let (source, charge, payments) = subject(processor, self.invoice_id, self.payment_id)?;
        let status = self.status.unwrap_or(RefundStatus::Succeeded);
        let refund = Refund { amount: self.amount, status, charge };
        let state = SourceState::refund(self.currency, self.refund_id, refund);
        Ok(Fact { payments, ..Fact::of(source, Payer::default(), state) })
    }
}
