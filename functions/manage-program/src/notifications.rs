//! What participants were sent, and how they unsubscribe.

use aws::http::{Caller, Params, Path, PathId, Problem, ProblemBody, open_cursor, seal_cursor};
use aws::store::NotificationRow;
use axum::extract::State;
use axum::response::Html;
use chrono::{DateTime, Utc};
use domain::id::{NotificationId, OrganizationId, ParticipantId, ProgramId, UnsubscribeToken};
use domain::ledger::Failure;
use domain::notification::{About, NotificationState};
use domain::terms::Transport;
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;

use crate::Deps;
use crate::ledger::check_exists;
use crate::page::PageQuery;

/// A notification.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotificationView {
    /// Its id.
    id: NotificationId,
    /// For whom.
    participant: ParticipantId,
    /// The program.
    program: ProgramId,
    /// What it is about: a reward, or a step of a campaign.
    about: About,
    /// Whether it is sent whether or not its participant has unsubscribed: true of rewards, false of campaigns.
    transactional: bool,
    /// Where it stands.
    state: NotificationState,
    /// How it was sent; null before it was written.
    transport: Option<Transport>,
    /// Its subject.
    subject: Option<String>,
    /// Its text, once it was sent.
    text: Option<String>,
    /// Its id at the transport: a message id of Amazon SES or SNS.
    reference: Option<String>,
    /// Why it could not be sent.
    failure: Option<Failure>,
    /// When it is tried next.
    next_try_at: Option<DateTime<Utc>>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was handed to its transport.
    sent_at: Option<DateTime<Utc>>,
}

/// A page of notifications.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotificationList {
    /// The newest first.
    data: Vec<NotificationView>,
    /// Where to go on; absent at the end.
    next_cursor: Option<String>,
}

impl From<NotificationRow> for NotificationView {
    fn from(row: NotificationRow) -> Self {
        let (subject, text) =
            row.written.map_or((None, None), |written| (written.subject, Some(written.text)));
        Self {
            id: row.notification,
            participant: row.participant,
            program: row.program,
            transactional: row.about.is_transactional(),
            about: row.about,
            state: row.state,
            transport: row.transport,
            subject,
            text,
            reference: row.reference,
            failure: row.failure,
            next_try_at: row.next_try_at,
            created_at: row.created_at,
            sent_at: row.sent_at,
        }
    }
}

/// List what a participant was sent
///
/// And what it is to be sent now, and what could not be sent, with the reason.
#[utoipa::path(get, path = "/v1/participants/{id}/notifications", operation_id = "list_notifications", tag = "notifications",
    params(("id" = String, Path, description = "The participant's id (prt_...)"), PageQuery),
    responses((status = 200, body = NotificationList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<axum::Json<NotificationList>, Problem> {
    let id = ParticipantId::own(&id, "participant")?;
    let list = format!("notifications of {id}");
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let page = store.list_notifications(organization, &id, cursor.as_deref(), query.limit.get()).await?;
    if page.rows.is_empty() {
        check_exists(&deps, organization, &id).await?;
    }
    Ok(axum::Json(NotificationList {
        data: page.rows.into_iter().map(NotificationView::from).collect(),
        next_cursor: page.next.map(|next| seal_cursor(&list, &next)),
    }))
}

/// Ask whether to unsubscribe
///
/// The page that links in campaigns lead to. It asks, and changes nothing: programs that look at links in e-mail unsubscribe
/// nobody.
#[utoipa::path(get, path = "/v1/unsubscribe/{token}", operation_id = "ask_to_unsubscribe", tag = "notifications", security(()),
    params(("token" = String, Path, description = "What the link says (uns_...)")),
    responses((status = 200, body = String, content_type = "text/html"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn ask(
    State(deps): State<Deps>,
    Path(token): Path<String>,
) -> Result<Html<&'static str>, Problem> {
    whose(&deps, &token).await?;
    Ok(Html(ASK))
}

/// Unsubscribe from campaigns
///
/// What the page's button and mail programs' own buttons do (RFC 8058). What rewards are told is still sent. Idempotent.
#[utoipa::path(post, path = "/v1/unsubscribe/{token}", operation_id = "unsubscribe", tag = "notifications", security(()),
    params(("token" = String, Path, description = "What the link says (uns_...)")),
    responses((status = 200, body = String, content_type = "text/html"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn unsubscribe(
    State(deps): State<Deps>,
    Path(token): Path<String>,
) -> Result<Html<&'static str>, Problem> {
    let (organization, participant) = whose(&deps, &token).await?;
    let row = deps.edge.store.commit_subscription(&organization, &participant, false).await?;
    row.map(|_| Html(DONE)).ok_or_else(|| Problem::not_found("participant"))
}

/// Whose a token is.
async fn whose(deps: &Deps, token: &str) -> Result<(OrganizationId, ParticipantId), Problem> {
    let token = UnsubscribeToken::own(token, "link")?;
    let (organization, participant) = token.claims();
    let seal = deps.sealer.derive("unsubscribe", &[organization.as_str(), participant.as_str()]).await?;
    let real = UnsubscribeToken::new(&organization, &participant, &seal);
    let is_real: bool = real.as_str().as_bytes().ct_eq(token.as_str().as_bytes()).into();
    if is_real { Ok((organization, participant)) } else { Err(Problem::not_found("link")) }
}

const ASK: &str = include_str!("unsubscribe/ask.html");
const DONE: &str = include_str!("unsubscribe/done.html");
