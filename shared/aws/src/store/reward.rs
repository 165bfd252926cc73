//! Rewards on their way to the participant: claimed under a lease, completed under a fence.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Duration, Utc};
use domain::id::{OrganizationId, ParticipantId, RewardId};
use domain::ledger::{Line, Note, Promise, Reward, RewardState};

use super::Store;
use super::error::StoreError;
use super::item::{Change, Item, Write, from_item, key_of, number, set_all, text, text_of, to_attribute};
use super::keys::{self, Key};
use super::page::Page;

/// How long a worker may take before another may claim the reward.
pub(crate) const LEASE_SECONDS: i64 = 120;

/// How a claim ended.
#[derive(Debug)]
pub enum Claim {
    /// Claimed: the reward as it is to be delivered.
    Claimed(Box<Reward>),
    /// Another worker holds it.
    Leased,
    /// It waits for an approval, for a date or for more earnings.
    Waiting(Box<Reward>),
    /// There is nothing to deliver (any more).
    Settled,
    /// There is no such reward.
    Absent,
}

/// How a completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Written.
    Done,
    /// Another worker has claimed the reward since; it completes it.
    Fenced,
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
                let reward: Reward = from_item(item)?;
                Ok(match reward.state {
                    RewardState::Fulfilling => Claim::Leased,
                    RewardState::Pending | RewardState::Held => Claim::Waiting(Box::new(reward)),
                    RewardState::Approved
                    | RewardState::Fulfilled
                    | RewardState::Rejected
                    | RewardState::Reversed
                    | RewardState::Expired
                    | RewardState::Failed => Claim::Settled,
                })
            }
        }
    }

    /// Marks a claimed reward as delivered: `payable` becomes available, and nothing is left to do. A reward that was
    /// taken back in full while it was delivered ends as reversed; its clawback is a line of its own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn complete_reward(
        &self,
        organization: &OrganizationId,
        reward: &Reward,
        now: DateTime<Utc>,
    ) -> Result<Completion, StoreError> {
        let mut net = reward.net;
        loop {
            let state = if net == 0 { RewardState::Reversed } else { RewardState::Fulfilled };
            let condition = "#state = :fulfilling AND attempt = :attempt AND #net = :net";
            let attributes = vec![
                ("state", to_attribute(&state)?),
                ("settled", AttributeValue::Bool(true)),
                ("available", number(reward.payable)),
                ("fulfilled_at", to_attribute(&now)?),
            ];
            let mut change = set_all(attributes, condition)
                .name("#net", "net")
                .value(":fulfilling", to_attribute(&RewardState::Fulfilling)?)
                .value(":attempt", number(reward.attempt))
                .value(":net", number(net));
            change.expression.push_str(" REMOVE due_pk, due_sk, lease_until");
            match self.update(&keys::reward(organization, &reward.reward), &change).await? {
                Write::Done(_) => return Ok(Completion::Done),
                Write::Refused(item) => {
                    let found: Reward = from_item(item)?;
                    let ours = found.state == RewardState::Fulfilling && found.attempt == reward.attempt;
                    if !ours || found.net == net {
                        return Ok(Completion::Fenced);
                    }
                    // A refund changed what stands; it changes the state written here and nothing else.
                    net = found.net;
                }
            }
        }
    }

    /// Approves a reward that waits for it, and notes who did; answers the reward as it is then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn approve_reward(
        &self,
        organization: &OrganizationId,
        reward: &Reward,
        note: &Note,
        now: DateTime<Utc>,
    ) -> Result<Reward, StoreError> {
        let key = keys::reward(organization, &reward.reward);
        let promise = Promise { needs_approval: false, ..reward.promise.clone() };
        let state = promise.approved_state(now);
        let mut attributes = vec![
            ("promise", to_attribute(&promise)?),
            ("state", to_attribute(&state)?),
            ("note", to_attribute(note)?),
            ("ready_at", to_attribute(&now)?),
        ];
        let due = if state == RewardState::Approved {
            Some(now)
        } else if promise.below_threshold {
            promise.expires_at
        } else {
            promise.held_until
        };
        if let Some(due) = due.map(|due| keys::due(&key, due)) {
            attributes.extend([("due_pk", text(due.pk)), ("due_sk", text(due.sk))]);
        }
        // Enough may have been earned since it was read; then it is read again.
        let unchanged = if promise.below_threshold { "attribute_exists" } else { "attribute_not_exists" };
        let change =
            set_all(attributes, &format!("#state = :pending AND {unchanged}(#promise.below_threshold)"));
        let change = change.value(":pending", to_attribute(&RewardState::Pending)?);
        match self.update(&key, &change).await? {
            Write::Done(item) | Write::Refused(item) => from_item(item),
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
            Line::Entry(_) => None,
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
