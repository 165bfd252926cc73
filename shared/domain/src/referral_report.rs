//! The referral report: per referrer, referred partner and structure (terms version), what was billed and what was earned in
//! some days.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::id::{ExternalId, ParticipantId};
use crate::money::{Money, MoneyError, Unit};
use crate::program::{Assignment, Program};
use crate::referral::{Binding, Referral};

/// A referrer of a referee, with the latest referral between the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair<'a> {
    /// Who referred.
    pub referrer: ParticipantId,
    /// The latest referral of the referee in which it did.
    pub referral: &'a Referral,
}

/// Everybody who ever referred a referee, the latest first; each once.
#[must_use]
pub fn pairs(binding: &Binding) -> Vec<Pair<'_>> {
    let Binding::Bound { referral, former } = binding else { return Vec::new() };
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    for referral in std::iter::once(referral).chain(former.iter().rev()) {
        for share in referral.referrers() {
            if !pairs.iter().any(|known| known.referrer == share.participant) {
                pairs.push(Pair { referrer: share.participant, referral });
            }
        }
    }
    pairs
}

/// A structure: terms, and from when they applied to a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structure {
    /// The terms.
    pub terms_version: u32,
    /// From when they applied to the referral: from its beginning, or from when they took effect for the referrer.
    pub since: DateTime<Utc>,
}

/// Every structure of a referral before `until`, in their order; each is as often there as it took effect.
#[must_use]
pub fn structures(
    program: &Program,
    assignments: &[Assignment],
    referral: &Referral,
    until: DateTime<Utc>,
) -> Vec<Structure> {
    let bound_at = referral.bound_at();
    let of_program = program.versions.iter().map(|change| change.effective_from);
    let own = assignments.iter().map(|assignment| assignment.effective_from);
    let mut moments: Vec<DateTime<Utc>> = of_program.chain(own).filter(|at| *at > bound_at).collect();
    moments.sort();
    moments.insert(0, bound_at);
    let mut found: Vec<Structure> = Vec::new();
    for at in moments.into_iter().filter(|at| *at < until) {
        let Some(applicable) = program.terms_for(assignments, bound_at, at) else { continue };
        if found.last().is_none_or(|last| last.terms_version != applicable.version) {
            // A sign-up can have been told of a time before the program existed.
            let since = if found.is_empty() { bound_at } else { at };
            found.push(Structure { terms_version: applicable.version, since });
        }
    }
    found
}

/// Sums of one row of the report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// On invoices for the days, by unit.
    pub billed: BTreeMap<Unit, i64>,
    /// What the ledger's lines of the days add up to, by unit.
    pub earned: BTreeMap<Unit, i64>,
}

/// Sums of one referrer, by referee and terms.
pub type SumsByRow = BTreeMap<(ExternalId, u32), Sums>;

/// A row of the report for one referrer and one referee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The structure.
    pub structure: Structure,
    /// Its sums.
    pub sums: Sums,
}

/// The rows of one referral: the structures that applied in the days, and those by which something was billed or earned in
/// them. The latest first.
#[must_use]
pub fn rows(all: &[Structure], referral: &Referral, from: DateTime<Utc>, sums: &SumsByRow) -> Vec<Row> {
    let ends = all.iter().skip(1).map(|next| Some(next.since)).chain([None]);
    let in_days = all.iter().zip(ends).filter(|(_, end)| end.is_none_or(|end| end > from));
    let mut versions: Vec<u32> = in_days.map(|(structure, _)| structure.terms_version).collect();
    let of_referee = sums.keys().filter(|(referee, _)| *referee == referral.referee);
    versions.extend(of_referee.map(|(_, version)| *version));
    let mut rows: Vec<Row> = Vec::new();
    for terms_version in versions {
        if rows.iter().any(|row| row.structure.terms_version == terms_version) {
            continue;
        }
        let known = all.iter().find(|structure| structure.terms_version == terms_version);
        let structure = known.copied().unwrap_or(Structure { terms_version, since: referral.bound_at() });
        let sums = sums.get(&(referral.referee.clone(), terms_version)).cloned().unwrap_or_default();
        rows.push(Row { structure, sums });
    }
    rows.sort_by(|a, b| {
        let key = |row: &Row| (row.structure.since, row.structure.terms_version);
        key(b).cmp(&key(a))
    });
    rows
}

/// Adds an amount to a sum.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn add(sums: &mut BTreeMap<Unit, i64>, amount: Money) -> Result<(), MoneyError> {
    let sum = sums.entry(amount.unit).or_default();
    *sum = sum.checked_add(amount.amount).ok_or(MoneyError::Overflow)?;
    Ok(())
}

#[cfg(test)]
#[path = "referral_report_tests.rs"]
mod tests;
