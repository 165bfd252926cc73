//! Second-level rewards: what a participant's referrer earns by what the participant earns.

use serde_json::{Value, json};

use crate::ledger::Cause;
use crate::reason::Reason;
use crate::simulation::stage::{Stage, percent, rule};

fn second_level() -> Value {
    json!({"id": "second", "trigger": "reward_earned", "amount": {"percentage": {"percent": "10", "basis": "reward"}}})
}

/// Zoe referred anna, who referred ben.
fn chain(rules: &[Value]) -> Stage {
    let mut stage = Stage::with(rules);
    stage.sign_up("anna", "zoe", 0);
    stage.sign_up("ben", "anna", 0);
    stage
}

#[test]
fn a_reward_earns_a_second_one_that_is_reversed_with_it_exactly() {
    let mut stage = chain(&[rule(&json!({"amount": percent("10")})), second_level()]);
    let step = stage.pay("ben", "in_1", 20_000, 1);
    assert_eq!((stage.net("anna"), stage.net("zoe")), (2_000, 200));
    assert_eq!((step.decisions.len(), step.decisions[1].reason), (2, Reason::Earned));
    stage.refund("in_1", 5_000, 2, "succeeded");
    assert_eq!((stage.net("anna"), stage.net("zoe")), (1_500, 150));
    let step = stage.refund("in_1", 15_000, 3, "succeeded");
    assert_eq!((stage.net("anna"), stage.net("zoe")), (0, 0));
    assert_eq!(step.decisions[1].reason, Reason::TakenBack);
    assert_eq!(step.decisions[1].posted[0].cause, Cause::SourceReversed);
    stage.refund("in_1", 15_000, 4, "failed");
    assert_eq!((stage.net("anna"), stage.net("zoe")), (1_500, 150));
}

#[test]
fn a_sum_for_a_reward_stands_while_anything_of_the_reward_stands() {
    let second = json!({"id": "second", "trigger": "reward_earned",
        "amount": {"fixed": {"amount": 300, "currency": "USD"}}});
    let mut stage = chain(&[rule(&json!({"amount": percent("10")})), second]);
    stage.pay("ben", "in_1", 20_000, 1);
    assert_eq!((stage.net("anna"), stage.net("zoe")), (2_000, 300));
    stage.refund("in_1", 19_900, 2, "succeeded");
    assert_eq!((stage.net("anna"), stage.net("zoe")), (10, 300));
    stage.refund("in_1", 100, 3, "succeeded");
    assert_eq!((stage.net("anna"), stage.net("zoe")), (0, 0));
}

#[test]
fn a_paused_share_of_a_reward_gives_nothing_in_the_unit_of_the_reward() {
    let points = json!({"kind": "points", "amount": {"fixed": {"amount": 50, "currency": "points"}}});
    let mut second = second_level();
    second["status"] = json!("paused");
    let mut stage = chain(&[rule(&points), second]);
    let step = stage.pay("ben", "in_1", 20_000, 1);
    let outcome = step.decisions[1].rules.iter().find(|outcome| outcome.rule.as_str() == "second").unwrap();
    assert_eq!((outcome.reason, outcome.target.to_string()), (Reason::RulePaused, "0 points".to_owned()));
}

#[test]
fn there_is_no_third_level() {
    let mut stage = Stage::with(&[rule(&json!({})), second_level()]);
    stage.sign_up("zoe", "yara", 0);
    stage.sign_up("anna", "zoe", 0);
    stage.sign_up("ben", "anna", 0);
    stage.pay("ben", "in_1", 20_000, 1);
    assert_eq!(["anna", "zoe", "yara"].map(|who| stage.net(who)), [500, 50, 0]);
}

#[test]
fn a_circle_of_referrers_ends() {
    let mut stage = Stage::with(&[rule(&json!({})), second_level()]);
    stage.sign_up("anna", "ben", 0);
    stage.sign_up("ben", "anna", 0);
    stage.pay("ben", "in_1", 20_000, 1);
    assert_eq!((stage.net("anna"), stage.net("ben")), (500, 50));
}

#[test]
fn a_milestone_earns_a_second_reward_too() {
    let milestone = json!({"id": "m", "trigger": "referral_count",
        "amount": {"milestones": {"steps": [{"at": 1, "amount": 900, "currency": "USD"}], "on_drop": "revoke"}}});
    let mut stage = chain(&[milestone, second_level()]);
    stage.pay("ben", "in_1", 20_000, 1);
    assert_eq!((stage.net("anna"), stage.net("zoe")), (900, 90));
    stage.refund("in_1", 20_000, 2, "succeeded");
    assert_eq!((stage.net("anna"), stage.net("zoe")), (0, 0));
}

#[test]
fn nobody_earns_by_a_participant_who_was_not_referred() {
    let mut stage = Stage::with(&[rule(&json!({})), second_level()]);
    stage.sign_up("ben", "anna", 0);
    assert_eq!(stage.pay("ben", "in_1", 20_000, 1).decisions.len(), 1);
}
