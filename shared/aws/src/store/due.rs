//! The due index: every row with something left to do, by when.

use chrono::{DateTime, Utc};
use domain::id::time_digits;

use super::Store;
use super::error::StoreError;
use super::item::key_of;
use super::keys::{self, Due};
use super::page::Range;

impl Store {
    /// What is due in one shard at `until`, oldest first. Eventually consistent: a row can be listed just after it was
    /// done, and appear a moment late.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_due(
        &self,
        shard: u32,
        until: DateTime<Utc>,
        limit: i32,
    ) -> Result<Vec<Due>, StoreError> {
        let (pk, to) = (keys::due_partition(shard), time_digits(until));
        let mut range = Range::new(&pk, "0", &to, limit);
        range.index = Some(keys::DUE_INDEX);
        let (items, _) = self.query(&range, None).await?;
        let parse = |item| {
            let key = key_of(item);
            keys::parse_due(&key).ok_or_else(|| StoreError::corrupt(format!("{} {} is due", key.pk, key.sk)))
        };
        items.iter().map(parse).collect()
    }
}
