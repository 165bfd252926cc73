//! The outside world as a function gets it: AWS clients, a clock, randomness and a meter.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;

use crate::config::Lookup;
use crate::{Clock, Entropy, Meter};

/// Longest wait for one attempt of an AWS call, and for all its attempts; both lie below every function's timeout.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);

/// Everything that a function's dependencies are built from.
#[derive(Debug, Clone)]
pub struct Platform {
    /// `DynamoDB`.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
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
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(
                EnvironmentVariableCredentialsProvider::new(),
            ))
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts())
            // It watches long streams, and there is none here: every call is small and has its timeout.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_region(lookup("AWS_REGION").or_else(|| lookup("AWS_DEFAULT_REGION")).map(Region::new));
        config.set_endpoint_url(lookup("AWS_ENDPOINT_URL"));
        Self::new(&config.build(), Clock::system())
    }

    /// A platform on given AWS settings and a given clock.
    #[must_use]
    pub fn new(config: &SdkConfig, clock: Clock) -> Self {
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
            secrets: aws_sdk_secretsmanager::Client::new(config),
            clock,
            entropy: Entropy,
            meter: Meter::new(),
        }
    }
}

/// The timeouts of every AWS call.
#[must_use]
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}
