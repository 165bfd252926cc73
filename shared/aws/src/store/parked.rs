//! Sources that wait for something: for whom they wait, since when, and the list of them. The row of a parked source is in the
//! listing index, and due when it has waited long enough; the write that releases it takes it out of both.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Duration, Utc};
use domain::fact::Customer;
use domain::id::{OrganizationId, SourceKind};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::{StoreError, Transaction};
use super::item::{Change, Item, from_item, index_in, number, text};
use super::keys::{self, Key};
use super::page::Page;
use super::referee::WAITING_MAX;
use super::source::{SourceRow, Waiting};

/// Days that a source waits before it expires.
pub const PARKED_DAYS: i64 = 90;

/// Since when a source waits, and whether it has waited in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whether it waits no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
}

impl Parked {
    /// When it expires, or has.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.since + Duration::days(PARKED_DAYS)
    }
}

/// How a commit that parks a source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parking {
    /// Written.
    Committed,
    /// Somebody else wrote one of the rows; read again.
    Lost,
    /// Too many sources wait there already.
    Full,
}

/// Puts a row into the list of those that wait or have expired, and makes it due when its time is over.
pub(super) fn list_in(item: &mut Item, organization: &OrganizationId, row: &SourceRow) {
    let Some(parked) = row.parked else { return };
    let place = keys::parked(organization, &row.source, parked.since, parked.expired);
    index_in(item, keys::LISTING_INDEX, &place);
    // What a reward earns on a second level is due by a mark of its own.
    if !parked.expired && row.source.kind != SourceKind::Reward {
        let key = keys::source(organization, &row.source);
        index_in(item, keys::DUE_INDEX, &keys::due(&key, parked.expires_at()));
    }
}

/// The row that a source waits on, and its attribute that says that there is nothing to wait for.
fn place_of(organization: &OrganizationId, waiting_for: &Waiting) -> Option<(Key, &'static str)> {
    match waiting_for {
        Waiting::Referee(id) => Some((keys::referee(organization, id), "binding")),
        Waiting::Customer(customer) => Some((keys::customer(organization, customer), "referee")),
        // Its list is a partition, not a row: as many can wait for one rate as there are payments in a day.
        Waiting::Rate(_) => None,
    }
}

impl Store {
    /// Writes a source that waits, and puts it on the lists of whom it waits for. Those rows must not have been bound in
    /// the meantime: whoever binds one decides again only what is on its list.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_parked(
        &self,
        organization: &OrganizationId,
        row: &SourceRow,
    ) -> Result<Parking, StoreError> {
        if let Some(Waiting::Rate(key)) = row.waiting_for {
            return self.commit_waiting_for_rate(organization, row, key).await;
        }
        let (item, condition) = self.source_item(organization, row)?;
        let mut actions = vec![self.put_action(item, &condition)?];
        let places = waits_on(organization, row);
        for (key, bound) in &places {
            let open = format!(
                "attribute_not_exists({bound}) AND (attribute_not_exists(waiting) OR size(waiting) < :max OR contains(waiting, :source))"
            );
            let change = Change::new("ADD waiting :sources", open)
                .value(":sources", AttributeValue::Ss(vec![row.source.to_string()]))
                .value(":source", text(row.source.to_string()))
                .value(":max", number(WAITING_MAX));
            actions.push(self.update_action(key, &change)?);
        }
        match self.transact(actions).await? {
            Transaction::Committed => Ok(Parking::Committed),
            Transaction::Refused { rows } => {
                let lists = rows.into_iter().skip(1).take(places.len());
                let full = places.iter().zip(lists).any(|((_, bound), list)| {
                    list.is_some_and(|list| !list.contains_key(*bound) && is_full(&list))
                });
                Ok(if full { Parking::Full } else { Parking::Lost })
            }
        }
    }

    /// Ends the waiting of a source that has waited long enough: it is on no list any more but on that of the expired.
    /// `false` when it changed in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_expired(
        &self,
        organization: &OrganizationId,
        before: &SourceRow,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let parked = before.parked.map(|parked| Parked { expired: true, ..parked });
        let row = SourceRow { parked, waiting_for: None, updated_at: now, ..before.clone() };
        let (item, condition) = self.source_item(organization, &row)?;
        let mut actions = vec![self.put_action(item, &condition)?];
        for (key, _) in waits_on(organization, before) {
            let change = Change::new("DELETE waiting :sources", "")
                .value(":sources", AttributeValue::Ss(vec![row.source.to_string()]));
            actions.push(self.update_action(&key, &change)?);
        }
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// Sources that wait, or that have waited in vain, longest wait first, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_parked(
        &self,
        organization: &OrganizationId,
        expired: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<SourceRow>, StoreError> {
        let partition = |shard| keys::parked_partition(organization, expired, shard);
        let Page { rows: places, next } = self.list_sharded(partition, after, limit).await?;
        let mut rows: Vec<SourceRow> =
            self.get_all(&places).await?.into_iter().map(from_item).collect::<Result<_, _>>()?;
        rows.retain(|row| row.parked.is_some_and(|parked| parked.expired == expired));
        rows.sort_by_key(|row| (row.parked.map(|parked| parked.since), row.source.clone()));
        Ok(Page { rows, next })
    }
}

/// The rows that a source waits on: its payer's, and beside an unknown customer's that of the e-mail address.
fn waits_on(organization: &OrganizationId, row: &SourceRow) -> Vec<(Key, &'static str)> {
    let mut places: Vec<Waiting> = row.waiting_for.iter().cloned().collect();
    let by_email = row.payer.email.clone().map(|hash| Waiting::Customer(Customer::of_email(hash)));
    let unknown = matches!(row.waiting_for, Some(Waiting::Customer(_)));
    places.extend(by_email.filter(|place| unknown && !places.contains(place)));
    places.iter().filter_map(|waiting_for| place_of(organization, waiting_for)).collect()
}

fn is_full(list: &Item) -> bool {
    list.get("waiting")
        .and_then(|value| value.as_ss().ok())
        .is_some_and(|waiting| waiting.len() >= WAITING_MAX)
}
