//! Notifications: a row is its own outbox, in the due index until it is sent or given up.

use chrono::{DateTime, Utc};
use domain::id::{NotificationId, OrganizationId, ParticipantId, ProgramId};
use domain::ledger::Failure;
use domain::notification::{About, NotificationState, Written};
use domain::terms::Transport;
use serde::{Deserialize, Serialize};

use super::Store;
use super::claim::{DueClaim, lease_end, still_claimed};
use super::error::StoreError;
use super::item::{Item, Write, from_item, index_in, to_item};
use super::keys;
use super::page::{Page, Range, after, write_cursor};

/// Days that a notification can be looked at once it was sent or given up.
const DONE_DAYS: i64 = 365;

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationRow {
    /// Its id.
    pub notification: NotificationId,
    /// For whom.
    pub participant: ParticipantId,
    /// Of which program.
    pub program: ProgramId,
    /// What it is about.
    pub about: About,
    /// Where it stands.
    pub state: NotificationState,
    /// How it was sent, once it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// What was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
    /// What its transport calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Why it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// How often it was tried in vain.
    #[serde(default)]
    pub tries: u32,
    /// When it is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_at: Option<DateTime<Utc>>,
    /// Counts the claims: a late worker is fenced off.
    pub claims: u32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<DateTime<Utc>>,
}

impl NotificationRow {
    /// One that is to be sent now.
    #[must_use]
    pub fn new(id: NotificationId, program: ProgramId, about: About, now: DateTime<Utc>) -> Self {
        Self {
            participant: id.participant(),
            notification: id,
            program,
            about,
            state: NotificationState::Pending,
            transport: None,
            written: None,
            reference: None,
            failure: None,
            tries: 0,
            next_try_at: Some(now),
            claims: 0,
            created_at: now,
            sent_at: None,
        }
    }

    /// The same, claimed by whoever writes it and sends it at once.
    #[must_use]
    pub fn claimed(self) -> Self {
        Self { next_try_at: Some(lease_end(self.created_at)), claims: 1, ..self }
    }
}

impl Store {
    /// Writes a notification that is to be sent; `false` when there is one already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_notification(
        &self,
        organization: &OrganizationId,
        row: &NotificationRow,
    ) -> Result<bool, StoreError> {
        Ok(matches!(self.put_new(notification_item(organization, row)?).await?, Write::Done(_)))
    }

    /// Claims a notification that is due.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_notification(
        &self,
        organization: &OrganizationId,
        id: &NotificationId,
        now: DateTime<Utc>,
    ) -> Result<DueClaim<NotificationRow>, StoreError> {
        self.claim_due(&keys::notification(organization, id), now).await
    }

    /// Writes what became of a notification; `false` when another worker has claimed it since.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn complete_notification(
        &self,
        organization: &OrganizationId,
        row: &NotificationRow,
    ) -> Result<bool, StoreError> {
        let mut item = notification_item(organization, row)?;
        if row.state != NotificationState::Pending {
            item.insert(keys::TTL_ATTRIBUTE.to_owned(), self.days_from_now(DONE_DAYS));
        }
        Ok(matches!(self.put_if(item, &still_claimed(row.claims)).await?, Write::Done(_)))
    }

    /// What a participant was sent, and is to be sent, newest first, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_notifications(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<NotificationRow>, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let end = format!("{}~", keys::NOTIFICATIONS);
        let mut range = Range::new(&pk, keys::NOTIFICATIONS, &end, limit);
        range.newest_first = true;
        let (items, next) = self.query(&range, after(cursor, &["sk"], ("pk", &pk))).await?;
        let rows = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, &["sk"])) })
    }
}

/// A notification, in the due index where it is still to be sent.
pub(crate) fn notification_item(
    organization: &OrganizationId,
    row: &NotificationRow,
) -> Result<Item, StoreError> {
    let key = keys::notification(organization, &row.notification);
    let mut item = to_item(&key, row)?;
    if let Some(next) = row.next_try_at {
        index_in(&mut item, keys::DUE_INDEX, &keys::due(&key, next));
    }
    Ok(item)
}
