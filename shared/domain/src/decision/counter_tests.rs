use serde_json::{Value, json};

use crate::reason::Reason;
use crate::simulation::stage::{Stage, outcome, percent, result, rule};

fn tiers(by: &str, on_drop: &str, steps: &[(i64, &str)]) -> Value {
    let steps: Vec<Value> =
        steps.iter().map(|(from, share)| json!({"from": from, "amount": percent(share)})).collect();
    let currency = (by != "qualified_referrals").then_some("USD");
    rule(&json!({"amount": {"tiers": {"by": by, "currency": currency, "steps": steps, "on_drop": on_drop}}}))
}

/// Referees `r1`, `r2`, ... of anna's, none of whom has paid.
fn referred(rule: Value, count: i64) -> Stage {
    let mut stage = Stage::with(&[rule]);
    for n in 1..=count {
        stage.sign_up(&format!("r{n}"), "anna", 0);
    }
    stage
}

#[test]
fn tiers_rise_with_the_number_of_qualified_referrals() {
    let mut stage = referred(tiers("qualified_referrals", "keep", &[(2, "10"), (4, "20")]), 5);
    let mut earned = Vec::new();
    for n in 1..=5 {
        let step = stage.pay(&format!("r{n}"), &format!("in_{n}"), 1_000, n);
        let counted = &outcome(&step, "a").counted;
        let expected = (Some(u32::try_from(n).unwrap()), None);
        assert_eq!((counted.referrals, counted.revenue), expected, "this one included");
        earned.push(result(&step));
    }
    let of = |amount| (Reason::Earned, amount);
    assert_eq!(earned, [(Reason::BelowFirstTier, 0), of(100), of(100), of(200), of(200)]);
    // The same referral paying again counts once.
    let again = stage.pay("r1", "in_6", 1_000, 6);
    assert_eq!(outcome(&again, "a").counted.referrals, Some(5));
}

#[test]
fn tiers_rise_with_what_the_referrals_brought() {
    let mut stage = referred(tiers("referred_revenue", "keep", &[(0, "1"), (5_000, "10")]), 2);
    assert_eq!(result(&stage.pay("r1", "in_1", 4_000, 1)), (Reason::Earned, 40));
    let crossing = stage.pay("r2", "in_2", 1_000, 2);
    let counted = &outcome(&crossing, "a").counted;
    assert_eq!(
        (result(&crossing), counted.revenue, counted.referrals),
        ((Reason::Earned, 100), Some(5_000), None)
    );
}

#[test]
fn a_reversal_drops_the_tier_of_later_events_or_keeps_it_by_policy() {
    for (by, steps) in [
        ("qualified_referrals", &[(1, "1"), (3, "10")][..]),
        ("referred_revenue", &[(0, "1"), (3_000, "10")][..]),
    ] {
        for (on_drop, after) in [("keep", 100), ("revoke", 10)] {
            let mut stage = referred(tiers(by, on_drop, steps), 3);
            for n in 1..=3 {
                stage.pay(&format!("r{n}"), &format!("in_{n}"), 1_000, n);
            }
            assert_eq!(stage.net("anna"), 10 + 10 + 100);
            stage.refund("in_2", 1_000, 4, "succeeded");
            stage.refund("in_3", 1_000, 4, "succeeded");
            assert_eq!(stage.net("anna"), 10, "what is refunded is taken back, at the rate it was given");
            assert_eq!(result(&stage.pay("r1", "in_4", 1_000, 5)), (Reason::Earned, after), "{by} {on_drop}");
        }
    }
}

#[test]
fn a_referral_qualifies_as_long_as_one_of_its_events_stands() {
    let mut stage = referred(tiers("qualified_referrals", "revoke", &[(1, "1"), (2, "10")]), 2);
    stage.pay("r1", "in_1", 1_000, 1);
    stage.pay("r1", "in_2", 1_000, 2);
    stage.refund("in_1", 1_000, 3, "succeeded");
    assert_eq!(result(&stage.pay("r2", "in_3", 1_000, 4)), (Reason::Earned, 100), "in_2 stands");
    stage.refund("in_2", 1_000, 5, "succeeded");
    assert_eq!(result(&stage.pay("r2", "in_4", 1_000, 6)), (Reason::Earned, 10), "nothing of r1 stands");
    stage.refund("in_2", 1_000, 7, "failed");
    assert_eq!(result(&stage.pay("r2", "in_5", 1_000, 8)), (Reason::Earned, 100), "it does again");
}

#[test]
fn a_source_keeps_the_tier_that_it_met() {
    let mut stage = referred(tiers("qualified_referrals", "revoke", &[(2, "10")]), 3);
    assert_eq!(result(&stage.pay("r1", "in_1", 1_000, 1)), (Reason::BelowFirstTier, 0));
    stage.pay("r2", "in_2", 1_000, 2);
    stage.pay("r3", "in_3", 1_000, 3);
    // The first invoice does not rise into a tier by a later event of its own.
    assert_eq!(result(&stage.refund("in_1", 100, 4, "succeeded")), (Reason::BelowFirstTier, 0));
    // Nor do the others fall out of theirs.
    stage.refund("in_1", 900, 5, "succeeded");
    stage.refund("in_3", 1_000, 6, "succeeded");
    assert_eq!(result(&stage.refund("in_2", 500, 7, "succeeded")), (Reason::Earned, 50));
}

#[test]
fn another_event_may_be_what_makes_a_referral_count() {
    for (qualifying, expected) in
        [(json!("signup"), 100), (json!("approved"), 10), (json!("invoice_paid"), 10)]
    {
        let tiers = tiers("qualified_referrals", "keep", &[(0, "1"), (2, "10")]);
        let mut stage = Stage::of(&json!({"rules": [tiers], "qualifying_event": qualifying}));
        stage.sign_up("r1", "anna", 0);
        stage.sign_up("r2", "anna", 0);
        assert_eq!(result(&stage.pay("r1", "in_1", 1_000, 1)), (Reason::Earned, expected), "{qualifying}");
        if qualifying == json!("approved") {
            stage.happen("r1", "approved", "1", 2);
            stage.happen("r2", "approved", "2", 2);
            assert_eq!(result(&stage.pay("r1", "in_2", 1_000, 3)), (Reason::Earned, 100));
        }
    }
}

#[test]
fn a_rule_that_pays_once_is_used_up_by_the_recipient_whom_it_paid() {
    let linear = json!({"model": "linear"});
    let caps = json!([{"per": "all_time", "amount": 250, "currency": "USD"}]);
    let given = rule(&json!({"repeat": "once_per_referee", "limits": {"caps": caps}}));
    let mut stage = Stage::of(&json!({"rules": [given], "attribution": linear}));
    let touch = |who: &str| json!({"referrer": who, "at": "2026-01-01T00:00:00Z"});
    stage.sign_up("cleo", "anna", 0);
    stage.pay("cleo", "in_0", 100, 0);
    let shared = json!({"type": "signup", "referee": "ben", "touches": [touch("anna"), touch("lena")],
        "at": "2026-01-01T00:00:00Z"});
    stage.apply(&shared);
    // Anna has all that she may get; lena's half makes it a reward for ben all the same.
    stage.pay("ben", "in_1", 100, 1);
    assert_eq!((stage.net("anna"), stage.net("lena")), (250, 250));
    assert_eq!(result(&stage.pay("ben", "in_2", 100, 2)), (Reason::AlreadyEnrolled, 0));
    assert_eq!(stage.net("lena"), 250);
}

#[test]
fn the_shares_of_one_reward_are_one_reward_of_the_referee() {
    let given = rule(&json!({"limits": {"max_rewards_per_referee": 2}}));
    let mut stage = Stage::of(&json!({"rules": [given], "attribution": {"model": "linear"}}));
    let touch = |who: &str| json!({"referrer": who, "at": "2026-01-01T00:00:00Z"});
    let shared = json!({"type": "signup", "referee": "ben", "touches": [touch("anna"), touch("lena")],
        "at": "2026-01-01T00:00:00Z"});
    stage.apply(&shared);
    for (invoice, each) in [("in_1", 250), ("in_2", 500), ("in_3", 500)] {
        stage.pay("ben", invoice, 100, 1);
        assert_eq!((stage.net("anna"), stage.net("lena")), (each, each), "{invoice}");
    }
}
