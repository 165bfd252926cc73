//! Stories told in every order: each ends in one state, and in the amount that stands.

use serde_json::json;

use crate::source::SourceState;
use crate::stripe::samples::*;

/// Every order of `rest` after `told`, whatever was told; each must end in `expected`.
fn every_order(told: &SourceState, rest: &[SourceState], expected: &SourceState) {
    if rest.is_empty() {
        assert_eq!(told, expected);
    }
    for place in 0..rest.len() {
        let mut rest = rest.to_vec();
        let told = told.merge(&rest.remove(place)).unwrap();
        every_order(&told, &rest, expected);
    }
}

/// The story in every order, and told twice over; `stands` is what it ends in.
fn ends_in(story: &[&str], stands: i64) {
    let states: Vec<SourceState> = story.iter().map(|body| fact(body).state).collect();
    let expected = joined(story);
    every_order(&SourceState::default(), &states, &expected);
    let twice = [story, story].concat();
    assert_eq!(joined(&twice), expected);
    assert_eq!(expected.standing_amount(), stands);
}

#[test]
fn a_refund_that_fails_takes_nothing() {
    ends_in(&[OLD_PAID, OLD_SUCCEEDED, OLD_REFUNDED], 16_500);
    ends_in(&[OLD_PAID, OLD_SUCCEEDED, OLD_REFUNDED, OLD_REFUND_UPDATED, OLD_REFUNDED], 22_000);
    ends_in(&[NEW_PAID, NEW_PAYMENT, NEW_REFUND_CREATED, NEW_REFUNDED, NEW_REFUND_UPDATED], 16_500);
    ends_in(
        &[NEW_PAID, NEW_PAYMENT, NEW_REFUND_CREATED, NEW_REFUNDED, NEW_REFUND_UPDATED, NEW_REFUND_FAILED],
        22_000,
    );
}

#[test]
fn a_dispute_withholds_until_it_is_won() {
    for (paid, at) in [(OLD_PAID, 0), (NEW_PAID, 1)] {
        let opened = [paid, DISPUTE_CREATED[at], DISPUTE_FUNDS_WITHDRAWN[at], DISPUTE_UPDATED[at]];
        ends_in(&opened, 0);
        ends_in(&[&opened[..], &[DISPUTE_CLOSED[at]]].concat(), 22_000);
        ends_in(&[&opened[..], &[DISPUTE_FUNDS_REINSTATED[at]]].concat(), 22_000);
        ends_in(&[&opened[..], &[DISPUTE_CLOSED[at], DISPUTE_FUNDS_REINSTATED[at]]].concat(), 22_000);
        let lost = with(DISPUTE_CLOSED[at], "/data/object/status", json!("lost"));
        ends_in(&[&opened[..], &[&lost]].concat(), 0);
        // A part had been refunded before; the bank gives that part back although the dispute is lost.
        let back = with(DISPUTE_FUNDS_REINSTATED[at], "/data/object/status", json!("lost"));
        ends_in(&[&opened[..], &[&lost, &back]].concat(), 0);
    }
}

#[test]
fn a_dispute_of_a_part_and_a_refund_of_another_add_up() {
    let part = with(DISPUTE_CREATED[1], "/data/object/amount", json!(10_000));
    let won = with(DISPUTE_CLOSED[1], "/data/object/amount", json!(10_000));
    ends_in(&[NEW_PAID, NEW_PAYMENT, &part, NEW_REFUNDED, NEW_REFUND_UPDATED], 6_500);
    ends_in(&[NEW_PAID, &part, NEW_REFUNDED, NEW_REFUND_UPDATED, &won], 16_500);
    ends_in(&[NEW_PAID, &part, NEW_REFUNDED, NEW_REFUND_FAILED, &won], 22_000);
}

#[test]
fn a_credit_note_takes_its_part_until_it_is_voided() {
    for (paid, at) in [(OLD_PAID, 0), (NEW_PAID, 1)] {
        let credited = [paid, CREDIT_NOTE_CREATED[at], CREDIT_NOTE_UPDATED[at]];
        ends_in(&credited, 16_500);
        ends_in(&[&credited[..], &[CREDIT_NOTE_VOIDED[at]]].concat(), 22_000);
    }
    let refunds =
        json!([{"amount_refunded": 5_500, "refund": "re_1QsampleNewRefund0000000", "type": "refund"}]);
    let refunded = with(CREDIT_NOTE_CREATED[1], "/data/object/refunds", refunds);
    assert!(parse(refunded.as_bytes()).unwrap().is_ignored(), "the refund tells of itself");
    ends_in(&[NEW_PAID, NEW_REFUND_CREATED, NEW_REFUNDED, NEW_REFUND_UPDATED], 16_500);
}

#[test]
fn everything_at_once_ends_in_one_amount() {
    let part = with(DISPUTE_CREATED[1], "/data/object/amount", json!(4_000));
    let lost = with(
        &with(DISPUTE_CLOSED[1], "/data/object/amount", json!(4_000)),
        "/data/object/status",
        json!("lost"),
    );
    let story =
        [NEW_PAID, NEW_SUCCEEDED, CREDIT_NOTE_CREATED[1], NEW_REFUNDED, NEW_REFUND_UPDATED, &part, &lost];
    ends_in(&story, 22_000 - 5_500 - 5_500 - 4_000);
}

#[test]
fn what_was_paid_outside_stands_until_it_is_credited_outside() {
    let invoice = json!("in_1QsampleNewOutside000000");
    let note = with(CREDIT_NOTE_CREATED[1], "/data/object/invoice", invoice);
    let note = with(&note, "/data/object/out_of_band_amount", json!(5_500));
    ends_in(&[OUTSIDE_PAID, OUTSIDE_PAYMENT], 22_000);
    ends_in(&[OUTSIDE_PAID, OUTSIDE_PAYMENT, &note], 16_500);
}

#[test]
fn a_plan_is_started_once_whatever_order_its_events_come_in() {
    let [_, updated] = SUBSCRIPTION_UPDATED;
    let later = with(updated, "/data/previous_attributes", json!({"quantity": 1}));
    let moved = with(&later, "/data/object/metadata/channel", json!("else"));
    let states: Vec<SourceState> = [updated, &later, &moved].iter().map(|body| fact(body).state).collect();
    every_order(&SourceState::default(), &states, &states[0]);
}
