//! What counts: the first meeting of an event and a rule is kept with the event, a place that was taken stays taken.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _, Utc};
use domain::reason::Reason;
use domain::terms::{CapPeriod, OnDrop, OverCap, Repeat, RewardRule, RuleAmount, TermsDraft, TierBy};

use super::facts::Facts;
use super::promise::lasts;
use super::referral::Bound;
use crate::op::Who;

type Key = (String, String);
/// When something was taken, and how much.
type Spent = (DateTime<Utc>, i64);

/// What one source brings to the counts of its referrer.
#[derive(Debug, Clone)]
struct Brought {
    referrer: Who,
    referee: Who,
    qualifies: bool,
    revenue: BTreeMap<String, i64>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    /// The first of each referee's payments, payout records and qualifying events.
    first: BTreeMap<Who, DateTime<Utc>>,
    /// The first paid of those that were decided so far.
    first_invoice: BTreeMap<Who, (DateTime<Utc>, String)>,
    /// By source and rule: what was found at the first meeting.
    met: BTreeMap<Key, Result<(), Reason>>,
    /// By referee and rule: the sources that it has paid for.
    paid: BTreeMap<(Who, String), BTreeSet<String>>,
    /// By recipient and rule: the source that took the one place.
    once: BTreeMap<(Who, String), String>,
    /// By source, rule and recipient: what was reached at the first meeting.
    tiers: BTreeMap<(String, String, Who), i64>,
    /// By source, rule and recipient: in which unit it has asked for how much of the caps, and what it got.
    rooms: BTreeMap<(String, String, Who), (String, i64, i64)>,
    /// Why it was refused when it was met: that is kept too.
    refused: BTreeMap<(String, String, Who), Reason>,
    /// By recipient, rule and unit: what was taken of the caps, and when.
    spent: BTreeMap<(Who, String, String), Vec<Spent>>,
    brought: BTreeMap<String, Brought>,
    /// The most that each referrer ever reached: referrals, and revenue by currency.
    most: BTreeMap<Who, (i64, BTreeMap<String, i64>)>,
    /// By referrer, rule and number: the amount that it was awarded with.
    awarded: BTreeMap<(Who, String, u32), i64>,
}

impl Counters {
    /// Takes what a source brings to the counts of its referrer.
    pub(super) fn contribute(&mut self, source: &str, payer: Who, bound: &Bound, facts: &Facts) {
        if source.starts_with("invoice/") {
            let this = (facts.at.unwrap(), source.to_owned());
            let known = self.first_invoice.entry(payer).or_insert_with(|| this.clone());
            if this.0 < known.0 {
                *known = this;
            }
            let revenue = facts.currency.map(|currency| (currency.to_owned(), facts.left.unwrap_or(0)));
            let brought = Brought {
                referrer: bound.referrers[0].0,
                referee: payer,
                qualifies: facts.stands(),
                revenue: revenue.into_iter().collect(),
            };
            self.brought.insert(source.to_owned(), brought);
            let who = bound.referrers[0].0;
            let (count, revenue) = (self.count(who), self.revenue(who));
            let most = self.most.entry(who).or_default();
            most.0 = most.0.max(count);
            for (currency, sum) in revenue {
                let known = most.1.entry(currency).or_insert(0);
                *known = sum.max(*known);
            }
        }
        if !source.starts_with("signup/") && !source.starts_with("reward ") {
            let at = facts.at.unwrap();
            let first = self.first.entry(payer).or_insert(at);
            *first = at.min(*first);
        }
    }

    /// A source that earns nothing any more brings nothing.
    pub(super) fn forget(&mut self, source: &str) {
        self.brought.remove(source);
    }

    /// How many referrals of a referrer qualify.
    fn count(&self, who: Who) -> i64 {
        let of = self.brought.values().filter(|brought| brought.referrer == who && brought.qualifies);
        let referees: BTreeSet<Who> = of.map(|brought| brought.referee).collect();
        i64::try_from(referees.len()).unwrap()
    }

    /// What stands of what they brought.
    fn revenue(&self, who: Who) -> BTreeMap<String, i64> {
        let mut sums = BTreeMap::new();
        for brought in self.brought.values().filter(|brought| brought.referrer == who) {
            for (currency, amount) in &brought.revenue {
                *sums.entry(currency.clone()).or_insert(0) += amount;
            }
        }
        sums
    }

    /// Step 7: what was counted of the referee.
    pub(super) fn admit(
        &mut self,
        rule: &RewardRule,
        source: &str,
        payer: Who,
        is_invoice: bool,
        at: DateTime<Utc>,
    ) -> Result<(), Reason> {
        let key = (source.to_owned(), rule.id.as_str().to_owned());
        if let Some(known) = self.met.get(&key) {
            return *known;
        }
        let found = self.meet(rule, source, payer, is_invoice, at);
        self.met.insert(key, found);
        found
    }

    fn meet(
        &self,
        rule: &RewardRule,
        source: &str,
        payer: Who,
        invoice: bool,
        at: DateTime<Utc>,
    ) -> Result<(), Reason> {
        let first = || self.first_invoice.get(&payer).is_some_and(|(_, first)| first == source);
        let paid = self.paid.get(&(payer, rule.id.as_str().to_owned())).map_or(0, BTreeSet::len);
        // A payment that was made before the first, and is told later, is paid for only where the first was not.
        if rule.conditions.first_payment_only && invoice && (!first() || paid > 0) {
            return Err(Reason::NotFirstPayment);
        }
        if rule.repeat == Repeat::OncePerReferee && paid > 0 {
            return Err(Reason::AlreadyEnrolled);
        }
        let most = rule.limits.max_rewards_per_referee;
        if most.is_some_and(|most| paid >= usize::try_from(most).unwrap()) {
            return Err(Reason::RefereeLimitReached);
        }
        let first = self.first.get(&payer).copied().unwrap_or(at);
        if rule.limits.duration_months.is_some_and(|months| !lasts(months, first, at)) {
            return Err(Reason::DurationOver);
        }
        Ok(())
    }

    /// What the rule's tiers count of a recipient, where they do.
    pub(super) fn reached(&mut self, rule: &RewardRule, source: &str, who: Who) -> Option<i64> {
        let Some(RuleAmount::Tiers(tiers)) = &rule.amount else { return None };
        let currency = tiers.currency.map(|unit| unit.code().to_owned()).unwrap_or_default();
        let most = self.most.get(&who).cloned().unwrap_or_default();
        let keeps = tiers.on_drop == OnDrop::Keep;
        let now = match tiers.by {
            TierBy::PaymentAmount => return None,
            TierBy::QualifiedReferrals if keeps => most.0,
            TierBy::QualifiedReferrals => self.count(who),
            TierBy::ReferredRevenue if keeps => most.1.get(&currency).copied().unwrap_or(0),
            TierBy::ReferredRevenue => self.revenue(who).get(&currency).copied().unwrap_or(0),
        };
        let key = (source.to_owned(), rule.id.as_str().to_owned(), who);
        Some(*self.tiers.entry(key).or_insert(now))
    }

    /// Step 10: what of an amount its recipient gets, once and within the caps.
    pub(super) fn within(
        &mut self,
        rule: &RewardRule,
        source: &str,
        (payer, who): (Who, Who),
        (amount, unit): (i64, &str),
        now: DateTime<Utc>,
    ) -> Result<i64, Reason> {
        // Nothing takes no place.
        if amount == 0 {
            return Ok(0);
        }
        let name = rule.id.as_str().to_owned();
        let key = (source.to_owned(), name.clone(), who);
        if let Some(reason) = self.refused.get(&key) {
            return Err(*reason);
        }
        let first = self.once.get(&(who, name.clone()));
        if rule.repeat == Repeat::Once && first.is_some_and(|first| first != source) {
            self.refused.insert(key, Reason::AlreadyEnrolled);
            return Err(Reason::AlreadyEnrolled);
        }
        let spent = self.spent.entry((who, name.clone(), unit.to_owned())).or_default();
        let caps: Vec<_> = rule.limits.caps.iter().filter(|cap| cap.currency.code() == unit).collect();
        let mut room = amount;
        let known = self.rooms.get(&key).cloned();
        let known = known.as_ref().map(|(of, asked, room)| (of.as_str(), *asked, *room));
        if !caps.is_empty() {
            let (asked, taken) =
                known.filter(|(of, ..)| *of == unit).map_or((0, 0), |(_, asked, room)| (asked, room));
            room = taken;
            // What the event has grown by since asks for more.
            if amount > asked {
                let mut more = amount - asked;
                for cap in &caps {
                    let used: i64 =
                        spent.iter().filter(|(at, _)| same(cap.per, *at, now)).map(|(_, sum)| sum).sum();
                    let left = (cap.amount - used).max(0);
                    let refused = cap.over == OverCap::Refuse && left < amount - asked;
                    more = if refused { 0 } else { more.min(left) };
                }
                room += more;
                spent.push((now, more));
            }
            if room == 0 {
                self.refused.insert(key, Reason::CapReached);
                return Err(Reason::CapReached);
            }
        }
        let most = known.filter(|(of, ..)| *of == unit).map_or(amount, |(_, asked, _)| asked.max(amount));
        self.rooms.insert(key, (unit.to_owned(), most, room));
        self.paid.entry((payer, name.clone())).or_default().insert(source.to_owned());
        self.once.entry((who, name)).or_insert_with(|| source.to_owned());
        Ok(room)
    }

    /// What the milestones of a referrer come to: by rule, number and unit.
    pub(super) fn awards(&mut self, draft: &TermsDraft, who: Who) -> Vec<((String, u32, String), i64)> {
        let count = self.count(who);
        let mut awards = Vec::new();
        for rule in &draft.rules {
            let Some(RuleAmount::Milestones(list)) = &rule.amount else { continue };
            for step in &list.steps {
                let key = (who, rule.id.as_str().to_owned(), step.at);
                if count >= i64::from(step.at) {
                    self.awarded.entry(key.clone()).or_insert(step.amount);
                }
                let Some(amount) = self.awarded.get(&key) else { continue };
                let stands = list.on_drop == OnDrop::Keep || count >= i64::from(step.at);
                let award = (rule.id.as_str().to_owned(), step.at, step.currency.code().to_owned());
                awards.push((award, if stands { *amount } else { 0 }));
            }
        }
        awards
    }
}

/// Whether two moments lie in one period.
fn same(per: CapPeriod, one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
    let period = |at: DateTime<Utc>| match per {
        CapPeriod::Day => (at.year(), at.ordinal()),
        CapPeriod::Week => (at.iso_week().year(), at.iso_week().week()),
        CapPeriod::Month => (at.year(), at.month()),
        CapPeriod::AllTime => (0, 0),
    };
    period(one) == period(other)
}
