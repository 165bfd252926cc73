//! Programs and terms.

use domain::decision::ProgramThen;
use domain::id::{OrganizationId, ParticipantId, ProgramId};
use domain::program::{Assignment, Program};
use domain::referral::Binding;
use domain::terms::Terms;
use serde::{Deserialize, Serialize};

use super::Store;
use super::code::ParticipantRow;
use super::error::{StoreError, Transaction};
use super::item::{Change, Write, absent, from_item, number, to_attribute, to_item};
use super::keys;
use super::page::{Page, Range, after, write_cursor};
use super::source::SourceRow;

/// A program as it was when an event happened, and what the shell has to know of it besides.
#[derive(Debug, Clone)]
pub struct Then {
    /// What the rules ask for.
    pub then: ProgramThen,
    /// Whether rewards were earned in it before it began to count.
    pub has_past: bool,
    /// Whether it pays for what referred participants earn.
    pub cascades: bool,
}

/// A program as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProgramRow {
    /// The program.
    pub program: Program,
    /// The newest terms of everybody.
    pub terms: Terms,
    /// Counts the changes.
    pub revision: u64,
    /// SHA-256 of the request that created it.
    pub request_hash: String,
    /// The answer to that request, for its repetition.
    pub first_answer: String,
}

impl Store {
    /// Creates a program with its first terms; answers the earlier row when there is one of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_new_program(
        &self,
        organization: &OrganizationId,
        row: &ProgramRow,
    ) -> Result<Option<ProgramRow>, StoreError> {
        let place = keys::program(organization, &row.program.id);
        let terms = keys::terms(organization, &row.program.id, row.terms.version);
        let actions = vec![
            self.put_action(to_item(&place, row)?, &absent())?,
            self.put_action(to_item(&terms, &row.terms)?, &absent())?,
        ];
        self.create(&place, actions).await
    }

    /// Writes a changed program (with new terms, if any); `false` when it changed in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_program_change(
        &self,
        organization: &OrganizationId,
        row: &ProgramRow,
        new_terms: Option<&Terms>,
    ) -> Result<bool, StoreError> {
        let place = keys::program(organization, &row.program.id);
        let unchanged =
            Change::new("", "revision = :before").value(":before", number(row.revision.saturating_sub(1)));
        self.programs.forget(&cache_key(organization, &row.program.id));
        let Some(terms) = new_terms else {
            return Ok(matches!(self.put_if(to_item(&place, row)?, &unchanged).await?, Write::Done(_)));
        };
        let terms_place = keys::terms(organization, &row.program.id, terms.version);
        let actions = vec![
            self.put_action(to_item(&place, row)?, &unchanged)?,
            self.put_action(to_item(&terms_place, terms)?, &absent())?,
        ];
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// Whether any program of an organization lets an e-mail address tell who paid; as it was at most
    /// [`crate::CACHE_SECONDS`] ago.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn matches_email(&self, organization: &OrganizationId) -> Result<bool, StoreError> {
        let (key, now) = (organization.as_str().to_owned(), self.clock.now());
        if let Some(known) = self.email_matching.fresh(&key, now) {
            return Ok(known);
        }
        let rows = self.list_own(organization, keys::PROGRAMS).await?;
        let rows = rows.into_iter().map(from_item::<ProgramRow>).collect::<Result<Vec<_>, _>>()?;
        let matches = rows.iter().any(|row| row.program.matches_email);
        self.email_matching.keep(key, matches, now);
        Ok(matches)
    }

    /// A program as it is now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_program(
        &self,
        organization: &OrganizationId,
        id: &ProgramId,
    ) -> Result<Option<ProgramRow>, StoreError> {
        self.get(&keys::program(organization, id), true).await?.map(from_item).transpose()
    }

    /// A program as it was at most [`crate::CACHE_SECONDS`] ago: enough to decide by, since changes take effect later
    /// than that.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_recent_program(
        &self,
        organization: &OrganizationId,
        id: &ProgramId,
    ) -> Result<Option<ProgramRow>, StoreError> {
        let (key, now) = (cache_key(organization, id), self.clock.now());
        if let Some(row) = self.programs.fresh(&key, now) {
            return Ok(Some(row));
        }
        let row = self.find_program(organization, id).await?;
        if let Some(row) = &row {
            self.programs.keep(key, row.clone(), now);
        }
        Ok(row)
    }

    /// One version of a program's terms; they never change, so they are read once.
    ///
    /// # Errors
    /// [`StoreError`], also when there is no such version.
    pub async fn get_terms(
        &self,
        organization: &OrganizationId,
        row: &ProgramRow,
        version: u32,
    ) -> Result<Terms, StoreError> {
        if row.terms.version == version {
            return Ok(row.terms.clone());
        }
        let id = &row.program.id;
        let key = (organization.as_str().to_owned(), id.as_str().to_owned(), version);
        if let Some(terms) = self.terms.any(&key) {
            return Ok(terms);
        }
        let item = self.get(&keys::terms(organization, id, version), true).await?;
        let item = item.ok_or_else(|| StoreError::corrupt(format!("{id} has no terms {version}")))?;
        let terms: Terms = from_item(item)?;
        self.terms.keep(key, terms.clone(), self.clock.now());
        Ok(terms)
    }

    /// The program of a bound payer as it was when the event happened, with the terms that apply; `None` before either is
    /// known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_program_then(
        &self,
        organization: &OrganizationId,
        binding: &Binding,
        row: &SourceRow,
    ) -> Result<Option<Then>, StoreError> {
        let Some(payment) = &row.state.payment else { return Ok(None) };
        let Ok((referral, _)) = binding.judged_at(payment.paid_at, row.memory.referral) else {
            return Ok(None);
        };
        let (now, at) = (self.clock.now(), payment.paid_at);
        let Some(row) = self.find_recent_program(organization, &referral.program).await? else {
            return Ok(None);
        };
        let assignments = self.assignments_of(organization, &row, &referral.referrer).await?;
        // Before the program existed it was not active, by its first terms: what was counted by mistake is taken back.
        let first = row.program.created_at;
        let Some(applicable) = row.program.terms_for(&assignments, referral.bound_at(), at.max(first)) else {
            return Ok(None);
        };
        let terms = self.get_terms(organization, &row, applicable.version).await?;
        let program = &row.program;
        let then = ProgramThen {
            program: referral.program.clone(),
            status: program.status_at(at),
            disabled: applicable.disabled,
            counts: program.counts_at(now) || terms.draft.counts_by_recipient(),
            terms,
            referee: ParticipantId::of(organization, &referral.program, &referral.referee),
        };
        let has_past = program.counts_from.is_some_and(|from| from > program.created_at);
        Ok(Some(Then { then, has_past, cascades: program.cascades }))
    }

    /// What a participant's own terms were and will be; read only in programs where any participant can have them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn assignments_of(
        &self,
        organization: &OrganizationId,
        row: &ProgramRow,
        participant: &ParticipantId,
    ) -> Result<Vec<Assignment>, StoreError> {
        if row.program.assigns_from.is_none_or(|from| from > self.clock.now()) {
            return Ok(Vec::new());
        }
        let found = self.find_recent_participant(organization, participant).await?;
        Ok(found.map_or_else(Vec::new, |row| row.assignments))
    }

    /// Writes a participant's changed assignments with the program that took them (and own terms, if any); `false` when
    /// either changed in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_assignment(
        &self,
        organization: &OrganizationId,
        row: &ProgramRow,
        participant: &ParticipantRow,
        own_terms: Option<&Terms>,
    ) -> Result<bool, StoreError> {
        let unchanged =
            Change::new("", "revision = :before").value(":before", number(row.revision.saturating_sub(1)));
        let place = keys::participant(organization, &participant.participant);
        let before = participant.assignments.len().saturating_sub(1);
        let change = Change::new(
            "SET assignments = :assignments",
            if before == 0 {
                "attribute_exists(pk) AND (attribute_not_exists(assignments) OR size(assignments) = :count)"
            } else {
                "size(assignments) = :count"
            },
        )
        .value(":assignments", to_attribute(&participant.assignments)?)
        .value(":count", number(before));
        let mut actions = vec![
            self.put_action(to_item(&keys::program(organization, &row.program.id), row)?, &unchanged)?,
            self.update_action(&place, &change)?,
        ];
        if let Some(terms) = own_terms {
            let terms_place = keys::terms(organization, &row.program.id, terms.version);
            actions.push(self.put_action(to_item(&terms_place, terms)?, &absent())?);
        }
        self.programs.forget(&cache_key(organization, &row.program.id));
        self.participants.forget(&place);
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
    }

    /// Programs of an organization, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_programs(
        &self,
        organization: &OrganizationId,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Page<ProgramRow>, StoreError> {
        let end = format!("{}~", keys::PROGRAMS);
        let mut range = Range::new(organization.as_str(), keys::PROGRAMS, &end, limit);
        range.consistent = true;
        let start = after(cursor, &["sk"], ("pk", organization.as_str()));
        let (items, next) = self.query(&range, start).await?;
        let rows = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: next.map(|key| write_cursor(&key, &["sk"])) })
    }
}

fn cache_key(organization: &OrganizationId, id: &ProgramId) -> (String, String) {
    (organization.as_str().to_owned(), id.as_str().to_owned())
}
