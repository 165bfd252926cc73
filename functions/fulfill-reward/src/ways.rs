//! The ways of delivery that there are.

use aws::config::Lookup;
use aws::seal::Sealer;
use aws::store::Store;
use aws::{ConfigError, Platform};
use domain::ledger::Way as Kind;

pub use crate::own_discount::OwnDiscount;
use crate::stripe::Stripe;
pub use crate::stripe::credit::InvoiceCredit;
pub use crate::stripe::discount::Discount;
use crate::way::{Receipt, Step, Undone, Way};

/// One of each.
#[derive(Debug, Clone)]
pub struct Ways {
    /// Credit on the participant's next invoice at the payment processor.
    pub invoice_credit: InvoiceCredit,
    /// A discount at the payment processor: a promotion code for the participant alone.
    pub discount: Discount,
    /// A discount of the engine's own: a code that is redeemed here.
    pub own_discount: OwnDiscount,
}

impl Way for Ways {
    async fn take(&self, step: &Step<'_>) -> Result<Receipt, Undone> {
        match step.reward.way() {
            Kind::ProcessorCredit => self.invoice_credit.take(step).await,
            Kind::ProcessorDiscount => self.discount.take(step).await,
            Kind::Code => self.own_discount.take(step).await,
            Kind::Balance | Kind::Cash | Kind::Listener | Kind::Action => {
                Err(Undone::later("it is not delivered in steps"))
            }
        }
    }
}

impl Ways {
    /// From the platform, the function's variables `SEALING_KEY_SECRET_ARN` and `STRIPE_API_BASE`, and the store.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: Lookup<'_>, store: Store) -> Result<Self, ConfigError> {
        let sealer = Sealer::new(platform, lookup)?;
        let stripe = Stripe::new(platform, lookup, store.clone(), sealer.clone())?;
        Ok(Self {
            invoice_credit: InvoiceCredit::new(stripe.clone()),
            discount: Discount::new(stripe),
            own_discount: OwnDiscount::new(store, sealer),
        })
    }
}
