//! Invoices that are void.

use aws::http::{Caller, Json, Problem, ProblemBody};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::fact::{Fact, Payer};
use domain::id::{Processor, ProcessorRef, SourceId};
use domain::source::SourceState;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Report, answer, processor_or_own, record};
use crate::{Deps, SettledView};

/// An invoice that was voided.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VoidRequest {
    /// The invoice.
    #[schema(example = "in_123")]
    pub invoice_id: ProcessorRef,
    /// Who keeps it; `own` unless told.
    #[schema(example = "stripe")]
    pub processor: Option<Processor>,
}

/// Report a voided invoice
///
/// All that it earned is taken back, and it earns nothing any more, whatever else is told of it. Cannot be undone.
/// Idempotent by processor and invoice; may come before its payment.
#[utoipa::path(post, path = "/v1/track/void", operation_id = "track_void", tag = "tracking", request_body = VoidRequest,
    responses((status = 200, body = SettledView, description = "Decided"),
              (status = 202, body = SettledView, description = "Parked until its payer, or the exchange rate of its day, is known"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 400 invalid_request")))]
pub(crate) async fn track_void(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<VoidRequest>,
) -> Result<Response, Problem> {
    record(&deps, &caller, request.value).await.map(answer)
}

impl Report for VoidRequest {
    fn fact(self, _: DateTime<Utc>) -> Result<Fact, Problem> {
        let source = SourceId::invoice(processor_or_own(self.processor)?, self.invoice_id);
        Ok(Fact::of(source, Payer::default(), SourceState::void(None)))
    }
}
