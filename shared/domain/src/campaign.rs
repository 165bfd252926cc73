//! Campaigns: sequences of notifications to participants, each step sent once, until the goal is reached (mission 002).
//!
//! A participant's journey through a campaign is its [`Journey`]. It is looked at when its next step is due, and only then;
//! what has happened meanwhile is read at that moment. Steps are apart by what the campaign says, from the moment at which
//! the one before was sent: whoever comes late is not sent all of them at once.

use chrono::{DateTime, Duration, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{NotificationId, ProgramId, time_digits};
use crate::program::ProgramStatus;
use crate::template::Scope;
use crate::terms::{Flaw, Flaws, MessageTemplate};

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Most steps.
pub const STEPS_MAX: usize = 10;
/// Latest step, in days.
const AFTER_DAYS_MAX: u32 = 365;
/// Longest inactivity, in days.
const INACTIVE_DAYS_MAX: u32 = 365;
/// Most that a day can be limited to.
const PER_DAY_MAX: u32 = 1_000_000;
/// Longest campaign, in days.
const DAYS_MAX: i64 = 3_660;
/// How many of the notifications that were sent a journey remembers.
pub const SENT_MAX: usize = 50;

/// Whom a campaign is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Whoever is enrolled while it runs: an invitation to share.
    NewParticipants,
    /// Every participant of the program, those too who are enrolled while it runs: a seasonal promotion.
    AllParticipants,
    /// Whoever has referred nobody for so many days (1 to 365), since the latest referral or else since the enrolment.
    InactiveForDays(u32),
}

/// What ends the sequence of whoever reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// A referral.
    Referral,
    /// A reward.
    Reward,
}

/// A step of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignStep {
    /// Days from the begin of the participant's sequence: 0 to 365, each step later than the one before.
    #[schema(maximum = 365, example = 3)]
    pub after_days: u32,
    /// What is sent.
    pub message: MessageTemplate,
}

/// A campaign as a program owner writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignDraft {
    /// The program whose participants it is for.
    pub program: ProgramId,
    /// Its name: 1 to 100 characters.
    #[schema(max_length = 100, example = "Summer")]
    pub name: String,
    /// Whom it is for.
    pub audience: Audience,
    /// From when; at once unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// Until when; until it is ended unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// What is sent, one after the other: 1 to 10.
    #[schema(min_items = 1, max_items = 10)]
    pub steps: Vec<CampaignStep>,
    /// What ends the sequence of whoever reaches it; nothing unless told. A referral ends that of inactive participants
    /// in any case: it begins anew when they are inactive again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<Goal>,
    /// Most notifications that it sends on one day (UTC): 1 to 1,000,000; the rest waits for the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub per_day_max: Option<u32>,
}

/// Whether a campaign sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CampaignStatus {
    /// It does, from when it starts until it ends.
    Active,
    /// Not now: what is due meanwhile waits.
    Paused,
    /// Never again.
    Ended,
}

/// What of a campaign says when something is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whom it is for.
    pub audience: Audience,
    /// From when.
    pub starts_at: DateTime<Utc>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// When each step is due: days from the begin of a sequence.
    pub after_days: Vec<u32>,
    /// What ends a sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<Goal>,
    /// Most notifications of one day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day_max: Option<u32>,
    /// Whether it sends.
    pub status: CampaignStatus,
}

/// Why nothing more is sent to a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// Everything was sent.
    Completed,
    /// The participant has reached the goal.
    GoalReached,
    /// The participant has unsubscribed.
    Unsubscribed,
    /// The campaign has ended.
    Ended,
}

/// A step that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SentStep {
    /// Which, from 0.
    pub step: u32,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub notification: NotificationId,
}

/// A participant's journey through a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journey {
    /// What happened last when the sequence was begun: the enrolment, a referral, the start of the campaign.
    pub since: DateTime<Utc>,
    /// Which sequence of the participant's it is, from 0.
    #[serde(default)]
    pub round: u32,
    /// The step that comes next, from 0.
    #[serde(default)]
    pub step: u32,
    /// When it is looked at next; never again without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<DateTime<Utc>>,
    /// Why nothing more is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
    /// What was sent, oldest first; the latest [`SENT_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<SentStep>,
}

/// What is known of a participant at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// When somebody was last referred.
    pub last_referral: Option<DateTime<Utc>>,
    /// When a reward was last earned.
    pub last_reward: Option<DateTime<Utc>>,
    /// Whether the participant has unsubscribed.
    pub unsubscribed: bool,
}

/// What is to be done about a journey that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Its step is sent.
    Send,
    /// It goes on so, and nothing is sent now.
    Become(Journey),
}

impl CampaignDraft {
    /// Everything that contradicts itself or the limits; empty when the campaign can be run.
    #[must_use]
    pub fn flaws(&self, now: DateTime<Utc>) -> Vec<Flaw> {
        let mut flaws = Flaws::default();
        let mut find = flaws.finder();
        let name = self.name.trim();
        let fits =
            (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        find.require(
            fits,
            "name",
            format!("must have 1 to {NAME_CHARS_MAX} characters and no control characters"),
        );
        if let Audience::InactiveForDays(days) = self.audience {
            find.range(Some(days), "audience/inactive_for_days", INACTIVE_DAYS_MAX);
        }
        let starts_at = self.starts_at.unwrap_or(now);
        if let Some(ends_at) = self.ends_at {
            find.require(
                ends_at > starts_at.max(now),
                "ends_at",
                "must be later than the start, and than now",
            );
        }
        let soon = |at: DateTime<Utc>| at <= now + Duration::days(DAYS_MAX);
        find.require(soon(starts_at), "starts_at", format!("must be within {DAYS_MAX} days"));
        find.require(self.ends_at.is_none_or(soon), "ends_at", format!("must be within {DAYS_MAX} days"));
        find.range(self.per_day_max, "per_day_max", PER_DAY_MAX);
        let fits = (1..=STEPS_MAX).contains(&self.steps.len());
        find.require(fits, "steps", format!("must have 1 to {STEPS_MAX} steps"));
        let mut last = None;
        for (index, step) in self.steps.iter().enumerate().take(STEPS_MAX) {
            let mut find = find.at(format_args!("steps/{index}"));
            let detail = format!("must be 0 to {AFTER_DAYS_MAX}");
            find.require(step.after_days <= AFTER_DAYS_MAX, "after_days", detail);
            let later = last.is_none_or(|last| last < step.after_days);
            find.require(later, "after_days", "must be later than the step before");
            last = Some(step.after_days);
            step.message.flaws(Scope::Campaign, &mut find.at("message"));
        }
        flaws.found()
    }

    /// When it sends what.
    #[must_use]
    pub fn plan(&self, now: DateTime<Utc>) -> Plan {
        Plan {
            audience: self.audience,
            starts_at: self.starts_at.unwrap_or(now),
            ends_at: self.ends_at,
            after_days: self.steps.iter().map(|step| step.after_days).collect(),
            goal: self.goal,
            per_day_max: self.per_day_max,
            status: CampaignStatus::Active,
        }
    }
}

impl Plan {
    /// It as it is in force for a participant: it rests while its program does or the participant does not take part, and ends
    /// with the program.
    #[must_use]
    pub fn in_force(&self, program: ProgramStatus, takes_part: bool) -> Self {
        let status = match (self.status, program) {
            (CampaignStatus::Ended, _) | (_, ProgramStatus::Ended) => CampaignStatus::Ended,
            (CampaignStatus::Active, ProgramStatus::Active) if takes_part => CampaignStatus::Active,
            (CampaignStatus::Active | CampaignStatus::Paused, _) => CampaignStatus::Paused,
        };
        Self { status, ..self.clone() }
    }

    /// Whether it is over at a moment.
    #[must_use]
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.status == CampaignStatus::Ended || self.ends_at.is_some_and(|end| end <= now)
    }

    /// Where in the list of participants, which is by time, the first stands who may take part; `None` for its begin.
    #[must_use]
    pub fn first_place(&self) -> Option<String> {
        match self.audience {
            Audience::NewParticipants => Some(time_digits(self.starts_at)),
            Audience::AllParticipants | Audience::InactiveForDays(_) => None,
        }
    }

    /// How the journey of a participant begins who was enrolled at a moment; `None` for whom it is not.
    #[must_use]
    pub fn begin(&self, enrolled_at: DateTime<Utc>) -> Option<Journey> {
        let since = match self.audience {
            Audience::NewParticipants if enrolled_at < self.starts_at => return None,
            Audience::NewParticipants | Audience::InactiveForDays(_) => enrolled_at,
            Audience::AllParticipants => enrolled_at.max(self.starts_at),
        };
        if self.is_over(since) {
            return None;
        }
        Some(self.sequence(since, 0))
    }

    /// A sequence that begins with what happened at a moment.
    fn sequence(&self, since: DateTime<Utc>, round: u32) -> Journey {
        let first = self.after_days.first().copied().unwrap_or_default();
        let quiet = match self.audience {
            Audience::InactiveForDays(days) => days,
            Audience::NewParticipants | Audience::AllParticipants => 0,
        };
        let next_at = (since + days(quiet) + days(first)).max(self.starts_at);
        Journey { since, round, step: 0, next_at: Some(next_at), over: None, sent: Vec::new() }
    }

    /// What is to be done about a journey that is due.
    #[must_use]
    pub fn next(&self, journey: &Journey, seen: Seen, now: DateTime<Utc>) -> Next {
        if self.is_over(now) {
            return Next::Become(journey.over(Over::Ended));
        }
        if seen.unsubscribed {
            return Next::Become(journey.over(Over::Unsubscribed));
        }
        let reached = |at: Option<DateTime<Utc>>| at.filter(|at| *at > journey.since);
        if self.goal == Some(Goal::Reward) && reached(seen.last_reward).is_some() {
            return Next::Become(journey.over(Over::GoalReached));
        }
        if let Some(referred_at) = reached(seen.last_referral) {
            if matches!(self.audience, Audience::InactiveForDays(_)) {
                let anew = self.sequence(referred_at, journey.round.saturating_add(1));
                return Next::Become(Journey { sent: journey.sent.clone(), ..anew });
            }
            if self.goal == Some(Goal::Referral) {
                return Next::Become(journey.over(Over::GoalReached));
            }
        }
        if self.status == CampaignStatus::Paused {
            return Next::Become(journey.at(now + days(1)));
        }
        if self.after(journey.step).is_some() {
            return Next::Send;
        }
        Next::Become(self.ended(journey, now))
    }

    /// A journey of whose sequence nothing is left. Whoever becomes active, and inactive again, begins another.
    fn ended(&self, journey: &Journey, now: DateTime<Utc>) -> Journey {
        match self.audience {
            Audience::InactiveForDays(quiet) => journey.at(now + days(quiet)),
            Audience::NewParticipants | Audience::AllParticipants => journey.over(Over::Completed),
        }
    }

    /// A journey whose step was sent at a moment.
    #[must_use]
    pub fn sent(&self, journey: &Journey, notification: &NotificationId, now: DateTime<Utc>) -> Journey {
        let mut sent = journey.sent.clone();
        sent.push(SentStep { step: journey.step, at: now, notification: notification.clone() });
        let surplus = sent.len().saturating_sub(SENT_MAX);
        sent.drain(..surplus);
        let step = journey.step.saturating_add(1);
        let gap =
            self.after(step).unwrap_or_default().saturating_sub(self.after(journey.step).unwrap_or_default());
        let next = Journey { step, sent, ..journey.clone() };
        if self.after(step).is_some() { next.at(now + days(gap)) } else { self.ended(&next, now) }
    }

    /// A journey whose step finds the day's notifications used up: it waits for the next day.
    #[must_use]
    pub fn tomorrow(&self, journey: &Journey, now: DateTime<Utc>) -> Journey {
        let midnight = now.date_naive().and_time(NaiveTime::MIN).and_utc();
        journey.at(midnight + days(1))
    }

    fn after(&self, step: u32) -> Option<u32> {
        self.after_days.get(usize::try_from(step).ok()?).copied()
    }
}

impl Journey {
    fn over(&self, over: Over) -> Self {
        Self { over: Some(over), next_at: None, ..self.clone() }
    }

    fn at(&self, next_at: DateTime<Utc>) -> Self {
        Self { next_at: Some(next_at), ..self.clone() }
    }
}

fn days(count: u32) -> Duration {
    Duration::days(i64::from(count))
}

#[cfg(test)]
#[path = "campaign_tests.rs"]
mod tests;
