//! Looking: at sources, milestones, ledgers and reports; and looking again before anything is called wrong.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use aws::settle::{SourceLook, look_at_source};
use aws::store::{DayPage, StoreError};
use chrono::{Duration, NaiveDate};
use domain::audit::{self, Finding};
use domain::billing::day_after;
use domain::id::{ParticipantId, RewardId, SourceId, SourceKind};
use domain::ledger::Line;

use super::Worker;
use crate::fold;

/// Lines of a ledger that the check of a day goes back.
const WINDOW: i32 = 300;
/// Calls that looking at a source takes, about.
const CALLS_OF_SOURCE: u32 = 6;
/// How often something is looked at again that does not say the same twice.
const LOOKS_MAX: u32 = 5;
/// How long after its end a day has a report for certain.
const REPORTED_HOURS: i64 = 24;

/// What stays wrong however often it is looked at. The first look may be behind; the others are not.
pub(super) async fn certain(
    look: impl AsyncFn(bool) -> Result<Vec<Finding>, StoreError>,
) -> Result<Vec<Finding>, StoreError> {
    let mut before = look(false).await?;
    for _ in 0..LOOKS_MAX {
        if before.is_empty() {
            break;
        }
        let again = look(true).await?;
        let same: Vec<Finding> = again.iter().filter(|found| before.contains(found)).cloned().collect();
        if !same.is_empty() {
            return Ok(same);
        }
        before = again;
    }
    // It is sound, or it changes all the time: then the next check looks at it.
    Ok(Vec::new())
}

/// A row that cannot be read is a finding; any other failure is one of the check.
pub(super) fn or_unreadable(
    look: Result<Vec<Finding>, StoreError>,
    row: impl FnOnce() -> String,
) -> Result<Vec<Finding>, StoreError> {
    match look {
        Err(StoreError::Corrupt { detail }) => Ok(vec![Finding::unreadable(row(), detail)]),
        other => other,
    }
}

impl Worker<'_> {
    /// The sources and milestones of the rewards of a page: of those that were opened, and where a day is checked of those
    /// that were corrected too.
    pub(super) async fn look_at_sources(&mut self, page: &DayPage) -> Result<(), StoreError> {
        let mut rewards: BTreeMap<&SourceId, BTreeSet<RewardId>> = BTreeMap::new();
        let mut milestones: BTreeMap<&ParticipantId, BTreeSet<RewardId>> = BTreeMap::new();
        for line in page.rows.iter().filter_map(|row| row.written.as_ref()) {
            let (source, participant, reward) = match line {
                Line::Reward(reward) => (&reward.source, &reward.participant, &reward.reward),
                Line::Entry(entry) if !self.is_whole() => (&entry.source, &entry.participant, &entry.reward),
                Line::Entry(_) | Line::Redemption(_) => continue,
            };
            let named = if source.kind == SourceKind::Milestone {
                milestones.entry(participant).or_default()
            } else {
                rewards.entry(source).or_default()
            };
            named.insert(reward.clone());
        }
        for (source, named) in rewards {
            let named: Vec<RewardId> = named.into_iter().collect();
            self.look_at_source(source, &named, self.is_whole()).await?;
        }
        for (participant, named) in milestones {
            let named: Vec<RewardId> = named.into_iter().collect();
            let (store, organization) = (&self.deps.store, self.organization);
            let look = async |consistent| {
                let tally = store.find_tally(organization, participant).await?.unwrap_or_default();
                let rewards = store.read_rewards(organization, &named, consistent).await?;
                let of = |reward| audit::milestone(participant, &tally.milestones, reward);
                Ok(rewards.iter().flat_map(of).collect())
            };
            let findings = or_unreadable(certain(look).await, || audit::participant_row(participant))?;
            self.count_rewards(named.len());
            self.note(findings);
            self.spend(2);
        }
        Ok(())
    }

    fn count_rewards(&mut self, rewards: usize) {
        let rewards = u64::try_from(rewards).unwrap_or(u64::MAX);
        self.row.counts.rewards = self.row.counts.rewards.saturating_add(rewards);
    }

    pub(super) async fn look_at_source(
        &mut self,
        source: &SourceId,
        named: &[RewardId],
        is_once: bool,
    ) -> Result<(), StoreError> {
        let (store, organization) = (&self.deps.store, self.organization);
        let now = self.deps.clock.now();
        let is_decided = Cell::new(false);
        let look = async |consistent| {
            let look = look_at_source(store, now, organization, source, (named, is_once), consistent).await;
            let look = SourceLook::or_unreadable(source, look)?;
            is_decided.set(look.is_decided);
            Ok(look.findings)
        };
        let findings = certain(look).await?;
        self.row.counts.sources = self.row.counts.sources.saturating_add(u64::from(is_decided.get()));
        self.count_rewards(named.len());
        self.note(findings);
        self.spend(CALLS_OF_SOURCE);
        Ok(())
    }

    /// The ledgers of those whose first line is on the page: so each is added up once, whatever else it has.
    pub(super) async fn look_at_ledgers(&mut self, page: &DayPage, day: NaiveDate) -> Result<(), StoreError> {
        let mut places: BTreeMap<&ParticipantId, Vec<&str>> = BTreeMap::new();
        for row in &page.rows {
            let Some(line) = &row.written else { continue };
            let participant = line.participant();
            places.entry(participant).or_default().push(&row.place);
        }
        let from = (!self.is_whole()).then_some(day);
        for (participant, places) in places {
            let first = self.deps.store.first_indexed_line(self.organization, participant, from).await?;
            self.spend(1);
            if first.is_none_or(|first| places.contains(&first.as_str())) {
                self.look_at_ledger(participant).await?;
            }
        }
        Ok(())
    }

    async fn look_at_ledger(&mut self, participant: &ParticipantId) -> Result<(), StoreError> {
        let (store, organization, is_whole) = (&self.deps.store, self.organization, self.is_whole());
        let seen = Cell::new((0, 0, 0));
        let look = async |consistent| {
            let latest = (!is_whole).then_some(WINDOW);
            let read = store.read_ledger(organization, participant, latest, consistent).await?;
            let mut findings = read.ledger.findings();
            let (mut invoices, mut reads) = (Vec::new(), 0);
            if is_whole {
                (invoices, reads) = store.read_invoices(organization, participant, consistent).await?;
            }
            findings.extend(invoices.iter().filter_map(|of| audit::invoice(&of.case(&read.marked))));
            let (lines, _) = read.ledger.counts();
            seen.set((lines, invoices.len(), read.reads.saturating_add(reads)));
            Ok(findings)
        };
        let findings = or_unreadable(certain(look).await, || audit::participant_row(participant))?;
        let (lines, invoices, reads) = seen.get();
        let counts = &mut self.row.counts;
        counts.participants = counts.participants.saturating_add(1);
        counts.entries = counts.entries.saturating_add(lines);
        counts.invoices = counts.invoices.saturating_add(u64::try_from(invoices).unwrap_or(u64::MAX));
        self.note(findings);
        self.spend(reads);
        Ok(())
    }

    /// The report of a day that is over, against what its lines come to.
    pub(super) async fn look_at_report(&mut self, day: NaiveDate) -> Result<(), StoreError> {
        let (deps, organization) = (self.deps, self.organization);
        let over = self.row.created_at - day_after(day);
        let is_certain = over >= Duration::hours(REPORTED_HOURS);
        if over < Duration::zero() || (self.is_whole() && !is_certain) {
            return Ok(());
        }
        let first = &self.row.folded;
        let is_there = Cell::new(false);
        let look = async |again: bool| {
            let stored = deps.store.find_report(organization, day).await?;
            is_there.set(stored.is_some());
            if stored.is_none() && !is_certain {
                // Its message is late; the age of its queue is watched.
                return Ok(Vec::new());
            }
            let folded = if again { fold(deps, organization, day).await? } else { first.clone() };
            Ok(audit::report(&folded, stored.as_ref()).into_iter().collect())
        };
        let findings = or_unreadable(certain(look).await, || format!("report/{day}"))?;
        self.row.counts.reports = self.row.counts.reports.saturating_add(u64::from(is_there.get()));
        self.note(findings);
        self.spend(1);
        Ok(())
    }
}
