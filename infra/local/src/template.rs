//! Reads `template.yaml`, the only source of truth for routes, queues, tables, schedules and permissions.
//!
//! The stage builds itself from what is read here, and the tests hold the template's own rules against it. Only the
//! part of `CloudFormation` and SAM that the template uses is understood; anything else is an error that names it, or is
//! left in the raw properties, which stay accessible with intrinsic functions in their long JSON form.

mod function;
mod resource;
mod value;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

pub use function::{EventSource, Function, Route, Schedule};
pub use resource::{Index, Key, Projection, Queue, Redrive, Resource, Secret, Table};
pub use value::{Names, referenced};

/// The template of this workspace as it was when the program was compiled.
const EMBEDDED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"));

/// A parsed template. Everything is in the order of its logical id.
#[derive(Debug, Clone)]
pub struct Template {
    document: Value,
    /// Every resource with its raw properties.
    pub resources: BTreeMap<String, Resource>,
    /// Every `AWS::Serverless::Function`.
    pub functions: Vec<Function>,
    /// Every `AWS::DynamoDB::Table`.
    pub tables: Vec<Table>,
    /// Every `AWS::SQS::Queue`, dead-letter queues among them.
    pub queues: Vec<Queue>,
    /// Every `AWS::SecretsManager::Secret`.
    pub secrets: Vec<Secret>,
}

impl Template {
    /// The template of this workspace; it is part of the binary, so the binary works anywhere.
    pub fn embedded() -> Result<Self> {
        Self::parse(EMBEDDED).context("template.yaml")
    }

    /// Reads a template from its YAML text.
    pub fn parse(yaml: &str) -> Result<Self> {
        let document = value::from_yaml(yaml)?;
        let resources = resource::read_all(&document)?;
        let function_defaults = document.pointer("/Globals/Function").cloned().unwrap_or(Value::Null);
        Ok(Self {
            functions: each(&resources, "AWS::Serverless::Function", |id, resource| {
                function::read(id, resource, &function_defaults)
            })?,
            tables: each(&resources, "AWS::DynamoDB::Table", resource::read_table)?,
            queues: each(&resources, "AWS::SQS::Queue", resource::read_queue)?,
            secrets: each(&resources, "AWS::SecretsManager::Secret", resource::read_secret)?,
            resources,
            document,
        })
    }

    /// The whole document as JSON, with intrinsic functions in their long form.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The function with this logical id.
    pub fn function(&self, id: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.id == id)
    }

    /// The queue with this logical id.
    pub fn queue(&self, id: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.id == id)
    }

    /// Every HTTP route of every function.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.functions.iter().flat_map(|function| &function.routes)
    }

    /// Every queue that feeds a function.
    pub fn event_sources(&self) -> impl Iterator<Item = &EventSource> {
        self.functions.iter().flat_map(|function| &function.event_sources)
    }

    /// Every schedule that calls a function.
    pub fn schedules(&self) -> impl Iterator<Item = &Schedule> {
        self.functions.iter().flat_map(|function| &function.schedules)
    }

    /// The defaults of the template's parameters, which is what a deployment without overrides gets.
    pub fn parameter_defaults(&self) -> BTreeMap<String, String> {
        let Some(parameters) = self.document.get("Parameters").and_then(Value::as_object) else {
            return BTreeMap::new();
        };
        let default = |(name, parameter): (&String, &Value)| {
            let default = parameter.get("Default")?;
            Some((name.clone(), default.as_str().map_or_else(|| default.to_string(), str::to_owned)))
        };
        parameters.iter().filter_map(default).collect()
    }
}

fn each<T>(
    resources: &BTreeMap<String, Resource>,
    kind: &str,
    read: impl Fn(&str, &Resource) -> Result<T>,
) -> Result<Vec<T>> {
    let of_kind = resources.iter().filter(|(_, resource)| resource.kind == kind);
    of_kind.map(|(id, resource)| read(id, resource).with_context(|| format!("resource {id}"))).collect()
}

#[cfg(test)]
mod tests;
