//! What the outside is told: one event is one body of an outgoing webhook. The same thing that happened has the same
//! `id` however often it is told, and events come in no order: `docs/webhooks.md`.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use crate::code::ReferralCode;
use crate::id::{
    ExternalId, MessageId, NotificationId, OrganizationId, ParticipantId, PartnerInvoiceId, ProgramId,
    RewardId, RuleId, SourceId,
};
use crate::ledger::{Reward, RewardState};
use crate::money::Money;
use crate::notification::{About, Written};
use crate::referral::Referral;
use crate::terms::{Deliverer, RewardKind};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Derived from what happened: drop a repetition by it. It is the header `webhook-id` too.
    pub id: MessageId,
    /// Whose.
    pub organization: OrganizationId,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// An event as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Told {
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// Live (`true`) or test money.
    pub livemode: bool,
}

/// What happened, with what is to be known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", content = "data")]
pub enum What {
    /// A participant was enrolled.
    #[serde(rename = "participant.created")]
    ParticipantCreated(ParticipantData),
    /// A referee was bound to a referrer.
    #[serde(rename = "referral.created")]
    ReferralCreated(ReferralData),
    /// A referral earned something for the first time.
    #[serde(rename = "referral.converted")]
    ReferralConverted(ReferralData),
    /// A referral was removed.
    #[serde(rename = "referral.inactivated")]
    ReferralInactivated(ReferralData),
    /// A reward was written into the ledger.
    #[serde(rename = "reward.earned")]
    RewardEarned(RewardData),
    /// A reward was approved.
    #[serde(rename = "reward.approved")]
    RewardApproved(RewardData),
    /// A reward waits for a date, for earnings or for an approval.
    #[serde(rename = "reward.held")]
    RewardHeld(RewardData),
    /// A reward was delivered.
    #[serde(rename = "reward.fulfilled")]
    RewardFulfilled(RewardData),
    /// Something of a reward was taken back.
    #[serde(rename = "reward.reversed")]
    RewardReversed(RewardData),
    /// Something of a reward that had been taken back was given again.
    #[serde(rename = "reward.restored")]
    RewardRestored(RewardData),
    /// A reward was rejected before it was delivered.
    #[serde(rename = "reward.rejected")]
    RewardRejected(RewardData),
    /// A reward was not used or not approved in time.
    #[serde(rename = "reward.expired")]
    RewardExpired(RewardData),
    /// A reward could not be delivered.
    #[serde(rename = "reward.failed")]
    RewardFailed(RewardData),
    /// A participant reached a milestone.
    #[serde(rename = "milestone.reached")]
    MilestoneReached(RewardData),
    /// Something looks like fraud.
    #[serde(rename = "fraud.flagged")]
    FraudFlagged(ReferralData),
    /// A partner invoice was finalized.
    #[serde(rename = "partner_invoice.finalized")]
    PartnerInvoiceFinalized(PartnerInvoiceData),
    /// A day's report was written.
    #[serde(rename = "report.ready")]
    ReportReady(ReportData),
    /// A notification is to be sent, by whoever listens.
    #[serde(rename = "notification.due")]
    NotificationDue(NotificationData),
}

/// A participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParticipantData {
    /// Its id.
    pub participant: ParticipantId,
    /// Your own id.
    pub external_id: ExternalId,
    /// The program.
    pub program: ProgramId,
    /// Its referral code, as it is shown.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "ABC-1234")]
    pub code: ReferralCode,
}

fn shown<S: Serializer>(code: &ReferralCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(code)
}

/// A referral.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReferralData {
    /// Your own id of the referee.
    pub referee: ExternalId,
    /// Who referred; several where the program shares referrals.
    pub referrers: Vec<ParticipantId>,
    /// The program.
    pub program: ProgramId,
}

/// A reward, as it was when it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RewardData {
    /// Its id.
    pub reward: RewardId,
    /// Where it stands.
    pub state: RewardState,
    /// What is given.
    pub kind: RewardKind,
    /// Who earned.
    pub participant: ParticipantId,
    /// The program.
    pub program: ProgramId,
    /// The rule.
    pub rule: RuleId,
    /// What it was earned from.
    #[schema(value_type = String, example = "invoice/stripe/in_123")]
    pub source: SourceId,
    /// Your own id of the referee whose event it was.
    pub referee: ExternalId,
    /// What stands of it.
    pub amount: Money,
    /// What is, or was, to be delivered.
    pub payable: Money,
    /// Who delivers it: `listener` waits for `POST /v1/rewards/{id}/fulfill`.
    pub deliver_by: Deliverer,
    /// What it is called where it was delivered: a discount code, a transaction at the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The percentage of a discount, as a string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "15")]
    pub percent_off: Option<String>,
    /// The product's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "mug-blue")]
    pub sku: Option<String>,
    /// Why it could not be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A partner invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartnerInvoiceData {
    /// Its id.
    pub partner_invoice: PartnerInvoiceId,
    /// Whose.
    pub participant: ParticipantId,
    /// The program.
    pub program: ProgramId,
    /// What it comes to.
    pub total: Money,
}

/// A notification that is to be sent to a participant, as it is written. Its id is yours to send it once by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotificationData {
    /// Its id.
    pub notification: NotificationId,
    /// For whom.
    pub participant: ParticipantId,
    /// Your own id.
    pub external_id: ExternalId,
    /// The program.
    pub program: ProgramId,
    /// What it is about.
    pub about: About,
    /// Whether it is sent whether or not its participant has unsubscribed: true of rewards, false of campaigns.
    pub transactional: bool,
    /// What it says.
    #[serde(flatten)]
    pub written: Written,
    /// Where the participant can unsubscribe from campaigns; of a campaign alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsubscribe_url: Option<String>,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportData {
    /// Of which day, in UTC.
    pub day: NaiveDate,
}

impl What {
    /// Every type, as it is written.
    pub const TYPES: [&'static str; 18] = [
        "participant.created",
        "referral.created",
        "referral.converted",
        "referral.inactivated",
        "reward.earned",
        "reward.approved",
        "reward.held",
        "reward.fulfilled",
        "reward.reversed",
        "reward.restored",
        "reward.rejected",
        "reward.expired",
        "reward.failed",
        "milestone.reached",
        "fraud.flagged",
        "partner_invoice.finalized",
        "report.ready",
        "notification.due",
    ];

    /// Its type, as it is written.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ParticipantCreated(_) => "participant.created",
            Self::ReferralCreated(_) => "referral.created",
            Self::ReferralConverted(_) => "referral.converted",
            Self::ReferralInactivated(_) => "referral.inactivated",
            Self::RewardEarned(_) => "reward.earned",
            Self::RewardApproved(_) => "reward.approved",
            Self::RewardHeld(_) => "reward.held",
            Self::RewardFulfilled(_) => "reward.fulfilled",
            Self::RewardReversed(_) => "reward.reversed",
            Self::RewardRestored(_) => "reward.restored",
            Self::RewardRejected(_) => "reward.rejected",
            Self::RewardExpired(_) => "reward.expired",
            Self::RewardFailed(_) => "reward.failed",
            Self::MilestoneReached(_) => "milestone.reached",
            Self::FraudFlagged(_) => "fraud.flagged",
            Self::PartnerInvoiceFinalized(_) => "partner_invoice.finalized",
            Self::ReportReady(_) => "report.ready",
            Self::NotificationDue(_) => "notification.due",
        }
    }
}

impl Event {
    /// An event; `subject` tells it from every other of its type in the organization.
    #[must_use]
    pub fn new(organization: &OrganizationId, what: What, subject: &str, at: DateTime<Utc>) -> Self {
        let id = MessageId::derive(&[what.name(), organization.as_str(), subject]);
        Self { id, organization: organization.clone(), timestamp: at, what }
    }

    /// What happened to a referral, which happens to it once.
    #[must_use]
    pub fn of_referral(
        organization: &OrganizationId,
        what: fn(ReferralData) -> What,
        referral: &Referral,
        at: DateTime<Utc>,
    ) -> Self {
        let subject = format!("{}/{}", referral.referee, referral.number);
        Self::new(organization, what(ReferralData::of(referral)), &subject, at)
    }
}

impl ReferralData {
    /// A referral as it is.
    #[must_use]
    pub fn of(referral: &Referral) -> Self {
        Self {
            referee: referral.referee.clone(),
            referrers: referral.referrers().into_iter().map(|share| share.participant).collect(),
            program: referral.program.clone(),
        }
    }
}

impl RewardData {
    /// A reward as it is.
    #[must_use]
    pub fn of(reward: &Reward) -> Self {
        Self {
            reward: reward.reward.clone(),
            state: reward.state,
            kind: reward.kind(),
            participant: reward.participant.clone(),
            program: reward.program.clone(),
            rule: reward.rule.clone(),
            source: reward.source.clone(),
            referee: reward.referee.clone(),
            amount: Money::new(reward.net, reward.unit),
            payable: Money::new(reward.payable, reward.unit),
            deliver_by: reward.deliverer(),
            reference: reward.outside.as_ref().and_then(|outside| outside.reference.clone()),
            percent_off: reward.promise.percent_off.map(|percent| percent.to_string()),
            sku: reward.promise.sku.clone(),
            failure: reward.failure.as_ref().map(|failure| failure.code.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Event {
        let organization = OrganizationId::from_entropy(&[0; 17]);
        let day = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        Event::new(&organization, What::ReportReady(ReportData { day }), "2026-11-21", at)
    }

    #[test]
    fn events_keep_their_wire_form() {
        let json = serde_json::to_value(report()).unwrap();
        let id = json["id"].as_str().unwrap().to_owned();
        let wire = serde_json::json!({"id": id, "organization": "org_00000000000000000000000000",
            "timestamp": "2023-11-14T22:13:20Z", "type": "report.ready", "data": {"day": "2026-11-21"}});
        assert_eq!(json, wire);
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), report());
    }

    #[test]
    fn the_same_happening_has_the_same_id_and_another_has_another() {
        let event = report();
        assert_eq!(event.id, report().id);
        let other = Event::new(&event.organization, event.what.clone(), "2026-11-22", event.timestamp);
        assert_ne!(event.id, other.id);
    }

    #[test]
    fn every_type_is_listed_as_it_is_written() {
        assert!(What::TYPES.contains(&report().what.name()));
        for name in What::TYPES {
            let data = serde_json::json!({"type": name, "data": {}});
            let error = serde_json::from_value::<What>(data).unwrap_err().to_string();
            assert!(error.contains("missing field"), "{name}: {error}");
        }
    }
}
