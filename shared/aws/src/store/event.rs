//! Events that are to be told. An event's row is written in the transaction of what happened, stands in the due index from
//! then on until every delivery of the event has a row, and goes by TTL.

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::event::Event;
use domain::id::{MessageId, OrganizationId};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::item::{Change, from_item, index_in, to_item};
use super::keys;

#[derive(Debug, Serialize, Deserialize)]
struct EventRow {
    /// As it is told.
    body: String,
}

impl Store {
    /// An event that is to be told; `None` when it was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_event(
        &self,
        organization: &OrganizationId,
        id: &MessageId,
    ) -> Result<Option<Event>, StoreError> {
        let item = self.get(&keys::event(organization, id), true).await?;
        let Some(item) = item.filter(|item| item.contains_key("due_sk")) else { return Ok(None) };
        let row: EventRow = from_item(item)?;
        serde_json::from_str(&row.body).map(Some).map_err(StoreError::corrupt)
    }

    /// Every delivery of an event has a row.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_event(
        &self,
        organization: &OrganizationId,
        id: &MessageId,
    ) -> Result<(), StoreError> {
        let change = Change::new("SET #ttl = :now REMOVE due_pk, due_sk", "attribute_exists(due_sk)")
            .name("#ttl", keys::TTL_ATTRIBUTE)
            .value(":now", self.days_from_now(0));
        self.update(&keys::event(organization, id), &change).await.map(|_| ())
    }

    /// The write of an event with what happened, whose own condition guards both: the same happening has the same event.
    pub(crate) fn event_action(&self, event: &Event) -> Result<TransactWriteItem, StoreError> {
        let key = keys::event(&event.organization, &event.id);
        let row = EventRow { body: serde_json::to_string(event).map_err(StoreError::corrupt)? };
        let mut item = to_item(&key, &row)?;
        index_in(&mut item, keys::DUE_INDEX, &keys::due(&key, event.timestamp));
        self.put_action(item, &Change::default())
    }
}
