//! What referred partners were paid, made and turned over.

use aws::http::{Caller, FieldError, Json, Problem, ProblemBody};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::fact::{Fact, Payer};
use domain::id::{ExternalId, Processor, ProcessorRef, SourceId};
use domain::money::Currency;
use domain::source::{PayoutFigures, SourceState};
use serde::Deserialize;
use utoipa::ToSchema;

use super::labels::LabelsInput;
use super::{Report, answer, check_amount, moment, processor_or_own, record};
use crate::{Deps, SettledView};

/// A payout record of a referred partner (mission 001).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayoutRequest {
    /// The record's own id: the same record told twice earns once.
    #[schema(example = "2026-11-partner-7")]
    pub payout_id: ProcessorRef,
    /// Who keeps it; `own` unless told.
    pub processor: Option<Processor>,
    /// Your own id of the referred partner.
    #[schema(example = "partner-7")]
    pub external_id: ExternalId,
    /// What the partner was paid, in minor units: 0 to 1,000,000,000,000. Give at least one of the three figures.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 10000)]
    pub payout: Option<i64>,
    /// What was made of the partner.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub profit: Option<i64>,
    /// What the partner turned over.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub revenue: Option<i64>,
    /// ISO 4217 code.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
    /// Which version of the record: a higher one replaces what a lower one said; 0 unless told.
    #[serde(default)]
    pub revision: u32,
    /// When the partner earned it; now unless told.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The record is void: what it earned is taken back. Cannot be undone.
    #[serde(default)]
    pub cancelled: bool,
    /// What it is about.
    #[serde(default)]
    pub labels: LabelsInput,
}

/// Report a payout record
///
/// What a referred partner was paid, made or turned over: the basis of partner commissions. Idempotent by processor,
/// `payout_id` and `revision`.
#[utoipa::path(post, path = "/v1/track/payout", operation_id = "track_payout", tag = "tracking", request_body = PayoutRequest,
    responses((status = 200, body = SettledView, description = "Decided"),
              (status = 202, body = SettledView, description = "Parked until its partner, or the exchange rate of its day, is known"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 400 invalid_request, 409 currency_mismatch, payer_mismatch")))]
pub(crate) async fn track_payout(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<PayoutRequest>,
) -> Result<Response, Problem> {
    record(&deps, &caller, request.value).await.map(answer)
}

impl Report for PayoutRequest {
    fn fact(self, now: DateTime<Utc>) -> Result<Fact, Problem> {
        let mut errors: Vec<FieldError> = Vec::new();
        let figures = [("/payout", self.payout), ("/profit", self.profit), ("/revenue", self.revenue)];
        errors.extend(figures.iter().filter_map(|(pointer, amount)| check_amount(pointer, (*amount)?)));
        if figures.iter().all(|(_, amount)| amount.is_none()) {
            let detail = "payout, profit or revenue must say what the partner earned".to_owned();
            errors.push(FieldError { pointer: "/payout".to_owned(), detail });
        }
        let at = moment("/occurred_at", self.occurred_at, now, &mut errors);
        let labels = self.labels.labels(&mut errors);
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let payout = PayoutFigures {
            revision: self.revision,
            payout: self.payout,
            profit: self.profit,
            revenue: self.revenue,
        };
        Ok(Fact {
            source: SourceId::payout(processor_or_own(self.processor)?, self.payout_id),
            payer: Payer::named(self.external_id),
            state: SourceState {
                currency: Some(self.currency),
                labels,
                voided: self.cancelled,
                payout: Some(payout),
                ..SourceState::happened(at, None)
            },
            payments: Vec::new(),
            email: None,
        })
    }
}
