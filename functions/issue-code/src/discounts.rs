//! One-time discounts of the engine's own: looked at and used by their codes.

use aws::http::{Caller, Json, Path, Problem, ProblemBody};
use aws::store::StoreError;
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::discount::{Discount, DiscountCode, DiscountState, Redeem, Redemption, Worth};
use domain::id::{ParticipantId, ProcessorRef, ProgramId, RewardId};
use domain::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;

/// How often a lost race is run again: a discount changes twice in its life as a rule.
const ATTEMPTS_MAX: u32 = 4;

/// What a discount is to be used for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedeemRequest {
    /// Your own id of what it is used for, an order say: 1 to 128 of A-Z a-z 0-9 . _ : | -. The same again is answered the
    /// same.
    #[schema(example = "order_17")]
    reference: ProcessorRef,
}

/// A one-time discount.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DiscountView {
    /// Its code.
    #[schema(example = "2345-CDFH-JKMN")]
    code: String,
    /// Where it stands.
    state: DiscountState,
    /// How many percent it takes off; null where it takes an amount off.
    #[schema(value_type = Option<String>, example = "12.5")]
    percent_off: Option<String>,
    /// The amount that it takes off; null where it takes a percentage off.
    amount_off: Option<Money>,
    /// The program.
    program: ProgramId,
    /// Who earned it; whoever shows the code may use it.
    participant: ParticipantId,
    /// The reward that it is.
    reward: RewardId,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// Until when it can be used, exclusive; null for ever.
    valid_until: Option<DateTime<Utc>>,
    /// What it was used for.
    reference: Option<ProcessorRef>,
    /// When it was used.
    redeemed_at: Option<DateTime<Utc>>,
}

/// Look a discount up
///
/// Matched without case or dash.
#[utoipa::path(get, path = "/v1/discounts/{code}", operation_id = "read_discount", tag = "discounts",
    params(("code" = String, Path, description = "The code, as it was typed")),
    responses((status = 200, body = DiscountView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(code): Path<String>,
) -> Result<axum::Json<DiscountView>, Problem> {
    let row = find(&deps, &caller, &code).await?;
    Ok(axum::Json(view(row, deps.edge.now())))
}

/// Use a discount
///
/// Once, by whoever shows the code. Idempotent by `reference`: the same again is answered the same, however late.
#[utoipa::path(post, path = "/v1/discounts/{code}/redeem", operation_id = "redeem_discount", tag = "discounts",
    params(("code" = String, Path, description = "The code, as it was typed")),
    request_body = RedeemRequest,
    responses((status = 200, body = DiscountView, description = "It is used for this, now or since before"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 discount_redeemed, discount_withdrawn, discount_expired")))]
pub(crate) async fn redeem(
    State(deps): State<Deps>,
    caller: Caller,
    Path(code): Path<String>,
    request: Json<RedeemRequest>,
) -> Result<axum::Json<DiscountView>, Problem> {
    let reference = request.value.reference;
    let mut row = find(&deps, &caller, &code).await?;
    for _ in 0..ATTEMPTS_MAX {
        let now = deps.edge.now();
        match row.redeem(&reference, now) {
            Redeem::Before => return Ok(axum::Json(view(row, now))),
            Redeem::Refused(state) => return Err(refused(state)),
            Redeem::Now => {}
        }
        let redemption = Redemption { reference: reference.clone(), at: now };
        // Marked or not, the row that stands says what came of it: by this call, or by another that came first.
        (row, _) = deps.edge.store.redeem_discount(&row, &redemption).await?;
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

async fn find(deps: &Deps, caller: &Caller, code: &str) -> Result<Discount, Problem> {
    let absent = || Problem::not_found("discount");
    let code = DiscountCode::parse(code).map_err(|_| absent())?;
    deps.edge.store.find_discount(&caller.organization, &code).await?.ok_or_else(absent)
}

fn refused(state: DiscountState) -> Problem {
    match state {
        DiscountState::Withdrawn => {
            Problem::new(409, "discount_withdrawn", "The discount was taken back before it was used.")
        }
        DiscountState::Expired => Problem::new(409, "discount_expired", "The discount was not used in time."),
        DiscountState::Open | DiscountState::Redeemed => {
            Problem::new(409, "discount_redeemed", "The discount was used for something else.")
        }
    }
}

fn view(row: Discount, now: DateTime<Utc>) -> DiscountView {
    let state = row.state_at(now);
    let (percent_off, amount_off) = match row.worth {
        Worth::PercentOff(percent) => (Some(percent.to_string()), None),
        Worth::AmountOff(amount) => (None, Some(amount)),
    };
    let (reference, redeemed_at) = row.redeemed.map(|redeemed| (redeemed.reference, redeemed.at)).unzip();
    DiscountView {
        code: row.code.to_string(),
        state,
        percent_off,
        amount_off,
        program: row.program,
        participant: row.participant,
        reward: row.reward,
        created_at: row.created_at,
        valid_until: row.valid_until,
        reference,
        redeemed_at,
    }
}
