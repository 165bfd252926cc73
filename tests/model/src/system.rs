//! What is driven, and how it is held against the model.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::ledger::RewardState;
use domain::reason::Reason;

use crate::model::{Expected, Outcome, Place, State, Verdict};
use crate::op::{PEOPLE, Told, Who, World};

/// An engine, or the core of one.
pub trait System {
    /// One in which nothing has happened.
    fn begin(world: &World) -> Self;

    /// Takes what happens; `aimed` is the reward that something is taken back of by hand. Answers why it is refused.
    fn apply(&mut self, told: &Told, aimed: Option<&Place>) -> Option<Reason>;

    /// What it has written of one tenant.
    fn books(&self, tenant: usize) -> Books;
}

/// A reward with its lines.
#[derive(Debug, Clone)]
pub struct Account {
    pub id: String,
    pub place: Place,
    pub state: RewardState,
    /// What the engine says that stands.
    pub net: i64,
    /// Its opening line and the later ones, in order.
    pub lines: Vec<i64>,
}

/// What a participant has in one unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub available: i64,
    pub shortfall: i64,
    pub pending: i64,
    pub earned: i64,
    pub reversed: i64,
}

/// What was decided of one rule for one recipient.
#[derive(Debug, Clone)]
pub struct Found {
    pub rule: String,
    pub who: Who,
    pub reason: Reason,
    pub target: i64,
}

/// A referral as it was written: who referred, by weight, and since when.
pub type Written = Option<(Vec<(Who, u64)>, DateTime<Utc>)>;

/// What a system has written of one tenant.
#[derive(Debug, Clone, Default)]
pub struct Books {
    pub accounts: Vec<Account>,
    pub balances: BTreeMap<(Who, String), Figures>,
    pub referrals: BTreeMap<Who, Written>,
    /// By source: its reason, and its rules' outcomes.
    pub decisions: BTreeMap<String, (Reason, Vec<Found>)>,
}

/// Holds what is written against what must be. `exact` figures of the books' own arithmetic are checked in any case.
pub fn compare(books: &Books, expected: &Expected) {
    check_ledger(books);
    compare_referrals(books, expected);
    compare_rewards(books, expected);
    compare_balances(books, expected);
    compare_decisions(books, expected);
}

/// What has been written stays as it was: lines are only ever added at the end.
pub fn check_appended(before: &Books, after: &Books) {
    for known in &before.accounts {
        let same = after.accounts.iter().find(|account| account.id == known.id);
        let same = same.unwrap_or_else(|| panic!("{} is gone: {known:?}", known.id));
        assert_eq!(same.place, known.place);
        assert!(same.lines.starts_with(&known.lines), "{known:?} became {same:?}");
    }
    for (who, known) in &before.referrals {
        assert_eq!(after.referrals.get(who), Some(known), "{}", PEOPLE[*who]);
    }
}

/// The ledger by itself: what stands is the sum of the lines, and never below zero; balances come to it.
fn check_ledger(books: &Books) {
    let mut sums: BTreeMap<(Who, String), (i64, i64, i64)> = BTreeMap::new();
    for account in &books.accounts {
        let mut running = 0;
        let sum = sums.entry((account.place.who, account.place.unit.clone())).or_default();
        for line in &account.lines {
            running += line;
            assert!(running >= 0 && *line != 0, "takes more than was given: {account:?}");
            if *line > 0 {
                sum.1 += line;
            } else {
                sum.2 -= line;
            }
        }
        assert_eq!(running, account.net, "{account:?}");
        sum.0 += running;
    }
    for (key, figures) in &books.balances {
        let (stands, earned, reversed) = sums.get(key).copied().unwrap_or_default();
        assert_eq!((figures.earned, figures.reversed), (earned, reversed), "{key:?}");
        assert_eq!(figures.available - figures.shortfall + figures.pending, stands, "{key:?}: {figures:?}");
    }
}

fn compare_referrals(books: &Books, expected: &Expected) {
    let people: Vec<Who> = expected.referrals.keys().copied().collect();
    assert_eq!(books.referrals.keys().copied().collect::<Vec<_>>(), people, "who has signed up");
    for (who, bound) in &expected.referrals {
        let (written, name) = (&books.referrals[who], PEOPLE[*who]);
        let Some(bound) = bound else {
            assert_eq!(written, &None, "{name}");
            continue;
        };
        let (shares, at) = written.as_ref().unwrap_or_else(|| panic!("{name} is not referred"));
        assert_eq!(*at, bound.at, "{name}");
        let sum: u64 = shares.iter().map(|(_, weight)| weight).sum();
        let whole: i64 = bound.referrers.iter().map(|(_, weight)| weight).sum();
        assert_eq!(shares.len(), bound.referrers.len(), "{name}: {shares:?}, {bound:?}");
        for ((who, weight), (must, part)) in shares.iter().zip(&bound.referrers) {
            assert_eq!(who, must, "{name}: {shares:?}, {bound:?}");
            let (weight, sum) = (i128::from(*weight), i128::from(sum));
            assert_eq!(weight * i128::from(whole), i128::from(*part) * sum, "{name}: {shares:?}, {bound:?}");
        }
    }
}

fn compare_rewards(books: &Books, expected: &Expected) {
    let mut standing: BTreeMap<&Place, (i64, RewardState)> = BTreeMap::new();
    for account in books.accounts.iter().filter(|account| account.net != 0) {
        let known = standing.insert(&account.place, (account.net, account.state));
        assert!(known.is_none(), "given twice: {account:?}");
    }
    let must: BTreeMap<&Place, i64> = expected
        .accounts
        .iter()
        .map(|(place, account)| (place, account.stands()))
        .filter(|(_, stands)| *stands != 0)
        .collect();
    let found: BTreeMap<&Place, i64> = standing.iter().map(|(place, (net, _))| (*place, *net)).collect();
    assert_eq!(found, must, "what stands, and what must");
    for (place, (_, state)) in standing {
        let must = match expected.accounts[place].state {
            State::None => panic!("{place:?} must not stand"),
            State::Pending => RewardState::Pending,
            State::Held => RewardState::Held,
            State::Approved => RewardState::Approved,
            State::Fulfilling => RewardState::Fulfilling,
            State::Fulfilled => RewardState::Fulfilled,
        };
        assert_eq!(state, must, "{place:?}: {:?}", expected.accounts[place]);
    }
}

fn compare_balances(books: &Books, expected: &Expected) {
    let mut sums: BTreeMap<(Who, String), (i64, i64)> = BTreeMap::new();
    for (place, account) in &expected.accounts {
        let (pending, delivered) = account.figures();
        let sum = sums.entry((place.who, place.unit.clone())).or_default();
        *sum = (sum.0 + pending, sum.1 + delivered);
    }
    let units: Vec<_> = sums.keys().chain(books.balances.keys()).cloned().collect();
    for key in units {
        let (pending, delivered) = sums.get(&key).copied().unwrap_or_default();
        let figures = books.balances.get(&key).copied().unwrap_or_default();
        let must = (pending, delivered.max(0), delivered.min(0).abs());
        assert_eq!((figures.pending, figures.available, figures.shortfall), must, "{key:?}: {figures:?}");
    }
}

fn compare_decisions(books: &Books, expected: &Expected) {
    for (source, verdict) in &expected.verdicts {
        let Some((reason, found)) = books.decisions.get(source) else {
            panic!("{source} was not decided: {verdict:?}")
        };
        match verdict {
            Verdict::Refused(must) => assert_eq!(reason, must, "{source}"),
            Verdict::Decided(outcomes) => {
                assert!(!refuses_whole(*reason), "{source}: {reason}, {outcomes:?}");
                for outcome in outcomes {
                    compare_outcome(source, outcome, found);
                }
            }
        }
    }
}

fn compare_outcome(source: &str, outcome: &Outcome, found: &[Found]) {
    let same = |found: &&Found| found.rule == outcome.rule && found.who == outcome.who;
    let Some(found) = found.iter().find(same) else { panic!("{source}: nothing is said of {outcome:?}") };
    assert!(outcome.reasons.contains(&found.reason), "{source}: {outcome:?}, {found:?}");
    let must = outcome.gives.as_ref().map_or(0, |(amount, _)| *amount);
    assert_eq!(found.target, must, "{source}: {outcome:?}, {found:?}");
}

/// Whether a reason is one of a whole source: steps 1 to 4.
fn refuses_whole(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::AwaitingPayment
            | Reason::PayerUnknown
            | Reason::AwaitingSignup
            | Reason::NotReferred
            | Reason::OutOfBand
            | Reason::ZeroAmount
            | Reason::PaidBeforeSignup
            | Reason::ProgramNotActive
            | Reason::TrackOnly
    )
}
