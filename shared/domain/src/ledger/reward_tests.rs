use chrono::Duration;
use serde_json::{Value, json};

use super::*;
use crate::ledger::Sending;
use crate::simulation::stage::{Stage, day, rule};

/// 5.00 USD that a rule gave on day 1: approved, unless told.
fn earned(given: &Value) -> Reward {
    let mut stage = Stage::with(&[rule(given)]);
    stage.sign_up("ben", "anna", 0);
    stage.pay("ben", "in_1", 20_000, 1);
    stage.rewards().next().unwrap().clone()
}

fn in_state(state: RewardState, reward: &Reward) -> Reward {
    Reward { state, ..reward.clone() }
}

/// What a worker held of it until day 4 and has delivered on day 3.
fn delivered(reward: &Reward) -> Reward {
    Reward { lease_until: Some(day(4)), ..reward.clone() }.completed(None, reward.untold.len(), day(3))
}

fn failure(at: i64) -> Failure {
    Failure::new("currency_mismatch", "the customer pays in EUR", day(at))
}

fn support() -> Note {
    Note { actor: "support".to_owned(), reason: "checked".to_owned() }
}

/// A first step that gave so much.
fn given(amount: i64) -> Outside {
    Outside::default().begun(amount, None, day(2)).done("cbtxn_1".to_owned())
}

#[test]
fn a_worker_may_deliver_what_is_approved_and_what_is_held_no_more() {
    use RewardState::*;
    let held = earned(&json!({"hold_days": 10}));
    assert_eq!(held.state, Held);
    assert!(!held.is_deliverable(day(11) - Duration::milliseconds(1)));
    assert!(held.is_deliverable(day(11)));
    assert!(in_state(Approved, &held).is_deliverable(day(2)));
    for state in [Pending, Fulfilling, Fulfilled, Rejected, Reversed, Expired, Failed] {
        assert!(!in_state(state, &held).is_deliverable(day(11)), "{state:?}");
    }
    let mut waits_for_more = held;
    waits_for_more.promise.below_threshold = true;
    assert!(!waits_for_more.is_deliverable(day(11)));
}

#[test]
fn a_reward_is_due_when_its_hold_its_lease_or_its_time_is_over() {
    use RewardState::*;
    let held = earned(&json!({"hold_days": 10, "expires_after_days": 20}));
    let mut waits_for_more = held.clone();
    waits_for_more.promise.below_threshold = true;
    let claimed = Reward { lease_until: Some(day(4)), ..in_state(Fulfilling, &held) };
    for (reward, due) in [
        (in_state(Approved, &held), Some(day(2))),
        (held.clone(), Some(day(11))),
        (waits_for_more, Some(day(21))),
        (in_state(Pending, &held), Some(day(21))),
        (claimed.clone(), Some(day(4))),
        (Reward { lease_until: None, ..claimed }, Some(day(2))),
        (delivered(&held), Some(day(21))),
        (delivered(&earned(&json!({"expires_after_days": 20, "kind": "cash"}))), None),
        (delivered(&earned(&json!({}))), None),
        (in_state(Rejected, &held), None),
        (in_state(Reversed, &held), None),
        (in_state(Expired, &held), None),
        (in_state(Failed, &held), None),
    ] {
        assert_eq!(reward.due_at(day(2)), due, "{reward:?}");
    }
}

#[test]
fn what_was_delivered_in_time_is_due_until_its_time_is_over() {
    let reward = delivered(&earned(&json!({"expires_after_days": 20})));
    assert_eq!(reward.due_at(day(21) - Duration::milliseconds(1)), Some(day(21)));
    assert_eq!([day(21), day(22)].map(|now| reward.due_at(now)), [None; 2]);
}

#[test]
fn what_comes_when_its_time_is_over_lapses_at_once() {
    let late = earned(&json!({"expires_after_days": 1})).completed(None, 1, day(3));
    assert_eq!((late.is_over(day(3)), late.due_at(day(3))), (true, Some(day(2))));
    assert_eq!(late.due_at(day(3) + Duration::seconds(1)), None, "it was looked at");
}

#[test]
fn what_does_not_stand_outside_as_it_stands_here_is_due_until_it_does_or_fails() {
    let reward = delivered(&earned(&json!({"kind": "invoice_credit"})));
    assert_eq!((reward.net, reward.differs_outside()), (500, false));
    let same = Reward { outside: Some(given(500)), ..reward.clone() };
    assert_eq!((same.differs_outside(), same.due_at(day(5))), (false, None));
    for (state, net) in [(RewardState::Fulfilled, 300), (RewardState::Reversed, 0)] {
        let refunded = Reward { net, ..in_state(state, &same) };
        assert_eq!((refunded.differs_outside(), refunded.due_at(day(5))), (true, Some(day(5))));
        let leased = Reward { lease_until: Some(day(6)), ..refunded.clone() };
        assert_eq!(leased.due_at(day(5)), Some(day(6)));
        let failed = Reward { failure: Some(failure(5)), ..refunded };
        assert_eq!((failed.differs_outside(), failed.due_at(day(5))), (true, None));
    }
    // What is being taken back may be outside already, whatever stands here by now.
    let restored = Reward { outside: Some(given(500).begun(300, None, day(5))), ..reward };
    assert_eq!((restored.differs_outside(), restored.due_at(day(5))), (true, Some(day(5))));
}

#[test]
fn only_what_was_delivered_into_the_balance_is_there_and_lapses() {
    let unit = |unit: &str| Unit::parse(unit).unwrap();
    let lasting = json!({"expires_after_days": 10});
    let delivered_of = |reward: &Reward| Reward { net: 300, ..delivered(reward) };
    let reward = delivered_of(&earned(&lasting));
    assert_eq!([unit("USD"), unit("EUR")].map(|unit| reward.in_balance(unit)), [300, 0]);
    assert!(!reward.is_over(day(11) - Duration::milliseconds(1)));
    assert!(reward.is_over(day(11)));
    assert!(!delivered_of(&earned(&json!({}))).is_over(day(11)));
    for elsewhere in
        [json!({"kind": "cash"}), json!({"kind": "invoice_credit"}), json!({"deliver_by": "listener"})]
    {
        let mut given = elsewhere;
        given["expires_after_days"] = json!(10);
        let reward = delivered_of(&earned(&given));
        assert_eq!((reward.in_balance(unit("USD")), reward.is_over(day(11))), (0, false), "{given}");
    }
    use RewardState::*;
    for state in [Pending, Held, Approved, Fulfilling, Rejected, Reversed, Expired, Failed] {
        let reward = in_state(state, &reward);
        assert_eq!((reward.in_balance(unit("USD")), reward.is_over(day(11))), (0, false), "{state:?}");
    }
}

#[test]
fn a_delivery_that_is_completed_leaves_nothing_to_do_but_to_tell_what_was_not_told() {
    let reward = earned(&json!({"kind": "invoice_credit"}));
    let told = Untold { news: News::Earned, number: 0, at: day(1) };
    let untold = Untold { news: News::Reversed, number: 1, at: day(2) };
    let claimed = Reward {
        lease_until: Some(day(4)),
        handed: Some(Handed { at: day(2), until: day(4) }),
        failure: Some(failure(2)),
        outside: Some(Outside::default().begun(500, None, day(2))),
        untold: vec![told, untold.clone()],
        ..in_state(RewardState::Fulfilling, &reward)
    };
    let done = claimed.completed(Some(given(500)), 1, day(3));
    assert_eq!((done.state, done.settled, done.fulfilled_at), (RewardState::Fulfilled, true, Some(day(3))));
    assert_eq!((&done.lease_until, &done.handed, &done.failure), (&None, &None, &None));
    assert_eq!((&done.outside, &*done.untold), (&Some(given(500)), &[untold][..]));
    assert_eq!((done.net, done.payable, done.available), (500, 500, 500));
    // Nothing stands any more: it was delivered, and taken back at once.
    let taken = Reward { net: 0, ..claimed }.completed(None, 2, day(3));
    assert_eq!((taken.state, taken.settled, taken.fulfilled_at), (RewardState::Reversed, true, Some(day(3))));
    assert_eq!((taken.available, &taken.outside, &*taken.untold), (500, &None, &[][..]));
}

#[test]
fn a_delivery_that_fails_is_still_owed_and_says_why_until_it_is_tried_again() {
    let claimed = Reward {
        attempt: 3,
        lease_until: Some(day(4)),
        handed: Some(Handed { at: day(2), until: day(4) }),
        ..in_state(RewardState::Fulfilling, &earned(&json!({"kind": "invoice_credit"})))
    };
    let sending = Sending { amount: 500, key: 1, key_since: day(2), tries: 11 };
    let outside = Outside { sending: Some(sending.clone()), ..Outside::default() };
    let failed = claimed.failed(failure(3), Some(outside.clone()));
    assert_eq!((failed.state, failed.settled, failed.fulfilled_at), (RewardState::Failed, false, None));
    assert_eq!((failed.net, failed.payable, failed.available, failed.evened), (500, 500, 0, 0));
    assert_eq!((&failed.lease_until, &failed.handed), (&None, &None));
    assert_eq!((&failed.outside, &failed.failure), (&Some(outside), &Some(failure(3))));
    assert_eq!(failed.untold.last(), Some(&Untold { news: News::Failed, number: 3, at: day(3) }));
    let moved =
        Move { state: RewardState::Failed, at: day(3), actor: None, reason: "currency_mismatch".to_owned() };

    let retried = failed.retried(&support(), day(5));
    assert_eq!((retried.state, &retried.failure), (RewardState::Approved, &None));
    let begun_again = Outside { sending: Some(Sending { tries: 0, ..sending }), ..Outside::default() };
    assert_eq!(retried.outside, Some(begun_again));
    let by = (Some("support".to_owned()), "checked".to_owned());
    let again = Move { state: RewardState::Approved, at: day(5), actor: by.0, reason: by.1 };
    assert_eq!(retried.moves, [moved, again]);
}

#[test]
fn a_step_that_fails_after_the_delivery_leaves_it_delivered() {
    let reward = delivered(&earned(&json!({"kind": "invoice_credit"})));
    let refunded = Reward { net: 300, outside: Some(given(500)), ..reward };
    let failed = refunded.failed(failure(5), refunded.outside.clone());
    let stands =
        |reward: &Reward| (reward.state, reward.net, reward.payable, reward.available, reward.evened);
    assert_eq!(stands(&failed), (RewardState::Fulfilled, 300, 500, 500, 0));
    assert_eq!((failed.fulfilled_at, &failed.failure), (Some(day(3)), &Some(failure(5))));
    // Another worker had claimed it, and found that it had failed.
    let leased = Reward { lease_until: Some(day(7)), ..failed.clone() };
    let retried = leased.retried(&support(), day(6));
    assert_eq!(stands(&retried), stands(&failed));
    assert_eq!((&retried.failure, retried.due_at(day(6))), (&None, Some(day(6))));
}

#[test]
fn what_was_taken_back_in_full_while_its_delivery_failed_is_over() {
    let claimed = in_state(RewardState::Fulfilling, &earned(&json!({"kind": "invoice_credit"})));
    let failed = Reward { net: 0, ..claimed }.failed(failure(3), None);
    assert_eq!((failed.state, failed.settled, &failed.failure), (RewardState::Reversed, true, &None));
    assert!(failed.untold.iter().all(|untold| untold.news != News::Failed));
}

#[test]
fn what_is_to_be_delivered_by_somebody_or_has_failed_can_be_delivered_by_hand() {
    use RewardState::*;
    let reward = earned(&json!({"kind": "invoice_credit"}));
    let handed = Some(Handed { at: day(2), until: day(32) });
    for (state, before, after) in [
        (Approved, false, true),
        (Failed, false, true),
        (Fulfilling, false, false),
        (Fulfilling, true, true),
        (Pending, true, false),
        (Held, true, false),
        (Fulfilled, true, false),
        (Rejected, true, false),
        (Reversed, true, false),
        (Expired, true, false),
    ] {
        let handed = handed.clone().filter(|_| before);
        let reward = Reward { handed, ..in_state(state, &reward) };
        assert_eq!(reward.can_be_fulfilled_by_hand(), after, "{state:?}");
    }
    // From then on it is a listener's to take back, not the processor's.
    let done = in_state(Failed, &reward).fulfilled_by_hand(&support(), day(3));
    assert_eq!((done.state, done.deliverer(), done.available), (Fulfilled, Deliverer::Listener, 500));
    assert_eq!(done.untold.last(), Some(&Untold { news: News::Fulfilled, number: 0, at: day(3) }));
    let allowance = earned(&json!({})).fulfilled_by_hand(&support(), day(3));
    assert_eq!((allowance.state, allowance.deliverer()), (Fulfilled, Deliverer::Engine));
    // Of what was taken back before it was confirmed, nobody is told that it was delivered.
    let empty = Reward { handed, net: 0, ..in_state(Fulfilling, &reward) };
    let done = empty.fulfilled_by_hand(&support(), day(3));
    assert_eq!(done.state, Reversed);
    assert!(done.untold.iter().all(|untold| untold.news != News::Fulfilled));
}

#[test]
fn a_reward_remembers_its_latest_moves() {
    let mut reward = earned(&json!({}));
    for number in 0..23 {
        reward.remember(day(number), Some("support"), &number.to_string());
    }
    let reasons: Vec<String> = reward.moves.iter().map(|moved| moved.reason.clone()).collect();
    assert_eq!(reasons, (3..23).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_reward_is_read_as_it_was_written_and_says_only_what_is_so() {
    let reward = earned(&json!({}));
    let evened = Reward { evened: 200, ..reward.clone() };
    for (reward, written) in [(reward, None), (evened, Some(&json!(200)))] {
        let json = serde_json::to_value(&reward).unwrap();
        assert_eq!(json.get("evened"), written);
        assert_eq!(serde_json::from_value::<Reward>(json).unwrap(), reward);
    }
}
