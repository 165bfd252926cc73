//! Promotions: which referral code a payment processor's promotion code is.

use aws::http::{Caller, Json, Path, PathId, Problem, ProblemBody};
use axum::extract::State;
use domain::code::ReferralCode;
use domain::id::{Processor, ProcessorRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;

/// The referral code that a promotion code is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromotionRequest {
    /// A participant's referral code or promo code; matched without case or dash.
    #[schema(example = "SUMMER25")]
    code: String,
}

/// A promotion code of a processor, and the referral code that it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PromotionView {
    /// The processor.
    #[schema(example = "stripe")]
    processor: Processor,
    /// The promotion code's id there.
    #[schema(example = "promo_123")]
    id: ProcessorRef,
    /// The referral code.
    #[schema(example = "SUMMER25")]
    code: String,
}

/// Tie a promotion code to a referral code
///
/// A payment with the processor's promotion code then refers its payer, if nobody has before, as a sign-up with the referral code
/// at the moment of the payment would, by the channel `promotion`. A payer whom no event names is known by the processor's id of
/// the customer. A code that a processor tells by its text needs no tie. Idempotent; a tie is never changed.
#[utoipa::path(put, path = "/v1/promotions/{processor}/{id}", operation_id = "tie_promotion", tag = "participants",
    params(("processor" = String, Path, description = "The processor, such as `stripe`"),
           ("id" = String, Path, description = "The promotion code's id there, such as `promo_123`")),
    request_body = PromotionRequest,
    responses((status = 200, body = PromotionView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 404 for a code that nobody has, 409 promotion_taken")))]
pub(crate) async fn tie(
    State(deps): State<Deps>,
    caller: Caller,
    Path((processor, id)): Path<(String, String)>,
    request: Json<PromotionRequest>,
) -> Result<axum::Json<PromotionView>, Problem> {
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let processor = Processor::theirs(&processor, "{processor}")?;
    let id = ProcessorRef::theirs(&id, "{id}")?;
    let code = ReferralCode::parse(&request.value.code).map_err(|error| Problem::field("/code", error))?;
    let row = store.find_code(organization, &code).await?.ok_or_else(|| Problem::not_found("code"))?;
    let tied = store.commit_promotion(organization, &processor, &id, &row.code).await?;
    if tied != row.code {
        let title = "The promotion code is another referral code already.";
        return Err(Problem::new(409, "promotion_taken", title));
    }
    Ok(axum::Json(view(processor, id, &tied)))
}

/// Read a promotion code's tie
#[utoipa::path(get, path = "/v1/promotions/{processor}/{id}", operation_id = "read_promotion", tag = "participants",
    params(("processor" = String, Path, description = "The processor, such as `stripe`"),
           ("id" = String, Path, description = "The promotion code's id there, such as `promo_123`")),
    responses((status = 200, body = PromotionView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path((processor, id)): Path<(String, String)>,
) -> Result<axum::Json<PromotionView>, Problem> {
    let processor = Processor::theirs(&processor, "{processor}")?;
    let id = ProcessorRef::theirs(&id, "{id}")?;
    let tied = deps.edge.store.find_promotion(&caller.organization, &processor, &id).await?;
    let tied = tied.ok_or_else(|| Problem::not_found("promotion code"))?;
    Ok(axum::Json(view(processor, id, &tied)))
}

fn view(processor: Processor, id: ProcessorRef, code: &ReferralCode) -> PromotionView {
    PromotionView { processor, id, code: code.as_str().to_owned() }
}
