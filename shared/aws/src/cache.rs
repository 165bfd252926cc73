//! A small cache of rows that rarely change, kept by one process for a stated time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use domain::program::CHANGE_DELAY_SECONDS;

/// How long a row is kept: half of the delay with which changes take effect, so none is ever decided by too late.
pub const CACHE_SECONDS: i64 = CHANGE_DELAY_SECONDS / 2;

/// Most rows kept; a full cache starts anew.
const ROWS_MAX: usize = 2_000;

/// Rows by key, each with the moment it was read.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    rows: Mutex<HashMap<K, (DateTime<Utc>, V)>>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { rows: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// A row that was read less than [`CACHE_SECONDS`] ago.
    pub(crate) fn fresh(&self, key: &K, now: DateTime<Utc>) -> Option<V> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, row) = rows.get(key)?;
        (now - *read_at < Duration::seconds(CACHE_SECONDS)).then(|| row.clone())
    }

    /// A row of any age; for rows that never change.
    pub(crate) fn any(&self, key: &K) -> Option<V> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).get(key).map(|(_, row)| row.clone())
    }

    /// Keeps a row. `read_at` is the moment before it was read.
    pub(crate) fn keep(&self, key: K, row: V, read_at: DateTime<Utc>) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= ROWS_MAX {
            rows.clear();
        }
        rows.insert(key, (read_at, row));
    }

    /// Forgets a row that this process has changed.
    pub(crate) fn forget(&self, key: &K) {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
