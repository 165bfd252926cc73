//! Event destinations: where the organization has its events sent, and the secrets that they are signed with.

use std::collections::BTreeSet;

use aws::http::{Caller, FieldError, IdempotencyKey, Json, Path, PathId, Problem, ProblemBody, hash_of};
use aws::store::{DESTINATIONS_MAX, DestinationChange, DestinationRow, DestinationSecret, StoreError};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::delivery::{DisabledBecause, signature};
use domain::event::What;
use domain::id::{DestinationId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Deps, checked_text, nullable, replay_header};

/// Longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 200;
/// Most secrets that are valid at a time.
const SECRETS_MAX: usize = 3;
/// How often a rotation is tried that others come in between of.
const ATTEMPTS: u32 = 5;

/// A destination to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DestinationRequest {
    /// Where events are sent: HTTPS on port 443 or 8443 of a public host; at most 2048 characters.
    #[schema(example = "https://example.com/hooks/referrals", max_length = 2048)]
    url: String,
    /// The types of the events that are sent; all, those that are added later too, unless told.
    #[schema(example = json!(["reward.fulfilled"]), min_items = 1)]
    events: Option<Vec<String>>,
    /// What it is, for people: 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    description: Option<String>,
}

/// A change of a destination; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DestinationChangeRequest {
    /// Where events are sent from now on, those too that wait for their next attempt.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// The types of the events that are sent; null for all.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Vec<String>>, min_items = 1)]
    events: Option<Option<Vec<String>>>,
    /// What it is; null for nothing.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    description: Option<Option<String>>,
    /// Whether events are sent. What happens while it is disabled is not sent later, and what waits is given up.
    status: Option<DestinationStatus>,
}

/// A rotation takes nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotationRequest {}

/// Whether events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DestinationStatus {
    /// They are.
    Enabled,
    /// They are not.
    Disabled,
}

/// A destination.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DestinationView {
    /// Its id.
    pub(crate) id: DestinationId,
    /// Where events are sent.
    url: String,
    /// The types of the events that are sent; null for all.
    events: Option<Vec<String>>,
    /// What it is.
    description: Option<String>,
    /// Live or test money.
    livemode: bool,
    /// Whether events are sent.
    status: DestinationStatus,
    /// Why they are not: because its owner said so, nothing was delivered for five days, or it answered 410.
    disabled_because: Option<DisabledBecause>,
    /// Since when they are not.
    disabled_at: Option<DateTime<Utc>>,
    /// Since when every attempt has failed; null when the last one succeeded.
    failing_since: Option<DateTime<Utc>>,
    /// Until when events are signed with a secret that was replaced, too.
    replaced_secret_until: Option<DateTime<Utc>>,
    /// When it was created.
    created_at: DateTime<Utc>,
}

/// A destination with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewDestinationView {
    /// The destination.
    #[serde(flatten)]
    destination: DestinationView,
    /// What events are signed with; shown once.
    #[schema(example = "whsec_...")]
    secret: String,
}

/// The organization's destinations.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DestinationList {
    /// At most 10.
    data: Vec<DestinationView>,
}

impl DestinationView {
    fn new(row: DestinationRow, now: DateTime<Utc>) -> Self {
        let replaced_secret_until = row.secrets_at(now).filter_map(|secret| secret.valid_until).max();
        Self {
            id: row.destination,
            url: row.url,
            events: row.events,
            description: row.description,
            livemode: row.livemode,
            status: match row.disabled {
                None => DestinationStatus::Enabled,
                Some(_) => DestinationStatus::Disabled,
            },
            disabled_because: row.disabled.map(|disabled| disabled.because),
            disabled_at: row.disabled.map(|disabled| disabled.at),
            failing_since: row.failing_since,
            replaced_secret_until,
            created_at: row.created_at,
        }
    }
}

/// Create an event destination
///
/// Events that happen from now on are sent to it as webhooks, signed by the Standard Webhooks scheme; see docs/webhooks.md.
#[utoipa::path(post, path = "/v1/event-destinations",
    operation_id = "create_event_destination", tag = "events", request_body = DestinationRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats of the call answer what the first one made")),
    responses((status = 201, body = NewDestinationView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 too_many_destinations (10)")))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    key: IdempotencyKey,
    request: Json<DestinationRequest>,
) -> Result<Response, Problem> {
    let DestinationRequest { url, events, description } = request.value;
    check_url(&deps, &url)?;
    let events = events.map(checked_events).transpose()?;
    let description = description.map(|text| checked_description(&text)).transpose()?;

    let organization = &caller.organization;
    let seed = deps.seed("destination", organization.as_str(), &key).await?;
    let destination = DestinationId::derive(&[&hash_of(&format!("{seed:?}"))]);
    let secret = signature::secret(&seed);
    let sealed = deps.sealer.seal(&secret, destination.as_str()).await?;
    let row = DestinationRow {
        destination,
        url,
        events,
        description,
        livemode: caller.livemode,
        disabled: None,
        secrets: vec![DestinationSecret { sealed, valid_until: None }],
        failing_since: None,
        created_at: deps.edge.now(),
        request_hash: request.hash,
    };
    let all = deps.edge.store.list_destinations(organization).await?;
    if all.len() >= DESTINATIONS_MAX && !all.iter().any(|known| known.destination == row.destination) {
        let title = "An organization can have 10 event destinations.";
        return Err(Problem::new(409, "too_many_destinations", title));
    }

    let known = deps.edge.store.commit_destination(organization, &row).await?;
    if known.as_ref().is_some_and(|known| known.request_hash != row.request_hash) {
        return Err(Problem::idempotency_mismatch());
    }
    let repeated = known.is_some();
    let row = known.unwrap_or(row);
    let location = [("location", format!("/v1/event-destinations/{}", row.destination))];
    let view = NewDestinationView { destination: DestinationView::new(row, deps.edge.now()), secret };
    Ok((StatusCode::CREATED, replay_header(repeated), location, axum::Json(view)).into_response())
}

/// List event destinations
#[utoipa::path(get, path = "/v1/event-destinations", operation_id = "list_event_destinations", tag = "events",
    responses((status = 200, body = DestinationList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
) -> Result<axum::Json<DestinationList>, Problem> {
    let rows = deps.edge.store.list_destinations(&caller.organization).await?;
    let now = deps.edge.now();
    let data = rows.into_iter().map(|row| DestinationView::new(row, now)).collect();
    Ok(axum::Json(DestinationList { data }))
}

/// Read an event destination
#[utoipa::path(get, path = "/v1/event-destinations/{id}", operation_id = "read_event_destination", tag = "events",
    params(("id" = String, Path, description = "The destination's id (dst_...)")),
    responses((status = 200, body = DestinationView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<DestinationView>, Problem> {
    let row = find(&deps, &caller.organization, &id).await?;
    Ok(axum::Json(DestinationView::new(row, deps.edge.now())))
}

/// Change an event destination
///
/// To enable one that was disabled is to begin anew: what failed before counts no more.
#[utoipa::path(patch, path = "/v1/event-destinations/{id}",
    operation_id = "change_event_destination", tag = "events", request_body = DestinationChangeRequest,
    params(("id" = String, Path, description = "The destination's id (dst_...)")),
    responses((status = 200, body = DestinationView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn change(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<DestinationChangeRequest>,
) -> Result<axum::Json<DestinationView>, Problem> {
    let id = DestinationId::own(&id, "event destination")?;
    let DestinationChangeRequest { url, events, description, status } = request.value;
    if let Some(url) = &url {
        check_url(&deps, url)?;
    }
    let change = DestinationChange {
        url,
        events: events.map(|events| events.map(checked_events).transpose()).transpose()?,
        description: description
            .map(|text| text.map(|text| checked_description(&text)).transpose())
            .transpose()?,
        enabled: status.map(|status| status == DestinationStatus::Enabled),
    };
    let now = deps.edge.now();
    let row = deps.edge.store.change_destination(&caller.organization, &id, &change, now).await?;
    let row = row.ok_or_else(|| Problem::not_found("event destination"))?;
    Ok(axum::Json(DestinationView::new(row, now)))
}

/// Remove an event destination
///
/// What waits for it is given up; its deliveries cannot be looked at any more.
#[utoipa::path(delete, path = "/v1/event-destinations/{id}",
    operation_id = "remove_event_destination", tag = "events",
    params(("id" = String, Path, description = "The destination's id (dst_...)")),
    responses((status = 204, description = "Removed"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn remove(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let row = find(&deps, &caller.organization, &id).await?;
    deps.edge.store.remove_destination(&caller.organization, &row.destination).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotate an event destination's secret
///
/// Answers a new secret. For 24 hours events are signed with the one that it replaces too: `webhook-signature` then holds
/// several signatures, of which one that you can check is enough.
#[utoipa::path(post, path = "/v1/event-destinations/{id}/rotate-secret",
    operation_id = "rotate_event_destination_secret", tag = "events", request_body = RotationRequest,
    params(("id" = String, Path, description = "The destination's id (dst_...)"),
           ("Idempotency-Key" = Option<String>, Header,
            description = "Repeats of the call answer the secret that the first one made, for as long as it is valid")),
    responses((status = 200, body = NewDestinationView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 too_many_secrets (3 at a time)")))]
pub(crate) async fn rotate(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    key: IdempotencyKey,
    _: Json<RotationRequest>,
) -> Result<Response, Problem> {
    let organization = &caller.organization;
    let mut row = find(&deps, organization, &id).await?;
    let place = row.destination.clone();
    let secret = signature::secret(&deps.seed("destination-secret", place.as_str(), &key).await?);
    let sealed = deps.sealer.seal(&secret, place.as_str()).await?;
    for _ in 0..ATTEMPTS {
        let now = deps.edge.now();
        let valid: Vec<DestinationSecret> = row.secrets_at(now).cloned().collect();
        for known in &valid {
            if deps.sealer.open(&known.sealed, place.as_str()).await? == secret {
                return Ok(rotated(row, secret, now, true));
            }
        }
        if valid.len() >= SECRETS_MAX {
            let title = "Three secrets are valid at a time; the oldest ends within 24 hours.";
            return Err(Problem::new(409, "too_many_secrets", title));
        }
        let secrets = row.rotated(sealed.clone(), now);
        if deps.edge.store.commit_destination_secrets(organization, &row, &secrets).await? {
            return Ok(rotated(DestinationRow { secrets, ..row }, secret, now, false));
        }
        row = find(&deps, organization, &id).await?;
    }
    Err(StoreError::Contended { attempts: ATTEMPTS }.into())
}

fn rotated(row: DestinationRow, secret: String, now: DateTime<Utc>, repeated: bool) -> Response {
    let view = NewDestinationView { destination: DestinationView::new(row, now), secret };
    (replay_header(repeated), axum::Json(view)).into_response()
}

/// The destination of an id in the path.
pub(crate) async fn find(
    deps: &Deps,
    organization: &OrganizationId,
    id: &str,
) -> Result<DestinationRow, Problem> {
    let id = DestinationId::own(id, "event destination")?;
    let row = deps.edge.store.find_destination(organization, &id).await?;
    row.ok_or_else(|| Problem::not_found("event destination"))
}

fn check_url(deps: &Deps, url: &str) -> Result<(), Problem> {
    deps.reach.check(url).map(|_| ()).map_err(|flaw| Problem::field("/url", flaw))
}

fn checked_description(text: &str) -> Result<String, Problem> {
    checked_text("/description", text, DESCRIPTION_CHARS_MAX)
}

/// Types of events: each known, and named once.
fn checked_events(events: Vec<String>) -> Result<Vec<String>, Problem> {
    if events.is_empty() {
        return Err(Problem::field("/events", "must name at least one type; leave it out for all"));
    }
    let mut seen = BTreeSet::new();
    let wrong = |(index, kind): (usize, &String)| {
        let detail = if !What::TYPES.contains(&kind.as_str()) {
            "must be the type of an event, such as reward.fulfilled"
        } else if !seen.insert(kind.clone()) {
            "is named twice"
        } else {
            return None;
        };
        Some(FieldError { pointer: format!("/events/{index}"), detail: detail.to_owned() })
    };
    let errors: Vec<_> = events.iter().enumerate().filter_map(wrong).collect();
    if errors.is_empty() { Ok(events) } else { Err(Problem::invalid(errors)) }
}
