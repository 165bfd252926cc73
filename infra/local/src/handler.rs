//! What stands for a Lambda function on the stage, and which crate stands for which function of the template.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use aws::Platform;
use axum::Router;
use serde_json::Value;

use crate::template::{Function, Names, Template};

/// What functions have here and no deployment gives them: events may be sent to this machine.
const OWN_VARIABLE: [&str; 2] = ["WEBHOOKS_TO_LOOPBACK", "allowed"];

/// What an event is answered. Not `Send`: Lambda runs a function on one thread, so its future need not be able to move
/// between threads.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Value>>>>;

/// Reads an environment variable of one function.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A function that is ready to be called.
#[derive(Clone)]
pub enum Handler {
    /// Answers HTTP requests.
    Http(Router),
    /// Takes raw events.
    Event(EventHandler),
}

impl fmt::Debug for Handler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Http(_) => "Http",
            Self::Event(_) => "Event",
        })
    }
}

/// The event side of a function: raw event in, raw answer out.
#[derive(Clone)]
pub struct EventHandler(Arc<dyn Fn(Value) -> Answer + Send + Sync>);

impl fmt::Debug for EventHandler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EventHandler")
    }
}

impl EventHandler {
    /// Wraps an asynchronous function.
    pub fn new<F, A>(handle: F) -> Self
    where
        F: Fn(Value) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Value>> + 'static,
    {
        Self(Arc::new(move |event| Box::pin(handle(event))))
    }

    /// Calls it with a raw event.
    pub fn call(&self, event: Value) -> Answer {
        (self.0)(event)
    }
}

type Build = Box<dyn Fn(&Platform, Lookup<'_>) -> Result<Handler> + Send + Sync>;

/// How each function of the template is built, by logical id.
#[derive(Default)]
pub struct Registry {
    builders: BTreeMap<String, Build>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.builders.keys()).finish()
    }
}

impl Registry {
    /// Adds a function that answers HTTP requests.
    #[must_use]
    pub fn http<F>(mut self, id: &str, router: F) -> Self
    where
        F: Fn(&Platform, Lookup<'_>) -> Result<Router> + Send + Sync + 'static,
    {
        let build: Build = Box::new(move |platform, lookup| router(platform, lookup).map(Handler::Http));
        self.builders.insert(id.to_owned(), build);
        self
    }

    /// Adds a function that takes events.
    #[must_use]
    pub fn event<F>(mut self, id: &str, handler: F) -> Self
    where
        F: Fn(&Platform, Lookup<'_>) -> Result<EventHandler> + Send + Sync + 'static,
    {
        let build: Build = Box::new(move |platform, lookup| handler(platform, lookup).map(Handler::Event));
        self.builders.insert(id.to_owned(), build);
        self
    }

    /// Builds every function once, with the environment that the template declares for it.
    pub(crate) fn build(
        &self,
        template: &Template,
        platform: &Platform,
        names: &Names,
    ) -> Result<BTreeMap<String, Handler>> {
        self.check(template)?;
        let mut handlers = BTreeMap::new();
        for function in &template.functions {
            handlers.insert(function.id.clone(), self.build_function(function, platform, names)?);
        }
        Ok(handlers)
    }

    /// Builds one function.
    pub(crate) fn build_function(
        &self,
        function: &Function,
        platform: &Platform,
        names: &Names,
    ) -> Result<Handler> {
        let mut environment = BTreeMap::new();
        for (name, value) in &function.environment {
            let value = names.resolve(value).with_context(|| format!("{name} of {}", function.id))?;
            environment.insert(name.clone(), value);
        }
        let [name, value] = OWN_VARIABLE;
        environment.insert(name.to_owned(), value.to_owned());
        let build = self.builders.get(&function.id);
        let build = build.with_context(|| format!("no crate is registered for {}", function.id))?;
        let handler = build(platform, &|name| environment.get(name).cloned());
        let handler = handler.with_context(|| format!("cannot build {}", function.id))?;
        let fed = function.event_sources.len() + function.schedules.len();
        match handler {
            Handler::Http(_) => {
                ensure!(fed == 0, "{} has event sources, but answers HTTP only", function.id)
            }
            Handler::Event(_) => {
                ensure!(function.routes.is_empty(), "{} has routes, but no router", function.id)
            }
        }
        Ok(handler)
    }

    fn check(&self, template: &Template) -> Result<()> {
        let declared: BTreeSet<&str> =
            template.functions.iter().map(|function| function.id.as_str()).collect();
        let built: BTreeSet<&str> = self.builders.keys().map(String::as_str).collect();
        let missing: Vec<_> = declared.difference(&built).collect();
        ensure!(
            missing.is_empty(),
            "the template has functions that no crate is registered for: {missing:?}"
        );
        let unknown: Vec<_> = built.difference(&declared).collect();
        ensure!(
            unknown.is_empty(),
            "crates are registered for functions that the template lacks: {unknown:?}"
        );
        Ok(())
    }
}
