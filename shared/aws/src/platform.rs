//! The outside world as a function gets it: AWS clients, a clock, randomness and a meter.

use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

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
    /// The platform of a Lambda function: region, endpoint and credentials come from the environment.
    pub async fn from_env() -> Self {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts())
            // It watches long streams, and there is none here: every call is small and has its timeout.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .load()
            .await;
        Self::new(&config, Clock::system())
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
