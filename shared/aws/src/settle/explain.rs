//! Looking at a decision without making one: everything that it is made from, and what it comes to now.

use domain::decision::{Case, Decision, decide};
use domain::fact::Payer;
use domain::id::{ExternalId, OrganizationId, SourceId};
use domain::reason::Reason;
use domain::referral::Binding;

use super::{SettleError, Settler};
use crate::store::{SourceRow, Then};

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
        if row.grant.is_some() {
            let (payer, binding, then, decision) = (None, Binding::Unknown, None, None);
            return Ok(Some(Explanation { row, payer, binding, then, reason: Reason::Granted, decision }));
        }
        let payer = self.find_payer(organization, &row.payer).await?.unwrap_or_default();
        let then = self.store.find_program_then(organization, &payer.binding, &row.state).await?;
        let counters = self.read_counters(organization, &row, &payer, then.as_ref()).await?;
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
            now: self.clock.now(),
        };
        let rate = self.find_rate(organization, &case, row.rate).await?;
        let case = Case { rate: rate.as_ref(), ..case };
        let decision = decide(&case, &row.posted)?;
        let reason = decision.judgement.reason;
        let (payer, binding) = (payer.referee, payer.binding);
        let row = SourceRow { rate: rate.or(row.rate), ..row };
        Ok(Some(Explanation { row, payer, binding, then, reason, decision: Some(decision) }))
    }
}
