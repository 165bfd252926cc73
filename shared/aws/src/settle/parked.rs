//! Sources that wait: since when, and the end of waiting in vain.

use chrono::{DateTime, Utc};
use domain::id::{OrganizationId, SourceId};

use super::{SettleError, Settler};
use crate::store::{Parked, SourceRow};

/// How a source is parked that waits (still, or again).
pub(super) fn parked_since(before: &SourceRow, now: DateTime<Utc>) -> Parked {
    let waiting = before.parked.filter(|parked| !parked.expired);
    waiting.unwrap_or(Parked { since: now, expired: false })
}

impl Settler {
    /// Does what is due of a source: passes on what is known of a payment, or ends the waiting of one that has waited long
    /// enough. What is known of it stays then, and whoever decides it again by hand may find that what it waited for has come.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn finish_source(
        &self,
        organization: &OrganizationId,
        source: &SourceId,
    ) -> Result<(), SettleError> {
        let now = self.clock.now();
        let Some(row) = self.store.find_source(organization, source).await? else { return Ok(()) };
        if !row.invoices.is_empty() {
            return match self.pass_on(organization, &row).await {
                Ok(_) => Ok(()),
                // It would be refused again: the row is no longer due.
                Err(refused @ SettleError::Refused { .. }) => {
                    tracing::warn!(source.id = %source, %refused, "an invoice refused what its payment says");
                    Ok(())
                }
                Err(error) => Err(error),
            };
        }
        if row.parked.is_some_and(|parked| !parked.expired && parked.expires_at() <= now) {
            // Where another writer came first, it was released or parked anew.
            self.store.commit_expired(organization, &row, now).await?;
        }
        Ok(())
    }
}
