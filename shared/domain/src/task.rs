//! Tasks: what a rule asks an administrator to do (mission 000).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{OrganizationId, RewardId, TaskId};

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// It is to be done.
    Open,
    /// It was done.
    Done,
    /// It is not to be done any more.
    Dismissed,
}

impl TaskState {
    /// Whether something is still to be done.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }
}

impl TaskId {
    /// The task that a reward comes to.
    #[must_use]
    pub fn of(organization: &OrganizationId, reward: &RewardId) -> Self {
        Self::derive(&[organization.as_str(), reward.as_str()])
    }
}
