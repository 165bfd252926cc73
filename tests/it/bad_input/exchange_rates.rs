//! Exchange rates: days that have none, and bodies that are none.

use chrono::Days;
use serde_json::{Value, json};

use super::bodies::BodyRoute;
use super::case::Case;
use super::setup::Setup;
use super::values::not_currency;

const GIVE: &str = "PUT /v1/exchange-rates/{day}";

/// Rates in USD that cannot be, and by which pointer that is told.
pub fn wrong_rates() -> Vec<(Value, &'static str)> {
    let many: serde_json::Map<String, Value> =
        (0..201).map(|number| (format!("{number}"), json!("1"))).collect();
    vec![
        (json!("x"), "/rates"),
        (json!([]), "/rates"),
        (json!(7), "/rates"),
        (Value::Object(many), "/rates"),
        (json!({"XXX": "1"}), "/rates/XXX"),
        (json!({"points": "1"}), "/rates/points"),
        (json!({"": "1"}), "/rates/"),
        (json!({"a/b~": "1"}), "/rates/a~1b~0"),
        (json!({"USD": "1"}), "/rates/USD"),
        (json!({"EUR": "1.0843", "eur": "1.0843"}), "/rates/eur"),
        (json!({"EUR": "1", "GBP": 1.5}), "/rates/GBP"),
    ]
}

pub fn routes(setup: &Setup) -> Vec<BodyRoute> {
    let texts =
        ["", "0", "0.0", "-1", "+1", "1e3", "1,5", "one", "1000000001", "0.0000000000001"].map(Value::from);
    let not_rates =
        [vec![json!(1), json!(1.0843), json!(true), json!([]), Value::Null], texts.into()].concat();
    let mut told: Vec<_> = wrong_rates().into_iter().map(|(rates, told)| ("/rates", rates, told)).collect();
    told.push(("/rates", json!({}), "/rates"));
    vec![BodyRoute {
        route: GIVE,
        ids: vec![setup.now.date_naive().to_string()],
        good: json!({"currency": "USD", "rates": {"EUR": "1.0843"}}),
        required: &["/currency", "/rates"],
        objects: &["", "/rates"],
        wrong: vec![("/currency", not_currency()), ("/rates/EUR", not_rates)],
        told,
        ..BodyRoute::default()
    }]
}

/// Days that are none, and days for which no rate can be given.
pub fn days(setup: &Setup) -> Vec<Case> {
    let body = json!({"currency": "USD", "rates": {"EUR": "1.0843"}});
    let key = &setup.tenant.key;
    let mut cases = Vec::new();
    for day in [
        "today",
        "2026-02-30",
        "2026-1-1",
        "20260101",
        "%20",
        "%00",
        "+10000-01-01",
        "-0001-01-01",
        "0001-01-01",
    ] {
        cases.push(Case::new(GIVE, &[day], key, format!("{day} as day")).body(&body).names("{day}"));
        cases.push(
            Case::new("GET /v1/exchange-rates/{day}", &[day], key, format!("{day} as day")).names("{day}"),
        );
    }
    let today = setup.now.date_naive();
    for day in [today + Days::new(2), today - Days::new(368), today + Days::new(4_000)] {
        let day = day.to_string();
        cases.push(Case::new(GIVE, &[&day], key, format!("{day} as day")).body(&body).names("{day}"));
    }
    for route in [GIVE, "GET /v1/exchange-rates/{day}"] {
        cases.push(Case::new(route, &["%FF"], key, "no UTF-8 as day").body(&body).names("{path}"));
    }
    cases
}
