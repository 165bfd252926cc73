use serde_json::{Value, json};

use crate::ledger::{Cause, RewardState};
use crate::reason::Reason;
use crate::simulation::Step;
use crate::simulation::stage::{Stage, day, percent, result, rule};

fn paying(given: &Value) -> Stage {
    let mut stage = Stage::with(&[rule(given)]);
    stage.sign_up("ben", "anna", 0);
    stage.pay("ben", "in_1", 20_000, 1);
    stage
}

fn posted(step: &Step) -> Vec<(i64, Cause, RewardState)> {
    step.decisions[0].posted.iter().map(|line| (line.amount.amount, line.cause, line.state)).collect()
}

#[test]
fn a_share_follows_what_stands_and_a_full_refund_lands_on_zero() {
    let mut stage = paying(&json!({"amount": percent("10")}));
    let step = stage.refund("in_1", 5_001, 2, "succeeded");
    assert_eq!(posted(&step), [(-501, Cause::Refund, RewardState::Approved)]);
    let step = stage.refund("in_1", 14_999, 3, "pending");
    assert_eq!(posted(&step), [(-1_499, Cause::Refund, RewardState::Reversed)]);
    assert_eq!((stage.net("anna"), result(&step).0), (0, Reason::Refunded));
}

#[test]
fn a_refund_that_fails_and_a_dispute_that_is_won_restore_exactly() {
    let mut stage = paying(&json!({"amount": percent("12.5")}));
    stage.refund("in_1", 333, 2, "succeeded");
    assert_eq!(stage.net("anna"), 2_458);
    let step = stage.refund("in_1", 333, 3, "failed");
    assert_eq!(posted(&step), [(42, Cause::Restored, RewardState::Approved)]);
    let step = stage.dispute("in_1", 20_000, 4, "open");
    assert_eq!((posted(&step)[0].1, result(&step)), (Cause::Dispute, (Reason::Disputed, 0)));
    let step = stage.dispute("in_1", 20_000, 5, "won");
    assert_eq!(posted(&step), [(2_500, Cause::Restored, RewardState::Approved)]);
    assert_eq!(stage.net("anna"), 2_500);
}

#[test]
fn a_void_takes_everything_back() {
    let mut stage = paying(&json!({}));
    let step = stage.apply(&json!({"type": "void", "invoice": "in_1", "at": day(2)}));
    assert_eq!(posted(&step), [(-500, Cause::Void, RewardState::Reversed)]);
    assert_eq!(result(&step), (Reason::Voided, 0));
}

#[test]
fn a_fixed_reward_and_a_piece_stand_while_anything_stands() {
    for given in [json!({}), json!({"kind": "product", "amount": {"product": {"sku": "mug", "quantity": 3}}})]
    {
        let mut stage = paying(&given);
        assert_eq!(posted(&stage.refund("in_1", 19_999, 2, "succeeded")), []);
        let step = stage.refund("in_1", 1, 3, "succeeded");
        assert_eq!((posted(&step)[0].1, posted(&step)[0].2), (Cause::Refund, RewardState::Reversed));
    }
}

#[test]
fn what_was_earned_before_the_payer_was_known_is_decided_at_the_sign_up() {
    let mut stage = Stage::with(&[rule(&json!({"amount": percent("10")}))]);
    assert_eq!(stage.refund("in_1", 5_000, 1, "succeeded").decisions[0].reason, Reason::AwaitingPayment);
    assert_eq!(stage.pay("ben", "in_1", 20_000, 1).decisions[0].reason, Reason::AwaitingSignup);
    let step = stage.sign_up("ben", "anna", 1);
    assert_eq!((step.decisions[0].reason, stage.net("anna")), (Reason::Earned, 1_500));
}

#[test]
fn the_room_that_a_reversed_reward_took_stays_taken_and_is_given_back_to_it_alone() {
    let caps = json!([{"per": "all_time", "amount": 700, "currency": "USD"}]);
    let mut stage = paying(&json!({"limits": {"caps": caps}}));
    stage.refund("in_1", 20_000, 2, "succeeded");
    assert_eq!(result(&stage.pay("ben", "in_2", 100, 3)), (Reason::Earned, 200));
    stage.refund("in_1", 20_000, 4, "failed");
    assert_eq!(stage.net("anna"), 700);
}

#[test]
fn a_payment_too_early_for_the_sign_up_earns_nothing() {
    let mut stage = Stage::of(&json!({"rules": [rule(&json!({}))], "grace_hours": 48}));
    stage.sign_up("ben", "anna", 10);
    assert_eq!(result(&stage.pay("ben", "in_1", 100, 8)), (Reason::Earned, 500));
    assert_eq!(stage.pay("ben", "in_2", 100, 7).decisions[0].reason, Reason::PaidBeforeSignup);
}
