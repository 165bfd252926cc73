//! Counts what functions ask of the table and the queues, from the answers on the wire. Unlike the product's own meter it
//! sees refused writes, which are billed and for which no capacity is reported.

use std::sync::{Arc, Mutex, PoisonError};

use aws::Platform;
use aws_sdk_dynamodb::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use serde_json::Value;

/// What was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tally {
    /// Requests to the table, each attempt counted.
    pub(crate) requests: u32,
    /// Write units, those of indexes and of refused writes included.
    pub(crate) write_units: f64,
    /// Of these, units of writes that were refused by their condition.
    pub(crate) refused_units: f64,
    /// Read units.
    pub(crate) read_units: f64,
    /// Requests to queues.
    pub(crate) queue_requests: u32,
}

impl Tally {
    /// One operation's part of what `count` alike ones asked for together.
    pub(crate) fn part(self, count: u32) -> Self {
        let parts = f64::from(count);
        Self {
            requests: self.requests / count,
            write_units: self.write_units / parts,
            refused_units: self.refused_units / parts,
            read_units: self.read_units / parts,
            queue_requests: self.queue_requests / count,
        }
    }
}

/// A counter that all clones share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probe(Arc<Mutex<Tally>>);

impl Probe {
    /// The same platform with clients that are counted.
    pub(crate) fn watch(&self, platform: &Platform) -> Platform {
        let dynamodb = platform.dynamodb().config().to_builder().interceptor(Table(self.clone())).build();
        let sqs = platform.sqs().config().to_builder().interceptor(Queues(self.clone())).build();
        platform
            .clone()
            .with_dynamodb(aws_sdk_dynamodb::Client::from_conf(dynamodb))
            .with_sqs(aws_sdk_sqs::Client::from_conf(sqs))
    }

    /// What was counted since the last call of this.
    pub(crate) fn take(&self) -> Tally {
        self.with(std::mem::take)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug)]
struct Table(Probe);

impl Intercept for Table {
    fn name(&self) -> &'static str {
        "table"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = settings.load::<Metadata>().ok_or("a request of no operation")?.name();
        let reads = ["GetItem", "BatchGetItem", "Query"].contains(&operation);
        let answer = context.response().body().bytes().ok_or("an answer without a body")?;
        let answer: Value = serde_json::from_slice(answer)?;
        self.0.with(|tally| {
            tally.requests += 1;
            let (units, refused) = (consumed(&answer), refused(&answer));
            tally.refused_units += refused;
            if reads {
                tally.read_units += units;
            } else {
                tally.write_units += units + refused;
            }
        });
        Ok(())
    }
}

/// The units that an answer reports: of one table, or a list of them.
fn consumed(answer: &Value) -> f64 {
    let capacity = &answer["ConsumedCapacity"];
    let units = |each: &Value| each["CapacityUnits"].as_f64().unwrap_or_default();
    capacity.as_array().map_or_else(|| units(capacity), |all| all.iter().map(units).sum())
}

/// What a refused write is billed: as if it had been done. One unit for each row, which holds below 1 KB, and two in a
/// transaction.
fn refused(answer: &Value) -> f64 {
    let kind = answer["__type"].as_str().unwrap_or_default();
    if kind.ends_with("ConditionalCheckFailedException") {
        return 1.0;
    }
    let reasons = answer["CancellationReasons"].as_array();
    reasons.map_or(0.0, |reasons| reasons.iter().map(|_| 2.0).sum())
}

#[derive(Debug)]
struct Queues(Probe);

impl Intercept for Queues {
    fn name(&self) -> &'static str {
        "queues"
    }

    fn read_after_deserialization(
        &self,
        _: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.with(|tally| tally.queue_requests += 1);
        Ok(())
    }
}
