//! Connections to payment processors: the key that an organization gave for calling one.

use chrono::{DateTime, Utc};
use domain::id::{OrganizationId, Processor};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::item::{Change, Write, absent, from_item, text, to_item};
use super::keys;

/// A connection to a processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// Whose.
    pub organization: OrganizationId,
    /// Which processor.
    pub processor: Processor,
    /// Whether the key is one for live money; the organization's mode.
    pub livemode: bool,
    /// The processor's key, sealed for [`Self::place`].
    pub sealed_key: String,
    /// The last four characters of the key.
    pub last4: String,
    /// When the key was given.
    pub connected_at: DateTime<Utc>,
}

impl ConnectionRow {
    /// What a key is sealed for: it opens in no other organization, and for no other processor.
    #[must_use]
    pub fn place(organization: &OrganizationId, processor: &Processor) -> String {
        format!("{organization}/{processor}")
    }
}

impl Store {
    /// Writes a connection over `known`, what was read of it; `false` when it is not that any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_connection(
        &self,
        row: &ConnectionRow,
        known: Option<&ConnectionRow>,
    ) -> Result<bool, StoreError> {
        let key = keys::connection(&row.organization, &row.processor);
        let condition = match known {
            None => absent(),
            Some(known) => {
                Change::new("", "sealed_key = :known").value(":known", text(known.sealed_key.as_str()))
            }
        };
        self.connections.forget(&key);
        Ok(matches!(self.put_if(to_item(&key, row)?, &condition).await?, Write::Done(_)))
    }

    /// A connection; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_connection(
        &self,
        organization: &OrganizationId,
        processor: &Processor,
    ) -> Result<Option<ConnectionRow>, StoreError> {
        self.get(&keys::connection(organization, processor), true).await?.map(from_item).transpose()
    }

    /// A connection as it was at most [`crate::CACHE_SECONDS`] ago.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_recent_connection(
        &self,
        organization: &OrganizationId,
        processor: &Processor,
    ) -> Result<Option<ConnectionRow>, StoreError> {
        let (key, now) = (keys::connection(organization, processor), self.clock.now());
        if let Some(row) = self.connections.fresh(&key, now) {
            return Ok(Some(row));
        }
        let row: Option<ConnectionRow> = self.get(&key, false).await?.map(from_item).transpose()?;
        if let Some(row) = &row {
            self.connections.keep(key, row.clone(), now);
        }
        Ok(row)
    }

    /// Removes a connection, whether there is one or not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_connection(
        &self,
        organization: &OrganizationId,
        processor: &Processor,
    ) -> Result<(), StoreError> {
        let key = keys::connection(organization, processor);
        self.connections.forget(&key);
        self.delete(&key).await
    }
}
