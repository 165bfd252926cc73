//! Exchange rates: given by the caller for a day, never fetched, and never changed once decisions may rest on them.

use std::collections::{BTreeMap, BTreeSet};

use aws::handler::chain;
use aws::http::{Caller, FieldError, Json, Path, Problem, ProblemBody};
use aws::store::{RatesRow, StoreError};
use axum::extract::State;
use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc};
use domain::id::OrganizationId;
use domain::money::Currency;
use domain::rate::{RATE_DAYS_MAX, RATES_MAX, Rate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::terms::ATTEMPTS_MAX;

/// Sources that are decided again before the answer; the sweeper does the rest.
const RELEASED_AT_ONCE: u32 = 25;
/// Years whose days have four digits.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;

/// Rates of a day.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RatesRequest {
    /// The currency that the rates are told in: the `payout_currency` of your terms.
    #[schema(value_type = String, example = "USD")]
    currency: Currency,
    /// What one unit of each currency is worth in it, in major units: 1 to 200 rates above 0 and at most 1,000,000,000,
    /// with at most 12 decimals and 18 digits, as strings.
    #[schema(value_type = std::collections::HashMap<String, String>, example = json!({"EUR": "1.0843", "JPY": "0.0067"}))]
    rates: BTreeMap<String, Rate>,
}

/// Rates of a day in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RatesView {
    /// The day (UTC).
    day: NaiveDate,
    /// The currency that the rates are told in.
    #[schema(value_type = String, example = "USD")]
    currency: Currency,
    /// What one unit of each currency is worth in it, in major units.
    #[schema(value_type = std::collections::HashMap<String, String>, example = json!({"EUR": "1.0843"}))]
    rates: BTreeMap<Currency, Rate>,
    /// Whether sources that waited for a rate are still being decided again, which takes a few minutes at most.
    releasing: bool,
    /// When rates were given last.
    updated_at: DateTime<Utc>,
}

/// All rates of a day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RatesList {
    /// By the currency that they are told in; empty when none were given for the day.
    data: Vec<RatesView>,
}

impl From<RatesRow> for RatesView {
    fn from(row: RatesRow) -> Self {
        Self {
            day: row.day,
            currency: row.currency,
            releasing: !row.releasing.is_empty(),
            rates: row.rates,
            updated_at: row.updated_at,
        }
    }
}

/// Give the exchange rates of a day
///
/// For terms with a `payout_currency`. Rates of other currencies can be added later; a rate that was given is never
/// changed, since decisions rest on it: the same again is taken, another is refused and nothing is written. Whatever
/// waited for a rate (`awaiting_rate`) is decided again.
#[utoipa::path(put, path = "/v1/exchange-rates/{day}", operation_id = "give_exchange_rates", tag = "programs",
    params(("day" = NaiveDate, Path, description = "The day (UTC): today, or one of the 366 days before")),
    request_body = RatesRequest,
    responses((status = 200, body = RatesView, description = "All rates of the day in this currency"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 rate_given")))]
pub(crate) async fn give(
    State(deps): State<Deps>,
    caller: Caller,
    Path(day): Path<String>,
    request: Json<RatesRequest>,
) -> Result<axum::Json<RatesView>, Problem> {
    let (day, organization) = (parse_day(&day)?, &caller.organization);
    let currency = request.value.currency;
    let given = check(request.value, day, deps.edge.now())?;
    let row = commit(&deps, organization, day, currency, &given).await?;
    if row.releasing.is_empty() {
        return Ok(axum::Json(row.into()));
    }
    let released = deps.settler.release_rates(organization, day, currency, RELEASED_AT_ONCE).await;
    let all = released.unwrap_or_else(|error| {
        // The rates are written, and their row is due.
        tracing::warn!(error = chain(&error), "not all that waited was decided; the sweeper will");
        false
    });
    Ok(axum::Json(RatesView { releasing: !all, ..row.into() }))
}

/// Read the exchange rates of a day
#[utoipa::path(get, path = "/v1/exchange-rates/{day}", operation_id = "read_exchange_rates", tag = "programs",
    params(("day" = NaiveDate, Path, description = "The day (UTC)")),
    responses((status = 200, body = RatesList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(day): Path<String>,
) -> Result<axum::Json<RatesList>, Problem> {
    let day = parse_day(&day)?;
    let rows = deps.edge.store.list_rates(&caller.organization, day).await?;
    Ok(axum::Json(RatesList { data: rows.into_iter().map(RatesView::from).collect() }))
}

/// Adds what is new to what was given before, and leaves the row due for what waited for it.
async fn commit(
    deps: &Deps,
    organization: &OrganizationId,
    day: NaiveDate,
    currency: Currency,
    given: &BTreeMap<Currency, Rate>,
) -> Result<RatesRow, Problem> {
    let store = &deps.edge.store;
    for _ in 0..ATTEMPTS_MAX {
        let now = deps.edge.now();
        let known = store.find_rates(organization, day, currency).await?;
        let mut row = known.unwrap_or_else(|| RatesRow {
            day,
            currency,
            rates: BTreeMap::new(),
            releasing: BTreeSet::new(),
            version: 0,
            updated_at: now,
        });
        let mut conflicts = Vec::new();
        let mut is_new = false;
        for (from, rate) in given {
            match row.rates.get(from) {
                Some(known) if known == rate => {}
                Some(known) => {
                    let detail = format!("was given as {known}");
                    conflicts.push(FieldError { pointer: format!("/rates/{from}"), detail });
                }
                None => {
                    row.rates.insert(*from, *rate);
                    row.releasing.insert(*from);
                    is_new = true;
                }
            }
        }
        if !conflicts.is_empty() {
            let title = "A rate that was given is not changed: decisions rest on it.";
            return Err(Problem::new(409, "rate_given", title).with_errors(conflicts));
        }
        if row.rates.len() > RATES_MAX {
            let detail = format!("together with those given before must be at most {RATES_MAX}");
            return Err(Problem::field("/rates", detail));
        }
        row.updated_at = if is_new { now } else { row.updated_at };
        if !is_new || store.commit_rates(organization, &row).await? {
            return Ok(row);
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

fn parse_day(text: &str) -> Result<NaiveDate, Problem> {
    let day: Option<NaiveDate> = text.parse().ok();
    let day = day.filter(|day| YEARS.contains(&day.year()) && day.to_string() == text);
    day.ok_or_else(|| Problem::field("{day}", "must be a day such as 2026-11-22"))
}

fn check(
    request: RatesRequest,
    day: NaiveDate,
    now: DateTime<Utc>,
) -> Result<BTreeMap<Currency, Rate>, Problem> {
    let today = now.date_naive();
    let first = today.checked_sub_days(Days::new(RATE_DAYS_MAX.into())).unwrap_or(today);
    if !(first..=today).contains(&day) {
        let detail = format!("must be today in UTC, {today}, or at most {RATE_DAYS_MAX} days before");
        return Err(Problem::field("{day}", detail));
    }
    if request.rates.is_empty() {
        return Err(Problem::field("/rates", format!("must have 1 to {RATES_MAX} rates")));
    }
    parse_rates(request.rates, request.currency)
}

/// What one unit of each currency is worth in `to`.
pub(crate) fn parse_rates(
    rates: BTreeMap<String, Rate>,
    to: Currency,
) -> Result<BTreeMap<Currency, Rate>, Problem> {
    if rates.len() > RATES_MAX {
        return Err(Problem::field("/rates", format!("must have at most {RATES_MAX} rates")));
    }
    let mut errors = Vec::new();
    let mut wrong = |code: &str, detail: &str| {
        let pointer = format!("/rates/{}", code.replace('~', "~0").replace('/', "~1"));
        errors.push(FieldError { pointer, detail: detail.to_owned() });
    };
    let mut given = BTreeMap::new();
    for (code, rate) in rates {
        match Currency::parse(&code) {
            Err(error) => wrong(&code, &error.to_string()),
            Ok(from) if from == to => {
                wrong(&code, "must be another currency than the one that the rates are told in");
            }
            Ok(from) => {
                if given.insert(from, rate).is_some() {
                    wrong(&code, "is given twice");
                }
            }
        }
    }
    if errors.is_empty() { Ok(given) } else { Err(Problem::invalid(errors)) }
}
