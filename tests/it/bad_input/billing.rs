//! Bodies of billing: runs, what is done to invoices, participants' tokens; and of self-checks.

use serde_json::{Value, json};

use super::bodies::BodyRoute;
use super::by_hand::not_said;
use super::setup::Setup;
use super::values::{not_bool, not_day, not_own_id, not_within};

pub fn routes(setup: &Setup) -> Vec<BodyRoute> {
    let [first, second, third] = &setup.partners.invoices;
    vec![
        run(setup),
        BodyRoute { route: "POST /v1/checks", good: json!({}), objects: &[""], ..BodyRoute::default() },
        token(setup),
        action("POST /v1/partner-invoices/{id}/finalize", first),
        action("POST /v1/partner-invoices/{id}/pay", second),
        action("POST /v1/partner-invoices/{id}/void", third),
    ]
}

fn run(setup: &Setup) -> BodyRoute {
    let (day, today) = (&setup.partners.day, setup.now.date_naive().to_string());
    BodyRoute {
        route: "POST /v1/billing-runs",
        good: json!({"program": setup.partners.program, "from": day, "to": day, "dry_run": false}),
        required: &["/program", "/from", "/to"],
        objects: &[""],
        wrong: vec![
            ("/program", not_own_id("prg_")),
            ("/from", [not_day(), vec![json!("1969-12-31"), json!("1970-01-01"), json!(today)]].concat()),
            ("/to", [not_day(), vec![json!(today)]].concat()),
            ("/dry_run", [not_bool(), vec![Value::Null]].concat()),
        ],
        told: vec![("/to", json!("9999-12-31"), "/from"), ("/to", json!("2020-01-01"), "/from")],
        ..BodyRoute::default()
    }
}

fn token(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "POST /v1/participants/{id}/tokens",
        ids: vec![setup.anna.id.clone()],
        good: json!({"minutes": 30}),
        objects: &[""],
        wrong: vec![("/minutes", [not_within(5, 1_440), vec![Value::Null]].concat())],
        ..BodyRoute::default()
    }
}

fn action(route: &'static str, invoice: &str) -> BodyRoute {
    BodyRoute {
        route,
        ids: vec![invoice.to_owned()],
        good: json!({"actor": "finance", "reason": "month end"}),
        required: &["/actor", "/reason"],
        objects: &[""],
        wrong: vec![("/actor", not_said(100)), ("/reason", not_said(500))],
        ..BodyRoute::default()
    }
}
