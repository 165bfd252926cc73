//! Touches: visits through a participant's link.

use aws::http::{Caller, Json, Problem, ProblemBody, Refusal};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Duration, Utc};
use domain::code::ReferralCode;
use domain::id::{ParticipantId, VisitorId};
use domain::reason::Reason;
use domain::referral::{SIGNUP_AGE_DAYS_MAX, check_past};
use domain::touch::Touch;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;

/// A visit through a link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TouchRequest {
    /// Your own id of the visitor: a random value that your site keeps, never an address or a name.
    #[schema(example = "v-7f3a9c")]
    pub visitor_id: VisitorId,
    /// The code in the link.
    #[schema(example = "BLU-2345")]
    pub code: String,
    /// When; now unless told. At most 30 days ago.
    pub occurred_at: Option<DateTime<Utc>>,
}

/// A touch that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TouchView {
    /// Whose link it was.
    pub participant: ParticipantId,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// Report a touch
///
/// A visit through a participant's link, before the sign-up. Report the sign-up with the same `visitor_id`, and the
/// program's attribution decides which touches count. Idempotent by visitor, code and `occurred_at`.
#[utoipa::path(post, path = "/v1/track/touch", operation_id = "track_touch", tag = "tracking",
    request_body = TouchRequest,
    responses((status = 201, body = TouchView, description = "Taken"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 422 code_not_found")))]
pub(crate) async fn track(
    State(deps): State<Deps>,
    caller: Caller,
    request: Json<TouchRequest>,
) -> Result<Response, Problem> {
    let (now, request) = (deps.edge.now(), request.value);
    let at = request.occurred_at.unwrap_or(now);
    check_past(at, now).map_err(|error| Problem::field("/occurred_at", error))?;
    if at < now - Duration::days(SIGNUP_AGE_DAYS_MAX) {
        let detail = format!("must not lie more than {SIGNUP_AGE_DAYS_MAX} days in the past");
        return Err(Problem::field("/occurred_at", detail));
    }
    let not_found = || Problem::from(Refusal(Reason::CodeNotFound));
    let code = ReferralCode::parse(&request.code).map_err(|error| not_found().detail(error))?;
    let row = deps.edge.store.find_code_owner(&caller.organization, &code).await?.ok_or_else(not_found)?;
    let touch = Touch {
        participant: row.participant.clone(),
        external_id: row.external_id,
        program: row.program,
        code,
        at,
    };
    deps.edge.store.commit_touch(&caller.organization, &request.visitor_id, &touch).await?;
    let view = TouchView { participant: row.participant, occurred_at: at };
    Ok((StatusCode::CREATED, axum::Json(view)).into_response())
}
