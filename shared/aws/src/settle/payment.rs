//! Payments: events that name only a payment are kept with it and passed on to the invoices that it paid, whichever came
//! first. Where it paid several, each invoice is told what the payment paid of all of them, so that each bears its share.

use std::collections::BTreeMap;

use domain::fact::{Fact, Payer, Tie};
use domain::id::{OrganizationId, SourceId};
use domain::reason::Reason;
use domain::referral::Binding;
use domain::source::{PARTS_MAX, Parts, SourceState};

use super::outcome::{join, unchanged};
use super::{ATTEMPTS_MAX, PayerState, SettleError, Settled, Settler, find_payer, give_way};
use crate::store::{SourceRow, StoreError};

impl Settler {
    /// Records an event that names only a payment.
    pub(super) async fn record_payment(
        &self,
        organization: &OrganizationId,
        fact: &Fact,
    ) -> Result<Settled, SettleError> {
        for attempt in 0..ATTEMPTS_MAX {
            give_way(&fact.source, attempt).await;
            let payer = find_payer(&self.store, organization, &fact.payer).await?;
            if matches!(&payer, Some(PayerState { binding: Binding::Organic { .. }, .. })) {
                return Ok(unchanged(fact.source.clone(), Reason::NotReferred));
            }
            let known = self.store.find_source(organization, &fact.source).await?;
            let Some(before) = known.filter(|row| !row.invoices.is_empty()) else {
                return Box::pin(self.settle(organization, &fact.source, Some(fact))).await;
            };
            let mut row = join(&before, Some(fact))?;
            if row.state != before.state {
                row.updated_at = self.clock.now();
                if !self.store.commit_payment(organization, &row).await? {
                    continue;
                }
                row.version = row.version.saturating_add(1);
                return self.pass_on(organization, &row).await;
            }
            return self.tell_invoices(organization, &row).await;
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
    }

    /// Ties a payment to an invoice, and passes on to it what is known of the payment.
    pub(super) async fn tie(
        &self,
        organization: &OrganizationId,
        tie: &Tie,
        invoice: &SourceId,
    ) -> Result<(), SettleError> {
        let Tie { payment, amount } = tie;
        if payment == invoice || self.store.knows_tie(organization, payment, invoice, *amount) {
            return Ok(());
        }
        for attempt in 0..ATTEMPTS_MAX {
            give_way(payment, attempt).await;
            let now = self.clock.now();
            let known = match attempt {
                0 => self.store.commit_first_tie(organization, payment, invoice, *amount, now).await?,
                _ => self.store.find_source(organization, payment).await?,
            };
            let Some(before) = known else { break };
            if before.invoices.get(invoice).is_some_and(|known| known >= amount) {
                break;
            }
            if before.invoices.len() >= PARTS_MAX {
                tracing::warn!(payment.id = %payment, "a payment pays more invoices than can be kept");
                return Ok(());
            }
            let mut row = SourceRow { waiting_for: None, parked: None, reason: None, ..before.clone() };
            row.invoices.insert(invoice.clone(), *amount);
            row.updated_at = now;
            if self.store.commit_payment(organization, &row).await? {
                row.version = row.version.saturating_add(1);
                self.pass_on(organization, &row).await?;
                break;
            }
            if attempt + 1 == ATTEMPTS_MAX {
                return Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into());
            }
        }
        self.store.remember_tie(organization, payment, invoice, *amount);
        Ok(())
    }

    /// Passes on what is known of a payment to every invoice that it paid, and says so in its row: the sweeper comes to
    /// one that was not passed on.
    ///
    /// # Errors
    /// [`SettleError`]. An invoice that refuses what it is told will refuse it again: the payment is done with then, and
    /// the refusal is answered to whoever told of it.
    pub async fn pass_on(
        &self,
        organization: &OrganizationId,
        row: &SourceRow,
    ) -> Result<Settled, SettleError> {
        let told = self.tell_invoices(organization, row).await;
        if matches!(told, Ok(_) | Err(SettleError::Refused { .. })) {
            self.store.finish_payment(organization, &row.source, row.version).await?;
        }
        told
    }

    async fn tell_invoices(
        &self,
        organization: &OrganizationId,
        row: &SourceRow,
    ) -> Result<Settled, SettleError> {
        let mut told: Option<Settled> = None;
        for invoice in row.invoices.keys() {
            let fact = Fact::of(invoice.clone(), Payer::default(), state_for(row, invoice));
            let settled = Box::pin(self.settle(organization, invoice, Some(&fact))).await?;
            told = Some(match told {
                Some(mut first) => {
                    first.changed |= settled.changed;
                    first.posted.extend(settled.posted);
                    first
                }
                None => settled,
            });
        }
        told.ok_or_else(|| StoreError::Corrupt { detail: format!("{} paid no invoice", row.source) }.into())
    }
}

/// What an invoice is told of a payment.
fn state_for(row: &SourceRow, invoice: &SourceId) -> SourceState {
    let mut state = row.state.clone();
    if row.invoices.len() > 1 {
        let amount = |(id, amount): (&SourceId, &Option<i64>)| (id.reference.clone(), amount.unwrap_or(0));
        let amounts: BTreeMap<_, _> = row.invoices.iter().map(amount).collect();
        let parts = Parts { own: invoice.reference.clone(), amounts };
        state.parts.insert(row.source.reference.clone(), parts);
    }
    state
}
