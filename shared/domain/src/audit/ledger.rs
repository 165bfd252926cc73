//! A participant's ledger: each reward with the lines that correct it, and the balance.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};

use crate::billing::SETTLING_MINUTES;
use crate::id::{ParticipantId, RewardId};
use crate::ledger::{Balances, Entry, Figures, Line, Reward, RewardState, add_line};
use crate::money::{Money, MoneyError, Unit};

use super::{Finding, FindingCode, in_lines, participant_row, reward_row};

/// A participant's ledger, or the latest part of it, as it is read: oldest line first, snapshots in their places.
#[derive(Debug)]
pub struct Ledger {
    participant: ParticipantId,
    is_whole: bool,
    first: Option<DateTime<Utc>>,
    /// Whether the sum has begun: with the first line of all, or at a snapshot.
    is_begun: bool,
    accounts: BTreeMap<RewardId, Account>,
    /// The sum of the lines.
    summed: Balances,
    /// What whoever asks for the balance is answered: the latest snapshot and the lines since.
    answered: Balances,
    lines: u64,
    rewards: u64,
}

/// A reward and what corrects it.
#[derive(Debug, Default)]
struct Account {
    reward: Option<Box<Reward>>,
    /// Sum of the corrections.
    corrected: i64,
    /// Those of them that changed what is to be delivered.
    before_delivery: i64,
    entries: u32,
    last_number: u32,
    /// A correction that does not fit.
    misfit: Option<String>,
}

impl Ledger {
    /// A ledger of which nothing is read yet: from its first line on, or from a later one.
    #[must_use]
    pub fn new(participant: ParticipantId, is_whole: bool) -> Self {
        Self {
            participant,
            is_whole,
            first: None,
            is_begun: is_whole,
            accounts: BTreeMap::new(),
            summed: Balances::new(),
            answered: Balances::new(),
            lines: 0,
            rewards: 0,
        }
    }

    /// The next line.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn line(&mut self, line: Line) -> Result<(), MoneyError> {
        add_line(&mut self.summed, &line)?;
        add_line(&mut self.answered, &line)?;
        self.first = self.first.or(Some(line.recorded_at()));
        self.lines = self.lines.saturating_add(1);
        match line {
            Line::Reward(reward) => {
                self.rewards = self.rewards.saturating_add(1);
                let account = self.accounts.entry(reward.reward.clone()).or_default();
                account.reward = Some(reward);
            }
            Line::Entry(entry) => self.accounts.entry(entry.reward.clone()).or_default().correct(&entry),
            Line::Redemption(_) => {}
        }
        Ok(())
    }

    /// A snapshot of everything before it. Where that was not read, it is taken at its word.
    pub fn snapshot(&mut self, balances: Balances) {
        if !self.is_begun {
            self.summed.clone_from(&balances);
            self.is_begun = true;
        }
        self.answered = balances;
    }

    /// How many lines and how many rewards have been read.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.lines, self.rewards)
    }

    /// What is wrong with it.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        // Clocks differ a little: a correction can stand just before its reward.
        let certain = self.first.map(|first| first + Duration::minutes(SETTLING_MINUTES));
        for (id, account) in &self.accounts {
            match &account.reward {
                Some(reward) if self.is_whole || certain.is_some_and(|from| reward.recorded_at >= from) => {
                    account.check(reward, &mut findings);
                }
                None if self.is_whole => {
                    let found = format!("none, and {} corrections of it", account.entries);
                    let row = format!("reward/{id}");
                    let about = "the reward";
                    findings.push(Finding::new(FindingCode::RewardMismatch, row, about, "a reward", found));
                }
                Some(_) | None => {}
            }
        }
        let units: BTreeSet<&Unit> = self.summed.keys().chain(self.answered.keys()).collect();
        for unit in units {
            let of = |balances: &Balances| balances.get(unit).copied().unwrap_or_default();
            let (expected, found) = (of(&self.summed), of(&self.answered));
            if expected != found {
                let row = participant_row(&self.participant);
                let (expected, found) = (told(&expected, *unit), told(&found, *unit));
                let about = format!("the balance in {unit}");
                findings.push(Finding::new(FindingCode::BalanceMismatch, row, about, expected, found));
            }
        }
        findings
    }
}

impl Account {
    fn correct(&mut self, entry: &Entry) {
        self.corrected = self.corrected.saturating_add(entry.delta);
        self.entries = self.entries.saturating_add(1);
        self.last_number = self.last_number.max(entry.number);
        if entry.available == 0 {
            self.before_delivery = self.before_delivery.saturating_add(entry.delta);
        } else if entry.available != entry.delta {
            let of = |amount| Money::new(amount, entry.unit);
            let misfit =
                format!("{} makes {} available of {}", entry.entry, of(entry.available), of(entry.delta));
            self.misfit = Some(misfit);
        }
    }

    fn check(&self, reward: &Reward, findings: &mut Vec<Finding>) {
        let mut compare = |about: &str, expected: String, found: String| {
            if expected != found {
                let code = FindingCode::RewardMismatch;
                findings.push(Finding::new(code, reward_row(reward), about, expected, found));
            }
        };
        let money = |amount: i64| Money::new(amount, reward.unit);
        let (sum, lines) = (reward.delta.saturating_add(self.corrected), self.entries.saturating_add(1));
        let found = in_lines(money(reward.net), reward.lines);
        compare("what stands of it", in_lines(money(sum), lines), found);
        let numbers = |last: u32| format!("corrections up to number {last}");
        compare("its corrections", numbers(self.entries), numbers(self.last_number));
        let misfit = self.misfit.clone().unwrap_or_else(|| "all or nothing of each".to_owned());
        compare("what its corrections make available", "all or nothing of each".to_owned(), misfit);
        let evened = reward.evened;
        let payable = reward.delta.saturating_add(self.before_delivery).saturating_sub(evened);
        compare("what is to be delivered", money(payable).to_string(), money(reward.payable).to_string());
        let is_delivered = reward.settled && reward.fulfilled_at.is_some();
        let delivered = if is_delivered { payable.saturating_add(evened) } else { evened };
        compare("what was delivered", money(delivered).to_string(), money(reward.available).to_string());
        let state = |ends: bool, is_left: bool| format!("settled: {ends}, something stands: {is_left}");
        let (ends, is_left) = state_of(reward);
        compare("its state", state(ends, is_left), state(reward.settled, reward.net > 0));
    }
}

/// What a reward's state says: whether its contribution is final, and whether something of it stands.
const fn state_of(reward: &Reward) -> (bool, bool) {
    match reward.state {
        RewardState::Pending | RewardState::Held | RewardState::Approved => (false, true),
        // A refund can take all of it while it is being delivered.
        RewardState::Fulfilling => (false, reward.net > 0),
        RewardState::Failed => (reward.settled, reward.net > 0),
        RewardState::Fulfilled => (true, true),
        RewardState::Rejected | RewardState::Reversed | RewardState::Expired => (true, false),
    }
}

fn told(figures: &Figures, unit: Unit) -> String {
    let Figures { available, cash, elsewhere, spent, pending, earned, reversed } = *figures;
    let named = [
        ("available", available),
        ("cash", cash),
        ("elsewhere", elsewhere),
        ("spent", spent),
        ("pending", pending),
        ("earned", earned),
        ("reversed", reversed),
    ];
    let told: Vec<String> =
        named.into_iter().map(|(name, amount)| format!("{name} {}", Money::new(amount, unit))).collect();
    told.join(", ")
}
