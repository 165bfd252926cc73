//! Bodies of campaigns and tasks, and what participants are reached by.

use serde_json::{Value, json};

use super::bodies::BodyRoute;
use super::by_hand::not_said;
use super::setup::Setup;
use super::values::{not_moment, not_name, not_own_id, not_text, not_within, or_empty};

pub fn routes(setup: &Setup) -> Vec<BodyRoute> {
    let reasons: Vec<Value> = not_said(500).into_iter().filter(|value| !value.is_null()).collect();
    let task = |route, id: &String| BodyRoute {
        route,
        ids: vec![id.clone()],
        good: json!({"actor": "support", "reason": "called"}),
        required: &["/actor"],
        objects: &[""],
        wrong: vec![("/actor", not_said(100)), ("/reason", reasons.clone())],
        ..BodyRoute::default()
    };
    let change = BodyRoute {
        route: "PATCH /v1/campaigns/{id}",
        ids: vec![setup.campaign.clone()],
        good: json!({"status": "paused"}),
        required: &["/status"],
        objects: &[""],
        wrong: vec![("/status", [not_text(), vec![json!(""), json!("Paused"), Value::Null]].concat())],
        ..BodyRoute::default()
    };
    vec![
        task("POST /v1/tasks/{id}/done", &setup.task),
        task("POST /v1/tasks/{id}/dismiss", &setup.other_task),
        campaign(setup),
        change,
    ]
}

fn campaign(setup: &Setup) -> BodyRoute {
    let message = "/steps/0/message";
    let step =
        |days: u32| json!({"after_days": days, "message": {"text": "Share {{ account_referral_code }}"}});
    BodyRoute {
        route: "POST /v1/campaigns",
        good: json!({"program": setup.program, "name": "Spring", "audience": {"inactive_for_days": 30},
            "starts_at": "2027-01-01T00:00:00Z", "ends_at": "2027-06-01T00:00:00Z", "goal": "reward", "per_day_max": 100,
            "steps": [step(0), step(3)]}),
        required: &["/program", "/name", "/audience", "/steps", "/steps/0/message", "/steps/0/after_days"],
        objects: &["", "/steps/0", "/steps/0/message"],
        wrong: vec![
            ("/program", not_own_id("prg_")),
            ("/name", or_empty(not_name(100))),
            ("/audience", vec![json!("everybody"), json!(7), json!({}), Value::Null]),
            ("/audience/inactive_for_days", not_within(1, 365)),
            ("/starts_at", not_moment()),
            (
                "/ends_at",
                [not_moment(), vec![json!("2020-01-01T00:00:00Z"), json!("2026-12-31T00:00:00Z")]].concat(),
            ),
            ("/goal", [not_text(), vec![json!(""), json!("sale")]].concat()),
            ("/per_day_max", not_within(1, 1_000_000)),
            ("/steps", vec![json!([]), json!({}), json!(vec![step(1); 11]), Value::Null]),
            ("/steps/0/after_days", not_within(0, 365)),
            ("/steps/1/after_days", vec![json!(0)]),
            (message, vec![json!("Share"), json!([]), Value::Null]),
            (
                "/steps/0/message/text",
                vec![
                    json!(7),
                    json!(""),
                    json!("  "),
                    json!("x".repeat(4_001)),
                    json!("{{ x }}"),
                    json!("{{"),
                    Value::Null,
                ],
            ),
            ("/steps/0/message/transport", vec![json!("fax"), json!(7)]),
            ("/steps/0/message/html", vec![json!(7), json!(""), json!("{% x %}"), json!("x".repeat(10_001))]),
            ("/steps/0/message/subject", vec![json!(7), json!(""), json!("a\nb"), json!("x".repeat(201))]),
        ],
        ..BodyRoute::default()
    }
}

/// What a participant is not reached by.
pub fn not_contact() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        ("/contact", vec![json!("anna@example.com"), json!(7)]),
        (
            "/contact/email",
            vec![json!(7), json!(""), json!("anna"), json!("a@b@c.com"), json!("Anna <a@example.com>")],
        ),
        (
            "/contact/phone",
            vec![json!(7), json!(""), json!("030 123456"), json!("+49 30 123456"), json!("+0301234567")],
        ),
    ]
}
