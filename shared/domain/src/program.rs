//! Programs. Terms are numbered and never change; what a program was at a moment (its status, its terms) is read from its
//! history by business time, so that a decision does not depend on when it is made.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{Label, ProgramId};
use crate::terms::{Terms, TermsDraft};

/// Seconds between the acceptance of a change and its effect. Functions keep a program in memory for half of it, so no
/// function decides by a stale one.
pub const CHANGE_DELAY_SECONDS: i64 = 60;
/// Most changes of status, and most versions of terms, in a program's life.
pub const CHANGES_MAX: usize = 100;
/// Most changes of what one participant's terms are.
pub const ASSIGNMENTS_MAX: usize = 50;
/// Longest name of a program, in characters.
pub const NAME_CHARS_MAX: usize = 100;

/// What a program is for (mission 002). It changes nothing in how rewards are decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProgramType {
    /// Customers refer friends.
    #[default]
    Customer,
    /// Businesses refer businesses.
    Business,
    /// Influencers refer followers.
    Influencer,
    /// Affiliates refer visitors.
    Affiliate,
    /// Partners refer partners (mission 001).
    Partner,
}

/// Whether a program takes sign-ups and pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProgramStatus {
    /// Being set up, or not yet begun; codes can be issued, nothing is earned.
    Draft,
    /// Takes sign-ups and pays.
    Active,
    /// Takes no sign-ups; payments of this time earn nothing.
    Paused,
    /// Over for good.
    Ended,
}

/// What new terms mean for referrals that exist already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TermsPolicy {
    /// They apply to every event from then on.
    #[default]
    Follow,
    /// They apply to referrals made from then on; earlier ones keep the terms that they were made under.
    Keep,
}

/// A status and the moment from which it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    /// The status.
    pub status: ProgramStatus,
    /// From when.
    pub effective_from: DateTime<Utc>,
}

/// A terms version, whom it is for and from when it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsChange {
    /// The version, from 1.
    pub version: u32,
    /// From when.
    pub effective_from: DateTime<Utc>,
    /// The group of participants that it is for; without one, everybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Label>,
    /// What it means for referrals that existed.
    #[serde(default)]
    pub policy: TermsPolicy,
}

/// What a participant's own terms are from a moment on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// From when.
    pub effective_from: DateTime<Utc>,
    /// Whether participation is switched off: referrals still bind, nothing is earned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// The group whose terms apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Label>,
    /// The version of the participant's own terms; it beats the group's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_version: Option<u32>,
    /// What own terms mean for referrals that existed.
    #[serde(default)]
    pub policy: TermsPolicy,
}

/// A program with its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its id.
    pub id: ProgramId,
    /// Its name, for people.
    pub name: String,
    /// What it is for.
    #[serde(default, rename = "type")]
    pub kind: ProgramType,
    /// Every status it had or will have, oldest first.
    pub statuses: Vec<StatusChange>,
    /// When it begins, if not with its status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// What new terms mean for referrals that exist already.
    #[serde(default)]
    pub terms_policy: TermsPolicy,
    /// Every version of its terms but those of single participants, oldest first.
    pub versions: Vec<TermsChange>,
    /// The number of the newest version, participants' own among them.
    pub last_version: u32,
    /// From when participants can have own terms, once any has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigns_from: Option<DateTime<Utc>>,
    /// From when recipients' rewards are counted, once any terms ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts_from: Option<DateTime<Utc>>,
    /// Whether any terms pay for what referred participants earn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cascades: bool,
    /// The labels of events that any terms ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_keys: Vec<String>,
    /// Whether any terms let an e-mail address tell who paid.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub matches_email: bool,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// What is said of a program when it is created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// What it is for.
    pub kind: ProgramType,
    /// When it begins.
    pub starts_at: Option<DateTime<Utc>>,
    /// When it ends.
    pub ends_at: Option<DateTime<Utc>>,
    /// What new terms mean for referrals that exist already.
    pub terms_policy: TermsPolicy,
}

/// Which terms apply to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applicable {
    /// The version.
    pub version: u32,
    /// Whether the referrer's participation was switched off.
    pub disabled: bool,
}

/// A change that a program cannot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// A program that ended, or a return to draft.
    #[error("a program cannot go from {from:?} to {to:?}")]
    Transition {
        /// Status now.
        from: ProgramStatus,
        /// Status asked for.
        to: ProgramStatus,
    },
    /// The history is full.
    #[error("a program can change at most {CHANGES_MAX} times; start a new one")]
    TooMany,
    /// The participant's history is full.
    #[error("the terms of a participant can change at most {ASSIGNMENTS_MAX} times")]
    TooManyAssignments,
}

/// A beginning or an end that a program cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A beginning or an end that has passed, or lies too near.
    #[error(
        "must lie more than {CHANGE_DELAY_SECONDS} seconds ahead; what has begun or ended cannot be moved"
    )]
    Passed,
    /// The end does not lie after the beginning.
    #[error("must lie after starts_at")]
    EndBeforeStart,
}

impl Program {
    /// A new program: its first status and terms hold from `now` on.
    #[must_use]
    pub fn create(
        id: ProgramId,
        name: String,
        status: ProgramStatus,
        settings: Settings,
        draft: &TermsDraft,
        now: DateTime<Utc>,
    ) -> Self {
        let first =
            TermsChange { version: 1, effective_from: now, group: None, policy: settings.terms_policy };
        let mut program = Self {
            id,
            name,
            kind: settings.kind,
            statuses: vec![StatusChange { status, effective_from: now }],
            starts_at: settings.starts_at,
            ends_at: settings.ends_at,
            terms_policy: settings.terms_policy,
            versions: vec![first],
            last_version: 1,
            assigns_from: None,
            counts_from: None,
            cascades: false,
            label_keys: Vec::new(),
            matches_email: false,
            created_at: now,
        };
        program.note_needs(draft, now);
        program
    }

    /// The status at a moment; `draft` before the program existed or began.
    #[must_use]
    pub fn status_at(&self, at: DateTime<Utc>) -> ProgramStatus {
        let held = self.statuses.iter().rev().find(|change| change.effective_from <= at);
        let status = held.map_or(ProgramStatus::Draft, |change| change.status);
        if self.ends_at.is_some_and(|end| at >= end) {
            ProgramStatus::Ended
        } else if status == ProgramStatus::Active && self.starts_at.is_some_and(|start| at < start) {
            ProgramStatus::Draft
        } else {
            status
        }
    }

    /// The status that holds once every accepted change has come into effect, and since (or from) when.
    #[must_use]
    pub fn latest_status(&self) -> StatusChange {
        let first = StatusChange { status: ProgramStatus::Draft, effective_from: self.created_at };
        self.statuses.last().cloned().unwrap_or(first)
    }

    /// The terms that apply to an event of `at` of a referral that was made at `bound_at`; none before the program
    /// existed. `assignments` are the referrer's, oldest first.
    #[must_use]
    pub fn terms_for(
        &self,
        assignments: &[Assignment],
        bound_at: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Option<Applicable> {
        let held = assignments.iter().rev().find(|assignment| assignment.effective_from <= at);
        let disabled = held.is_some_and(|held| held.disabled);
        let own = assignments.iter().rev().find(|assignment| {
            assignment.effective_from <= at
                && (assignment.policy == TermsPolicy::Follow || assignment.effective_from <= bound_at)
        });
        if let Some(version) = own.and_then(|own| own.own_version) {
            return Some(Applicable { version, disabled });
        }
        let group = own.and_then(|own| own.group.as_ref());
        let of_group = group.and_then(|group| self.version_for(Some(group), bound_at, at));
        let version = of_group.or_else(|| self.version_for(None, bound_at, at))?;
        Some(Applicable { version, disabled })
    }

    fn version_for(&self, group: Option<&Label>, bound_at: DateTime<Utc>, at: DateTime<Utc>) -> Option<u32> {
        let of_group = |change: &&TermsChange| change.group.as_ref() == group && change.effective_from <= at;
        let applies = |change: &&TermsChange| {
            let first = group.is_none() && change.version == 1;
            first || change.policy == TermsPolicy::Follow || change.effective_from <= bound_at
        };
        let found = self.versions.iter().rev().filter(of_group).find(applies);
        found.map(|change| change.version)
    }

    /// The version of everybody's terms that holds at a moment for a new referral; none before the program existed.
    #[must_use]
    pub fn version_at(&self, at: DateTime<Utc>) -> Option<u32> {
        self.version_for(None, at, at)
    }

    /// The newest version of everybody's terms.
    #[must_use]
    pub fn latest_version(&self) -> u32 {
        let newest = self.versions.iter().rev().find(|change| change.group.is_none());
        newest.map_or(0, |change| change.version)
    }

    /// The groups that have terms, each with its newest version.
    #[must_use]
    pub fn groups(&self) -> Vec<(Label, u32)> {
        let mut groups: Vec<(Label, u32)> = Vec::new();
        for change in self.versions.iter().rev() {
            if let Some(group) = &change.group
                && !groups.iter().any(|(known, _)| known == group)
            {
                groups.push((group.clone(), change.version));
            }
        }
        groups.sort();
        groups
    }

    /// Whether recipients' rewards are counted at a moment.
    #[must_use]
    pub fn counts_at(&self, at: DateTime<Utc>) -> bool {
        self.counts_from.is_some_and(|from| from <= at)
    }

    /// Takes a change of status, which holds from [`CHANGE_DELAY_SECONDS`] after `now`. The status it has already is
    /// no change.
    ///
    /// # Errors
    /// [`ChangeError`]; the program is left as it was.
    pub fn change_status(&mut self, to: ProgramStatus, now: DateTime<Utc>) -> Result<(), ChangeError> {
        use ProgramStatus::{Active, Draft, Ended, Paused};
        let from = self.latest_status();
        match (from.status, to) {
            (now, to) if now == to => return Ok(()),
            (Draft | Paused, Active) | (Active, Paused) | (Draft | Active | Paused, Ended) => {}
            (from, to) => return Err(ChangeError::Transition { from, to }),
        }
        if self.statuses.len() >= CHANGES_MAX {
            return Err(ChangeError::TooMany);
        }
        let effective_from = effect_of(now, from.effective_from);
        self.statuses.push(StatusChange { status: to, effective_from });
        Ok(())
    }

    /// Moves the beginning and the end. What has passed, or comes within [`CHANGE_DELAY_SECONDS`], stays as it is.
    ///
    /// # Errors
    /// [`ScheduleError`] with the name of the field; the program is left as it was.
    pub fn change_schedule(
        &mut self,
        starts_at: Option<DateTime<Utc>>,
        ends_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<(), (&'static str, ScheduleError)> {
        let horizon = now + Duration::seconds(CHANGE_DELAY_SECONDS);
        let fixed = |moment: Option<DateTime<Utc>>| moment.is_some_and(|moment| moment <= horizon);
        // Without a beginning the program has begun as soon as it was active.
        // Nor can a beginning be taken away from one that was made active: it would have begun then.
        let opened = self
            .statuses
            .iter()
            .any(|change| change.status != ProgramStatus::Draft && change.effective_from <= horizon);
        let begun = opened && (self.starts_at.is_none() || starts_at.is_none());
        if starts_at != self.starts_at && (begun || fixed(self.starts_at) || fixed(starts_at)) {
            return Err(("starts_at", ScheduleError::Passed));
        }
        if ends_at != self.ends_at && (fixed(self.ends_at) || fixed(ends_at)) {
            return Err(("ends_at", ScheduleError::Passed));
        }
        if starts_at.zip(ends_at).is_some_and(|(start, end)| end <= start) {
            return Err(("ends_at", ScheduleError::EndBeforeStart));
        }
        (self.starts_at, self.ends_at) = (starts_at, ends_at);
        Ok(())
    }

    /// Takes new terms, of a group or of everybody else, which hold from [`CHANGE_DELAY_SECONDS`] after `now`.
    ///
    /// # Errors
    /// [`ChangeError`]; the program is left as it was.
    pub fn change_terms(
        &mut self,
        draft: TermsDraft,
        group: Option<Label>,
        now: DateTime<Utc>,
    ) -> Result<Terms, ChangeError> {
        if self.versions.len() >= CHANGES_MAX {
            return Err(ChangeError::TooMany);
        }
        let last = self.versions.last().map_or(self.created_at, |change| change.effective_from);
        let terms = self.next_terms(draft, last, now)?;
        let (version, effective_from) = (terms.version, terms.effective_from);
        if group.is_some() {
            self.assigns_from.get_or_insert(effective_from);
        }
        self.versions.push(TermsChange { version, effective_from, group, policy: self.terms_policy });
        Ok(terms)
    }

    /// Takes a participant's own terms: the participant's history gets the version, the program the number.
    ///
    /// # Errors
    /// [`ChangeError`]; program and history are left as they were.
    pub fn change_own_terms(&mut self, draft: TermsDraft, now: DateTime<Utc>) -> Result<Terms, ChangeError> {
        self.next_terms(draft, self.created_at, now)
    }

    /// Takes a change of what a participant's terms are, which holds from [`CHANGE_DELAY_SECONDS`] after `now`.
    ///
    /// # Errors
    /// [`ChangeError::TooManyAssignments`]; the history is left as it was.
    pub fn assign(
        &mut self,
        history: &mut Vec<Assignment>,
        change: Assignment,
        now: DateTime<Utc>,
    ) -> Result<(), ChangeError> {
        if history.len() >= ASSIGNMENTS_MAX {
            return Err(ChangeError::TooManyAssignments);
        }
        let last = history.last().map_or(self.created_at, |change| change.effective_from);
        let effective_from = effect_of(now, last);
        self.assigns_from.get_or_insert(effective_from);
        history.push(Assignment { effective_from, policy: self.terms_policy, ..change });
        Ok(())
    }

    fn next_terms(
        &mut self,
        draft: TermsDraft,
        last: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Terms, ChangeError> {
        if self.latest_status().status == ProgramStatus::Ended {
            return Err(ChangeError::Transition { from: ProgramStatus::Ended, to: ProgramStatus::Ended });
        }
        let effective_from = effect_of(now, last);
        self.last_version = self.last_version.saturating_add(1);
        self.note_needs(&draft, effective_from);
        Ok(Terms { version: self.last_version, effective_from, draft })
    }

    /// Keeps in mind what terms ask for beyond themselves.
    fn note_needs(&mut self, draft: &TermsDraft, from: DateTime<Utc>) {
        if draft.counts_by_recipient() || draft.max_referrals.is_some() {
            self.counts_from.get_or_insert(from);
        }
        self.cascades |= draft.cascades();
        self.matches_email |= draft.attribution.match_email;
        self.label_keys.extend(draft.label_keys());
        self.label_keys.sort_unstable();
        self.label_keys.dedup();
    }
}

/// When a change accepted now takes effect: after the delay, and never before the change it follows.
fn effect_of(now: DateTime<Utc>, previous: DateTime<Utc>) -> DateTime<Utc> {
    (now + Duration::seconds(CHANGE_DELAY_SECONDS)).max(previous + Duration::milliseconds(1))
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
