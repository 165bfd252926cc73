//! What more than one function shows in the same form.

use chrono::{DateTime, Utc};
use domain::contact::Contact;
use domain::customers::Customers;
use domain::id::{Channel, ExternalId, Label, ParticipantId, ProgramId};
use domain::referral::{ChosenTouch, FoundBy, Referral};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::ParticipantRow;

/// A referral.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReferralView {
    /// Your own id of the referee.
    pub referee: ExternalId,
    /// The participant who referred; of several, the one with the largest share.
    pub referrer: ParticipantId,
    /// Everybody's share, where links of several participants led to the sign-up; empty else.
    pub shares: Vec<ShareView>,
    /// The program.
    pub program: ProgramId,
    /// `active`, or `inactive` once an administrator has removed it: then it earns nothing any more.
    #[schema(example = "active")]
    pub status: &'static str,
    /// How the referrer was found.
    pub found_by: FoundBy,
    /// The code that the referee entered, or that was in the link; absent when an administrator assigned the referrer.
    #[schema(example = "BLU-2345")]
    pub used_code: Option<String>,
    /// The touches that the referral rests on, oldest first, where links decided.
    pub touches: Vec<ChosenTouch>,
    /// The form or app.
    pub channel: Channel,
    /// When the referee signed up.
    pub signed_up_at: DateTime<Utc>,
    /// When an administrator assigned the referrer: it earns from then on only.
    pub assigned_at: Option<DateTime<Utc>>,
    /// Since when it is inactive.
    pub inactive_from: Option<DateTime<Utc>>,
    /// When the engine was told.
    pub recorded_at: DateTime<Utc>,
}

/// One referrer's part of a referral.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShareView {
    /// The referrer.
    pub participant: ParticipantId,
    /// Its part, relative to the sum of all weights; what it earns is exact to the minor unit by largest remainder.
    pub weight: u64,
}

impl From<Referral> for ReferralView {
    fn from(referral: Referral) -> Self {
        let share =
            |share: domain::touch::Share| ShareView { participant: share.participant, weight: share.weight };
        Self {
            referee: referral.referee,
            referrer: referral.referrer,
            shares: referral.shares.into_iter().map(share).collect(),
            program: referral.program,
            status: if referral.inactive_from.is_some() { "inactive" } else { "active" },
            found_by: referral.found_by,
            used_code: referral.used_code.map(|code| code.to_string()),
            touches: referral.touches,
            channel: referral.channel,
            signed_up_at: referral.signed_up_at,
            assigned_at: referral.assigned_at,
            inactive_from: referral.inactive_from,
            recorded_at: referral.recorded_at,
        }
    }
}

/// A participant with its code.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParticipantView {
    /// The participant's id here.
    #[schema(example = "prt_00000000000000000000000000")]
    pub id: ParticipantId,
    /// The program.
    pub program: ProgramId,
    /// Your own id.
    #[schema(example = "user_17")]
    pub external_id: ExternalId,
    /// The name given when it was enrolled.
    pub name: Option<String>,
    /// The referral code; never changes.
    #[schema(example = "BLU-2345")]
    pub code: String,
    /// The group whose terms apply, once they are in effect; null for everybody's.
    pub group: Option<Label>,
    /// Whether participation is switched off: referrals still bind, nothing is earned.
    pub disabled: bool,
    /// The version of the participant's own terms, which beat the group's and everybody's; null when it has none.
    pub own_terms_version: Option<u32>,
    /// From when group, switch and own terms hold: a minute after they were changed last. Null when they never were.
    pub effective_from: Option<DateTime<Utc>>,
    /// Your payment processors' ids of it as a customer of yours: where credit and discounts are delivered to.
    pub customers: Customers,
    /// Where it is reached, for notifications that are sent by e-mail or as text messages.
    pub contact: Contact,
    /// Since when it has unsubscribed from campaigns; null when it gets them.
    pub unsubscribed_at: Option<DateTime<Utc>>,
    /// When it was enrolled.
    pub created_at: DateTime<Utc>,
}

impl From<ParticipantRow> for ParticipantView {
    fn from(row: ParticipantRow) -> Self {
        let newest = row.assignments.last().cloned();
        Self {
            id: row.participant,
            program: row.program,
            external_id: row.external_id,
            name: row.name,
            code: row.code.to_string(),
            effective_from: newest.as_ref().map(|newest| newest.effective_from),
            disabled: newest.as_ref().is_some_and(|newest| newest.disabled),
            own_terms_version: newest.as_ref().and_then(|newest| newest.own_version),
            group: newest.and_then(|newest| newest.group),
            customers: row.customers,
            contact: row.contact,
            unsubscribed_at: row.unsubscribed_at,
            created_at: row.created_at,
        }
    }
}
