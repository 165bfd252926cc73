//! Trying terms out on example events before they go live.

use std::collections::BTreeMap;

use aws::http::{Caller, Json, Path, Problem, ProblemBody};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Datelike as _, Utc};
use domain::rate::Rate;
use domain::simulation::{EVENTS_MAX, ExampleEvent, Simulation, SimulationError, Step, Summary};
use domain::terms::TermsDraft;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::exchange_rates::parse_rates;
use crate::terms::{check_terms, find_program};

/// Longest answer, in bytes; Lambda answers with at most 6 MB.
const ANSWER_BYTES_MAX: usize = 5_000_000;
/// Years that examples may lie in: far from the ends of what can be reckoned with.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;

/// Terms and what is to happen under them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SimulationRequest {
    /// The terms to try; the program's newest unless told.
    terms: Option<TermsDraft>,
    /// What one unit of other currencies is worth in the terms' `payout_currency`, in major units, on every day: at most
    /// 200, as strings. Events in a currency without a rate come to `awaiting_rate`.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, String>, example = json!({"EUR": "1.0843"}))]
    rates: BTreeMap<String, Rate>,
    /// What happens, in this order: at most 200 events.
    #[schema(max_items = 200)]
    events: Vec<ExampleEvent>,
}

/// What example events lead to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SimulationView {
    /// What each event leads to, in the order of the events.
    steps: Vec<Step>,
    /// What it all comes to.
    summary: Summary,
}

/// Try terms on example events
///
/// Runs the events in memory through the rules that decide for real, and writes nothing. The program is taken as active
/// from its `starts_at` to its `ends_at`, without groups and own terms; participants are named by ids of your choice.
#[utoipa::path(post, path = "/v1/programs/{program}/simulate", operation_id = "simulate", tag = "programs",
    params(("program" = String, Path, description = "The program's id (prg_...)")),
    request_body = SimulationRequest,
    responses((status = 200, body = SimulationView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn simulate(
    State(deps): State<Deps>,
    caller: Caller,
    Path(program): Path<String>,
    request: Json<SimulationRequest>,
) -> Result<Response, Problem> {
    let asked = request.value;
    asked.terms.as_ref().map(check_terms).transpose()?;
    if asked.events.len() > EVENTS_MAX {
        return Err(Problem::field("/events", SimulationError::TooManyEvents));
    }
    let row = find_program(&deps, &caller.organization, &program).await?;
    let terms = asked.terms.unwrap_or(row.terms.draft);
    let rates = match terms.payout_currency {
        Some(currency) => parse_rates(asked.rates, currency)?,
        None if asked.rates.is_empty() => BTreeMap::new(),
        None => return Err(Problem::field("/rates", "are for terms with a payout_currency")),
    };
    let mut simulation = Simulation::new(caller.organization, row.program, terms).with_rates(rates);
    let mut steps = Vec::with_capacity(asked.events.len());
    for (index, event) in asked.events.iter().enumerate() {
        check_moments(index, event)?;
        let step = simulation.apply(event);
        steps.push(step.map_err(|error| Problem::field(format!("/events/{index}"), error))?);
    }
    let view = SimulationView { steps, summary: simulation.summary() };
    let answer = serde_json::to_vec(&view).map_err(|error| Problem::internal(&error))?;
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(Problem::field("/events", "lead to more than one answer can hold; give fewer"));
    }
    Ok(([(CONTENT_TYPE, "application/json")], answer).into_response())
}

/// The moments of an example: windows, holds and limits are added to them.
fn check_moments(index: usize, event: &ExampleEvent) -> Result<(), Problem> {
    let wrong = |place: String| {
        Problem::field(format!("/events/{index}/{place}"), "must lie in the years 1970 to 9999")
    };
    let fits = |at: DateTime<Utc>| YEARS.contains(&at.year());
    if !fits(event.at()) {
        return Err(wrong("at".to_owned()));
    }
    let ExampleEvent::Signup(signup) = event else { return Ok(()) };
    let touch = signup.touches.iter().position(|touch| !fits(touch.at));
    touch.map_or(Ok(()), |touch| Err(wrong(format!("touches/{touch}/at"))))
}
