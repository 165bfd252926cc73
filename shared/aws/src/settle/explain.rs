//! Looking at a decision without making one: everything that it is made from, and what it comes to now.

use chrono::{DateTime, Utc};
use domain::decision::{Case, Decision, decide};
use domain::fact::Payer;
use domain::id::{ExternalId, OrganizationId, SourceId};
use domain::reason::Reason;
use domain::referral::Binding;

use super::{SettleError, Settler, find_payer, find_rate, read_counters};
use crate::store::{SourceRow, Store, Then};

/// A source, and what is decided of it now: by its stored facts, by what was counted for it, and by the counters as they
/// are.
#[derive(Debug)]
pub struct Explanation {
    /// The source; the invoice, when a payment was asked for that is tied to one.
    pub row: SourceRow,
    /// Whose it is, where that is known.
    pub payer: Option<ExternalId>,
    /// How the payer is bound.
    pub binding: Binding,
    /// The program as it was when the event happened.
    pub then: Option<Then>,
    /// Why the source earns or does not.
    pub reason: Reason,
    /// What it comes to; none for a reward given by hand, of which nothing is decided.
    pub decision: Option<Decision>,
}

impl Settler {
    /// Decides a source as it is stored and writes nothing; `None` when nothing is known of it.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn explain(
        &self,
        organization: &OrganizationId,
        source: &SourceId,
    ) -> Result<Option<Explanation>, SettleError> {
        let Some(mut row) = self.store.find_source(organization, source).await? else { return Ok(None) };
        // Of a payment, the first of the invoices that it paid.
        if let Some(invoice) = row.invoices.keys().next() {
            match self.store.find_source(organization, invoice).await? {
                Some(found) => row = found,
                None => return Ok(None),
            }
        }
        explain(&self.store, self.clock.now(), organization, row).await.map(Some)
    }
}

/// Decides a source as it was read and writes nothing.
///
/// # Errors
/// [`SettleError`].
pub async fn explain(
    store: &Store,
    now: DateTime<Utc>,
    organization: &OrganizationId,
    row: SourceRow,
) -> Result<Explanation, SettleError> {
    if row.grant.is_some() {
        let (payer, binding, then, decision) = (None, Binding::Unknown, None, None);
        return Ok(Explanation { row, payer, binding, then, reason: Reason::Granted, decision });
    }
    let payer = find_payer(store, organization, &row.payer).await?.unwrap_or_default();
    let then = store.find_program_then(organization, &payer.binding, &row).await?;
    let counters = read_counters(store, organization, &row, &payer, then.as_ref()).await?;
    let known_payer = Payer { external_id: payer.referee.clone(), ..row.payer.clone() };
    let case = Case {
        source: &row.source,
        state: &row.state,
        payer: &known_payer,
        binding: &payer.binding,
        then: then.as_ref().map(|found| &found.then),
        memory: &row.memory,
        tallies: &counters.before,
        rate: None,
        now,
    };
    let rate = find_rate(store, organization, &case, row.rate).await?;
    let case = Case { rate: rate.as_ref(), ..case };
    let decision = decide(&case, &row.posted)?;
    let reason = decision.judgement.reason;
    let (payer, binding) = (payer.referee, payer.binding);
    let row = SourceRow { rate: rate.or(row.rate), ..row };
    Ok(Explanation { row, payer, binding, then, reason, decision: Some(decision) })
}
