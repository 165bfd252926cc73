//! Exchange rates by day, and the sources that wait for one.
//!
//! A source that waits is a row of its own in the partition of its rate, written with the source while the rate is not
//! there. Giving the rate leaves the rates' row due until everything in that partition has been decided again.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem};
use chrono::{DateTime, NaiveDate, Utc};
use domain::id::{OrganizationId, SourceId};
use domain::money::Currency;
use domain::rate::{ExchangeRate, Rate, RateKey};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::{StoreError, Transaction};
use super::item::{
    Change, Item, Write, at_version, from_item, index_in, key_attributes, key_of, number, text, to_item,
};
use super::keys;
use super::page::{Page, Range, after, write_cursor};
use super::parked::Parking;
use super::source::SourceRow;

/// The rates of a day in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatesRow {
    /// The day.
    pub day: NaiveDate,
    /// The currency that they are told in.
    pub currency: Currency,
    /// What one unit of each currency is worth; once given, never changed.
    pub rates: BTreeMap<Currency, Rate>,
    /// The currencies whose sources are still to be decided again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub releasing: BTreeSet<Currency>,
    /// Counts the writes.
    pub version: u64,
    /// When rates were given last.
    pub updated_at: DateTime<Utc>,
}

impl Store {
    /// The rates of a day in a currency; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_rates(
        &self,
        organization: &OrganizationId,
        day: NaiveDate,
        currency: Currency,
    ) -> Result<Option<RatesRow>, StoreError> {
        self.get(&keys::rates(organization, day, currency), true).await?.map(from_item).transpose()
    }

    /// All rates of a day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_rates(
        &self,
        organization: &OrganizationId,
        day: NaiveDate,
    ) -> Result<Vec<RatesRow>, StoreError> {
        let (pk, end) = (keys::rates_partition(organization, day), format!("{}~", keys::RATES));
        let mut range = Range::new(&pk, keys::RATES, &end, 100);
        range.consistent = true;
        let (mut rows, mut start) = (Vec::new(), None);
        loop {
            let (items, next) = self.query(&range, start).await?;
            for item in items {
                rows.push(from_item(item)?);
            }
            start = next;
            if start.is_none() {
                return Ok(rows);
            }
        }
    }

    /// One rate. What was given never changes, so it is read once; what was not given is asked for again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_rate(
        &self,
        organization: &OrganizationId,
        key: RateKey,
    ) -> Result<Option<ExchangeRate>, StoreError> {
        let place = (organization.as_str().to_owned(), key);
        if let Some(rate) = self.rates.any(&place) {
            return Ok(Some(ExchangeRate::new(key, rate)));
        }
        let now = self.clock.now();
        let row = self.find_rates(organization, key.day, key.to).await?;
        let Some(rate) = row.and_then(|row| row.rates.get(&key.from).copied()) else { return Ok(None) };
        self.rates.keep(place, rate, now);
        Ok(Some(ExchangeRate::new(key, rate)))
    }

    /// Writes rates that were added, and leaves the row due until what waited for them is decided again. `false` when the
    /// row was written in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_rates(
        &self,
        organization: &OrganizationId,
        row: &RatesRow,
    ) -> Result<bool, StoreError> {
        let key = keys::rates(organization, row.day, row.currency);
        let next = RatesRow { version: row.version.saturating_add(1), ..row.clone() };
        let mut item = to_item(&key, &next)?;
        index_in(&mut item, keys::DUE_INDEX, &keys::due(&key, row.updated_at));
        let condition = at_version(row.version);
        Ok(matches!(self.put_if(item, &condition).await?, Write::Done(_)))
    }

    /// Everything that waited for the rates of a row has been decided again. `false` when more were given since: then the
    /// row stays due.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_rates(
        &self,
        organization: &OrganizationId,
        row: &RatesRow,
    ) -> Result<bool, StoreError> {
        let change = Change::new("REMOVE due_pk, due_sk, releasing", "version = :version")
            .value(":version", number(row.version));
        let key = keys::rates(organization, row.day, row.currency);
        Ok(matches!(self.update(&key, &change).await?, Write::Done(_)))
    }

    /// Writes a source that waits for a rate, and its place among those that do. The rate must not have been given in
    /// the meantime: whoever gives it decides again only what is there then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn commit_waiting_for_rate(
        &self,
        organization: &OrganizationId,
        row: &SourceRow,
        key: RateKey,
    ) -> Result<Parking, StoreError> {
        let (item, condition) = self.source_item(organization, row)?;
        let place = keys::waiting_for_rate(organization, key, &row.source);
        let mut waits = key_attributes(&place);
        waits.insert("source".to_owned(), text(row.source.to_string()));
        let actions = vec![
            self.put_action(item, &condition)?,
            self.put_action(waits, &Change::default())?,
            self.not_given_action(organization, key)?,
        ];
        Ok(match self.transact(actions).await? {
            Transaction::Committed => Parking::Committed,
            Transaction::Refused { .. } => Parking::Lost,
        })
    }

    fn not_given_action(
        &self,
        organization: &OrganizationId,
        key: RateKey,
    ) -> Result<TransactWriteItem, StoreError> {
        let place = keys::rates(organization, key.day, key.to);
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(key_attributes(&place)))
            .condition_expression("attribute_not_exists(rates.#from)")
            .expression_attribute_names("#from", key.from.code());
        Ok(TransactWriteItem::builder().condition_check(check.build().map_err(StoreError::corrupt)?).build())
    }

    /// Sources that wait for rates of a day in a currency, and which each waits for, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_waiting_for_rates(
        &self,
        organization: &OrganizationId,
        day: NaiveDate,
        currency: Currency,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<(Currency, SourceId)>, StoreError> {
        let pk = keys::waiting_for_rates(organization, day, currency);
        let mut range = Range::new(&pk, "0", "~", limit);
        range.consistent = true;
        let (items, next) = self.query(&range, after(cursor, &["sk"], ("pk", &pk))).await?;
        let waits = |item: &Item| {
            let key = key_of(item);
            let read = keys::parse_waiting_for_rate(&key.sk);
            read.ok_or_else(|| StoreError::corrupt(format!("{} {} waits", key.pk, key.sk)))
        };
        let rows = items.iter().map(waits).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, &["sk"])) })
    }

    /// A source that waited for a rate has been decided again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_waiting_for_rate(
        &self,
        organization: &OrganizationId,
        key: RateKey,
        source: &SourceId,
    ) -> Result<(), StoreError> {
        self.delete(&keys::waiting_for_rate(organization, key, source)).await
    }
}
