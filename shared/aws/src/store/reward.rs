//! Rewards on their way to the participant: claimed under a lease, moved on under a fence.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Duration, Utc};
use domain::id::{OrganizationId, ParticipantId, RewardId};
use domain::ledger::{Line, Reward, RewardState};

use super::Store;
use super::error::StoreError;
use super::item::{
    Change, Item, Write, from_item, key_of, number, set_all, text, text_of, to_attribute, to_item,
};
use super::keys::{self, Key};
use super::page::Page;

/// How long a worker may take before another may claim the reward.
pub const LEASE_SECONDS: i64 = 120;

/// How a claim ended.
#[derive(Debug)]
pub enum Claim {
    /// Claimed: the reward as it is to be delivered.
    Claimed(Box<Reward>),
    /// Another worker holds it, or somebody else is to deliver it.
    Leased(Box<Reward>),
    /// It waits for an approval, for a date or for more earnings.
    Waiting(Box<Reward>),
    /// There is nothing to deliver (any more).
    Settled(Box<Reward>),
    /// There is no such reward.
    Absent,
}

/// How a change of a reward ended.
#[derive(Debug)]
pub enum Moved {
    /// Written: the reward as it is now.
    Done(Box<Reward>),
    /// It has changed since it was read: as it was found.
    Changed(Box<Reward>),
}

impl Store {
    /// Claims a reward for delivery.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_reward(
        &self,
        organization: &OrganizationId,
        id: &RewardId,
        now: DateTime<Utc>,
    ) -> Result<Claim, StoreError> {
        let lease = now + Duration::seconds(LEASE_SECONDS);
        // A reward whose hold is over is as good as approved.
        let change = Change::new(
            "SET #state = :fulfilling, lease_until = :lease, attempt = attempt + :one",
            "#state = :approved OR (#state = :fulfilling AND lease_until < :now) OR (#state = :held AND \
             promise.held_until <= :now AND attribute_not_exists(promise.below_threshold))",
        )
        .name("#state", "state")
        .value(":fulfilling", to_attribute(&RewardState::Fulfilling)?)
        .value(":approved", to_attribute(&RewardState::Approved)?)
        .value(":held", to_attribute(&RewardState::Held)?)
        .value(":lease", to_attribute(&lease)?)
        .value(":now", to_attribute(&now)?)
        .value(":one", number(1));
        match self.update(&keys::reward(organization, id), &change).await? {
            Write::Done(item) => Ok(Claim::Claimed(Box::new(from_item(item)?))),
            Write::Refused(item) if item.is_empty() => Ok(Claim::Absent),
            Write::Refused(item) => {
                let reward: Box<Reward> = Box::new(from_item(item)?);
                Ok(match reward.state {
                    RewardState::Fulfilling => Claim::Leased(reward),
                    RewardState::Pending | RewardState::Held => Claim::Waiting(reward),
                    RewardState::Approved
                    | RewardState::Fulfilled
                    | RewardState::Rejected
                    | RewardState::Reversed
                    | RewardState::Expired
                    | RewardState::Failed => Claim::Settled(reward),
                })
            }
        }
    }

    /// Claims a reward that was delivered, and does not stand outside as it stands here, for a step that makes it so.
    /// `None` when another worker holds it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_step(
        &self,
        organization: &OrganizationId,
        id: &RewardId,
        now: DateTime<Utc>,
    ) -> Result<Option<Box<Reward>>, StoreError> {
        let lease = now + Duration::seconds(LEASE_SECONDS);
        let change = Change::new(
            "SET lease_until = :lease, attempt = attempt + :one",
            "settled = :true AND (attribute_not_exists(lease_until) OR lease_until < :now)",
        )
        .value(":true", AttributeValue::Bool(true))
        .value(":lease", to_attribute(&lease)?)
        .value(":now", to_attribute(&now)?)
        .value(":one", number(1));
        match self.update(&keys::reward(organization, id), &change).await? {
            Write::Done(item) => Ok(Some(Box::new(from_item(item)?))),
            Write::Refused(_) => Ok(None),
        }
    }

    /// Writes what has changed of a reward, on the condition that it is as it was read: in the same state, with the same
    /// lines, claimed by nobody else. It stays due as long as something is to be told or done.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn move_reward(
        &self,
        organization: &OrganizationId,
        before: &Reward,
        after: &Reward,
        now: DateTime<Utc>,
    ) -> Result<Moved, StoreError> {
        let key = keys::reward(organization, &before.reward);
        let (was, is) = (to_item(&key, before)?, to_item(&key, after)?);
        let mut sets: Vec<(&str, AttributeValue)> = Vec::new();
        for (name, value) in &is {
            if was.get(name) != Some(value) {
                sets.push((name, value.clone()));
            }
        }
        let gone = was.keys().filter(|name| !is.contains_key(*name)).cloned();
        let mut gone: Vec<String> = gone.collect();
        let due = if after.untold.is_empty() { after.due_at(now) } else { Some(now) };
        let due = due.map(|due| keys::due(&key, due));
        if let Some(due) = &due {
            sets.extend([("due_pk", text(&due.pk)), ("due_sk", text(&due.sk))]);
        } else {
            gone.extend(["due_pk".to_owned(), "due_sk".to_owned()]);
        }
        sets.sort_by_key(|(name, _)| *name);
        gone.sort_unstable();
        let mut condition =
            "#state = :was_state AND #lines = :was_lines AND attempt = :was_attempt".to_owned();
        if before.promise != after.promise {
            // Enough may have been earned since it was read; then it is read again.
            let waited = if before.promise.below_threshold { "exists" } else { "not_exists" };
            condition.push_str(&format!(" AND attribute_{waited}(#promise.below_threshold)"));
        }
        let change = if sets.is_empty() { Change::new("", condition) } else { set_all(sets, &condition) };
        let change = change
            .removing(gone.iter().map(String::as_str))
            .name("#state", "state")
            .name("#lines", "lines")
            .value(":was_state", to_attribute(&before.state)?)
            .value(":was_lines", number(before.lines))
            .value(":was_attempt", number(before.attempt));
        match self.update(&key, &change).await? {
            Write::Done(item) => Ok(Moved::Done(Box::new(from_item(item)?))),
            Write::Refused(item) => Ok(Moved::Changed(Box::new(from_item(item)?))),
        }
    }

    /// A reward by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_reward(
        &self,
        organization: &OrganizationId,
        id: &RewardId,
    ) -> Result<Option<Reward>, StoreError> {
        self.get(&keys::reward(organization, id), true).await?.map(from_item).transpose()
    }

    /// Rewards of a participant, newest first, page by page. A page can be short while there is more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_rewards_of(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<Reward>, StoreError> {
        let page = self.list_lines(organization, participant, cursor, limit).await?;
        let reward = |line| match line {
            Line::Reward(reward) => Some(*reward),
            Line::Entry(_) | Line::Redemption(_) => None,
        };
        Ok(Page { rows: page.rows.into_iter().filter_map(reward).collect(), next: page.next })
    }

    /// Rewards by their rows' keys.
    pub(crate) async fn get_rewards(&self, places: &[Key]) -> Result<Vec<Reward>, StoreError> {
        self.get_all(places).await?.into_iter().map(from_item).collect()
    }

    /// The keys of index rows of one kind.
    pub(crate) fn places_of(items: &[Item], kind: &str) -> Vec<Key> {
        items.iter().filter(|item| text_of(item, "kind") == kind).map(key_of).collect()
    }
}
