//! The participants of a program, and what an administrator sets for one: its group, its own terms, whether it takes part at
//! all, what payment processors call it, where it is reached, and whether it gets campaigns.

use aws::http::{
    Caller, Json, Params, ParticipantView, Path, PathId, Problem, ProblemBody, open_cursor, seal_cursor,
};
use aws::store::{ParticipantRow, ProgramRow, StoreError};
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::contact::{Contact, EmailAddress, PhoneNumber};
use domain::customers::Customers;
use domain::id::{Label, OrganizationId, ParticipantId, ProgramId, StripeCustomerId};
use domain::program::Assignment;
use domain::terms::{Terms, TermsDraft};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::page::PageQuery;
use crate::terms::{ATTEMPTS_MAX, check_labels, check_terms, refused};

/// A change of a participant: what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParticipantChange {
    /// The group whose terms apply, which must have terms; null for everybody's.
    #[serde(default, deserialize_with = "crate::nullable")]
    #[schema(value_type = Option<String>, example = "gold")]
    group: Option<Option<Label>>,
    /// Whether participation is switched off: referrals still bind, nothing is earned.
    disabled: Option<bool>,
    /// The participant's own terms, which beat the group's and everybody's; null for none.
    #[serde(default, deserialize_with = "crate::nullable")]
    #[schema(value_type = Option<TermsDraft>)]
    terms: Option<Option<TermsDraft>>,
    /// What your payment processors call it as a customer of yours; null for nothing at all. In effect at once.
    #[serde(default, deserialize_with = "crate::nullable")]
    #[schema(value_type = Option<CustomersChange>)]
    customers: Option<Option<CustomersChange>>,
    /// Where it is reached; null for nowhere. In effect at once.
    #[serde(default, deserialize_with = "crate::nullable")]
    #[schema(value_type = Option<ContactChange>)]
    contact: Option<Option<ContactChange>>,
    /// Whether it gets campaigns. In effect at once.
    subscribed: Option<bool>,
}

/// A change of where a participant is reached: what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactChange {
    /// Its e-mail address; null to remove it.
    #[serde(default, deserialize_with = "crate::nullable")]
    #[schema(value_type = Option<String>, example = "anna@example.com")]
    email: Option<Option<EmailAddress>>,
    /// Its telephone number in E.164; null to remove it.
    #[serde(default, deserialize_with = "crate::nullable")]
    #[schema(value_type = Option<String>, example = "+4930123456")]
    phone: Option<Option<PhoneNumber>>,
}

/// A page of participants.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParticipantList {
    /// The oldest first.
    data: Vec<ParticipantView>,
    /// Where to go on; absent at the end.
    next_cursor: Option<String>,
}

/// List the participants of a program
///
/// A participant is in the list a moment after it was enrolled.
#[utoipa::path(get, path = "/v1/programs/{program}/participants", operation_id = "list_participants", tag = "participants",
    params(("program" = String, Path, description = "The program"), PageQuery),
    responses((status = 200, body = ParticipantList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Path(program): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<axum::Json<ParticipantList>, Problem> {
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let program = ProgramId::own(&program, "program")?;
    let list = format!("participants of {program}");
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let known = store.find_recent_program(organization, &program).await?;
    known.ok_or_else(|| Problem::not_found("program"))?;
    let limit = usize::try_from(query.limit.get()).unwrap_or(1);
    let page = store.list_participants(organization, &program, cursor.as_deref(), limit).await?;
    Ok(axum::Json(ParticipantList {
        data: page.rows.into_iter().map(ParticipantView::from).collect(),
        next_cursor: page.next.map(|next| seal_cursor(&list, &next)),
    }))
}

/// A change of a participant's ids at payment processors: what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomersChange {
    /// At Stripe; null to remove it.
    #[serde(default, deserialize_with = "crate::nullable")]
    #[schema(value_type = Option<String>, example = "cus_123")]
    stripe: Option<Option<StripeCustomerId>>,
}

/// Change a participant's terms
///
/// Its group, its own terms, or whether it takes part. In effect a minute after it is accepted; a participant can be
/// changed 50 times. What payment processors call it, where it is reached and whether it gets campaigns is in effect at once,
/// and can be changed as often as you like. Whether referrals that exist already follow is said by the program's `terms_policy` at the time of
/// the change; a participant that is switched off earns nothing by any. Idempotent: what is so already is no change.
#[utoipa::path(patch, path = "/v1/participants/{id}", operation_id = "change_participant", tag = "participants",
    params(("id" = String, Path, description = "The participant's id (prt_...)")),
    request_body = ParticipantChange,
    responses((status = 200, body = ParticipantView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 too_many_assignments, program_transition once the program has ended")))]
pub(crate) async fn change(
    State(deps): State<Deps>,
    caller: Caller,
    Path(id): Path<String>,
    request: Json<ParticipantChange>,
) -> Result<axum::Json<ParticipantView>, Problem> {
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let id = ParticipantId::own(&id, "participant")?;
    let change = request.value;
    let mut row = change_assignment(&deps, organization, &id, &change).await?;
    let customers = change.customers.map(|change| changed(&row.customers, change));
    if let Some(customers) = customers.filter(|customers| *customers != row.customers) {
        row = found(store.commit_customers(organization, &id, &customers).await?)?;
    }
    let contact = change.contact.map(|change| changed_contact(&row.contact, change));
    if let Some(contact) = contact.filter(|contact| *contact != row.contact) {
        row = found(store.commit_contact(organization, &id, &contact).await?)?;
    }
    if let Some(subscribed) = change.subscribed.filter(|wanted| *wanted == row.unsubscribed_at.is_some()) {
        row = found(store.commit_subscription(organization, &id, subscribed).await?)?;
    }
    Ok(axum::Json(row.into()))
}

fn found(row: Option<ParticipantRow>) -> Result<ParticipantRow, Problem> {
    row.ok_or_else(|| Problem::not_found("participant"))
}

/// Where a participant is reached as a change leaves it.
fn changed_contact(before: &Contact, change: Option<ContactChange>) -> Contact {
    let Some(ContactChange { email, phone }) = change else { return Contact::default() };
    Contact {
        email: email.unwrap_or_else(|| before.email.clone()),
        phone: phone.unwrap_or_else(|| before.phone.clone()),
    }
}

/// The ids at payment processors as a change leaves them.
fn changed(before: &Customers, change: Option<CustomersChange>) -> Customers {
    match change {
        None => Customers::default(),
        Some(CustomersChange { stripe }) => {
            Customers { stripe: stripe.unwrap_or_else(|| before.stripe.clone()) }
        }
    }
}

/// Changes group, own terms and switch; answers the row that stands then.
async fn change_assignment(
    deps: &Deps,
    organization: &OrganizationId,
    id: &ParticipantId,
    change: &ParticipantChange,
) -> Result<ParticipantRow, Problem> {
    let store = &deps.edge.store;
    if let Some(Some(terms)) = &change.terms {
        check_terms(terms)?;
    }
    for _ in 0..ATTEMPTS_MAX {
        let now = deps.edge.now();
        let participant = store.find_participant(organization, id).await?;
        let mut participant = participant.ok_or_else(|| Problem::not_found("participant"))?;
        let row = store.find_program(organization, &participant.program).await?;
        let mut row = row.ok_or_else(|| Problem::not_found("program"))?;
        let before = participant.assignments.last().cloned().unwrap_or_default();
        let (after, own_terms) = decide(deps, organization, &mut row, &before, change, now).await?;
        if after == before {
            return Ok(participant);
        }
        row.program.assign(&mut participant.assignments, after, now).map_err(refused)?;
        row.revision = row.revision.saturating_add(1);
        if store.commit_assignment(organization, &row, &participant, own_terms.as_ref()).await? {
            return Ok(participant);
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

/// What the participant's assignment comes to, with its own terms when they are new.
async fn decide(
    deps: &Deps,
    organization: &OrganizationId,
    row: &mut ProgramRow,
    before: &Assignment,
    change: &ParticipantChange,
    now: DateTime<Utc>,
) -> Result<(Assignment, Option<Terms>), Problem> {
    let mut after = before.clone();
    after.disabled = change.disabled.unwrap_or(before.disabled);
    if let Some(group) = &change.group {
        let known = |group: &Label| row.program.groups().iter().any(|(known, _)| known == group);
        if group.as_ref().is_some_and(|group| !known(group)) {
            return Err(Problem::field("/group", "has no terms in this program; give it terms first"));
        }
        after.group.clone_from(group);
    }
    let Some(terms) = &change.terms else { return Ok((after, None)) };
    let Some(draft) = terms else { return Ok((Assignment { own_version: None, ..after }, None)) };
    if let Some(version) = before.own_version
        && deps.edge.store.get_terms(organization, row, version).await?.draft == *draft
    {
        return Ok((after, None));
    }
    let own = row.program.change_own_terms(draft.clone(), now).map_err(refused)?;
    check_labels(&row.program)?;
    Ok((Assignment { own_version: Some(own.version), ..after }, Some(own)))
}
