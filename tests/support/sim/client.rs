//! The SDKs' HTTP client, and what dials others than AWS: both hand every request to the [`Wire`].

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use serde_json::Value;

use super::outside::Outside;
use super::plan::Service;
use super::wire::{Answer, Request, Wire};
use crate::stripe;

#[derive(Debug, Clone)]
pub(super) struct Client(pub(super) Arc<Wire>);

impl HttpClient for Client {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Client {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (wire, request) = (self.0.clone(), read(&request));
        HttpConnectorFuture::new(
            async move { respond(wire.take(request).await, "application/x-amz-json-1.0") },
        )
    }
}

/// What dials others than AWS.
#[derive(Debug, Clone)]
pub(super) struct Dial(pub(super) Arc<Wire>);

impl HttpConnector for Dial {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.0.clone();
        let request = Request {
            service: Outside::service_of(request.uri()),
            operation: request.method().to_owned(),
            body: request.body().bytes().unwrap_or_default().to_vec(),
            id: wire.dial(),
            outside: Some(stripe::read(&request)),
        };
        HttpConnectorFuture::new(async move { respond(wire.take(request).await, "application/json") })
    }
}

fn read(request: &HttpRequest) -> Request {
    let header = |name: &str| request.headers().get(name).unwrap_or_default().to_owned();
    let target = header("x-amz-target");
    let (service, operation) = target.rsplit_once('.').unwrap_or_default();
    let service = match service {
        "AmazonSQS" => Service::Queue,
        "secretsmanager" => Service::Secrets,
        _ => Service::Table,
    };
    let body = request.body().bytes().unwrap_or_default().to_vec();
    Request {
        service,
        operation: operation.to_owned(),
        body,
        id: header("amz-sdk-invocation-id"),
        outside: None,
    }
}

fn respond(answer: Option<Answer>, content_type: &'static str) -> Result<HttpResponse, ConnectorError> {
    let lost = || ConnectorError::io("the answer was lost on purpose".into());
    let Answer { status, headers, body } = answer.ok_or_else(lost)?;
    let status = status.try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
    let mut response = HttpResponse::new(status, body.into());
    response.headers_mut().insert("content-type", content_type);
    for (name, value) in headers {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// The parsed body of a request.
pub(super) fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}
