//! The outside world as a function gets it: AWS clients, a clock, randomness and a meter.

mod transport;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::config::Lookup;
use crate::{Clock, Entropy, Meter};

/// Longest wait for one attempt of an AWS call, and for all its attempts; both lie below every function's timeout.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);

/// Everything that a function's dependencies are built from. A client is built when it is first asked for: a function
/// that does not use a service neither starts nor ships its client. Clones share them.
#[derive(Debug, Clone)]
pub struct Platform {
    sdk: SdkConfig,
    dynamodb: Arc<OnceLock<aws_sdk_dynamodb::Client>>,
    sqs: Arc<OnceLock<aws_sdk_sqs::Client>>,
    secrets: Arc<OnceLock<aws_sdk_secretsmanager::Client>>,
    ses: Arc<OnceLock<aws_sdk_sesv2::Client>>,
    sns: Arc<OnceLock<aws_sdk_sns::Client>>,
    /// What dials others than AWS, where it is given.
    pub(crate) outbound: Option<SharedHttpConnector>,
    /// The clock.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// Counts what the store costs.
    pub meter: Meter,
}

impl Platform {
    /// The platform of a Lambda function. Lambda gives region and credentials in the environment, so the SDK's chain of
    /// other places to look (profiles, SSO, STS, instance metadata) is left out: it would be a tenth of the package.
    #[must_use]
    pub fn from_env(lookup: Lookup<'_>) -> Self {
        let region = lookup("AWS_REGION").or_else(|| lookup("AWS_DEFAULT_REGION")).map(Region::new);
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts())
            .http_client(transport::https_client(lookup, region.as_ref()))
            // It watches long streams, and there is none here: every call is small and has its timeout.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_region(region);
        config.set_credentials_provider(credentials(lookup).map(SharedCredentialsProvider::new));
        config.set_endpoint_url(lookup("AWS_ENDPOINT_URL"));
        Self::new(config.build(), Clock::system())
    }

    /// A platform on given AWS settings and a given clock.
    #[must_use]
    pub fn new(sdk: SdkConfig, clock: Clock) -> Self {
        Self {
            sdk,
            dynamodb: Arc::default(),
            sqs: Arc::default(),
            secrets: Arc::default(),
            ses: Arc::default(),
            sns: Arc::default(),
            outbound: None,
            clock,
            entropy: Entropy::system(),
            meter: Meter::new(),
        }
    }

    /// The same with a given `DynamoDB` client.
    #[must_use]
    pub fn with_dynamodb(self, client: aws_sdk_dynamodb::Client) -> Self {
        Self { dynamodb: Arc::new(client.into()), ..self }
    }

    /// The same with a given SQS client.
    #[must_use]
    pub fn with_sqs(self, client: aws_sdk_sqs::Client) -> Self {
        Self { sqs: Arc::new(client.into()), ..self }
    }

    /// The same with a given sequence of random bytes.
    #[must_use]
    pub fn with_entropy(self, entropy: Entropy) -> Self {
        Self { entropy, ..self }
    }

    /// The same with something else that dials others than AWS.
    #[must_use]
    pub fn with_outbound(self, connector: SharedHttpConnector) -> Self {
        Self { outbound: Some(connector), ..self }
    }

    /// The same with given clients of SES and SNS.
    #[must_use]
    pub fn with_senders(self, ses: aws_sdk_sesv2::Client, sns: aws_sdk_sns::Client) -> Self {
        Self { ses: Arc::new(ses.into()), sns: Arc::new(sns.into()), ..self }
    }

    /// The same with a given Secrets Manager client.
    #[must_use]
    pub fn with_secrets(self, client: aws_sdk_secretsmanager::Client) -> Self {
        Self { secrets: Arc::new(client.into()), ..self }
    }

    /// `DynamoDB`.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        self.dynamodb.get_or_init(|| aws_sdk_dynamodb::Client::new(&self.sdk)).clone()
    }

    /// SQS.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        self.sqs.get_or_init(|| aws_sdk_sqs::Client::new(&self.sdk)).clone()
    }

    /// SES.
    #[must_use]
    pub fn ses(&self) -> aws_sdk_sesv2::Client {
        self.ses.get_or_init(|| aws_sdk_sesv2::Client::new(&self.sdk)).clone()
    }

    /// SNS.
    #[must_use]
    pub fn sns(&self) -> aws_sdk_sns::Client {
        self.sns.get_or_init(|| aws_sdk_sns::Client::new(&self.sdk)).clone()
    }

    /// Secrets Manager.
    #[must_use]
    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        self.secrets.get_or_init(|| aws_sdk_secretsmanager::Client::new(&self.sdk)).clone()
    }
}

/// Those of the function's role: Lambda gives each process its own, which outlive it.
fn credentials(lookup: Lookup<'_>) -> Option<Credentials> {
    let given = |name| lookup(name).filter(|value| !value.is_empty());
    let (id, secret) = (given("AWS_ACCESS_KEY_ID")?, given("AWS_SECRET_ACCESS_KEY")?);
    Some(Credentials::new(id, secret, given("AWS_SESSION_TOKEN"), None, "environment"))
}

/// The timeouts of every AWS call.
#[must_use]
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}
