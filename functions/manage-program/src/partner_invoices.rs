//! Partner invoices: read by their organization and by their participant, decided on by administrators.

use aws::http::{Caller, Json, Params, Path, PathId, Problem, ProblemBody, Viewer, open_cursor, seal_cursor};
use aws::store::{Act, InvoiceItem, PartnerInvoiceRow, StoreError};
use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use domain::billing::{InvoiceAction, InvoiceLine, InvoiceStatus, InvoiceStep};
use domain::event::{Event, PartnerInvoiceData, What};
use domain::id::{
    BillingRunId, ExternalId, OrganizationId, ParticipantId, PartnerInvoiceId, PayoutBatchId, ProgramId,
    RewardId, RuleId, SourceId,
};
use domain::ledger::{Cause, Note};
use domain::money::{Currency, Money};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Deps;
use crate::by_hand::{ReasonedRequest, note};
use crate::ledger::check_exists;
use crate::page::PageQuery;
use crate::terms::ATTEMPTS_MAX;

/// A line item: what one referred partner brought under one version of the terms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemView {
    /// Your own id of the referred partner; of the participant itself for what an administrator gave it.
    referee: ExternalId,
    /// The terms that were applied.
    terms_version: u32,
    /// What its lines come to; below zero when more was taken back than was earned.
    amount: Money,
    /// How many ledger lines that is.
    lines: u32,
}

/// A partner invoice.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PartnerInvoiceView {
    /// Its id.
    id: PartnerInvoiceId,
    /// For whom.
    participant: ParticipantId,
    /// The program.
    program: ProgramId,
    /// The run that made it.
    run: BillingRunId,
    /// The first day that it is for.
    from: NaiveDate,
    /// The last day.
    to: NaiveDate,
    /// Where it stands.
    status: InvoiceStatus,
    /// What its lines come to.
    total: Money,
    /// How many ledger lines it has.
    lines: u32,
    /// Its line items, a page of them, by referred partner; null in lists and in the answers of what is done to it.
    items: Option<Vec<ItemView>>,
    /// Where the line items go on; absent at the end.
    next_cursor: Option<String>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was finalized.
    finalized_at: Option<DateTime<Utc>>,
    /// The payout batch that it stands in, or was paid by (pob_...).
    payout_batch: Option<PayoutBatchId>,
    /// When it was said to be paid.
    paid_at: Option<DateTime<Utc>>,
    /// When it was voided.
    voided_at: Option<DateTime<Utc>>,
    /// Who did the latest of these, and why; a participant's token does not show it.
    note: Option<Note>,
}

/// A page of partner invoices.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PartnerInvoiceList {
    /// The latest period first.
    data: Vec<PartnerInvoiceView>,
    /// Where to go on; absent at the end.
    next_cursor: Option<String>,
}

/// A ledger line on an invoice.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvoiceLineView {
    /// Why the line was written.
    cause: Cause,
    /// Signed: what it adds.
    amount: Money,
    /// Your own id of the referred partner.
    referee: ExternalId,
    /// The reward that the line opens or corrects.
    reward: RewardId,
    /// The rule.
    rule: RuleId,
    /// The terms that were applied.
    terms_version: u32,
    /// The source.
    #[schema(value_type = String, example = "invoice/stripe/in_123")]
    source: SourceId,
    /// When the event happened.
    occurred_at: DateTime<Utc>,
    /// When the line was written.
    recorded_at: DateTime<Utc>,
}

/// A page of an invoice's ledger lines.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvoiceLineList {
    /// What adds first, then what takes back; of each, one referred partner's lines together.
    data: Vec<InvoiceLineView>,
    /// Where to go on; absent at the end.
    next_cursor: Option<String>,
}

impl PartnerInvoiceView {
    fn new(row: PartnerInvoiceRow, viewer: Option<&Viewer>) -> Self {
        let at = |act: &Option<Act>| act.as_ref().map(|act| act.at);
        let (finalized_at, paid_at, voided_at) = (at(&row.finalized), at(&row.paid), at(&row.voided));
        let latest = row.voided.or(row.paid).or(row.finalized);
        let for_participant = viewer.is_some_and(|viewer| viewer.only().is_some());
        Self {
            id: row.invoice,
            participant: row.participant,
            program: row.program,
            run: row.run,
            from: row.period.from,
            to: row.period.to,
            status: row.status,
            total: Money::new(row.total, row.currency),
            lines: row.lines,
            items: None,
            next_cursor: None,
            created_at: row.created_at,
            finalized_at,
            payout_batch: row.batch,
            paid_at,
            voided_at,
            note: latest.map(|act| act.note).filter(|_| !for_participant),
        }
    }
}

/// Read a partner invoice
///
/// With its line items, one for each referred partner and version of the terms. A participant's token opens its own.
#[utoipa::path(get, path = "/v1/partner-invoices/{id}", operation_id = "read_partner_invoice", tag = "billing",
    params(("id" = String, Path, description = "The invoice's id (pin_...)"), PageQuery),
    responses((status = 200, body = PartnerInvoiceView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    viewer: Viewer,
    Path(id): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<axum::Json<PartnerInvoiceView>, Problem> {
    let list = format!("items of {id}");
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let row = find(&deps, &viewer, &id).await?;
    let (store, limit) = (&deps.edge.store, query.limit.get());
    let page =
        store.list_invoice_items(viewer.organization(), &row.invoice, cursor.as_deref(), limit).await?;
    let currency = row.currency;
    let item = |item: InvoiceItem| ItemView {
        referee: item.referee,
        terms_version: item.terms_version,
        amount: Money::new(item.amount, currency),
        lines: item.lines,
    };
    let mut view = PartnerInvoiceView::new(row, Some(&viewer));
    view.items = Some(page.rows.into_iter().map(item).collect());
    view.next_cursor = page.next.map(|next| seal_cursor(&list, &next));
    Ok(axum::Json(view))
}

/// List the ledger lines of a partner invoice
///
/// They add up to its total. A participant's token opens its own.
#[utoipa::path(get, path = "/v1/partner-invoices/{id}/lines", operation_id = "list_partner_invoice_lines",
    tag = "billing", params(("id" = String, Path, description = "The invoice's id (pin_...)"), PageQuery),
    responses((status = 200, body = InvoiceLineList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn lines(
    State(deps): State<Deps>,
    viewer: Viewer,
    Path(id): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<axum::Json<InvoiceLineList>, Problem> {
    let list = format!("lines of {id}");
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let row = find(&deps, &viewer, &id).await?;
    let (store, limit) = (&deps.edge.store, query.limit.get());
    let page =
        store.list_invoice_lines(viewer.organization(), &row.invoice, cursor.as_deref(), limit).await?;
    let next_cursor = page.next.map(|next| seal_cursor(&list, &next));
    let data = page.rows.into_iter().map(|line| line_view(line, row.currency)).collect();
    Ok(axum::Json(InvoiceLineList { data, next_cursor }))
}

fn line_view(line: InvoiceLine, currency: Currency) -> InvoiceLineView {
    InvoiceLineView {
        cause: line.cause,
        amount: Money::new(line.amount, currency),
        referee: line.referee,
        reward: line.reward,
        rule: line.rule,
        terms_version: line.terms_version,
        source: line.source,
        occurred_at: line.occurred_at,
        recorded_at: line.recorded_at,
    }
}

/// List a participant's partner invoices
///
/// A participant's token opens its own.
#[utoipa::path(get, path = "/v1/participants/{id}/partner-invoices", operation_id = "list_partner_invoices",
    tag = "billing", params(("id" = String, Path, description = "The participant's id (prt_...)"), PageQuery),
    responses((status = 200, body = PartnerInvoiceList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    viewer: Viewer,
    Path(id): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<axum::Json<PartnerInvoiceList>, Problem> {
    let id = ParticipantId::own(&id, "participant")?;
    if !viewer.sees(&id) {
        return Err(Problem::not_found("participant"));
    }
    let list = format!("partner invoices of {id}");
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let (store, organization) = (&deps.edge.store, viewer.organization());
    let page = store.list_partner_invoices(organization, &id, cursor.as_deref(), query.limit.get()).await?;
    if page.rows.is_empty() && cursor.is_none() {
        check_exists(&deps, organization, &id).await?;
    }
    let next_cursor = page.next.map(|next| seal_cursor(&list, &next));
    let data = page.rows.into_iter().map(|row| PartnerInvoiceView::new(row, Some(&viewer))).collect();
    Ok(axum::Json(PartnerInvoiceList { data, next_cursor }))
}

/// Finalize a partner invoice
///
/// A draft is then as it is sent to the partner. Idempotent.
#[utoipa::path(post, path = "/v1/partner-invoices/{id}/finalize", operation_id = "finalize_partner_invoice",
    tag = "billing", params(("id" = String, Path, description = "The invoice's id (pin_...)")),
    request_body = ReasonedRequest,
    responses((status = 200, body = PartnerInvoiceView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 partner_invoice_transition")))]
pub(crate) async fn finalize(
    deps: State<Deps>,
    caller: Caller,
    id: Path<String>,
    request: Json<ReasonedRequest>,
) -> Result<axum::Json<PartnerInvoiceView>, Problem> {
    act(deps, caller, id, request, InvoiceAction::Finalize).await
}

/// Mark a partner invoice as paid
///
/// One that is finalized and stands in no payout batch; nothing can be done to it any more. Idempotent.
#[utoipa::path(post, path = "/v1/partner-invoices/{id}/pay", operation_id = "pay_partner_invoice",
    tag = "billing", params(("id" = String, Path, description = "The invoice's id (pin_...)")),
    request_body = ReasonedRequest,
    responses((status = 200, body = PartnerInvoiceView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 partner_invoice_transition")))]
pub(crate) async fn pay(
    deps: State<Deps>,
    caller: Caller,
    id: Path<String>,
    request: Json<ReasonedRequest>,
) -> Result<axum::Json<PartnerInvoiceView>, Problem> {
    act(deps, caller, id, request, InvoiceAction::Pay).await
}

/// Void a partner invoice
///
/// A draft, or one that is finalized, not paid, and in no payout batch. What stood on it is billed again by the next run.
/// Idempotent.
#[utoipa::path(post, path = "/v1/partner-invoices/{id}/void", operation_id = "void_partner_invoice",
    tag = "billing", params(("id" = String, Path, description = "The invoice's id (pin_...)")),
    request_body = ReasonedRequest,
    responses((status = 200, body = PartnerInvoiceView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 partner_invoice_transition, 409 partner_invoice_in_payout_batch")))]
pub(crate) async fn void(
    deps: State<Deps>,
    caller: Caller,
    id: Path<String>,
    request: Json<ReasonedRequest>,
) -> Result<axum::Json<PartnerInvoiceView>, Problem> {
    act(deps, caller, id, request, InvoiceAction::Void).await
}

async fn act(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<ReasonedRequest>,
    action: InvoiceAction,
) -> Result<axum::Json<PartnerInvoiceView>, Problem> {
    let id = PartnerInvoiceId::own(&id, "partner invoice")?;
    let note = note(&request.value.actor, &request.value.reason)?;
    let (store, organization) = (&deps.edge.store, &caller.organization);
    for _ in 0..ATTEMPTS_MAX {
        let row = store.find_partner_invoice(organization, &id).await?;
        let mut row = row.ok_or_else(|| Problem::not_found("partner invoice"))?;
        match row.status.step(action) {
            InvoiceStep::Already => return Ok(axum::Json(PartnerInvoiceView::new(row, None))),
            InvoiceStep::Refused => {
                let title = "The status of the partner invoice does not allow it.";
                let problem = Problem::new(409, "partner_invoice_transition", title);
                return Err(problem.detail(format_args!("its status is {}", status_name(row.status))));
            }
            InvoiceStep::Becomes(status) => row.status = status,
        }
        if let Some(batch) = &row.batch {
            let title = "The partner invoice stands in a payout batch.";
            let problem = Problem::new(409, "partner_invoice_in_payout_batch", title);
            return Err(problem.detail(format_args!("mark its line of {batch}, or cancel that batch")));
        }
        let now = deps.edge.now();
        let done = Some(Act { at: now, note: note.clone() });
        match action {
            InvoiceAction::Finalize => row.finalized = done,
            InvoiceAction::Pay => row.paid = done,
            InvoiceAction::Void => row.voided = done,
        }
        let event = match row.status {
            InvoiceStatus::Finalized => {
                deps.settler.events.wanted(finalized(organization, &row, now)).await?
            }
            InvoiceStatus::Assembling | InvoiceStatus::Draft | InvoiceStatus::Paid | InvoiceStatus::Void => {
                None
            }
        };
        if store.commit_invoice_status(organization, &row, event.as_ref()).await? {
            deps.settler.events.announce(event.as_ref()).await;
            return Ok(axum::Json(PartnerInvoiceView::new(row, None)));
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

/// What is told of an invoice that is finalized: it is so once.
fn finalized(organization: &OrganizationId, row: &PartnerInvoiceRow, now: DateTime<Utc>) -> Event {
    let what = What::PartnerInvoiceFinalized(PartnerInvoiceData {
        partner_invoice: row.invoice.clone(),
        participant: row.participant.clone(),
        program: row.program.clone(),
        total: Money::new(row.total, row.currency),
    });
    Event::new(organization, what, row.invoice.as_str(), now)
}

const fn status_name(status: InvoiceStatus) -> &'static str {
    match status {
        InvoiceStatus::Assembling => "assembling",
        InvoiceStatus::Draft => "draft",
        InvoiceStatus::Finalized => "finalized",
        InvoiceStatus::Paid => "paid",
        InvoiceStatus::Void => "void",
    }
}

/// An invoice that the viewer may look at.
async fn find(deps: &Deps, viewer: &Viewer, id: &str) -> Result<PartnerInvoiceRow, Problem> {
    let absent = || Problem::not_found("partner invoice");
    let id = PartnerInvoiceId::own(id, "partner invoice")?;
    if !viewer.sees(&id.participant()) {
        return Err(absent());
    }
    deps.edge.store.find_partner_invoice(viewer.organization(), &id).await?.ok_or_else(absent)
}
