//! What is counted of a participant: one row, written under its version in the transaction that it was counted for.

use aws_sdk_dynamodb::types::TransactWriteItem;
use chrono::{DateTime, Utc};
use domain::id::{OrganizationId, ParticipantId, RewardId};
use domain::ledger::{Line, Promise, RewardState};
use domain::money::Unit;
use domain::tally::Tally;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::item::{
    Change, Write, at_version, from_item, index_in, number, set_all, text, to_attribute, to_item,
};
use super::keys;

/// Lines read at a time while rewards are released.
const PAGE: i32 = 100;

/// What is counted of a participant, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TallyRow {
    /// Whose.
    pub participant: ParticipantId,
    /// Counts the writes.
    pub version: u64,
    /// The counters.
    pub tally: Tally,
    /// Since when rewards that waited for earnings are to be released, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_from: Option<DateTime<Utc>>,
    /// The units whose rewards are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub release_units: Vec<Unit>,
}

impl TallyRow {
    /// The row with what was counted, and with the units whose rewards are to be released.
    #[must_use]
    pub fn counted(&self, tally: Tally, units: Vec<Unit>, now: DateTime<Utc>) -> Self {
        let mut next = Self { tally, ..self.clone() };
        if !units.is_empty() {
            next.release_from = Some(next.release_from.unwrap_or(now));
            next.release_units.extend(units);
            next.release_units.sort_unstable();
            next.release_units.dedup();
        }
        next
    }
}

impl Store {
    /// What is counted of a participant; a strong read. Counting begins with what the ledger says was earned; referrals
    /// are counted from the first qualifying event after the terms began to count.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get_tally(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        has_past: bool,
    ) -> Result<TallyRow, StoreError> {
        if let Some(item) = self.get(&keys::tally(organization, participant), true).await? {
            return from_item(item);
        }
        let mut tally = Tally::default();
        if has_past {
            for (unit, figures) in self.fold_balances(organization, participant).await? {
                let standing = figures.earned.checked_sub(figures.reversed);
                tally.earned.insert(unit, standing.ok_or_else(|| StoreError::corrupt("a sum does not fit"))?);
            }
            tally.referrals = self.count_referrals_of(organization, participant).await?;
        }
        Ok(TallyRow {
            participant: participant.clone(),
            version: 0,
            tally,
            release_from: None,
            release_units: Vec::new(),
        })
    }

    /// The write of a participant's counters, under the version that was read.
    pub(crate) fn tally_action(
        &self,
        organization: &OrganizationId,
        row: &TallyRow,
    ) -> Result<TransactWriteItem, StoreError> {
        let key = keys::tally(organization, &row.participant);
        let next = TallyRow { version: row.version.saturating_add(1), ..row.clone() };
        let mut item = to_item(&key, &next)?;
        if let Some(from) = row.release_from {
            index_in(&mut item, keys::DUE_INDEX, &keys::due(&key, from));
        }
        let condition = at_version(row.version);
        self.put_action(item, &condition)
    }

    /// Releases every reward of a participant that waited until enough was earned, where it now is. One that waits for
    /// approval too goes on waiting for that alone.
    ///
    /// # Errors
    /// [`StoreError`]; whoever repeats the call finishes it.
    pub async fn release_held(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        now: DateTime<Utc>,
    ) -> Result<Vec<RewardId>, StoreError> {
        let Some(item) = self.get(&keys::tally(organization, participant), true).await? else {
            return Ok(Vec::new());
        };
        let row: TallyRow = from_item(item)?;
        let mut released = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.list_lines_now(organization, participant, cursor.as_deref(), PAGE).await?;
            for line in page.rows {
                let Line::Reward(reward) = line else { continue };
                let waits = matches!(reward.state, RewardState::Held | RewardState::Pending);
                if !waits || !reward.promise.below_threshold || !row.release_units.contains(&reward.unit) {
                    continue;
                }
                let key = keys::reward(organization, &reward.reward);
                let promise = Promise { below_threshold: false, ..reward.promise.clone() };
                let state = promise.first_state(now);
                let mut attributes = vec![
                    ("promise", to_attribute(&promise)?),
                    ("state", to_attribute(&state)?),
                    ("ready_at", to_attribute(&now)?),
                ];
                if state != RewardState::Pending {
                    let due = promise.held_until.filter(|until| *until > now).unwrap_or(now);
                    let due = keys::due(&key, due);
                    attributes.extend([("due_pk", text(due.pk)), ("due_sk", text(due.sk))]);
                }
                let change = set_all(attributes, "#state = :was").value(":was", to_attribute(&reward.state)?);
                if let Write::Done(_) = self.update(&key, &change).await?
                    && state == RewardState::Approved
                {
                    released.push(reward.reward);
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let done = Change::new(
            "SET version = version + :one REMOVE release_from, release_units, due_pk, due_sk",
            "version = :version",
        )
        .value(":one", number(1))
        .value(":version", number(row.version));
        // Refused when it was written since: then it is still due, and done again.
        self.update(&keys::tally(organization, participant), &done).await?;
        Ok(released)
    }
}
