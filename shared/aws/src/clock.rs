//! The one place that reads the system's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Duration, SubsecRound as _, Utc};

/// Tells the time, in whole milliseconds (the resolution of the table's keys).
#[derive(Debug, Clone, Default)]
pub struct Clock {
    shift: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's time.
    #[must_use]
    pub const fn system() -> Self {
        Self { shift: None }
    }

    /// The system's time moved by a number of milliseconds that others may change; for the local stage and tests.
    #[must_use]
    pub const fn shifted(shift: Arc<AtomicI64>) -> Self {
        Self { shift: Some(shift) }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let now = Utc::now().trunc_subsecs(3);
        let shift = self.shift.as_ref().map_or(0, |shift| shift.load(Ordering::SeqCst));
        now + Duration::milliseconds(shift)
    }
}
