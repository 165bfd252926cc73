//! The due index: every row with something left to do, by when.

use chrono::{DateTime, Utc};
use domain::id::{OrganizationId, time_digits, time_of};

use super::Store;
use super::error::StoreError;
use super::item::{Item, key_of, text_of};
use super::keys::{self, Due, Key};
use super::page::{Page, Range, after, write_cursor};

/// Rows that are read at a time for the self-check.
const DUE_PAGE: i32 = 100;

/// A row that is due.
#[derive(Debug)]
pub struct DueRow {
    key: Key,
    /// Its name in findings.
    pub name: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

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

    /// Rows that are due in one shard at `until`, some of them: of one organization, or of all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_due_since(
        &self,
        organization: Option<&OrganizationId>,
        shard: u32,
        until: DateTime<Utc>,
        cursor: Option<&str>,
    ) -> Result<Page<DueRow>, StoreError> {
        let (pk, to) = (keys::due_partition(shard), time_digits(until));
        let within = organization.map(keys::within);
        let mut range = Range::new(&pk, "0", &to, DUE_PAGE);
        (range.index, range.within) = (Some(keys::DUE_INDEX), within.as_deref());
        let names = &["pk", "sk", "due_sk"];
        let (items, next) = self.query(&range, after(cursor, names, ("due_pk", &pk))).await?;
        let rows = items.iter().map(due_row).collect();
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, names)) })
    }

    /// Those of the rows that are still due at `until`, by strong reads. At most 100.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn still_due(&self, rows: &[DueRow], until: DateTime<Utc>) -> Result<Vec<DueRow>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<Key> = rows.iter().map(|row| row.key.clone()).collect();
        let found = self.get_all_as(&places, true).await?;
        let until = time_digits(until);
        Ok(found.iter().filter(|item| is_due(item, &until)).map(due_row).collect())
    }
}

fn due_row(item: &Item) -> DueRow {
    let key = key_of(item);
    let name = keys::parse_due(&key).map(|due| due.row());
    let since = time_of(text_of(item, "due_sk")).unwrap_or(DateTime::<Utc>::UNIX_EPOCH);
    DueRow { name: name.unwrap_or_else(|| format!("{} {}", key.pk, key.sk)), key, since }
}

/// Whether a row is due at a moment.
pub(crate) fn is_due(item: &Item, until: &str) -> bool {
    let due = text_of(item, "due_sk");
    !due.is_empty() && due <= until
}
