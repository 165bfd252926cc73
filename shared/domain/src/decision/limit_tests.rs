use serde_json::{Value, json};

use crate::fact::{Fact, Payer};
use crate::id::{EventName, ProcessorRef, SourceId};
use crate::ledger::RewardState;
use crate::reason::Reason;
use crate::simulation::stage::{Stage, day, outcome, percent, result, rule};
use crate::source::SourceState;

/// What the rule `a` comes to for each payment: who, how much, on which day; each on an invoice of its own.
fn results(given: &Value, payments: &[(&str, i64, i64)]) -> Vec<(Reason, i64)> {
    let mut stage = Stage::with(&[rule(given)]);
    for referee in ["ben", "cleo", "dora"] {
        stage.sign_up(referee, "anna", 0);
    }
    let pay = |(n, (referee, amount, day)): (usize, &(&str, i64, i64))| {
        result(&stage.pay(referee, &format!("in_{n}"), *amount, *day))
    };
    payments.iter().enumerate().map(pay).collect()
}

const FULL: (Reason, i64) = (Reason::Earned, 500);

#[test]
fn a_rule_pays_as_often_as_it_says() {
    let enrolled = (Reason::AlreadyEnrolled, 0);
    let payments = [("ben", 100, 1), ("ben", 100, 2), ("cleo", 100, 3), ("ben", 100, 4), ("cleo", 100, 5)];
    for (given, expected) in [
        (json!({"repeat": "every_time"}), [FULL; 5]),
        (json!({"repeat": "once_per_referee"}), [FULL, enrolled, FULL, enrolled, enrolled]),
        (json!({"repeat": "once"}), [FULL, enrolled, enrolled, enrolled, enrolled]),
        (
            json!({"limits": {"max_rewards_per_referee": 2}}),
            [FULL, FULL, FULL, (Reason::RefereeLimitReached, 0), FULL],
        ),
        (
            json!({"conditions": {"first_payment_only": true}}),
            [
                FULL,
                (Reason::NotFirstPayment, 0),
                FULL,
                (Reason::NotFirstPayment, 0),
                (Reason::NotFirstPayment, 0),
            ],
        ),
    ] {
        assert_eq!(results(&given, &payments), expected, "{given}");
    }
}

#[test]
fn the_first_payment_is_the_first_invoice_whatever_else_happened_before() {
    let rules = [
        rule(&json!({"conditions": {"first_payment_only": true}})),
        rule(&json!({"id": "b", "trigger": "approved"})),
    ];
    let mut stage = Stage::with(&rules);
    stage.sign_up("ben", "anna", 0);
    stage.happen("ben", "approved", "e1", 1);
    stage.payout("ben", "po_1", 100, day(1));
    assert_eq!(result(&stage.pay("ben", "in_1", 100, 2)), FULL);
    assert_eq!(result(&stage.pay("ben", "in_2", 100, 3)), (Reason::NotFirstPayment, 0));
}

#[test]
fn a_free_invoice_is_no_first_payment() {
    let mut stage = Stage::with(&[rule(&json!({"conditions": {"first_payment_only": true}}))]);
    stage.sign_up("ben", "anna", 0);
    stage.pay("ben", "in_0", 0, 1);
    assert_eq!(result(&stage.pay("ben", "in_1", 100, 2)), FULL);
}

#[test]
fn a_rule_pays_within_its_validity_from_the_sign_up() {
    let payments = [("ben", 100, 0), ("ben", 100, 29), ("ben", 100, 30), ("ben", 100, 400)];
    let over = (Reason::ValidityOver, 0);
    assert_eq!(results(&json!({"limits": {"validity_days": 30}}), &payments), [FULL, FULL, over, over]);
}

#[test]
fn a_rule_pays_for_so_many_months_from_the_first_payment() {
    let payments = [("ben", 100, 9), ("ben", 100, 39), ("ben", 100, 40), ("cleo", 100, 40), ("ben", 100, 60)];
    let over = (Reason::DurationOver, 0);
    // Day 9 is 10 January, day 40 is 10 February: cleo's month begins when ben's is over.
    assert_eq!(
        results(&json!({"limits": {"duration_months": 1}}), &payments),
        [FULL, FULL, over, FULL, over]
    );
    assert_eq!(results(&json!({"limits": {"duration_months": 2}}), &payments), [FULL; 5]);
    assert_eq!(results(&json!({}), &payments), [FULL; 5], "without it, for ever");
}

#[test]
fn a_cap_cuts_what_crosses_it() {
    let cap = |per: &str, over: &str| {
        json!({"amount": percent("100"),
            "limits": {"caps": [{"per": per, "amount": 1_000, "currency": "USD", "over": over}]}})
    };
    let reached = (Reason::CapReached, 0);
    let earned = |amount| (Reason::Earned, amount);
    // 1 January 2026 is a Thursday: day 4 is the Monday of the next week, day 31 is 1 February.
    let payments = [
        ("ben", 600, 0),
        ("cleo", 600, 0),
        ("ben", 100, 0),
        ("ben", 700, 3),
        ("ben", 900, 4),
        ("ben", 800, 31),
    ];
    for (per, expected) in [
        ("day", [earned(600), earned(400), reached, earned(700), earned(900), earned(800)]),
        ("week", [earned(600), earned(400), reached, reached, earned(900), earned(800)]),
        ("month", [earned(600), earned(400), reached, reached, reached, earned(800)]),
        ("all_time", [earned(600), earned(400), reached, reached, reached, reached]),
    ] {
        assert_eq!(results(&cap(per, "cut"), &payments), expected, "{per}");
    }
    let refused = [earned(600), reached, earned(100), reached, reached, reached];
    assert_eq!(results(&cap("all_time", "refuse"), &payments), refused, "a smaller one still fits");
    let exact = [("ben", 600, 0), ("ben", 400, 1)];
    assert_eq!(results(&cap("all_time", "refuse"), &exact), [earned(600), earned(400)], "one that just fits");
}

#[test]
fn the_narrowest_of_several_caps_holds() {
    let caps = json!([{"per": "day", "amount": 700, "currency": "USD"},
        {"per": "all_time", "amount": 1_000, "currency": "USD"}, {"per": "week", "amount": 1, "currency": "EUR"}]);
    let given = json!({"amount": percent("100"), "limits": {"caps": caps}});
    let payments = [("ben", 900, 0), ("ben", 900, 1), ("ben", 900, 2)];
    let expected = [(Reason::Earned, 700), (Reason::Earned, 300), (Reason::CapReached, 0)];
    assert_eq!(results(&given, &payments), expected);
}

#[test]
fn a_cap_is_for_each_recipient() {
    let caps = json!([{"per": "all_time", "amount": 500, "currency": "USD"}]);
    let mut stage = Stage::with(&[rule(&json!({"limits": {"caps": caps}}))]);
    stage.sign_up("ben", "anna", 0);
    stage.sign_up("cleo", "lena", 0);
    for (referee, expected) in [("ben", FULL), ("cleo", FULL), ("ben", (Reason::CapReached, 0))] {
        assert_eq!(result(&stage.pay(referee, &format!("in_{referee}_{}", expected.1), 100, 1)), expected);
    }
}

#[test]
fn an_invoice_that_is_paid_in_parts_asks_for_room_as_it_grows() {
    let caps = json!([{"per": "all_time", "amount": 1_000, "currency": "USD"}]);
    let given = json!({"amount": percent("100"), "limits": {"caps": caps}});
    let mut stage = Stage::with(&[rule(&given)]);
    stage.sign_up("ben", "anna", 0);
    assert_eq!(result(&stage.pay("ben", "in_1", 400, 1)), (Reason::Earned, 400));
    assert_eq!(result(&stage.pay("ben", "in_2", 500, 1)), (Reason::Earned, 500));
    assert_eq!(result(&stage.pay("ben", "in_1", 900, 2)), (Reason::Earned, 500));
    assert_eq!(stage.net("anna"), 1_000);
}

#[test]
fn a_payment_that_was_too_small_to_pay_may_grow_but_takes_no_place_that_another_has() {
    let given = json!({"amount": percent("1"), "repeat": "once_per_referee"});
    let mut stage = Stage::with(&[rule(&given)]);
    stage.sign_up("ben", "anna", 0);
    assert_eq!(result(&stage.pay("ben", "in_1", 50, 1)), (Reason::RoundsToZero, 0));
    assert_eq!(result(&stage.pay("ben", "in_2", 1_000, 2)), (Reason::Earned, 10));
    assert_eq!(result(&stage.pay("ben", "in_1", 5_000, 3)), (Reason::AlreadyEnrolled, 0));
    let mut alone = Stage::with(&[rule(&given)]);
    alone.sign_up("ben", "anna", 0);
    alone.pay("ben", "in_1", 50, 1);
    assert_eq!(result(&alone.pay("ben", "in_1", 5_000, 3)), (Reason::Earned, 50));
}

#[test]
fn rewards_below_the_least_earnings_are_held() {
    let least = json!([{"amount": 1_200, "currency": "USD"}]);
    let mut stage = Stage::of(&json!({"rules": [rule(&json!({}))], "min_earnings": least}));
    stage.sign_up("ben", "anna", 0);
    for (n, expected) in [(1, "held"), (2, "held"), (3, "approved"), (4, "approved")] {
        let step = stage.pay("ben", &format!("in_{n}"), 100, n);
        let line = serde_json::to_value(&step.decisions[0].posted[0]).unwrap();
        assert_eq!(line["state"], expected, "{n}");
    }
}

#[test]
fn a_payment_that_grows_into_a_tier_of_another_unit_stays_within_its_caps() {
    let fixed = |amount: i64, currency: &str| json!({"fixed": {"amount": amount, "currency": currency}});
    let steps = json!([{"from": 0, "amount": fixed(1, "points")}, {"from": 2000, "amount": percent("20")}]);
    for (over, expected) in [("refuse", (Reason::CapReached, 0)), ("cut", (Reason::Earned, 100))] {
        let mut stage = Stage::with(&[json!({"id": "a",
            "amount": {"tiers": {"by": "payment_amount", "currency": "USD", "steps": steps}},
            "limits": {"caps": [{"per": "day", "amount": 100, "currency": "USD", "over": over}]}})]);
        stage.sign_up("ben", "anna", 0);
        stage.pay("ben", "in_1", 900, 1);
        assert_eq!(stage.net_in("anna", "points"), 1);
        assert_eq!(result(&stage.pay("ben", "in_1", 5000, 1)), expected, "{over}");
        assert_eq!((stage.net_in("anna", "points"), stage.net("anna")), (0, expected.1), "{over}");
        // What it took is taken: another payment finds no more.
        stage.pay("ben", "in_2", 5000, 1);
        assert!(stage.net("anna") <= 100, "{over}");
    }
}

#[test]
fn what_a_cap_has_cut_is_approved_by_what_is_left() {
    for (most, expected) in [(99, RewardState::Pending), (100, RewardState::Approved)] {
        let mut stage = Stage::with(&[rule(&json!({
            "approval": {"manual_above": {"amount": most, "currency": "USD"}},
            "limits": {"caps": [{"per": "day", "amount": 100, "currency": "USD"}]}}))]);
        stage.sign_up("ben", "anna", 0);
        let step = stage.pay("ben", "in_1", 5000, 1);
        assert_eq!(step.decisions[0].posted[0].state, expected, "above {most}");
    }
}

#[test]
fn an_event_is_cancelled_and_an_invoice_is_void_whatever_they_are_over() {
    let amount = json!({"type": "event", "name": "approved", "referee": "ben", "id": "e1", "amount": 100,
        "currency": "USD", "at": day(1)});
    let mut stage = Stage::of(&json!({"accept_zero_amount": true, "rules": [
        rule(&json!({"trigger": "approved"})), rule(&json!({"id": "b"}))]}));
    stage.sign_up("ben", "anna", 0);
    stage.apply(&amount);
    let approved = EventName::parse("approved").unwrap();
    let source = SourceId::event(&approved, ProcessorRef::parse("e1").unwrap());
    let cancelled = Fact::of(source, Payer::default(), SourceState::void(None));
    assert_eq!(result(&stage.0.hear(&cancelled).unwrap()).0, Reason::Cancelled);
    stage.pay("ben", "in_1", 0, 1);
    let step = stage.apply(&json!({"type": "void", "invoice": "in_1", "at": day(2)}));
    assert_eq!(outcome(&step, "b").reason, Reason::Voided);
}

#[test]
fn a_refused_rule_says_what_was_counted_for_itself() {
    let rules = [("a", 2), ("b", 1)]
        .map(|(id, most)| rule(&json!({"id": id, "limits": {"max_rewards_per_referee": most}})));
    let mut stage = Stage::with(&rules);
    stage.sign_up("ben", "anna", 0);
    stage.pay("ben", "in_1", 100, 1);
    stage.pay("ben", "in_2", 100, 2);
    let step = stage.pay("ben", "in_3", 100, 3);
    for (id, before) in [("a", 2), ("b", 1)] {
        let outcome = outcome(&step, id);
        assert_eq!(
            (outcome.reason, outcome.counted.rewards_before),
            (Reason::RefereeLimitReached, Some(before))
        );
    }
}

#[test]
fn a_rule_that_pays_no_more_leaves_its_place_to_the_next_of_its_set() {
    let rules = [("a", "once_per_referee"), ("b", "every_time")]
        .map(|(id, repeat)| rule(&json!({"id": id, "repeat": repeat, "first_of": "plan"})));
    let mut stage = Stage::with(&rules);
    stage.sign_up("ben", "anna", 0);
    for (invoice, expected) in [
        ("in_1", [Reason::Earned, Reason::EarlierRuleApplied]),
        ("in_2", [Reason::AlreadyEnrolled, Reason::Earned]),
    ] {
        let step = stage.pay("ben", invoice, 100, 1);
        assert_eq!(["a", "b"].map(|id| outcome(&step, id).reason), expected);
    }
}

#[test]
fn only_one_payment_is_the_first_whichever_order_they_come_in_and_whatever_it_gave() {
    let given = json!({"amount": percent("1"), "conditions": {"first_payment_only": true}});
    let not_first = (Reason::NotFirstPayment, 0);
    let late = [("ben", 1_000, 5), ("ben", 1_000, 3)];
    assert_eq!(results(&given, &late), [(Reason::Earned, 10), not_first], "the earlier is told later");
    let small = [("ben", 50, 1), ("ben", 1_000, 2)];
    assert_eq!(results(&given, &small), [(Reason::RoundsToZero, 0), not_first], "the first gave nothing");
}
