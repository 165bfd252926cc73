//! Programs and terms.

use domain::decision::ProgramThen;
use domain::id::{OrganizationId, ProgramId};
use domain::program::{Program, Terms};
use domain::referral::Binding;
use domain::source::SourceState;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::{StoreError, Transaction};
use super::item::{Change, Write, from_item, number, to_item};
use super::keys;
use super::organization::absent;
use super::page::{Page, Range, after, write_cursor};

/// A program as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProgramRow {
    /// The program.
    pub program: Program,
    /// Its newest terms.
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
        match self.transact(actions).await? {
            Transaction::Committed => Ok(None),
            Transaction::Refused { .. } => {
                let known = self.get(&place, true).await?.map(from_item).transpose()?;
                known.map(Some).ok_or(StoreError::Contended { attempts: 1 })
            }
        }
    }

    /// Writes a changed program (with new terms, if any); `false` when it changed in the meantime.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_program_change(
        &self,
        organization: &OrganizationId,
        row: &ProgramRow,
        new_terms: bool,
    ) -> Result<bool, StoreError> {
        let place = keys::program(organization, &row.program.id);
        let unchanged =
            Change::new("", "revision = :before").value(":before", number(row.revision.saturating_sub(1)));
        self.programs.forget(&cache_key(organization, &row.program.id));
        if !new_terms {
            return Ok(matches!(self.put_if(to_item(&place, row)?, &unchanged).await?, Write::Done(_)));
        }
        let terms = keys::terms(organization, &row.program.id, row.terms.version);
        let actions = vec![
            self.put_action(to_item(&place, row)?, &unchanged)?,
            self.put_action(to_item(&terms, &row.terms)?, &absent())?,
        ];
        Ok(matches!(self.transact(actions).await?, Transaction::Committed))
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

    /// The program of a bound payer as it was when the source was paid; `None` before either is known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_program_then(
        &self,
        organization: &OrganizationId,
        binding: &Binding,
        state: &SourceState,
    ) -> Result<Option<ProgramThen>, StoreError> {
        let (Binding::Bound(referral), Some(payment)) = (binding, &state.payment) else { return Ok(None) };
        let Some(row) = self.find_recent_program(organization, &referral.program).await? else {
            return Ok(None);
        };
        let Some(version) = row.program.version_at(payment.paid_at) else { return Ok(None) };
        let terms = self.get_terms(organization, &row, version).await?;
        let status = row.program.status_at(payment.paid_at);
        Ok(Some(ProgramThen { program: referral.program.clone(), status, terms }))
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
