//! Sign-ups: who referred a new customer, decided once. They are told by the caller's backend, or show by a promotion code in
//! a payment.

use domain::code::ReferralCode;
use domain::event::{Event, What};
use domain::fact::{Customer, Email, Payer};
use domain::id::{Channel, ExternalId, IdError, OrganizationId, SourceId, VisitorId};
use domain::reason::Reason;
use domain::referral::{Binding, ProgramAtSignup, Referral, Signup, attribute, repeat};
use domain::touch::Touch;

use super::{ATTEMPTS_MAX, PayerState, SettleError, Settler};
use crate::store::{Bind, Bound, CodeRow, Companions, ProgramRow, RefereeRow, SourceRow, StoreError};

/// The channel of sign-ups that show by a promotion code in a payment.
const PROMOTION: &str = "promotion";

/// What became of a sign-up.
#[derive(Debug)]
pub enum SignUp {
    /// Taken, now or by the same sign-up before.
    Taken {
        /// How the referee is bound.
        binding: Box<Binding>,
        /// Whether it is bound by this call.
        is_new: bool,
    },
    /// Refused; nothing was written.
    Refused(Reason),
}

/// Whose the entered code is, and the program that decides on the sign-up.
struct Found {
    code: Option<CodeRow>,
    touches: Vec<Touch>,
    program: Option<ProgramRow>,
    at_signup: Option<ProgramAtSignup>,
}

impl Settler {
    /// Takes a sign-up: binds the referee to whoever referred it, and decides again whatever waited for it.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn sign_up(
        &self,
        organization: &OrganizationId,
        signup: &Signup,
        visitor: Option<&VisitorId>,
        customer: Option<&Customer>,
    ) -> Result<SignUp, SettleError> {
        let now = self.clock.now();
        for attempt in 0..ATTEMPTS_MAX {
            let found = self.find_referrers(organization, signup, visitor).await?;
            let owner = found.code.as_ref().map(CodeRow::owner);
            let binding = attribute(signup, owner.as_ref(), &found.touches, found.at_signup.as_ref(), now);
            let binding = match binding {
                Ok(binding) => binding,
                Err(reason) => return self.known_or_refused(organization, signup, reason).await,
            };
            if let Some(customer) = customer.filter(|_| attempt == 0) {
                // A sign-up that will be refused ties no customer: that customer's payments would become the referee's.
                let known = self.store.get_referee(organization, &signup.referee).await?;
                if let Err(reason) = repeat(signup, &known.binding()) {
                    return Ok(SignUp::Refused(reason));
                }
                if !self.link_customer(organization, customer, &signup.referee).await? {
                    return Ok(SignUp::Refused(Reason::CustomerTaken));
                }
            }
            let companions = match self.companions(organization, &binding, &found).await? {
                Ok(companions) => companions,
                Err(reason) => return self.known_or_refused(organization, signup, reason).await,
            };
            let bound =
                self.store.commit_binding_with(organization, &signup.referee, &binding, &companions, now);
            match bound.await? {
                Bound::Taken(Bind::New { waiting }) => {
                    self.events.announce(companions.event.as_ref()).await;
                    self.release_if_any(organization, &signup.referee, &waiting).await?;
                    return Ok(SignUp::Taken { binding: Box::new(binding), is_new: true });
                }
                Bound::Taken(Bind::Known(row)) => return self.repeated(organization, signup, *row).await,
                Bound::CodeUsedUp => return Ok(SignUp::Refused(Reason::CodeLimitReached)),
                Bound::Lost => {}
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
    }

    /// Ties an e-mail address to a referee, where any program lets an address tell who paid; the first referee of an address
    /// keeps it.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn link_email(
        &self,
        organization: &OrganizationId,
        email: &Email,
        referee: &ExternalId,
    ) -> Result<(), SettleError> {
        if self.store.matches_email(organization).await? {
            let customer = Customer::of_email(email.hashed(organization));
            self.link_customer(organization, &customer, referee).await?;
        }
        Ok(())
    }

    /// Whose the entered code is, the visitor's touches, and the program as it was at the sign-up: that of the code, or of
    /// the latest touch.
    async fn find_referrers(
        &self,
        organization: &OrganizationId,
        signup: &Signup,
        visitor: Option<&VisitorId>,
    ) -> Result<Found, SettleError> {
        let store = &self.store;
        let code = match &signup.code {
            Some(code) => store.find_code(organization, code).await?,
            None => None,
        };
        let mut touches = match visitor {
            Some(visitor) => store.list_touches(organization, visitor, signup.signed_up_at).await?,
            None => Vec::new(),
        };
        // A code that is nobody's is refused, whatever links there are.
        let by_code = code.as_ref().map(|row| &row.program);
        let by_link = touches.first().map(|touch| &touch.program).filter(|_| signup.code.is_none());
        let program = match by_code.or(by_link) {
            Some(program) => store.find_recent_program(organization, program).await?,
            None => None,
        };
        let at_signup = match &program {
            Some(row) => {
                let status = row.program.status_at(signup.signed_up_at);
                let version = row.program.version_at(signup.signed_up_at).unwrap_or(1);
                let terms = store.get_terms(organization, row, version).await?;
                Some(ProgramAtSignup { status, terms: terms.draft })
            }
            None => None,
        };
        touches.retain(|touch| program.as_ref().is_some_and(|row| row.program.id == touch.program));
        Ok(Found { code, touches, program, at_signup })
    }

    /// What has to be written with the binding: the use of a limited code, the referrer's count of referrals where something
    /// depends on it, and the event that tells of it where anybody wants it.
    async fn companions(
        &self,
        organization: &OrganizationId,
        binding: &Binding,
        found: &Found,
    ) -> Result<Result<Companions, Reason>, SettleError> {
        let (Some(referral), Some(program), Some(then)) =
            (binding.latest(), &found.program, &found.at_signup)
        else {
            return Ok(Ok(Companions::default()));
        };
        let mut companions =
            Companions { decides_signup: then.terms.pays_for_sign_up(), ..Companions::default() };
        companions.limited_code = limited_code(referral, found);
        if let Some(most) = then.terms.max_referrals {
            let has_past = program.program.counts_from.is_some_and(|from| from > program.program.created_at);
            let mut row = self.store.get_tally(organization, &referral.referrer, has_past).await?;
            if let Err(reason) = row.tally.refer(Some(most)) {
                return Ok(Err(reason));
            }
            companions.tally = Some(row);
        }
        let event = Event::of_referral(organization, What::ReferralCreated, referral, referral.recorded_at);
        companions.event = self.events.wanted(event).await?;
        Ok(Ok(companions))
    }

    /// A sign-up that would be refused now may be the repetition of one that was taken.
    async fn known_or_refused(
        &self,
        organization: &OrganizationId,
        signup: &Signup,
        reason: Reason,
    ) -> Result<SignUp, SettleError> {
        let row = self.store.get_referee(organization, &signup.referee).await?;
        match row.binding() {
            Binding::Bound { .. } => self.repeated(organization, signup, row).await,
            Binding::Organic { .. } | Binding::Unknown => Ok(SignUp::Refused(reason)),
        }
    }

    async fn repeated(
        &self,
        organization: &OrganizationId,
        signup: &Signup,
        row: RefereeRow,
    ) -> Result<SignUp, SettleError> {
        let binding = row.binding();
        if let Err(reason) = repeat(signup, &binding) {
            return Ok(SignUp::Refused(reason));
        }
        self.release_if_any(organization, &signup.referee, &row.waiting).await?;
        Ok(SignUp::Taken { binding: Box::new(binding), is_new: false })
    }

    async fn release_if_any(
        &self,
        organization: &OrganizationId,
        referee: &ExternalId,
        waiting: &[SourceId],
    ) -> Result<(), SettleError> {
        if waiting.is_empty() {
            return Ok(());
        }
        self.release_referee(organization, referee, waiting).await
    }

    /// Binds a payer who is bound to nobody by a promotion code that it used in a payment: its first payment is its
    /// sign-up. One that nobody has named is known by its customer's id from then on. `false` when no promotion binds.
    pub(super) async fn bind_by_promotion(
        &self,
        organization: &OrganizationId,
        row: &SourceRow,
        payer: &PayerState,
    ) -> Result<bool, SettleError> {
        // What waits for something else than its payer is bound already.
        let paid_at = row.state.payment.as_ref().map(|payment| payment.paid_at);
        let Some(paid_at) = paid_at.filter(|_| payer.binding == Binding::Unknown) else { return Ok(false) };
        let Some(referee) = payer.referee.clone().or_else(|| own_id(&row.payer)) else { return Ok(false) };
        for promotion in &row.payer.promotions {
            let known = self.store.find_promotion(organization, &row.source.processor, promotion).await?;
            let Some(code) = known.or_else(|| ReferralCode::parse(promotion.as_str()).ok()) else { continue };
            let signup = Signup {
                referee: referee.clone(),
                code: Some(code),
                channel: promotion_channel()?,
                existing_customer: false,
                signed_up_at: paid_at,
            };
            match Box::pin(self.sign_up(organization, &signup, None, None)).await? {
                SignUp::Taken { .. } => {
                    if let Some(customer) = &row.payer.customer {
                        Box::pin(self.link_customer(organization, customer, &referee)).await?;
                    }
                    return Ok(true);
                }
                SignUp::Refused(reason) => {
                    tracing::info!(source.id = %row.source, %reason, "a promotion code binds nobody");
                }
            }
        }
        Ok(false)
    }
}

/// What a payer is known by whom nobody has named: the id that the processor knows it by.
fn own_id(payer: &Payer) -> Option<ExternalId> {
    ExternalId::parse(payer.customer.as_ref()?.reference.as_str()).ok()
}

fn promotion_channel() -> Result<Channel, SettleError> {
    let channel = Channel::parse(PROMOTION);
    channel.map_err(|error: IdError| StoreError::Corrupt { detail: error.to_string() }.into())
}

fn limited_code(referral: &Referral, found: &Found) -> Option<(ReferralCode, u32)> {
    let row = found.code.as_ref().filter(|row| referral.used_code.as_ref() == Some(&row.code))?;
    row.promo.as_ref()?.max_uses.map(|most| (row.code.clone(), most))
}
