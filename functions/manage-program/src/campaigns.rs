//! Campaigns, and participants' journeys through them.

use aws::http::{
    Caller, FieldError, IdempotencyKey, Json, Params, Path, PathId, Problem, ProblemBody, Refusal, hash_of,
};
use aws::store::{CAMPAIGNS_MAX, CampaignRow, JourneyRow, MessagesRow};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Duration, Utc};
use domain::campaign::{Audience, CampaignDraft, CampaignStatus, CampaignStep, Goal, Over, Plan, SentStep};
use domain::id::{CampaignId, OrganizationId, ParticipantId, ProgramId};
use domain::program::ProgramStatus;
use domain::reason::Reason;
use domain::terms::Flaw;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ledger::check_exists;
use crate::{Deps, replay_header};

/// Seconds after which every function knows of a new campaign: whoever was enrolled by one that did not is come to then.
const KNOWN_SECONDS: i64 = 60;

/// A change of a campaign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CampaignChangeRequest {
    /// Whether it sends. One that has ended stays so.
    status: CampaignStatus,
}

/// Which campaigns.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CampaignQuery {
    /// Only those of this program.
    #[param(value_type = Option<String>)]
    program: Option<ProgramId>,
}

/// A campaign.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CampaignView {
    /// Its id.
    id: CampaignId,
    /// The program.
    program: ProgramId,
    /// Its name.
    name: String,
    /// Whether it sends.
    status: CampaignStatus,
    /// Whom it is for.
    audience: Audience,
    /// From when.
    starts_at: DateTime<Utc>,
    /// Until when.
    ends_at: Option<DateTime<Utc>>,
    /// What ends the sequence of whoever reaches it.
    goal: Option<Goal>,
    /// Most notifications of one day.
    per_day_max: Option<u32>,
    /// What is sent; null in lists.
    steps: Option<Vec<CampaignStep>>,
    /// How many notifications it has made today (UTC); null in lists.
    sent_today: Option<u32>,
    /// When it was created.
    created_at: DateTime<Utc>,
}

/// The organization's campaigns.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CampaignList {
    /// By id.
    data: Vec<CampaignView>,
}

/// A participant's journey through a campaign.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JourneyView {
    /// The campaign.
    campaign: CampaignId,
    /// The step that comes next, from 0.
    next_step: u32,
    /// When it is looked at next; null when nothing more is sent.
    next_at: Option<DateTime<Utc>>,
    /// Why nothing more is sent.
    over: Option<Over>,
    /// What was sent, oldest first; the latest 50.
    sent: Vec<SentStep>,
}

/// A participant's journeys through campaigns.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JourneyList {
    /// By campaign.
    data: Vec<JourneyView>,
}

impl From<CampaignRow> for CampaignView {
    fn from(row: CampaignRow) -> Self {
        let Plan { audience, starts_at, ends_at, after_days: _, goal, per_day_max, status } = row.plan;
        Self {
            id: row.campaign,
            program: row.program,
            name: row.name,
            status,
            audience,
            starts_at,
            ends_at,
            goal,
            per_day_max,
            steps: None,
            sent_today: None,
            created_at: row.created_at,
        }
    }
}

impl From<JourneyRow> for JourneyView {
    fn from(row: JourneyRow) -> Self {
        Self {
            campaign: row.campaign,
            next_step: row.journey.step,
            next_at: row.journey.next_at,
            over: row.journey.over,
            sent: row.journey.sent,
        }
    }
}

/// Create a campaign
///
/// What it says cannot be changed: end it and create another. It comes to those who were enrolled before it from a minute after
/// its start. See docs/notifications.md.
#[utoipa::path(post, path = "/v1/campaigns", operation_id = "create_campaign", tag = "notifications",
    request_body = CampaignDraft,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats of the call answer what the first one made")),
    responses((status = 201, body = CampaignView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 too_many_campaigns (20 that have not ended), program_not_active")))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    caller: Caller,
    key: IdempotencyKey,
    request: Json<CampaignDraft>,
) -> Result<Response, Problem> {
    let (store, organization, now) = (&deps.edge.store, &caller.organization, deps.edge.now());
    let draft = request.value;
    let seed = deps.seed("campaign", organization.as_str(), &key).await?;
    let campaign = CampaignId::derive(&[&hash_of(&format!("{seed:?}"))]);
    let known = store.find_campaign(organization, &campaign).await?;
    if known.is_none() {
        check(&deps, organization, &draft, now).await?;
    }
    let row = CampaignRow {
        campaign,
        program: draft.program.clone(),
        name: draft.name.trim().to_owned(),
        plan: draft.plan(now),
        created_at: now,
        request_hash: request.hash,
    };
    let messages = MessagesRow { messages: draft.steps.into_iter().map(|step| step.message).collect() };
    let walks_at = now.max(row.plan.starts_at) + Duration::seconds(KNOWN_SECONDS);
    let known = match known {
        Some(known) => Some(known),
        None => store.commit_campaign(organization, &row, &messages, walks_at).await?,
    };
    if known.as_ref().is_some_and(|known| known.request_hash != row.request_hash) {
        return Err(Problem::idempotency_mismatch());
    }
    let repeated = known.is_some();
    let view = whole(&deps, organization, known.unwrap_or(row)).await?;
    let location = [("location", format!("/v1/campaigns/{}", view.id))];
    Ok((StatusCode::CREATED, replay_header(repeated), location, axum::Json(view)).into_response())
}

async fn check(
    deps: &Deps,
    organization: &OrganizationId,
    draft: &CampaignDraft,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let flaws = draft.flaws(now);
    if !flaws.is_empty() {
        let error = |flaw: Flaw| FieldError { pointer: flaw.pointer, detail: flaw.detail };
        return Err(Problem::invalid(flaws.into_iter().map(error).collect()));
    }
    let row = deps.edge.store.find_recent_program(organization, &draft.program).await?;
    let row = row.ok_or_else(|| Problem::field("/program", "there is no such program"))?;
    if row.program.status_at(now) == ProgramStatus::Ended {
        return Err(Refusal(Reason::ProgramNotActive).into());
    }
    let all = deps.edge.store.list_campaigns(organization).await?;
    if all.iter().filter(|campaign| !campaign.plan.is_over(now)).count() >= CAMPAIGNS_MAX {
        let title = "An organization can have 20 campaigns that have not ended.";
        return Err(Problem::new(409, "too_many_campaigns", title));
    }
    Ok(())
}

/// List campaigns
#[utoipa::path(get, path = "/v1/campaigns", operation_id = "list_campaigns", tag = "notifications", params(CampaignQuery),
    responses((status = 200, body = CampaignList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Params(query): Params<CampaignQuery>,
) -> Result<axum::Json<CampaignList>, Problem> {
    let rows = deps.edge.store.list_campaigns(&caller.organization).await?;
    let wanted = |row: &CampaignRow| query.program.as_ref().is_none_or(|program| *program == row.program);
    Ok(axum::Json(CampaignList { data: rows.into_iter().filter(wanted).map(CampaignView::from).collect() }))
}

/// Read a campaign
#[utoipa::path(get, path = "/v1/campaigns/{id}", operation_id = "read_campaign", tag = "notifications",
    params(("id" = String, Path, description = "The campaign's id (cmp_...)")),
    responses((status = 200, body = CampaignView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<CampaignView>, Problem> {
    let id = CampaignId::own(&id, "campaign")?;
    let row = deps.edge.store.find_campaign(&caller.organization, &id).await?;
    let row = row.ok_or_else(|| Problem::not_found("campaign"))?;
    whole(&deps, &caller.organization, row).await.map(axum::Json)
}

/// Pause, resume or end a campaign
///
/// Holds within half a minute. What is due while it is paused is looked at again a day later. Idempotent.
#[utoipa::path(patch, path = "/v1/campaigns/{id}", operation_id = "change_campaign", tag = "notifications",
    params(("id" = String, Path, description = "The campaign's id (cmp_...)")), request_body = CampaignChangeRequest,
    responses((status = 200, body = CampaignView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 campaign_ended")))]
pub(crate) async fn change(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<CampaignChangeRequest>,
) -> Result<axum::Json<CampaignView>, Problem> {
    let (id, status) = (CampaignId::own(&id, "campaign")?, request.value.status);
    let row = deps.edge.store.commit_campaign_status(&caller.organization, &id, status).await?;
    let row = row.ok_or_else(|| Problem::not_found("campaign"))?;
    if row.plan.status != status {
        return Err(Problem::new(409, "campaign_ended", "The campaign has ended; create another."));
    }
    whole(&deps, &caller.organization, row).await.map(axum::Json)
}

/// List a participant's journeys through campaigns
///
/// What it was sent, and when what comes next.
#[utoipa::path(get, path = "/v1/participants/{id}/campaigns", operation_id = "list_journeys", tag = "notifications",
    params(("id" = String, Path, description = "The participant's id (prt_...)")),
    responses((status = 200, body = JourneyList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn journeys(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<JourneyList>, Problem> {
    let id = ParticipantId::own(&id, "participant")?;
    let rows = deps.edge.store.list_journeys(&caller.organization, &id).await?;
    if rows.is_empty() {
        check_exists(&deps, &caller.organization, &id).await?;
    }
    Ok(axum::Json(JourneyList { data: rows.into_iter().map(JourneyView::from).collect() }))
}

/// A campaign with what it says.
async fn whole(
    deps: &Deps,
    organization: &OrganizationId,
    row: CampaignRow,
) -> Result<CampaignView, Problem> {
    let store = &deps.edge.store;
    let messages = store.find_campaign_messages(organization, &row.campaign).await?;
    let messages = messages.map(|row| row.messages).unwrap_or_default();
    let steps = row.plan.after_days.iter().zip(messages);
    let steps =
        steps.map(|(after_days, message)| CampaignStep { after_days: *after_days, message }).collect();
    let today = deps.edge.now().date_naive();
    let sent_today = store.count_campaign_day(organization, &row.campaign, today).await?;
    Ok(CampaignView { steps: Some(steps), sent_today: Some(sent_today), ..row.into() })
}
