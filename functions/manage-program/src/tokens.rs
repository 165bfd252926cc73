//! Tokens with which a participant looks at its own referrals and invoices.

use aws::http::{Caller, IdempotencyKey, Json, Path, PathId, Problem, ProblemBody, hash_of, token_secret};
use aws::store::TokenRow;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Duration, Utc};
use domain::id::ParticipantId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Deps, replay_header};

/// Minutes that a token can be valid for.
const MINUTES: std::ops::RangeInclusive<i64> = 5..=1_440;
/// Minutes unless told.
const MINUTES_UNLESS_TOLD: i64 = 180;

/// A token to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// Minutes that it is valid for, 5 to 1,440; 180 unless told.
    #[serde(default = "minutes_unless_told")]
    #[schema(value_type = Option<i64>, minimum = 5, maximum = 1440)]
    minutes: i64,
}

const fn minutes_unless_told() -> i64 {
    MINUTES_UNLESS_TOLD
}

/// A token; it is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// The bearer token.
    #[schema(example = "rt_...")]
    token: String,
    /// The participant that it is for.
    participant: ParticipantId,
    /// Until when it is valid.
    valid_until: DateTime<Utc>,
}

/// Create a participant's token
///
/// A bearer token that opens the referral report and the partner invoices of this participant, and nothing else, for some
/// minutes: for the participant's own browser. It cannot be revoked.
#[utoipa::path(post, path = "/v1/participants/{id}/tokens", operation_id = "create_participant_token",
    tag = "participants", request_body = TokenRequest,
    params(("id" = String, Path, description = "The participant's id (prt_...); it must be enrolled"),
           ("Idempotency-Key" = Option<String>, Header, description = "Repeats of the call answer the token that the first one made")),
    responses((status = 201, body = TokenView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 422 idempotency_mismatch")))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    key: IdempotencyKey,
    request: Json<TokenRequest>,
) -> Result<Response, Problem> {
    let (store, organization) = (&deps.edge.store, caller.organization);
    let id = ParticipantId::own(&id, "participant")?;
    let minutes = request.value.minutes;
    if !MINUTES.contains(&minutes) {
        return Err(Problem::field("/minutes", "must be 5 to 1440"));
    }
    let participant = store.find_participant(&organization, &id).await?;
    let participant = participant.ok_or_else(|| Problem::not_found("participant"))?;
    let token = token_secret(&deps.seed("token", organization.as_str(), &key).await?);
    let row = TokenRow {
        organization,
        program: participant.program,
        participant: id.clone(),
        valid_until: deps.edge.now() + Duration::minutes(minutes),
        request_hash: hash_of(&format!("{id} {}", request.hash)),
    };
    let known = store.commit_token(&hash_of(&token), &row).await?;
    if known.as_ref().is_some_and(|known| known.request_hash != row.request_hash) {
        return Err(Problem::idempotency_mismatch());
    }
    let repeated = known.is_some();
    let valid_until = known.unwrap_or(row).valid_until;
    let view = TokenView { token, participant: id, valid_until };
    Ok((StatusCode::CREATED, replay_header(repeated), axum::Json(view)).into_response())
}
