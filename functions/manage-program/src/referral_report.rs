//! The referral report: what each referral has brought its referrer, and what of that stands on invoices.

use std::collections::BTreeMap;

use aws::http::{Limit, Params, PathId, Problem, ProblemBody, Viewer, open_cursor, seal_cursor};
use aws::store::StoreError;
use axum::extract::State;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use domain::billing::Period;
use domain::id::{ExternalId, OrganizationId, ParticipantId, ProgramId};
use domain::money::{Money, Unit};
use domain::referral::{Referral, SIGNUP_AGE_DAYS_MAX};
use domain::referral_report::{SumsByRow, pairs, rows, structures};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Deps;
use crate::reports::{REPORTS_MAX, check_range};

/// A row of the referral report.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReferralRow {
    /// The participant who referred.
    referrer: ParticipantId,
    /// Your own id of it.
    referrer_external_id: Option<ExternalId>,
    /// Your own id of the one who was referred.
    referee: ExternalId,
    /// The program.
    program: ProgramId,
    /// The structure: the version of the terms. A referral has a row for each that applied to it in the days.
    terms_version: u32,
    /// `inactive` once the referral was removed. It says nothing of whether the structure still pays.
    #[schema(example = "active")]
    status: &'static str,
    /// When the referral was made; in the row of a later structure, when that took effect for it.
    referred_at: DateTime<Utc>,
    /// What stands of it on invoices (drafts too, void ones not) whose period ends in the days, by currency; null where the
    /// terms only track.
    billed: Option<Vec<Money>>,
    /// What the referrer's ledger lines of the days add up to, corrections included, by unit; null where the terms only
    /// track, and for inactive referrals.
    balance: Option<Vec<Money>>,
}

/// A page of the referral report.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReferralReport {
    /// The newest referrals first.
    data: Vec<ReferralRow>,
    /// Where to go on; absent at the end. A page can be short, or empty, while there is more.
    next_cursor: Option<String>,
}

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportQuery {
    /// First day (UTC).
    from: NaiveDate,
    /// Last day. At most 366 days.
    to: NaiveDate,
    /// Only this program's (prg_...).
    program: Option<String>,
    /// Only this referrer's (prt_...).
    participant: Option<String>,
    /// Referrals of a page, 1 to 100; 50 unless told. Each can have several rows.
    #[serde(default)]
    #[param(value_type = Option<i32>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Read the referral report
///
/// A row for each referrer, referred partner and structure. With a participant's token: that participant's alone. Rewards
/// that an administrator gave belong to no referral and are not in it.
#[utoipa::path(get, path = "/v1/reports/referrals",
    operation_id = "read_referral_report", tag = "reading", params(ReportQuery),
    responses((status = 200, body = ReferralReport),
              (status = "4XX", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn referrals(
    State(deps): State<Deps>,
    viewer: Viewer,
    Params(query): Params<ReportQuery>,
) -> Result<axum::Json<ReferralReport>, Problem> {
    check_range(query.from, query.to, REPORTS_MAX)?;
    let program = query.program.as_deref().map(|id| ProgramId::theirs(id, "?program")).transpose()?;
    let asked =
        query.participant.as_deref().map(|id| ParticipantId::theirs(id, "?participant")).transpose()?;
    if asked.as_ref().is_some_and(|asked| !viewer.sees(asked)) {
        return Err(Problem::not_found("participant"));
    }
    let referrer = viewer.only().cloned().or(asked);
    let list = format!("referral report {} {} {program:?} {referrer:?}", query.from, query.to);
    let cursor = open_cursor(&list, query.cursor.as_deref())?;
    let days = Period { from: query.from, to: query.to };
    let mut report = Report::new(&deps, viewer.organization(), days, program);
    let position = (cursor.as_deref(), query.limit.get());
    let next = match &referrer {
        Some(referrer) => report.of_referrer(referrer, position).await?,
        None => report.of_everybody(position).await?,
    };
    let next_cursor = next.map(|next| seal_cursor(&list, &next));
    Ok(axum::Json(ReferralReport { data: report.rows, next_cursor }))
}

/// A page as it is put together.
struct Report<'a> {
    deps: &'a Deps,
    organization: &'a OrganizationId,
    days: Period,
    program: Option<ProgramId>,
    sums: BTreeMap<ParticipantId, SumsByRow>,
    rows: Vec<ReferralRow>,
}

impl<'a> Report<'a> {
    const fn new(
        deps: &'a Deps,
        organization: &'a OrganizationId,
        days: Period,
        program: Option<ProgramId>,
    ) -> Self {
        Self { deps, organization, days, program, sums: BTreeMap::new(), rows: Vec::new() }
    }

    async fn of_referrer(
        &mut self,
        referrer: &ParticipantId,
        (cursor, limit): (Option<&str>, i32),
    ) -> Result<Option<String>, Problem> {
        let store = &self.deps.edge.store;
        let page = store.list_bindings_of(self.organization, referrer, cursor, limit).await?;
        for (listed, binding) in &page.rows {
            let all = pairs(binding);
            let Some(pair) = all.iter().find(|pair| pair.referrer == *referrer) else { continue };
            // Somebody who was referred again by the same is listed twice.
            if pair.referral.number == listed.number {
                self.add(referrer, pair.referral).await?;
            }
        }
        Ok(page.next)
    }

    async fn of_everybody(
        &mut self,
        (cursor, limit): (Option<&str>, i32),
    ) -> Result<Option<String>, Problem> {
        let store = &self.deps.edge.store;
        let today = self.deps.edge.now().date_naive();
        let Some(since) = store.find_organization(self.organization).await? else { return Ok(None) };
        // A sign-up can be told of that long afterwards.
        let late = u64::try_from(SIGNUP_AGE_DAYS_MAX).unwrap_or_default().saturating_add(1);
        let last = self.days.to.checked_add_days(Days::new(late)).unwrap_or(today).min(today);
        let range = (since.created_at.date_naive(), last);
        let page = store.list_bindings(self.organization, range, cursor, limit).await?;
        for binding in &page.rows {
            for pair in pairs(binding) {
                self.add(&pair.referrer, pair.referral).await?;
            }
        }
        Ok(page.next)
    }

    async fn add(&mut self, referrer: &ParticipantId, referral: &Referral) -> Result<(), Problem> {
        let (store, organization) = (&self.deps.edge.store, self.organization);
        let is_wanted = self.program.as_ref().is_none_or(|wanted| *wanted == referral.program);
        if !is_wanted || referral.bound_at() >= self.days.ends_at() {
            return Ok(());
        }
        let missing = |what: String| StoreError::Corrupt { detail: format!("there is no {what}") };
        let program = store.find_recent_program(organization, &referral.program).await?;
        let program = program.ok_or_else(|| missing(referral.program.to_string()))?;
        let participant = store.find_recent_participant(organization, referrer).await?;
        let assignments = participant.as_ref().map(|row| row.assignments.as_slice()).unwrap_or_default();
        if !self.sums.contains_key(referrer) {
            let sums = store.sums_of(organization, referrer, self.days).await?;
            self.sums.insert(referrer.clone(), sums);
        }
        let nothing = SumsByRow::new();
        let sums = self.sums.get(referrer).unwrap_or(&nothing);
        let until = self.days.ends_at().min(self.deps.edge.now());
        let all = structures(&program.program, assignments, referral, until);
        let from = self.days.from.and_time(NaiveTime::MIN).and_utc();
        let is_active = referral.inactive_from.is_none();
        for row in rows(&all, referral, from, sums) {
            let terms_version = row.structure.terms_version;
            let tracks = store.get_terms(organization, &program, terms_version).await?.draft.track_only;
            self.rows.push(ReferralRow {
                referrer: referrer.clone(),
                referrer_external_id: participant.as_ref().map(|row| row.external_id.clone()),
                referee: referral.referee.clone(),
                program: referral.program.clone(),
                terms_version,
                status: if is_active { "active" } else { "inactive" },
                referred_at: row.structure.since,
                billed: (!tracks).then(|| money(row.sums.billed)),
                balance: (!tracks && is_active).then(|| money(row.sums.earned)),
            });
        }
        Ok(())
    }
}

fn money(sums: BTreeMap<Unit, i64>) -> Vec<Money> {
    sums.into_iter().map(|(unit, amount)| Money::new(amount, unit)).collect()
}
