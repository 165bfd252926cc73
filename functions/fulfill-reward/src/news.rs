//! What the outside is told of a reward.

use domain::event::{Event, RewardData, What};
use domain::id::{NotificationId, OrganizationId, SourceKind};
use domain::ledger::{News, Reward, Untold};

use crate::{Deps, Undelivered, actions};

/// Tells everything that is still to be told of a reward, and then `last`; answers the notification that is to be sent once it
/// is written that this was told.
pub(crate) async fn tell(
    deps: &Deps,
    organization: &OrganizationId,
    reward: &Reward,
    last: Option<Event>,
) -> Result<Option<NotificationId>, Undelivered> {
    let mut events: Vec<Event> =
        reward.untold.iter().map(|untold| event(organization, reward, untold)).collect();
    // Who reaches a milestone earns its reward.
    let reached = reward.untold.iter().find(|untold| untold.news == News::Earned);
    if let Some(reached) = reached.filter(|_| reward.source.kind == SourceKind::Milestone) {
        let what = What::MilestoneReached(RewardData::of(reward));
        events.push(Event::new(organization, what, reward.reward.as_str(), reached.at));
    }
    events.extend(last);
    if events.is_empty() {
        return Ok(None);
    }
    let is_delivered = events.iter().any(|event| matches!(event.what, What::RewardFulfilled(_)));
    let made = if is_delivered { actions::take(deps, organization, reward).await? } else { None };
    let taken = deps.settler.events.queue.send_all(&events).await?;
    if taken < events.len() {
        return Err(Undelivered(format!("the queue took {taken} of {} events", events.len())));
    }
    Ok(made)
}

/// What is told of one thing that happened to a reward.
pub(crate) fn event(organization: &OrganizationId, reward: &Reward, untold: &Untold) -> Event {
    let data = RewardData::of(reward);
    let what = match untold.news {
        News::Earned => What::RewardEarned(data),
        News::Held => What::RewardHeld(data),
        News::Approved => What::RewardApproved(data),
        News::Fulfilled => What::RewardFulfilled(data),
        News::Reversed => What::RewardReversed(data),
        News::Restored => What::RewardRestored(data),
        News::Rejected => What::RewardRejected(data),
        News::Expired => What::RewardExpired(data),
        News::Failed => What::RewardFailed(data),
    };
    let subject = format!("{}/{}", reward.reward, untold.number);
    Event::new(organization, what, &subject, untold.at)
}
