use chrono::Duration;
use serde_json::json;

use super::*;
use crate::ledger::sample::{context, delta, usd};
use crate::ledger::{Failure, Handed, Move, Outside};
use crate::simulation::stage::day;
use crate::terms::{Deliverer, RewardKind};

/// 5.00 USD that were earned on day 1.
fn opened(promise: Promise) -> (Reward, Posted) {
    open(&delta(500, None, promise), &context(day(1)))
}

/// What becomes of a reward by a later line, on day 2.
fn corrected(reward: &Reward, posted: &Posted, amount: i64, note: Option<Note>) -> (Reward, Posted) {
    let promise = reward.promise.clone();
    let change = delta(amount, Some(posted.clone()), promise);
    let context = Context { note, ..context(day(2)) };
    let (posting, after) = post(&change, Some(reward), &context).unwrap();
    (posting.reward().clone(), after)
}

fn credit() -> Promise {
    Promise { kind: Some(RewardKind::InvoiceCredit), ..Promise::default() }
}

fn failure() -> Failure {
    Failure::new("currency_mismatch", "the customer pays in EUR", day(1))
}

#[test]
fn a_reward_that_has_to_wait_is_told_as_held_besides_as_earned() {
    let news = |promise: Promise| -> Vec<(News, u32, DateTime<Utc>)> {
        opened(promise).0.untold.iter().map(|untold| (untold.news, untold.number, untold.at)).collect()
    };
    let (earned, held) = ((News::Earned, 0, day(1)), (News::Held, 0, day(1)));
    let until = |at: DateTime<Utc>| Promise { held_until: Some(at), ..Promise::default() };
    assert_eq!(news(Promise::default()), [earned]);
    assert_eq!(news(until(day(1))), [earned]);
    assert_eq!(news(until(day(1) + Duration::milliseconds(1))), [earned, held]);
    assert_eq!(news(Promise { below_threshold: true, ..Promise::default() }), [earned, held]);
    assert_eq!(news(Promise { needs_approval: true, ..Promise::default() }), [earned, held]);
}

#[test]
fn who_took_something_back_is_remembered_and_what_was_given_again_is_nobodys() {
    let support = Note { actor: "support".to_owned(), reason: "a mistake".to_owned() };
    let (reward, posted) = opened(Promise::default());
    let (taken, after) = corrected(&reward, &posted, -200, Some(support.clone()));
    let (restored, _) = corrected(&taken, &after, 200, Some(support));
    let (state, at) = (RewardState::Approved, day(2));
    let by_hand = Move { state, at, actor: Some("support".to_owned()), reason: "a mistake".to_owned() };
    let by_itself = |reason: &str| Move { state, at, actor: None, reason: reason.to_owned() };
    assert_eq!(restored.moves, [by_hand, by_itself("restored")]);
    assert_eq!(corrected(&reward, &posted, -200, None).0.moves, [by_itself("refund")]);
}

#[test]
fn a_correction_that_makes_it_differ_outside_is_worth_another_try() {
    let given = |amount: i64| Some(Outside { steps: 1, given: amount, ..Outside::default() });
    let (reward, posted) = opened(credit());
    let delivered = Reward { failure: Some(failure()), ..reward.completed(given(500), 1, day(1)) };
    let (refunded, after) = corrected(&delivered, &posted, -200, None);
    assert_eq!((refunded.net, &refunded.failure), (300, &None));
    // Nothing is left to try where it stands outside as it stands here.
    let failed = Reward { failure: Some(failure()), ..refunded };
    let (restored, _) = corrected(&failed, &after, 200, None);
    assert_eq!((restored.net, &restored.failure), (500, &Some(failure())));
}

#[test]
fn what_could_not_be_delivered_stays_failed_while_anything_of_it_stands() {
    let (reward, posted) = opened(credit());
    let claimed = Reward { state: RewardState::Fulfilling, ..reward };
    let failed = claimed.failed(failure(), Some(Outside::default()));
    let (lowered, after) = corrected(&failed, &posted, -200, None);
    assert_eq!((lowered.state, lowered.payable), (RewardState::Failed, 300));
    assert_eq!(lowered.failure, Some(failure()));
    let (ended, _) = corrected(&lowered, &after, -300, None);
    assert_eq!((ended.state, ended.payable, ended.failure), (RewardState::Reversed, 0, None));
}

#[test]
fn what_a_worker_is_delivering_cannot_be_taken_back_and_what_a_listener_is_to_deliver_can() {
    let (reward, posted) = opened(Promise { deliver_by: Some(Deliverer::Listener), ..Promise::default() });
    let take = |reward: &Reward| {
        let taken = take_back(&posted, reward, Some(200), &context(day(2))).unwrap();
        taken.map(|(posting, after)| (posting.amount(), posting.reward().net, after.taken))
    };
    let claimed = Reward { state: RewardState::Fulfilling, ..reward.clone() };
    let handed = Reward { handed: Some(Handed { at: day(1), until: day(31) }), ..claimed.clone() };
    let delivered = claimed.completed(None, 1, day(1));
    assert_eq!(take(&claimed), None);
    assert_eq!([reward, handed, delivered].map(|reward| take(&reward)), [Some((usd(-200), 300, 200)); 3]);
}

#[test]
fn what_is_posted_is_read_as_it_was_written_and_says_only_what_is_so() {
    let (_, posted) = opened(Promise::default());
    let taken = Posted { taken: 200, ..posted.clone() };
    for (posted, written) in [(posted, None), (taken, Some(&json!(200)))] {
        let json = serde_json::to_value(&posted).unwrap();
        assert_eq!(json.get("taken"), written);
        assert_eq!(serde_json::from_value::<Posted>(json).unwrap(), posted);
    }
}
