//! What follows from a commit: the queue is told, second-level rewards are decided, rewards that waited for earnings are
//! released. The rows are due until it is done, and the sweeper does what is not done here.

use domain::decision::Release;
use domain::event::{Event, What};
use domain::fact::{Fact, Payer};
use domain::id::{OrganizationId, ParticipantId, RewardId, SourceId, SourceKind};
use domain::ledger::Posting;
use domain::message::FulfillMessage;

use super::{PayerState, SettleError, Settler};
use crate::store::{SourceRow, StoreError};

impl Settler {
    /// Tells the queue what is due: something is to be delivered, or the outside is to be told. Only for speed: the rewards'
    /// rows are due until that is done, and the sweeper sends again whatever was not.
    pub(super) async fn announce(&self, organization: &OrganizationId, postings: &[Posting]) {
        for posting in postings {
            self.announce_reward(organization, &posting.reward().reward).await;
        }
    }

    pub(super) async fn announce_reward(&self, organization: &OrganizationId, reward: &RewardId) {
        let message =
            FulfillMessage::RewardDueV1 { organization: organization.clone(), reward: reward.clone() };
        if let Err(error) = self.fulfill_queue.send(&message).await {
            tracing::warn!(reward.id = %reward, %error, "not announced; the sweeper will");
        }
    }

    /// What is told where a referral earns something and is not told to have done so, if anybody wants it: which referral, and
    /// the event. What a reward earns for a second level is its recipient's referral's, and is no event of a referee.
    pub(super) async fn conversion(
        &self,
        organization: &OrganizationId,
        row: &SourceRow,
        payer: &PayerState,
        postings: &[Posting],
    ) -> Result<Option<(u32, Event)>, SettleError> {
        let earns =
            |posting: &Posting| matches!(posting, Posting::Open(reward) if reward.source == row.source);
        let (Some(known), Some(payment)) = (&payer.row, &row.state.payment) else { return Ok(None) };
        if row.source.kind == SourceKind::Reward || !postings.iter().any(earns) {
            return Ok(None);
        }
        let Ok((referral, _)) = payer.binding.judged_at(payment.paid_at, row.memory.referral) else {
            return Ok(None);
        };
        if known.has_converted(referral.number) {
            return Ok(None);
        }
        let event = Event::of_referral(organization, What::ReferralConverted, referral, row.updated_at);
        Ok(self.events.wanted(event).await?.map(|event| (referral.number, event)))
    }

    /// Decides what follows from a commit. Only for speed: the rows are due until it is done, and the sweeper does it if
    /// this does not.
    pub(super) async fn follow_up(
        &self,
        organization: &OrganizationId,
        cascades: &[SourceId],
        release: &Release,
    ) {
        for source in cascades {
            if let Err(error) = Box::pin(self.settle_cascade(organization, source)).await {
                tracing::warn!(source.id = %source, %error, "second-level rewards not decided; the sweeper will");
            }
        }
        for (participant, _) in release {
            if let Err(error) = self.release(organization, participant).await {
                tracing::warn!(participant.id = %participant, %error, "held rewards not released; the sweeper will");
            }
        }
    }

    /// Decides the second-level rewards of a reward: `source` is that reward.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn settle_cascade(
        &self,
        organization: &OrganizationId,
        source: &SourceId,
    ) -> Result<(), SettleError> {
        let corrupt = |what: &str| StoreError::Corrupt { detail: format!("{source}: {what}") };
        let id = RewardId::parse(source.reference.as_str()).map_err(|error| corrupt(&error.to_string()))?;
        let reward =
            self.store.find_reward(organization, &id).await?.ok_or_else(|| corrupt("no such reward"))?;
        let participant = self.store.find_recent_participant(organization, &reward.participant).await?;
        let external_id = participant.map(|participant| participant.external_id);
        let payer = Payer { external_id, ..Payer::default() };
        let fact = Fact::of(source.clone(), payer, reward.as_source());
        self.settle(organization, source, Some(&fact)).await?;
        Ok(())
    }

    /// Releases the rewards of a participant that waited until enough was earned.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn release(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
    ) -> Result<(), SettleError> {
        for reward in self.store.release_held(organization, participant, self.clock.now()).await? {
            self.announce_reward(organization, &reward).await;
        }
        Ok(())
    }
}
