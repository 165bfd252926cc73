//! Programs and their terms.

use aws::http::{
    Caller, IdempotencyKey, Json, Params, Path, Problem, ProblemBody, hash_of, open_cursor, seal_cursor,
};
use aws::store::{ProgramRow, StoreError};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::id::{OrganizationId, ProgramId};
use domain::program::{
    NAME_CHARS_MAX, Program, ProgramStatus, ProgramType, ScheduleError, Settings, TermsPolicy,
};
use domain::terms::{Terms, TermsDraft};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::page::PageQuery;
use crate::terms::{ATTEMPTS_MAX, TermsView, check_labels, check_terms, find_program, refused};
use crate::{Deps, checked_name, replay_header};

/// A program to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgramRequest {
    /// Its name, for people: 1 to 100 characters.
    #[schema(example = "Refer a friend", min_length = 1, max_length = 100)]
    name: String,
    /// What it is for; `customer` unless told. It changes nothing in how rewards are decided.
    #[serde(default, rename = "type")]
    kind: ProgramType,
    /// `active` unless told, or `draft`.
    status: Option<ProgramStatus>,
    /// When it begins, in the future: until then it is a draft. With its status unless told.
    starts_at: Option<DateTime<Utc>>,
    /// When it ends by itself, in the future and after `starts_at`. Never unless told.
    ends_at: Option<DateTime<Utc>>,
    /// What new terms will mean for referrals that exist already; `follow` unless told.
    #[serde(default)]
    terms_policy: TermsPolicy,
    /// Its rules.
    terms: TermsDraft,
}

/// A change of a program: what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgramChange {
    /// A new name.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// What it is for.
    #[serde(rename = "type")]
    kind: Option<ProgramType>,
    /// A new status. `ended` is for good.
    status: Option<ProgramStatus>,
    /// Another beginning, more than a minute ahead; null for none. What has begun cannot be moved.
    #[serde(default, deserialize_with = "crate::nullable")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    starts_at: Option<Option<DateTime<Utc>>>,
    /// Another end, more than a minute ahead and after `starts_at`; null for none. What has ended cannot be moved.
    #[serde(default, deserialize_with = "crate::nullable")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    ends_at: Option<Option<DateTime<Utc>>>,
    /// What terms that are accepted from now on, these among them, mean for referrals that exist already.
    terms_policy: Option<TermsPolicy>,
    /// New rules; they become the next version of the terms.
    terms: Option<TermsDraft>,
}

/// A program.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProgramView {
    /// Its id.
    id: ProgramId,
    /// Its name.
    name: String,
    /// What it is for.
    #[serde(rename = "type")]
    kind: ProgramType,
    /// Its status now.
    status: ProgramStatus,
    /// The status that it changes to, when a change has been accepted and is not yet in effect.
    next_status: Option<NextStatus>,
    /// When it begins; null for with its status.
    starts_at: Option<DateTime<Utc>>,
    /// When it ends by itself; null for never.
    ends_at: Option<DateTime<Utc>>,
    /// What terms that are accepted from now on mean for referrals that exist already.
    terms_policy: TermsPolicy,
    /// The terms now: everybody's. Groups and participants may have their own.
    terms: TermsView,
    /// The terms that come next, when they have been accepted and are not yet in effect.
    next_terms: Option<TermsView>,
    /// When it was created.
    created_at: DateTime<Utc>,
}

/// A status to come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NextStatus {
    /// The status.
    status: ProgramStatus,
    /// From when: a minute after the change was accepted.
    effective_from: DateTime<Utc>,
}

/// A page of programs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProgramList {
    /// The programs, by id.
    data: Vec<ProgramView>,
    /// Where to go on; absent at the end.
    next_cursor: Option<String>,
}

/// Create a program
#[utoipa::path(post, path = "/v1/programs",
    operation_id = "create_program", tag = "programs", request_body = ProgramRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats of the call answer what the first one made")),
    responses((status = 201, body = ProgramView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    key: IdempotencyKey,
    request: Json<ProgramRequest>,
) -> Result<Response, Problem> {
    let name = checked_name(&request.value.name, NAME_CHARS_MAX)?;
    check_terms(&request.value.terms)?;
    let status = request.value.status.unwrap_or(ProgramStatus::Active);
    if !matches!(status, ProgramStatus::Active | ProgramStatus::Draft) {
        return Err(Problem::field("/status", "a new program is draft or active"));
    }
    let (now, asked) = (deps.edge.now(), request.value);
    let seed = deps.seed("program", caller.organization.as_str(), &key).await?;
    let id = ProgramId::derive(&[&hash_of(&format!("{seed:?}"))]);
    if let Err(passed) = check_schedule(asked.starts_at, asked.ends_at, now) {
        // A repeated call is answered, even when its beginning has passed since.
        let known = deps.edge.store.find_program(&caller.organization, &id).await?;
        let known = known.filter(|known| known.request_hash == request.hash).ok_or(passed)?;
        return Ok(created(&id, true, known.first_answer));
    }
    let settings = Settings {
        kind: asked.kind,
        starts_at: asked.starts_at,
        ends_at: asked.ends_at,
        terms_policy: asked.terms_policy,
    };
    let program = Program::create(id.clone(), name, status, settings, &asked.terms, now);
    check_labels(&program)?;
    let terms = Terms { version: 1, effective_from: now, draft: asked.terms };
    let view = render(&program, terms.clone(), None, now);
    let first_answer = serde_json::to_string(&view).map_err(|error| Problem::internal(&error))?;
    let row = ProgramRow { program, terms, revision: 1, request_hash: request.hash, first_answer };
    let known = deps.edge.store.commit_new_program(&caller.organization, &row).await?;
    if known.as_ref().is_some_and(|known| known.request_hash != row.request_hash) {
        return Err(Problem::idempotency_mismatch());
    }
    let repeated = known.is_some();
    Ok(created(&id, repeated, known.map_or(row.first_answer, |known| known.first_answer)))
}

fn created(id: &ProgramId, repeated: bool, body: String) -> Response {
    let headers =
        [("location", format!("/v1/programs/{id}")), ("content-type", "application/json".to_owned())];
    (StatusCode::CREATED, replay_header(repeated), headers, body).into_response()
}

/// The beginning and the end of a new program.
fn check_schedule(
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    for (pointer, moment) in [("/starts_at", starts_at), ("/ends_at", ends_at)] {
        if moment.is_some_and(|moment| moment <= now) {
            return Err(Problem::field(pointer, "must lie in the future"));
        }
    }
    if starts_at.zip(ends_at).is_some_and(|(start, end)| end <= start) {
        return Err(Problem::field("/ends_at", ScheduleError::EndBeforeStart));
    }
    Ok(())
}

/// List programs
#[utoipa::path(get, path = "/v1/programs",
    operation_id = "list_programs", tag = "programs", params(PageQuery),
    responses((status = 200, body = ProgramList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Params(query): Params<PageQuery>,
) -> Result<axum::Json<ProgramList>, Problem> {
    let cursor = open_cursor("programs", query.cursor.as_deref())?;
    let limit = query.limit.get();
    let page = deps.edge.store.list_programs(&caller.organization, cursor.as_deref(), limit).await?;
    let mut data = Vec::with_capacity(page.rows.len());
    for row in page.rows {
        data.push(view(&deps, &caller.organization, row).await?);
    }
    let next_cursor = page.next.map(|next| seal_cursor("programs", &next));
    Ok(axum::Json(ProgramList { data, next_cursor }))
}

/// Read a program
#[utoipa::path(get, path = "/v1/programs/{program}", operation_id = "read_program", tag = "programs",
    params(("program" = String, Path, description = "The program's id (prg_...)")),
    responses((status = 200, body = ProgramView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<ProgramView>, Problem> {
    let row = find_program(&deps, &caller.organization, &id).await?;
    Ok(axum::Json(view(&deps, &caller.organization, row).await?))
}

/// Change a program
///
/// A new status and new terms take effect a minute after they are accepted, for events from then on; earlier events keep
/// the terms that held then. Whether referrals that exist already follow is said by `terms_policy`. Idempotent: what is
/// so already is no change.
#[utoipa::path(patch, path = "/v1/programs/{program}",
    operation_id = "change_program", tag = "programs", request_body = ProgramChange,
    params(("program" = String, Path, description = "The program's id (prg_...)")),
    responses((status = 200, body = ProgramView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 program_transition, too_many_changes")))]
pub(crate) async fn change(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<ProgramChange>,
) -> Result<axum::Json<ProgramView>, Problem> {
    let change = request.value;
    let name = change.name.as_deref().map(|name| checked_name(name, NAME_CHARS_MAX)).transpose()?;
    change.terms.as_ref().map(check_terms).transpose()?;
    for _ in 0..ATTEMPTS_MAX {
        let before = find_program(&deps, &caller.organization, &id).await?;
        let mut row = before.clone();
        if let Some(name) = &name {
            row.program.name.clone_from(name);
        }
        let new_terms = apply(&mut row, &change, deps.edge.now())?;
        if row.program == before.program {
            return Ok(axum::Json(view(&deps, &caller.organization, row).await?));
        }
        row.revision = row.revision.saturating_add(1);
        let new_terms = new_terms.then(|| row.terms.clone());
        let store = &deps.edge.store;
        if store.commit_program_change(&caller.organization, &row, new_terms.as_ref()).await? {
            return Ok(axum::Json(view(&deps, &caller.organization, row).await?));
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

/// Changes a program; answers whether it has new terms.
fn apply(row: &mut ProgramRow, change: &ProgramChange, now: DateTime<Utc>) -> Result<bool, Problem> {
    let program = &mut row.program;
    program.kind = change.kind.unwrap_or(program.kind);
    program.terms_policy = change.terms_policy.unwrap_or(program.terms_policy);
    let starts_at = change.starts_at.unwrap_or(program.starts_at);
    let ends_at = change.ends_at.unwrap_or(program.ends_at);
    let moved = program.change_schedule(starts_at, ends_at, now);
    moved.map_err(|(field, error)| Problem::field(format!("/{field}"), error))?;
    // The same terms again are no change: a repeated request makes no further version.
    let terms = change.terms.as_ref().filter(|terms| **terms != row.terms.draft);
    if let Some(terms) = terms {
        row.terms = program.change_terms(terms.clone(), None, now).map_err(refused)?;
        check_labels(program)?;
    }
    if let Some(status) = change.status {
        program.change_status(status, now).map_err(refused)?;
    }
    Ok(terms.is_some())
}

/// A program as it is now, with the terms that hold now.
async fn view(deps: &Deps, organization: &OrganizationId, row: ProgramRow) -> Result<ProgramView, Problem> {
    let now = deps.edge.now();
    let current = row.program.version_at(now).unwrap_or(1);
    let terms = deps.edge.store.get_terms(organization, &row, current).await?;
    let next = (row.terms.version != current).then(|| row.terms.clone());
    Ok(render(&row.program, terms, next, now))
}

fn render(program: &Program, terms: Terms, next: Option<Terms>, now: DateTime<Utc>) -> ProgramView {
    let latest = program.latest_status();
    let to_come = latest.effective_from > now;
    ProgramView {
        id: program.id.clone(),
        name: program.name.clone(),
        kind: program.kind,
        status: program.status_at(now),
        next_status: to_come
            .then_some(NextStatus { status: latest.status, effective_from: latest.effective_from }),
        starts_at: program.starts_at,
        ends_at: program.ends_at,
        terms_policy: program.terms_policy,
        terms: terms.into(),
        next_terms: next.map(TermsView::from),
        created_at: program.created_at,
    }
}
