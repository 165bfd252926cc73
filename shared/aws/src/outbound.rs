//! HTTP calls to others than AWS: no redirects are followed, an answer is read up to a limit, and the whole call has a
//! time limit. Whoever calls decides what an answer means, and whether to try again.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_http_client::ConnectorBuilder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::http::Request as WireRequest;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};

use crate::Platform;
use crate::handler::chain;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What dials.
#[derive(Clone, Debug)]
pub struct Outbound {
    connector: Arc<OnceLock<SharedHttpConnector>>,
}

/// How far a call may go.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest wait from the dialling to the last byte of the answer.
    pub timeout: Duration,
    /// Most bytes of an answer's body that are read.
    pub body_bytes: usize,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers; of several of one name the last.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// A call that has no answer. What it asked for may have been done all the same, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The request cannot be put on the wire: nothing was sent.
    #[error("the request cannot be sent: {detail}")]
    Unsendable {
        /// What is wrong with it.
        detail: String,
    },
    /// Nobody could be reached, or the connection broke.
    #[error("no answer: {detail}")]
    Unreachable {
        /// What went wrong.
        detail: String,
    },
    /// It took too long.
    #[error("no answer within {} ms", timeout.as_millis())]
    Timeout {
        /// The limit.
        timeout: Duration,
    },
    /// The answer's body is longer than is read.
    #[error("the answer with status {status} cannot be read, or is longer than {limit} bytes")]
    Body {
        /// The answer's status.
        status: StatusCode,
        /// The limit.
        limit: usize,
    },
}

impl Outbound {
    /// What dials addresses that the operator of the stack has configured. It asks the platform's connector where one is
    /// given (tests), and trusts the system's roots else. Nothing is built before the first call.
    #[must_use]
    pub fn trusted(platform: &Platform) -> Self {
        let connector = OnceLock::new();
        if let Some(given) = platform.outbound.clone() {
            // It is new, so it is empty.
            connector.get_or_init(|| given);
        }
        Self { connector: Arc::new(connector) }
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// [`OutboundError`] when there is no whole answer. An answer of any status is none.
    pub async fn send(&self, request: Request<Vec<u8>>, limits: Limits) -> Result<Answer, OutboundError> {
        let request = WireRequest::try_from(request.map(Into::into))
            .map_err(|error| OutboundError::Unsendable { detail: chain(&error) })?;
        let timeout = limits.timeout;
        let answered = tokio::time::timeout(timeout, self.answer(request, limits.body_bytes)).await;
        answered.unwrap_or(Err(OutboundError::Timeout { timeout }))
    }

    async fn answer(&self, request: WireRequest, limit: usize) -> Result<Answer, OutboundError> {
        let response = self.connector().call(request).await;
        let response = response.map_err(|error| OutboundError::Unreachable { detail: chain(&error) })?;
        let unreadable = |status| OutboundError::Body { status, limit };
        let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
        let headers = response.headers().iter().filter_map(|(name, value)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        });
        let headers = headers.collect();
        let body = Limited::new(response.into_body(), limit).collect().await;
        let body = body.map_err(|_| unreadable(status))?.to_bytes().to_vec();
        Ok(Answer { status, headers, body })
    }

    fn connector(&self) -> &SharedHttpConnector {
        self.connector.get_or_init(|| {
            let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
            let connector = ConnectorBuilder::default()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .connector_settings(settings)
                .build();
            SharedHttpConnector::new(connector)
        })
    }
}
