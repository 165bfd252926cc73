//! A discount of the engine's own: a code in the table, redeemed by `POST /v1/discounts/{code}/redeem`.
//!
//! When a part of the reward is taken back, the discount stays what it is; when all of it is, it is withdrawn, unless it
//! was used: then nothing changes, and the receipt says so. What is given again can be used again.

use aws::seal::Sealer;
use aws::store::{Store, StoreError};
use domain::discount::{Discount, DiscountCode, Worth};

use crate::way::{Receipt, Step, Undone, Way};

/// How often another code is tried when one is taken: each is one of 10^16.
const ATTEMPTS_MAX: u32 = 4;

/// A discount that is redeemed here.
#[derive(Debug, Clone)]
pub struct OwnDiscount {
    store: Store,
    sealer: Sealer,
}

impl Way for OwnDiscount {
    async fn take(&self, step: &Step<'_>) -> Result<Receipt, Undone> {
        let row = if step.number == 0 { self.make(step).await? } else { self.find(step).await? };
        let (row, _) = match (step.reward.net > 0, row.withdrawn_at.is_some()) {
            (true, true) => self.store.return_discount(&row).await.map_err(failed)?,
            (false, false) if row.redeemed.is_none() => {
                self.store.commit_withdrawal(&row, step.now).await.map_err(failed)?
            }
            _ => (row, false),
        };
        // Its state is that of the row that stands: somebody may have used it just now.
        let suffix = if row.redeemed.is_some() { " redeemed" } else { "" };
        Ok(Receipt { reference: format!("{}{suffix}", row.code) })
    }
}

impl OwnDiscount {
    pub(crate) const fn new(store: Store, sealer: Sealer) -> Self {
        Self { store, sealer }
    }

    /// The codes that a reward can have: secrets, and the same for every try.
    async fn codes(&self, step: &Step<'_>) -> Result<impl Iterator<Item = DiscountCode>, Undone> {
        let parts = [step.organization.as_str(), step.reward.reward.as_str()];
        let entropy =
            self.sealer.derive("discount", &parts).await.map_err(|error| Undone::later(error.to_string()))?;
        Ok((0..ATTEMPTS_MAX).map(move |attempt| DiscountCode::generate(&entropy, attempt)))
    }

    /// Makes the discount, or finds the one that was made.
    async fn make(&self, step: &Step<'_>) -> Result<Discount, Undone> {
        let reward = step.reward;
        let worth = Worth::of(reward, step.amount);
        let worth = worth.ok_or_else(|| {
            Undone::never("unit_not_deliverable", "a discount is of a percentage or of money")
        })?;
        for code in self.codes(step).await? {
            let row = Discount {
                code,
                organization: step.organization.clone(),
                program: reward.program.clone(),
                reward: reward.reward.clone(),
                participant: reward.participant.clone(),
                worth: worth.clone(),
                created_at: step.now,
                valid_until: reward.promise.expires_at,
                redeemed: None,
                withdrawn_at: None,
            };
            let known = self.store.commit_discount(&row).await.map_err(failed)?;
            if known.reward == row.reward {
                return Ok(known);
            }
        }
        Err(Undone::later("no free code was found"))
    }

    /// The discount that was made for the reward.
    async fn find(&self, step: &Step<'_>) -> Result<Discount, Undone> {
        for code in self.codes(step).await? {
            let known = self.store.find_discount(step.organization, &code).await.map_err(failed)?;
            if let Some(known) = known.filter(|known| known.reward == step.reward.reward) {
                return Ok(known);
            }
        }
        Err(Undone::never("discount_gone", "the discount is not there any more"))
    }
}

fn failed(error: StoreError) -> Undone {
    Undone::later(error.to_string())
}
