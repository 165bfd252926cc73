//! Logs as JSON lines, without request bodies, names or secrets, and the figures that `CloudWatch` reads out of them.

use std::io::Write as _;

use chrono::{DateTime, Utc};
use domain::ledger::Reward;
use serde_json::{Value, json};
use tracing::Level;

use crate::config::Lookup;

/// Namespace of the figures.
pub const NAMESPACE: &str = "ReferralEngine";
/// Milliseconds from the moment when a reward could be delivered to the moment when it was available.
pub const REWARD_DELAY: &str = "RewardDelay";
/// Milliseconds from the event itself to the moment when its reward was written.
pub const EVENT_DELAY: &str = "EventDelay";
/// What a self-check has found, but for what is overdue.
pub const CHECK_FINDINGS: &str = "CheckFindings";
/// Rows that have been due for more than an hour.
pub const OVERDUE_ROWS: &str = "OverdueRows";
/// Destinations of events that were disabled because nothing could be delivered to them.
pub const DESTINATIONS_DISABLED: &str = "DestinationsDisabled";
/// Deliveries of events that were given up.
pub const DELIVERIES_FAILED: &str = "DeliveriesFailed";
/// Notifications that were handed to their transport.
pub const NOTIFICATIONS_SENT: &str = "NotificationsSent";
/// Notifications that were given up.
pub const NOTIFICATIONS_FAILED: &str = "NotificationsFailed";
/// What tells the functions, and so the deployments, apart.
pub const DIMENSION: &str = "FunctionName";
/// The stated bound of [`REWARD_DELAY`]; docs/operations.md says how it comes about, and an alarm watches it.
pub const REWARD_DELAY_BOUND_SECONDS: i64 = 300;

/// Sets up the log of a running function. Lambda tells the level of the function's logging configuration in
/// `AWS_LAMBDA_LOG_LEVEL`; what is below INFO is not in a release build.
pub fn init(lookup: Lookup<'_>) {
    let level = lookup("AWS_LAMBDA_LOG_LEVEL").and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    tracing_subscriber::fmt().json().with_max_level(level).with_target(false).init();
}

/// Writes figures as lines of the log in `CloudWatch`'s embedded metric format, which makes metrics of them without a call;
/// writes nothing unless it was made for a function.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    function: Option<String>,
}

impl Metrics {
    /// The figures of the function that Lambda names in `AWS_LAMBDA_FUNCTION_NAME`.
    #[must_use]
    pub fn of_function(lookup: Lookup<'_>) -> Self {
        Self { function: lookup("AWS_LAMBDA_FUNCTION_NAME") }
    }

    /// A reward became available. A line that cannot be written is one figure less and no failure of the delivery.
    pub fn fulfilled(&self, reward: &Reward, at: DateTime<Utc>) {
        let Some(function) = &self.function else { return };
        write(&fulfilled(function, reward, at));
    }

    /// How many of something were counted, by the name of the figure.
    pub fn counted(&self, figures: &[(&str, u64)], at: DateTime<Utc>) {
        let Some(function) = &self.function else { return };
        write(&counted(function, figures, at));
    }
}

fn write(document: &Value) {
    if let Err(error) = std::io::stdout().lock().write_all(format!("{document}\n").as_bytes()) {
        tracing::warn!(%error, "a figure was not written");
    }
}

/// Figures by the name of the metric, as an embedded metric document: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
fn document(function: &str, unit: &str, figures: &[(&str, i64)], at: DateTime<Utc>) -> Value {
    let metrics: Vec<Value> = figures.iter().map(|(name, _)| json!({"Name": name, "Unit": unit})).collect();
    let mut document = json!({
        "_aws": {
            "Timestamp": at.timestamp_millis(),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": metrics}],
        },
        DIMENSION: function,
    });
    if let Some(fields) = document.as_object_mut() {
        fields.extend(figures.iter().map(|(name, figure)| ((*name).to_owned(), json!(figure))));
    }
    document
}

fn counted(function: &str, figures: &[(&str, u64)], at: DateTime<Utc>) -> Value {
    let figures: Vec<(&str, i64)> =
        figures.iter().map(|(name, count)| (*name, i64::try_from(*count).unwrap_or(i64::MAX))).collect();
    document(function, "Count", &figures, at)
}

/// The figures of a delivery.
fn fulfilled(function: &str, reward: &Reward, at: DateTime<Utc>) -> Value {
    // Clocks differ a little, and what is to come by the caller's clock is not early by ours.
    let since = |from: DateTime<Utc>, to: DateTime<Utc>| (to - from).num_milliseconds().max(0);
    let figures = [
        (REWARD_DELAY, since(reward.deliverable_from(), at)),
        (EVENT_DELAY, since(reward.occurred_at, reward.recorded_at)),
    ];
    document(function, "Milliseconds", &figures, at)
}

#[cfg(test)]
mod tests {
    use chrono::{Duration, TimeZone as _};
    use domain::id::{ExternalId, ParticipantId, ProgramId, RuleId, SourceId};
    use domain::ledger::{Cause, Context, Delta, Promise, open};
    use domain::money::{Currency, Money};

    use super::*;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        Utc.timestamp_millis_opt(1_767_225_600_000 + milliseconds).unwrap()
    }

    fn reward(promise: Promise) -> Reward {
        let delta = Delta {
            source: SourceId::parse("invoice/stripe/in_1").unwrap(),
            rule: RuleId::parse("commission").unwrap(),
            recipient: ParticipantId::derive(&["anna"]),
            amount: Money::new(500, Currency::parse("USD").unwrap()),
            posted: None,
            promise,
        };
        let context = Context {
            program: ProgramId::derive(&["p"]),
            terms_version: 1,
            referee: ExternalId::parse("ben").unwrap(),
            opens: Cause::Earned,
            takes_back: Cause::Refund,
            note: None,
            occurred_at: at(-2_500),
            recorded_at: at(0),
        };
        open(&delta, &context).0
    }

    #[test]
    fn a_delivery_is_one_document_of_the_embedded_metric_format_without_any_id() {
        let document = fulfilled("stack-fulfill-reward", &reward(Promise::default()), at(1_234));
        let expected = json!({
            "_aws": {"Timestamp": 1_767_225_601_234_i64, "CloudWatchMetrics": [{
                "Namespace": "ReferralEngine", "Dimensions": [["FunctionName"]],
                "Metrics": [{"Name": "RewardDelay", "Unit": "Milliseconds"},
                            {"Name": "EventDelay", "Unit": "Milliseconds"}]}]},
            "FunctionName": "stack-fulfill-reward", "RewardDelay": 1_234, "EventDelay": 2_500});
        assert_eq!(document, expected);
        assert!(!document.to_string().contains('\n'));
    }

    #[test]
    fn what_is_counted_is_a_document_too() {
        let document = counted("stack-aggregate-reports", &[(CHECK_FINDINGS, 2), (OVERDUE_ROWS, 0)], at(0));
        let expected = json!({
            "_aws": {"Timestamp": 1_767_225_600_000_i64, "CloudWatchMetrics": [{
                "Namespace": "ReferralEngine", "Dimensions": [["FunctionName"]],
                "Metrics": [{"Name": "CheckFindings", "Unit": "Count"}, {"Name": "OverdueRows", "Unit": "Count"}]}]},
            "FunctionName": "stack-aggregate-reports", "CheckFindings": 2, "OverdueRows": 0});
        assert_eq!(document, expected);
    }

    #[test]
    fn what_a_reward_waited_for_is_no_delay() {
        let delay = |reward: &Reward| fulfilled("f", reward, at(10_000))[REWARD_DELAY].clone();
        let mut held = reward(Promise { held_until: Some(at(4_000)), ..Promise::default() });
        assert_eq!(delay(&held), 6_000);
        held.ready_at = Some(at(9_000));
        assert_eq!(delay(&held), 1_000);
        held.promise.held_until = Some(at(9_500));
        assert_eq!(delay(&held), 500);
        held.ready_at = Some(at(10_000) + Duration::seconds(1));
        assert_eq!(delay(&held), 0);
    }

    #[test]
    fn nothing_is_written_outside_a_function() {
        assert!(Metrics::of_function(&|_| None).function.is_none());
        assert!(Metrics::default().function.is_none());
    }
}
