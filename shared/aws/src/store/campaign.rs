//! Campaigns, and the participants' journeys through them.

use chrono::{DateTime, NaiveDate, Utc};
use domain::campaign::{CampaignStatus, Journey, Plan};
use domain::id::{CampaignId, OrganizationId, ParticipantId, ProgramId};
use domain::terms::MessageTemplate;
use serde::{Deserialize, Serialize};

use super::Store;
use super::claim::{DueClaim, still_claimed};
use super::code::ParticipantRow;
use super::error::{StoreError, Transaction};
use super::item::{Change, Item, Write, absent, from_item, index_in, number, to_attribute, to_item};
use super::keys;
use super::notification::{NotificationRow, notification_item};

/// Most campaigns of an organization that have not ended.
pub const CAMPAIGNS_MAX: usize = 20;
/// Days that what a campaign sent on a day can be looked at.
const DAY_DAYS: i64 = 90;

/// A campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignRow {
    /// Its id.
    pub campaign: CampaignId,
    /// Of which program.
    pub program: ProgramId,
    /// Its name.
    pub name: String,
    /// When it sends what.
    pub plan: Plan,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// SHA-256 of the request that created it.
    pub request_hash: String,
}

/// What a campaign says, step by step; never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagesRow {
    /// By step.
    pub messages: Vec<MessageTemplate>,
}

/// How far a campaign has come to those who were enrolled before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkRow {
    /// Which campaign.
    pub campaign: CampaignId,
    /// The place of the latest participant that it has come to, in the order of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// When it goes on; never without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<DateTime<Utc>>,
    /// Counts the claims: a late worker is fenced off.
    pub claims: u32,
}

/// A participant's journey through a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JourneyRow {
    /// Which campaign.
    pub campaign: CampaignId,
    /// Whose.
    pub participant: ParticipantId,
    /// How far it has come.
    pub journey: Journey,
    /// Counts the claims: a late worker is fenced off.
    pub claims: u32,
}

impl JourneyRow {
    /// How a participant's journey through a campaign begins; `None` where the campaign is not for it.
    #[must_use]
    pub fn begin(campaign: &CampaignRow, participant: &ParticipantRow) -> Option<Self> {
        Some(Self {
            campaign: campaign.campaign.clone(),
            participant: participant.participant.clone(),
            journey: campaign.plan.begin(participant.created_at)?,
            claims: 0,
        })
    }
}

impl Store {
    /// Creates a campaign, which comes from `walks_at` on to those who were enrolled by somebody who did not know of it;
    /// answers the earlier row when the same one exists.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_campaign(
        &self,
        organization: &OrganizationId,
        row: &CampaignRow,
        messages: &MessagesRow,
        walks_at: DateTime<Utc>,
    ) -> Result<Option<CampaignRow>, StoreError> {
        let (key, id) = (keys::campaign(organization, &row.campaign), &row.campaign);
        let messages = to_item(&keys::campaign_messages(organization, id), messages)?;
        let walk = WalkRow {
            campaign: id.clone(),
            after: row.plan.first_place(),
            next_at: Some(walks_at),
            claims: 0,
        };
        let actions = vec![
            self.put_action(to_item(&key, row)?, &absent())?,
            self.put_action(messages, &absent())?,
            self.put_action(walk_item(organization, &walk)?, &absent())?,
        ];
        self.campaigns.forget(&organization.as_str().to_owned());
        self.create(&key, actions).await
    }

    /// The campaigns of an organization; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_campaigns(
        &self,
        organization: &OrganizationId,
    ) -> Result<Vec<CampaignRow>, StoreError> {
        let items = self.list_own(organization, keys::CAMPAIGNS).await?;
        items.into_iter().map(from_item).collect()
    }

    /// The campaigns of an organization as they were at most [`crate::CACHE_SECONDS`] ago.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_recent_campaigns(
        &self,
        organization: &OrganizationId,
    ) -> Result<Vec<CampaignRow>, StoreError> {
        let (key, now) = (organization.as_str().to_owned(), self.clock.now());
        if let Some(rows) = self.campaigns.fresh(&key, now) {
            return Ok(rows);
        }
        let rows = self.list_campaigns(organization).await?;
        self.campaigns.keep(key, rows.clone(), now);
        Ok(rows)
    }

    /// A campaign; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_campaign(
        &self,
        organization: &OrganizationId,
        id: &CampaignId,
    ) -> Result<Option<CampaignRow>, StoreError> {
        self.get(&keys::campaign(organization, id), true).await?.map(from_item).transpose()
    }

    /// Says whether a campaign sends from now on; answers its row, as it is where it has ended. `None` when there is no
    /// such campaign.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_campaign_status(
        &self,
        organization: &OrganizationId,
        id: &CampaignId,
        status: CampaignStatus,
    ) -> Result<Option<CampaignRow>, StoreError> {
        let open = "attribute_exists(pk) AND (#plan.#status <> :ended OR :status = :ended)";
        let change = Change::new("SET #plan.#status = :status", open)
            .name("#plan", "plan")
            .name("#status", "status")
            .value(":status", to_attribute(&status)?)
            .value(":ended", to_attribute(&CampaignStatus::Ended)?);
        self.campaigns.forget(&organization.as_str().to_owned());
        match self.update(&keys::campaign(organization, id), &change).await? {
            Write::Done(item) => from_item(item).map(Some),
            Write::Refused(item) if item.is_empty() => Ok(None),
            Write::Refused(item) => from_item(item).map(Some),
        }
    }

    /// What a campaign says; kept for good, since it never changes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_campaign_messages(
        &self,
        organization: &OrganizationId,
        id: &CampaignId,
    ) -> Result<Option<MessagesRow>, StoreError> {
        let key = keys::campaign_messages(organization, id);
        if let Some(row) = self.messages.any(&key) {
            return Ok(Some(row));
        }
        let row: Option<MessagesRow> = self.get(&key, true).await?.map(from_item).transpose()?;
        if let Some(row) = &row {
            self.messages.keep(key, row.clone(), self.clock.now());
        }
        Ok(row)
    }

    /// How many notifications a campaign has sent on a day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_campaign_day(
        &self,
        organization: &OrganizationId,
        id: &CampaignId,
        day: NaiveDate,
    ) -> Result<u32, StoreError> {
        let item = self.get(&keys::campaign_day(organization, id, day), true).await?;
        Ok(item.and_then(|item| item.get("sent")?.as_n().ok()?.parse().ok()).unwrap_or(0))
    }

    /// Takes a place among what a campaign may send on a day; `false` when none is left. One that is taken and not used is
    /// lost: never is more sent than may be.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_campaign_place(
        &self,
        organization: &OrganizationId,
        id: &CampaignId,
        day: NaiveDate,
        most: Option<u32>,
    ) -> Result<bool, StoreError> {
        let mut change = Change::new("ADD sent :one SET #ttl = :ttl", "")
            .name("#ttl", keys::TTL_ATTRIBUTE)
            .value(":one", number(1))
            .value(":ttl", self.days_from_now(DAY_DAYS));
        if let Some(most) = most {
            change.condition = "attribute_not_exists(sent) OR sent < :most".to_owned();
            change = change.value(":most", number(most));
        }
        let written = self.update(&keys::campaign_day(organization, id, day), &change).await?;
        Ok(matches!(written, Write::Done(_)))
    }

    /// Begins a participant's journey through a campaign; one that has begun goes on as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_journey(
        &self,
        organization: &OrganizationId,
        row: &JourneyRow,
    ) -> Result<(), StoreError> {
        self.put_new(journey_item(organization, row)?).await.map(|_| ())
    }

    /// Claims a journey through a campaign that is due to be looked at.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_journey(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        campaign: &CampaignId,
        now: DateTime<Utc>,
    ) -> Result<DueClaim<JourneyRow>, StoreError> {
        self.claim_due(&keys::journey(organization, participant, campaign), now).await
    }

    /// Writes how far a journey through a campaign has come, with the notification that this led to; `false` when another worker
    /// has claimed it since.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn complete_journey(
        &self,
        organization: &OrganizationId,
        row: &JourneyRow,
        notification: Option<&NotificationRow>,
    ) -> Result<bool, StoreError> {
        let (item, fence) = (journey_item(organization, row)?, still_claimed(row.claims));
        let Some(notification) = notification else {
            return Ok(matches!(self.put_if(item, &fence).await?, Write::Done(_)));
        };
        let notification = notification_item(organization, notification)?;
        let actions = vec![self.put_action(item, &fence)?, self.put_action(notification, &absent())?];
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// A participant's journeys through campaigns; all of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_journeys(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
    ) -> Result<Vec<JourneyRow>, StoreError> {
        let pk = keys::participant_partition(organization, participant);
        let (items, _) = self.all_of(&pk, keys::JOURNEYS, &format!("{}~", keys::JOURNEYS), false).await?;
        items.into_iter().map(from_item).collect()
    }

    /// Claims the walk of a campaign to those who were enrolled before it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_walk(
        &self,
        organization: &OrganizationId,
        id: &CampaignId,
        now: DateTime<Utc>,
    ) -> Result<DueClaim<WalkRow>, StoreError> {
        self.claim_due(&keys::walk(organization, id), now).await
    }

    /// Writes how far a campaign has walked; `false` when another worker has claimed that since.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn complete_walk(
        &self,
        organization: &OrganizationId,
        row: &WalkRow,
    ) -> Result<bool, StoreError> {
        let item = walk_item(organization, row)?;
        Ok(matches!(self.put_if(item, &still_claimed(row.claims)).await?, Write::Done(_)))
    }
}

/// A journey through a campaign, in the due index until it is over.
pub(crate) fn journey_item(organization: &OrganizationId, row: &JourneyRow) -> Result<Item, StoreError> {
    let key = keys::journey(organization, &row.participant, &row.campaign);
    let mut item = to_item(&key, row)?;
    if let Some(next) = row.journey.next_at {
        index_in(&mut item, keys::DUE_INDEX, &keys::due_later(&key, next));
    }
    Ok(item)
}

fn walk_item(organization: &OrganizationId, row: &WalkRow) -> Result<Item, StoreError> {
    let key = keys::walk(organization, &row.campaign);
    let mut item = to_item(&key, row)?;
    if let Some(next) = row.next_at {
        index_in(&mut item, keys::DUE_INDEX, &keys::due_later(&key, next));
    }
    Ok(item)
}
