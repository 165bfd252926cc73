//! Bodies of event destinations: what is sent where.

use serde_json::{Value, json};

use super::bodies::BodyRoute;
use super::setup::Setup;
use super::values::{not_name, not_text};

pub fn routes(setup: &Setup) -> Vec<BodyRoute> {
    let good = json!({"url": "https://example.com/hooks", "events": ["reward.fulfilled", "report.ready"],
        "description": "the shop"});
    let wrong = vec![
        ("/url", [not_text(), not_urls()].concat()),
        ("/events", vec![json!("reward.fulfilled"), json!({}), json!([])]),
        (
            "/events/0",
            [not_text(), vec![Value::Null, json!(""), json!("*"), json!("reward.Fulfilled")]].concat(),
        ),
        ("/events/1", vec![json!("reward.fulfilled"), json!("webhook.due.v1")]),
        ("/description", [not_name(200), vec![json!(""), json!("  ")]].concat()),
    ];
    let statuses = ("/status", [not_text(), vec![json!(""), json!("Enabled"), json!("paused")]].concat());
    let replay = "POST /v1/event-destinations/{id}/deliveries/{delivery}/replay";
    let empty = |route, ids: &[&String]| BodyRoute {
        route,
        ids: ids.iter().map(|id| (*id).clone()).collect(),
        good: json!({}),
        objects: &[""],
        ..BodyRoute::default()
    };
    vec![
        BodyRoute {
            route: "POST /v1/event-destinations",
            good: good.clone(),
            required: &["/url"],
            objects: &[""],
            wrong: [wrong.clone(), vec![("/url", vec![Value::Null])]].concat(),
            ..BodyRoute::default()
        },
        BodyRoute {
            route: "PATCH /v1/event-destinations/{id}",
            ids: vec![setup.destination.clone()],
            good: json!({"url": good["url"], "events": good["events"], "description": good["description"],
                "status": "enabled"}),
            objects: &[""],
            wrong: [wrong, vec![statuses]].concat(),
            ..BodyRoute::default()
        },
        empty("POST /v1/event-destinations/{id}/rotate-secret", &[&setup.destination]),
        empty(replay, &[&setup.destination, &setup.delivery]),
    ]
}

/// What no event may be sent to.
fn not_urls() -> Vec<Value> {
    let urls = [
        "",
        "example.com",
        "/hooks",
        "http://example.com/hooks",
        "ftp://example.com/",
        "https://",
        "https://user:word@example.com/",
        "https://example.com:8080/",
        "https://example.com:22/",
        "https://example.com/#part",
        "https://intranet/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://ex ample.com/",
        "javascript:alert(1)",
    ];
    let long = format!("https://example.com/{}", "x".repeat(2_048));
    urls.into_iter().map(Value::from).chain([json!(long)]).collect()
}
