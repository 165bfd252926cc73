//! Touches: visits through links, kept until no attribution window reaches back to them.

use chrono::{DateTime, Duration, Utc};
use domain::id::{OrganizationId, VisitorId, time_digits};
use domain::touch::{TOUCHES_MAX, Touch};

use super::Store;
use super::error::StoreError;
use super::item::{from_item, number, to_item};
use super::keys;
use super::page::Range;

/// How long a touch is kept: the longest attribution window.
const KEPT_DAYS: i64 = 365;

impl Store {
    /// Records a touch; the same one again is the same row.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_touch(
        &self,
        organization: &OrganizationId,
        visitor: &VisitorId,
        touch: &Touch,
    ) -> Result<(), StoreError> {
        let key = keys::touch(organization, visitor, &touch.participant, touch.at);
        let mut item = to_item(&key, touch)?;
        let expires_at = (touch.at + Duration::days(KEPT_DAYS)).timestamp();
        item.insert(keys::TTL_ATTRIBUTE.to_owned(), number(expires_at));
        self.put_new(item).await.map(|_| ())
    }

    /// The latest touches of a visitor up to a moment, newest first; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_touches(
        &self,
        organization: &OrganizationId,
        visitor: &VisitorId,
        until: DateTime<Utc>,
    ) -> Result<Vec<Touch>, StoreError> {
        let pk = keys::visitor_partition(organization, visitor);
        let to = format!("{}{}#~", keys::TOUCHES, time_digits(until));
        let limit = i32::try_from(TOUCHES_MAX).unwrap_or(i32::MAX);
        let mut range = Range::new(&pk, keys::TOUCHES, &to, limit);
        (range.newest_first, range.consistent) = (true, true);
        let (items, _) = self.query(&range, None).await?;
        items.into_iter().map(from_item).collect()
    }
}
