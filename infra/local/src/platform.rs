//! SDK clients that talk to a stage's engines.

use aws::{Clock, Platform};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::SdkConfig;

use crate::engine::REGION;
use crate::faults::{Faults, http_client};

/// Where the engines of one stage are.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    pub(crate) dynamodb: String,
    pub(crate) sqs: String,
    pub(crate) secrets: String,
    /// Whoever stands for SES and SNS: nobody, unless a test has somebody.
    pub(crate) senders: String,
}

/// One macro for all SDKs: their configurations are alike, but of no common type.
macro_rules! client {
    ($sdk:ident, $endpoint:expr, $http:expr) => {{
        use $sdk::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
        let config = $sdk::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("local", "local", None, None, "local"))
            .endpoint_url($endpoint)
            .http_client($http)
            // It wakes up many times a second for as long as a call lasts, and a waiting receive lasts 20 s.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        $sdk::Client::from_conf(config)
    }};
}

/// What every function of the stage is built from.
pub(crate) fn build(endpoints: &Endpoints, clock: Clock, faults: Faults) -> Platform {
    with_client(endpoints, clock, http_client(Some(faults)))
}

/// The same with a client of the caller's.
pub(crate) fn with_client(endpoints: &Endpoints, clock: Clock, http: SharedHttpClient) -> Platform {
    Platform::new(SdkConfig::builder().build(), clock)
        .with_dynamodb(client!(aws_sdk_dynamodb, &endpoints.dynamodb, http.clone()))
        .with_sqs(client!(aws_sdk_sqs, &endpoints.sqs, http.clone()))
        .with_secrets(client!(aws_sdk_secretsmanager, &endpoints.secrets, http.clone()))
        .with_senders(
            client!(aws_sdk_sesv2, &endpoints.senders, http.clone()),
            client!(aws_sdk_sns, &endpoints.senders, http),
        )
}

/// A `DynamoDB` client of its own, with its own connections.
pub(crate) fn dynamodb(endpoints: &Endpoints) -> aws_sdk_dynamodb::Client {
    client!(aws_sdk_dynamodb, &endpoints.dynamodb, http_client(None))
}

/// An SQS client of its own, with its own connections.
pub(crate) fn sqs(endpoints: &Endpoints) -> aws_sdk_sqs::Client {
    client!(aws_sdk_sqs, &endpoints.sqs, http_client(None))
}
