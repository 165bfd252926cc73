//! Qualifying events other than payments: what a backend reports itself.

use aws::http::{Caller, FieldError, Json, Problem, ProblemBody};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::fact::{Fact, Payer};
use domain::id::{EventName, ExternalId, Processor, ProcessorRef, SourceId};
use domain::money::Currency;
use domain::referral::check_past;
use domain::source::{PayoutFigures, SourceState};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::labels::LabelsInput;
use crate::tracking::{answer, check_amount, processor_or_own};
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

/// Report a qualifying event
///
/// Idempotent by name and `event_id`. A referee who has not signed up yet: the event is parked, and decided again at the
/// sign-up.
#[utoipa::path(post, path = "/v1/track/event", operation_id = "track_event", tag = "tracking",
    request_body = EventRequest,
    responses((status = 200, body = SettledView, description = "Decided"),
              (status = 202, body = SettledView, description = "Parked until its referee, or the exchange rate of its day, is known"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 400 invalid_request, 409 currency_mismatch, payer_mismatch")))]
pub(crate) async fn track_event(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<EventRequest>,
) -> Result<Response, Problem> {
    let fact = event_fact(request.value, deps.edge.now())?;
    let settled = deps.settler.record(&caller.organization, &fact).await?;
    Ok(answer(settled.into()))
}

/// Report a payout record
///
/// What a referred partner was paid, made or turned over: the basis of partner commissions. Idempotent by processor,
/// `payout_id` and `revision`.
#[utoipa::path(post, path = "/v1/track/payout", operation_id = "track_payout", tag = "tracking",
    request_body = PayoutRequest,
    responses((status = 200, body = SettledView, description = "Decided"),
              (status = 202, body = SettledView, description = "Parked until its partner, or the exchange rate of its day, is known"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 400 invalid_request, 409 currency_mismatch, payer_mismatch")))]
pub(crate) async fn track_payout(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<PayoutRequest>,
) -> Result<Response, Problem> {
    let fact = payout_fact(request.value, deps.edge.now())?;
    let settled = deps.settler.record(&caller.organization, &fact).await?;
    Ok(answer(settled.into()))
}

fn event_fact(request: EventRequest, now: DateTime<Utc>) -> Result<Fact, Problem> {
    let mut errors: Vec<FieldError> = Vec::new();
    errors.extend(request.amount.and_then(|amount| check_amount("/amount", amount)));
    if request.amount.is_some() != request.currency.is_some() {
        let detail = "amount and currency belong together".to_owned();
        errors.push(FieldError { pointer: "/currency".to_owned(), detail });
    }
    let at = moment(request.occurred_at, now, &mut errors);
    let labels = request.labels.labels(&mut errors);
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let happened = SourceState::happened(at, request.amount.zip(request.currency));
    Ok(Fact {
        source: SourceId::event(&request.name, request.event_id),
        payer: Payer::named(request.external_id),
        state: SourceState { labels, voided: request.cancelled, ..happened },
        payments: Vec::new(),
        email: None,
    })
}

fn payout_fact(request: PayoutRequest, now: DateTime<Utc>) -> Result<Fact, Problem> {
    let mut errors: Vec<FieldError> = Vec::new();
    let figures = [("/payout", request.payout), ("/profit", request.profit), ("/revenue", request.revenue)];
    errors.extend(figures.iter().filter_map(|(pointer, amount)| check_amount(pointer, (*amount)?)));
    if figures.iter().all(|(_, amount)| amount.is_none()) {
        let detail = "payout, profit or revenue must say what the partner earned".to_owned();
        errors.push(FieldError { pointer: "/payout".to_owned(), detail });
    }
    let at = moment(request.occurred_at, now, &mut errors);
    let labels = request.labels.labels(&mut errors);
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let payout = PayoutFigures {
        revision: request.revision,
        payout: request.payout,
        profit: request.profit,
        revenue: request.revenue,
    };
    Ok(Fact {
        source: SourceId::payout(processor_or_own(request.processor)?, request.payout_id),
        payer: Payer::named(request.external_id),
        state: SourceState {
            currency: Some(request.currency),
            labels,
            voided: request.cancelled,
            payout: Some(payout),
            ..SourceState::happened(at, None)
        },
        payments: Vec::new(),
        email: None,
    })
}

fn moment(told: Option<DateTime<Utc>>, now: DateTime<Utc>, errors: &mut Vec<FieldError>) -> DateTime<Utc> {
    let at = told.unwrap_or(now);
    if let Err(error) = check_past(at, now) {
        errors.push(FieldError { pointer: "/occurred_at".to_owned(), detail: error.to_string() });
    }
    at
}
