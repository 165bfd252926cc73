//! A stage on which one function at a time is measured: every function is counted, and rewards are delivered only when
//! the measurement says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Request;
use local::template::Template;
use local::{EventHandler, Lookup, Options, Registry, Stage};
use serde_json::{Value, json};
use tests::{Tenant, World};
use tower::ServiceExt as _;

use crate::probe::Probe;

/// The consumer of due rewards.
const FULFILL: &str = "FulfillRewardFunction";

/// The environment of each function, by the name of its binary.
pub(crate) type Environments = BTreeMap<String, BTreeMap<String, String>>;

/// The stage and what is read from it.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) probe: Probe,
    /// What each function's environment is here.
    pub(crate) environments: Environments,
    gate: Arc<AtomicBool>,
    elsewhere: Arc<AtomicBool>,
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
        let (probe, environments) = (Probe::default(), Arc::default());
        let (gate, elsewhere) = (Arc::default(), Arc::default());
        let options = Options { ticking: false, ..Options::default() };
        let template = Template::embedded()?;
        let watch = Watch::new(&probe, &environments, &template);
        let stage = Stage::start_with(options, template, registry(&watch, &gate, &elsewhere)).await?;
        let environments = environments.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Self { world: World::on(stage), probe, environments, gate, elsewhere })
    }

    /// A new organization.
    pub(crate) async fn organization(&self) -> Organization {
        let (root, body) = (self.world.stage.root_key(), json!({"name": "Measured", "livemode": false}));
        let made = self.world.call("POST", "/v1/organizations", Some(root), Some(&body)).await.created();
        let tenant = self.world.tenant_with(text(&made["api_key"]["secret"]));
        Organization { id: text(&made["id"]), tenant }
    }

    /// Whether process-invoice runs in another instance from now on, one that remembers nothing of the first.
    pub(crate) fn elsewhere(&self, elsewhere: bool) {
        self.elsewhere.store(elsewhere, Ordering::SeqCst);
    }

    /// Delivers rewards that are due, in one batch.
    pub(crate) async fn fulfill(&self, organization: &Organization, rewards: &[String]) -> Result<()> {
        // What the queue still holds must not find the gate open.
        self.world.drain().await;
        self.gate.store(true, Ordering::SeqCst);
        let answer = self.world.invoke(FULFILL, due(organization, rewards)).await;
        self.gate.store(false, Ordering::SeqCst);
        let failures = answer["batchItemFailures"].as_array().context("no batch was answered")?;
        anyhow::ensure!(failures.is_empty(), "rewards were not delivered: {answer}");
        Ok(())
    }
}

/// The event by which rewards are delivered.
pub(crate) fn due(organization: &Organization, rewards: &[String]) -> Value {
    let messages = rewards
        .iter()
        .map(|reward| json!({"type": "reward.due.v1", "organization": organization.id, "reward": reward}));
    records(messages)
}

/// The event by which an organization's day is folded.
pub(crate) fn fold(organization: &Organization, day: &str) -> Value {
    records([json!({"type": "report.day.v1", "organization": organization.id, "day": day})])
}

fn records(messages: impl IntoIterator<Item = Value>) -> Value {
    let record = |(index, message): (usize, Value)| {
        json!({
            "messageId": format!("message-{index}"), "body": message.to_string(), "eventSource": "aws:sqs",
        })
    };
    json!({"Records": messages.into_iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// A text that must be there.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// What is noted of a function when it is built.
#[derive(Debug, Clone)]
struct Watch {
    probe: Probe,
    environments: Arc<Mutex<Environments>>,
    /// Every variable that the template gives to some function.
    variables: BTreeSet<String>,
}

impl Watch {
    fn new(probe: &Probe, environments: &Arc<Mutex<Environments>>, template: &Template) -> Self {
        let variables = template.functions.iter().flat_map(|function| function.environment.keys().cloned());
        Self { probe: probe.clone(), environments: environments.clone(), variables: variables.collect() }
    }

    fn of(&self, platform: &aws::Platform, lookup: Lookup<'_>, crate_name: &str) -> aws::Platform {
        let variables =
            self.variables.iter().filter_map(|name| Some((name.clone(), lookup(name)?))).collect();
        let mut environments = self.environments.lock().unwrap_or_else(PoisonError::into_inner);
        environments.insert(crate_name.replace('_', "-"), variables);
        self.probe.watch(platform)
    }
}

/// `Deps` of a function crate on a watched platform. A macro: the crates' types are alike, but of no common type.
macro_rules! deps {
    ($function:ident, $watch:ident, $platform:ident, $lookup:ident) => {
        $function::Deps::new(&$watch.of($platform, $lookup, stringify!($function)), $lookup)?
    };
}

/// A function crate that has `router`.
macro_rules! http {
    ($function:ident, $watch:expr) => {{
        let watch = $watch.clone();
        move |platform: &aws::Platform, lookup: Lookup<'_>| -> Result<Router> {
            Ok($function::router(deps!($function, watch, platform, lookup)))
        }
    }};
}

/// A function crate that has `handle`, which is called only while `gate` is open. What comes otherwise is taken and
/// dropped: brought by the queue in the middle of a measurement, it would be counted in it.
macro_rules! event {
    ($function:ident, $watch:expr, $gate:expr) => {{
        let (watch, gate) = ($watch.clone(), $gate.clone());
        move |platform, lookup| {
            let (deps, gate) = (deps!($function, watch, platform, lookup), gate.clone());
            Ok(EventHandler::new(move |event| {
                let (deps, open) = (deps.clone(), gate.load(Ordering::SeqCst));
                async move {
                    if !open {
                        return Ok(json!({"batchItemFailures": []}));
                    }
                    Ok($function::handle(&deps, event).await?)
                }
            }))
        }
    }};
}

/// A function in two instances: one, and while `elsewhere` says so, the other.
fn instances(one: Router, other: Router, elsewhere: Arc<AtomicBool>) -> Router {
    Router::new().fallback(move |request: Request| {
        let instance = if elsewhere.load(Ordering::SeqCst) { &other } else { &one };
        instance.clone().oneshot(request)
    })
}

fn registry(watch: &Watch, gate: &Arc<AtomicBool>, elsewhere: &Arc<AtomicBool>) -> Registry {
    let (always, never) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    Registry::default()
        .http("IssueCodeFunction", http!(issue_code, watch))
        .http("AttributeSignupFunction", http!(attribute_signup, watch))
        .http("ProcessInvoiceFunction", {
            let (one, other, elsewhere) =
                (http!(process_invoice, watch), http!(process_invoice, watch), elsewhere.clone());
            move |platform, lookup| {
                Ok(instances(one(platform, lookup)?, other(platform, lookup)?, elsewhere.clone()))
            }
        })
        .http("ManageProgramFunction", http!(manage_program, watch))
        .event("DeliverWebhookFunction", event!(deliver_webhook, watch, never))
        .event("SendNotificationFunction", event!(send_notification, watch, always))
        .event("SweepDueFunction", event!(sweep_due, watch, always))
        .event("AggregateReportsFunction", event!(aggregate_reports, watch, always))
        .event(FULFILL, event!(fulfill_reward, watch, gate))
}
