//! Partner billing: which lines of a participant's ledger go onto its next invoice, and what may become of an invoice.
//!
//! A reward is taken with the lines that correct it. They are in billing from the moment when it is payable, or when any
//! of them stands on an invoice; then each is billed, whatever its sign:
//!
//! | the reward | billed |
//! |---|---|
//! | `approved`, `fulfilling`, `fulfilled` | yes, with every correction |
//! | `pending`, `held` | not yet |
//! | `rejected`, `reversed`, `expired`, `failed` before any of it was billed | never: nothing was owed |
//! | the same, after something of it was billed | yes: what was billed is taken back by a line of its own |
//!
//! A line that stands on a void invoice stands on none. Lines that do not come to more than nothing wait for later ones: an
//! invoice is never below zero.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, Duration, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{ExternalId, PartnerInvoiceId, RewardId, RuleId, SourceId};
use crate::ledger;
use crate::ledger::Account::Cash;
use crate::ledger::{Cause, Entry, Line, RewardState};
use crate::money::{Currency, MoneyError};

/// Most days of a period.
pub const PERIOD_DAYS_MAX: i64 = 366;
/// How long after its end a period can be billed: what was accepted before the end has been written by then.
pub const SETTLING_MINUTES: i64 = 15;
/// Most lines and sums that are written together with an invoice; the store takes 100 rows in one transaction, and a few of
/// them are the invoice's own.
pub const CHUNK_MAX: usize = 90;

/// The days that an invoice is for, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
}

/// Why days cannot be billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// The last day lies before the first.
    #[error("must not lie after the last day")]
    Backwards,
    /// Too many days.
    #[error("the period can have at most {PERIOD_DAYS_MAX} days")]
    TooLong,
    /// It is not over, or has been for too short a time.
    #[error("the day must have ended (UTC) {SETTLING_MINUTES} minutes ago")]
    NotOver,
}

impl Period {
    /// The moment when the period is over.
    #[must_use]
    pub fn ends_at(&self) -> DateTime<Utc> {
        day_after(self.to)
    }

    /// Checks that the period can be billed at `now`.
    ///
    /// # Errors
    /// [`PeriodError`].
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), PeriodError> {
        let days = (self.to - self.from).num_days();
        if days < 0 {
            Err(PeriodError::Backwards)
        } else if days >= PERIOD_DAYS_MAX {
            Err(PeriodError::TooLong)
        } else if self.ends_at() > now - Duration::minutes(SETTLING_MINUTES) {
            Err(PeriodError::NotOver)
        } else {
            Ok(())
        }
    }
}

/// Midnight after a day.
#[must_use]
pub fn day_after(day: NaiveDate) -> DateTime<Utc> {
    day.checked_add_days(Days::new(1)).unwrap_or(day).and_time(NaiveTime::MIN).and_utc()
}

/// Where a partner invoice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceStatus {
    /// Lines are still being put onto it.
    Assembling,
    /// Complete, and not yet sent to anybody.
    Draft,
    /// As it is sent to the partner.
    Finalized,
    /// Paid; nothing changes any more.
    Paid,
    /// Taken out of the world: its lines go onto a later invoice.
    Void,
}

/// What an administrator can do to an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceAction {
    /// Say that it is as it is sent.
    Finalize,
    /// Say that it was paid.
    Pay,
    /// Take it out of the world.
    Void,
}

/// What an action means for an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceStep {
    /// It becomes this.
    Becomes(InvoiceStatus),
    /// It is so already.
    Already,
    /// It cannot be done.
    Refused,
}

impl InvoiceStatus {
    /// Whether what stands on the invoice is billed.
    #[must_use]
    pub fn is_live(self) -> bool {
        self != Self::Void
    }

    /// What an action means for an invoice of this status.
    #[must_use]
    pub fn step(self, action: InvoiceAction) -> InvoiceStep {
        use InvoiceAction::{Finalize, Pay, Void};
        match (self, action) {
            (Self::Draft, Finalize) => InvoiceStep::Becomes(Self::Finalized),
            (Self::Finalized, Pay) => InvoiceStep::Becomes(Self::Paid),
            (Self::Draft | Self::Finalized, Void) => InvoiceStep::Becomes(Self::Void),
            (Self::Finalized, Finalize) | (Self::Paid, Pay) | (Self::Void, Void) => InvoiceStep::Already,
            (Self::Assembling, Finalize | Pay | Void)
            | (Self::Draft, Pay)
            | (Self::Paid, Finalize | Void)
            | (Self::Void, Finalize | Pay) => InvoiceStep::Refused,
        }
    }
}

/// A ledger line as it stands on an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceLine {
    /// The reward that the line opens or corrects.
    pub reward: RewardId,
    /// Which of the reward's corrections it is; none for the line that opened the reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<u32>,
    /// Why the line was written.
    pub cause: Cause,
    /// Signed minor units.
    pub amount: i64,
    /// The referred partner.
    pub referee: ExternalId,
    /// The rule.
    pub rule: RuleId,
    /// The terms that were applied.
    pub terms_version: u32,
    /// What it was earned from.
    pub source: SourceId,
    /// When the event happened.
    pub occurred_at: DateTime<Utc>,
    /// When the line was written.
    pub recorded_at: DateTime<Utc>,
}

impl InvoiceLine {
    /// Which line item of the invoice it belongs to: the referred partner, and the terms that were applied.
    #[must_use]
    pub const fn item(&self) -> (&ExternalId, u32) {
        (&self.referee, self.terms_version)
    }
}

/// A line that is to be billed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbilled {
    /// The line.
    pub line: InvoiceLine,
    /// The void invoice that it stood on.
    pub was_on: Option<PartnerInvoiceId>,
}

/// The invoice that a line stands on, and whether that one is live.
pub type Mark<'a> = Option<(&'a PartnerInvoiceId, bool)>;

/// A participant's cash in one program, as far as it is not billed. Billed lines leave nothing behind but the fact that
/// their reward is in billing.
#[derive(Debug, Default)]
pub struct Account {
    rewards: BTreeMap<RewardId, Reward>,
}

#[derive(Debug)]
struct Reward {
    currency: Currency,
    state: RewardState,
    referee: ExternalId,
    terms_version: u32,
    on_invoice: bool,
    unbilled: Vec<Unbilled>,
}

/// What is to be billed, and whether anything is left for later.
#[derive(Debug, Default)]
pub struct Due {
    /// Lines by currency, those that add first: so that an invoice on which only some of them stand is above zero.
    pub lines: BTreeMap<Currency, Vec<Unbilled>>,
    /// Whether something of what was looked at can become due later.
    pub waits: bool,
}

impl Account {
    /// Takes the next line, oldest first.
    pub fn add(&mut self, line: &Line, mark: Mark<'_>) {
        let id = match line {
            Line::Reward(reward) => &reward.reward,
            Line::Entry(entry) => &entry.reward,
            // What was spent was no cash.
            Line::Redemption(_) => return,
        };
        if let Line::Reward(reward) = line
            && let Some(currency) = reward.unit.currency().filter(|_| reward.account() == Cash)
        {
            let opened = Reward {
                currency,
                state: reward.state,
                referee: reward.referee.clone(),
                terms_version: reward.terms_version,
                on_invoice: false,
                unbilled: Vec::new(),
            };
            self.rewards.insert(id.clone(), opened);
        }
        // Corrections of what is no cash belong to nothing here.
        let Some(reward) = self.rewards.get_mut(id) else { return };
        let was_on = match mark {
            Some((_, true)) => {
                reward.on_invoice = true;
                return;
            }
            Some((invoice, false)) => Some(invoice.clone()),
            None => None,
        };
        let line = match line {
            Line::Reward(line) => opening_line(line),
            Line::Entry(entry) => correcting_line(entry, reward),
            Line::Redemption(_) => return,
        };
        reward.unbilled.push(Unbilled { line, was_on });
    }

    /// What is due of everything recorded before `until`. What was recorded before `horizon` and is not due now waits;
    /// what comes later is looked at later.
    #[must_use]
    pub fn due(self, until: DateTime<Utc>, horizon: DateTime<Utc>) -> Due {
        let mut due = Due::default();
        for reward in self.rewards.into_values() {
            let in_billing = reward.on_invoice || is_payable(reward.state);
            let may_come = matches!(reward.state, RewardState::Pending | RewardState::Held);
            for unbilled in reward.unbilled {
                let recorded_at = unbilled.line.recorded_at;
                if in_billing && recorded_at < until {
                    due.lines.entry(reward.currency).or_default().push(unbilled);
                } else if (in_billing || may_come) && recorded_at < horizon {
                    due.waits = true;
                }
            }
        }
        due.lines.values_mut().for_each(|lines| lines.sort_by(|a, b| order(&a.line).cmp(&order(&b.line))));
        due
    }
}

const fn is_payable(state: RewardState) -> bool {
    matches!(state, RewardState::Approved | RewardState::Fulfilling | RewardState::Fulfilled)
}

/// What adds first, and each line item's lines together.
fn order(line: &InvoiceLine) -> (bool, &ExternalId, u32, DateTime<Utc>, &RewardId, Option<u32>) {
    let (referee, terms_version) = line.item();
    (line.amount < 0, referee, terms_version, line.recorded_at, &line.reward, line.correction)
}

/// The line that a reward opens.
fn opening_line(reward: &ledger::Reward) -> InvoiceLine {
    InvoiceLine {
        reward: reward.reward.clone(),
        correction: None,
        cause: reward.cause,
        amount: reward.delta,
        referee: reward.referee.clone(),
        rule: reward.rule.clone(),
        terms_version: reward.terms_version,
        source: reward.source.clone(),
        occurred_at: reward.occurred_at,
        recorded_at: reward.recorded_at,
    }
}

/// Corrections are listed with the referred partner and the terms of the reward that they correct.
fn correcting_line(entry: &Entry, of: &Reward) -> InvoiceLine {
    InvoiceLine {
        reward: entry.reward.clone(),
        correction: Some(entry.number),
        cause: entry.cause,
        amount: entry.delta,
        referee: of.referee.clone(),
        rule: entry.rule.clone(),
        terms_version: of.terms_version,
        source: entry.source.clone(),
        occurred_at: entry.occurred_at,
        recorded_at: entry.recorded_at,
    }
}

/// What lines come to.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn total(lines: &[Unbilled]) -> Result<i64, MoneyError> {
    let add = |sum: i64, unbilled: &Unbilled| sum.checked_add(unbilled.line.amount);
    lines.iter().try_fold(0, add).ok_or(MoneyError::Overflow)
}

/// What is to be done about the lines of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They go onto the invoice, and it is complete then.
    Bill,
    /// They do not come to more than nothing, and wait for later ones.
    Wait,
    /// The invoice was begun, and with the rest it would not come to more than nothing: it is void, and all of it waits.
    Abandon,
}

/// Decides on lines that come to `rest`. `begun` is what stands on the run's invoice already, where an earlier attempt got
/// so far before it was stopped.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn decide(begun: Option<i64>, rest: i64) -> Result<Verdict, MoneyError> {
    let total = begun.unwrap_or_default().checked_add(rest).ok_or(MoneyError::Overflow)?;
    Ok(match begun {
        _ if total > 0 => Verdict::Bill,
        Some(_) => Verdict::Abandon,
        None => Verdict::Wait,
    })
}

/// What lines add to the line items of their invoice: signed minor units and a number of lines for each referred partner and
/// terms.
pub type Items<'a> = BTreeMap<(&'a ExternalId, u32), (i64, u32)>;

/// The first of the lines that can be written together, with what they add to the line items, and the rest.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn next_chunk(lines: &[Unbilled]) -> Result<(&[Unbilled], Items<'_>, &[Unbilled]), MoneyError> {
    let mut items = Items::new();
    let mut taken = 0_usize;
    for Unbilled { line, .. } in lines {
        let more = if items.contains_key(&line.item()) { 1 } else { 2 };
        if taken.saturating_add(items.len()).saturating_add(more) > CHUNK_MAX {
            break;
        }
        let (amount, count) = items.entry(line.item()).or_default();
        *amount = amount.checked_add(line.amount).ok_or(MoneyError::Overflow)?;
        *count = count.saturating_add(1);
        taken = taken.saturating_add(1);
    }
    let (chunk, rest) = lines.split_at_checked(taken).unwrap_or((lines, &[]));
    Ok((chunk, items, rest))
}

#[cfg(test)]
#[path = "billing_tests.rs"]
mod tests;
