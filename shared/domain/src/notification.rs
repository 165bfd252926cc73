//! Notifications: what is sent to a participant, written from a template. A notification of a reward is transactional;
//! one of a campaign is not, and honours that its participant has unsubscribed.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{CampaignId, NotificationId, RewardId};
use crate::ledger::{Reward, RewardState};
use crate::money::Money;
use crate::template::{Form, RENDERED_BYTES_MAX, TemplateError, Variables, render};
use crate::terms::MessageTemplate;

/// Longest name that is put into a text, in characters.
const NAME_CHARS_MAX: usize = 200;
/// Seconds until a notification is tried again, by how often it has been tried: a little more than seven hours in all.
const BACK_OFF_SECONDS: [i64; 7] = [30, 120, 600, 1_800, 3_600, 7_200, 14_400];

/// Where a notification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationState {
    /// It is to be sent.
    Pending,
    /// It was handed to its transport.
    Sent,
    /// It could not be sent.
    Failed,
    /// It was not sent, because its participant has unsubscribed.
    Suppressed,
}

/// What a notification is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A reward: transactional.
    Reward(RewardId),
    /// A step of a campaign.
    Campaign {
        /// Which campaign.
        campaign: CampaignId,
        /// Which of its steps, from 0.
        step: u32,
    },
}

impl About {
    /// Whether it is sent whether or not its participant has unsubscribed.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        matches!(self, Self::Reward(_))
    }
}

/// A notification as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Written {
    /// The subject, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The text.
    pub text: String,
    /// The same as HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

impl NotificationId {
    /// What a reward's recipient is told of it.
    #[must_use]
    pub fn of_reward(reward: &Reward) -> Self {
        Self::of(&reward.participant, reward.recorded_at, &["reward", reward.reward.as_str()])
    }
}

/// Whether a reward's recipient can be told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// It was delivered.
    Now,
    /// Its delivery is not written yet.
    Wait,
    /// It was not delivered after all.
    Never,
}

impl Telling {
    /// Of a reward, as it is.
    #[must_use]
    pub const fn of(reward: &Reward) -> Self {
        match reward.state {
            RewardState::Fulfilled => Self::Now,
            // What was delivered stays so, whatever was taken back since.
            _ if reward.fulfilled_at.is_some() => Self::Now,
            RewardState::Pending | RewardState::Held | RewardState::Approved | RewardState::Fulfilling => {
                Self::Wait
            }
            RewardState::Rejected | RewardState::Reversed | RewardState::Expired | RewardState::Failed => {
                Self::Never
            }
        }
    }
}

/// What can be said of a reward.
#[must_use]
pub fn of_reward(reward: &Reward) -> Variables {
    let code = reward.outside.as_ref().and_then(|outside| outside.reference.clone()).unwrap_or_default();
    Variables::from([
        ("reward_amount", Money::new(reward.payable, reward.unit).to_string()),
        ("referee_external_id", reward.referee.to_string()),
        ("discount_code", code),
    ])
}

/// A name as it is put into a text: in one line.
#[must_use]
pub fn name(name: &str) -> String {
    name.chars().filter(|sign| !sign.is_control()).take(NAME_CHARS_MAX).collect()
}

/// A template with its variables put in.
///
/// # Errors
/// [`TemplateError`].
pub fn write(template: &MessageTemplate, variables: &Variables) -> Result<Written, TemplateError> {
    let plain = |text: &String| render(text, Form::Plain, variables);
    let subject = template.subject.as_ref().map(plain).transpose()?;
    let text = plain(&template.text)?;
    let html = template.html.as_ref().map(|html| render(html, Form::Html, variables)).transpose()?;
    let bytes =
        [subject.as_ref(), Some(&text), html.as_ref()].into_iter().flatten().map(String::len).sum::<usize>();
    if bytes > RENDERED_BYTES_MAX {
        return Err(TemplateError::too_long());
    }
    Ok(Written { subject: subject.map(|subject| subject.replace(['\r', '\n'], " ")), text, html })
}

/// When a notification that was tried `tries` times in vain is tried next; `None` when that was often enough.
#[must_use]
pub fn next_try(tries: u32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let index = usize::try_from(tries.saturating_sub(1)).ok()?;
    BACK_OFF_SECONDS.get(index).map(|seconds| now + Duration::seconds(*seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Transport;

    fn template(subject: &str, text: &str) -> MessageTemplate {
        MessageTemplate {
            transport: Transport::Email,
            subject: Some(subject.to_owned()),
            text: text.to_owned(),
            html: Some("<p>{{ participant_name }}</p>".to_owned()),
        }
    }

    #[test]
    fn a_notification_is_written_from_its_template() {
        let variables = Variables::from([("participant_name", "A & B".to_owned())]);
        let written = write(&template("For {{ participant_name }}", "Hello"), &variables).unwrap();
        assert_eq!(written.subject.as_deref(), Some("For A & B"));
        assert_eq!(written.html.as_deref(), Some("<p>A &amp; B</p>"));
    }

    #[test]
    fn no_name_breaks_a_line_of_the_subject() {
        let variables = Variables::from([("participant_name", "A\r\nBcc: b@example.com".to_owned())]);
        let written = write(&template("For {{ participant_name }}", "Hello"), &variables).unwrap();
        assert!(!written.subject.unwrap().contains(['\r', '\n']));
        assert_eq!(name("A\r\nB\u{0}"), "AB");
        assert_eq!(name(&"x".repeat(300)).len(), 200);
    }

    #[test]
    fn what_is_too_long_in_all_is_not_written() {
        let variables = Variables::from([("participant_name", "x".repeat(5_000))]);
        let text = "{{ participant_name }}".repeat(3);
        write(&template("{{ participant_name }}", &text), &variables).unwrap_err();
        write(&template("S", &text[..44]), &variables).unwrap();
    }

    #[test]
    fn what_is_tried_in_vain_is_tried_later_and_later() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let waits: Vec<i64> =
            (1..=8).filter_map(|tries| next_try(tries, now)).map(|at| (at - now).num_seconds()).collect();
        assert_eq!(waits, BACK_OFF_SECONDS);
        assert_eq!(next_try(8, now), None);
    }
}
