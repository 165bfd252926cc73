//! Exchange rates: which one a decision gets, and what is decided again once a rate is given.

use chrono::NaiveDate;
use domain::decision::{Case, rate_wanted};
use domain::id::{OrganizationId, SourceId, SourceKind};
use domain::money::Currency;
use domain::rate::{ExchangeRate, RateKey};

use super::{SettleError, Settler};
use crate::handler::chain;
use crate::store::Store;

/// Sources that are read at a time.
const PAGE: i32 = 100;

/// The rate that a decision asks for: the one that the source was decided by, or the one that was given for its day.
/// Nothing is read for terms that convert nothing.
pub(super) async fn find_rate(
    store: &Store,
    organization: &OrganizationId,
    case: &Case<'_>,
    known: Option<ExchangeRate>,
) -> Result<Option<ExchangeRate>, SettleError> {
    let Some(key) = rate_wanted(case) else { return Ok(None) };
    if let Some(rate) = known.filter(|rate| rate.is_of(key)) {
        return Ok(Some(rate));
    }
    Ok(store.find_rate(organization, key).await?)
}

impl Settler {
    /// Decides again what waited for the rates of a day in a currency, at most so many sources; answers whether nothing is
    /// left. A source that cannot be decided stays, and keeps no other waiting.
    ///
    /// # Errors
    /// [`SettleError`] when a source could not be decided; the row stays due, and the sweeper comes back to it.
    pub async fn release_rates(
        &self,
        organization: &OrganizationId,
        day: NaiveDate,
        currency: Currency,
        at_most: u32,
    ) -> Result<bool, SettleError> {
        let Some(row) = self.store.find_rates(organization, day, currency).await? else { return Ok(true) };
        let (mut left, mut failed, mut cursor) = (at_most, None, None);
        loop {
            let page = self
                .store
                .list_waiting_for_rates(organization, day, currency, cursor.as_deref(), PAGE)
                .await?;
            for (from, source) in page.rows.into_iter().filter(|(from, _)| row.releasing.contains(from)) {
                if left == 0 {
                    return failed.map_or(Ok(false), Err);
                }
                left = left.saturating_sub(1);
                let key = RateKey { from, to: currency, day };
                if let Err(error) = self.release_from_rate(organization, key, &source).await {
                    tracing::warn!(source.id = %source, error = chain(&error), "still waits for its rate");
                    failed = Some(error);
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(self.store.finish_rates(organization, &row).await?),
        }
    }

    /// Decides one source again. It may have been decided by other means since: then nothing changes.
    async fn release_from_rate(
        &self,
        organization: &OrganizationId,
        key: RateKey,
        source: &SourceId,
    ) -> Result<(), SettleError> {
        if source.kind == SourceKind::Reward {
            // What stands of the reward may have changed without the source's knowing.
            self.settle_cascade(organization, source).await?;
        } else {
            self.settle_again(organization, source).await?;
        }
        Ok(self.store.finish_waiting_for_rate(organization, key, source).await?)
    }
}
