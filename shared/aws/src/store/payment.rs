//! Payments: the sources that invoices are paid by. What is known of one (refunds and disputes that name only the payment)
//! stays with it and is passed on to every invoice that it paid; the row is due until that is done.

use chrono::{DateTime, Utc};
use domain::id::{OrganizationId, SourceId};

use super::Store;
use super::error::StoreError;
use super::item::{Change, Write, from_item, index_in, number, to_item};
use super::keys;
use super::source::SourceRow;

impl Store {
    /// Ties a payment of which nothing is known yet to an invoice; answers the row when there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_first_tie(
        &self,
        organization: &OrganizationId,
        payment: &SourceId,
        invoice: &SourceId,
        amount: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<Option<SourceRow>, StoreError> {
        let invoices = [(invoice.clone(), amount)].into();
        let row = SourceRow { version: 1, invoices, ..SourceRow::new(payment.clone(), now) };
        match self.put_new(to_item(&keys::source(organization, payment), &row)?).await? {
            Write::Done(_) => Ok(None),
            Write::Refused(item) => from_item(item).map(Some),
        }
    }

    /// Writes a payment under the version that was read, due until it has been passed on. `false` when another writer came
    /// first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_payment(
        &self,
        organization: &OrganizationId,
        row: &SourceRow,
    ) -> Result<bool, StoreError> {
        let (mut item, condition) = self.source_item(organization, row)?;
        let key = keys::source(organization, &row.source);
        index_in(&mut item, keys::DUE_INDEX, &keys::due(&key, row.updated_at));
        Ok(matches!(self.put_if(item, &condition).await?, Write::Done(_)))
    }

    /// What was known of a payment at a version has been passed on; one that was written since stays due.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_payment(
        &self,
        organization: &OrganizationId,
        payment: &SourceId,
        version: u64,
    ) -> Result<(), StoreError> {
        let change =
            Change::new("REMOVE due_pk, due_sk", "version = :version").value(":version", number(version));
        self.update(&keys::source(organization, payment), &change).await.map(|_| ())
    }

    /// Whether this process knows a payment to be tied to an invoice with this figure, so that a repeated event need not
    /// ask again. A tie is never undone.
    #[must_use]
    pub fn knows_tie(
        &self,
        organization: &OrganizationId,
        payment: &SourceId,
        invoice: &SourceId,
        amount: Option<i64>,
    ) -> bool {
        let known = self.ties.any(&keys::source(organization, payment));
        known.is_some_and(|(known, figure)| known == *invoice && figure >= amount)
    }

    /// Remembers that a payment is tied to an invoice.
    pub fn remember_tie(
        &self,
        organization: &OrganizationId,
        payment: &SourceId,
        invoice: &SourceId,
        amount: Option<i64>,
    ) {
        let key = keys::source(organization, payment);
        self.ties.keep(key, (invoice.clone(), amount), self.clock.now());
    }
}
