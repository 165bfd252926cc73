use serde_json::{Value, json};

use crate::reason::Reason;
use crate::simulation::stage::Stage;

fn milestones(on_drop: &str, steps: &[(u32, i64)]) -> Value {
    let steps: Vec<Value> =
        steps.iter().map(|(at, amount)| json!({"at": at, "amount": amount, "currency": "USD"})).collect();
    json!({"id": "m", "trigger": "referral_count", "amount": {"milestones": {"steps": steps, "on_drop": on_drop}}})
}

fn paid_by(stage: &mut Stage, referees: std::ops::RangeInclusive<i64>) -> Vec<i64> {
    let mut nets = Vec::new();
    for n in referees {
        stage.sign_up(&format!("r{n}"), "anna", 0);
        stage.pay(&format!("r{n}"), &format!("in_{n}"), 1_000, n);
        nets.push(stage.net("anna"));
    }
    nets
}

#[test]
fn each_milestone_is_awarded_once_when_it_is_reached() {
    let mut stage = Stage::with(&[milestones("keep", &[(2, 100), (4, 1_000)])]);
    assert_eq!(paid_by(&mut stage, 1..=6), [0, 100, 100, 1_100, 1_100, 1_100]);
    stage.pay("r1", "in_again", 1_000, 7);
    assert_eq!(stage.net("anna"), 1_100);
}

#[test]
fn a_milestone_says_how_far_it_is() {
    let mut stage = Stage::with(&[milestones("keep", &[(2, 100)])]);
    stage.sign_up("r1", "anna", 0);
    let step = stage.pay("r1", "in_1", 1_000, 1);
    let outcome = &step.decisions[0].rules[0];
    assert_eq!((outcome.reason, outcome.counted.referrals), (Reason::MilestoneNotReached, Some(1)));
    assert_eq!(outcome.source.to_string(), "milestone/own/m.2");
}

#[test]
fn a_milestone_that_is_lost_is_kept_or_revoked_by_policy_and_never_awarded_twice() {
    for (on_drop, dropped) in [("keep", 100), ("revoke", 0)] {
        let mut stage = Stage::with(&[milestones(on_drop, &[(2, 100)])]);
        paid_by(&mut stage, 1..=2);
        stage.refund("in_1", 1_000, 3, "succeeded");
        assert_eq!(stage.net("anna"), dropped, "{on_drop}");
        stage.refund("in_1", 1_000, 4, "failed");
        assert_eq!(stage.net("anna"), 100, "{on_drop}");
        stage.dispute("in_2", 1_000, 5, "open");
        assert_eq!(stage.net("anna"), dropped, "{on_drop}");
        stage.dispute("in_2", 1_000, 6, "lost");
        paid_by(&mut stage, 7..=9);
        assert_eq!(stage.net("anna"), 100, "{on_drop}");
    }
}

#[test]
fn a_milestone_keeps_the_amount_that_it_was_awarded_with() {
    let mut stage = Stage::with(&[milestones("revoke", &[(2, 100), (3, 500)])]);
    paid_by(&mut stage, 1..=2);
    stage.edit(&[milestones("revoke", &[(2, 900), (3, 700)])]);
    assert_eq!(paid_by(&mut stage, 3..=3), [800], "the one that was reached stays, the other is as edited");
    stage.refund("in_1", 1_000, 4, "succeeded");
    stage.refund("in_2", 1_000, 4, "succeeded");
    assert_eq!(stage.net("anna"), 0);
    stage.refund("in_1", 1_000, 5, "failed");
    assert_eq!(stage.net("anna"), 100, "and comes back as it was");
}

#[test]
fn a_milestone_that_was_edited_down_is_awarded_with_the_next_event() {
    let mut stage = Stage::with(&[milestones("keep", &[(5, 100)])]);
    assert_eq!(paid_by(&mut stage, 1..=3), [0, 0, 0]);
    stage.edit(&[milestones("keep", &[(2, 100)])]);
    assert_eq!(paid_by(&mut stage, 4..=4), [100]);
}

#[test]
fn sign_ups_may_be_what_milestones_count() {
    let mut stage =
        Stage::of(&json!({"rules": [milestones("keep", &[(2, 100)])], "qualifying_event": "signup"}));
    stage.sign_up("r1", "anna", 0);
    assert_eq!(stage.net("anna"), 0);
    let step = stage.sign_up("r2", "anna", 0);
    assert_eq!((stage.net("anna"), step.decisions[0].reason), (100, Reason::Earned));
    assert_eq!(stage.pay("r1", "in_1", 1_000, 1).decisions[0].reason, Reason::Earned, "it stands");
    assert_eq!(stage.net("anna"), 100);
}

#[test]
fn a_milestone_can_be_a_task_without_value() {
    let mut rule = milestones("keep", &[(1, 7)]);
    rule["kind"] = json!("task");
    let mut stage = Stage::with(&[rule]);
    stage.sign_up("r1", "anna", 0);
    let step = stage.pay("r1", "in_1", 1_000, 1);
    assert_eq!(step.decisions[0].posted[0].amount.to_string(), "1 task");
    assert!(stage.0.summary().participants.is_empty());
}

#[test]
fn a_payment_that_turns_out_to_lie_before_the_sign_up_counts_no_more() {
    let mut stage = Stage::with(&[milestones("revoke", &[(1, 100)])]);
    stage.sign_up("r1", "anna", 10);
    stage.pay("r1", "in_1", 1_000, 11);
    assert_eq!(stage.net("anna"), 100);
    let step = stage.pay("r1", "in_1", 1_000, 1);
    assert_eq!((step.decisions[0].reason, stage.net("anna")), (Reason::PaidBeforeSignup, 0));
}
