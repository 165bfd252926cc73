//! The SDKs' HTTP client, which hands every request to the [`Wire`].

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use serde_json::Value;

use super::plan::Service;
use super::wire::{Request, Wire};

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
        HttpConnectorFuture::new(async move {
            match wire.take(request).await {
                Some((status, body)) => respond(status, body),
                None => Err(ConnectorError::io("the answer was lost on purpose".into())),
            }
        })
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
    Request { service, operation: operation.to_owned(), body, id: header("amz-sdk-invocation-id") }
}

fn respond(status: u16, body: String) -> Result<HttpResponse, ConnectorError> {
    let status = status.try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
    let mut response = HttpResponse::new(status, body.into());
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    Ok(response)
}

/// The parsed body of a request.
pub(super) fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}
