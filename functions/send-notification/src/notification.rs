//! One notification: claimed, written from its template, handed to its transport.

use aws::store::{DueClaim, NotificationRow, ParticipantRow, ProgramRow, StoreError};
use aws::telemetry::{NOTIFICATIONS_FAILED, NOTIFICATIONS_SENT};
use chrono::{DateTime, Duration, Utc};
use domain::id::{CampaignId, NotificationId, OrganizationId, RewardId, UnsubscribeToken};
use domain::ledger::Failure;
use domain::notification::{self, About, NotificationState, Telling, Written, name, next_try};
use domain::template::Variables;
use domain::terms::MessageTemplate;

use crate::transport::{Letter, Unsent};
use crate::{Came, Deps, NotifyError};

/// Seconds until a notification of a reward is looked at again whose delivery is not written yet.
const DELIVERY_SECONDS: i64 = 30;

/// What a notification comes to.
enum End {
    /// It was handed to its transport, which calls it so.
    Sent(Written, Option<String>),
    /// It waits until then, which counts as no try.
    Waits(DateTime<Utc>),
    /// It is tried again.
    Later(String),
    /// It cannot be sent.
    Never(Failure),
    /// It is not wanted any more.
    Suppressed,
}

/// What is to be written, and in which words.
struct Draft {
    template: MessageTemplate,
    variables: Variables,
}

/// Goes on with a notification that is due.
pub(crate) async fn go_on(
    deps: &Deps,
    organization: &OrganizationId,
    id: &NotificationId,
) -> Result<Came, NotifyError> {
    let row = match deps.store.claim_notification(organization, id, deps.clock.now()).await? {
        DueClaim::Claimed(row) => *row,
        DueClaim::NotDue => return Ok(Came::Done),
        DueClaim::Absent => return Ok(Came::Absent(format!("notification {id}"))),
    };
    let participant = deps.store.find_participant(organization, &row.participant).await?;
    attempt(deps, organization, row, participant.as_ref()).await.map(|()| Came::Done)
}

/// Sends a notification that was claimed, and writes what became of it.
pub(crate) async fn attempt(
    deps: &Deps,
    organization: &OrganizationId,
    mut row: NotificationRow,
    participant: Option<&ParticipantRow>,
) -> Result<(), NotifyError> {
    let end = match participant {
        Some(participant) => send(deps, organization, &mut row, participant).await?,
        None => {
            let detail = "whoever it is for is not enrolled in the program";
            End::Never(Failure::new("not_enrolled", detail, deps.clock.now()))
        }
    };
    let now = deps.clock.now();
    let row = ended(row, end, now);
    if deps.store.complete_notification(organization, &row).await? {
        note(deps, &row, now);
    }
    Ok(())
}

fn ended(row: NotificationRow, end: End, now: DateTime<Utc>) -> NotificationRow {
    let over = NotificationRow { next_try_at: None, ..row.clone() };
    match end {
        End::Sent(written, reference) => NotificationRow {
            state: NotificationState::Sent,
            written: Some(written),
            reference,
            sent_at: Some(now),
            ..over
        },
        End::Waits(at) => NotificationRow { next_try_at: Some(at), ..row },
        End::Later(detail) => {
            let tries = row.tries.saturating_add(1);
            match next_try(tries, now) {
                Some(next) => NotificationRow { tries, next_try_at: Some(next), ..row },
                None => failed(over, Failure::new("retries_exhausted", &detail, now)),
            }
        }
        End::Never(failure) => failed(over, failure),
        End::Suppressed => NotificationRow { state: NotificationState::Suppressed, ..over },
    }
}

fn failed(row: NotificationRow, failure: Failure) -> NotificationRow {
    NotificationRow { state: NotificationState::Failed, failure: Some(failure), ..row }
}

fn note(deps: &Deps, row: &NotificationRow, now: DateTime<Utc>) {
    match row.state {
        NotificationState::Sent => {
            deps.metrics.counted(&[(NOTIFICATIONS_SENT, 1)], now);
            tracing::info!(notification.id = %row.notification, tries = row.tries, "sent");
        }
        NotificationState::Failed => {
            deps.metrics.counted(&[(NOTIFICATIONS_FAILED, 1)], now);
            let code = row.failure.as_ref().map(|failure| failure.code.as_str());
            tracing::warn!(notification.id = %row.notification, code, "the notification is given up");
        }
        NotificationState::Pending | NotificationState::Suppressed => {}
    }
}

/// Writes a notification and hands it to its transport.
async fn send(
    deps: &Deps,
    organization: &OrganizationId,
    row: &mut NotificationRow,
    participant: &ParticipantRow,
) -> Result<End, NotifyError> {
    let now = deps.clock.now();
    let never = |code: &str, detail: &str| End::Never(Failure::new(code, detail, now));
    let program = deps.store.find_recent_program(organization, &row.program).await?;
    let program = program.ok_or_else(|| absent(&row.program))?;
    let drafted = match &row.about {
        About::Reward(reward) => of_reward(deps, organization, &program, reward).await?,
        About::Campaign { .. } if participant.unsubscribed_at.is_some() => Err(End::Suppressed),
        About::Campaign { campaign, step } => Ok(of_campaign(deps, organization, campaign, *step).await?),
    };
    let Draft { template, mut variables } = match drafted {
        Ok(draft) => draft,
        Err(end) => return Ok(end),
    };
    row.transport = Some(template.transport);
    let unsubscribe_url = if row.about.is_transactional() {
        None
    } else {
        Some(unsubscribe_url(deps, organization, participant).await?)
    };
    if let Some(url) = &unsubscribe_url {
        variables.insert("unsubscribe_url", url.clone());
    }
    variables.extend(of_participant(participant, &program));
    let written = match notification::write(&template, &variables) {
        Ok(written) => written,
        Err(error) => return Ok(never("template", &error.to_string())),
    };
    let letter = Letter { organization, row, participant, written: &written, unsubscribe_url };
    Ok(match deps.transports.send(template.transport, &letter, now).await {
        Ok(reference) => End::Sent(written, reference),
        Err(Unsent::Busy(seconds)) => End::Waits(now + Duration::seconds(seconds)),
        Err(Unsent::Later(detail)) => End::Later(detail),
        Err(Unsent::Never(code, detail)) => never(code, &detail),
    })
}

/// What a reward's recipient is told: once it was delivered, and only then.
async fn of_reward(
    deps: &Deps,
    organization: &OrganizationId,
    program: &ProgramRow,
    id: &RewardId,
) -> Result<Result<Draft, End>, StoreError> {
    let reward = deps.store.find_reward(organization, id).await?.ok_or_else(|| absent(id))?;
    match Telling::of(&reward) {
        Telling::Now => {}
        Telling::Wait => {
            return Ok(Err(End::Waits(deps.clock.now() + Duration::seconds(DELIVERY_SECONDS))));
        }
        Telling::Never => return Ok(Err(End::Suppressed)),
    }
    let terms = deps.store.get_terms(organization, program, reward.terms_version).await?;
    let rule = terms.draft.rules.into_iter().find(|rule| rule.id == reward.rule);
    let Some(template) = rule.and_then(|rule| rule.message) else { return Ok(Err(End::Suppressed)) };
    Ok(Ok(Draft { template, variables: notification::of_reward(&reward) }))
}

async fn of_campaign(
    deps: &Deps,
    organization: &OrganizationId,
    id: &CampaignId,
    step: u32,
) -> Result<Draft, StoreError> {
    let messages = deps.store.find_campaign_messages(organization, id).await?;
    let template = messages.and_then(|row| row.messages.into_iter().nth(usize::try_from(step).ok()?));
    let template = template.ok_or_else(|| absent(&format!("step {step} of {id}")))?;
    Ok(Draft { template, variables: Variables::new() })
}

fn absent(what: &impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { detail: format!("there is no {what}") }
}

fn of_participant(participant: &ParticipantRow, program: &ProgramRow) -> Variables {
    let own = participant.name.clone().unwrap_or_else(|| participant.external_id.to_string());
    Variables::from([
        ("account_referral_code", participant.code.to_string()),
        ("participant_name", name(&own)),
        ("participant_external_id", participant.external_id.to_string()),
        ("program_name", name(&program.program.name)),
    ])
}

async fn unsubscribe_url(
    deps: &Deps,
    organization: &OrganizationId,
    participant: &ParticipantRow,
) -> Result<String, NotifyError> {
    let parts = [organization.as_str(), participant.participant.as_str()];
    let seal = deps.sealer.derive("unsubscribe", &parts).await?;
    let token = UnsubscribeToken::new(organization, &participant.participant, &seal);
    Ok(format!("{}/v1/unsubscribe/{token}", deps.api_url))
}
