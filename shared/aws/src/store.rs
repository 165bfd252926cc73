//! The store: one `DynamoDB` table. Each submodule holds the access patterns of one kind of row; all keys are built in
//! [`keys`].

use std::sync::Arc;

use aws_sdk_dynamodb::Client;

use crate::cache::Cache;
use crate::config::{ConfigError, Lookup, required};
use crate::{Clock, Meter, Platform};

mod audit;
mod billing;
mod campaign;
mod carry;
mod check;
mod claim;
mod code;
mod connection;
mod customer;
mod day;
mod delivery;
mod destination;
mod discount;
mod due;
pub mod error;
mod event;
mod invoice_lines;
mod item;
pub mod keys;
mod ledger;
mod notification;
mod organization;
mod page;
mod parked;
mod partner_invoice;
mod payment;
mod payout;
mod payout_line;
mod program;
mod rates;
mod redemption;
mod referee;
mod referral_report;
mod reward;
mod source;
mod tally;
mod task;
mod token;
mod touch;

pub use audit::{DayPage, DayRow, InvoiceRead, LedgerRead};
pub use billing::{BillingRunRow, NewRun, Position, ProgramBillingRow, RunInvoice, RunStatus};
pub use campaign::{CAMPAIGNS_MAX, CampaignRow, JourneyRow, MessagesRow, WalkRow};
pub use carry::Carried;
pub use check::{CheckCounts, CheckPosition, CheckRow, CheckScope, FINDINGS_MAX, PayoutWalk};
pub use claim::DueClaim;
pub use code::{CodeRow, Enrolled, ParticipantRow, Promo};
pub use connection::ConnectionRow;
pub use customer::CustomerLink;
pub use delivery::DeliveryRow;
pub use destination::{DESTINATIONS_MAX, DestinationChange, DestinationRow, DestinationSecret, Disabled};
pub use due::DueRow;
pub use error::{StoreError, Transaction};
pub use invoice_lines::Open;
pub use item::Item;
pub use notification::NotificationRow;
pub use organization::{ApiKeyRow, EndpointRow, KEYS_MAX, OrganizationRow};
pub use page::Page;
pub use parked::{PARKED_DAYS, Parked, Parking};
pub use partner_invoice::{Act, InvoiceItem, PartnerInvoiceRow};
pub use payout::{LeftOut, NewBatch, PayoutBatchRow, PayoutPosition};
pub use payout_line::{Payable, PayablePage, PayoutLineRow};
pub use program::{ProgramRow, Then};
pub use rates::RatesRow;
pub use redemption::{RedemptionRow, Spending};
pub use referee::{Bind, Bound, Companions, RefereeRow};
pub use reward::{Claim, LEASE_SECONDS, Moved};
pub use source::{Commit, Converted, Grant, RefereeCount, SourceRow, Waiting};
pub use tally::TallyRow;
pub use task::{Closed, TaskRow};
pub use token::TokenRow;

/// The table and what a process keeps in memory of it. Clones share both.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: String,
    meter: Meter,
    clock: Clock,
    api_keys: Arc<Cache<String, ApiKeyRow>>,
    endpoints: Arc<Cache<String, EndpointRow>>,
    connections: Arc<Cache<keys::Key, ConnectionRow>>,
    /// The destinations of organizations.
    destinations: Arc<Cache<String, Arc<[DestinationRow]>>>,
    programs: Arc<Cache<(String, String), ProgramRow>>,
    campaigns: Arc<Cache<String, Vec<CampaignRow>>>,
    messages: Arc<Cache<keys::Key, MessagesRow>>,
    terms: Arc<Cache<(String, String, u32), domain::terms::Terms>>,
    participants: Arc<Cache<keys::Key, ParticipantRow>>,
    codes: Arc<Cache<keys::Key, CodeRow>>,
    customers: Arc<Cache<keys::Key, ()>>,
    email_matching: Arc<Cache<String, bool>>,
    ties: Arc<Cache<keys::Key, (domain::id::SourceId, Option<i64>)>>,
    rates: Arc<Cache<(String, domain::rate::RateKey), domain::rate::Rate>>,
}

impl Store {
    /// The store of a function: `TABLE_NAME` names the table.
    ///
    /// # Errors
    /// [`ConfigError`] when the variable is missing.
    pub fn new(platform: &Platform, lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            client: platform.dynamodb(),
            table: required(lookup, "TABLE_NAME")?,
            meter: platform.meter.clone(),
            clock: platform.clock.clone(),
            api_keys: Arc::default(),
            endpoints: Arc::default(),
            connections: Arc::default(),
            destinations: Arc::default(),
            programs: Arc::default(),
            campaigns: Arc::default(),
            messages: Arc::default(),
            terms: Arc::default(),
            participants: Arc::default(),
            codes: Arc::default(),
            customers: Arc::default(),
            email_matching: Arc::default(),
            ties: Arc::default(),
            rates: Arc::default(),
        })
    }

    /// One cheap call, so that name resolution, TLS and credentials are done before the first request. Its outcome
    /// does not matter: the first real call tells what is wrong.
    pub async fn warm_up(&self) {
        let nobody = keys::Key { pk: "WARM#".to_owned(), sk: "-".to_owned() };
        if let Err(error) = self.get(&nobody, false).await {
            tracing::warn!(%error, "the first call to the table failed");
        }
        self.meter.reset();
    }
}
