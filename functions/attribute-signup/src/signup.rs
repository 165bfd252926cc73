//! Sign-ups: the binding of a new customer, and what the sign-up itself earns.

use aws::http::{Caller, Json, Problem, ProblemBody, ReferralView, Refusal};
use aws::settle::SignUp;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::code::ReferralCode;
use domain::fact::{Customer, Email};
use domain::id::{Channel, ExternalId, IdError, Processor, ProcessorRef, VisitorId};
use domain::reason::Reason;
use domain::referral::{Binding, CodeOwner, Signup, check_signup_moment};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;

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
    /// The customer's e-mail address, for programs with `attribution.match_email`: payments that name nobody known but this
    /// address are then the referee's. Only a hash of it is kept, and none where no program asks for it.
    #[schema(format = "email", max_length = 254)]
    pub email: Option<String>,
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
    let email = request.value.email.as_deref().map(|text| Email::parse(text).ok_or_else(unusable_email));
    let email = email.transpose()?;
    let (signup, customer) = parse(request.value, now)?;
    let organization = &caller.organization;

    let taken = deps.settler.sign_up(organization, &signup, visitor.as_ref(), customer.as_ref()).await?;
    let (binding, is_new) = match taken {
        SignUp::Taken { binding, is_new } => (binding, is_new),
        SignUp::Refused(reason) => return Err(Refusal(reason).into()),
    };
    if let Some(email) = email {
        deps.settler.link_email(organization, &email, &signup.referee).await?;
    }
    Ok(answer(if is_new { StatusCode::CREATED } else { StatusCode::OK }, &binding))
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

fn unusable_email() -> Problem {
    Problem::field("/email", "must be an e-mail address of at most 254 characters")
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
