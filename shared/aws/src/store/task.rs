//! Tasks for administrators.

use chrono::{DateTime, Utc};
use domain::id::{ExternalId, OrganizationId, ParticipantId, ProgramId, RewardId, RuleId, TaskId};
use domain::ledger::Note;
use domain::task::TaskState;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::item::{Item, Write, absent, at_version, from_item, index_in, to_item};
use super::keys;
use super::page::Page;

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRow {
    /// Its id.
    pub task: TaskId,
    /// What is to be done.
    pub title: String,
    /// More of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// Where it stands.
    pub state: TaskState,
    /// Until when it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// Of which program.
    pub program: ProgramId,
    /// Who earned.
    pub participant: ParticipantId,
    /// Whose event it was.
    pub referee: ExternalId,
    /// By which rule.
    pub rule: RuleId,
    /// The reward that it is.
    pub reward: RewardId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// How it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
    /// Counts the writes.
    pub version: u64,
}

/// How a task was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// When.
    pub at: DateTime<Utc>,
    /// Who, and why.
    pub note: Note,
}

impl Store {
    /// Writes a task; one that is there stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_task(&self, organization: &OrganizationId, row: &TaskRow) -> Result<(), StoreError> {
        self.put_if(task_item(organization, row)?, &absent()).await.map(|_| ())
    }

    /// Writes a task with another state; `false` when it changed in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_task_state(
        &self,
        organization: &OrganizationId,
        row: &TaskRow,
    ) -> Result<bool, StoreError> {
        let next = TaskRow { version: row.version.saturating_add(1), ..row.clone() };
        let written = self.put_if(task_item(organization, &next)?, &at_version(row.version)).await?;
        Ok(matches!(written, Write::Done(_)))
    }

    /// A task; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_task(
        &self,
        organization: &OrganizationId,
        id: &TaskId,
    ) -> Result<Option<TaskRow>, StoreError> {
        self.get(&keys::task(organization, id), true).await?.map(from_item).transpose()
    }

    /// Tasks that are open, or closed, the oldest first, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_tasks(
        &self,
        organization: &OrganizationId,
        open: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<TaskRow>, StoreError> {
        let partition = |shard| keys::tasks_partition(organization, open, shard);
        let Page { rows: places, next } = self.list_sharded(partition, after, limit).await?;
        let mut rows: Vec<TaskRow> =
            self.get_all(&places).await?.into_iter().map(from_item).collect::<Result<_, _>>()?;
        rows.retain(|row| row.state.is_open() == open);
        Ok(Page { rows, next })
    }
}

fn task_item(organization: &OrganizationId, row: &TaskRow) -> Result<Item, StoreError> {
    let mut item = to_item(&keys::task(organization, &row.task), row)?;
    let open = row.state.is_open();
    let at = row.closed.as_ref().map_or(row.created_at, |closed| closed.at);
    index_in(&mut item, keys::LISTING_INDEX, &keys::task_listing(organization, &row.task, at, open));
    Ok(item)
}
