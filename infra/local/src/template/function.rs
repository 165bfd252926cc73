//! Functions of the template and what calls them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::resource::Resource;
use super::value::referenced;

/// One Lambda function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Logical id, `IssueCodeFunction` for example.
    pub id: String,
    /// The binary that is built for it, which is also the name of its package.
    pub binary: String,
    /// After this many seconds Lambda ends an invocation.
    pub timeout_s: u32,
    /// Memory in MB.
    pub memory_mb: u32,
    /// Environment variables, unresolved; [`super::Names::resolve`] makes them texts.
    pub environment: BTreeMap<String, Value>,
    /// HTTP routes that call it.
    pub routes: Vec<Route>,
    /// Queues that feed it.
    pub event_sources: Vec<EventSource>,
    /// Schedules that call it.
    pub schedules: Vec<Schedule>,
    /// All properties, `Globals` merged in.
    pub properties: Value,
}

/// One route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Upper-case method.
    pub method: String,
    /// Path with `{name}` and at most one greedy `{name+}` at its end.
    pub path: String,
    /// Logical id of the function.
    pub function: String,
}

/// One queue that feeds one function.
#[derive(Debug, Clone)]
pub struct EventSource {
    /// Logical id of the queue.
    pub queue: String,
    /// Logical id of the function.
    pub function: String,
    /// The most messages of one invocation.
    pub batch_size: u32,
    /// Whether the function's answer names the messages that failed (`ReportBatchItemFailures`).
    pub reports_item_failures: bool,
    /// The most invocations at a time, if limited.
    pub concurrency_max: Option<u32>,
}

/// One schedule that calls one function.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The event's name within the function.
    pub id: String,
    /// Logical id of the function.
    pub function: String,
    /// `rate(..)` or `cron(..)`.
    pub expression: String,
    /// Time zone; the stage knows UTC only.
    pub timezone: String,
    /// The event text, with `<aws.scheduler...>` place holders.
    pub input: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    #[serde(default = "default_timeout")]
    timeout: u32,
    #[serde(default = "default_memory")]
    memory_size: u32,
    #[serde(default)]
    environment: Environment,
    #[serde(default)]
    events: BTreeMap<String, Event>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(tag = "Type", content = "Properties")]
enum Event {
    HttpApi(HttpApi),
    #[serde(rename = "SQS")]
    Sqs(Sqs),
    ScheduleV2(ScheduleV2),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HttpApi {
    path: String,
    method: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sqs {
    queue: Value,
    #[serde(default = "default_batch_size")]
    batch_size: u32,
    #[serde(default)]
    function_response_types: Vec<String>,
    #[serde(default)]
    scaling_config: ScalingConfig,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScalingConfig {
    maximum_concurrency: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScheduleV2 {
    schedule_expression: String,
    #[serde(default = "default_timezone")]
    schedule_expression_timezone: String,
    #[serde(default)]
    input: String,
}

/// What SAM takes when the template says nothing.
fn default_timeout() -> u32 {
    3
}

/// What SAM takes when the template says nothing.
fn default_memory() -> u32 {
    128
}

/// What Lambda takes when the template says nothing.
fn default_batch_size() -> u32 {
    10
}

/// What `EventBridge` Scheduler takes when the template says nothing.
fn default_timezone() -> String {
    "UTC".to_owned()
}

pub(super) fn read(id: &str, resource: &Resource, defaults: &Value) -> Result<Function> {
    let binary = resource.metadata.pointer("/BuildProperties/Binary").and_then(Value::as_str);
    let properties = merge(defaults.clone(), resource.properties.clone());
    let read: Properties = serde_json::from_value(properties.clone())?;
    let mut function = Function {
        id: id.to_owned(),
        binary: binary.context("Metadata.BuildProperties.Binary is missing")?.to_owned(),
        timeout_s: read.timeout,
        memory_mb: read.memory_size,
        environment: read.environment.variables,
        routes: Vec::new(),
        event_sources: Vec::new(),
        schedules: Vec::new(),
        properties,
    };
    for (name, event) in read.events {
        add_event(&mut function, &name, event).with_context(|| format!("event {name}"))?;
    }
    Ok(function)
}

fn add_event(function: &mut Function, name: &str, event: Event) -> Result<()> {
    let id = function.id.clone();
    match event {
        Event::HttpApi(route) => {
            let method = route.method.to_ascii_uppercase();
            ensure!(method != "ANY", "a route must name its method");
            function.routes.push(Route { method, path: route.path, function: id });
        }
        Event::Sqs(source) => function.event_sources.push(EventSource {
            queue: referenced(&source.queue).context("Queue names no queue of this template")?.to_owned(),
            function: id,
            batch_size: source.batch_size,
            reports_item_failures: source
                .function_response_types
                .iter()
                .any(|kind| kind == "ReportBatchItemFailures"),
            concurrency_max: source.scaling_config.maximum_concurrency,
        }),
        Event::ScheduleV2(schedule) => function.schedules.push(Schedule {
            id: name.to_owned(),
            function: id,
            expression: schedule.schedule_expression,
            timezone: schedule.schedule_expression_timezone,
            input: schedule.input,
        }),
    }
    Ok(())
}

/// Merges as SAM does with `Globals`: maps by key, lists one after the other, and for the rest the function wins.
fn merge(global: Value, own: Value) -> Value {
    match (global, own) {
        (Value::Object(mut merged), Value::Object(own)) => {
            for (key, value) in own {
                let value = match merged.remove(&key) {
                    Some(global) => merge(global, value),
                    None => value,
                };
                merged.insert(key, value);
            }
            Value::Object(merged)
        }
        (Value::Array(mut merged), Value::Array(own)) => {
            merged.extend(own);
            Value::Array(merged)
        }
        (global, Value::Null) => global,
        (_, own) => own,
    }
}
