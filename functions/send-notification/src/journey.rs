//! A participant's journey through a campaign, when it is due to be looked at.

use aws::store::{CampaignRow, DueClaim, JourneyRow, NotificationRow, ParticipantRow, StoreError};
use domain::campaign::{Audience, Goal, Next, Over, Seen};
use domain::id::{CampaignId, NotificationId, OrganizationId, ParticipantId};
use domain::notification::About;
use domain::program::ProgramStatus;

use crate::{Came, Deps, NotifyError, notification};

/// Goes on with a journey that is due, and sends what it leads to.
pub(crate) async fn go_on(
    deps: &Deps,
    organization: &OrganizationId,
    participant: &ParticipantId,
    campaign: &CampaignId,
) -> Result<Came, NotifyError> {
    let row = match deps.store.claim_journey(organization, participant, campaign, deps.clock.now()).await? {
        DueClaim::Claimed(row) => *row,
        DueClaim::NotDue => return Ok(Came::Done),
        DueClaim::Absent => return Ok(Came::Absent(format!("journey of {participant} through {campaign}"))),
    };
    let campaigns = deps.store.list_recent_campaigns(organization).await?;
    let campaign = campaigns.iter().find(|known| known.campaign == row.campaign);
    let participant = deps.store.find_participant(organization, &row.participant).await?;
    let (Some(campaign), Some(participant)) = (campaign, participant) else {
        return Err(StoreError::Corrupt { detail: format!("{} leads nowhere", row.campaign) }.into());
    };
    let Some(made) = look(deps, organization, row, campaign, &participant).await? else {
        return Ok(Came::Done);
    };
    // It is due whether this succeeds or not.
    let id = made.notification.clone();
    if let Err(error) = notification::attempt(deps, organization, made, Some(&participant)).await {
        tracing::warn!(notification.id = %id, %error, "the notification is left to the sweeper");
    }
    Ok(Came::Done)
}

/// Decides what comes of a journey that was claimed, and writes it; the notification that is to be sent, claimed.
async fn look(
    deps: &Deps,
    organization: &OrganizationId,
    row: JourneyRow,
    campaign: &CampaignRow,
    participant: &ParticipantRow,
) -> Result<Option<NotificationRow>, NotifyError> {
    let (store, now) = (&deps.store, deps.clock.now());
    let program = store.find_recent_program(organization, &campaign.program).await?;
    let program = program.map_or(ProgramStatus::Ended, |row| row.program.status_at(now));
    let takes_part = !participant.assignments.last().is_some_and(|latest| latest.disabled);
    let plan = &campaign.plan.in_force(program, takes_part);
    let seen = see(deps, organization, campaign, participant).await?;
    let becomes = match plan.next(&row.journey, seen, now) {
        Next::Become(journey) => journey,
        Next::Send => {
            let day = now.date_naive();
            if store.take_campaign_place(organization, &row.campaign, day, plan.per_day_max).await? {
                return send(deps, organization, row, campaign).await;
            }
            plan.tomorrow(&row.journey, now)
        }
    };
    if becomes.over.is_some_and(|over| over != Over::Completed) {
        tracing::info!(campaign.id = %row.campaign, over = ?becomes.over, "a journey through a campaign is over");
    }
    store.complete_journey(organization, &JourneyRow { journey: becomes, ..row }, None).await?;
    Ok(None)
}

async fn send(
    deps: &Deps,
    organization: &OrganizationId,
    row: JourneyRow,
    campaign: &CampaignRow,
) -> Result<Option<NotificationRow>, NotifyError> {
    let (now, journey) = (deps.clock.now(), &row.journey);
    let (round, step) = (journey.round.to_string(), journey.step.to_string());
    let about = ["campaign", row.campaign.as_str(), &round, &step];
    let id = NotificationId::of(&row.participant, journey.next_at.unwrap_or(now), &about);
    let about = About::Campaign { campaign: row.campaign.clone(), step: journey.step };
    let notification = NotificationRow::new(id.clone(), campaign.program.clone(), about, now).claimed();
    let journey = campaign.plan.sent(journey, &id, now);
    let written = deps
        .store
        .complete_journey(organization, &JourneyRow { journey, ..row }, Some(&notification))
        .await?;
    Ok(written.then_some(notification))
}

/// What is known of the participant, as far as the campaign asks.
async fn see(
    deps: &Deps,
    organization: &OrganizationId,
    campaign: &CampaignRow,
    participant: &ParticipantRow,
) -> Result<Seen, StoreError> {
    let (store, id) = (&deps.store, &participant.participant);
    let asks_for_referrals = campaign.plan.goal == Some(Goal::Referral)
        || matches!(campaign.plan.audience, Audience::InactiveForDays(_));
    let last_referral =
        if asks_for_referrals { store.last_referral_at(organization, id).await? } else { None };
    let asks_for_rewards = campaign.plan.goal == Some(Goal::Reward);
    let last_reward = if asks_for_rewards { store.last_reward_at(organization, id).await? } else { None };
    Ok(Seen { last_referral, last_reward, unsubscribed: participant.unsubscribed_at.is_some() })
}
