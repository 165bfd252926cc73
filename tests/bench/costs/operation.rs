//! One operation: how it is called, what it may ask for, and what it asked for.

use anyhow::{Result, bail};

use super::price::Usage;
use crate::probe::Tally;
use crate::rig::Rig;
use crate::table;

/// How many calls are tried until three in a row ask for the same.
pub(super) const CALLS_MAX: usize = 10;

/// The most that an operation may ask of the table, where the design says so.
#[derive(Debug, Clone, Copy)]
struct Budget {
    requests: Option<u32>,
    write_units: f64,
    read_units: Option<f64>,
}

impl Budget {
    fn holds(&self, tally: &Tally) -> bool {
        self.requests.is_none_or(|most| tally.requests <= most)
            && tally.write_units <= self.write_units
            && self.read_units.is_none_or(|most| tally.read_units <= most)
    }
}

impl std::fmt::Display for Budget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let requests = self.requests.map_or_else(|| "-".to_owned(), |most| most.to_string());
        let read_units = self.read_units.map_or_else(|| "-".to_owned(), table::short);
        write!(formatter, "{requests} / {} / {read_units}", table::short(self.write_units))
    }
}

/// One operation, measured.
#[derive(Debug)]
struct Row {
    name: &'static str,
    tally: Tally,
    /// What is paid for beside the table: how it is called.
    usage: Usage,
    /// Where the design states one.
    budget: Option<Budget>,
    /// What any design must pay for it.
    least: Option<Usage>,
}

impl Row {
    fn exceeded(&self) -> bool {
        self.budget.is_some_and(|budget| !budget.holds(&self.tally))
    }

    fn per_million(&self) -> f64 {
        let usage = Usage {
            write_units: self.tally.write_units,
            read_units: self.tally.read_units,
            queue_requests: self.usage.queue_requests + f64::from(self.tally.queue_requests),
            ..self.usage
        };
        usage.per_million()
    }
}

/// A call of the HTTP API.
const CALL: Usage =
    Usage { http_calls: 1.0, invocations: 1.0, write_units: 0.0, read_units: 0.0, queue_requests: 0.0 };
/// A message that comes alone: received, handled, deleted.
const ALONE: Usage = Usage { http_calls: 0.0, queue_requests: 2.0, ..CALL };
/// A message's part of a full batch.
const OF_BATCH: Usage = Usage { http_calls: 0.0, invocations: 0.1, queue_requests: 0.2, ..CALL };
/// A run of a schedule.
const RUN: Usage = Usage { http_calls: 0.0, ..CALL };

/// An operation before it is measured.
struct Operation {
    name: &'static str,
    usage: Usage,
    budget: Option<Budget>,
    least: Option<Usage>,
}

impl Operation {
    const fn new(name: &'static str, usage: Usage) -> Self {
        Self { name, usage, budget: None, least: None }
    }

    /// The design's limits: requests, write units and read units.
    const fn within(self, requests: u32, write_units: f64, read_units: f64) -> Self {
        Self { budget: Some(Budget { requests: Some(requests), write_units, read_units: Some(read_units) }), ..self }
    }

    /// The least that is correct: write and read units.
    const fn least(self, write_units: f64, read_units: f64) -> Self {
        Self { least: Some(Usage { write_units, read_units, ..self.usage }), ..self }
    }
}

/// Calls an operation until it asks for the same several times in a row. The first call fills the caches.
async fn steady(rig: &Rig, name: &str, call: impl AsyncFn(usize)) -> Result<Tally> {
    let mut tallies = Vec::new();
    for number in 0..CALLS_MAX {
        rig.probe.take();
        call(number).await;
        tallies.push(rig.probe.take());
        let warm = tallies.get(1..).unwrap_or_default();
        if let [.., first, second, third] = warm
            && first == second
            && second == third
        {
            return Ok(*first);
        }
    }
    bail!("{name} never asked for the same three times in a row: {tallies:?}")
}
