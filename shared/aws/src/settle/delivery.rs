//! What people do about the delivery of a reward: agree to it, make it by hand, or let it be tried again. Nothing here
//! changes what a reward is worth.

use domain::id::{OrganizationId, RewardId};
use domain::ledger::{Note, Reward, RewardState};

use super::{ATTEMPTS_MAX, ByHand, SettleError, Settler};
use crate::store::{Moved, StoreError};

impl Settler {
    /// Approves a reward that waits for it; `note` says who did, and why. One that is approved already is answered as it
    /// is.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn approve(
        &self,
        organization: &OrganizationId,
        id: &RewardId,
        note: &Note,
    ) -> Result<ByHand, SettleError> {
        let now = self.clock.now();
        self.moved(organization, id, |reward| match reward.state {
            RewardState::Pending => Step::Becomes(Box::new(reward.approved(Some(note), now))),
            RewardState::Approved | RewardState::Held | RewardState::Fulfilling | RewardState::Fulfilled => {
                Step::IsDone
            }
            RewardState::Rejected | RewardState::Reversed | RewardState::Expired | RewardState::Failed => {
                Step::NotPossible
            }
        })
        .await
    }

    /// Notes that a reward was delivered by hand, or by whoever was to deliver it. One that is delivered already is answered
    /// as it is.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn fulfill(
        &self,
        organization: &OrganizationId,
        id: &RewardId,
        note: &Note,
    ) -> Result<ByHand, SettleError> {
        let now = self.clock.now();
        self.moved(organization, id, |reward| {
            if reward.can_be_fulfilled_by_hand() {
                Step::Becomes(Box::new(reward.fulfilled_by_hand(note, now)))
            } else if reward.state == RewardState::Fulfilled {
                Step::IsDone
            } else if reward.is_being_delivered() {
                Step::Delivering
            } else {
                Step::NotPossible
            }
        })
        .await
    }

    /// Lets a delivery that has failed be tried again. One that is to be delivered, or was, is answered as it is.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn retry(
        &self,
        organization: &OrganizationId,
        id: &RewardId,
        note: &Note,
    ) -> Result<ByHand, SettleError> {
        let now = self.clock.now();
        self.moved(organization, id, |reward| match reward.state {
            _ if reward.failure.is_some() => Step::Becomes(Box::new(reward.retried(note, now))),
            RewardState::Approved | RewardState::Fulfilling | RewardState::Fulfilled => Step::IsDone,
            RewardState::Pending
            | RewardState::Held
            | RewardState::Rejected
            | RewardState::Reversed
            | RewardState::Expired
            | RewardState::Failed => Step::NotPossible,
        })
        .await
    }

    /// Moves a reward by what `step` says of it as it is.
    async fn moved(
        &self,
        organization: &OrganizationId,
        id: &RewardId,
        step: impl Fn(&Reward) -> Step,
    ) -> Result<ByHand, SettleError> {
        let Some(reward) = self.store.find_reward(organization, id).await? else {
            return Ok(ByHand::Absent);
        };
        let mut reward = Box::new(reward);
        for _ in 0..ATTEMPTS_MAX {
            let after = match step(&reward) {
                Step::Becomes(after) => after,
                Step::IsDone => return Ok(ByHand::Done(reward)),
                Step::NotPossible => return Ok(ByHand::NotPossible(reward)),
                Step::Delivering => return Ok(ByHand::Delivering),
            };
            match self.store.move_reward(organization, &reward, &after, self.clock.now()).await? {
                Moved::Done(now) => {
                    self.announce_reward(organization, id).await;
                    return Ok(ByHand::Done(now));
                }
                Moved::Changed(found) => reward = found,
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
    }
}

/// What is to become of a reward.
enum Step {
    /// This.
    Becomes(Box<Reward>),
    /// What is wanted is so already.
    IsDone,
    /// Its state does not allow it.
    NotPossible,
    /// A worker is at it.
    Delivering,
}
