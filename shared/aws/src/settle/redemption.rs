//! Spending of a balance, and giving back what was spent.

use domain::id::{ExternalId, OrganizationId, ParticipantId};
use domain::ledger::Note;

use super::{ATTEMPTS_MAX, SettleError, Settler, give_way};
use crate::store::{RedemptionRow, StoreError};

/// How a redemption ended.
#[derive(Debug)]
pub enum Redeemed {
    /// Spent now, or by the same call before.
    Done(Box<RedemptionRow>),
    /// Something else was spent under this reference.
    OtherRequest,
    /// There is not that much.
    Short {
        /// What can be spent.
        available: i64,
    },
}

impl Settler {
    /// Spends of a balance what can be spent of it, or nothing.
    ///
    /// # Errors
    /// [`SettleError`]; whoever repeats the call with the same reference spends once.
    pub async fn redeem(
        &self,
        organization: &OrganizationId,
        row: &RedemptionRow,
    ) -> Result<Redeemed, SettleError> {
        let (participant, reference) = (&row.participant, &row.reference);
        for attempt in 0..ATTEMPTS_MAX {
            give_way(reference, attempt).await;
            if let Some(known) = self.store.find_redemption(organization, participant, reference).await? {
                let is_same = known.amount == row.amount && known.unit == row.unit;
                return Ok(if is_same { Redeemed::Done(Box::new(known)) } else { Redeemed::OtherRequest });
            }
            // Before the balance: whoever spends after this is seen by the version.
            let spending = self.store.get_spending(organization, participant).await?;
            let balances = self.store.fold_balances(organization, participant).await?;
            let available = balances.get(&row.unit).map_or(0, |figures| figures.usable());
            if available < row.amount {
                return Ok(Redeemed::Short { available });
            }
            let row = RedemptionRow { redeemed_at: self.clock.now(), ..row.clone() };
            if self.store.commit_redemption(organization, &row, spending).await? {
                return Ok(Redeemed::Done(Box::new(row)));
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
    }

    /// Gives back what was spent, whole; `None` when nothing was, under this reference.
    ///
    /// # Errors
    /// [`SettleError`]; whoever repeats the call gives back once.
    pub async fn return_redemption(
        &self,
        organization: &OrganizationId,
        participant: &ParticipantId,
        reference: &ExternalId,
        note: &Note,
    ) -> Result<Option<RedemptionRow>, SettleError> {
        for attempt in 0..ATTEMPTS_MAX {
            give_way(reference, attempt).await;
            let Some(known) = self.store.find_redemption(organization, participant, reference).await? else {
                return Ok(None);
            };
            if known.returned_at.is_some() {
                return Ok(Some(known));
            }
            let now = self.clock.now();
            let row = RedemptionRow { returned_at: Some(now), return_note: Some(note.clone()), ..known };
            if self.store.commit_return(organization, &row, now).await? {
                return Ok(Some(row));
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
    }
}
