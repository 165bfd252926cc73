//! Binds new customers to whoever referred them.

use aws::http::{Caller, Edge, Json, Problem, ProblemBody, Refusal, finish};
use aws::queue::Queue;
use aws::settle::Settler;
use aws::store::{Bind, RefereeRow, Store};
use aws::{ConfigError, Platform};
use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::{DateTime, Utc};
use domain::code::ReferralCode;
use domain::fact::Customer;
use domain::id::{
    Channel, ExternalId, IdError, OrganizationId, ParticipantId, Processor, ProcessorRef, ProgramId,
};
use domain::reason::Reason;
use domain::referral::{Binding, CodeOwner, Referral, Signup, attribute, check_signup_moment, repeat};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The HTTP edge, with the store.
    pub edge: Edge,
    settler: Settler,
}

impl Deps {
    /// From the platform and the function's variables: `TABLE_NAME`, `FULFILL_QUEUE_URL`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn new(platform: &Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let store = Store::new(platform, lookup)?;
        let fulfill_queue = Queue::new(platform, lookup, "FULFILL_QUEUE_URL")?;
        let clock = platform.clock.clone();
        let settler = Settler { store: store.clone(), fulfill_queue, clock: clock.clone() };
        Ok(Self { edge: Edge { store, clock, entropy: platform.entropy }, settler })
    }
}

impl FromRef<Deps> for Edge {
    fn from_ref(deps: &Deps) -> Self {
        deps.edge.clone()
    }
}

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    let routes = Router::new().route("/v1/track/signup", post(track_signup));
    finish(routes, deps.edge.clone(), deps)
}

/// The function's part of the OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(track_signup))]
    struct Doc;
    Doc::openapi()
}

/// A sign-up. Report every one, with or without a code: a payer who is known to be nobody's referee costs one read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignupRequest {
    /// Your own id of the new customer.
    #[schema(example = "user_42")]
    pub external_id: ExternalId,
    /// The code that was entered, if any; matched without case or dash.
    #[schema(example = "BLU-2345")]
    pub code: Option<String>,
    /// The form or app that it came through; `sign-up` unless told.
    #[schema(example = "sign-up")]
    pub channel: Option<Channel>,
    /// When the customer signed up; now unless told. At most 30 days ago.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The customer at the payment processor: payments of this customer are then the referee's.
    pub customer: Option<CustomerInput>,
}

/// A customer of a payment processor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerInput {
    /// The processor.
    #[schema(example = "stripe")]
    pub processor: Processor,
    /// The customer's id there.
    #[schema(example = "cus_123")]
    pub id: ProcessorRef,
}

/// What became of a sign-up.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignupView {
    /// `referred`, or `organic` when no code was entered.
    #[schema(example = "referred")]
    pub outcome: &'static str,
    /// The referral, when there is one.
    pub referral: Option<ReferralView>,
}

/// A referral.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReferralView {
    /// Your own id of the referee.
    pub referee: ExternalId,
    /// The participant who referred.
    pub referrer: ParticipantId,
    /// The program.
    pub program: ProgramId,
    /// The code that was entered.
    #[schema(example = "BLU-2345")]
    pub used_code: String,
    /// The form or app.
    pub channel: Channel,
    /// When the referee signed up.
    pub signed_up_at: DateTime<Utc>,
}

impl From<Referral> for ReferralView {
    fn from(referral: Referral) -> Self {
        Self {
            referee: referral.referee,
            referrer: referral.referrer,
            program: referral.program,
            used_code: referral.used_code.to_string(),
            channel: referral.channel,
            signed_up_at: referral.signed_up_at,
        }
    }
}

/// Report a sign-up
///
/// Idempotent by `external_id`: the first sign-up binds, the same one again is answered with it, another code is
/// refused. Payments that arrived before are decided again now.
#[utoipa::path(post, path = "/v1/track/signup", tag = "tracking", request_body = SignupRequest,
    responses((status = 201, body = SignupView, description = "Taken"),
              (status = 200, body = SignupView, description = "Was taken before"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 422 code_not_found, self_referral, program_not_active; 409 already_referred")))]
async fn track_signup(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<SignupRequest>,
) -> Result<Response, Problem> {
    let now = deps.edge.now();
    let (signup, customer) = parse(request.value, now)?;
    let organization = &caller.organization;

    let owner = find_owner(&deps, organization, &signup).await?;
    let binding = match attribute(&signup, owner.as_ref(), now) {
        Ok(binding) => binding,
        Err(reason) => return known_or_refused(&deps, organization, &signup, reason).await,
    };
    if let Some(customer) = customer {
        // A sign-up that will be refused ties no customer: that customer's payments would become the referee's.
        let known = deps.edge.store.get_referee(organization, &signup.referee).await?;
        repeat(&signup, &known.binding()).map_err(Refusal)?;
        if !deps.settler.link_customer(organization, &customer, &signup.referee).await? {
            return Err(Refusal(Reason::CustomerTaken).into());
        }
    }
    match deps.edge.store.commit_binding(organization, &signup.referee, &binding, now).await? {
        Bind::New { waiting } => {
            release(&deps, organization, &signup.referee, &waiting).await?;
            Ok(answer(StatusCode::CREATED, binding))
        }
        Bind::Known(row) => repeated(&deps, organization, &signup, row).await,
    }
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
    Ok((Signup { referee: request.external_id, code, channel, signed_up_at }, customer))
}

/// Whose the entered code is, with the program as it was at the sign-up.
async fn find_owner(
    deps: &Deps,
    organization: &OrganizationId,
    signup: &Signup,
) -> Result<Option<CodeOwner>, Problem> {
    let Some(code) = &signup.code else { return Ok(None) };
    let Some(row) = deps.edge.store.find_code(organization, code).await? else { return Ok(None) };
    let program = deps.edge.store.find_recent_program(organization, &row.program).await?;
    let Some(program) = program else { return Ok(None) };
    Ok(Some(CodeOwner {
        participant: row.participant,
        external_id: row.external_id,
        program: row.program,
        program_status: program.program.status_at(signup.signed_up_at),
    }))
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
        Binding::Bound(_) => repeated(deps, organization, signup, row).await,
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
    Ok(answer(StatusCode::OK, binding))
}

async fn release(
    deps: &Deps,
    organization: &OrganizationId,
    referee: &ExternalId,
    waiting: &[domain::id::SourceId],
) -> Result<(), Problem> {
    if waiting.is_empty() {
        return Ok(());
    }
    Ok(deps.settler.release_referee(organization, referee, waiting).await?)
}

fn answer(status: StatusCode, binding: Binding) -> Response {
    let view = match binding {
        Binding::Bound(referral) => SignupView { outcome: "referred", referral: Some(referral.into()) },
        Binding::Organic { .. } | Binding::Unknown => SignupView { outcome: "organic", referral: None },
    };
    (status, axum::Json(view)).into_response()
}
