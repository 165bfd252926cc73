//! Processors' customers: the referee that each is, and the sources that wait until it is known.

use chrono::{DateTime, Utc};
use domain::fact::{Customer, Payer};
use domain::id::{ExternalId, OrganizationId, SourceId};
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::item::{Change, Write, from_item, text};
use super::keys;

/// A customer's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct CustomerRow {
    #[serde(default)]
    referee: Option<ExternalId>,
    #[serde(default)]
    waiting: Vec<SourceId>,
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

impl Store {
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
}
