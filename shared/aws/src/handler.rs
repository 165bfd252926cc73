//! What an event function answers when it cannot do its work, and how a function is run.

use std::future::Future;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use axum::Router;
use serde_json::Value;

use crate::config::environment;
use crate::{ConfigError, Platform, telemetry};

/// An error that fails the whole invocation; Lambda reports it by `kind`.
#[derive(Debug, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct HandlerError {
    kind: &'static str,
    detail: String,
}

impl HandlerError {
    /// The event is not of the expected form.
    pub fn event(error: &dyn std::fmt::Display) -> Self {
        Self { kind: "UnusableEvent", detail: error.to_string() }
    }

    /// The work could not be done now.
    pub fn failed(error: &dyn std::error::Error) -> Self {
        Self { kind: "Failed", detail: chain(error) }
    }
}

impl From<HandlerError> for lambda_runtime::Diagnostic {
    fn from(error: HandlerError) -> Self {
        Self { error_type: error.kind.to_owned(), error_message: error.detail }
    }
}

/// An error with all its causes.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// An SDK error in a line: the service's code and message, or what went wrong on the way.
pub fn in_short<E, R>(error: &SdkError<E, R>) -> String
where
    SdkError<E, R>: std::error::Error + ProvideErrorMetadata,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => chain(error),
    }
}

/// Runs an HTTP function: builds its router once and serves API Gateway's requests.
///
/// # Errors
/// When a variable is missing or the runtime cannot be reached.
pub async fn serve<F, Fut>(build: F) -> Result<(), lambda_http::Error>
where
    F: FnOnce(Platform) -> Fut,
    Fut: Future<Output = Result<Router, ConfigError>>,
{
    telemetry::init(&environment);
    let router = build(Platform::from_env(&environment)).await?;
    lambda_runtime::run(crate::http::service(router)).await
}

/// Runs an event function.
///
/// # Errors
/// When a variable is missing or the runtime cannot be reached.
pub async fn consume<D, F, H, Fut>(build: F, handle: H) -> Result<(), lambda_runtime::Error>
where
    D: Clone + Send + 'static,
    F: AsyncFnOnce(Platform) -> Result<D, ConfigError>,
    H: Fn(D, Value) -> Fut + Clone,
    Fut: Future<Output = Result<Value, HandlerError>>,
{
    telemetry::init(&environment);
    let deps = build(Platform::from_env(&environment)).await?;
    let service = lambda_runtime::service_fn(move |event: lambda_runtime::LambdaEvent<Value>| {
        handle(deps.clone(), event.payload)
    });
    lambda_runtime::run(service).await
}
