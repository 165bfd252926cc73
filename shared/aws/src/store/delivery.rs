//! Deliveries of events. A delivery's row stands in the due index from its creation until it is delivered or given up: by
//! the time of its next attempt, or, while a worker is at it, by the end of that worker's lease. Whoever moves that time
//! on has claimed it; what became of an attempt is written only under the claim that it was made under.

use chrono::{DateTime, Utc};
use domain::delivery::{Attempt, DeliveryState, Failure};
use domain::id::{DeliveryId, DestinationId, MessageId, OrganizationId};
use serde::{Deserialize, Serialize};

use super::Store;
use super::claim::{DueClaim, lease_end, still_claimed};
use super::error::StoreError;
use super::item::{Change, Item, Write, from_item, index_in, key_of, number, to_item};
use super::keys::{self, Key};
use super::page::{Page, Range, after, write_cursor};

/// Days that a delivery can be looked at, and replayed, once it is done.
const DONE_DAYS: i64 = 30;

/// A delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// Its id.
    pub delivery: DeliveryId,
    /// Where to.
    pub destination: DestinationId,
    /// The event's id.
    pub event: MessageId,
    /// The event's type.
    pub event_type: String,
    /// What is sent, as it is signed.
    pub body: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Attempts of this round: since it was made, or replayed.
    pub tries: u32,
    /// When the next attempt is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// What became of the attempts, the oldest first.
    pub attempts: Vec<Attempt>,
    /// Counts the claims: a late worker is fenced off.
    pub claims: u32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// Writes a delivery that its maker attempts at once; `false` when there is one already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_delivery(
        &self,
        organization: &OrganizationId,
        row: &DeliveryRow,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let item = delivery_item(organization, row, Some(lease_end(now)))?;
        Ok(matches!(self.put_new(item).await?, Write::Done(_)))
    }

    /// Claims a delivery that is due.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_delivery(
        &self,
        organization: &OrganizationId,
        id: &DeliveryId,
        now: DateTime<Utc>,
    ) -> Result<DueClaim<DeliveryRow>, StoreError> {
        self.claim_due(&keys::delivery(organization, id), now).await
    }

    /// Writes what became of an attempt; `false` when another worker has claimed the delivery since.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn complete_delivery(
        &self,
        organization: &OrganizationId,
        row: &DeliveryRow,
    ) -> Result<bool, StoreError> {
        let mut item = delivery_item(organization, row, row.next_attempt_at)?;
        if row.state != DeliveryState::Pending {
            item.insert(keys::TTL_ATTRIBUTE.to_owned(), self.days_from_now(DONE_DAYS));
        }
        Ok(matches!(self.put_if(item, &still_claimed(row.claims)).await?, Write::Done(_)))
    }

    /// Makes a delivery that is done due again, for another round of attempts; `false` when it is not done any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn replay_delivery(
        &self,
        organization: &OrganizationId,
        row: &DeliveryRow,
    ) -> Result<bool, StoreError> {
        let next = DeliveryRow { claims: row.claims.saturating_add(1), ..row.clone() };
        let item = delivery_item(organization, &next, row.next_attempt_at)?;
        let done = Change::new("", "claims = :claims AND attribute_not_exists(due_sk)");
        Ok(matches!(self.put_if(item, &done.value(":claims", number(row.claims))).await?, Write::Done(_)))
    }

    /// A delivery; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_delivery(
        &self,
        organization: &OrganizationId,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryRow>, StoreError> {
        self.get(&keys::delivery(organization, id), true).await?.map(from_item).transpose()
    }

    /// Deliveries to a destination, newest first, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_deliveries(
        &self,
        organization: &OrganizationId,
        destination: &DestinationId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<DeliveryRow>, StoreError> {
        let pk = keys::deliveries_partition(organization, destination);
        let mut range = Range::new(&pk, "0", "~", limit);
        (range.index, range.newest_first) = (Some(keys::LISTING_INDEX), true);
        let names = &["pk", "sk", "listing_sk"];
        let (items, next) = self.query(&range, after(cursor, names, ("listing_pk", &pk))).await?;
        let places: Vec<Key> = items.iter().map(key_of).collect();
        let rows = if places.is_empty() { Vec::new() } else { self.get_all(&places).await? };
        Ok(Page {
            rows: rows.into_iter().map(from_item).collect::<Result<_, _>>()?,
            next: next.map(|key| write_cursor(&key, names)),
        })
    }
}

fn delivery_item(
    organization: &OrganizationId,
    row: &DeliveryRow,
    due: Option<DateTime<Utc>>,
) -> Result<Item, StoreError> {
    let key = keys::delivery(organization, &row.delivery);
    let mut item = to_item(&key, row)?;
    let listing = keys::delivery_listing(organization, &row.destination, &row.delivery, row.created_at);
    index_in(&mut item, keys::LISTING_INDEX, &listing);
    if let Some(due) = due {
        index_in(&mut item, keys::DUE_INDEX, &keys::due(&key, due));
    }
    Ok(item)
}
