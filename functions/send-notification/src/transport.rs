//! How a notification leaves: told to whoever listens, by e-mail, or as a text message.

use aws::config::{Lookup, optional};
use aws::handler::in_short;
use aws::queue::Queue;
use aws::store::{NotificationRow, ParticipantRow, Store};
use aws::{ConfigError, Platform};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag};
use aws_sdk_sns::error::ProvideErrorMetadata as _;
use aws_sdk_sns::operation::publish::PublishError;
use aws_sdk_sns::types::MessageAttributeValue;
use chrono::{DateTime, Utc};
use domain::event::{Event, NotificationData, What};
use domain::id::OrganizationId;
use domain::notification::Written;
use domain::terms::Transport;

/// Seconds after which whoever sends more than may be sent in a second is asked again, and how many more at most: what comes
/// at the same time comes back apart.
const BUSY_SECONDS: i64 = 60;
const SPREAD_SECONDS: i64 = 120;
/// The same where as much was sent as may be on a day.
const USED_UP_SECONDS: i64 = 3_600;

/// The event that tells of a notification.
const EVENT: &str = "notification.due";

/// The transports that this stack has.
#[derive(Debug, Clone)]
pub(crate) struct Transports {
    store: Store,
    events_queue: Queue,
    email: Option<(aws_sdk_sesv2::Client, String)>,
    sms: Option<aws_sdk_sns::Client>,
}

/// What is to be sent, and to whom.
#[derive(Debug)]
pub(crate) struct Letter<'a> {
    pub(crate) organization: &'a OrganizationId,
    pub(crate) row: &'a NotificationRow,
    pub(crate) participant: &'a ParticipantRow,
    pub(crate) written: &'a Written,
    pub(crate) unsubscribe_url: Option<String>,
}

/// Why something was not sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// Not now.
    Later(String),
    /// Not before so many seconds: more is sent than may be. That counts as no try.
    Busy(i64),
    /// Never, as things stand: a stable code, documented in `docs/notifications.md`, and what happened.
    Never(&'static str, String),
}

impl Transports {
    /// Those that the variables name: `EVENTS_QUEUE_URL`; `EMAIL_FROM` where e-mail is sent; `SMS` is `enabled` where text
    /// messages are.
    pub(crate) fn new(platform: &Platform, lookup: Lookup<'_>, store: Store) -> Result<Self, ConfigError> {
        let from = optional(lookup, "EMAIL_FROM");
        let sms = optional(lookup, "SMS").is_some_and(|value| value == "enabled");
        Ok(Self {
            store,
            events_queue: Queue::new(platform, lookup, "EVENTS_QUEUE_URL")?,
            email: from.map(|from| (platform.ses(), from)),
            sms: sms.then(|| platform.sns()),
        })
    }

    /// Sends a notification; answers what its transport calls it.
    pub(crate) async fn send(
        &self,
        transport: Transport,
        letter: &Letter<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, Unsent> {
        match transport {
            Transport::Webhook => self.tell(letter, now).await.map(|()| None),
            Transport::Email => self.mail(letter).await.map(Some),
            Transport::Sms => self.text(letter).await.map(Some),
        }
    }

    async fn tell(&self, letter: &Letter<'_>, now: DateTime<Utc>) -> Result<(), Unsent> {
        let Letter { organization, row, participant, written, unsubscribe_url } = letter;
        let is_wanted = self.store.is_wanted(organization, EVENT).await;
        if !is_wanted.map_err(|error| Unsent::Later(error.to_string()))? {
            let detail = format!("no event destination takes {EVENT}");
            return Err(Unsent::Never("no_destination", detail));
        }
        let data = NotificationData {
            notification: row.notification.clone(),
            participant: row.participant.clone(),
            external_id: participant.external_id.clone(),
            program: row.program.clone(),
            about: row.about.clone(),
            transactional: row.about.is_transactional(),
            written: (*written).clone(),
            unsubscribe_url: unsubscribe_url.clone(),
        };
        let event = Event::new(organization, What::NotificationDue(data), row.notification.as_str(), now);
        self.events_queue.send(&event).await.map_err(|error| Unsent::Later(error.to_string()))
    }

    async fn mail(&self, letter: &Letter<'_>) -> Result<String, Unsent> {
        let Some((client, from)) = &self.email else {
            return Err(Unsent::Never("email_not_configured", "the stack has no EmailFrom".to_owned()));
        };
        let Some(to) = &letter.participant.contact.email else {
            return Err(Unsent::Never("no_email", "the participant has no e-mail address".to_owned()));
        };
        let content = email(letter).map_err(|error| Unsent::Never("email_refused", error.to_string()))?;
        let destination = Destination::builder().to_addresses(to.as_str()).build();
        let request = client.send_email().from_email_address(from).destination(destination).content(content);
        let tag = MessageTag::builder().name("notification").value(letter.row.notification.as_str()).build();
        let request = match tag {
            Ok(tag) => request.email_tags(tag),
            Err(_) => request,
        };
        match request.send().await {
            Ok(output) => Ok(output.message_id.unwrap_or_default()),
            Err(error) => {
                if let Some(SendEmailError::TooManyRequestsException(_)) = error.as_service_error() {
                    return Err(Unsent::Busy(letter.spread()));
                }
                if let Some(SendEmailError::LimitExceededException(_)) = error.as_service_error() {
                    return Err(Unsent::Busy(USED_UP_SECONDS));
                }
                let detail = in_short(&error);
                let refused = matches!(
                    error.as_service_error(),
                    Some(
                        SendEmailError::MessageRejected(_)
                            | SendEmailError::MailFromDomainNotVerifiedException(_)
                            | SendEmailError::BadRequestException(_)
                            | SendEmailError::NotFoundException(_)
                    )
                );
                Err(if refused { Unsent::Never("email_refused", detail) } else { Unsent::Later(detail) })
            }
        }
    }

    async fn text(&self, letter: &Letter<'_>) -> Result<String, Unsent> {
        let Some(client) = &self.sms else {
            return Err(Unsent::Never(
                "sms_not_configured",
                "the stack does not send text messages".to_owned(),
            ));
        };
        let Some(to) = &letter.participant.contact.phone else {
            return Err(Unsent::Never("no_phone", "the participant has no telephone number".to_owned()));
        };
        let kind = if letter.row.about.is_transactional() { "Transactional" } else { "Promotional" };
        let kind = MessageAttributeValue::builder().data_type("String").string_value(kind).build();
        let kind = kind.map_err(|error| Unsent::Never("sms_refused", error.to_string()))?;
        let request = client
            .publish()
            .phone_number(to.as_str())
            .message(&letter.written.text)
            .message_attributes("AWS.SNS.SMS.SMSType", kind);
        match request.send().await {
            Ok(output) => Ok(output.message_id.unwrap_or_default()),
            Err(error) => {
                if error.code().is_some_and(|code| code.starts_with("Throttl")) {
                    return Err(Unsent::Busy(letter.spread()));
                }
                let detail = in_short(&error);
                let refused = matches!(
                    error.as_service_error(),
                    Some(
                        PublishError::InvalidParameterException(_)
                            | PublishError::InvalidParameterValueException(_)
                            | PublishError::ValidationException(_)
                    )
                );
                Err(if refused { Unsent::Never("sms_refused", detail) } else { Unsent::Later(detail) })
            }
        }
    }
}

impl Letter<'_> {
    /// Seconds until it is tried again where more is sent than may be.
    fn spread(&self) -> i64 {
        let (_, tail) = self.row.notification.place();
        let sum: i64 = tail.bytes().map(i64::from).sum();
        BUSY_SECONDS.saturating_add(sum % SPREAD_SECONDS)
    }
}

/// An e-mail as SES takes it. One of a campaign says how to unsubscribe, by a click on the mail program's own button too (RFC
/// 8058).
fn email(letter: &Letter<'_>) -> Result<EmailContent, aws_sdk_sesv2::error::BuildError> {
    let content = |text: &str| Content::builder().data(text).charset("UTF-8").build();
    let written = letter.written;
    let html = written.html.as_deref().map(content).transpose()?;
    let body = Body::builder().text(content(&written.text)?).set_html(html).build();
    let mut message =
        Message::builder().subject(content(written.subject.as_deref().unwrap_or_default())?).body(body);
    if let Some(url) = &letter.unsubscribe_url {
        let headers = [
            ("List-Unsubscribe", format!("<{url}>")),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()),
        ];
        for (name, value) in headers {
            message = message.headers(MessageHeader::builder().name(name).value(value).build()?);
        }
    }
    Ok(EmailContent::builder().simple(message.build()).build())
}
