//! What everybody must have: computed from what was told, from the beginning each time, by what the documents promise.
//!
//! Nothing here is shared with the engine but the words: terms, reasons, ids. What does not count is a function of the set
//! of facts. What counts goes by the order in which the engine decides, and is kept with the event that it was counted for:
//! that is promised too, so the model walks through the events in that order.

mod account;
mod counting;
mod facts;
mod promise;
mod referral;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use domain::program::{ProgramStatus, TermsPolicy};
use domain::reason::Reason;
use domain::terms::{Recipient, RewardRule, TermsDraft, Trigger};

use crate::op::{Op, Told, Who, World, event_of};

pub use account::{Account, State};
use counting::Counters;
use facts::{Facts, Kind};
pub use referral::{Bound, Referrals, touched_at};

/// Where a reward belongs: its source, its rule, its recipient and its unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub source: String,
    pub rule: String,
    pub who: Who,
    pub unit: String,
}

/// What a rule comes to for one recipient.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub rule: String,
    pub who: Who,
    /// Any of these; none where the documents do not say.
    pub reasons: Vec<Reason>,
    /// What it gives, and of which unit; nothing where it is refused.
    pub gives: Option<(i64, String)>,
    /// What it would give if nothing of the event had been taken back.
    pub whole: i64,
}

/// What a source comes to.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It earns nothing as a whole.
    Refused(Reason),
    /// Its rules were decided.
    Decided(Vec<Outcome>),
}

/// What must be by now.
#[derive(Debug, Default)]
pub struct Expected {
    /// Why the last thing that was told is refused, if it is: any of these.
    pub refusal: Vec<Reason>,
    pub referrals: Referrals,
    pub verdicts: BTreeMap<String, Verdict>,
    pub accounts: BTreeMap<Place, Account>,
    /// The reward that was last to be taken back by hand.
    pub aimed: Option<Place>,
}

/// What a rule gives one recipient.
struct Given {
    amount: i64,
    whole: i64,
    unit: String,
}

/// One tenant, as it is counted.
struct Model<'a> {
    versions: &'a [TermsDraft],
    policy: TermsPolicy,
    /// Which version holds from when.
    terms: Vec<(DateTime<Utc>, usize)>,
    statuses: Vec<(DateTime<Utc>, ProgramStatus)>,
    told: BTreeMap<String, Vec<&'a Told>>,
    counters: Counters,
    expected: Expected,
    now: DateTime<Utc>,
}

/// What must be of a tenant after everything that it was told.
pub fn expect(world: &World, tenant: usize) -> Expected {
    expect_of(world, tenant, |_| true)
}

/// The same of some of what it was told: who has referred whom needs no payments, and is asked for often.
pub fn expect_of(world: &World, tenant: usize, matters: impl Fn(&Op) -> bool) -> Expected {
    let promised = &world.tenants[tenant];
    let mut model = Model {
        versions: &promised.versions,
        policy: promised.policy,
        terms: vec![(DateTime::<Utc>::MIN_UTC, 0)],
        statuses: vec![(DateTime::<Utc>::MIN_UTC, ProgramStatus::Active)],
        told: BTreeMap::new(),
        counters: Counters::default(),
        expected: Expected::default(),
        now: crate::op::beginning(),
    };
    for told in world.told_to(tenant).filter(|told| matters(&told.op)) {
        model.take(told);
    }
    model.expected
}

/// When a change takes effect: after a minute, and never before the change that it follows.
fn effect<T>(changes: &[(DateTime<Utc>, T)], now: DateTime<Utc>) -> DateTime<Utc> {
    let last = changes.last().unwrap().0;
    let after = if last == DateTime::<Utc>::MIN_UTC { last } else { last + Duration::milliseconds(1) };
    (now + Duration::seconds(60)).max(after)
}

fn held<T: Copy>(changes: &[(DateTime<Utc>, T)], at: DateTime<Utc>) -> T {
    changes.iter().rev().find(|(from, _)| *from <= at).unwrap().1
}

impl<'a> Model<'a> {
    fn take(&mut self, told: &'a Told) {
        self.now = told.now;
        self.expected.refusal.clear();
        self.expected.aimed = None;
        match &told.op {
            Op::Wait { .. } => {}
            Op::Terms { version } => {
                self.terms.push((effect(&self.terms, told.now), version % self.versions.len()));
            }
            Op::Pause { paused } => {
                let to = if *paused { ProgramStatus::Paused } else { ProgramStatus::Active };
                if self.statuses.last().unwrap().1 != to {
                    self.statuses.push((effect(&self.statuses, told.now), to));
                }
            }
            Op::SignUp { who, .. } => self.sign_up(*who, told),
            Op::Claim { who } => self.each_account(*who, |account, now| account.claim(now)),
            Op::Complete { who } => self.each_account(*who, |account, _| account.complete()),
            Op::Approve { who } => self.each_account(*who, |account, now| account.approve(now)),
            Op::TakeBack { nth, amount, reject } => self.take_back(*nth, *amount, *reject),
            Op::Paid { invoice, .. }
            | Op::Refund { invoice, .. }
            | Op::Refunded { invoice, .. }
            | Op::Credit { invoice, .. }
            | Op::Dispute { invoice, .. }
            | Op::Shared { invoice, .. }
            | Op::Void { invoice } => {
                let source = format!("invoice/example/in_{invoice}");
                let earlier = self.told.get(&source).map_or(&[][..], |told| told.as_slice());
                match facts::contradiction(&told.op, earlier) {
                    Some(reason) => self.expected.refusal.push(reason),
                    None => self.hear(source, told),
                }
            }
            Op::Happened { id, .. } | Op::Cancelled { id } => {
                self.hear(format!("event/{}/e{id}", event_of(*id).1), told);
            }
            Op::Payout { id, .. } => self.hear(format!("payout/example/po_{id}"), told),
        }
    }

    fn each_account(&mut self, who: Who, change: impl Fn(&mut Account, DateTime<Utc>)) {
        for (_, account) in self.expected.accounts.iter_mut().filter(|(place, _)| place.who == who) {
            change(account, self.now);
        }
    }

    fn take_back(&mut self, nth: usize, amount: Option<i64>, reject: bool) {
        let standing = self.expected.accounts.iter_mut().filter(|(_, account)| account.stands() > 0);
        let mut standing: Vec<_> = standing.collect();
        if standing.is_empty() {
            return;
        }
        let place = nth % standing.len();
        let (place, account) = standing.swap_remove(place);
        let place = place.clone();
        self.expected.aimed = Some(place.clone());
        if account.take_back(amount, reject) {
            self.follow(vec![place]);
        }
    }

    fn hear(&mut self, source: String, told: &'a Told) {
        self.told.entry(source.clone()).or_default().push(told);
        self.decide(&source);
    }

    fn sign_up(&mut self, who: Who, told: &'a Told) {
        let draft = self.terms_at(told.at, told.at).clone();
        let status = held(&self.statuses, told.at);
        let new = !self.expected.referrals.contains_key(&who);
        match referral::sign_up(&mut self.expected.referrals, told, &draft, status) {
            Err(reasons) => self.expected.refusal = reasons,
            Ok(()) if new => {
                if draft.rules.iter().any(|rule| rule.trigger == Trigger::Signup) {
                    self.hear(format!("signup/own/{}", crate::op::PEOPLE[who]), told);
                }
                let mut waited: Vec<_> = self.told.keys().cloned().collect();
                waited.retain(|source| !source.starts_with("signup/"));
                let mut waited: Vec<_> =
                    waited.into_iter().map(|source| (self.facts(&source), source)).collect();
                waited.retain(|(facts, _)| facts.payer == Some(who));
                waited.sort_by_key(|(facts, source)| (facts.at, source.clone()));
                for (_, source) in waited {
                    self.decide(&source);
                }
            }
            Ok(()) => {}
        }
    }

    /// The terms that hold for an event of a referral that was made at `bound_at`.
    fn terms_at(&self, bound_at: DateTime<Utc>, at: DateTime<Utc>) -> &'a TermsDraft {
        let moment = if self.policy == TermsPolicy::Keep { bound_at.min(at) } else { at };
        &self.versions[held(&self.terms, moment)]
    }

    fn facts(&self, source: &str) -> Facts {
        let told = &self.told[source];
        let number = || source.rsplit(['_', 'e']).next().unwrap().parse().unwrap();
        match &told[0].op {
            Op::SignUp { who, .. } => Facts::sign_up(*who, told[0].at),
            Op::Happened { id, .. } | Op::Cancelled { id } => facts::event(*id, told),
            Op::Payout { id, .. } => facts::payout(*id, told),
            _ => facts::invoice(number(), told),
        }
    }

    fn decide(&mut self, source: &str) {
        let facts = self.facts(source);
        let changed = self.settle(source, &facts);
        self.follow(changed);
    }

    /// What the second level gives for what has changed.
    fn follow(&mut self, changed: Vec<Place>) {
        let cascades = self.terms.iter().map(|(_, version)| &self.versions[*version]).any(|draft| {
            !draft.track_only && draft.rules.iter().any(|rule| rule.trigger == Trigger::RewardEarned)
        });
        for place in changed {
            let referred = self.expected.referrals.get(&place.who).is_some_and(Option::is_some);
            if place.source.starts_with("reward ") || !cascades || !referred {
                continue;
            }
            let account = &self.expected.accounts[&place];
            let facts = Facts::reward(place.who, account.at, account.stands(), &place.unit);
            let Place { source, rule, who, unit } = &place;
            let source = format!("reward {source}|{rule}|{who}|{unit}|{}", account.again);
            self.settle(&source, &facts);
        }
    }

    /// Decides a source, and brings the accounts to what it gives. Answers which have changed.
    fn settle(&mut self, source: &str, facts: &Facts) -> Vec<Place> {
        let verdict = match self.refused(facts) {
            Some(reason) => Verdict::Refused(reason),
            None => Verdict::Decided(self.outcomes(source, facts)),
        };
        let mut targets: BTreeMap<Place, (i64, i64)> = BTreeMap::new();
        if matches!(verdict, Verdict::Refused(_)) {
            self.counters.forget(source);
        }
        if let Verdict::Decided(outcomes) = &verdict {
            for outcome in outcomes {
                if let Some((amount, unit)) = &outcome.gives {
                    let (rule, who, unit) = (outcome.rule.clone(), outcome.who, unit.clone());
                    targets.insert(
                        Place { source: source.to_owned(), rule, who, unit },
                        (*amount, outcome.whole),
                    );
                }
            }
        }
        let milestones = self.milestones(facts);
        // What was given and is not given any more falls to nothing.
        let accounts = &self.expected.accounts;
        let before: Vec<Place> = accounts.keys().filter(|place| place.source == source).cloned().collect();
        for place in before {
            targets.entry(place).or_insert((0, 0));
        }
        targets.extend(milestones.into_iter().map(|(place, amount)| (place, (amount, amount))));
        self.expected.verdicts.insert(source.to_owned(), verdict);
        self.post(facts, targets)
    }

    fn post(&mut self, facts: &Facts, targets: BTreeMap<Place, (i64, i64)>) -> Vec<Place> {
        let Some(at) = facts.at else { return Vec::new() };
        let mut changed = Vec::new();
        let mut opened = Vec::new();
        for (place, (target, whole)) in targets {
            let account = self.expected.accounts.entry(place.clone()).or_default();
            let before = account.stands();
            if account.aim(target, at) {
                opened.push((place.clone(), whole));
            }
            if account.stands() != before {
                changed.push(place);
            }
        }
        self.expected.accounts.retain(|_, account| account.was_opened());
        let Some(bound) = facts.payer.and_then(|payer| self.expected.referrals.get(&payer)?.as_ref()) else {
            return changed;
        };
        let draft = self.terms_at(bound.at, at);
        account::hold(&mut self.expected.accounts, draft, &changed, &opened, at, self.now);
        changed
    }

    /// Why the whole source earns nothing, if it does: steps 1 to 4.
    fn refused(&self, facts: &Facts) -> Option<Reason> {
        let Some(at) = facts.at else { return Some(Reason::AwaitingPayment) };
        let bound = match facts.payer.and_then(|payer| self.expected.referrals.get(&payer)) {
            None => return Some(Reason::AwaitingSignup),
            Some(None) => return Some(Reason::NotReferred),
            Some(Some(bound)) => bound,
        };
        let draft = self.terms_at(bound.at, at);
        let grace = Duration::hours(i64::from(draft.grace_hours));
        let checks = [
            (facts.outside && !draft.accept_out_of_band, Reason::OutOfBand),
            (facts.paid == Some(0) && !draft.accept_zero_amount, Reason::ZeroAmount),
            (at < bound.at - grace, Reason::PaidBeforeSignup),
            (held(&self.statuses, at) != ProgramStatus::Active, Reason::ProgramNotActive),
            (draft.track_only, Reason::TrackOnly),
        ];
        checks.into_iter().find(|(fails, _)| *fails).map(|(_, reason)| reason)
    }

    /// What every rule gives: steps 5 to 10.
    fn outcomes(&mut self, source: &str, facts: &Facts) -> Vec<Outcome> {
        let (payer, at) = (facts.payer.unwrap(), facts.at.unwrap());
        let bound = self.expected.referrals[&payer].clone().unwrap();
        let draft = self.terms_at(bound.at, at);
        self.counters.contribute(source, payer, &bound, facts);
        let mut outcomes = Vec::new();
        let mut applied: BTreeSet<String> = BTreeSet::new();
        for rule in draft.rules.iter().filter(|rule| rule.trigger != Trigger::ReferralCount) {
            let set = rule.first_of.as_ref().map(|set| set.as_str().to_owned());
            let recipients = match rule.recipient {
                Recipient::Referrer => bound.referrers.clone(),
                Recipient::Referee => vec![(payer, 1)],
            };
            let admitted = if set.as_ref().is_some_and(|set| applied.contains(set)) {
                Err(Reason::EarlierRuleApplied)
            } else {
                promise::admits(rule, facts, &bound)
                    .and_then(|()| self.counters.admit(rule, source, payer, facts.kind == Kind::Invoice, at))
            };
            if admitted.is_ok() {
                applied.extend(set);
            }
            for (index, (who, _)) in recipients.iter().enumerate() {
                let given = admitted.and_then(|()| self.given(rule, source, facts, &recipients, index));
                outcomes.push(outcome(rule, *who, facts, given));
            }
        }
        outcomes
    }

    /// What the rule gives one of its recipients: steps 8 to 10.
    fn given(
        &mut self,
        rule: &RewardRule,
        source: &str,
        facts: &Facts,
        recipients: &[(Who, i64)],
        index: usize,
    ) -> Result<Given, Reason> {
        let who = recipients[index].0;
        let reached = self.counters.reached(rule, source, who);
        let (whole, unit) = promise::value(rule, facts, reached)?;
        let (gross, _) = promise::value(rule, &facts.gross(), reached)?;
        let part = |amount| divide(amount, recipients)[index];
        // What a reward takes of a cap it keeps when something is taken back: the place is that of the whole event.
        let payer = facts.payer.unwrap();
        let room = self.counters.within(rule, source, (payer, who), (part(gross), &unit), self.now)?;
        Ok(Given { amount: part(whole).min(room), whole: part(gross).min(room), unit })
    }

    /// What the milestones of the referrers come to.
    fn milestones(&mut self, facts: &Facts) -> Vec<(Place, i64)> {
        let bound = facts.payer.and_then(|payer| self.expected.referrals.get(&payer)?.clone());
        let Some((bound, at)) = bound.zip(facts.at) else { return Vec::new() };
        let draft = self.terms_at(bound.at, at);
        let who = bound.referrers[0].0;
        let awards = self.counters.awards(draft, who).into_iter();
        let place = |(rule, at, unit): (String, u32, String)| {
            let source = format!("milestone/own/{rule}.{at}");
            Place { source, rule, who, unit }
        };
        awards.map(|(award, amount)| (place(award), amount)).collect()
    }
}

fn outcome(rule: &RewardRule, who: Who, facts: &Facts, given: Result<Given, Reason>) -> Outcome {
    let rule = rule.id.as_str().to_owned();
    match given {
        Err(reason) => Outcome { rule, who, reasons: vec![reason], gives: None, whole: 0 },
        Ok(Given { amount, whole, unit }) => {
            // Nothing stands, or what stands comes to less than a minor unit.
            let gone = if facts.stands() { Vec::new() } else { facts.why_gone() };
            let reasons = match gone {
                _ if amount > 0 => vec![Reason::Earned],
                gone if gone.is_empty() => vec![Reason::RoundsToZero],
                gone => gone,
            };
            Outcome { rule, who, reasons, gives: Some((amount, unit)), whole }
        }
    }
}

/// Divides an amount exactly: one minor unit each to the largest remainders.
fn divide(whole: i64, shares: &[(Who, i64)]) -> Vec<i64> {
    let total: i64 = shares.iter().map(|(_, weight)| weight).sum();
    let mut parts: Vec<i64> = shares.iter().map(|(_, weight)| whole * weight / total).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|index| -(whole * shares[*index].1 % total));
    let left = whole - parts.iter().sum::<i64>();
    for index in order.into_iter().take(usize::try_from(left).unwrap()) {
        parts[index] += 1;
    }
    parts
}
