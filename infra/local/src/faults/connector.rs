//! The HTTP client of the functions' SDKs, with the faults in it.

use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Effect, Faults};

/// A client without TLS, which loopback does not need: setting it up would take longer than starting the stage.
pub(crate) fn http_client(faults: Option<Faults>) -> SharedHttpClient {
    let plain = Builder::new().build_http();
    match faults {
        Some(faults) => SharedHttpClient::new(FaultyClient { plain, faults }),
        None => plain,
    }
}

#[derive(Debug)]
struct FaultyClient {
    plain: SharedHttpClient,
    faults: Faults,
}

impl HttpClient for FaultyClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let plain = self.plain.http_connector(settings, components);
        SharedHttpConnector::new(FaultyConnector { plain, faults: self.faults.clone() })
    }
}

#[derive(Debug)]
struct FaultyConnector {
    plain: SharedHttpConnector,
    faults: Faults,
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = operation(&request).to_owned();
        let Some(effect) = self.faults.meet(&operation) else {
            return self.plain.call(request);
        };
        let (plain, faults) = (self.plain.clone(), self.faults.clone());
        HttpConnectorFuture::new(async move {
            match effect {
                Effect::HaltBefore => stop(&faults).await,
                Effect::HaltAfter => {
                    plain.call(request).await?;
                    stop(&faults).await
                }
                Effect::LoseAnswer => {
                    plain.call(request).await?;
                    Err(ConnectorError::io("the answer was lost on purpose".into()))
                }
                Effect::Throttle => refuse(StatusCode::BAD_REQUEST, throttled(&request)),
                Effect::Conflict => {
                    let body = request.body().bytes().unwrap_or_default();
                    refuse(StatusCode::BAD_REQUEST, conflict(&operation, body))
                }
                Effect::Unavailable => {
                    refuse(StatusCode::INTERNAL_SERVER_ERROR, json!({ "__type": "InternalServerError" }))
                }
            }
        })
    }
}

async fn stop(faults: &Faults) -> Result<HttpResponse, ConnectorError> {
    faults.halt();
    std::future::pending().await
}

fn target(request: &HttpRequest) -> &str {
    request.headers().get("x-amz-target").unwrap_or_default()
}

fn operation(request: &HttpRequest) -> &str {
    target(request).rsplit('.').next().unwrap_or_default()
}

fn throttled(request: &HttpRequest) -> Value {
    let name =
        if target(request).starts_with("DynamoDB") { "ThrottlingException" } else { "RequestThrottled" };
    json!({ "__type": name, "message": "Rate exceeded" })
}

/// What `DynamoDB` answers to a write whose rows another transaction is at: a transaction is told per item what stood in its
/// way; a single write just fails.
pub fn conflict(operation: &str, body: &[u8]) -> Value {
    if !operation.starts_with("Transact") {
        return json!({ "__type": "TransactionConflictException", "message": "Transaction is ongoing for the item" });
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let items = body.get("TransactItems").and_then(Value::as_array).map_or(1, Vec::len);
    let mut reasons = vec![json!({ "Code": "None" }); items];
    if let Some(first) = reasons.first_mut() {
        *first = json!({ "Code": "TransactionConflict", "Message": "Transaction is ongoing for the item" });
    }
    json!({
        "__type": "TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    })
}

fn refuse(status: StatusCode, body: Value) -> Result<HttpResponse, ConnectorError> {
    let status = status.as_u16().try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
    let mut response = HttpResponse::new(status, body.to_string().into());
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    Ok(response)
}
