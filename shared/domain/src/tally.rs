//! What is counted across sources: of a referee, and of a participant who receives rewards. Only terms that count read
//! and write it, always under its version and in the transaction that it was counted for.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{ParticipantId, RuleId, SourceId};
use crate::ledger::Posted;
use crate::money::{Money, MoneyError, Unit};
use crate::reason::Reason;
use crate::terms::CapPeriod;

/// What is counted of a referee, for one of its referrals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefereeTally {
    /// The earliest event that can earn by an amount: a paid invoice, a payout record or a qualifying event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_payment: Option<FirstPayment>,
    /// The earliest paid invoice that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_invoice: Option<FirstPayment>,
    /// How often each rule has paid for this referee.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rewards: BTreeMap<RuleId, u32>,
    /// Qualifying events that stand.
    #[serde(default)]
    pub standing: u32,
}

/// The first payment of a referee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstPayment {
    /// Which.
    pub source: SourceId,
    /// When (business time).
    pub at: DateTime<Utc>,
}

/// What is counted of a participant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Referrals that qualify now.
    #[serde(default)]
    pub qualified: u32,
    /// The most that have qualified at any time.
    #[serde(default)]
    pub qualified_peak: u32,
    /// What referrals have brought and still stands.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub revenue: BTreeMap<Unit, i64>,
    /// The most that it has been at any time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub revenue_peak: BTreeMap<Unit, i64>,
    /// What each rule has given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<RuleId, RuleTally>,
    /// Milestones that were awarded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub milestones: Vec<Awarded>,
    /// What stands of everything earned, by unit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub earned: BTreeMap<Unit, i64>,
    /// Units in which some reward waits until enough is earned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Unit>,
    /// Referrals made.
    #[serde(default)]
    pub referrals: u32,
}

/// What one rule has given one participant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleTally {
    /// Events that it paid for.
    pub enrolled: u32,
    /// What it took of each cap, by the cap's period: only the latest period of each kind is kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub spent: BTreeMap<CapPeriod, Spent>,
}

/// What was taken of a cap in one period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Which period: `2026-11-22`, `2026-W47`, `2026-11`, or empty for all time.
    pub period: String,
    /// How much, by unit.
    pub amounts: BTreeMap<Unit, i64>,
}

/// A milestone that was awarded, and what of it is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awarded {
    /// At how many referrals.
    pub at: u32,
    /// What was promised when it was reached.
    pub amount: i64,
    /// What of it is posted.
    pub posted: Posted,
}

/// Everything counted that one decision may need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Of the referee.
    pub referee: RefereeTally,
    /// Of the participants who may receive.
    pub recipients: BTreeMap<ParticipantId, Tally>,
}

/// What counted rules came to for one source when they first met it. It is kept with the source, so that a later event
/// of the source neither counts again nor loses its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The rule.
    pub rule: RuleId,
    /// The recipient.
    pub recipient: ParticipantId,
    /// Why the rule does not pay for this source; none when it does, or when the event gives nothing to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Reason>,
    /// The reward of the whole event, for which room was taken; zero when it never came to that.
    pub gross: i64,
    /// Its unit; another tier may give another, under other caps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The most that the caps leave to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<i64>,
    /// How many referrals had qualified, this one included, where tiers count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrals: Option<u32>,
    /// What referrals had brought, this event included, where tiers count that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revenue: Option<i64>,
    /// How often the rule had paid for this referee before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewards_before: Option<u32>,
}

/// What a source adds to the counters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// Whether it is a qualifying event that stands.
    #[serde(default)]
    pub stands: bool,
    /// What it brings and still stands, by referrer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub revenue: BTreeMap<ParticipantId, i64>,
}

/// What a source keeps of what was counted for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// How counted rules met it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admissions: Vec<Admission>,
    /// What it adds to the counters now.
    #[serde(default)]
    pub contribution: Contribution,
    /// By which of the payer's referrals.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub referral: u32,
}

const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Memory {
    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Tally {
    /// Counts one more referral.
    ///
    /// # Errors
    /// [`Reason::ReferrerLimitReached`] when there are as many as the terms allow.
    pub fn refer(&mut self, most: Option<u32>) -> Result<(), Reason> {
        if most.is_some_and(|most| self.referrals >= most) {
            return Err(Reason::ReferrerLimitReached);
        }
        self.referrals = self.referrals.saturating_add(1);
        Ok(())
    }

    /// Adds to what was earned; below zero where something was taken back.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn earn(&mut self, amount: Money) -> Result<(), MoneyError> {
        let sum = self.earned.entry(amount.unit).or_default();
        *sum = sum.checked_add(amount.amount).ok_or(MoneyError::Overflow)?;
        Ok(())
    }

    /// Notes that a reward of a unit is new, and answers whether it must wait until more is earned.
    pub(crate) fn must_wait(&mut self, unit: Unit, min_earnings: &[Money]) -> bool {
        let waits = !self.has_earned_enough(unit, min_earnings);
        if waits && !self.waiting.contains(&unit) {
            self.waiting.push(unit);
        }
        waits
    }

    /// The units whose rewards have waited and need not any more: enough is earned, or the terms ask for nothing.
    pub fn release(&mut self, min_earnings: &[Money]) -> Vec<Unit> {
        let waiting = std::mem::take(&mut self.waiting);
        let (released, still) =
            waiting.into_iter().partition(|unit| self.has_earned_enough(*unit, min_earnings));
        self.waiting = still;
        released
    }

    fn has_earned_enough(&self, unit: Unit, min_earnings: &[Money]) -> bool {
        let earned = self.earned.get(&unit).copied().unwrap_or(0);
        min_earnings.iter().filter(|least| least.unit == unit).all(|least| earned >= least.amount)
    }

    /// What a rule has taken of a cap in the period of `now`.
    #[must_use]
    pub fn spent(&self, rule: &RuleId, per: CapPeriod, unit: Unit, now: DateTime<Utc>) -> i64 {
        let spent = self.rules.get(rule).and_then(|rule| rule.spent.get(&per));
        // Clocks differ a little: a period that has begun for one writer has begun for all.
        let current = spent.filter(|spent| spent.period >= period_of(per, now));
        current.and_then(|spent| spent.amounts.get(&unit)).copied().unwrap_or(0)
    }

    /// Notes what a rule takes of its caps.
    pub(crate) fn spend(
        &mut self,
        rule: &RuleId,
        per: CapPeriod,
        unit: Unit,
        amount: i64,
        now: DateTime<Utc>,
    ) {
        let spent = self.rules.entry(rule.clone()).or_default().spent.entry(per).or_default();
        let period = period_of(per, now);
        if spent.period < period {
            *spent = Spent { period, amounts: BTreeMap::new() };
        }
        let sum = spent.amounts.entry(unit).or_default();
        *sum = sum.saturating_add(amount);
    }
}

/// The period of a moment, in UTC.
#[must_use]
pub fn period_of(per: CapPeriod, at: DateTime<Utc>) -> String {
    match per {
        CapPeriod::Day => at.format("%Y-%m-%d").to_string(),
        CapPeriod::Week => format!("{}-W{:02}", at.iso_week().year(), at.iso_week().week()),
        CapPeriod::Month => at.format("%Y-%m").to_string(),
        CapPeriod::AllTime => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    #[test]
    fn periods_are_those_of_the_calendar_in_utc() {
        let at = |year, month, day| Utc.with_ymd_and_hms(year, month, day, 23, 59, 59).unwrap();
        assert_eq!(period_of(CapPeriod::Day, at(2026, 11, 22)), "2026-11-22");
        assert_eq!(period_of(CapPeriod::Week, at(2026, 11, 22)), "2026-W47");
        assert_eq!(period_of(CapPeriod::Week, at(2027, 1, 1)), "2026-W53");
        assert_eq!(period_of(CapPeriod::Month, at(2026, 11, 22)), "2026-11");
        assert_eq!(period_of(CapPeriod::AllTime, at(2026, 11, 22)), "");
    }

    #[test]
    fn a_new_period_begins_with_nothing_spent() {
        let (rule, unit) = (RuleId::parse("r").unwrap(), Unit::parse("USD").unwrap());
        let day = |day| Utc.with_ymd_and_hms(2026, 11, day, 12, 0, 0).unwrap();
        let mut tally = Tally::default();
        tally.spend(&rule, CapPeriod::Day, unit, 70, day(1));
        tally.spend(&rule, CapPeriod::Day, unit, 20, day(1));
        assert_eq!(tally.spent(&rule, CapPeriod::Day, unit, day(1)), 90);
        assert_eq!(tally.spent(&rule, CapPeriod::Day, unit, day(2)), 0);
        tally.spend(&rule, CapPeriod::Day, unit, 5, day(2));
        assert_eq!(tally.spent(&rule, CapPeriod::Day, unit, day(2)), 5);
    }

    #[test]
    fn a_clock_that_lags_spends_of_the_period_that_has_begun() {
        let (rule, unit) = (RuleId::parse("r").unwrap(), Unit::parse("USD").unwrap());
        let day = |day| Utc.with_ymd_and_hms(2026, 11, day, 12, 0, 0).unwrap();
        let mut tally = Tally::default();
        tally.spend(&rule, CapPeriod::Day, unit, 70, day(2));
        tally.spend(&rule, CapPeriod::Day, unit, 20, day(1));
        assert_eq!(tally.spent(&rule, CapPeriod::Day, unit, day(1)), 90);
        assert_eq!(tally.spent(&rule, CapPeriod::Day, unit, day(2)), 90);
    }

    #[test]
    fn a_unit_waits_once_until_enough_of_it_is_earned() {
        let money = |amount, unit| Money::new(amount, Unit::parse(unit).unwrap());
        let (usd, eur) = (Unit::parse("USD").unwrap(), Unit::parse("EUR").unwrap());
        let least = [money(1_000, "USD"), money(500, "EUR")];
        let mut tally = Tally::default();
        for amount in [400, 400] {
            tally.earn(money(amount, "USD")).unwrap();
            assert!(tally.must_wait(usd, &least));
            assert_eq!((tally.release(&least), &*tally.waiting), (Vec::new(), &[usd][..]));
        }
        assert!(tally.must_wait(eur, &least));
        tally.earn(money(200, "USD")).unwrap();
        assert!(!tally.must_wait(usd, &least));
        assert_eq!((tally.release(&least), &*tally.waiting), (vec![usd], &[eur][..]));
        // What need not wait is not released either.
        assert!(!tally.must_wait(usd, &least));
        assert_eq!((tally.release(&least), &*tally.waiting), (Vec::new(), &[eur][..]));
        assert_eq!((tally.release(&[]), &*tally.waiting), (vec![eur], &[][..]));
    }

    #[test]
    fn a_memory_with_anything_in_it_is_kept() {
        assert!(Memory::default().is_empty());
        let contribution = Contribution { stands: true, ..Contribution::default() };
        assert!(!Memory { contribution, ..Memory::default() }.is_empty());
    }

    #[test]
    fn a_source_keeps_the_number_of_a_later_referral_and_no_other() {
        let first = Memory::default();
        let json = serde_json::to_value(&first).unwrap();
        assert!(json.get("referral").is_none(), "{json}");
        let second = Memory { referral: 1, ..first };
        let json = serde_json::to_value(&second).unwrap();
        assert_eq!(json["referral"], 1);
        assert_eq!(serde_json::from_value::<Memory>(json).unwrap(), second);
    }
}
