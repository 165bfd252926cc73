//! Referees and processors' customers, and the sources that wait for them.
//!
//! A source whose payer has not signed up yet waits on the payer's row; binding the payer reads what waits in the same
//! write, and leaves the row due until all of it has been decided again. A customer's row does the same for sources
//! whose payer is only known to the processor.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Utc};
use domain::fact::{Customer, Payer};
use domain::id::{ExternalId, OrganizationId, ParticipantId, SourceId};
use domain::referral::{Binding, Referral};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::item::{Change, Item, Write, from_item, key_of, text, to_attribute};
use super::keys::{self, Key};
use super::page::{Page, Range, after, write_cursor};

/// Most sources that can wait for one referee or customer.
pub(crate) const WAITING_MAX: usize = 200;

/// A referee's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RefereeRow {
    /// How the referee is bound, once it has signed up.
    #[serde(default)]
    binding: Option<StoredBinding>,
    /// Sources to be decided again.
    #[serde(default)]
    pub waiting: Vec<SourceId>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredBinding {
    Organic { signed_up_at: DateTime<Utc> },
    Bound(Referral),
}

/// A customer's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct CustomerRow {
    #[serde(default)]
    referee: Option<ExternalId>,
    #[serde(default)]
    waiting: Vec<SourceId>,
}

/// How a binding was taken.
#[derive(Debug)]
pub enum Bind {
    /// Bound now; these sources wait to be decided again, and the row is due until they are.
    New {
        /// Often none.
        waiting: Vec<SourceId>,
    },
    /// Bound before.
    Known(RefereeRow),
}

/// How a customer was tied to a referee.
#[derive(Debug)]
pub enum CustomerLink {
    /// Tied now (or before, to the same); these sources wait to be decided again.
    Linked {
        /// Often none.
        waiting: Vec<SourceId>,
    },
    /// Tied to another referee.
    Taken,
}

impl RefereeRow {
    /// The binding as the rules know it.
    #[must_use]
    pub fn binding(&self) -> Binding {
        match &self.binding {
            None => Binding::Unknown,
            Some(StoredBinding::Organic { signed_up_at }) => Binding::Organic { signed_up_at: *signed_up_at },
            Some(StoredBinding::Bound(referral)) => Binding::Bound(referral.clone()),
        }
    }
}

impl Store {
    /// What is known of a payer; a strong read, since money depends on it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get_referee(
        &self,
        organization: &OrganizationId,
        id: &ExternalId,
    ) -> Result<RefereeRow, StoreError> {
        let item = self.get(&keys::referee(organization, id), true).await?;
        item.map_or(Ok(RefereeRow { binding: None, waiting: Vec::new() }), from_item)
    }

    /// Binds a referee who is not bound yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_binding(
        &self,
        organization: &OrganizationId,
        id: &ExternalId,
        binding: &Binding,
        now: DateTime<Utc>,
    ) -> Result<Bind, StoreError> {
        let key = keys::referee(organization, id);
        let quiet = binding_change(organization, &key, binding, now, None)?;
        let refused = match self.update(&key, &quiet).await? {
            Write::Done(_) => return Ok(Bind::New { waiting: Vec::new() }),
            Write::Refused(item) => item,
        };
        let known: RefereeRow = from_item(refused)?;
        if known.binding.is_some() {
            return Ok(Bind::Known(known));
        }
        let due = binding_change(organization, &key, binding, now, Some(keys::due(&key, now)))?;
        match self.update(&key, &due).await? {
            Write::Done(item) => Ok(Bind::New { waiting: from_item::<RefereeRow>(item)?.waiting }),
            Write::Refused(item) => from_item(item).map(Bind::Known),
        }
    }

    /// Everything that waited for a referee has been decided again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_referee(
        &self,
        organization: &OrganizationId,
        id: &ExternalId,
    ) -> Result<(), StoreError> {
        let change = Change::new("REMOVE due_pk, due_sk, waiting", "attribute_exists(binding)");
        self.update(&keys::referee(organization, id), &change).await.map(|_| ())
    }

    /// The referee that a processor's customer is; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_customer(
        &self,
        organization: &OrganizationId,
        customer: &Customer,
    ) -> Result<Option<ExternalId>, StoreError> {
        let item = self.get(&keys::customer(organization, customer), true).await?;
        Ok(item.map(from_item::<CustomerRow>).transpose()?.and_then(|row| row.referee))
    }

    /// The referee that a payer is: the caller's own id where an event gave it, else by the processor's customer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_referee_of(
        &self,
        organization: &OrganizationId,
        payer: &Payer,
    ) -> Result<Option<ExternalId>, StoreError> {
        match (&payer.external_id, &payer.customer) {
            (Some(external_id), _) => Ok(Some(external_id.clone())),
            (None, Some(customer)) => self.find_customer(organization, customer).await,
            (None, None) => Ok(None),
        }
    }

    /// The sources that wait for a customer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_waiting_for_customer(
        &self,
        organization: &OrganizationId,
        customer: &Customer,
    ) -> Result<Vec<SourceId>, StoreError> {
        let item = self.get(&keys::customer(organization, customer), true).await?;
        Ok(item.map(from_item::<CustomerRow>).transpose()?.map_or_else(Vec::new, |row| row.waiting))
    }

    /// Ties a processor's customer to a referee. The first tie stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_customer(
        &self,
        organization: &OrganizationId,
        customer: &Customer,
        referee: &ExternalId,
        now: DateTime<Utc>,
    ) -> Result<CustomerLink, StoreError> {
        let key = keys::customer(organization, customer);
        let quiet = Change::new(
            "SET referee = :referee",
            "attribute_not_exists(referee) AND attribute_not_exists(waiting)",
        )
        .value(":referee", text(referee.as_str()));
        let refused = match self.update(&key, &quiet).await? {
            Write::Done(_) => return Ok(CustomerLink::Linked { waiting: Vec::new() }),
            Write::Refused(item) => item,
        };
        let known: CustomerRow = from_item(refused)?;
        if let Some(known_referee) = known.referee {
            let same = known_referee == *referee;
            return Ok(if same {
                CustomerLink::Linked { waiting: known.waiting }
            } else {
                CustomerLink::Taken
            });
        }
        let due = keys::due(&key, now);
        let change = Change::new(
            "SET referee = :referee, due_pk = :due_pk, due_sk = :due_sk",
            "attribute_not_exists(referee)",
        )
        .value(":referee", text(referee.as_str()))
        .value(":due_pk", text(due.pk))
        .value(":due_sk", text(due.sk));
        match self.update(&key, &change).await? {
            Write::Done(item) => {
                Ok(CustomerLink::Linked { waiting: from_item::<CustomerRow>(item)?.waiting })
            }
            Write::Refused(item) => {
                let row: CustomerRow = from_item(item)?;
                let same = row.referee.as_ref() == Some(referee);
                Ok(if same { CustomerLink::Linked { waiting: row.waiting } } else { CustomerLink::Taken })
            }
        }
    }

    /// Whether this process has tied a customer already, so that it need not be tied again with every event.
    #[must_use]
    pub fn knows_customer(&self, organization: &OrganizationId, customer: &Customer) -> bool {
        self.customers.any(&keys::customer(organization, customer)).is_some()
    }

    /// Remembers that a customer is tied.
    pub fn remember_customer(&self, organization: &OrganizationId, customer: &Customer) {
        self.customers.keep(keys::customer(organization, customer), (), self.clock.now());
    }

    /// Everything that waited for a customer has been decided again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_customer(
        &self,
        organization: &OrganizationId,
        customer: &Customer,
    ) -> Result<(), StoreError> {
        let change = Change::new("REMOVE due_pk, due_sk, waiting", "attribute_exists(referee)");
        self.update(&keys::customer(organization, customer), &change).await.map(|_| ())
    }

    /// Referrals of one referrer, newest first, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_referrals_of(
        &self,
        organization: &OrganizationId,
        referrer: &ParticipantId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<Referral>, StoreError> {
        const NAMES: &[&str] = &["pk", "sk", "referrer_sk"];
        let pk = keys::participant_partition(organization, referrer);
        let mut range = Range::new(&pk, "0", "~", limit);
        (range.index, range.newest_first) = (Some(keys::REFERRER_INDEX), true);
        let start = after(cursor, NAMES, ("referrer_pk", &pk));
        let (items, next) = self.query(&range, start).await?;
        let places: Vec<Key> = items.iter().map(key_of).collect();
        let rows = self.get_referrals(&places).await?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, NAMES)) })
    }

    /// Referrals by their rows' keys.
    pub(crate) async fn get_referrals(&self, places: &[Key]) -> Result<Vec<Referral>, StoreError> {
        let referral = |item: Item| match from_item::<RefereeRow>(item)?.binding() {
            Binding::Bound(referral) => Ok(Some(referral)),
            Binding::Unknown | Binding::Organic { .. } => Ok(None),
        };
        let items = self.get_all(places).await?;
        Ok(items
            .into_iter()
            .map(referral)
            .collect::<Result<Vec<_>, StoreError>>()?
            .into_iter()
            .flatten()
            .collect())
    }
}

/// The write that binds. With `due`, sources may be waiting and the row becomes due; without, there must be none.
fn binding_change(
    organization: &OrganizationId,
    key: &Key,
    binding: &Binding,
    now: DateTime<Utc>,
    due: Option<Key>,
) -> Result<Change, StoreError> {
    let stored = match binding {
        Binding::Bound(referral) => StoredBinding::Bound(referral.clone()),
        Binding::Organic { signed_up_at } => StoredBinding::Organic { signed_up_at: *signed_up_at },
        Binding::Unknown => return Err(StoreError::corrupt("a binding that binds nothing")),
    };
    let condition = match &due {
        None => "attribute_not_exists(binding) AND attribute_not_exists(waiting)",
        Some(_) => "attribute_not_exists(binding)",
    };
    let mut attributes: Vec<(&str, AttributeValue)> = vec![("binding", to_attribute(&stored)?)];
    if let Binding::Bound(referral) = binding {
        let day = keys::day(organization, key, now);
        let referrer = keys::referrer(organization, &referral.referrer, &referral.referee, now);
        attributes.extend([
            ("kind", text("referral")),
            ("program", text(referral.program.as_str())),
            ("day_pk", text(day.pk)),
            ("day_sk", text(day.sk)),
            ("referrer_pk", text(referrer.pk)),
            ("referrer_sk", text(referrer.sk)),
        ]);
    }
    if let Some(due) = due {
        attributes.extend([("due_pk", text(due.pk)), ("due_sk", text(due.sk))]);
    }
    Ok(set_all(attributes, condition))
}

/// `SET` of every attribute given.
pub(crate) fn set_all(attributes: Vec<(&str, AttributeValue)>, condition: &str) -> Change {
    let parts: Vec<String> = attributes.iter().map(|(name, _)| format!("#{name} = :{name}")).collect();
    let change = Change::new(format!("SET {}", parts.join(", ")), condition);
    attributes.into_iter().fold(change, |change, (name, value)| {
        change.name(&format!("#{name}"), name).value(&format!(":{name}"), value)
    })
}
