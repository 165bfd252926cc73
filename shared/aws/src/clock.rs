//! The one place that reads the system's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Duration, SubsecRound as _, Utc};

/// Tells the time, in whole milliseconds (the resolution of the table's keys).
#[derive(Debug, Clone, Default)]
pub struct Clock {
    source: Source,
}

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    /// The system's, and so many milliseconds more.
    Shifted(Arc<AtomicI64>),
    /// Milliseconds since 1970.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's time.
    #[must_use]
    pub const fn system() -> Self {
        Self { source: Source::System }
    }

    /// The system's time moved by a number of milliseconds that others may change; for the local stage and tests.
    #[must_use]
    pub const fn shifted(shift: Arc<AtomicI64>) -> Self {
        Self { source: Source::Shifted(shift) }
    }

    /// A time that stands still until others change it, in milliseconds since 1970; for tests that are run again.
    #[must_use]
    pub const fn manual(millis: Arc<AtomicI64>) -> Self {
        Self { source: Source::Manual(millis) }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.source {
            Source::System => system_now(),
            Source::Shifted(shift) => system_now() + Duration::milliseconds(shift.load(Ordering::SeqCst)),
            Source::Manual(millis) => {
                DateTime::from_timestamp_millis(millis.load(Ordering::SeqCst)).unwrap_or_default()
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn system_now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}
