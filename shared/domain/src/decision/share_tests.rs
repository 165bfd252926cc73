use serde_json::{Value, json};

use crate::reason::Reason;
use crate::simulation::stage::{Stage, day, percent, rule};

fn shared(rules: &[Value], model: &str, touches: &[(&str, i64)]) -> Stage {
    let mut stage = Stage::of(&json!({"rules": rules, "attribution": {"model": model}}));
    let touches: Vec<Value> =
        touches.iter().map(|(who, at)| json!({"referrer": who, "at": day(*at)})).collect();
    stage.apply(&json!({"type": "signup", "referee": "ben", "touches": touches, "at": day(20)}));
    stage
}

#[test]
fn a_reward_is_shared_to_exactly_the_whole() {
    let touches = [("anna", 1), ("lena", 2), ("zoe", 3)];
    for (model, amount, expected) in [
        ("first_touch", 1_000, [100, 0, 0]),
        ("last_touch", 1_000, [0, 0, 100]),
        ("linear", 1_000, [34, 33, 33]),
        ("position_based", 1_000, [40, 20, 40]),
        ("position_based", 10, [1, 0, 0]),
        ("linear", 20, [1, 1, 0]),
    ] {
        let mut stage = shared(&[rule(&json!({"amount": percent("10")}))], model, &touches);
        stage.pay("ben", "in_1", amount, 21);
        let nets = ["anna", "lena", "zoe"].map(|who| stage.net(who));
        assert_eq!(nets, expected, "{model} {amount}");
        stage.refund("in_1", amount, 22, "succeeded");
        assert_eq!(["anna", "lena", "zoe"].map(|who| stage.net(who)), [0; 3]);
    }
}

#[test]
fn a_part_that_stands_is_shared_to_exactly_what_stands() {
    let touches = [("anna", 1), ("lena", 2), ("zoe", 3)];
    let mut stage = shared(&[rule(&json!({"amount": percent("10")}))], "linear", &touches);
    stage.pay("ben", "in_1", 1_000, 21);
    stage.refund("in_1", 10, 22, "succeeded");
    assert_eq!(["anna", "lena", "zoe"].map(|who| stage.net(who)), [33, 33, 33]);
    stage.refund("in_1", 10, 23, "failed");
    assert_eq!(["anna", "lena", "zoe"].map(|who| stage.net(who)), [34, 33, 33]);
}

#[test]
fn the_referee_of_a_shared_referral_is_rewarded_once_and_alone() {
    let referee = rule(&json!({"recipient": "referee"}));
    let mut stage = shared(&[referee], "linear", &[("anna", 1), ("lena", 2)]);
    stage.pay("ben", "in_1", 1_000, 21);
    assert_eq!(["ben", "anna", "lena"].map(|who| stage.net(who)), [500, 0, 0]);
}

#[test]
fn everybody_who_shares_a_referral_has_referred() {
    let milestone = json!({"id": "m", "trigger": "referral_count",
        "amount": {"milestones": {"steps": [{"at": 1, "amount": 900, "currency": "USD"}]}}});
    let mut stage = shared(&[milestone], "linear", &[("anna", 1), ("lena", 2)]);
    stage.pay("ben", "in_1", 1_000, 21);
    assert_eq!(["anna", "lena"].map(|who| stage.net(who)), [900, 900]);
}

#[test]
fn a_cap_of_one_who_shares_is_no_gain_of_the_other() {
    let caps = json!([{"per": "all_time", "amount": 200, "currency": "USD"}]);
    let capped = rule(&json!({"limits": {"caps": caps}}));
    let mut stage = shared(&[capped], "linear", &[("anna", 1), ("lena", 2)]);
    let step = stage.pay("ben", "in_1", 1_000, 21);
    assert_eq!(["anna", "lena"].map(|who| stage.net(who)), [200, 200]);
    assert!(step.decisions[0].rules.iter().all(|rule| rule.reason == Reason::Earned));
}
