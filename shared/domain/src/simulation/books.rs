//! The books of a simulation, and what workers, administrators and time do to them: in memory, and under the same
//! conditions, what the engine writes to its table.

use crate::decision::Release;
use crate::id::{ExternalId, ParticipantId, RewardId, SourceKind};
use crate::ledger::{
    Balances, Cause, Context, Entry, Line, Posted, Reward, RewardState, add_line, note, take_back,
};
use crate::money::MoneyError;
use crate::referral::Binding;

use super::{Decided, Simulation, SimulationError};

impl Simulation {
    /// Every reward as it is now.
    pub fn rewards(&self) -> impl Iterator<Item = &Reward> {
        self.rewards.values()
    }

    /// Every line that corrects a reward, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What somebody's sign-up has led to.
    #[must_use]
    pub fn referral(&self, referee: &ExternalId) -> Binding {
        self.binding(Some(referee))
    }

    /// What a participant has: the fold of its ledger.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn balances(&self, participant: &ParticipantId) -> Result<Balances, MoneyError> {
        let mut balances = Balances::new();
        for reward in self.rewards.values().filter(|reward| reward.participant == *participant) {
            add_line(&mut balances, &Line::Reward(Box::new(reward.clone())))?;
        }
        for entry in self.entries.iter().filter(|entry| entry.participant == *participant) {
            add_line(&mut balances, &Line::Entry(Box::new(entry.clone())))?;
        }
        Ok(balances)
    }

    /// A worker claims a reward for its delivery, if it is to be delivered; whether it was.
    pub fn claim(&mut self, id: &RewardId) -> bool {
        let now = self.now;
        let Some(reward) = self.rewards.get_mut(id).filter(|reward| reward.is_deliverable(now)) else {
            return false;
        };
        reward.state = RewardState::Fulfilling;
        reward.attempt = reward.attempt.saturating_add(1);
        true
    }

    /// A worker has delivered a reward that it had claimed; whether it had.
    pub fn complete(&mut self, id: &RewardId) -> bool {
        let claimed = |reward: &&mut Reward| reward.state == RewardState::Fulfilling;
        let Some(reward) = self.rewards.get_mut(id).filter(claimed) else { return false };
        *reward = reward.completed(None, reward.untold.len(), self.now);
        true
    }

    /// An administrator approves a reward that waits for it; whether it did.
    pub fn approve(&mut self, id: &RewardId) -> bool {
        let now = self.now;
        let waits = |reward: &&mut Reward| reward.state == RewardState::Pending;
        let Some(reward) = self.rewards.get_mut(id).filter(waits) else { return false };
        *reward = reward.approved(None, now);
        true
    }

    /// Takes back what stands of a reward, or `amount` of it. Nothing where the engine would refuse: nothing stands, it is
    /// just being delivered, or it was delivered and `cause` is for those that were not.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn take_back(
        &mut self,
        id: &RewardId,
        amount: Option<i64>,
        cause: Cause,
    ) -> Result<Option<Vec<Decided>>, SimulationError> {
        let Some(reward) = self.rewards.get(id).cloned() else { return Ok(None) };
        let Some(posted) = self.posted(&reward).cloned() else { return Ok(None) };
        if cause != Cause::TakenBack && reward.fulfilled_at.is_some() {
            return Ok(None);
        }
        let context = Context {
            program: reward.program.clone(),
            terms_version: reward.terms_version,
            referee: reward.referee.clone(),
            opens: Cause::Granted,
            takes_back: cause,
            note: None,
            occurred_at: reward.occurred_at,
            recorded_at: self.now,
        };
        let Some((posting, after)) = take_back(&posted, &reward, amount, &context)? else {
            return Ok(None);
        };
        if reward.source.kind == SourceKind::Milestone {
            let awards = self.tallies.get_mut(&reward.participant).map(|tally| &mut tally.milestones);
            let award = awards.and_then(|all| all.iter_mut().find(|award| award.posted == posted));
            if let Some(award) = award {
                award.posted = after;
            }
        } else if let Some(row) = self.sources.get_mut(&reward.source) {
            note(&mut row.posted, Some(&posted), after);
        }
        if self.counts() {
            self.tallies.entry(reward.participant.clone()).or_default().earn(posting.amount())?;
        }
        let (_, reward) = self.write(posting)?;
        Ok(Some(self.cascade(&reward)?))
    }

    /// Lets rewards go on that waited until enough is earned.
    pub(super) fn release(&mut self, release: &Release) {
        let now = self.now;
        let released = |reward: &&mut Reward| {
            let reached =
                release.iter().any(|(who, unit)| *who == reward.participant && *unit == reward.unit);
            reached && reward.promise.below_threshold
        };
        for reward in self.rewards.values_mut().filter(released) {
            reward.promise.below_threshold = false;
            reward.ready_at = Some(now);
            if reward.state == RewardState::Held {
                reward.state = reward.promise.approved_state(now);
            }
        }
    }

    /// What is posted of a reward, where it was posted from.
    fn posted(&self, reward: &Reward) -> Option<&Posted> {
        let of = |posted: &&Posted| posted.reward == reward.reward;
        if reward.source.kind == SourceKind::Milestone {
            let awards = &self.tallies.get(&reward.participant)?.milestones;
            return awards.iter().map(|award| &award.posted).find(of);
        }
        self.sources.get(&reward.source)?.posted.iter().find(of)
    }
}
