//! Bodies of billing: runs, what is done to invoices, payout batches and their lines, participants' tokens; and of self-checks.

use serde_json::{Value, json};

use super::bodies::BodyRoute;
use super::by_hand::not_said;
use super::setup::Setup;
use super::values::{not_bool, not_currency, not_day, not_own_id, not_positive, not_text, not_within};

pub fn routes(setup: &Setup) -> Vec<BodyRoute> {
    let [first, second, third] = &setup.partners.invoices;
    vec![
        run(setup),
        BodyRoute { route: "POST /v1/checks", good: json!({}), objects: &[""], ..BodyRoute::default() },
        token(setup),
        action("POST /v1/partner-invoices/{id}/finalize", first),
        action("POST /v1/partner-invoices/{id}/pay", second),
        action("POST /v1/partner-invoices/{id}/void", third),
        payout_batch(setup),
        action("POST /v1/payout-batches/{batch}/cancel", &setup.partners.cancelled),
        mark("POST /v1/payout-batches/{batch}/lines/{participant}/paid", setup, &setup.partners.pia.id),
        mark("POST /v1/payout-batches/{batch}/lines/{participant}/failed", setup, &setup.partners.petra.id),
        marks(setup),
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

fn payout_batch(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "POST /v1/payout-batches",
        good: json!({"program": setup.partners.program, "currency": "JPY", "actor": "finance", "reason": "month end",
            "minimum": {"amount": 5_000, "currency": "JPY"}}),
        required: &["/program", "/currency", "/actor", "/reason", "/minimum/amount", "/minimum/currency"],
        objects: &["", "/minimum"],
        wrong: vec![
            ("/program", not_own_id("prg_")),
            ("/currency", [not_currency(), vec![Value::Null]].concat()),
            ("/minimum/amount", not_positive()),
            ("/minimum/currency", [not_currency(), vec![json!("USD"), json!("points")]].concat()),
            ("/actor", not_said(100)),
            ("/reason", not_said(500)),
        ],
        told: vec![("/currency", json!("USD"), "/minimum/currency")],
        ..BodyRoute::default()
    }
}

fn mark(route: &'static str, setup: &Setup, participant: &str) -> BodyRoute {
    BodyRoute {
        route,
        ids: vec![setup.partners.batch.clone(), participant.to_owned()],
        good: json!({"reference": "tr_1", "actor": "payouts", "reason": "as the bank says"}),
        required: &["/reference", "/actor", "/reason"],
        objects: &[""],
        wrong: vec![("/reference", not_said(200)), ("/actor", not_said(100)), ("/reason", not_said(500))],
        ..BodyRoute::default()
    }
}

fn marks(setup: &Setup) -> BodyRoute {
    let mark = json!({"participant": setup.partners.pia.id, "status": "paid", "reference": "tr_1"});
    BodyRoute {
        route: "POST /v1/payout-batches/{batch}/lines/bulk",
        ids: vec![setup.partners.batch.clone()],
        good: json!({"marks": [mark], "actor": "payouts", "reason": "as the bank says"}),
        required: &[
            "/marks",
            "/actor",
            "/reason",
            "/marks/0/participant",
            "/marks/0/status",
            "/marks/0/reference",
        ],
        objects: &["", "/marks/0"],
        wrong: vec![
            ("/marks", vec![json!([]), json!("prt_1"), json!(vec![mark.clone(); 101]), Value::Null]),
            ("/marks/0/status", [not_text(), vec![json!("pending"), Value::Null]].concat()),
            ("/marks/0/participant", not_text()),
            ("/marks/0/reference", not_text()),
            ("/actor", not_said(100)),
            ("/reason", not_said(500)),
        ],
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
