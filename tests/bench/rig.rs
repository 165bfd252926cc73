//! A stage on which one function at a time is measured: every function is counted, and rewards are delivered only when
//! the measurement says so.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use local::template::Template;
use local::{EventHandler, Lookup, Options, Registry, Stage};
use serde_json::{Value, json};
use tests::{Tenant, World};

use crate::probe::Probe;

/// The consumer of due rewards.
const FULFILL: &str = "FulfillRewardFunction";
/// Every variable that some function reads.
const VARIABLES: [&str; 6] = [
    "TABLE_NAME",
    "FULFILL_QUEUE_URL",
    "EVENTS_QUEUE_URL",
    "REPORT_QUEUE_URL",
    "ROOT_KEY_SECRET_ARN",
    "SEALING_KEY_SECRET_ARN",
];

/// The environment of each function, by its logical id.
pub(crate) type Environments = BTreeMap<String, BTreeMap<String, String>>;

/// The stage and what is read from it.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) probe: Probe,
    /// What each function's environment is here.
    pub(crate) environments: Environments,
    gate: Arc<AtomicBool>,
}

/// An organization, with what its own API does not need to know.
#[derive(Debug)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) tenant: Tenant,
}

impl Rig {
    /// A new stage with nothing in it.
    pub(crate) async fn start() -> Result<Self> {
        let (probe, gate, environments) = (Probe::default(), Arc::default(), Arc::default());
        let options = Options { ticking: false, ..Options::default() };
        let registry = registry(&probe, &gate, &environments);
        let stage = Stage::start_with(options, Template::embedded()?, registry).await?;
        let environments = environments.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Self { world: World::on(stage), probe, environments, gate })
    }

    /// A new organization.
    pub(crate) async fn organization(&self) -> Organization {
        let (root, body) = (self.world.stage.root_key(), json!({"name": "Measured"}));
        let made = self.world.call("POST", "/v1/organizations", Some(root), Some(&body)).await.created();
        let tenant = self.world.tenant_with(text(&made["api_key"]["secret"]));
        Organization { id: text(&made["id"]), tenant }
    }

    /// Delivers rewards that are due, in one batch.
    pub(crate) async fn fulfill(&self, organization: &Organization, rewards: &[String]) -> Result<()> {
        self.gate.store(true, Ordering::SeqCst);
        let answer = self.world.invoke(FULFILL, due(organization, rewards)).await;
        self.gate.store(false, Ordering::SeqCst);
        let failures = answer["batchItemFailures"].as_array().context("no batch was answered")?;
        anyhow::ensure!(failures.is_empty(), "rewards were not delivered: {answer}");
        Ok(())
    }

    /// The stage's time.
    pub(crate) async fn now(&self) -> DateTime<Utc> {
        self.world.now().await
    }
}

/// The event by which rewards are delivered.
pub(crate) fn due(organization: &Organization, rewards: &[String]) -> Value {
    let messages = rewards.iter().map(
        |reward| json!({"type": "reward.due.v1", "organization": organization.id, "reward": reward}),
    );
    records(messages)
}

/// The event by which an organization's day is folded.
pub(crate) fn fold(organization: &Organization, day: &str) -> Value {
    records([json!({"type": "report.day.v1", "organization": organization.id, "day": day})])
}

fn records(messages: impl IntoIterator<Item = Value>) -> Value {
    let record = |(index, message): (usize, Value)| json!({
        "messageId": format!("message-{index}"), "body": message.to_string(), "eventSource": "aws:sqs",
    });
    json!({"Records": messages.into_iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// A text that must be there.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// One macro for the functions that answer HTTP, which have `Deps` and `router`.
macro_rules! http {
    ($function:ident, $watch:expr) => {{
        let watch = $watch;
        move |platform, lookup| {
            Ok($function::router($function::Deps::new(&watch.of(platform, lookup, stringify!($function)), lookup)?))
        }
    }};
}

/// And one for those that take events, which have `Deps` and `handle`.
macro_rules! event {
    ($function:ident, $watch:expr) => {{
        let watch = $watch;
        move |platform, lookup| {
            let deps = $function::Deps::new(&watch.of(platform, lookup, stringify!($function)), lookup)?;
            Ok(EventHandler::new(move |event| {
                let deps = deps.clone();
                async move { Ok($function::handle(&deps, event).await?) }
            }))
        }
    }};
}

/// What is noted of a function when it is built.
#[derive(Debug, Clone)]
struct Watch {
    probe: Probe,
    environments: Arc<Mutex<Environments>>,
}

impl Watch {
    fn of(&self, platform: &aws::Platform, lookup: Lookup<'_>, function: &str) -> aws::Platform {
        let variables = VARIABLES.into_iter().filter_map(|name| Some((name.to_owned(), lookup(name)?)));
        let mut environments = self.environments.lock().unwrap_or_else(PoisonError::into_inner);
        environments.insert(function.replace('_', "-"), variables.collect());
        self.probe.watch(platform)
    }
}

fn registry(probe: &Probe, gate: &Arc<AtomicBool>, environments: &Arc<Mutex<Environments>>) -> Registry {
    let watch = || Watch { probe: probe.clone(), environments: environments.clone() };
    let (fulfilling, gate) = (watch(), gate.clone());
    Registry::default()
        .http("IssueCodeFunction", http!(issue_code, watch()))
        .http("AttributeSignupFunction", http!(attribute_signup, watch()))
        .http("ProcessInvoiceFunction", http!(process_invoice, watch()))
        .http("ManageProgramFunction", http!(manage_program, watch()))
        .event("SweepDueFunction", event!(sweep_due, watch()))
        .event("AggregateReportsFunction", event!(aggregate_reports, watch()))
        .event(FULFILL, move |platform, lookup| {
            let deps = fulfill_reward::Deps::new(&fulfilling.of(platform, lookup, "fulfill_reward"), lookup)?;
            let gate = gate.clone();
            Ok(EventHandler::new(move |event| {
                let (deps, open) = (deps.clone(), gate.load(Ordering::SeqCst));
                async move {
                    // Taken and dropped: what the queue brings in the middle of a measurement would be counted in it.
                    if !open {
                        return Ok(json!({"batchItemFailures": []}));
                    }
                    Ok(fulfill_reward::handle(&deps, event).await?)
                }
            }))
        })
}
