use chrono::TimeZone as _;
use serde_json::{Value, json};

use super::*;
use crate::ledger::sample::{context, delta};
use crate::ledger::{Entry, Note, Posted, Posting, Promise, Reward, RewardState, open, take_back};

fn at(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_767_225_600 + seconds, 0).unwrap()
}

fn customer(id: &str) -> StripeCustomerId {
    StripeCustomerId::parse(id).unwrap()
}

/// A reward of 10.00 USD.
fn earned(kind: RewardKind, deliver_by: Option<Deliverer>) -> (Reward, Posted) {
    let promise = Promise { kind: Some(kind), deliver_by, ..Promise::default() };
    open(&delta(1_000, None, promise), &context(at(0)))
}

/// The first step of a reward of 10.00, begun for Anna's customer.
fn begun() -> Outside {
    Outside::default().begun(1_000, Some(&customer("cus_anna")), at(0))
}

fn sending(amount: i64, key: u32, key_since: DateTime<Utc>, tries: u32) -> Option<Sending> {
    Some(Sending { amount, key, key_since, tries })
}

#[test]
fn a_line_says_where_it_is_counted_unless_that_is_the_balance() {
    for (kind, deliver_by, account, written) in [
        (RewardKind::Allowance, None, Account::Balance, None),
        (RewardKind::Cash, None, Account::Cash, Some("cash")),
        (RewardKind::InvoiceCredit, None, Account::Elsewhere, Some("elsewhere")),
        (RewardKind::Cash, Some(Deliverer::Listener), Account::Elsewhere, Some("elsewhere")),
    ] {
        let (reward, posted) = earned(kind, deliver_by);
        let delivered = reward.completed(None, 0, at(1));
        let (posting, _) = take_back(&posted, &delivered, Some(400), &context(at(0))).unwrap().unwrap();
        let Posting::Correct { entry, .. } = posting else { panic!("{kind:?}") };
        assert_eq!(entry.account, account, "{kind:?}");
        let row = serde_json::to_value(&*entry).unwrap();
        assert_eq!(row.get("account").and_then(Value::as_str), written, "{kind:?}");
        assert_eq!(serde_json::from_value::<Entry>(row).unwrap(), *entry);
    }
}

#[test]
fn what_is_delivered_by_hand_in_place_of_steps_outside_is_a_listeners_and_all_else_stays() {
    use Deliverer::{Listener, Processor};
    let note = Note { actor: "cleo".to_owned(), reason: "paid at the desk".to_owned() };
    for (kind, deliver_by, way) in [
        (RewardKind::InvoiceCredit, None, Way::Listener),
        (RewardKind::Discount, None, Way::Listener),
        (RewardKind::Discount, Some(Processor), Way::Listener),
        (RewardKind::Points, Some(Listener), Way::Listener),
        (RewardKind::Allowance, None, Way::Balance),
        (RewardKind::Cash, None, Way::Cash),
        (RewardKind::Task, None, Way::Action),
    ] {
        let by_hand = earned(kind, deliver_by).0.fulfilled_by_hand(&note, at(1));
        assert_eq!((by_hand.state, by_hand.way()), (RewardState::Fulfilled, way), "{kind:?} {deliver_by:?}");
    }
}

#[test]
fn a_step_gives_or_takes_back_what_differs_and_is_for_whom_the_first_was_for() {
    let first = begun();
    let to = Some(customer("cus_anna"));
    assert_eq!(first, Outside { to: to.clone(), sending: sending(1_000, 0, at(0), 0), ..Outside::default() });
    let done = first.done("txn_1".to_owned());
    let reference = Some("txn_1".to_owned());
    let given = Outside { steps: 1, given: 1_000, to: to.clone(), reference, ..Outside::default() };
    assert_eq!(done, given);
    // Nothing is to be done while as much stands here.
    assert_eq!(done.begun(1_000, None, at(1)), given);
    // After a refund, and though Anna is another customer there by now.
    let back = done.begun(700, Some(&customer("cus_new")), at(2));
    assert_eq!(back, Outside { sending: sending(-300, 0, at(2), 0), ..given.clone() });
    let reference = Some("txn_2".to_owned());
    assert_eq!(back.done("txn_2".to_owned()), Outside { steps: 2, given: 700, reference, ..given });
}

#[test]
fn a_step_that_is_under_way_goes_on_as_it_is() {
    let first = begun();
    assert_eq!(first.begun(400, Some(&customer("cus_new")), at(60)), first);
    assert_eq!(first.begun(0, None, at(60)), first);
}

#[test]
fn a_step_refused_the_first_time_it_is_sent_gives_way_to_another_for_whom_it_is_then() {
    let refused = begun().refused(true, at(1));
    assert_eq!(refused, Outside { next_key: 1, ..Outside::default() });
    let another = refused.begun(800, Some(&customer("cus_new")), at(60));
    let sent = sending(800, 1, at(60), 0);
    assert_eq!(another, Outside { to: Some(customer("cus_new")), sending: sent, ..refused });
    // Refused again, and again the first time that it is sent.
    assert_eq!(another.refused(true, at(61)), Outside { next_key: 2, ..Outside::default() });
    // The next step begins anew.
    assert_eq!(another.done("txn_1".to_owned()).next_key, 0);
}

#[test]
fn a_later_step_that_is_refused_stays_for_whom_the_first_was_for() {
    let done = begun().done("txn_1".to_owned());
    let refused = done.begun(0, Some(&customer("cus_new")), at(1)).refused(true, at(2));
    assert_eq!(refused, Outside { next_key: 1, ..done });
}

#[test]
fn a_step_that_may_have_been_made_stays_when_it_is_refused_and_goes_on_under_the_next_key() {
    let first = begun();
    let tried = |key, tries| Outside { sending: sending(1_000, key, at(0), tries), ..first.clone() };
    let stays = |key, tries| Outside { sending: sending(1_000, key, at(90), tries), ..first.clone() };
    // Whoever began it was stopped before they knew, or had no answer.
    assert_eq!(tried(0, 0).refused(false, at(90)), stays(1, 1));
    assert_eq!(tried(0, 1).refused(false, at(90)), stays(1, 2));
    assert_eq!(tried(1, 3).refused(false, at(90)), stays(2, 4));
}

#[test]
fn a_step_that_somebody_lets_be_tried_again_may_have_been_made() {
    let mut outside = begun();
    for tries in 1..=11 {
        outside.sending = outside.sending.map(|sending| sending.again(false, at(tries)));
    }
    let exhausted = Failure::new("retries_exhausted", "", at(20));
    let failed = earned(RewardKind::InvoiceCredit, None).0.failed(exhausted, Some(outside));
    let note = Note { actor: "cleo".to_owned(), reason: "once more".to_owned() };
    let refused = failed.retried(&note, at(30)).outside.unwrap().refused(false, at(31));
    assert_eq!(refused.to, Some(customer("cus_anna")));
    assert_eq!(refused.sending.map(|sending| sending.key), Some(1));
}

#[test]
fn a_step_for_nobody_was_not_made_whoever_began_it() {
    let begun = Outside::default().begun(1_000, None, at(0));
    assert_eq!(begun.refused(false, at(1)), Outside { next_key: 1, ..Outside::default() });
}

#[test]
fn nothing_is_refused_where_no_step_is_under_way() {
    let done = begun().done("txn_1".to_owned());
    assert_eq!(done.refused(true, at(1)), done);
}

#[test]
fn the_key_that_the_next_step_begins_with_is_kept() {
    for (outside, written) in [
        (Outside::default(), json!({"steps": 0, "given": 0})),
        (begun().refused(true, at(1)), json!({"steps": 0, "given": 0, "next_key": 1})),
    ] {
        assert_eq!(serde_json::to_value(&outside).unwrap(), written);
        assert_eq!(serde_json::from_value::<Outside>(written).unwrap(), outside);
    }
}

#[test]
fn a_try_in_vain_is_counted_and_goes_on_under_its_key_unless_that_cannot_be_used_again() {
    let first = Sending { amount: -300, key: 2, key_since: at(0), tries: 4 };
    assert_eq!(first.again(false, at(90)), Sending { tries: 5, ..first.clone() });
    assert_eq!(first.again(true, at(90)), Sending { key: 3, key_since: at(90), tries: 5, ..first });
}

#[test]
fn a_step_is_tried_ten_times_again_within_a_little_more_than_two_days() {
    let (minute, hour) = (60, 3_600);
    let waits = [minute, 2 * minute, 10 * minute, 30 * minute].into_iter().chain([
        hour,
        2 * hour,
        4 * hour,
        8 * hour,
        16 * hour,
        24 * hour,
    ]);
    let mut step = Sending { amount: 1_000, key: 0, key_since: at(0), tries: 0 };
    for wait in waits {
        step = step.again(false, at(0));
        assert_eq!(step.next_try(None, at(5)), Some(at(5 + wait)), "{}", step.tries);
    }
    let last = step.again(false, at(0));
    assert_eq!((last.next_try(None, at(5)), last.next_try(Some(60), at(5))), (None, None));
}

#[test]
fn whoever_asks_for_a_longer_wait_gets_it_up_to_a_day() {
    let step = Sending { amount: 1_000, key: 0, key_since: at(0), tries: 2 };
    for (asked, wait) in [(0, 120), (119, 120), (121, 121), (86_400, 86_400), (86_401, 86_400)] {
        assert_eq!(step.next_try(Some(asked), at(0)), Some(at(wait)), "{asked}");
    }
}
