//! Counts what the store costs: requests and consumed capacity, as DynamoDB itself reports it.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// What was counted since the last reset.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MeterReading {
    /// Requests sent to DynamoDB.
    pub requests: u64,
    /// Read units consumed.
    pub read_units: f64,
    /// Write units consumed, indexes included.
    pub write_units: f64,
}

/// A counter that all clones share. Every call asks for its consumed capacity, which costs nothing; failed conditional
/// writes count as a request, their units are not reported by DynamoDB.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    reading: Arc<Mutex<MeterReading>>,
}

/// Whether a call reads or writes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Direction {
    /// Consumes read units.
    Read,
    /// Consumes write units.
    Write,
}

impl Meter {
    /// A counter at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was counted.
    #[must_use]
    pub fn snapshot(&self) -> MeterReading {
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Back to zero.
    pub fn reset(&self) {
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner) = MeterReading::default();
    }

    /// Counts one request.
    pub(crate) fn request(&self) {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        reading.requests = reading.requests.saturating_add(1);
    }

    /// Counts what a request consumed.
    #[expect(clippy::float_arithmetic, reason = "capacity units are reported as floats; they are not money")]
    pub(crate) fn consumed<'a>(
        &self,
        direction: Direction,
        capacity: impl IntoIterator<Item = &'a ConsumedCapacity>,
    ) {
        let units: f64 = capacity.into_iter().filter_map(ConsumedCapacity::capacity_units).sum();
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        match direction {
            Direction::Read => reading.read_units += units,
            Direction::Write => reading.write_units += units,
        }
    }
}
