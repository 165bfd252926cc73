//! What a rule tells its recipient, and what it asks an administrator to do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::template::{self, Form, Scope};

use super::flaws::Finder;

/// Longest subject, in characters.
const SUBJECT_CHARS_MAX: usize = 200;
/// Longest text, in bytes.
const TEXT_BYTES_MAX: usize = 4_000;
/// Longest text message, in characters: what SNS takes
/// (<https://docs.aws.amazon.com/sns/latest/dg/sms_publish-to-phone.html>).
const SMS_CHARS_MAX: usize = 1_600;
/// Longest HTML, in bytes.
const HTML_BYTES_MAX: usize = 10_000;
/// Longest title of a task, in characters.
const TITLE_CHARS_MAX: usize = 200;
/// Longest details of a task, in characters.
const DETAILS_CHARS_MAX: usize = 2_000;
/// Latest that a task can be due, in days.
const DUE_DAYS_MAX: u32 = 365;

/// How a notification reaches its participant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// The event `notification.due` tells your backend to send it, as it is written.
    #[default]
    Webhook,
    /// By e-mail, through Amazon SES.
    Email,
    /// By text message, through Amazon SNS.
    Sms,
}

/// A notification as it is written in terms and campaigns, with variables such as `{{ account_referral_code }}`:
/// docs/notifications.md lists them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageTemplate {
    /// How it is sent.
    #[serde(default)]
    pub transport: Transport,
    /// The subject of an e-mail: 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200, example = "Your friend has joined")]
    pub subject: Option<String>,
    /// What it says: 1 to 4,000 bytes; a text message 1 to 1,600 characters.
    #[schema(
        max_length = 4_000,
        example = "Thanks, {{ participant_name }}! Keep sharing {{ account_referral_code }}."
    )]
    pub text: String,
    /// The same as HTML, beside the text: at most 10,000 bytes. What variables hold is escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 10_000)]
    pub html: Option<String>,
}

/// A task as it is written in the terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskTemplate {
    /// What is to be done: 1 to 200 characters.
    #[schema(max_length = 200, example = "Call the referrer")]
    pub title: String,
    /// More of it: at most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2_000)]
    pub details: Option<String>,
    /// Days from its creation until it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 365)]
    pub due_days: Option<u32>,
}

impl MessageTemplate {
    /// Finds what is wrong with it.
    pub(crate) fn flaws(&self, scope: Scope, find: &mut Finder<'_>) {
        let emailed = self.transport == Transport::Email;
        find.require(!emailed || self.subject.is_some(), "subject", "must be given: an e-mail has a subject");
        if let Some(subject) = &self.subject {
            let fits = (1..=SUBJECT_CHARS_MAX).contains(&subject.trim().chars().count())
                && !subject.chars().any(char::is_control);
            let detail = format!("must have 1 to {SUBJECT_CHARS_MAX} characters and no control characters");
            find.require(fits, "subject", detail);
            find.require(self.transport != Transport::Sms, "subject", "is not for text messages");
            text_flaws(subject, Form::Plain, scope, "subject", find);
        }
        let fits = !self.text.trim().is_empty() && self.text.len() <= TEXT_BYTES_MAX;
        find.require(fits, "text", format!("must have 1 to {TEXT_BYTES_MAX} bytes"));
        if self.transport == Transport::Sms {
            let short = self.text.chars().count() <= SMS_CHARS_MAX;
            find.require(short, "text", format!("must have at most {SMS_CHARS_MAX} characters"));
        }
        text_flaws(&self.text, Form::Plain, scope, "text", find);
        if let Some(html) = &self.html {
            let fits = !html.trim().is_empty() && html.len() <= HTML_BYTES_MAX;
            find.require(fits, "html", format!("must have 1 to {HTML_BYTES_MAX} bytes"));
            find.require(self.transport != Transport::Sms, "html", "is not for text messages");
            text_flaws(html, Form::Html, scope, "html", find);
        }
    }
}

fn text_flaws(text: &str, form: Form, scope: Scope, place: &str, find: &mut Finder<'_>) {
    if text.len() > HTML_BYTES_MAX {
        return;
    }
    if let Err(error) = template::check(text, form, scope) {
        find.require(false, place, error.to_string());
    }
}

impl TaskTemplate {
    /// Finds what is wrong with it.
    pub(crate) fn flaws(&self, find: &mut Finder<'_>) {
        let plain = |text: &str| !text.chars().any(|sign| sign.is_control() && sign != '\n');
        let fits = (1..=TITLE_CHARS_MAX).contains(&self.title.trim().chars().count())
            && !self.title.chars().any(char::is_control);
        let detail = format!("must have 1 to {TITLE_CHARS_MAX} characters and no control characters");
        find.require(fits, "title", detail);
        if let Some(details) = &self.details {
            let fits = (1..=DETAILS_CHARS_MAX).contains(&details.trim().chars().count()) && plain(details);
            let detail = format!(
                "must have 1 to {DETAILS_CHARS_MAX} characters and no control characters but line breaks"
            );
            find.require(fits, "details", detail);
        }
        let soon = self.due_days.is_none_or(|days| days <= DUE_DAYS_MAX);
        find.require(soon, "due_days", format!("must be 0 to {DUE_DAYS_MAX}"));
    }
}
