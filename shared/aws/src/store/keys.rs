//! Every key of the table. Nothing else builds or reads one.
//!
//! | row | pk | sk |
//! |---|---|---|
//! | organization, in the directory that the nightly run pages through | `ORGANIZATIONS` | `<org>` |
//! | API key by its hash; leads to the organization | `KEY#<sha-256>` | `KEY` |
//! | webhook endpoint by its id; leads to the organization | `ENDPOINT#<whe>` | `ENDPOINT` |
//! | API key and endpoint, for listing | `<org>` | `KEY#<key>`, `ENDPOINT#<whe>` |
//! | connection to a processor, with its sealed key | `<org>` | `PROCESSOR#<processor>` |
//! | program | `<org>` | `PROGRAM#<prg>` |
//! | event destination | `<org>` | `DESTINATION#<dst>` |
//! | event that is to be told | `<org>#<msg>` | `EVENT` |
//! | campaign | `<org>` | `CAMPAIGN#<cmp>` |
//! | what a campaign says, how far it has come to those who were enrolled before it, what it sent on a day | `<org>#<cmp>` | `MESSAGES`, `WALK`, `DAY#<day>` |
//! | participant's journey through a campaign | `<org>#<prt>` | `JOURNEY#<cmp>` |
//! | notification | `<org>#<prt>` | `NOTIFICATION#<time>#<tail>` |
//! | task | `<org>#<tsk>` | `TASK` |
//! | delivery of an event to a destination | `<org>#<dlv>` | `DELIVERY` |
//! | terms, immutable | `<org>#<prg>` | `TERMS#<version>` |
//! | daily report | `<org>` | `REPORT#<day>` |
//! | participant | `<org>#<prt>` | `PARTICIPANT` |
//! | reward: the opening line of its ledger | `<org>#<prt>` | `L#<time>#<tail>` |
//! | correcting entry | `<org>#<prt>` | `L#<time>#<tail>.<number>` |
//! | snapshot of the balances | `<org>#<prt>` | `L#<time>#~` |
//! | redemption, and what it gives back: lines of the ledger | `<org>#<prt>` | `L#<time>#<tail>` |
//! | redemption by the caller's reference | `<org>#<prt>` | `REDEMPTION#<reference>` |
//! | how often a participant's balance was spent of | `<org>#<prt>` | `SPENDING` |
//! | what is counted of a participant | `<org>#<prt>` | `TALLY` |
//! | code | `<org>#CODE#<code>` | `CODE` |
//! | one-time discount | `<org>#DISCOUNT#<code>` | `DISCOUNT` |
//! | referee: the referral, or what waits for it | `<org>#REFEREE#<external id>` | `REFEREE` |
//! | another referrer's share of the referral, a referral that was removed before | `<org>#REFEREE#<external id>` | `SHARE#<n>.<m>`, `FORMER#<n>` |
//! | touch of a visitor | `<org>#VISITOR#<visitor>` | `T#<time>#<prt>` |
//! | processor's customer: the referee, or what waits for it | `<org>#CUSTOMER#<processor>#<id>` | `CUSTOMER` |
//! | processor's promotion code: the referral code that it is | `<org>#PROMOTION#<processor>#<id>` | `PROMOTION` |
//! | source | `<org>#SOURCE#<source>` | `SOURCE` |
//! | exchange rates of a day in a currency | `<org>#RATES#<day>` | `RATES#<currency>` |
//! | source that waits for a rate | `<org>#RATE#<day>#<to>` | `<from>#<source>` |
//! | partner invoice | `<org>#<prt>` | `INVOICE#<time>#<tail>` |
//! | line item of it, some of its lines | `<org>#<prt>` | `INVOICE-ITEM#<time>#<tail>#<referee>#<version>`, `INVOICE-PART#<time>#<tail>#<n>` |
//! | billing run | `<org>#<run>` | `RUN` |
//! | what it made or would make, whom it is done with | `<org>#<run>` | `INVOICE#<pin>`, `SEEN#<prt>` |
//! | billing run, for listing | `<org>#RUNS` | `<time>#<run>` |
//! | payout batch | `<org>#<pob>` | `BATCH` |
//! | line of a payout batch | `<org>#<pob>` | `LINE#<prt>` |
//! | payout batch, for listing | `<org>#PAYOUTS` | `<time>#<pob>` |
//! | payout batch of a program and currency that is at work | `<org>#<prg>` | `PAYOUT#<currency>` |
//! | self-check | `<org>#<chk>` | `CHECK` |
//! | how far a program is billed | `<org>#<prg>` | `BILLING` |
//! | participant with something left to bill | `<org>#<prg>#CARRY` | `<prt>` |
//! | participant's token by its hash; leads to the participant | `TOKEN#<sha-256>` | `TOKEN` |
//!
//! | index | pk | sk | rows |
//! |---|---|---|---|
//! | `due` | `DUE#<shard>` | `<time>` | rows with something left to do; of the last four shards, campaigns and journeys through them |
//! | `day` | `<org>#<day>#<shard>` | `<time>` | referrals and ledger lines |
//! | `listing` | `<org>#<prt>` | `<time>#<referee>` | referrals of a referrer |
//! | `listing` | `<org>#<dst>` | `<time>#<dlv>` | deliveries to a destination |
//! | `listing` | `<org>#<prg>#PARTICIPANTS#<shard>` | `<time>#<prt>` | participants of a program |
//! | `listing` | `<org>#TASKS#<shard>`, `<org>#CLOSED-TASKS#<shard>` | `<time>#<tsk>` | tasks that are open, or closed |
//! | `listing` | `<org>#PARKED#<shard>`, `<org>#EXPIRED#<shard>` | `<time>#<source>` | sources that wait, or have in vain |
//! | `listing` | `<org>#<prg>#PAYABLE#<currency>#<shard>` | `<prt>#<time>#<tail>` | finalized partner invoices that stand in no payout batch |
//!
//! `<time>` is ten base-32 digits of a millisecond timestamp. Every key starts with its organization, but for the
//! rows that lead to one, the directory, and the due index, whose rows name their organization in the table's own key.

mod billing;
mod due;
mod outreach;

use chrono::{DateTime, NaiveDate, Utc};
use domain::code::ReferralCode;
use domain::discount::DiscountCode;
use domain::fact::Customer;
use domain::id::{
    ApiKeyId, CheckId, DeliveryId, DestinationId, EndpointId, EntryId, ExternalId, IdError, MessageId,
    OrganizationId, ParticipantId, Processor, ProcessorRef, ProgramId, RewardId, SourceId, VisitorId,
    time_digits, time_of,
};
use domain::ledger::Redemption;
use domain::money::Currency;
use domain::rate::RateKey;

pub use billing::PAYABLE_SHARDS;
pub(crate) use billing::*;
pub use due::{Due, DueTask, parse_due};
pub(crate) use due::{due, due_later, due_partition};
pub(crate) use outreach::*;

/// The table's TTL attribute; `template.yaml` names the same.
pub const TTL_ATTRIBUTE: &str = "expires_at";
/// The sparse index of rows with something left to do.
pub const DUE_INDEX: &str = "due";
/// The index of what a day wrote.
pub const DAY_INDEX: &str = "day";
/// The index of rows that are listed under something: referrals under their referrer, parked sources.
pub const LISTING_INDEX: &str = "listing";

/// Shards of the due index: 16 x 1,000 index writes a second.
pub const DUE_SHARDS: u32 = 16;
/// Shards of the due index, after these, for what may wait.
pub const LATER_SHARDS: u32 = 4;
/// Shards of an organization's day: 4 x 1,000 index writes a second.
pub const DAY_SHARDS: u32 = 4;

/// The directory's partition.
pub(crate) const DIRECTORY: &str = "ORGANIZATIONS";

/// A primary key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    fn shard(&self, shards: u32) -> u32 {
        let mut hash = crc32fast::Hasher::new();
        hash.update(self.pk.as_bytes());
        hash.update(self.sk.as_bytes());
        hash.finalize() % shards
    }
}

pub(crate) fn directory(organization: &OrganizationId) -> Key {
    Key::new(DIRECTORY, organization.as_str())
}

pub(crate) fn api_key(hash: &str) -> Key {
    Key::new(format!("KEY#{hash}"), "KEY")
}

pub(crate) fn api_key_listing(organization: &OrganizationId, id: &ApiKeyId) -> Key {
    Key::new(organization.as_str(), format!("{API_KEYS}{id}"))
}

pub(crate) fn endpoint(id: &EndpointId) -> Key {
    Key::new(format!("ENDPOINT#{id}"), "ENDPOINT")
}

pub(crate) fn endpoint_listing(organization: &OrganizationId, id: &EndpointId) -> Key {
    Key::new(organization.as_str(), format!("{ENDPOINTS}{id}"))
}

/// The connection to a processor.
pub(crate) fn connection(organization: &OrganizationId, processor: &Processor) -> Key {
    Key::new(organization.as_str(), format!("PROCESSOR#{processor}"))
}

pub(crate) fn program(organization: &OrganizationId, id: &ProgramId) -> Key {
    Key::new(organization.as_str(), format!("{PROGRAMS}{id}"))
}

pub(crate) fn destination(organization: &OrganizationId, id: &DestinationId) -> Key {
    Key::new(organization.as_str(), format!("{DESTINATIONS}{id}"))
}

/// An event that is to be told.
pub(crate) fn event(organization: &OrganizationId, id: &MessageId) -> Key {
    Key::new(format!("{organization}#{id}"), EVENT)
}

const EVENT: &str = "EVENT";

pub(crate) fn delivery(organization: &OrganizationId, id: &DeliveryId) -> Key {
    Key::new(format!("{organization}#{id}"), DELIVERY)
}

const DELIVERY: &str = "DELIVERY";

/// The listing index's partition of the deliveries to a destination.
pub(crate) fn deliveries_partition(organization: &OrganizationId, id: &DestinationId) -> String {
    format!("{organization}#{id}")
}

/// The listing index's key of a delivery.
pub(crate) fn delivery_listing(
    organization: &OrganizationId,
    destination: &DestinationId,
    id: &DeliveryId,
    at: DateTime<Utc>,
) -> Key {
    Key::new(deliveries_partition(organization, destination), format!("{}#{id}", time_digits(at)))
}

/// The listing index's key of a participant.
pub(crate) fn participant_listing(
    organization: &OrganizationId,
    program: &ProgramId,
    id: &ParticipantId,
    at: DateTime<Utc>,
) -> Key {
    let shard = participant(organization, id).shard(LIST_SHARDS);
    let pk = participants_partition(organization, program, shard);
    Key::new(pk, format!("{}#{id}", time_digits(at)))
}

pub(crate) fn participants_partition(
    organization: &OrganizationId,
    program: &ProgramId,
    shard: u32,
) -> String {
    format!("{organization}#{program}#PARTICIPANTS#{shard}")
}

/// Shards of long lists: 4 x 1,000 index writes a second.
pub(crate) const LIST_SHARDS: u32 = 4;

/// Sort key prefixes within an organization's own partition.
pub(crate) const CAMPAIGNS: &str = "CAMPAIGN#";
pub(crate) const API_KEYS: &str = "KEY#";
pub(crate) const ENDPOINTS: &str = "ENDPOINT#";
pub(crate) const PROGRAMS: &str = "PROGRAM#";
pub(crate) const DESTINATIONS: &str = "DESTINATION#";
/// Sort key prefix of the ledger within a participant's partition.
pub(crate) const LEDGER: &str = "L#";
/// Sorts after every line of the ledger.
pub(crate) const LEDGER_END: &str = "L#~";

pub(crate) fn terms(organization: &OrganizationId, program: &ProgramId, version: u32) -> Key {
    Key::new(format!("{organization}#{program}"), format!("TERMS#{version:06}"))
}

pub(crate) fn report(organization: &OrganizationId, day: NaiveDate) -> Key {
    Key::new(organization.as_str(), format!("REPORT#{day}"))
}

pub(crate) fn participant(organization: &OrganizationId, id: &ParticipantId) -> Key {
    Key::new(participant_partition(organization, id), "PARTICIPANT")
}

pub(crate) fn participant_partition(organization: &OrganizationId, id: &ParticipantId) -> String {
    format!("{organization}#{id}")
}

/// The participant in whose partition a row is.
pub(crate) fn participant_of(key: &Key) -> Result<ParticipantId, IdError> {
    ParticipantId::parse(key.pk.split_once('#').map_or("", |(_, participant)| participant))
}

pub(crate) fn reward(organization: &OrganizationId, id: &RewardId) -> Key {
    let (time, tail) = id.place();
    Key::new(participant_partition(organization, &id.participant()), format!("L#{time}#{tail}"))
}

pub(crate) fn entry(
    organization: &OrganizationId,
    reward: &RewardId,
    number: u32,
    recorded_at: DateTime<Utc>,
) -> Key {
    let (_, tail) = reward.place();
    let sk = format!("L#{}#{tail}.{number:06}", time_digits(recorded_at));
    Key::new(participant_partition(organization, &reward.participant()), sk)
}

/// A line that spends of a balance, or gives back what was spent.
pub(crate) fn redemption_line(organization: &OrganizationId, line: &Redemption) -> Key {
    let what = if line.amount.is_negative() { "return" } else { "redemption" };
    let tail = EntryId::derive(&[what, line.reference.as_str()]);
    let sk = format!("{LEDGER}{}#{tail}", time_digits(line.recorded_at));
    Key::new(participant_partition(organization, &line.participant), sk)
}

pub(crate) fn redemption(organization: &OrganizationId, id: &ParticipantId, reference: &ExternalId) -> Key {
    Key::new(participant_partition(organization, id), format!("{REDEMPTIONS}{reference}"))
}

/// Sort key prefix of redemptions within a participant's partition.
pub(crate) const REDEMPTIONS: &str = "REDEMPTION#";

pub(crate) fn spending(organization: &OrganizationId, id: &ParticipantId) -> Key {
    Key::new(participant_partition(organization, id), "SPENDING")
}

/// A snapshot of every line up to and including the moment whose digits are `time`.
pub(crate) fn snapshot(organization: &OrganizationId, id: &ParticipantId, time: &str) -> Key {
    Key::new(participant_partition(organization, id), format!("L#{time}#~"))
}

/// Where the ledger of a moment begins.
pub(crate) fn ledger_from(at: DateTime<Utc>) -> String {
    format!("{LEDGER}{}", time_digits(at))
}

pub(crate) fn is_snapshot(sk: &str) -> bool {
    sk.starts_with(LEDGER) && sk.ends_with("#~")
}

pub(crate) fn code(organization: &OrganizationId, code: &ReferralCode) -> Key {
    Key::new(format!("{organization}#CODE#{}", code.as_str()), "CODE")
}

pub(crate) fn discount(organization: &OrganizationId, code: &DiscountCode) -> Key {
    Key::new(format!("{organization}#DISCOUNT#{}", code.as_str()), "DISCOUNT")
}

pub(crate) fn referee(organization: &OrganizationId, id: &ExternalId) -> Key {
    Key::new(format!("{organization}#REFEREE#{id}"), "REFEREE")
}

/// A further referrer's share of a referee's referral; `number` is the referral's.
pub(crate) fn share(organization: &OrganizationId, id: &ExternalId, number: u32, place: usize) -> Key {
    Key::new(format!("{organization}#REFEREE#{id}"), format!("SHARE#{number}.{place}"))
}

/// A referee's referral that was removed before the present one.
pub(crate) fn former(organization: &OrganizationId, id: &ExternalId, number: u32) -> Key {
    Key::new(format!("{organization}#REFEREE#{id}"), format!("FORMER#{number}"))
}

/// What is counted of a participant.
pub(crate) fn tally(organization: &OrganizationId, id: &ParticipantId) -> Key {
    Key::new(participant_partition(organization, id), TALLY)
}

const TALLY: &str = "TALLY";

/// The partition of a visitor's touches.
pub(crate) fn visitor_partition(organization: &OrganizationId, visitor: &VisitorId) -> String {
    format!("{organization}#VISITOR#{visitor}")
}

/// A touch.
pub(crate) fn touch(
    organization: &OrganizationId,
    visitor: &VisitorId,
    id: &ParticipantId,
    at: DateTime<Utc>,
) -> Key {
    let sk = format!("{TOUCHES}{}#{id}", time_digits(at));
    Key::new(visitor_partition(organization, visitor), sk)
}

/// Sort key prefix of touches.
pub(crate) const TOUCHES: &str = "T#";

pub(crate) fn customer(organization: &OrganizationId, customer: &Customer) -> Key {
    Key::new(format!("{organization}#CUSTOMER#{}#{}", customer.processor, customer.reference), "CUSTOMER")
}

/// The code behind a promotion code of a processor.
pub(crate) fn promotion(organization: &OrganizationId, processor: &Processor, id: &ProcessorRef) -> Key {
    Key::new(format!("{organization}#PROMOTION#{processor}#{id}"), "PROMOTION")
}

/// The listing index's key of a source that is parked, or has expired.
pub(crate) fn parked(
    organization: &OrganizationId,
    id: &SourceId,
    since: DateTime<Utc>,
    expired: bool,
) -> Key {
    let shard = source(organization, id).shard(LIST_SHARDS);
    Key::new(parked_partition(organization, expired, shard), format!("{}#{id}", time_digits(since)))
}

pub(crate) fn parked_partition(organization: &OrganizationId, expired: bool, shard: u32) -> String {
    let kind = if expired { "EXPIRED" } else { "PARKED" };
    format!("{organization}#{kind}#{shard}")
}

pub(crate) fn source(organization: &OrganizationId, id: &SourceId) -> Key {
    Key::new(format!("{organization}#SOURCE#{id}"), "SOURCE")
}

/// The partition of a day's exchange rates.
pub(crate) fn rates_partition(organization: &OrganizationId, day: NaiveDate) -> String {
    format!("{organization}#{RATES}{day}")
}

/// The exchange rates of a day in a currency.
pub(crate) fn rates(organization: &OrganizationId, day: NaiveDate, currency: Currency) -> Key {
    Key::new(rates_partition(organization, day), format!("{RATES}{currency}"))
}

/// What the partition keys of everything of an organization begin with, but for its own partition.
pub(crate) fn within(organization: &OrganizationId) -> String {
    format!("{organization}#")
}

/// Begins the partitions and the sort keys of exchange rates.
pub(crate) const RATES: &str = "RATES#";

/// The partition of the sources that wait for exchange rates of a day in a currency.
pub(crate) fn waiting_for_rates(organization: &OrganizationId, day: NaiveDate, currency: Currency) -> String {
    format!("{organization}#RATE#{day}#{currency}")
}

/// A source that waits for an exchange rate.
pub(crate) fn waiting_for_rate(organization: &OrganizationId, key: RateKey, source: &SourceId) -> Key {
    Key::new(waiting_for_rates(organization, key.day, key.to), format!("{}#{source}", key.from))
}

/// Reads the sort key of a source that waits for an exchange rate back: of which currency, and which.
pub(crate) fn parse_waiting_for_rate(sk: &str) -> Option<(Currency, SourceId)> {
    let (from, source) = sk.split_once('#')?;
    Some((Currency::parse(from).ok()?, SourceId::parse(source).ok()?))
}

pub(crate) fn check(organization: &OrganizationId, check: &CheckId) -> Key {
    Key::new(format!("{organization}#{check}"), CHECK)
}

const CHECK: &str = "CHECK";

pub(crate) fn token(hash: &str) -> Key {
    Key::new(format!("TOKEN#{hash}"), "TOKEN")
}

/// The moment that a sort key begins with.
pub(crate) fn moment_in(sk: &str) -> Option<DateTime<Utc>> {
    time_of(sk.split_once('#').map_or(sk, |(time, _)| time))
}

/// The day index's key of a row.
pub(crate) fn day(organization: &OrganizationId, key: &Key, at: DateTime<Utc>) -> Key {
    let pk = day_partition(organization, at.date_naive(), key.shard(DAY_SHARDS));
    Key::new(pk, time_digits(at))
}

pub(crate) fn day_partition(organization: &OrganizationId, day: NaiveDate, shard: u32) -> String {
    format!("{organization}#{day}#{shard}")
}

/// The referrer index's key of a referral.
pub(crate) fn referrer(
    organization: &OrganizationId,
    referrer: &ParticipantId,
    referee: &ExternalId,
    at: DateTime<Utc>,
) -> Key {
    Key::new(participant_partition(organization, referrer), format!("{}#{referee}", time_digits(at)))
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "keys/written_tests.rs"]
mod written;
