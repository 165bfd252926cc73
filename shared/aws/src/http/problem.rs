//! Errors as RFC 9457 problems. `docs/problems.md` lists every code.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::reason::Reason;
use serde::Serialize;
use utoipa::ToSchema;

use crate::handler::chain;
use crate::seal::SealError;
use crate::settle::SettleError;
use crate::store::StoreError;

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body, or `?name` for a query parameter, or `{name}` for a part of the path.
    #[schema(example = "/amount")]
    pub pointer: String,
    /// What it must be.
    pub detail: String,
}

/// An error as it is sent: `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemBody {
    /// `urn:referral-engine:problem:<code>`; stable.
    #[serde(rename = "type")]
    #[schema(example = "urn:referral-engine:problem:invalid_request")]
    pub kind: String,
    /// The same sentence for every problem of a code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable; see docs/problems.md.
    #[schema(example = "invalid_request")]
    pub code: String,
    /// What happened in this case, and what to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The fields that are wrong, when the input is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// A problem on its way out; what is for the log only has been logged already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<ProblemBody>);

/// A refusal by the rules: a business outcome, told as a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal(pub Reason);

impl Problem {
    /// A problem of a status and code, with the sentence that explains the code.
    #[must_use]
    pub fn new(status: u16, code: &str, title: &str) -> Self {
        Self(Box::new(ProblemBody {
            kind: format!("urn:referral-engine:problem:{code}"),
            title: title.to_owned(),
            status,
            code: code.to_owned(),
            detail: String::new(),
            errors: Vec::new(),
        }))
    }

    /// What happened in this case.
    #[must_use]
    pub fn detail(mut self, detail: impl std::fmt::Display) -> Self {
        self.0.detail = detail.to_string();
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The problem as it is sent, where it is a part of an answer.
    #[must_use]
    pub fn into_body(self) -> ProblemBody {
        *self.0
    }

    /// The problem of a part of the body: its pointers begin with the part's own.
    #[must_use]
    pub fn within(mut self, pointer: &str) -> Self {
        for error in self.0.errors.iter_mut().filter(|error| !error.pointer.starts_with(['?', '{'])) {
            error.pointer.insert_str(0, pointer);
        }
        self
    }

    /// Input that cannot be used, field by field.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        Self::new(400, "invalid_request", "The request has fields that cannot be used.").with_errors(errors)
    }

    /// The fields that are wrong.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// One field that cannot be used.
    #[must_use]
    pub fn field(pointer: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Self::invalid(vec![FieldError { pointer: pointer.into(), detail: detail.to_string() }])
    }

    /// Nothing of that id, or nothing that the caller may see: the two are not told apart.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(404, "not_found", "There is nothing of that id.").detail(format!("no such {what}"))
    }

    /// No key, or one that does not work.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(401, "unauthorized", "The call needs a valid API key: Authorization: Bearer rk_live_...")
    }

    /// The same idempotency key was used for another request.
    #[must_use]
    pub fn idempotency_mismatch() -> Self {
        Self::new(
            422,
            "idempotency_mismatch",
            "The Idempotency-Key was used for a request with another body.",
        )
    }

    /// Something on our side; the cause is logged, the caller may try again.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = chain(error), "failed");
        Self::new(500, "internal", "Something failed on our side; nothing was acknowledged, try again.")
    }

    /// There was no time left for it; nothing of it was done.
    #[must_use]
    pub fn no_time() -> Self {
        let title = "Too much at once; nothing was acknowledged, try again in a moment.";
        Self::new(503, "unavailable", title).detail("no time was left for it; send it again")
    }

    fn unavailable(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::warn!(error = chain(error), "not now");
        Self::new(503, "unavailable", "Too much at once; nothing was acknowledged, try again in a moment.")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&*self.0).unwrap_or_default();
        let mut response = (status, body).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Contended { .. } | StoreError::Throttled { .. } => Self::unavailable(&error),
            StoreError::Unavailable { .. } | StoreError::Corrupt { .. } => Self::internal(&error),
        }
    }
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        Self::internal(&error)
    }
}

impl From<SettleError> for Problem {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::Refused { reason, detail } => Self::from(Refusal(reason)).detail(detail),
            SettleError::WaitingListFull => Self::new(
                409,
                "waiting_list_full",
                "Too many sources wait for this payer to sign up; report the sign-up first.",
            ),
            SettleError::Money(_) => Self::internal(&error),
            SettleError::Store(store) => store.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(Refusal(reason): Refusal) -> Self {
        let conflicts = matches!(
            reason,
            Reason::AlreadyReferred
                | Reason::AlreadySignedUp
                | Reason::CustomerTaken
                | Reason::PayerMismatch
                | Reason::CurrencyMismatch
        );
        let status = if conflicts { 409 } else { 422 };
        Self::new(status, reason.code(), reason.text())
    }
}
