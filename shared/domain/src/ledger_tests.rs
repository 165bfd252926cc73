use chrono::{DateTime, TimeZone as _, Utc};
use proptest::prelude::*;

use super::sample::{context, delta, usd};
use super::*;
use crate::id::RewardId;

fn at(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_767_225_600 + seconds, 0).unwrap()
}

/// A miniature of the table: what decisions and workers did to one rule of one source.
#[derive(Default)]
struct Account {
    posted: Option<Posted>,
    rewards: Vec<Reward>,
    entries: Vec<Entry>,
    delivered: i64,
    clock: i64,
}

impl Account {
    fn set_target(&mut self, target: i64) {
        self.clock += 1;
        let before = self.posted.as_ref().map_or(0, |posted| posted.amount);
        if target == before {
            return;
        }
        let delta = delta(target - before, self.posted.clone(), Promise::default());
        let context = Context { occurred_at: at(0), ..context(at(self.clock)) };
        let (posting, posted) = post(&delta, self.rewards.last(), &context).unwrap();
        self.posted = Some(posted);
        match posting {
            Posting::Open(reward) => self.rewards.push(*reward),
            Posting::Correct { entry, reward, .. } => {
                self.entries.push(*entry);
                *self.rewards.last_mut().unwrap() = *reward;
            }
        }
    }

    fn claim(&mut self) {
        if let Some(reward) = self.rewards.last_mut()
            && reward.state == RewardState::Approved
        {
            reward.state = RewardState::Fulfilling;
            reward.attempt += 1;
        }
    }

    fn complete(&mut self) {
        if let Some(reward) = self.rewards.last_mut()
            && reward.state == RewardState::Fulfilling
        {
            *reward = reward.completed(None, 0, at(self.clock));
            self.delivered += reward.payable;
        }
    }

    fn fail(&mut self) {
        if let Some(reward) = self.rewards.last_mut()
            && reward.state == RewardState::Fulfilling
        {
            *reward = reward.failed(Failure::new("customer_gone", "", at(self.clock)), None);
        }
    }

    fn retry(&mut self) {
        if let Some(reward) = self.rewards.last_mut()
            && reward.state == RewardState::Failed
        {
            let note = Note { actor: "support".to_owned(), reason: "mended".to_owned() };
            *reward = reward.retried(&note, at(self.clock));
        }
    }

    fn figures(&self) -> Figures {
        let mut balances = Balances::new();
        for reward in &self.rewards {
            add_line(&mut balances, &Line::Reward(Box::new(reward.clone()))).unwrap();
        }
        for entry in &self.entries {
            add_line(&mut balances, &Line::Entry(Box::new(entry.clone()))).unwrap();
        }
        balances.get(&usd(0).unit).copied().unwrap_or_default()
    }
}

#[test]
fn a_reward_becomes_available_when_it_is_fulfilled() {
    let mut account = Account::default();
    account.set_target(2000);
    assert_eq!(
        account.figures(),
        Figures { available: 0, pending: 2000, earned: 2000, reversed: 0, ..Figures::default() }
    );
    account.claim();
    account.complete();
    assert_eq!(
        account.figures(),
        Figures { available: 2000, pending: 0, earned: 2000, reversed: 0, ..Figures::default() }
    );
}

#[test]
fn a_refund_before_delivery_lowers_what_is_delivered() {
    let mut account = Account::default();
    account.set_target(2000);
    account.set_target(1500);
    account.claim();
    account.complete();
    assert_eq!(account.delivered, 1500);
    assert_eq!(
        account.figures(),
        Figures { available: 1500, pending: 0, earned: 2000, reversed: 500, ..Figures::default() }
    );
}

#[test]
fn a_full_refund_before_delivery_ends_the_reward() {
    let mut account = Account::default();
    account.set_target(2000);
    account.set_target(0);
    assert_eq!(account.rewards[0].state, RewardState::Reversed);
    account.claim();
    account.complete();
    assert_eq!(account.delivered, 0);
    assert_eq!(
        account.figures(),
        Figures { available: 0, pending: 0, earned: 2000, reversed: 2000, ..Figures::default() }
    );
}

#[test]
fn a_refund_after_delivery_is_a_clawback_and_a_failed_refund_restores_it() {
    let mut account = Account::default();
    account.set_target(2000);
    account.claim();
    account.complete();
    account.set_target(0);
    assert_eq!(account.figures().available, 0);
    assert_eq!(account.rewards[0].state, RewardState::Reversed);
    account.set_target(2000);
    assert_eq!(account.rewards.len(), 1);
    assert_eq!(account.rewards[0].state, RewardState::Fulfilled);
    assert_eq!(account.entries[1].cause, Cause::Restored);
    assert_eq!(
        account.figures(),
        Figures { available: 2000, pending: 0, earned: 4000, reversed: 2000, ..Figures::default() }
    );
}

#[test]
fn a_reward_taken_back_undelivered_comes_back_as_a_new_one() {
    let mut account = Account::default();
    account.set_target(2000);
    account.set_target(0);
    account.set_target(2000);
    assert_eq!(account.rewards.len(), 2);
    assert_ne!(account.rewards[0].reward, account.rewards[1].reward);
    account.claim();
    account.complete();
    assert_eq!(account.delivered, 2000);
    assert_eq!(account.figures().available, 2000);
}

#[test]
fn a_reward_that_comes_back_as_a_new_one_keeps_what_was_taken_by_hand() {
    let mut account = Account::default();
    account.set_target(2000);
    let by_hand = |posted: Posted| Posted { taken: 300, hands: vec!["first".to_owned()], ..posted };
    account.posted = account.posted.map(by_hand);
    account.set_target(0);
    account.set_target(1700);
    let posted = account.posted.unwrap();
    assert_eq!((posted.generation, posted.taken, &*posted.hands), (1, 300, &["first".to_owned()][..]));
}

#[test]
fn a_refund_during_delivery_does_not_change_what_the_worker_delivers() {
    let mut account = Account::default();
    account.set_target(2000);
    account.claim();
    account.set_target(500);
    assert_eq!(
        account.figures(),
        Figures { available: -1500, pending: 2000, earned: 2000, reversed: 1500, ..Figures::default() }
    );
    assert_eq!((account.figures().usable(), account.figures().shortfall()), (0, 1500));
    account.complete();
    assert_eq!(account.delivered, 2000);
    assert_eq!(account.figures().available, 500);
    assert_eq!((account.figures().usable(), account.figures().shortfall()), (500, 0));
}

#[test]
fn a_refund_during_a_delivery_that_fails_lowers_what_is_delivered() {
    let mut account = Account::default();
    account.set_target(2000);
    for (target, taken) in [(1500, 500), (1200, 800)] {
        account.claim();
        account.set_target(target);
        account.fail();
        assert_eq!(
            account.figures(),
            Figures { available: 0, pending: target, earned: 2000, reversed: taken, ..Figures::default() }
        );
        account.retry();
    }
    account.claim();
    account.complete();
    assert_eq!(account.delivered, 1200);
    assert_eq!(
        account.figures(),
        Figures { available: 1200, pending: 0, earned: 2000, reversed: 800, ..Figures::default() }
    );
}

#[test]
fn a_shortfall_is_netted_by_what_is_delivered_later() {
    let figures = |available: i64| Figures { available, ..Figures::default() };
    for (available, usable, shortfall) in [
        (-1_500, 0, 1_500),
        (-1, 0, 1),
        (0, 0, 0),
        (700, 700, 0),
        (i64::MIN, 0, i64::MAX),
        (i64::MAX, i64::MAX, 0),
    ] {
        let found = figures(available);
        assert_eq!((found.usable(), found.shortfall()), (usable, shortfall), "{available}");
        assert!(found.usable() == 0 || found.shortfall() == 0);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Target(i64),
    Claim,
    Complete,
    Fail,
    Retry,
}

proptest! {
    #[test]
    fn balances_always_equal_the_ledger(
        steps in prop::collection::vec(
            prop_oneof![
                4 => prop_oneof![Just(0_i64), 1_i64..3000].prop_map(Step::Target),
                2 => Just(Step::Claim),
                2 => Just(Step::Complete),
                1 => Just(Step::Fail),
                1 => Just(Step::Retry),
            ],
            0..40,
        )
    ) {
        let mut account = Account::default();
        let mut settled: Vec<(RewardId, i64)> = Vec::new();
        for step in steps {
            match step {
                Step::Target(target) => account.set_target(target),
                Step::Claim => account.claim(),
                Step::Complete => account.complete(),
                Step::Fail => account.fail(),
                Step::Retry => account.retry(),
            }
            let figures = account.figures();
            let posted = account.posted.as_ref().map_or(0, |posted| posted.amount);
            prop_assert_eq!(figures.available + figures.pending, posted);
            prop_assert_eq!(figures.earned - figures.reversed, posted);
            prop_assert!(posted >= 0);
            // The reward that stands carries all of it; settled contributions never change again.
            prop_assert_eq!(account.rewards.last().map_or(0, |reward| reward.net), posted);
            for (id, available) in &settled {
                let reward = account.rewards.iter().find(|reward| reward.reward == *id).unwrap();
                prop_assert_eq!(reward.available, *available);
            }
            settled = account.rewards.iter().filter(|reward| reward.settled)
                .map(|reward| (reward.reward.clone(), reward.available)).collect();
        }
        account.retry();
        account.claim();
        account.complete();
        prop_assert_eq!(account.figures().pending, 0);
    }
}

#[test]
fn a_cause_is_named_as_it_is_written() {
    use Cause::*;
    for cause in [
        Earned,
        Refund,
        Credit,
        Dispute,
        Void,
        Restored,
        Correction,
        Cancelled,
        SourceReversed,
        Granted,
        Rejected,
        TakenBack,
        Expired,
        Redeemed,
        Returned,
    ] {
        assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
    }
}
