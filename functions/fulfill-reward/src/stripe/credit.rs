//! Credit on the next invoice: a transaction on the customer's balance, negative to give and positive to take back
//! (<https://docs.stripe.com/api/customer_balance_transactions>, <https://docs.stripe.com/billing/customer/balance>).
//!
//! What is taken back may have been used by then: the customer owes it with the next invoice.

use chrono::TimeDelta;
use domain::stripe::minor::in_stripe_units;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::{Failure, Refused, malformed};
use super::{Access, Call, Stripe, customer, is_of_step, is_old, metadata, too_old};
use crate::way::{Receipt, Step, Undone, Way};

/// Longest id that is taken for one, as a receipt's reference is at most.
const ID_BYTES_MAX: usize = 255;
/// Transactions on a page; Stripe's most.
const PAGE: usize = 100;
/// Pages that are looked through for a step, newest first.
const PAGES_MAX: usize = 20;
/// How far Stripe's clock and this one's may be apart.
const CLOCKS_APART: TimeDelta = TimeDelta::hours(24);

/// Credit on the participant's next invoice at Stripe.
#[derive(Debug, Clone)]
pub struct InvoiceCredit {
    stripe: Stripe,
}

/// What is to be written.
struct Credit<'a> {
    /// Of whose balances.
    path: String,
    customer: &'a str,
    /// Stripe's minor units: negative to give.
    amount: i64,
    /// In lower case.
    currency: String,
}

/// A transaction, as far as it is looked at.
#[derive(Debug, Deserialize)]
struct Transaction {
    id: String,
    amount: i64,
    currency: String,
    created: i64,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct Page {
    data: Vec<Transaction>,
    has_more: bool,
}

#[derive(Debug, Deserialize)]
struct Customer {
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    currency: Option<String>,
}

impl Way for InvoiceCredit {
    async fn take(&self, step: &Step<'_>) -> Result<Receipt, Undone> {
        let credit = Credit::of(step)?;
        let access = self.stripe.access(step.organization).await?;
        if step.key > 0 || is_old(step) {
            if let Some(receipt) = self.look(&access, step, &credit).await? {
                return Ok(receipt);
            }
            if is_old(step) {
                return Err(too_old());
            }
        }
        self.send(&access, step, &credit).await
    }
}

impl<'a> Credit<'a> {
    fn of(step: &Step<'a>) -> Result<Self, Undone> {
        let customer = customer(step)?.as_str();
        let currency = step.reward.unit.currency();
        let currency =
            currency.ok_or_else(|| Undone::never("unit_not_deliverable", "only money can be credited"))?;
        let amount = in_stripe_units(step.amount, currency).and_then(i64::checked_neg);
        let amount = amount.ok_or_else(|| {
            Undone::never("amount_not_deliverable", format!("Stripe has no such amount of {currency}"))
        })?;
        let path = format!("/v1/customers/{customer}/balance_transactions");
        Ok(Self { path, customer, amount, currency: currency.code().to_ascii_lowercase() })
    }

    fn is(&self, transaction: &Transaction) -> bool {
        transaction.amount == self.amount && transaction.currency == self.currency
    }
}

impl InvoiceCredit {
    pub(crate) const fn new(stripe: Stripe) -> Self {
        Self { stripe }
    }

    async fn send(&self, access: &Access, step: &Step<'_>, credit: &Credit<'_>) -> Result<Receipt, Undone> {
        let mut form = vec![
            ("amount", credit.amount.to_string()),
            ("currency", credit.currency.clone()),
            ("description", "Referral reward".to_owned()),
        ];
        form.extend(metadata(step));
        let call = Call::post(credit.path.clone(), form).keyed(step);
        match self.stripe.call(access, call).await {
            Ok(body) => {
                let written = serde_json::from_value::<Transaction>(body).ok();
                let written = written.filter(|written| written.id.len() <= ID_BYTES_MAX);
                let written = written.ok_or_else(|| malformed("transaction"))?;
                Ok(Receipt { reference: written.id })
            }
            Err(Failure::Undone(undone)) => Err(undone),
            Err(Failure::Refused(refused)) => Err(self.why(access, credit, refused).await),
        }
    }

    /// Why a transaction was refused, as far as that can be found out.
    async fn why(&self, access: &Access, credit: &Credit<'_>, refused: Refused) -> Undone {
        if refused.status == 404 {
            return refused.never("no_such_customer");
        }
        let call = Call::get(format!("/v1/customers/{}", credit.customer), Vec::new());
        let known = self.stripe.call(access, call).await.ok();
        match known.and_then(|body| serde_json::from_value::<Customer>(body).ok()) {
            Some(Customer { deleted: true, .. }) => refused.never("no_such_customer"),
            Some(Customer { currency: Some(currency), .. }) if currency != credit.currency => {
                let detail =
                    format!("the customer's currency is {currency}, the reward's {}", credit.currency);
                Undone::never("currency_mismatch", detail)
            }
            _ => refused.never("processor_refused"),
        }
    }

    /// Looks for the step among the customer's transactions since the reward was made.
    async fn look(
        &self,
        access: &Access,
        step: &Step<'_>,
        credit: &Credit<'_>,
    ) -> Result<Option<Receipt>, Undone> {
        let since = (step.reward.recorded_at - CLOCKS_APART).timestamp();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let page = self.page(access, credit, after).await?;
            if let Some(found) =
                page.data.iter().find(|transaction| is_of_step(transaction.metadata.as_ref(), step))
            {
                return if credit.is(found) {
                    Ok(Some(Receipt { reference: found.id.clone() }))
                } else {
                    Err(Undone::never(
                        "step_differs",
                        format!("{} is of another amount or currency", found.id),
                    ))
                };
            }
            match page.data.last() {
                Some(last) if page.has_more && last.created >= since => after = Some(last.id.clone()),
                _ => return Ok(None),
            }
        }
        Err(Undone::never(
            "too_many_transactions",
            format!("more than {} since the reward was made", PAGE * PAGES_MAX),
        ))
    }

    async fn page(
        &self,
        access: &Access,
        credit: &Credit<'_>,
        after: Option<String>,
    ) -> Result<Page, Undone> {
        let mut form = vec![("limit", PAGE.to_string())];
        form.extend(after.map(|after| ("starting_after", after)));
        match self.stripe.call(access, Call::get(credit.path.clone(), form)).await {
            Ok(body) => serde_json::from_value(body).map_err(|_| malformed("list of transactions")),
            Err(Failure::Refused(refused)) if refused.status == 404 => Err(refused.never("no_such_customer")),
            Err(failure) => Err(failure.into()),
        }
    }
}
