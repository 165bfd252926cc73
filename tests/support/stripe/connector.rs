//! The account without a socket: what dials when time is paused.

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::account::{Account, Outcome};
use super::wire::{Request, Response};

/// What hands every request to an account.
#[derive(Debug, Clone)]
pub struct Connector(pub Account);

impl Connector {
    /// As a platform takes it.
    pub fn shared(self) -> SharedHttpConnector {
        SharedHttpConnector::new(self)
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let outcome = self.0.handle(&read(&request));
        HttpConnectorFuture::new(async move {
            match outcome {
                Outcome::Answered(response) => respond(response),
                Outcome::Silent => std::future::pending().await,
                Outcome::Broken => Err(ConnectorError::io("the connection broke on purpose".into())),
            }
        })
    }
}

/// A request as the account takes it.
pub(crate) fn read(request: &HttpRequest) -> Request {
    let headers = request.headers().iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let body = request.body().bytes().unwrap_or_default();
    Request::read(request.method(), request.uri(), headers.collect(), body)
}

fn respond(response: Response) -> Result<HttpResponse, ConnectorError> {
    let status = response.status.try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
    let mut answer = HttpResponse::new(status, response.body.into());
    for (name, value) in response.headers {
        answer.headers_mut().insert(name, value);
    }
    Ok(answer)
}
