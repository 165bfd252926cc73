//! What was counted of everybody whom a decision may concern, and the rows that it is written back to.

use chrono::{DateTime, Utc};
use domain::decision::Release;
use domain::id::{OrganizationId, ParticipantId};
use domain::money::Unit;
use domain::tally::Tallies;
use domain::terms::Recipient;

use super::{PayerState, SettleError};
use crate::store::{SourceRow, Store, TallyRow, Then};

/// The counters that a decision starts from, and the rows that they were read from.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) before: Tallies,
    rows: Vec<TallyRow>,
    /// Which referral of the referee.
    pub(super) number: u32,
}

impl Counters {
    /// The rows of what a decision has counted.
    pub(super) fn changed(&self, after: &Tallies, release: &Release, now: DateTime<Utc>) -> Vec<TallyRow> {
        let mut changed = Vec::new();
        for row in &self.rows {
            let units = release.iter().filter(|(participant, _)| *participant == row.participant);
            let units: Vec<Unit> = units.map(|(_, unit)| *unit).collect();
            let Some(tally) = after.recipients.get(&row.participant) else { continue };
            if *tally != row.tally || !units.is_empty() {
                changed.push(row.counted(tally.clone(), units, now));
            }
        }
        changed
    }
}

/// What was counted of everybody whom a decision may concern; nothing is read where nothing is counted.
pub(super) async fn read_counters(
    store: &Store,
    organization: &OrganizationId,
    row: &SourceRow,
    payer: &PayerState,
    found: Option<&Then>,
) -> Result<Counters, SettleError> {
    let mut counters = Counters::default();
    let at = row.state.payment.as_ref().map(|payment| payment.paid_at);
    let referral = at.and_then(|at| payer.binding.judged_at(at, row.memory.referral).ok());
    let (Some((referral, _)), Some(Then { then, has_past, .. })) = (referral, found) else {
        return Ok(counters);
    };
    counters.number = referral.number;
    if then.terms.draft.counts_by_referee() || !row.memory.is_empty() {
        counters.before.referee =
            payer.row.as_ref().map(|row| row.tally(referral.number)).unwrap_or_default();
    }
    if !then.counts {
        return Ok(counters);
    }
    let mut concerned: Vec<ParticipantId> =
        referral.referrers().into_iter().map(|share| share.participant).collect();
    if then.terms.draft.rules.iter().any(|rule| rule.recipient == Recipient::Referee) {
        concerned.push(then.referee.clone());
    }
    concerned.extend(row.posted.iter().map(|posted| posted.recipient.clone()));
    concerned.sort_unstable();
    concerned.dedup();
    for participant in concerned {
        let tally = store.get_tally(organization, &participant, *has_past).await?;
        counters.before.recipients.insert(participant, tally.tally.clone());
        counters.rows.push(tally);
    }
    Ok(counters)
}
