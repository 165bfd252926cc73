//! Qualifying events other than payments.

use aws::http::{Caller, FieldError, Json, Problem, ProblemBody};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::fact::{Fact, Payer};
use domain::id::{EventName, ExternalId, ProcessorRef, SourceId};
use domain::money::Currency;
use domain::source::SourceState;
use serde::Deserialize;
use utoipa::ToSchema;

use super::labels::LabelsInput;
use super::{Report, answer, check_amount, moment, record};
use crate::{Deps, SettledView};

/// A qualifying event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventRequest {
    /// What happened: `approved`, `plan_started`, `booking_completed`, or the name of a custom trigger.
    #[schema(example = "booking_completed")]
    pub name: EventName,
    /// The event's own id: the same event told twice earns once.
    #[schema(example = "booking-8841")]
    pub event_id: ProcessorRef,
    /// Your own id of the referee.
    #[schema(example = "user_42")]
    pub external_id: ExternalId,
    /// What it was worth in minor units, for rules that give a share of it: 0 to 1,000,000,000,000.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 12000)]
    pub amount: Option<i64>,
    /// ISO 4217 code; needed with `amount`.
    #[schema(value_type = Option<String>, example = "USD")]
    pub currency: Option<Currency>,
    /// When; now unless told.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The event did not happen after all: what it earned is taken back. Cannot be undone.
    #[serde(default)]
    pub cancelled: bool,
    /// What it is about.
    #[serde(default)]
    pub labels: LabelsInput,
}

/// Report a qualifying event
///
/// Idempotent by name and `event_id`. A referee who has not signed up yet: the event is parked, and decided again at the
/// sign-up.
#[utoipa::path(post, path = "/v1/track/event", operation_id = "track_event", tag = "tracking", request_body = EventRequest,
    responses((status = 200, body = SettledView, description = "Decided"),
              (status = 202, body = SettledView, description = "Parked until its payer, or the exchange rate of its day, is known"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 400 invalid_request, 409 currency_mismatch, payer_mismatch")))]
pub(crate) async fn track_event(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<EventRequest>,
) -> Result<Response, Problem> {
    record(&deps, &caller, request.value).await.map(answer)
}

impl Report for EventRequest {
    fn fact(self, now: DateTime<Utc>) -> Result<Fact, Problem> {
        let mut errors: Vec<FieldError> = Vec::new();
        errors.extend(self.amount.and_then(|amount| check_amount("/amount", amount)));
        if self.amount.is_some() != self.currency.is_some() {
            let detail = "amount and currency belong together".to_owned();
            errors.push(FieldError { pointer: "/currency".to_owned(), detail });
        }
        let at = moment("/occurred_at", self.occurred_at, now, &mut errors);
        let labels = self.labels.labels(&mut errors);
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let happened = SourceState::happened(at, self.amount.zip(self.currency));
        Ok(Fact {
            source: SourceId::event(&self.name, self.event_id),
            payer: Payer::named(self.external_id),
            state: SourceState { labels, voided: self.cancelled, ..happened },
            payments: Vec::new(),
            email: None,
        })
    }
}
