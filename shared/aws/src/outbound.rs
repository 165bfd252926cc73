//! HTTP calls to others than AWS: no redirects are followed, an answer is read up to a limit, and the whole call has a
//! time limit. Whoever calls decides what an answer means, and whether to try again.

mod guard;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_http_client::ConnectorBuilder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::dns::ResolveDns;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::http::Request as WireRequest;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};

pub use guard::{Reach, SystemResolver, UrlFlaw};

use crate::Platform;
use crate::handler::chain;
use guard::{GuardedResolver, NotPublic};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections to one host that are kept for the next call.
const CONNECTIONS_KEPT: usize = 8;

/// What dials.
#[derive(Clone, Debug)]
pub struct Outbound {
    connector: Arc<OnceLock<SharedHttpConnector>>,
    build: Build,
    /// How far calls reach; anywhere without it.
    reach: Option<Reach>,
}

/// How the connector is made before the first call.
#[derive(Clone)]
struct Build(Arc<dyn Fn() -> SharedHttpConnector + Send + Sync>);

impl std::fmt::Debug for Build {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Build")
    }
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
    /// The address is none that may be called: nothing was sent.
    #[error("the address may not be called: {detail}")]
    NotAllowed {
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
        Self::new(platform, None, || connector(SystemResolver, CONNECTIONS_KEPT))
    }

    /// What dials addresses that users give: only those within `reach`, whatever their names stand for at the moment of the
    /// call. Connections are not kept: each call asks the resolver. No proxy comes in between, whatever the environment says.
    #[must_use]
    pub fn guarded(platform: &Platform, resolver: impl ResolveDns + Clone + 'static, reach: Reach) -> Self {
        Self::new(platform, Some(reach), move || {
            let resolver = GuardedResolver { inner: resolver.clone(), reach };
            connector(resolver, 0)
        })
    }

    fn new(
        platform: &Platform,
        reach: Option<Reach>,
        build: impl Fn() -> SharedHttpConnector + Send + Sync + 'static,
    ) -> Self {
        let connector = OnceLock::new();
        if let Some(given) = platform.outbound.clone() {
            // It is new, so it is empty.
            connector.get_or_init(|| given);
        }
        Self { connector: Arc::new(connector), build: Build(Arc::new(build)), reach }
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// [`OutboundError`] when there is no whole answer. An answer of any status is none.
    pub async fn send(&self, request: Request<Vec<u8>>, limits: Limits) -> Result<Answer, OutboundError> {
        if let Some(reach) = self.reach {
            let checked = reach.check(&request.uri().to_string());
            checked.map_err(|flaw| OutboundError::NotAllowed { detail: flaw.to_string() })?;
        }
        let request = WireRequest::try_from(request.map(Into::into))
            .map_err(|error| OutboundError::Unsendable { detail: chain(&error) })?;
        let timeout = limits.timeout;
        let answered = tokio::time::timeout(timeout, self.answer(request, limits.body_bytes)).await;
        answered.unwrap_or(Err(OutboundError::Timeout { timeout }))
    }

    async fn answer(&self, request: WireRequest, limit: usize) -> Result<Answer, OutboundError> {
        let connector = self.connector.get_or_init(|| (self.build.0)());
        let response = connector.call(request).await.map_err(|error| {
            let detail = chain(&error);
            if is_not_public(&error) {
                OutboundError::NotAllowed { detail: NotPublic.to_string() }
            } else {
                OutboundError::Unreachable { detail }
            }
        })?;
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
}

/// A connector that keeps so many idle connections to a host.
fn connector(resolver: impl ResolveDns + Clone + 'static, kept: usize) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let connector = ConnectorBuilder::default()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .connector_settings(settings)
        .pool_max_idle_per_host(kept)
        .build_with_resolver(resolver);
    SharedHttpConnector::new(connector)
}

/// Whether a call was stopped by the guard.
fn is_not_public(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}
