//! Versions of terms: of everybody, of groups of participants, and of single participants.

use aws::http::{Caller, FieldError, Json, Path, PathId, Problem, ProblemBody};
use aws::store::{ProgramRow, StoreError};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::id::{Channel, Label, OrganizationId, ProgramId};
use domain::money::{Currency, Money};
use domain::program::{ChangeError, Program};
use domain::source::LABELS_MAX;
use domain::terms::{Attribution, Flaw, RewardRule, Terms, TermsDraft, Trigger, Variant};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;

/// How often a change that lost a race is tried again.
pub(crate) const ATTEMPTS_MAX: u32 = 8;

/// A version of the terms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TermsView {
    /// The version: versions of groups and of single participants are numbered with the program's, from 1.
    version: u32,
    /// From when: it applies to events from then on.
    effective_from: DateTime<Utc>,
    /// The rules; what is left out of one has its default.
    rules: Vec<RewardRule>,
    /// How long before the sign-up a payment may lie and still earn, in hours.
    grace_hours: u32,
    /// Whether referrals are tracked and nothing is paid.
    track_only: bool,
    /// Forms and apps whose codes are accepted; null for all of them.
    channels: Option<Vec<Channel>>,
    /// How a sign-up finds its referrer.
    attribution: Attribution,
    /// Which event makes a referral count for tiers and milestones.
    qualifying_event: Trigger,
    /// Whether invoices that were paid outside the processor earn.
    accept_out_of_band: bool,
    /// Whether invoices over nothing trigger rules.
    accept_zero_amount: bool,
    /// Most referrals of one referrer; null for any number.
    max_referrals: Option<u32>,
    /// What a participant must have earned in a unit before rewards of that unit are delivered.
    min_earnings: Vec<Money>,
    /// The currency that everything earned in money is paid in; null when every reward is in the currency of its event.
    #[schema(value_type = Option<String>, example = "USD")]
    payout_currency: Option<Currency>,
    /// Variants of the terms in an A/B test.
    variants: Vec<Variant>,
}

/// Terms of a group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupRequest {
    /// The rules for the group's participants, in place of everybody's.
    terms: TermsDraft,
}

/// A group of participants with its newest terms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupView {
    /// Its name.
    group: Label,
    /// Its newest terms. Before they are in effect the terms before them apply, or everybody's.
    terms: TermsView,
}

/// A group of participants.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupRow {
    /// Its name.
    group: Label,
    /// The newest version of its terms.
    terms_version: u32,
    /// From when that holds.
    effective_from: DateTime<Utc>,
}

/// The groups of a program.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupList {
    /// By name; at most 100.
    data: Vec<GroupRow>,
}

impl From<Terms> for TermsView {
    fn from(terms: Terms) -> Self {
        // Named one by one, so that none is forgotten.
        let TermsDraft {
            rules,
            grace_hours,
            track_only,
            channels,
            attribution,
            accept_out_of_band,
            accept_zero_amount,
            qualifying_event,
            max_referrals,
            min_earnings,
            payout_currency,
            variants,
        } = terms.draft;
        Self {
            version: terms.version,
            effective_from: terms.effective_from,
            rules,
            grace_hours,
            track_only,
            channels,
            attribution,
            accept_out_of_band,
            accept_zero_amount,
            qualifying_event,
            max_referrals,
            min_earnings,
            payout_currency,
            variants,
        }
    }
}

/// Read a version of the terms
///
/// Any version: everybody's, a group's, or a participant's own. Versions never change.
#[utoipa::path(get, path = "/v1/programs/{program}/terms/{version}", operation_id = "read_terms", tag = "programs",
    params(("program" = String, Path, description = "The program's id (prg_...)"),
           ("version" = u32, Path, description = "The version, from 1")),
    responses((status = 200, body = TermsView),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(deps): State<Deps>,
    caller: Caller,
    Path((program, version)): Path<(String, String)>,
) -> Result<axum::Json<TermsView>, Problem> {
    let row = find_program(&deps, &caller.organization, &program).await?;
    let known = |version: &u32| (1..=row.program.last_version).contains(version);
    let version =
        version.parse().ok().filter(known).ok_or_else(|| Problem::not_found("version of the terms"))?;
    let terms = deps.edge.store.get_terms(&caller.organization, &row, version).await?;
    Ok(axum::Json(terms.into()))
}

/// List the groups of a program
///
/// Groups of participants that have terms of their own.
#[utoipa::path(get, path = "/v1/programs/{program}/groups", operation_id = "list_groups", tag = "programs",
    params(("program" = String, Path, description = "The program's id (prg_...)")),
    responses((status = 200, body = GroupList),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list_groups(
    State(deps): State<Deps>,
    caller: Caller,
    Path(program): Path<String>,
) -> Result<axum::Json<GroupList>, Problem> {
    let program = find_program(&deps, &caller.organization, &program).await?.program;
    let row = |(group, terms_version): (Label, u32)| {
        let change = program.versions.iter().find(|change| change.version == terms_version)?;
        Some(GroupRow { group, terms_version, effective_from: change.effective_from })
    };
    Ok(axum::Json(GroupList { data: program.groups().into_iter().filter_map(row).collect() }))
}

/// Give a group its terms
///
/// The next version of the group's terms, in effect a minute after it is accepted; a group that has none yet is made by
/// it. Participants are put into groups by `PATCH /v1/participants/{id}`. Idempotent: the newest terms again are no
/// change.
#[utoipa::path(put, path = "/v1/programs/{program}/groups/{group}", operation_id = "change_group", tag = "programs",
    params(("program" = String, Path, description = "The program's id (prg_...)"),
           ("group" = String, Path, description = "The group's name: 1 to 40 of a-z 0-9 _ -")),
    request_body = GroupRequest,
    responses((status = 201, body = GroupView, description = "The group has terms for the first time"),
              (status = 200, body = GroupView, description = "Changed, or was so before"),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json",
               description = "Among others 409 program_transition once the program has ended, too_many_changes")))]
pub(crate) async fn change_group(
    State(deps): State<Deps>,
    caller: Caller,
    Path((program, group)): Path<(String, String)>,
    request: Json<GroupRequest>,
) -> Result<Response, Problem> {
    let (store, organization) = (&deps.edge.store, &caller.organization);
    let group = Label::theirs(&group, "{group}")?;
    let draft = request.value.terms;
    check_terms(&draft)?;
    for _ in 0..ATTEMPTS_MAX {
        let mut row = find_program(&deps, organization, &program).await?;
        let newest = row.program.groups().into_iter().find(|(known, _)| *known == group);
        let is_new = newest.is_none();
        if let Some((_, version)) = newest {
            let terms = store.get_terms(organization, &row, version).await?;
            if terms.draft == draft {
                return Ok(axum::Json(GroupView { group, terms: terms.into() }).into_response());
            }
        }
        let changed = row.program.change_terms(draft.clone(), Some(group.clone()), deps.edge.now());
        let terms = changed.map_err(refused)?;
        check_labels(&row.program)?;
        row.revision = row.revision.saturating_add(1);
        if store.commit_program_change(organization, &row, Some(&terms)).await? {
            let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
            return Ok((status, axum::Json(GroupView { group, terms: terms.into() })).into_response());
        }
    }
    Err(StoreError::Contended { attempts: ATTEMPTS_MAX }.into())
}

/// The program that a path names, as it is now.
pub(crate) async fn find_program(
    deps: &Deps,
    organization: &OrganizationId,
    id: &str,
) -> Result<ProgramRow, Problem> {
    let id = ProgramId::own(id, "program")?;
    let row = deps.edge.store.find_program(organization, &id).await?;
    row.ok_or_else(|| Problem::not_found("program"))
}

/// Terms that can be used, by the body's field `terms`.
pub(crate) fn check_terms(terms: &TermsDraft) -> Result<(), Problem> {
    let flaws = terms.flaws();
    if flaws.is_empty() {
        return Ok(());
    }
    let error = |flaw: Flaw| FieldError { pointer: format!("/terms{}", flaw.pointer), detail: flaw.detail };
    Err(Problem::invalid(flaws.into_iter().map(error).collect()))
}

/// Every version of a program's terms together may ask for as many labels as one event can have: the program's row, read
/// with every payment, stays small.
pub(crate) fn check_labels(program: &Program) -> Result<(), Problem> {
    if program.label_keys.len() <= LABELS_MAX {
        return Ok(());
    }
    let detail = format!(
        "the versions of a program's terms together may ask for at most {LABELS_MAX} keys: plan, product, country and \
         keys of metadata"
    );
    Err(Problem::field("/terms/rules", detail))
}

/// A change that the program cannot take.
pub(crate) fn refused(error: ChangeError) -> Problem {
    let (code, title) = match error {
        ChangeError::Transition { .. } => ("program_transition", "The program cannot change in this way."),
        ChangeError::TooMany => ("too_many_changes", "The program has changed as often as a program can."),
        ChangeError::TooManyAssignments => {
            ("too_many_assignments", "The participant's terms have changed as often as they can.")
        }
    };
    Problem::new(409, code, title).detail(error)
}
