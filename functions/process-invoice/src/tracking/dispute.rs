//! Money that a payer asks back through the bank.

use aws::http::{Caller, Json, Problem, ProblemBody};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::fact::{Fact, Payer};
use domain::id::{Processor, ProcessorRef};
use domain::money::Currency;
use domain::source::{Dispute, DisputeStatus, SourceState};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Report, answer, check_amount, processor_or_own, record, subject};
use crate::{Deps, SettledView};

/// A dispute (chargeback).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DisputeRequest {
    /// The dispute's id at the processor: the same dispute told twice withholds once.
    #[schema(example = "dp_123")]
    pub dispute_id: ProcessorRef,
    /// Who keeps the invoice; `own` unless told.
    #[schema(example = "stripe")]
    pub processor: Option<Processor>,
    /// The invoice. Give it or `payment_id`.
    #[schema(example = "in_123")]
    pub invoice_id: Option<ProcessorRef>,
    /// The payment or charge that is disputed, when the invoice is not known.
    #[schema(example = "pi_123")]
    pub payment_id: Option<ProcessorRef>,
    /// What is disputed, in minor units.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 5000)]
    pub amount: i64,
    /// ISO 4217 code; the invoice's.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
    /// `open` and `lost` take back, `won` gives back again. It only goes from open to won or lost, and from won to lost.
    #[schema(example = "open")]
    pub status: DisputeStatus,
}

/// Report a dispute
///
/// Idempotent by processor and dispute; may come before its invoice. Told again with another status as it goes on, in any
/// order.
#[utoipa::path(post, path = "/v1/track/dispute", operation_id = "track_dispute", tag = "tracking", request_body = DisputeRequest,
    responses((status = 200, body = SettledView, description = "Decided"),
              (status = 202, body = SettledView, description = "Parked until its payer, or the exchange rate of its day, is known"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 400 invalid_request, 409 currency_mismatch")))]
pub(crate) async fn track_dispute(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<DisputeRequest>,
) -> Result<Response, Problem> {
    record(&deps, &caller, request.value).await.map(answer)
}

impl Report for DisputeRequest {
    fn fact(self, _: DateTime<Utc>) -> Result<Fact, Problem> {
        if let Some(error) = check_amount("/amount", self.amount) {
            return Err(Problem::invalid(vec![error]));
        }
        let processor = processor_or_own(self.processor)?;
        let (source, charge, payments) = subject(processor, self.invoice_id, self.payment_id)?;
        let dispute = Dispute { amount: self.amount, status: self.status, charge };
        let state = SourceState::dispute(self.currency, self.dispute_id, dispute);
        Ok(Fact { payments, ..Fact::of(source, Payer::default(), state) })
    }
}
