//! Tasks that rules made for administrators.

use aws::http::{
    Caller, Json, LIMIT_MAX, Limit, Params, Path, PathId, Problem, ProblemBody, open_cursor, seal_cursor,
};
use aws::store::{Closed, StoreError, TaskRow};
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::id::{ExternalId, OrganizationId, ParticipantId, ProgramId, RewardId, RuleId, TaskId};
use domain::ledger::Note;
use domain::task::TaskState;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Deps;
use crate::by_hand::{ActionRequest, note};
use crate::terms::ATTEMPTS_MAX;

/// Which tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskFilter {
    /// Those that are to be done.
    #[default]
    Open,
    /// Those that were done or dismissed.
    Closed,
}

/// Which tasks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TaskQuery {
    /// Those that are open, unless told, or those that are closed.
    #[serde(default)]
    #[param(value_type = Option<TaskFilter>, inline)]
    state: TaskFilter,
    /// Rows of a page, 1 to 100; 50 unless told.
    #[serde(default)]
    #[param(value_type = Option<i32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskView {
    /// Its id.
    id: TaskId,
    /// What is to be done.
    title: String,
    /// More of it.
    details: Option<String>,
    /// Where it stands.
    state: TaskState,
    /// Until when it should be done.
    due_at: Option<DateTime<Utc>>,
    /// The program.
    program: ProgramId,
    /// Who earned.
    participant: ParticipantId,
    /// Your own id of the referee whose event it was.
    referee: ExternalId,
    /// The rule that made it.
    rule: RuleId,
    /// The reward that it is.
    reward: RewardId,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was closed.
    closed_at: Option<DateTime<Utc>>,
    /// Who closed it, and why.
    note: Option<Note>,
}

/// A page of tasks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskList {
    /// The oldest first; of those that are closed, those that were closed first.
    data: Vec<TaskView>,
    /// Where to go on; absent at the end. A page can be short while there is more.
    next_cursor: Option<String>,
}

impl From<TaskRow> for TaskView {
    fn from(row: TaskRow) -> Self {
        Self {
            id: row.task,
            title: row.title,
            details: row.details,
            state: row.state,
            due_at: row.due_at,
            program: row.program,
            participant: row.participant,
            referee: row.referee,
            rule: row.rule,
            reward: row.reward,
            created_at: row.created_at,
            closed_at: row.closed.as_ref().map(|closed| closed.at),
            note: row.closed.map(|closed| closed.note),
        }
    }
}

/// List tasks
///
/// What rules of the kind `task` have made. A reward that is taken back leaves its task as it is.
#[utoipa::path(get, path = "/v1/tasks", operation_id = "list_tasks", tag = "notifications", params(TaskQuery),
    responses((status = 200, body = TaskList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Params(query): Params<TaskQuery>,
) -> Result<axum::Json<TaskList>, Problem> {
    let open = query.state == TaskFilter::Open;
    let list = format!("tasks, open: {open}");
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let limit = usize::try_from(query.limit.get().min(LIMIT_MAX)).unwrap_or(1);
    let page = deps.edge.store.list_tasks(&caller.organization, open, cursor.as_deref(), limit).await?;
    Ok(axum::Json(TaskList {
        data: page.rows.into_iter().map(TaskView::from).collect(),
        next_cursor: page.next.map(|next| seal_cursor(&list, &next)),
    }))
}

/// Read a task
#[utoipa::path(get, path = "/v1/tasks/{id}", operation_id = "read_task", tag = "notifications",
    params(("id" = String, Path, description = "The task's id (tsk_...)")),
    responses((status = 200, body = TaskView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<TaskView>, Problem> {
    let row = find(&deps, &caller.organization, &TaskId::own(&id, "task")?).await?;
    Ok(axum::Json(row.into()))
}

/// Say that a task was done
///
/// Idempotent: one that was done already is answered as it is.
#[utoipa::path(post, path = "/v1/tasks/{id}/done", operation_id = "finish_task", tag = "notifications",
    params(("id" = String, Path, description = "The task's id (tsk_...)")), request_body = ActionRequest,
    responses((status = 200, body = TaskView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 task_closed")))]
pub(crate) async fn finish(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<ActionRequest>,
) -> Result<axum::Json<TaskView>, Problem> {
    close(&deps, &caller.organization, &id, &request.value, TaskState::Done, "done").await
}

/// Dismiss a task
///
/// It is not to be done any more. Idempotent: one that was dismissed already is answered as it is.
#[utoipa::path(post, path = "/v1/tasks/{id}/dismiss", operation_id = "dismiss_task", tag = "notifications",
    params(("id" = String, Path, description = "The task's id (tsk_...)")), request_body = ActionRequest,
    responses((status = 200, body = TaskView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 task_closed")))]
pub(crate) async fn dismiss(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<ActionRequest>,
) -> Result<axum::Json<TaskView>, Problem> {
    close(&deps, &caller.organization, &id, &request.value, TaskState::Dismissed, "dismissed").await
}

async fn close(
    deps: &Deps,
    organization: &OrganizationId,
    id: &str,
    request: &ActionRequest,
    state: TaskState,
    because: &str,
) -> Result<axum::Json<TaskView>, Problem> {
    let id = TaskId::own(id, "task")?;
    let note = note(&request.actor, request.reason.as_deref().unwrap_or(because))?;
    for _ in 0..ATTEMPTS_MAX {
        let row = find(deps, organization, &id).await?;
        if row.state == state {
            return Ok(axum::Json(row.into()));
        }
        if !row.state.is_open() {
            return Err(Problem::new(409, "task_closed", "The task was closed in another way."));
        }
        let closed = Some(Closed { at: deps.edge.now(), note: note.clone() });
        let row = TaskRow { state, closed, ..row };
        if deps.edge.store.commit_task_state(organization, &row).await? {
            return Ok(axum::Json(row.into()));
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

async fn find(deps: &Deps, organization: &OrganizationId, id: &TaskId) -> Result<TaskRow, Problem> {
    let row = deps.edge.store.find_task(organization, id).await?;
    row.ok_or_else(|| Problem::not_found("task"))
}
