//! Keys of campaigns, notifications and tasks.

use chrono::{DateTime, NaiveDate, Utc};
use domain::id::{CampaignId, NotificationId, OrganizationId, ParticipantId, TaskId, time_digits};

use super::{CAMPAIGNS, Key, LIST_SHARDS, participant_partition};

/// A campaign.
pub(crate) fn campaign(organization: &OrganizationId, id: &CampaignId) -> Key {
    Key::new(organization.as_str(), format!("{CAMPAIGNS}{id}"))
}

fn campaign_partition(organization: &OrganizationId, id: &CampaignId) -> String {
    format!("{organization}#{id}")
}

/// What a campaign says.
pub(crate) fn campaign_messages(organization: &OrganizationId, id: &CampaignId) -> Key {
    Key::new(campaign_partition(organization, id), "MESSAGES")
}

/// How far a campaign has come to those who were enrolled before it.
pub(crate) fn walk(organization: &OrganizationId, id: &CampaignId) -> Key {
    Key::new(campaign_partition(organization, id), WALK)
}

pub(crate) const WALK: &str = "WALK";

/// What a campaign has sent on a day.
pub(crate) fn campaign_day(organization: &OrganizationId, id: &CampaignId, day: NaiveDate) -> Key {
    Key::new(campaign_partition(organization, id), format!("DAY#{day}"))
}

/// A participant's journey through a campaign.
pub(crate) fn journey(organization: &OrganizationId, participant: &ParticipantId, id: &CampaignId) -> Key {
    Key::new(participant_partition(organization, participant), format!("{JOURNEYS}{id}"))
}

/// Sort key prefix of journeys within a participant's partition.
pub(crate) const JOURNEYS: &str = "JOURNEY#";

/// A notification.
pub(crate) fn notification(organization: &OrganizationId, id: &NotificationId) -> Key {
    let (time, tail) = id.place();
    Key::new(participant_partition(organization, &id.participant()), format!("{NOTIFICATIONS}{time}#{tail}"))
}

/// Sort key prefix of notifications within a participant's partition.
pub(crate) const NOTIFICATIONS: &str = "NOTIFICATION#";

pub(crate) fn task(organization: &OrganizationId, id: &TaskId) -> Key {
    Key::new(format!("{organization}#{id}"), TASK)
}

const TASK: &str = "TASK";

/// The listing index's key of a task.
pub(crate) fn task_listing(organization: &OrganizationId, id: &TaskId, at: DateTime<Utc>, open: bool) -> Key {
    let shard = task(organization, id).shard(LIST_SHARDS);
    Key::new(tasks_partition(organization, open, shard), format!("{}#{id}", time_digits(at)))
}

pub(crate) fn tasks_partition(organization: &OrganizationId, open: bool, shard: u32) -> String {
    let kind = if open { "TASKS" } else { "CLOSED-TASKS" };
    format!("{organization}#{kind}#{shard}")
}
