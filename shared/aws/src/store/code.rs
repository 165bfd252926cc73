//! Participants and their codes.
//!
//! The participant's row is written first, with the code that it is to have; then the code's row claims the code for
//! it. Whoever repeats the call finishes it, so a crash in between is harmless. The code of a participant changes only
//! while it is not yet claimed: when another participant has it already. Where more is to be written with an enrolment, one
//! transaction writes all of it.

use chrono::{DateTime, Utc};
use domain::code::ReferralCode;
use domain::contact::Contact;
use domain::customers::Customers;
use domain::event::Event;
use domain::id::{ExternalId, OrganizationId, ParticipantId, Processor, ProcessorRef, ProgramId};
use domain::program::Assignment;
use domain::referral::CodeOwner;
use serde::{Deserialize, Serialize};

use super::Store;
use super::campaign::{JourneyRow, journey_item};
use super::error::{StoreError, Transaction};
use super::item::{Change, Item, Write, absent, from_item, index_in, set_all, text, to_attribute, to_item};
use super::keys;
use super::page::Page;

/// A participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantRow {
    /// Its id.
    pub participant: ParticipantId,
    /// The program.
    pub program: ProgramId,
    /// The caller's own id.
    pub external_id: ExternalId,
    /// The name that the code was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The referral code.
    pub code: ReferralCode,
    /// What its own terms were and will be, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignments: Vec<Assignment>,
    /// What payment processors call it, for deliveries there.
    #[serde(default, skip_serializing_if = "Customers::is_empty")]
    pub customers: Customers,
    /// Where it is reached.
    #[serde(default, skip_serializing_if = "Contact::is_empty")]
    pub contact: Contact,
    /// Since when it has unsubscribed from campaigns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsubscribed_at: Option<DateTime<Utc>>,
    /// When it was enrolled.
    pub created_at: DateTime<Utc>,
}

/// The condition that a participant is there.
const ENROLLED: &str = "attribute_exists(pk)";

/// Whose a code is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRow {
    /// The code.
    pub code: ReferralCode,
    /// The participant.
    pub participant: ParticipantId,
    /// The caller's own id of the participant.
    pub external_id: ExternalId,
    /// The program.
    pub program: ProgramId,
    /// What is particular about a code that a program owner made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promo: Option<Promo>,
    /// How often a code with a limit was used.
    #[serde(default)]
    pub uses: u32,
}

/// A promo code: made by a program owner beside the code that the system issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promo {
    /// From when it can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u32>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The referral code behind a processor's promotion code.
#[derive(Debug, Serialize, Deserialize)]
struct PromotionRow {
    code: ReferralCode,
}

/// How an enrolment was taken.
#[derive(Debug)]
pub enum Enrolled {
    /// Written, the code with it.
    New,
    /// Enrolled before; its code may still have to be claimed.
    Known(Box<ParticipantRow>),
    /// Another participant has the code.
    CodeTaken,
    /// Somebody else was in the way: try it again.
    Lost,
}

impl CodeRow {
    /// The code as the rules know it.
    #[must_use]
    pub fn owner(&self) -> CodeOwner {
        let promo = self.promo.as_ref();
        CodeOwner {
            participant: self.participant.clone(),
            external_id: self.external_id.clone(),
            program: self.program.clone(),
            starts_at: promo.and_then(|promo| promo.starts_at),
            ends_at: promo.and_then(|promo| promo.ends_at),
            used_up: promo.and_then(|promo| promo.max_uses).is_some_and(|most| self.uses >= most),
        }
    }
}

impl Store {
    /// Makes a promo code; answers the earlier row when the code is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_promo_code(
        &self,
        organization: &OrganizationId,
        row: &CodeRow,
    ) -> Result<Option<CodeRow>, StoreError> {
        match self.put_new(to_item(&keys::code(organization, &row.code), row)?).await? {
            Write::Done(_) => Ok(None),
            Write::Refused(known) => from_item(known).map(Some),
        }
    }

    /// A participant as it was at most [`crate::CACHE_SECONDS`] ago: enough to decide by, since changes of its terms take
    /// effect later than that.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_recent_participant(
        &self,
        organization: &OrganizationId,
        id: &ParticipantId,
    ) -> Result<Option<ParticipantRow>, StoreError> {
        let (key, now) = (keys::participant(organization, id), self.clock.now());
        if let Some(row) = self.participants.fresh(&key, now) {
            return Ok(Some(row));
        }
        let row = self.find_participant(organization, id).await?;
        if let Some(row) = &row {
            self.participants.keep(key, row.clone(), now);
        }
        Ok(row)
    }

    /// The participants of a program, the oldest first, page by page: at most 100.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_participants(
        &self,
        organization: &OrganizationId,
        program: &ProgramId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ParticipantRow>, StoreError> {
        let partition = |shard| keys::participants_partition(organization, program, shard);
        let Page { rows: places, next } = self.list_sharded(partition, after, limit).await?;
        let rows = self.get_all(&places).await?.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(Page { rows, next })
    }

    /// Enrols a participant; answers the row that stands, an earlier one if there is one, and whether it is new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_participant(
        &self,
        organization: &OrganizationId,
        row: &ParticipantRow,
    ) -> Result<(ParticipantRow, bool), StoreError> {
        match self.put_new(participant_item(organization, row)?).await? {
            Write::Done(_) => Ok((row.clone(), true)),
            Write::Refused(known) => Ok((from_item(known)?, false)),
        }
    }

    /// Enrols a participant and claims its code in one transaction, with the event that tells of it and its journeys through
    /// campaigns.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_enrolment(
        &self,
        organization: &OrganizationId,
        row: &ParticipantRow,
        event: Option<&Event>,
        journeys: &[JourneyRow],
    ) -> Result<Enrolled, StoreError> {
        let item = participant_item(organization, row)?;
        let (code, free) = code_claim(organization, row)?;
        let mut actions = vec![self.put_action(item, &absent())?, self.put_action(code, &free)?];
        if let Some(event) = event {
            actions.push(self.event_action(event)?);
        }
        for journey in journeys {
            actions.push(self.put_action(journey_item(organization, journey)?, &absent())?);
        }
        let Transaction::Refused { rows } = self.transact(actions).await? else { return Ok(Enrolled::New) };
        let mut rows = rows.into_iter();
        match (rows.next().flatten(), rows.next().flatten()) {
            (Some(known), _) => Ok(Enrolled::Known(Box::new(from_item(known)?))),
            (None, Some(_)) => Ok(Enrolled::CodeTaken),
            (None, None) => Ok(Enrolled::Lost),
        }
    }

    /// Claims a participant's code for it; `false` when another participant has that code.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_code(
        &self,
        organization: &OrganizationId,
        row: &ParticipantRow,
    ) -> Result<bool, StoreError> {
        let (item, free) = code_claim(organization, row)?;
        Ok(matches!(self.put_if(item, &free).await?, Write::Done(_)))
    }

    /// Gives a participant another code in place of one that it could not claim; answers the row that stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_other_code(
        &self,
        organization: &OrganizationId,
        row: &ParticipantRow,
        code: &ReferralCode,
    ) -> Result<ParticipantRow, StoreError> {
        let change = Change::new("SET #code = :code", "#code = :before")
            .name("#code", "code")
            .value(":code", to_attribute(code)?)
            .value(":before", to_attribute(&row.code)?);
        match self.update(&keys::participant(organization, &row.participant), &change).await? {
            Write::Done(item) | Write::Refused(item) => from_item(item),
        }
    }

    /// Says what payment processors call a participant from now on; answers its row, `None` when there is no such
    /// participant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_customers(
        &self,
        organization: &OrganizationId,
        id: &ParticipantId,
        customers: &Customers,
    ) -> Result<Option<ParticipantRow>, StoreError> {
        let change = set_all(vec![("customers", to_attribute(customers)?)], ENROLLED);
        self.change_participant(organization, id, &change).await
    }

    /// Says where a participant is reached from now on; answers as [`Self::commit_customers`] does.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_contact(
        &self,
        organization: &OrganizationId,
        id: &ParticipantId,
        contact: &Contact,
    ) -> Result<Option<ParticipantRow>, StoreError> {
        let change = set_all(vec![("contact", to_attribute(contact)?)], ENROLLED);
        self.change_participant(organization, id, &change).await
    }

    /// Says whether a participant gets campaigns from now on; answers as [`Self::commit_customers`] does. Since when it has
    /// unsubscribed stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_subscription(
        &self,
        organization: &OrganizationId,
        id: &ParticipantId,
        subscribed: bool,
    ) -> Result<Option<ParticipantRow>, StoreError> {
        let change = if subscribed {
            Change::new("", ENROLLED).removing(["unsubscribed_at"])
        } else {
            Change::new("SET unsubscribed_at = if_not_exists(unsubscribed_at, :now)", ENROLLED)
                .value(":now", to_attribute(&self.clock.now())?)
        };
        self.change_participant(organization, id, &change).await
    }

    async fn change_participant(
        &self,
        organization: &OrganizationId,
        id: &ParticipantId,
        change: &Change,
    ) -> Result<Option<ParticipantRow>, StoreError> {
        let key = keys::participant(organization, id);
        self.participants.forget(&key);
        match self.update(&key, change).await? {
            Write::Done(item) => from_item(item).map(Some),
            Write::Refused(_) => Ok(None),
        }
    }

    /// A participant by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_participant(
        &self,
        organization: &OrganizationId,
        id: &ParticipantId,
    ) -> Result<Option<ParticipantRow>, StoreError> {
        self.get(&keys::participant(organization, id), true).await?.map(from_item).transpose()
    }

    /// Whose a code is, from memory where it was asked before: a code never changes its owner. How often it was used may be
    /// of long ago.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_code_owner(
        &self,
        organization: &OrganizationId,
        code: &ReferralCode,
    ) -> Result<Option<CodeRow>, StoreError> {
        let key = keys::code(organization, code);
        if let Some(row) = self.codes.any(&key) {
            return Ok(Some(row));
        }
        let row = self.find_code(organization, code).await?;
        if let Some(row) = &row {
            self.codes.keep(key, row.clone(), self.clock.now());
        }
        Ok(row)
    }

    /// The referral code that a processor's promotion code is, if it is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_promotion(
        &self,
        organization: &OrganizationId,
        processor: &Processor,
        id: &ProcessorRef,
    ) -> Result<Option<ReferralCode>, StoreError> {
        let item = self.get(&keys::promotion(organization, processor, id), true).await?;
        Ok(item.map(from_item::<PromotionRow>).transpose()?.map(|row| row.code))
    }

    /// Ties a processor's promotion code to a referral code, once; answers the code that it is tied to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_promotion(
        &self,
        organization: &OrganizationId,
        processor: &Processor,
        id: &ProcessorRef,
        code: &ReferralCode,
    ) -> Result<ReferralCode, StoreError> {
        let row = PromotionRow { code: code.clone() };
        match self.put_new(to_item(&keys::promotion(organization, processor, id), &row)?).await? {
            Write::Done(_) => Ok(row.code),
            Write::Refused(known) => Ok(from_item::<PromotionRow>(known)?.code),
        }
    }

    /// Whose a code is. A code never changes its owner, so an eventual read that finds it is right; one that does not
    /// is asked again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_code(
        &self,
        organization: &OrganizationId,
        code: &ReferralCode,
    ) -> Result<Option<CodeRow>, StoreError> {
        let key = keys::code(organization, code);
        match self.get(&key, false).await? {
            Some(item) => from_item(item).map(Some),
            None => self.get(&key, true).await?.map(from_item).transpose(),
        }
    }
}

/// The row that claims a participant's code for it, and the condition that nobody else has it.
fn code_claim(organization: &OrganizationId, row: &ParticipantRow) -> Result<(Item, Change), StoreError> {
    let code = CodeRow {
        code: row.code.clone(),
        participant: row.participant.clone(),
        external_id: row.external_id.clone(),
        program: row.program.clone(),
        promo: None,
        uses: 0,
    };
    let free = Change::new(
        "",
        "attribute_not_exists(pk) OR (participant = :participant AND attribute_not_exists(promo))",
    )
    .value(":participant", text(row.participant.as_str()));
    Ok((to_item(&keys::code(organization, &row.code), &code)?, free))
}

/// A participant, in the list of its program.
fn participant_item(organization: &OrganizationId, row: &ParticipantRow) -> Result<Item, StoreError> {
    let mut item = to_item(&keys::participant(organization, &row.participant), row)?;
    let listing = keys::participant_listing(organization, &row.program, &row.participant, row.created_at);
    index_in(&mut item, keys::LISTING_INDEX, &listing);
    Ok(item)
}
