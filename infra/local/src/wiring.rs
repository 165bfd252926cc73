//! The product's functions as the template wires them, without a stage around them: for tests that are their own engine.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result};
use aws::{Clock, Platform};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::engine;
use crate::engine::sqs::QueueAddress;
use crate::gateway::{Found, find_route};
use crate::handler::{Handler, Registry};
use crate::platform::{self, Endpoints};
use crate::template::{Names, Template};

/// Functions that are built one at a time, as often as they are needed: each build is a new process's memory.
pub struct Wiring {
    template: Template,
    registry: Registry,
    names: Names,
}

impl fmt::Debug for Wiring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Wiring").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Wiring {
    /// The product. The URL of each queue ends in its logical id.
    pub fn of_product() -> Result<Self> {
        let template = Template::embedded()?;
        let address = |id: &String| QueueAddress {
            url: format!("http://queues/{id}"),
            arn: format!("arn:aws:sqs:{}:{}:{id}", engine::REGION, engine::ACCOUNT),
        };
        let queues: BTreeMap<_, _> =
            template.queues.iter().map(|queue| (queue.id.clone(), address(&queue.id))).collect();
        let names = engine::names(&template, &queues, "http://api");
        Ok(Self { registry: crate::product::functions(), template, names })
    }

    /// What functions are built with whose every call to the engines goes through this client.
    pub fn platform(http: SharedHttpClient, clock: Clock) -> Platform {
        let engine = || "http://engines".to_owned();
        let endpoints = Endpoints { dynamodb: engine(), sqs: engine(), secrets: engine(), senders: engine() };
        platform::with_client(&endpoints, clock, http)
    }

    /// What it is wired from.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The ARN under which functions know a secret.
    pub fn secret_arn(id: &str) -> String {
        engine::secret_arn(id)
    }

    /// The logical id of the function that answers a request.
    pub fn function_of(&self, method: &str, path: &str) -> Option<&str> {
        match find_route(self.template.routes(), method, path) {
            Found::Route(route) => Some(&route.function),
            Found::PathOnly | Found::Nothing => None,
        }
    }

    /// Builds a function.
    pub fn build(&self, function: &str, platform: &Platform) -> Result<Handler> {
        let function =
            self.template.function(function).with_context(|| format!("no function is {function}"))?;
        self.registry.build_function(function, platform, &self.names)
    }
}
