//! The due index: what is left to do, and when.

use chrono::{DateTime, NaiveDate, Utc};
use domain::fact::Customer;
use domain::id::{
    BillingRunId, CampaignId, CheckId, DeliveryId, ExternalId, MessageId, NotificationId, OrganizationId,
    ParticipantId, PayoutBatchId, Processor, ProcessorRef, RewardId, SourceId, SourceKind, time_digits,
};
use domain::money::Currency;

use super::{
    BATCH, CHECK, DELIVERY, DUE_SHARDS, EVENT, JOURNEYS, Key, LATER_SHARDS, LEDGER, NOTIFICATIONS, RATES,
    RUN, TALLY, WALK, check, customer, delivery, event, journey, notification, payout_batch, rates, referee,
    reward, run, source, tally, walk,
};

/// The due index's key of a row.
pub(crate) fn due(key: &Key, at: DateTime<Utc>) -> Key {
    Key::new(due_partition(key.shard(DUE_SHARDS)), time_digits(at))
}

/// The due index's key of a row that may wait: those of campaigns come many at once, and keep no money waiting.
pub(crate) fn due_later(key: &Key, at: DateTime<Utc>) -> Key {
    let shard = DUE_SHARDS.saturating_add(key.shard(LATER_SHARDS));
    Key::new(due_partition(shard), time_digits(at))
}

pub(crate) fn due_partition(shard: u32) -> String {
    format!("DUE#{shard:02}")
}

/// A row of the due index: whose it is, and what is left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The organization.
    pub organization: OrganizationId,
    /// What is left to do.
    pub task: DueTask,
}

impl Due {
    /// The name of the row in findings of the self-check.
    #[must_use]
    pub fn row(&self) -> String {
        match &self.task {
            DueTask::Reward(reward) => format!("reward/{reward}"),
            DueTask::Referee(referee) => format!("referee/{referee}"),
            DueTask::Customer(customer) => format!("customer/{}/{}", customer.processor, customer.reference),
            DueTask::Source(source) | DueTask::Cascade(source) => format!("source/{source}"),
            DueTask::Release(participant) => format!("participant/{participant}"),
            DueTask::Rates { day, currency } => format!("exchange-rates/{day}/{currency}"),
            DueTask::BillingRun(run) => format!("billing-run/{run}"),
            DueTask::PayoutBatch(batch) => format!("payout-batch/{batch}"),
            DueTask::Check(check) => format!("check/{check}"),
            DueTask::Event(event) => format!("event/{event}"),
            DueTask::Delivery(delivery) => format!("delivery/{delivery}"),
            DueTask::Notification(notification) => format!("notification/{notification}"),
            DueTask::Journey { participant, campaign } => format!("journey/{participant}/{campaign}"),
            DueTask::Walk(campaign) => format!("campaign/{campaign}"),
        }
    }
}

/// What can be left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DueTask {
    /// A reward is to be delivered.
    Reward(RewardId),
    /// Sources wait for a referee who has signed up since.
    Referee(ExternalId),
    /// Sources wait for a customer whose referee is known since.
    Customer(Customer),
    /// What is known of a payment is to be passed on to its invoices, or a source has waited in vain.
    Source(SourceId),
    /// A reward's second-level rewards are to be decided (again).
    Cascade(SourceId),
    /// Rewards that waited for a participant's earnings are to be released.
    Release(ParticipantId),
    /// Sources wait for exchange rates that have been given since.
    Rates {
        /// Of which day.
        day: NaiveDate,
        /// In which currency.
        currency: Currency,
    },
    /// A billing run is to be gone on with.
    BillingRun(BillingRunId),
    /// A payout batch is to be gone on with.
    PayoutBatch(PayoutBatchId),
    /// A check is to be gone on with.
    Check(CheckId),
    /// An event is to be told.
    Event(MessageId),
    /// An event is to be delivered to a destination.
    Delivery(DeliveryId),
    /// A notification is to be sent.
    Notification(NotificationId),
    /// A participant's journey through a campaign is to be looked at.
    Journey {
        /// Whose.
        participant: ParticipantId,
        /// Through which campaign.
        campaign: CampaignId,
    },
    /// A campaign is to come to those who were enrolled before it.
    Walk(CampaignId),
}

impl Due {
    /// The primary key of the row: what [`parse_due`] reads.
    #[must_use]
    pub fn key(&self) -> Key {
        let organization = &self.organization;
        match &self.task {
            DueTask::Reward(id) => reward(organization, id),
            DueTask::Referee(id) => referee(organization, id),
            DueTask::Customer(id) => customer(organization, id),
            DueTask::Source(id) | DueTask::Cascade(id) => source(organization, id),
            DueTask::Release(id) => tally(organization, id),
            DueTask::Rates { day, currency } => rates(organization, *day, *currency),
            DueTask::BillingRun(id) => run(organization, id),
            DueTask::PayoutBatch(id) => payout_batch(organization, id),
            DueTask::Check(id) => check(organization, id),
            DueTask::Event(id) => event(organization, id),
            DueTask::Delivery(id) => delivery(organization, id),
            DueTask::Notification(id) => notification(organization, id),
            DueTask::Journey { participant, campaign } => journey(organization, participant, campaign),
            DueTask::Walk(id) => walk(organization, id),
        }
    }
}

/// Reads a primary key of the due index back; `None` for a key of another form.
#[must_use]
pub fn parse_due(key: &Key) -> Option<Due> {
    let (organization, rest) = key.pk.split_once('#')?;
    let organization = OrganizationId::parse(organization).ok()?;
    let task = match key.sk.as_str() {
        "REFEREE" => DueTask::Referee(ExternalId::parse(rest.strip_prefix("REFEREE#")?).ok()?),
        "CUSTOMER" => {
            let (processor, reference) = rest.strip_prefix("CUSTOMER#")?.split_once('#')?;
            let processor = Processor::parse(processor).ok()?;
            DueTask::Customer(Customer { processor, reference: ProcessorRef::parse(reference).ok()? })
        }
        "SOURCE" => {
            let source = SourceId::parse(rest.strip_prefix("SOURCE#")?).ok()?;
            if source.kind == SourceKind::Reward { DueTask::Cascade(source) } else { DueTask::Source(source) }
        }
        RUN => DueTask::BillingRun(BillingRunId::parse(rest).ok()?),
        BATCH => DueTask::PayoutBatch(PayoutBatchId::parse(rest).ok()?),
        CHECK => DueTask::Check(CheckId::parse(rest).ok()?),
        EVENT => DueTask::Event(MessageId::parse(rest).ok()?),
        DELIVERY => DueTask::Delivery(DeliveryId::parse(rest).ok()?),
        WALK => DueTask::Walk(CampaignId::parse(rest).ok()?),
        TALLY => DueTask::Release(ParticipantId::parse(rest).ok()?),
        sent if sent.starts_with(NOTIFICATIONS) => {
            let (time, tail) = sent.strip_prefix(NOTIFICATIONS)?.split_once('#')?;
            let id = format!("ntf_{}{time}{tail}", rest.strip_prefix("prt_")?);
            DueTask::Notification(NotificationId::parse(&id).ok()?)
        }
        journey if journey.starts_with(JOURNEYS) => DueTask::Journey {
            participant: ParticipantId::parse(rest).ok()?,
            campaign: CampaignId::parse(journey.strip_prefix(JOURNEYS)?).ok()?,
        },
        rates if rates.starts_with(RATES) => DueTask::Rates {
            day: rest.strip_prefix(RATES)?.parse().ok()?,
            currency: Currency::parse(rates.strip_prefix(RATES)?).ok()?,
        },
        line => {
            let (time, tail) = line.strip_prefix(LEDGER)?.split_once('#')?;
            DueTask::Reward(RewardId::parse(&format!("rwd_{}{time}{tail}", rest.strip_prefix("prt_")?)).ok()?)
        }
    };
    Some(Due { organization, task })
}
