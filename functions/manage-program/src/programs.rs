//! Programs and their terms.

use aws::http::{
    Caller, FieldError, IdempotencyKey, Json, Limit, Params, Path, PathId, Problem, ProblemBody, hash_of,
    open_cursor, seal_cursor,
};
use aws::store::ProgramRow;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::id::{OrganizationId, ProgramId};
use domain::program::{ChangeError, NAME_CHARS_MAX, Program, ProgramStatus, RewardRule, Terms, TermsDraft};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Deps, checked_name, replay_header};

/// How often a change that lost a race is tried again.
const ATTEMPTS_MAX: u32 = 8;

/// A program to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgramRequest {
    /// Its name, for people: 1 to 100 characters.
    #[schema(example = "Refer a friend", min_length = 1, max_length = 100)]
    name: String,
    /// `active` unless told, or `draft`.
    status: Option<ProgramStatus>,
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
    /// A new status. `ended` is for good.
    status: Option<ProgramStatus>,
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
    /// Its status now.
    status: ProgramStatus,
    /// The status that it changes to, when a change has been accepted and is not yet in effect.
    next_status: Option<NextStatus>,
    /// The terms now.
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

/// A version of the terms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TermsView {
    /// The version, from 1.
    version: u32,
    /// From when: it applies to payments made from then on.
    effective_from: DateTime<Utc>,
    /// The rules.
    rules: Vec<RewardRule>,
    /// How long before the sign-up a payment may lie and still earn, in hours.
    grace_hours: u32,
}

/// A page of programs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProgramList {
    /// The programs, by id.
    data: Vec<ProgramView>,
    /// Where to go on; absent at the end.
    next_cursor: Option<String>,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Rows of a page, 1 to 100; 50 unless told.
    #[serde(default)]
    #[param(value_type = Option<i32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl From<Terms> for TermsView {
    fn from(terms: Terms) -> Self {
        Self {
            version: terms.version,
            effective_from: terms.effective_from,
            rules: terms.draft.rules,
            grace_hours: terms.draft.grace_hours,
        }
    }
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
    let now = deps.edge.now();
    let seed = deps.seed("program", caller.organization.as_str(), &key).await?;
    let id = ProgramId::derive(&[&hash_of(&format!("{seed:?}"))]);
    let program = Program::create(id.clone(), name, status, now);
    let terms = Terms { version: 1, effective_from: now, draft: request.value.terms };
    let view = render(&program, terms.clone(), None, now);
    let first_answer = serde_json::to_string(&view).map_err(|error| Problem::internal(&error))?;
    let row = ProgramRow { program, terms, revision: 1, request_hash: request.hash, first_answer };
    let known = deps.edge.store.commit_new_program(&caller.organization, &row).await?;
    if known.as_ref().is_some_and(|known| known.request_hash != row.request_hash) {
        return Err(Problem::idempotency_mismatch());
    }
    let repeated = known.is_some();
    let body = known.map_or(row.first_answer, |known| known.first_answer);
    let headers =
        [("location", format!("/v1/programs/{id}")), ("content-type", "application/json".to_owned())];
    Ok((StatusCode::CREATED, replay_header(repeated), headers, body).into_response())
}

/// List programs
#[utoipa::path(get, path = "/v1/programs",
    operation_id = "list_programs", tag = "programs", params(ListQuery),
    responses((status = 200, body = ProgramList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Params(query): Params<ListQuery>,
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
    let id = ProgramId::own(&id, "program")?;
    let row = deps.edge.store.find_program(&caller.organization, &id).await?;
    let row = row.ok_or_else(|| Problem::not_found("program"))?;
    Ok(axum::Json(view(&deps, &caller.organization, row).await?))
}

/// Change a program
///
/// A new status and new terms take effect a minute after they are accepted, for payments made from then on; payments
/// made before keep the terms that held then.
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
    let id = ProgramId::own(&id, "program")?;
    let change = request.value;
    let name = change.name.as_deref().map(|name| checked_name(name, NAME_CHARS_MAX)).transpose()?;
    change.terms.as_ref().map(check_terms).transpose()?;
    for _ in 0..ATTEMPTS_MAX {
        let row = deps.edge.store.find_program(&caller.organization, &id).await?;
        let mut row = row.ok_or_else(|| Problem::not_found("program"))?;
        let now = deps.edge.now();
        // The same terms again are no change: a repeated request makes no further version.
        let terms = change.terms.clone().filter(|terms| *terms != row.terms.draft);
        if let Some(terms) = &terms {
            row.terms = row.program.change_terms(terms.clone(), now).map_err(refused)?;
        }
        if let Some(status) = change.status {
            row.program.change_status(status, now).map_err(refused)?;
        }
        if let Some(name) = &name {
            row.program.name.clone_from(name);
        }
        row.revision = row.revision.saturating_add(1);
        let store = &deps.edge.store;
        if store.commit_program_change(&caller.organization, &row, terms.is_some()).await? {
            return Ok(axum::Json(view(&deps, &caller.organization, row).await?));
        }
    }
    Err(aws::store::StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
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
        status: program.status_at(now),
        next_status: to_come
            .then_some(NextStatus { status: latest.status, effective_from: latest.effective_from }),
        terms: terms.into(),
        next_terms: next.map(TermsView::from),
        created_at: program.created_at,
    }
}

fn check_terms(terms: &TermsDraft) -> Result<(), Problem> {
    let flaws = terms.flaws();
    if flaws.is_empty() {
        return Ok(());
    }
    let error = |flaw: domain::program::Flaw| FieldError {
        pointer: format!("/terms{}", flaw.pointer),
        detail: flaw.detail,
    };
    Err(Problem::invalid(flaws.into_iter().map(error).collect()))
}

fn refused(error: ChangeError) -> Problem {
    let (code, title) = match error {
        ChangeError::Transition { .. } => ("program_transition", "The program cannot change in this way."),
        ChangeError::TooMany => ("too_many_changes", "The program has changed as often as a program can."),
    };
    Problem::new(409, code, title).detail(error)
}
