//! One-time discounts by their codes.

use chrono::{DateTime, Utc};
use domain::discount::{Discount, DiscountCode, Redemption};
use domain::id::OrganizationId;

use super::Store;
use super::error::StoreError;
use super::item::{Change, Write, from_item, to_attribute, to_item};
use super::keys;

impl Store {
    /// Makes a discount; answers the row that stands, another one when the code is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_discount(&self, row: &Discount) -> Result<Discount, StoreError> {
        let item = to_item(&keys::discount(&row.organization, &row.code), row)?;
        match self.put_new(item).await? {
            Write::Done(_) => Ok(row.clone()),
            Write::Refused(known) => from_item(known),
        }
    }

    /// The discount of a code; a strong read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_discount(
        &self,
        organization: &OrganizationId,
        code: &DiscountCode,
    ) -> Result<Option<Discount>, StoreError> {
        self.get(&keys::discount(organization, code), true).await?.map(from_item).transpose()
    }

    /// Marks a discount as used, if it is not used and not taken back; answers the row that stands, and whether it was
    /// marked by this call.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn redeem_discount(
        &self,
        row: &Discount,
        redemption: &Redemption,
    ) -> Result<(Discount, bool), StoreError> {
        let change = Change::new("SET redeemed = :redeemed", UNUSED);
        self.change_discount(row, &change.value(":redeemed", to_attribute(redemption)?)).await
    }

    /// Takes a discount back, if it is not used and not taken back; answers as above.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_withdrawal(
        &self,
        row: &Discount,
        at: DateTime<Utc>,
    ) -> Result<(Discount, bool), StoreError> {
        let change = Change::new("SET withdrawn_at = :at", UNUSED);
        self.change_discount(row, &change.value(":at", to_attribute(&at)?)).await
    }

    /// Gives a discount again that was taken back; answers as above.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn return_discount(&self, row: &Discount) -> Result<(Discount, bool), StoreError> {
        let change = Change::new("REMOVE withdrawn_at", "attribute_exists(withdrawn_at)");
        self.change_discount(row, &change).await
    }

    async fn change_discount(&self, row: &Discount, change: &Change) -> Result<(Discount, bool), StoreError> {
        match self.update(&keys::discount(&row.organization, &row.code), change).await? {
            Write::Done(item) => Ok((from_item(item)?, true)),
            Write::Refused(item) => Ok((from_item(item)?, false)),
        }
    }
}

/// It is there, and nothing has become of it.
const UNUSED: &str =
    "attribute_exists(pk) AND attribute_not_exists(redeemed) AND attribute_not_exists(withdrawn_at)";
