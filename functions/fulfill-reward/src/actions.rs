//! What a delivery leads to here: that its recipient is told, and that a task is made. Each has the reward's id in its own,
//! so that it is made once however often the delivery is told of.

use aws::store::{NotificationRow, StoreError, TaskRow};
use chrono::Duration;
use domain::id::{NotificationId, OrganizationId, TaskId};
use domain::ledger::Reward;
use domain::message::NotifyMessage;
use domain::notification::About;
use domain::task::TaskState;
use domain::terms::{RewardKind, RewardRule, TaskTemplate};

use crate::Deps;

/// Makes what a reward leads to that is delivered, or is about to be; answers the notification that is to be sent then.
pub(crate) async fn take(
    deps: &Deps,
    organization: &OrganizationId,
    reward: &Reward,
) -> Result<Option<NotificationId>, StoreError> {
    if reward.kind() == RewardKind::Task {
        make_task(deps, organization, reward).await?;
    }
    if !reward.promise.message {
        return Ok(None);
    }
    let (id, about) = (NotificationId::of_reward(reward), About::Reward(reward.reward.clone()));
    let row = NotificationRow::new(id.clone(), reward.program.clone(), about, deps.clock.now());
    Ok(deps.store.commit_notification(organization, &row).await?.then_some(id))
}

/// Has a notification sent, once the delivery is written that it tells of. It is due whether that succeeds or not.
pub(crate) async fn announce(deps: &Deps, organization: &OrganizationId, made: Option<NotificationId>) {
    let Some(notification) = made else { return };
    let due = NotifyMessage::NotificationDueV1 { organization: organization.clone(), notification };
    if let Err(error) = deps.notify_queue.send(&due).await {
        tracing::warn!(%error, "the notification is left to the sweeper");
    }
}

async fn make_task(deps: &Deps, organization: &OrganizationId, reward: &Reward) -> Result<(), StoreError> {
    let rule = find_rule(deps, organization, reward).await?;
    let template = rule.as_ref().and_then(|rule| rule.task.clone());
    let described = rule.and_then(|rule| rule.description).unwrap_or_else(|| reward.rule.to_string());
    let TaskTemplate { title, details, due_days } =
        template.unwrap_or(TaskTemplate { title: described, details: None, due_days: None });
    let now = deps.clock.now();
    let row = TaskRow {
        task: TaskId::of(organization, &reward.reward),
        title,
        details,
        state: TaskState::Open,
        due_at: due_days.map(|days| now + Duration::days(i64::from(days))),
        program: reward.program.clone(),
        participant: reward.participant.clone(),
        referee: reward.referee.clone(),
        rule: reward.rule.clone(),
        reward: reward.reward.clone(),
        created_at: now,
        closed: None,
        version: 1,
    };
    deps.store.commit_task(organization, &row).await
}

/// The rule that a reward was earned by; none of what was given by hand.
async fn find_rule(
    deps: &Deps,
    organization: &OrganizationId,
    reward: &Reward,
) -> Result<Option<RewardRule>, StoreError> {
    let Some(program) = deps.store.find_recent_program(organization, &reward.program).await? else {
        return Ok(None);
    };
    let terms = deps.store.get_terms(organization, &program, reward.terms_version).await?;
    Ok(terms.draft.rules.into_iter().find(|rule| rule.id == reward.rule))
}
