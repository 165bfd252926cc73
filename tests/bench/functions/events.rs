//! What the functions are called with, as Lambda would.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use local::template::Function;
use serde_json::{Value, json};
use tests::Participant;

use crate::rig::{Organization, Rig, due, fold, text};

/// Ledger lines of the participant whose balances are read.
const LINES: usize = 5;

/// What a function is measured with.
#[derive(Debug)]
pub(super) struct Calls {
    /// The first event of a process: as little work as the function can be given.
    pub(super) first: Value,
    /// Events of its main work, each to be sent once.
    pub(super) work: Vec<Value>,
}

/// An organization in which the main work can be done.
#[derive(Debug)]
pub(super) struct Ground {
    organization: Organization,
    program: String,
    anna: Participant,
    /// A participant with a common number of ledger lines.
    zoe: Participant,
}

impl Ground {
    /// Prepares it on a stage.
    pub(super) async fn prepare(rig: &Rig) -> Self {
        let organization = rig.organization().await;
        let program = organization.tenant.program(tests::percent_rule("10")).await;
        let anna = organization.tenant.enrol(&program, "anna", "Anna's Studio").await;
        let zoe = organization.tenant.enrol(&program, "zoe", "Zoe").await;
        for (referee, code) in [("ben", &anna.code), ("hal", &zoe.code)] {
            organization.tenant.sign_up(referee, code).await.created();
        }
        for number in 0..LINES {
            organization.tenant.pay("hal", &format!("in_hal_{number}"), 20_000).await.ok();
        }
        Self { organization, program, anna, zoe }
    }

    /// The calls of a function: `count` of its main work.
    pub(super) async fn calls(&self, rig: &Rig, function: &Function, count: usize) -> Result<Calls> {
        let Self { organization, program, anna, zoe } = self;
        let first = match (function.routes.first(), function.event_sources.first()) {
            (Some(_), _) => http("GET", "/nothing", "", None),
            (None, Some(_)) => json!({"Records": []}),
            (None, None) => {
                serde_json::from_str(&function.schedules.first().context("nothing calls it")?.input)?
            }
        };
        let key = organization.tenant.key.as_str();
        let mut work = Vec::with_capacity(count);
        for n in 0..count {
            work.push(match function.binary.as_str() {
                "issue-code" => {
                    let path = format!("/v1/programs/{program}/participants/account-{n}");
                    http("PUT", &path, key, Some(json!({"name": "Blue Lotus"})))
                }
                "attribute-signup" => {
                    let body = json!({"external_id": format!("dora-{n}"), "code": anna.code});
                    http("POST", "/v1/track/signup", key, Some(body))
                }
                "process-invoice" => {
                    let body = json!({"invoice_id": format!("in_{n}"), "processor": "stripe",
                        "external_id": "ben", "amount_paid": 20_000, "currency": "USD"});
                    http("POST", "/v1/track/invoice-paid", key, Some(body))
                }
                "manage-program" => http("GET", &format!("/v1/participants/{}/balances", zoe.id), key, None),
                "fulfill-reward" => {
                    let paid = organization.tenant.pay("ben", &format!("in_due_{n}"), 20_000).await.ok();
                    due(organization, &[text(&paid["posted"][0]["reward"])])
                }
                "aggregate-reports" => fold(organization, "2026-01-01"),
                _ => first.clone(),
            });
        }
        // The stage's own worker takes the messages of the rewards, and leaves the rewards alone.
        rig.world.drain().await;
        Ok(Calls { first, work })
    }
}

/// A request as API Gateway's HTTP API passes it on (payload format 2.0).
fn http(method: &str, path: &str, key: &str, body: Option<Value>) -> Value {
    let mut headers = BTreeMap::from([("host", "api.example.com"), ("content-type", "application/json")]);
    let bearer = format!("Bearer {key}");
    if !key.is_empty() {
        headers.insert("authorization", &bearer);
    }
    json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000", "apiId": "api", "domainName": "api.example.com", "domainPrefix": "api",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                "userAgent": "measure"},
            "requestId": "id", "routeKey": format!("{method} {path}"), "stage": "$default",
            "time": "22/Nov/2026:12:00:00 +0000", "timeEpoch": 1_795_348_800_000_i64,
        },
        "body": body.map(|body| body.to_string()),
        "isBase64Encoded": false,
    })
}
