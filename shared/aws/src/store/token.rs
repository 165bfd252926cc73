//! Tokens of participants: what one of them may look at, for a while.

use chrono::{DateTime, Utc};
use domain::id::{OrganizationId, ParticipantId, ProgramId};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::item::{Write, from_item, number, to_item};
use super::keys;

/// A participant's token; the token itself is never stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Whose participant.
    pub organization: OrganizationId,
    /// Its program.
    pub program: ProgramId,
    /// Who may look.
    pub participant: ParticipantId,
    /// Until when.
    pub valid_until: DateTime<Utc>,
    /// SHA-256 of the request that created it.
    pub request_hash: String,
}

impl Store {
    /// Writes a token under its hash; answers the earlier row when there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_token(&self, hash: &str, row: &TokenRow) -> Result<Option<TokenRow>, StoreError> {
        let mut item = to_item(&keys::token(hash), row)?;
        item.insert(keys::TTL_ATTRIBUTE.to_owned(), number(row.valid_until.timestamp()));
        match self.put_new(item).await? {
            Write::Done(_) => Ok(None),
            Write::Refused(known) => from_item(known).map(Some),
        }
    }

    /// The token of a hash, if it is still valid: rows outlive their time by days.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_token(&self, hash: &str) -> Result<Option<TokenRow>, StoreError> {
        let row: Option<TokenRow> = self.get(&keys::token(hash), false).await?.map(from_item).transpose()?;
        Ok(row.filter(|row| self.clock.now() < row.valid_until))
    }
}
