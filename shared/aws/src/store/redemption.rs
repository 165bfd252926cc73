//! Spending of a balance. Whoever spends, and whatever takes back what was not spent in time, writes the participant's
//! spending row under the version that it read before it read the balance: so of two that would spend the same, one looks
//! again. Whoever returns something counts that version up. What is delivered meanwhile only adds; what is taken back meanwhile
//! becomes a shortfall, as after any spending.

use aws_sdk_dynamodb::types::TransactWriteItem;
use chrono::{DateTime, Utc};
use domain::id::{ExternalId, OrganizationId, ParticipantId};
use domain::ledger::{Note, Redemption};
use domain::money::Unit;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::{StoreError, Transaction};
use super::item::{Change, absent, at_version, from_item, number, text, to_item};
use super::keys;
use super::page::{Page, Range, after, write_cursor};

/// Something that was spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedemptionRow {
    /// Who spent.
    pub participant: ParticipantId,
    /// The caller's own name of what it was spent on.
    pub reference: ExternalId,
    /// How much, in minor units.
    pub amount: i64,
    /// Their unit.
    pub unit: Unit,
    /// Who spent it for the participant, and why, where the caller says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// When.
    pub redeemed_at: DateTime<Utc>,
    /// When it was given back, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned_at: Option<DateTime<Utc>>,
    /// Who gave it back, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_note: Option<Note>,
}

/// How often a balance was spent of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spending {
    /// Counts the writes.
    pub version: u64,
}

impl Store {
    /// Writes something that is spent. `false` when the balance was spent of since, or the reference was used.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn commit_redemption(
        &self,
        organization: &OrganizationId,
        row: &RedemptionRow,
        spending: Spending,
    ) -> Result<bool, StoreError> {
        let key = keys::redemption(organization, &row.participant, &row.reference);
        let actions = vec![
            self.put_action(to_item(&key, row)?, &absent())?,
            self.redemption_action(organization, row, row.amount, row.note.clone(), row.redeemed_at)?,
            self.spending_action(organization, &row.participant, spending)?,
        ];
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// Writes that something was given back. `false` when it was before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn commit_return(
        &self,
        organization: &OrganizationId,
        row: &RedemptionRow,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let key = keys::redemption(organization, &row.participant, &row.reference);
        let amount = row.amount.checked_neg().ok_or_else(|| StoreError::corrupt("an amount does not fit"))?;
        let actions = vec![
            self.put_action(to_item(&key, row)?, &Change::new("", "attribute_not_exists(returned_at)"))?,
            self.redemption_action(organization, row, amount, row.return_note.clone(), now)?,
            // Whatever expires meanwhile has been counted without it, and is counted again.
            self.update_action(
                &keys::spending(organization, &row.participant),
                &Change::new("ADD version :one", "attribute_exists(version)").value(":one", number(1)),
            )?,
        ];
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// What was spent under a reference.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_redemption(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        reference: &ExternalId,
    ) -> Result<Option<RedemptionRow>, StoreError> {
        let key = keys::redemption(organization, participant, reference);
        self.get(&key, true).await?.map(from_item).transpose()
    }

    /// What a participant has spent, in the order of the references.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_redemptions(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<RedemptionRow>, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let end = format!("{}~", keys::REDEMPTIONS);
        let range = Range::new(&pk, keys::REDEMPTIONS, &end, limit);
        let (items, next) = self.query(&range, after(cursor, &["sk"], ("pk", &pk))).await?;
        let rows = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, &["sk"])) })
    }

    /// How often a balance was spent of; a strong read.
    pub(crate) async fn get_spending(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
    ) -> Result<Spending, StoreError> {
        let item = self.get(&keys::spending(organization, participant), true).await?;
        Ok(item.map(from_item).transpose()?.unwrap_or_default())
    }

    /// The write that goes with every spending, under the version that was read.
    pub(crate) fn spending_action(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        spending: Spending,
    ) -> Result<TransactWriteItem, StoreError> {
        let next = Spending { version: spending.version.saturating_add(1) };
        let item = to_item(&keys::spending(organization, participant), &next)?;
        let condition = at_version(spending.version);
        self.put_action(item, &condition)
    }

    fn redemption_action(
        &self,
        organization: &OrganizationId,
        row: &RedemptionRow,
        amount: i64,
        note: Option<Note>,
        now: DateTime<Utc>,
    ) -> Result<TransactWriteItem, StoreError> {
        let line = Redemption {
            participant: row.participant.clone(),
            reference: row.reference.clone(),
            amount,
            unit: row.unit,
            note,
            recorded_at: now,
        };
        let mut item = to_item(&keys::redemption_line(organization, &line), &line)?;
        item.insert("kind".to_owned(), text("redemption"));
        self.put_action(item, &absent())
    }
}
