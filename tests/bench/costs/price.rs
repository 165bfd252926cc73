//! The price table: dollars of what one operation uses.
//!
//! us-east-1, on demand, without free tiers: AWS's public price list as infracost's test files and AWS's own guidance for
//! serverless had it in 2026. Check it before quoting a figure.

/// A million write request units.
pub(crate) const WRITE_UNITS: f64 = 0.625;
/// A million read request units.
pub(crate) const READ_UNITS: f64 = 0.125;
/// A million requests to standard queues.
pub(crate) const QUEUE_REQUESTS: f64 = 0.40;
/// A million calls of an HTTP API.
pub(crate) const HTTP_CALLS: f64 = 1.00;
/// A million invocations of functions.
pub(crate) const INVOCATIONS: f64 = 0.20;
/// A gigabyte of memory for a second, on arm64.
pub(crate) const GIGABYTE_SECOND: f64 = 0.000_013_333_4;

/// The memory that `template.yaml` gives a function, in gigabytes.
pub(crate) const MEMORY_GB: f64 = 0.25;
/// How long a warm invocation is taken to last, in seconds. Assumed: it is mostly the wait for the table, which the local
/// stage cannot tell.
pub(crate) const DURATION_S: f64 = 0.008;

/// What is paid for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) http_calls: f64,
    /// Parts of an invocation, where several operations share one.
    pub(crate) invocations: f64,
    pub(crate) write_units: f64,
    pub(crate) read_units: f64,
    pub(crate) queue_requests: f64,
}

impl Usage {
    /// Dollars of a million such operations.
    pub(crate) fn per_million(&self) -> f64 {
        let invocation = INVOCATIONS + MEMORY_GB * DURATION_S * GIGABYTE_SECOND * 1e6;
        self.http_calls * HTTP_CALLS
            + self.invocations * invocation
            + self.write_units * WRITE_UNITS
            + self.read_units * READ_UNITS
            + self.queue_requests * QUEUE_REQUESTS
    }
}

/// The assumptions, as they are printed below the figures.
pub(crate) fn legend() -> String {
    format!(
        "Prices per million (us-east-1, on demand): HTTP API ${HTTP_CALLS:.2}, invocation ${INVOCATIONS:.2} plus {memory:.0} MB \
         for {duration:.0} ms on arm64\n(assumed), write unit ${WRITE_UNITS}, read unit ${READ_UNITS}, SQS request \
         ${QUEUE_REQUESTS:.2}. Not included: logs ($0.50 per KB and million), storage, transfer, idle polling.",
        memory = MEMORY_GB * 1024.0,
        duration = DURATION_S * 1000.0,
    )
}
