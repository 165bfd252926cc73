//! What is credited of an invoice without a refund.

use aws::http::{Caller, Json, Problem, ProblemBody};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::fact::{Fact, Payer};
use domain::id::{Processor, ProcessorRef, SourceId};
use domain::money::Currency;
use domain::source::{RefundStatus, SourceState};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Report, answer, check_amount, processor_or_own, record};
use crate::{Deps, SettledView};

/// A credit of an invoice that is no refund.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreditRequest {
    /// The credit's (or credit note's) id at the processor: the same credit told twice takes back once.
    #[schema(example = "cn_123")]
    pub credit_id: ProcessorRef,
    /// Who keeps the invoice; `own` unless told.
    #[schema(example = "stripe")]
    pub processor: Option<Processor>,
    /// The invoice.
    #[schema(example = "in_123")]
    pub invoice_id: ProcessorRef,
    /// What was credited, in minor units, without what was refunded: report that as a refund.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 5000)]
    pub amount: i64,
    /// ISO 4217 code; the invoice's.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
    /// `pending` and `succeeded` (unless told) take back; `failed`, for a credit that was voided, gives back again.
    #[schema(value_type = Option<String>, example = "succeeded")]
    pub status: Option<RefundStatus>,
}

/// Report a credit
///
/// Idempotent by processor and credit; may come before its invoice.
#[utoipa::path(post, path = "/v1/track/credit", operation_id = "track_credit", tag = "tracking", request_body = CreditRequest,
    responses((status = 200, body = SettledView, description = "Decided"),
              (status = 202, body = SettledView, description = "Parked until its payer, or the exchange rate of its day, is known"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 400 invalid_request, 409 currency_mismatch")))]
pub(crate) async fn track_credit(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<CreditRequest>,
) -> Result<Response, Problem> {
    record(&deps, &caller, request.value).await.map(answer)
}

impl Report for CreditRequest {
    fn fact(self, _: DateTime<Utc>) -> Result<Fact, Problem> {
        if let Some(error) = check_amount("/amount", self.amount) {
            return Err(Problem::invalid(vec![error]));
        }
        let source = SourceId::invoice(processor_or_own(self.processor)?, self.invoice_id);
        let status = self.status.unwrap_or(RefundStatus::Succeeded);
        let state = SourceState::credit(self.currency, self.credit_id, self.amount, status);
        Ok(Fact::of(source, Payer::default(), state))
    }
}
