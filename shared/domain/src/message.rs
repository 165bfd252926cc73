//! Queue messages. Every one is an envelope `{id, type, ...}`; the type carries its version, changes within a version
//! only add fields, and a message that does not parse is never acknowledged. The registry is `docs/messages.md`. What the
//! outside is told is in [`crate::event`].

use chrono::NaiveDate;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::event::{Event, What};
use crate::id::{
    BillingRunId, CampaignId, CheckId, DeliveryId, MessageId, NotificationId, OrganizationId, ParticipantId,
    PayoutBatchId, RewardId,
};

/// A reward is due for delivery. Producer: whoever committed it, and the sweeper; consumer: fulfill-reward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum FulfillMessage {
    /// Version 1.
    #[serde(rename = "reward.due.v1")]
    RewardDueV1 {
        /// Whose.
        organization: OrganizationId,
        /// Which; it names its own place in the table.
        reward: RewardId,
    },
}

/// Work that goes over much of an organization's data. Consumer: aggregate-reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ReportMessage {
    /// A day is to be folded. Producer: aggregate-reports.
    #[serde(rename = "report.day.v1")]
    DayV1 {
        /// Whose.
        organization: OrganizationId,
        /// Which day, in UTC.
        day: NaiveDate,
        /// Whether the organization has ever had a destination for its events.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        has_destinations: bool,
    },
    /// A billing run is to be gone on with. Producer: whoever committed it, aggregate-reports where it stopped, and the
    /// sweeper.
    #[serde(rename = "billing_run.due.v1")]
    BillingRunDueV1 {
        /// Whose.
        organization: OrganizationId,
        /// Which run.
        run: BillingRunId,
    },
    /// A payout batch is to be gone on with: invoices are to be put into it, or freed. Producer: whoever committed it,
    /// aggregate-reports where it stopped, and the sweeper.
    #[serde(rename = "payout_batch.due.v1")]
    PayoutBatchDueV1 {
        /// Whose.
        organization: OrganizationId,
        /// Which batch.
        batch: PayoutBatchId,
    },
    /// What a day wrote is to be checked. Producer: aggregate-reports.
    #[serde(rename = "check.day.v1")]
    CheckDayV1 {
        /// Whose.
        organization: OrganizationId,
        /// Which day, in UTC.
        day: NaiveDate,
    },
    /// A check is to be gone on with. Producer: whoever committed it, aggregate-reports where it stopped, and the sweeper.
    #[serde(rename = "check.due.v1")]
    CheckDueV1 {
        /// Whose.
        organization: OrganizationId,
        /// Which check.
        check: CheckId,
    },
}

/// Something that is to be told is due. Consumer: deliver-webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum WebhookMessage {
    /// An event that stands in a row. Producer: whoever committed it, and the sweeper.
    #[serde(rename = "event.due.v1")]
    EventDueV1 {
        /// Whose.
        organization: OrganizationId,
        /// Which event.
        event: MessageId,
    },
    /// A delivery of an event. Producer: deliver-webhook where the next attempt comes soon, and the sweeper.
    #[serde(rename = "webhook.due.v1")]
    WebhookDueV1 {
        /// Whose.
        organization: OrganizationId,
        /// Which delivery.
        delivery: DeliveryId,
    },
}

/// Work on what participants are sent. Consumer: send-notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum NotifyMessage {
    /// A notification is to be sent. Producer: fulfill-reward and send-notification, and the sweeper.
    #[serde(rename = "notification.due.v1")]
    NotificationDueV1 {
        /// Whose.
        organization: OrganizationId,
        /// Which; it names its own place in the table.
        notification: NotificationId,
    },
    /// A participant's journey through a campaign is to be looked at. Producer: the sweeper.
    #[serde(rename = "journey.due.v1")]
    JourneyDueV1 {
        /// Whose.
        organization: OrganizationId,
        /// Whose journey.
        participant: ParticipantId,
        /// Through which campaign.
        campaign: CampaignId,
    },
    /// A campaign is to come to those who were enrolled before it. Producer: the sweeper, and send-notification where it
    /// stopped.
    #[serde(rename = "campaign.due.v1")]
    CampaignDueV1 {
        /// Whose.
        organization: OrganizationId,
        /// Which campaign.
        campaign: CampaignId,
    },
}

/// What deliver-webhook is given: an event that is to be told, or what is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum DeliverMessage {
    /// An event.
    Event(Box<Event>),
    /// An event's row, or a delivery.
    Due(WebhookMessage),
}

impl<'de> Deserialize<'de> for DeliverMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
        let message = if What::TYPES.contains(&kind) {
            serde_json::from_value(value).map(|event| Self::Event(Box::new(event)))
        } else {
            serde_json::from_value(value).map(Self::Due)
        };
        message.map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_wire_form() {
        let organization = OrganizationId::from_entropy(&[0; 17]);
        let reward = RewardId::parse(&format!("rwd_{}", "0".repeat(46))).unwrap();
        let due = FulfillMessage::RewardDueV1 { organization: organization.clone(), reward };
        let json = r#"{"type":"reward.due.v1","organization":"org_00000000000000000000000000","reward":"rwd_0000000000000000000000000000000000000000000000"}"#;
        assert_eq!(serde_json::to_string(&due).unwrap(), json);
        assert_eq!(serde_json::from_str::<FulfillMessage>(json).unwrap(), due);
        let day = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        for (has_destinations, rest) in [(false, ""), (true, r#","has_destinations":true"#)] {
            let report = ReportMessage::DayV1 { organization: organization.clone(), day, has_destinations };
            let json = r#"{"type":"report.day.v1","organization":"org_00000000000000000000000000","day":"2026-11-21""#;
            let json = format!("{json}{rest}}}");
            assert_eq!(serde_json::to_string(&report).unwrap(), json);
            assert_eq!(serde_json::from_str::<ReportMessage>(&json).unwrap(), report);
        }
        let check_day = ReportMessage::CheckDayV1 { organization: organization.clone(), day };
        let json =
            r#"{"type":"check.day.v1","organization":"org_00000000000000000000000000","day":"2026-11-21"}"#;
        assert_eq!(serde_json::to_string(&check_day).unwrap(), json);
        let check = CheckId::from_entropy(&[0; 17]);
        let check = ReportMessage::CheckDueV1 { organization: organization.clone(), check };
        let json = r#"{"type":"check.due.v1","organization":"org_00000000000000000000000000","check":"chk_00000000000000000000000000"}"#;
        assert_eq!(serde_json::to_string(&check).unwrap(), json);
        let batch = PayoutBatchId::from_entropy(&[0; 17]);
        let payout = ReportMessage::PayoutBatchDueV1 { organization: organization.clone(), batch };
        let json = r#"{"type":"payout_batch.due.v1","organization":"org_00000000000000000000000000","batch":"pob_00000000000000000000000000"}"#;
        assert_eq!(serde_json::to_string(&payout).unwrap(), json);
        let billing =
            ReportMessage::BillingRunDueV1 { organization, run: BillingRunId::from_entropy(&[0; 17]) };
        let json = r#"{"type":"billing_run.due.v1","organization":"org_00000000000000000000000000","run":"run_00000000000000000000000000"}"#;
        assert_eq!(serde_json::to_string(&billing).unwrap(), json);
    }

    #[test]
    fn the_messages_of_notifications_keep_their_wire_form() {
        let organization = OrganizationId::from_entropy(&[0; 17]);
        let participant = ParticipantId::from_entropy(&[0; 17]);
        let campaign = CampaignId::from_entropy(&[0; 17]);
        let notification = NotificationId::parse(&format!("ntf_{}", "0".repeat(46))).unwrap();
        let messages = [
            (
                NotifyMessage::NotificationDueV1 { organization: organization.clone(), notification },
                r#"{"type":"notification.due.v1","organization":"org_00000000000000000000000000","notification":"ntf_0000000000000000000000000000000000000000000000"}"#,
            ),
            (
                NotifyMessage::JourneyDueV1 {
                    organization: organization.clone(),
                    participant,
                    campaign: campaign.clone(),
                },
                r#"{"type":"journey.due.v1","organization":"org_00000000000000000000000000","participant":"prt_00000000000000000000000000","campaign":"cmp_00000000000000000000000000"}"#,
            ),
            (
                NotifyMessage::CampaignDueV1 { organization, campaign },
                r#"{"type":"campaign.due.v1","organization":"org_00000000000000000000000000","campaign":"cmp_00000000000000000000000000"}"#,
            ),
        ];
        for (message, json) in messages {
            assert_eq!(serde_json::to_string(&message).unwrap(), json);
            assert_eq!(serde_json::from_str::<NotifyMessage>(json).unwrap(), message);
        }
    }

    #[test]
    fn the_messages_of_webhooks_are_told_from_events() {
        let organization = OrganizationId::from_entropy(&[0; 17]);
        let event = MessageId::from_entropy(&[0; 17]);
        let due = WebhookMessage::EventDueV1 { organization: organization.clone(), event };
        let json = r#"{"type":"event.due.v1","organization":"org_00000000000000000000000000","event":"msg_00000000000000000000000000"}"#;
        assert_eq!(serde_json::to_string(&due).unwrap(), json);
        assert_eq!(serde_json::from_str::<DeliverMessage>(json).unwrap(), DeliverMessage::Due(due));
        let due = WebhookMessage::WebhookDueV1 { organization, delivery: DeliveryId::derive(&["one"]) };
        let json = serde_json::to_string(&due).unwrap();
        let wire =
            r#"{"type":"webhook.due.v1","organization":"org_00000000000000000000000000","delivery":"dlv_"#;
        assert!(json.starts_with(wire), "{json}");
        assert_eq!(serde_json::from_str::<DeliverMessage>(&json).unwrap(), DeliverMessage::Due(due));
        let event = r#"{"id":"msg_00000000000000000000000000","organization":"org_00000000000000000000000000",
            "timestamp":"2026-11-22T12:00:00Z","type":"report.ready","data":{"day":"2026-11-21"}}"#;
        let expected = DeliverMessage::Event(Box::new(serde_json::from_str(event).unwrap()));
        assert_eq!(serde_json::from_str::<DeliverMessage>(event).unwrap(), expected);
        for json in ["{}", "[]", "7", r#"{"type":"webhook.due.v2"}"#, r#"{"type":"report.ready"}"#] {
            assert!(serde_json::from_str::<DeliverMessage>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn an_unknown_message_is_not_understood() {
        for json in [r#"{"type":"reward.due.v9"}"#, r#"{"type":"reward.due.v1"}"#, "{}", "[]", "x"] {
            assert!(serde_json::from_str::<FulfillMessage>(json).is_err(), "{json}");
        }
    }
}
