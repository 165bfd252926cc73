//! Sign-ups: the binding of a new customer, and what the sign-up itself earns.

use aws::http::{Caller, Json, Problem, ProblemBody, ReferralView, Refusal};
use aws::store::{Bind, Bound, CodeRow, Companions, ProgramRow, RefereeRow, StoreError};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::code::ReferralCode;
use domain::fact::Customer;
use domain::id::{
    Channel, ExternalId, IdError, OrganizationId, Processor, ProcessorRef, SourceId, VisitorId,
};
use domain::reason::Reason;
use domain::referral::{
    Binding, CodeOwner, ProgramAtSignup, Referral, Signup, attribute, check_signup_moment, repeat,
};
use domain::touch::Touch;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;

/// How often a sign-up that lost a race for a counter is tried again.
const ATTEMPTS_MAX: u32 = 24;

/// A sign-up. Report every one, with or without a code: a payer who is known to be nobody's referee costs one read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignupRequest {
    /// Your own id of the new customer.
    #[schema(example = "user_42")]
    pub external_id: ExternalId,
    /// The code that was entered, if any; matched without case or dash.
    #[schema(example = "BLU-2345")]
    pub code: Option<String>,
    /// The visitor that the touches were reported for, if any: links then count as the program's attribution says.
    #[schema(example = "v-7f3a9c")]
    pub visitor_id: Option<VisitorId>,
    /// The form or app that it came through (`sign-up`, `tour`, `drop-in`, `inquiry`, `mobile`, `booking`, or your own);
    /// `sign-up` unless told.
    #[schema(example = "sign-up")]
    pub channel: Option<Channel>,
    /// Whether the customer was one before; rules can be for new customers only.
    #[serde(default)]
    pub existing_customer: bool,
    /// When the customer signed up; now unless told. At most 30 days ago.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The customer at the payment processor: payments of this customer are then the referee's.
    pub customer: Option<CustomerInput>,
}

/// A customer of a payment processor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomerInput {
    /// The processor.
    #[schema(example = "stripe")]
    pub processor: Processor,
    /// The customer's id there.
    #[schema(example = "cus_123")]
    pub id: ProcessorRef,
}

/// What became of a sign-up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignupView {
    /// `referred`, or `organic` when nobody referred.
    #[schema(example = "referred")]
    pub outcome: &'static str,
    /// The referral, when there is one.
    pub referral: Option<ReferralView>,
}

/// Whose the entered code is, and the program that decides on the sign-up.
struct Found {
    code: Option<CodeRow>,
    touches: Vec<Touch>,
    program: Option<ProgramRow>,
    at_signup: Option<ProgramAtSignup>,
}

/// Report a sign-up
///
/// Idempotent by `external_id`: the first sign-up binds, the same one again is answered with it, another code is
/// refused. Payments that arrived before are decided again now.
#[utoipa::path(post, path = "/v1/track/signup", operation_id = "track_signup", tag = "tracking",
    request_body = SignupRequest,
    responses((status = 201, body = SignupView, description = "Taken"),
              (status = 200, body = SignupView, description = "Was taken before"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 422 code_not_found, self_referral, program_not_active, channel_not_accepted, \
                              code_expired, referrer_limit_reached; 409 already_referred")))]
pub(crate) async fn track(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<SignupRequest>,
) -> Result<Response, Problem> {
    let now = deps.edge.now();
    let visitor = request.value.visitor_id.clone();
    let (signup, customer) = parse(request.value, now)?;
    let organization = &caller.organization;

    for attempt in 0..ATTEMPTS_MAX {
        let found = find(&deps, organization, &signup, visitor.as_ref()).await?;
        let owner = found.code.as_ref().map(CodeRow::owner);
        let binding = attribute(&signup, owner.as_ref(), &found.touches, found.at_signup.as_ref(), now);
        let binding = match binding {
            Ok(binding) => binding,
            Err(reason) => return known_or_refused(&deps, organization, &signup, reason).await,
        };
        if let Some(customer) = customer.as_ref().filter(|_| attempt == 0) {
            // A sign-up that will be refused ties no customer: that customer's payments would become the referee's.
            let known = deps.edge.store.get_referee(organization, &signup.referee).await?;
            repeat(&signup, &known.binding()).map_err(Refusal)?;
            if !deps.settler.link_customer(organization, customer, &signup.referee).await? {
                return Err(Refusal(Reason::CustomerTaken).into());
            }
        }
        let companions = match companions(&deps, organization, &binding, &found).await? {
            Ok(companions) => companions,
            Err(reason) => return known_or_refused(&deps, organization, &signup, reason).await,
        };
        let store = &deps.edge.store;
        match store.commit_binding_with(organization, &signup.referee, &binding, &companions, now).await? {
            Bound::Taken(Bind::New { waiting }) => {
                release(&deps, organization, &signup.referee, &waiting).await?;
                return Ok(answer(StatusCode::CREATED, &binding));
            }
            Bound::Taken(Bind::Known(row)) => return repeated(&deps, organization, &signup, *row).await,
            Bound::CodeUsedUp => return Err(Refusal(Reason::CodeLimitReached).into()),
            Bound::Lost => {}
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

fn parse(request: SignupRequest, now: DateTime<Utc>) -> Result<(Signup, Option<Customer>), Problem> {
    let signed_up_at = request.occurred_at.unwrap_or(now);
    check_signup_moment(signed_up_at, now).map_err(|error| Problem::field("/occurred_at", error))?;
    // A text that cannot be a code is nobody's code.
    let code = request.code.map(|code| ReferralCode::parse(&code)).transpose();
    let code = code.map_err(|error| Problem::from(Refusal(Reason::CodeNotFound)).detail(error))?;
    let channel = request.channel.map_or_else(|| Channel::parse("sign-up"), Ok);
    let channel = channel.map_err(|error: IdError| Problem::field("/channel", error))?;
    let customer = request.customer;
    let customer = customer.map(|given| Customer { processor: given.processor, reference: given.id });
    let existing_customer = request.existing_customer;
    Ok((Signup { referee: request.external_id, code, channel, existing_customer, signed_up_at }, customer))
}

/// Whose the entered code is, the visitor's touches, and the program as it was at the sign-up: that of the code, or of
/// the latest touch.
async fn find(
    deps: &Deps,
    organization: &OrganizationId,
    signup: &Signup,
    visitor: Option<&VisitorId>,
) -> Result<Found, Problem> {
    let store = &deps.edge.store;
    let code = match &signup.code {
        Some(code) => store.find_code(organization, code).await?,
        None => None,
    };
    let touches = match visitor {
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
    let mut touches = touches;
    touches.retain(|touch| program.as_ref().is_some_and(|row| row.program.id == touch.program));
    Ok(Found { code, touches, program, at_signup })
}

/// What has to be written with the binding: the use of a limited code, and the referrer's count of referrals where
/// something depends on it.
async fn companions(
    deps: &Deps,
    organization: &OrganizationId,
    binding: &Binding,
    found: &Found,
) -> Result<Result<Companions, Reason>, Problem> {
    let (Some(referral), Some(program), Some(then)) = (binding.latest(), &found.program, &found.at_signup)
    else {
        return Ok(Ok(Companions::default()));
    };
    let mut companions =
        Companions { decides_signup: then.terms.pays_for_sign_up(), ..Companions::default() };
    companions.limited_code = limited_code(referral, found);
    if let Some(most) = then.terms.max_referrals {
        let has_past = program.program.counts_from.is_some_and(|from| from > program.program.created_at);
        let mut row = deps.edge.store.get_tally(organization, &referral.referrer, has_past).await?;
        if let Err(reason) = row.tally.refer(Some(most)) {
            return Ok(Err(reason));
        }
        companions.tally = Some(row);
    }
    Ok(Ok(companions))
}

fn limited_code(referral: &Referral, found: &Found) -> Option<(ReferralCode, u32)> {
    let row = found.code.as_ref().filter(|row| referral.used_code.as_ref() == Some(&row.code))?;
    row.promo.as_ref()?.max_uses.map(|most| (row.code.clone(), most))
}

/// A sign-up that would be refused now may be the repetition of one that was taken.
async fn known_or_refused(
    deps: &Deps,
    organization: &OrganizationId,
    signup: &Signup,
    reason: Reason,
) -> Result<Response, Problem> {
    let row = deps.edge.store.get_referee(organization, &signup.referee).await?;
    match row.binding() {
        Binding::Bound { .. } => repeated(deps, organization, signup, row).await,
        Binding::Organic { .. } | Binding::Unknown => Err(Refusal(reason).into()),
    }
}

async fn repeated(
    deps: &Deps,
    organization: &OrganizationId,
    signup: &Signup,
    row: RefereeRow,
) -> Result<Response, Problem> {
    let binding = row.binding();
    repeat(signup, &binding).map_err(Refusal)?;
    release(deps, organization, &signup.referee, &row.waiting).await?;
    Ok(answer(StatusCode::OK, &binding))
}

async fn release(
    deps: &Deps,
    organization: &OrganizationId,
    referee: &ExternalId,
    waiting: &[SourceId],
) -> Result<(), Problem> {
    if waiting.is_empty() {
        return Ok(());
    }
    Ok(deps.settler.release_referee(organization, referee, waiting).await?)
}

fn answer(status: StatusCode, binding: &Binding) -> Response {
    let view = match binding.latest() {
        Some(referral) => SignupView { outcome: "referred", referral: Some(referral.clone().into()) },
        None => SignupView { outcome: "organic", referral: None },
    };
    (status, axum::Json(view)).into_response()
}

/// The owner of a code as an administrator names it.
pub(crate) fn owner_of(participant: &aws::store::ParticipantRow) -> CodeOwner {
    CodeOwner {
        participant: participant.participant.clone(),
        external_id: participant.external_id.clone(),
        program: participant.program.clone(),
        starts_at: None,
        ends_at: None,
        used_up: false,
    }
}
