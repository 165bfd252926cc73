//! One operation: how it is called, what it may ask for, and what it asks for.

use std::fmt;

use anyhow::{Result, bail};

use super::price::Usage;
use crate::probe::Tally;
use crate::rig::Rig;
use tests::table;

/// How many calls are tried until three in a row ask for the same.
pub(super) const CALLS_MAX: usize = 10;

/// A call of the HTTP API.
pub(super) const CALL: Usage =
    Usage { http_calls: 1.0, invocations: 1.0, write_units: 0.0, read_units: 0.0, queue_requests: 0.0 };
/// A message that comes alone: received, handled, deleted.
pub(super) const ALONE: Usage = Usage { http_calls: 0.0, queue_requests: 2.0, ..CALL };
/// A message's part of a batch of ten.
pub(super) const OF_BATCH: Usage = Usage { http_calls: 0.0, invocations: 0.1, queue_requests: 0.2, ..CALL };
/// A run of a schedule.
pub(super) const RUN: Usage = Usage { http_calls: 0.0, ..CALL };

/// The most that an operation may ask of the table, where the design says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    requests: Option<u32>,
    write_units: f64,
    read_units: Option<f64>,
}

impl fmt::Display for Budget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = self.requests.map_or_else(|| "-".to_owned(), |most| most.to_string());
        let read_units = self.read_units.map_or_else(|| "-".to_owned(), table::short);
        write!(formatter, "{requests} / {} / {read_units}", table::short(self.write_units))
    }
}

/// An operation before it is measured.
#[derive(Debug)]
pub(super) struct Operation {
    name: &'static str,
    usage: Usage,
    budget: Option<Budget>,
    least: Option<Usage>,
}

impl Operation {
    /// `usage` is what is paid for beside what the function itself asks for: how it is called.
    pub(super) const fn new(name: &'static str, usage: Usage) -> Self {
        Self { name, usage, budget: None, least: None }
    }

    /// The design's limits: requests, write units and read units.
    pub(super) const fn within(self, requests: u32, write_units: f64, read_units: f64) -> Self {
        let budget = Budget { requests: Some(requests), write_units, read_units: Some(read_units) };
        Self { budget: Some(budget), ..self }
    }

    /// The design's limit where only writes have one.
    pub(super) const fn writing_at_most(self, write_units: f64) -> Self {
        Self { budget: Some(Budget { requests: None, write_units, read_units: None }), ..self }
    }

    /// The write and read units without which it cannot be done correctly.
    pub(super) const fn least(self, write_units: f64, read_units: f64) -> Self {
        Self { least: Some(Usage { write_units, read_units, ..self.usage }), ..self }
    }

    /// Calls it until it asks for the same three times in a row. The first call fills the caches.
    pub(super) async fn measure(self, rig: &Rig, call: impl AsyncFn(usize)) -> Result<Row> {
        let mut tallies = Vec::new();
        for number in 0..CALLS_MAX {
            rig.probe.take();
            call(number).await;
            tallies.push(rig.probe.take());
            if let [_, .., first, second, third] = tallies.as_slice()
                && first == second
                && second == third
            {
                return Ok(Row { tally: *first, operation: self });
            }
        }
        bail!("{} never asked for the same three times in a row: {tallies:?}", self.name)
    }
}

/// An operation, measured.
#[derive(Debug)]
pub(super) struct Row {
    operation: Operation,
    /// What it asks for.
    pub(super) tally: Tally,
}

impl Row {
    /// Whether it asks for more than its budget.
    pub(super) fn exceeded(&self) -> bool {
        self.operation.budget.is_some_and(|budget| {
            budget.requests.is_some_and(|most| self.tally.requests > most)
                || self.tally.write_units > budget.write_units
                || budget.read_units.is_some_and(|most| self.tally.read_units > most)
        })
    }

    fn usage(&self) -> Usage {
        let calls = self.operation.usage;
        Usage {
            write_units: self.tally.write_units,
            read_units: self.tally.read_units,
            queue_requests: calls.queue_requests + f64::from(self.tally.queue_requests),
            ..calls
        }
    }

    /// Its line of the table.
    pub(super) fn cells(&self) -> Vec<String> {
        let (tally, usage) = (&self.tally, self.usage());
        let Operation { name, budget, least, .. } = &self.operation;
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let verdict = match budget {
            None => "",
            Some(_) if self.exceeded() => "OVER",
            Some(_) => "ok",
        };
        vec![
            (*name).to_owned(),
            tally.requests.to_string(),
            table::short(tally.write_units),
            table::short(tally.refused_units),
            table::short(tally.read_units),
            table::short(usage.queue_requests),
            format!("{:.2}", usage.per_million()),
            or_dash(budget.map(|budget| budget.to_string())),
            verdict.to_owned(),
            or_dash(least.map(|least| format!("{:.2}", least.per_million()))),
        ]
    }
}
