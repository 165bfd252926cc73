//! Participants and their codes.
//!
//! The participant's row is written first, with the code that it is to have; then the code's row claims the code for
//! it. Whoever repeats the call finishes it, so a crash in between is harmless. The code of a participant changes only
//! while it is not yet claimed: when another participant has it already.

use chrono::{DateTime, Utc};
use domain::code::ReferralCode;
use domain::id::{ExternalId, OrganizationId, ParticipantId, ProgramId};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::item::{Change, Write, from_item, text, to_attribute, to_item};
use super::keys;

/// A participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantRow {
    /// Its id.
    pub participant: ParticipantId,
    /// The program.
    pub program: ProgramId,
    /// The caller's own id.
    pub external_id: ExternalId,
    /// The name that the code was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The referral code.
    pub code: ReferralCode,
    /// When it was enrolled.
    pub created_at: DateTime<Utc>,
}

/// Whose a code is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRow {
    /// The code.
    pub code: ReferralCode,
    /// The participant.
    pub participant: ParticipantId,
    /// The caller's own id of the participant.
    pub external_id: ExternalId,
    /// The program.
    pub program: ProgramId,
}

impl Store {
    /// Enrols a participant; answers the row that stands, an earlier one if there is one, and whether it is new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_participant(
        &self,
        organization: &OrganizationId,
        row: &ParticipantRow,
    ) -> Result<(ParticipantRow, bool), StoreError> {
        let item = to_item(&keys::participant(organization, &row.participant), row)?;
        match self.put_new(item).await? {
            Write::Done(_) => Ok((row.clone(), true)),
            Write::Refused(known) => Ok((from_item(known)?, false)),
        }
    }

    /// Claims a participant's code for it; `false` when another participant has that code.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_code(
        &self,
        organization: &OrganizationId,
        row: &ParticipantRow,
    ) -> Result<bool, StoreError> {
        let code = CodeRow {
            code: row.code.clone(),
            participant: row.participant.clone(),
            external_id: row.external_id.clone(),
            program: row.program.clone(),
        };
        let item = to_item(&keys::code(organization, &row.code), &code)?;
        let free = Change::new("", "attribute_not_exists(pk) OR participant = :participant")
            .value(":participant", text(row.participant.as_str()));
        Ok(matches!(self.put_if(item, &free).await?, Write::Done(_)))
    }

    /// Gives a participant another code in place of one that it could not claim; answers the row that stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_other_code(
        &self,
        organization: &OrganizationId,
        row: &ParticipantRow,
        code: &ReferralCode,
    ) -> Result<ParticipantRow, StoreError> {
        let change = Change::new("SET #code = :code", "#code = :before")
            .name("#code", "code")
            .value(":code", to_attribute(code)?)
            .value(":before", to_attribute(&row.code)?);
        match self.update(&keys::participant(organization, &row.participant), &change).await? {
            Write::Done(item) | Write::Refused(item) => from_item(item),
        }
    }

    /// A participant by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_participant(
        &self,
        organization: &OrganizationId,
        id: &ParticipantId,
    ) -> Result<Option<ParticipantRow>, StoreError> {
        self.get(&keys::participant(organization, id), true).await?.map(from_item).transpose()
    }

    /// Whose a code is. A code never changes its owner, so an eventual read that finds it is right; one that does not
    /// is asked again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_code(
        &self,
        organization: &OrganizationId,
        code: &ReferralCode,
    ) -> Result<Option<CodeRow>, StoreError> {
        let key = keys::code(organization, code);
        match self.get(&key, false).await? {
            Some(item) => from_item(item).map(Some),
            None => self.get(&key, true).await?.map(from_item).transpose(),
        }
    }
}
