//! Who paid: by the caller's own id, by the processor's customer, by an e-mail address; and what events teach of customers.

use domain::fact::{Customer, Fact, Link, Payer};
use domain::id::{ExternalId, OrganizationId, SourceId};
use domain::referral::Binding;

use super::{SettleError, Settler};
use crate::store::{CustomerLink, RefereeRow, Store};

/// What was read of a payer.
pub(super) struct PayerState {
    pub(super) referee: Option<ExternalId>,
    pub(super) row: Option<RefereeRow>,
    pub(super) binding: Binding,
}

impl Default for PayerState {
    fn default() -> Self {
        Self { referee: None, row: None, binding: Binding::Unknown }
    }
}

impl PayerState {
    async fn read(
        store: &Store,
        organization: &OrganizationId,
        referee: ExternalId,
    ) -> Result<Self, SettleError> {
        let row = store.get_referee(organization, &referee).await?;
        let binding = row.binding();
        Ok(Self { referee: Some(referee), row: Some(row), binding })
    }
}

impl Settler {
    /// Ties a processor's customer to a referee and decides again whatever waited for it. `false` when the customer is
    /// another referee's.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn link_customer(
        &self,
        organization: &OrganizationId,
        customer: &Customer,
        referee: &ExternalId,
    ) -> Result<bool, SettleError> {
        let link = self.store.commit_customer(organization, customer, referee, self.clock.now()).await?;
        let CustomerLink::Linked { waiting } = link else { return Ok(false) };
        self.release_customer(organization, customer, &waiting).await?;
        Ok(true)
    }

    /// Decides again whatever waited for a customer whose referee is known now.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn release_customer(
        &self,
        organization: &OrganizationId,
        customer: &Customer,
        waiting: &[SourceId],
    ) -> Result<(), SettleError> {
        for source in waiting {
            self.settle(organization, source, None).await?;
        }
        if !waiting.is_empty() {
            self.store.finish_customer(organization, customer).await?;
        }
        Ok(())
    }

    /// An event that names both the payer and the processor's customer ties the two for later events.
    pub(super) async fn learn_customer(
        &self,
        organization: &OrganizationId,
        payer: &Payer,
    ) -> Result<(), SettleError> {
        let (Some(referee), Some(customer)) = (&payer.external_id, &payer.customer) else { return Ok(()) };
        self.learn(organization, &Link { customer: customer.clone(), referee: referee.clone() }).await
    }

    /// Takes what an event says of who a customer is, once for each customer and process: the first tie stands, and a
    /// processor's events say the same of one customer again and again.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn learn(&self, organization: &OrganizationId, link: &Link) -> Result<(), SettleError> {
        let Link { customer, referee } = link;
        if self.store.knows_customer(organization, customer) {
            return Ok(());
        }
        self.link_customer(organization, customer, referee).await?;
        self.store.remember_customer(organization, customer);
        Ok(())
    }

    /// The payer of a source that nothing else tells: by the e-mail address that the event says, where a program lets it.
    /// `known` is what was read of this payer just now, if it was.
    pub(super) async fn find_known_payer(
        &self,
        organization: &OrganizationId,
        known: Option<PayerState>,
        payer: &mut Payer,
        fact: Option<&Fact>,
    ) -> Result<Option<PayerState>, SettleError> {
        let known = match known {
            Some(known) => Some(known),
            None => find_payer(&self.store, organization, payer).await?,
        };
        let email = fact.and_then(|fact| fact.email.as_ref()).filter(|_| payer.email.is_none());
        let (None, Some(email)) = (known.as_ref().and_then(|known| known.referee.as_ref()), email) else {
            return Ok(known);
        };
        if !self.store.matches_email(organization).await? {
            return Ok(known);
        }
        payer.email = Some(email.hashed(organization));
        let known = find_by_email(&self.store, organization, payer).await?.unwrap_or_default();
        // Later events of the customer need no address.
        if let Some((referee, customer)) = known.referee.as_ref().zip(payer.customer.as_ref()) {
            Box::pin(self.link_customer(organization, customer, referee)).await?;
        }
        Ok(Some(known))
    }
}

/// What is known of a payer: by strong reads.
pub(super) async fn find_payer(
    store: &Store,
    organization: &OrganizationId,
    payer: &Payer,
) -> Result<Option<PayerState>, SettleError> {
    if *payer == Payer::default() {
        return Ok(None);
    }
    let found = match store.find_referee_of(organization, payer).await? {
        Some(referee) => Some(PayerState::read(store, organization, referee).await?),
        None => find_by_email(store, organization, payer).await?,
    };
    Ok(Some(found.unwrap_or_default()))
}

/// The referee whose e-mail address a payer has, where the program that the referee is bound in lets it tell.
async fn find_by_email(
    store: &Store,
    organization: &OrganizationId,
    payer: &Payer,
) -> Result<Option<PayerState>, SettleError> {
    let Some(hash) = &payer.email else { return Ok(None) };
    let customer = Customer::of_email(hash.clone());
    let Some(referee) = store.find_customer(organization, &customer).await? else { return Ok(None) };
    let known = PayerState::read(store, organization, referee).await?;
    let allowed = match known.binding.latest() {
        Some(referral) => {
            let program = store.find_recent_program(organization, &referral.program).await?;
            program.is_some_and(|row| row.program.matches_email)
        }
        None => store.matches_email(organization).await?,
    };
    Ok(Some(known).filter(|_| allowed))
}
