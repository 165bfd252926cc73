//! Claims of rows that are due: whoever moves the time in the due index on has claimed the row, and counts it. What a
//! worker writes holds only under the claim that it was made under.

use chrono::{DateTime, Duration, Utc};
use domain::id::time_digits;
use serde::de::DeserializeOwned;

use super::Store;
use super::error::StoreError;
use super::item::{Change, Write, from_item, number, text};
use super::keys::Key;
use super::reward::LEASE_SECONDS;

/// How a claim ended.
#[derive(Debug)]
pub enum DueClaim<T> {
    /// Claimed: the row as it is to be worked on.
    Claimed(Box<T>),
    /// It is not due, is done, or another worker is at it.
    NotDue,
    /// There is no such row.
    Absent,
}

impl Store {
    /// Claims a row that is due and counts its claims.
    pub(crate) async fn claim_due<T: DeserializeOwned>(
        &self,
        key: &Key,
        now: DateTime<Utc>,
    ) -> Result<DueClaim<T>, StoreError> {
        let change = Change::new("SET due_sk = :lease, claims = claims + :one", "due_sk <= :now")
            .value(":lease", text(time_digits(lease_end(now))))
            .value(":now", text(time_digits(now)))
            .value(":one", number(1));
        match self.update(key, &change).await? {
            Write::Done(item) => Ok(DueClaim::Claimed(Box::new(from_item(item)?))),
            Write::Refused(item) if item.is_empty() => Ok(DueClaim::Absent),
            Write::Refused(_) => Ok(DueClaim::NotDue),
        }
    }
}

/// Until when a claim that is made now holds.
pub(crate) fn lease_end(now: DateTime<Utc>) -> DateTime<Utc> {
    now + Duration::seconds(LEASE_SECONDS)
}

/// The condition that a row is still under the claim that it was read under.
pub(crate) fn still_claimed(claims: u32) -> Change {
    Change::new("", "claims = :claims AND attribute_exists(due_sk)").value(":claims", number(claims))
}
