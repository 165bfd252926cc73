//! One reward, once: what is done about it in the state that it is in.

use aws::store::{LEASE_SECONDS, Moved, ParticipantRow};
use chrono::{DateTime, Duration, Utc};
use domain::customers::Customers;
use domain::id::OrganizationId;
use domain::ledger::{CONFIRM_DAYS, Failure, Handed, News, Outside, Reward, RewardState, Untold, Way};
use domain::terms::Deliverer;

use crate::way::{Receipt, Step, Undone, Way as _};
use crate::{Deps, Undelivered, actions, news};

/// Delivers a reward that was claimed.
pub(crate) async fn deliver(
    deps: &Deps,
    organization: &OrganizationId,
    reward: Reward,
) -> Result<(), Undelivered> {
    match reward.way() {
        Way::Balance | Way::Cash | Way::Action => complete(deps, organization, reward, None).await,
        Way::Listener => hand_over(deps, organization, reward).await,
        Way::Code | Way::ProcessorCredit | Way::ProcessorDiscount => {
            take_step(deps, organization, reward).await
        }
    }
}

/// A reward that somebody holds: nothing is done about it but that what happened to it is told while it waits.
pub(crate) async fn look_after(
    deps: &Deps,
    organization: &OrganizationId,
    reward: &Reward,
) -> Result<(), Undelivered> {
    if reward.handed.is_some() && reward.net == 0 {
        // Nothing is left that somebody could deliver.
        return complete(deps, organization, reward.clone(), None).await;
    }
    let now = deps.clock.now();
    // No worker's own claim lasts longer.
    let waits = reward.lease_until.is_some_and(|until| until > now + Duration::seconds(LEASE_SECONDS));
    if waits { rest(deps, organization, reward).await } else { Ok(()) }
}

/// Tells what is to be told of a reward, lets it go if its time is over, and leaves it until it is due again.
pub(crate) async fn rest(
    deps: &Deps,
    organization: &OrganizationId,
    reward: &Reward,
) -> Result<(), Undelivered> {
    if deps.settler.expire(organization, reward).await? {
        // It has changed: the message that tells of it has been sent, and it is due.
        return Ok(());
    }
    let made = news::tell(deps, organization, reward, None).await?;
    let after = Reward { untold: Vec::new(), ..reward.clone() };
    // If it has changed since, it is due, and looked at again.
    deps.store.move_reward(organization, reward, &after, deps.clock.now()).await?;
    actions::announce(deps, organization, made).await;
    Ok(())
}

/// A reward that is delivered, or never will be: what stands of it outside is made what stands of it here.
pub(crate) async fn settle_outside(
    deps: &Deps,
    organization: &OrganizationId,
    reward: &Reward,
) -> Result<(), Undelivered> {
    let differs = reward.way().has_steps() && reward.differs_outside() && reward.failure.is_none();
    if !differs || !reward.settled {
        return rest(deps, organization, reward).await;
    }
    match deps.store.claim_step(organization, &reward.reward, deps.clock.now()).await? {
        Some(claimed) => take_step(deps, organization, *claimed).await,
        None => Ok(()),
    }
}

/// Tells of a delivery, and writes it. What was corrected meanwhile stays to be told.
async fn complete(
    deps: &Deps,
    organization: &OrganizationId,
    reward: Reward,
    outside: Option<Outside>,
) -> Result<(), Undelivered> {
    let (now, told) = (deps.clock.now(), reward.untold.len());
    let after = reward.completed(outside.clone(), told, now);
    let fulfilled = Untold { news: News::Fulfilled, number: 0, at: now };
    let is_delivered = after.state == RewardState::Fulfilled;
    let last = is_delivered.then(|| news::event(organization, &after, &fulfilled));
    let made = news::tell(deps, organization, &reward, last).await?;
    let written =
        write(deps, organization, reward, now, |reward| reward.completed(outside.clone(), told, now));
    if let Some(reward) = written.await? {
        actions::announce(deps, organization, made).await;
        deps.metrics.fulfilled(&reward, now);
        tracing::info!(reward.id = %reward.reward, attempt = reward.attempt, "fulfilled");
        return tell_of_corrections(deps, organization, &reward).await;
    }
    Ok(())
}

/// Tells of what was corrected while a worker was at it, and whose own message found it leased.
async fn tell_of_corrections(
    deps: &Deps,
    organization: &OrganizationId,
    reward: &Reward,
) -> Result<(), Undelivered> {
    if reward.untold.is_empty() { Ok(()) } else { rest(deps, organization, reward).await }
}

/// Leaves a reward to somebody else: they are told that it was earned, and it waits for their confirmation.
async fn hand_over(deps: &Deps, organization: &OrganizationId, reward: Reward) -> Result<(), Undelivered> {
    let now = deps.clock.now();
    if reward.handed.is_some() {
        let failure = Failure::new("not_confirmed", "nobody has confirmed the delivery in time", now);
        return fail(deps, organization, reward, failure, None).await;
    }
    news::tell(deps, organization, &reward, None).await?;
    let told = reward.untold.len();
    let until = now + Duration::days(i64::from(reward.promise.confirm_days.unwrap_or(CONFIRM_DAYS)));
    let handed = |reward: &Reward| Reward {
        handed: Some(Handed { at: now, until }),
        lease_until: Some(until),
        untold: reward.untold.iter().skip(told).cloned().collect(),
        ..reward.clone()
    };
    match write(deps, organization, reward, now, handed).await? {
        Some(reward) => tell_of_corrections(deps, organization, &reward).await,
        None => Ok(()),
    }
}

/// Makes what stands outside what stands here: one step.
async fn take_step(deps: &Deps, organization: &OrganizationId, reward: Reward) -> Result<(), Undelivered> {
    let now = deps.clock.now();
    let participant = match reward.deliverer() {
        Deliverer::Processor => deps.store.find_participant(organization, &reward.participant).await?,
        Deliverer::Engine | Deliverer::Listener => None,
    };
    let to = participant.as_ref().and_then(|participant| participant.customers.stripe.clone());
    let begun = |reward: &Reward| {
        let outside = reward.outside.clone().unwrap_or_default().begun(reward.net, to.as_ref(), now);
        Reward { outside: Some(outside), ..reward.clone() }
    };
    let is_begun = reward.outside.as_ref().is_some_and(|outside| outside.sending.is_some());
    // Before anybody is called: so whoever comes after a crash sends the same under the same key.
    let reward = if is_begun {
        reward
    } else {
        let Some(reward) = write(deps, organization, reward, now, begun).await? else { return Ok(()) };
        reward
    };
    let outside = reward.outside.clone().unwrap_or_default();
    let Some(sending) = outside.sending.clone() else {
        // What was earned was taken back before anything was sent.
        return end_step(deps, organization, reward, outside).await;
    };
    // Whoever was given to, or may have been, is who it is for, whomever the participant is there by now.
    let customers = Customers { stripe: outside.to.clone() };
    let participant = participant.map(|participant| ParticipantRow { customers, ..participant });
    let step = Step {
        organization,
        reward: &reward,
        participant: participant.as_ref(),
        number: outside.steps,
        amount: sending.amount,
        key: sending.key,
        key_since: sending.key_since,
        now,
    };
    match deps.ways.take(&step).await {
        Ok(Receipt { reference }) => end_step(deps, organization, reward, outside.done(reference)).await,
        Err(Undone::Never { code, detail }) => {
            let failure = Failure::new(code, &detail, now);
            fail(deps, organization, reward, failure, Some(outside.refused(!is_begun, now))).await
        }
        Err(Undone::Later { after_seconds, renew, detail }) => {
            let again = sending.again(renew, now);
            let next = again.next_try(after_seconds, now);
            let outside = Outside { sending: Some(again), ..outside };
            let Some(next) = next else {
                let failure = Failure::new("retries_exhausted", &detail, now);
                return fail(deps, organization, reward, failure, Some(outside)).await;
            };
            tracing::warn!(reward.id = %reward.reward, detail, %next, "will be tried again");
            let waiting = |reward: &Reward| Reward {
                outside: Some(outside.clone()),
                lease_until: Some(next),
                ..reward.clone()
            };
            write(deps, organization, reward, now, waiting).await?;
            Ok(())
        }
    }
}

/// Writes that a step is done: the first completes the delivery. What differs then is due again.
async fn end_step(
    deps: &Deps,
    organization: &OrganizationId,
    reward: Reward,
    outside: Outside,
) -> Result<(), Undelivered> {
    if !reward.settled {
        return complete(deps, organization, reward, Some(outside)).await;
    }
    news::tell(deps, organization, &reward, None).await?;
    let (now, told) = (deps.clock.now(), reward.untold.len());
    let ended = |reward: &Reward| Reward {
        outside: Some(outside.clone()),
        lease_until: None,
        untold: reward.untold.iter().skip(told).cloned().collect(),
        ..reward.clone()
    };
    match write(deps, organization, reward, now, ended).await? {
        Some(reward) => tell_of_corrections(deps, organization, &reward).await,
        None => Ok(()),
    }
}

/// Writes that a delivery, or a step after it, has failed for good; and tells of it.
async fn fail(
    deps: &Deps,
    organization: &OrganizationId,
    reward: Reward,
    failure: Failure,
    outside: Option<Outside>,
) -> Result<(), Undelivered> {
    tracing::warn!(reward.id = %reward.reward, code = failure.code, detail = failure.detail, "not delivered");
    let failed = |reward: &Reward| reward.failed(failure.clone(), outside.clone());
    match write(deps, organization, reward, failure.at, failed).await? {
        Some(failed) => rest(deps, organization, &failed).await,
        None => Ok(()),
    }
}

/// Writes what becomes of a reward that this worker has claimed. A correction that came since is taken in; `None` when
/// somebody else has moved the reward.
async fn write(
    deps: &Deps,
    organization: &OrganizationId,
    mut reward: Reward,
    now: DateTime<Utc>,
    then: impl Fn(&Reward) -> Reward,
) -> Result<Option<Reward>, Undelivered> {
    loop {
        match deps.store.move_reward(organization, &reward, &then(&reward), now).await? {
            Moved::Done(after) => return Ok(Some(*after)),
            Moved::Changed(found) => {
                let is_ours = found.attempt == reward.attempt && found.settled == reward.settled;
                if !is_ours || found.lines == reward.lines {
                    return Ok(None);
                }
                reward = *found;
            }
        }
    }
}
