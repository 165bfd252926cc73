use serde_json::{Value, json};

use crate::fact::{Fact, Payer};
use crate::reason::Reason;
use crate::simulation::stage::{Stage, day, outcome, percent, result, rule};
use crate::source::SourceState;

/// What the rule `a` gives for one payment of ben's.
fn paid(given: &Value, amount: i64, more: &Value) -> (Reason, String) {
    let mut stage = Stage::with(&[rule(given)]);
    stage.sign_up("ben", "anna", 0);
    let step = stage.pay_with("ben", "in_1", amount, 1, more);
    let outcome = outcome(&step, "a");
    (outcome.reason, outcome.target.to_string())
}

#[test]
fn each_kind_of_amount_gives_what_it_says() {
    let none = json!({});
    let eur = json!({"currency": "EUR"});
    let taxed = json!({"total": 11_900, "total_excluding_tax": 10_000});
    let fixed = |amount: i64, unit: &str| json!({"fixed": {"amount": amount, "currency": unit}});
    let ex_tax = json!({"percentage": {"percent": "10", "basis": "paid_excluding_tax"}});
    let tiers = json!({"tiers": {"by": "payment_amount", "currency": "USD", "steps": [
        {"from": 1_000, "amount": percent("5")},
        {"from": 5_000, "amount": fixed(400, "USD")},
        {"from": 10_000, "amount": {"percentage": {"percent": "12.5"}}}]}});
    let list = json!({"per_currency": {"USD": 500, "EUR": 450}});
    let over = json!({"percentage": {"percent": "150", "over_100": true}});
    for (given, amount, more, expected) in [
        (json!({}), 20_000, &none, (Reason::Earned, "5.00 USD")),
        (json!({"amount": fixed(700, "EUR")}), 20_000, &none, (Reason::Earned, "7.00 EUR")),
        (
            json!({"amount": fixed(50, "points"), "kind": "points"}),
            20_000,
            &none,
            (Reason::Earned, "50 points"),
        ),
        (json!({}), 0, &none, (Reason::ZeroAmount, "")),
        (json!({"amount": percent("10")}), 20_000, &none, (Reason::Earned, "20.00 USD")),
        (json!({"amount": percent("12.5")}), 999, &none, (Reason::Earned, "1.24 USD")),
        (json!({"amount": percent("10")}), 9, &none, (Reason::RoundsToZero, "0.00 USD")),
        (json!({"amount": over}), 1_000, &none, (Reason::Earned, "15.00 USD")),
        (json!({"amount": ex_tax}), 11_900, &taxed, (Reason::Earned, "10.00 USD")),
        (json!({"amount": ex_tax}), 5_950, &taxed, (Reason::Earned, "5.00 USD")),
        (json!({"amount": ex_tax}), 11_900, &none, (Reason::Earned, "11.90 USD")),
        (json!({"amount": list}), 20_000, &none, (Reason::Earned, "5.00 USD")),
        (json!({"amount": list}), 20_000, &eur, (Reason::Earned, "4.50 EUR")),
        (json!({"amount": list}), 20_000, &json!({"currency": "JPY"}), (Reason::CurrencyNotOffered, "0 JPY")),
        (json!({"amount": tiers}), 999, &none, (Reason::BelowFirstTier, "0.00 USD")),
        (json!({"amount": tiers}), 1_000, &none, (Reason::Earned, "0.50 USD")),
        (json!({"amount": tiers}), 4_999, &none, (Reason::Earned, "2.49 USD")),
        (json!({"amount": tiers}), 5_000, &none, (Reason::Earned, "4.00 USD")),
        (json!({"amount": tiers}), 20_000, &none, (Reason::Earned, "25.00 USD")),
        (json!({"amount": tiers}), 20_000, &eur, (Reason::CurrencyNotOffered, "0.00 EUR")),
        (
            json!({"kind": "discount", "amount": {"percent_off": {"percent": "15"}}}),
            1,
            &none,
            (Reason::Earned, "1 discount"),
        ),
        (
            json!({"kind": "product", "amount": {"product": {"sku": "mug", "quantity": 2}}}),
            1,
            &none,
            (Reason::Earned, "2 product"),
        ),
        (json!({"kind": "message", "amount": null}), 1, &none, (Reason::Earned, "1 message")),
        (json!({"kind": "task", "amount": null}), 1, &none, (Reason::Earned, "1 task")),
        (json!({"kind": "webhook", "amount": null}), 1, &none, (Reason::Earned, "1 webhook")),
    ] {
        if amount == 0 {
            let mut stage = Stage::with(&[rule(&given)]);
            stage.sign_up("ben", "anna", 0);
            assert_eq!(stage.pay("ben", "in_1", 0, 1).decisions[0].reason, expected.0);
        } else {
            let found = paid(&given, amount, more);
            assert_eq!((found.0, found.1.as_str()), expected, "{given} of {amount}");
        }
    }
}

#[test]
fn a_payout_has_three_figures_and_a_share_is_of_the_one_named() {
    for (basis, expected) in [("payout", 1_000), ("profit", 300), ("revenue", 5_000)] {
        let share = json!({"percentage": {"percent": "10", "basis": basis}});
        let mut stage = Stage::with(&[rule(&json!({"trigger": "payout_recorded", "amount": share}))]);
        stage.sign_up("ben", "anna", 0);
        let record = |profit: Option<i64>, revision: u32| {
            json!({"type": "payout", "referee": "ben", "id": "po_1", "payout": 10_000, "profit": profit,
                "revenue": 50_000, "revision": revision, "currency": "USD", "at": day(1)})
        };
        assert_eq!(result(&stage.apply(&record(Some(3_000), 0))), (Reason::Earned, expected), "{basis}");
        if basis == "profit" {
            // A loss earns nothing, and what was given for the revised figure is taken back.
            assert_eq!(result(&stage.apply(&record(Some(-50), 1))), (Reason::RoundsToZero, 0));
            assert_eq!(result(&stage.apply(&record(None, 2))), (Reason::BasisUnknown, 0));
            assert_eq!(stage.net("anna"), 0);
        }
    }
}

#[test]
fn a_share_of_a_payout_that_is_cancelled_is_of_nothing() {
    let share = json!({"percentage": {"percent": "10", "basis": "payout"}});
    let mut stage = Stage::with(&[rule(&json!({"trigger": "payout_recorded", "amount": share}))]);
    stage.sign_up("ben", "anna", 0);
    let step = stage.payout("ben", "po_1", 10_000, day(1));
    assert_eq!((result(&step), stage.net("anna")), ((Reason::Earned, 1_000), 1_000));
    let cancelled = Fact::of(step.decisions[0].source.clone(), Payer::default(), SourceState::void(None));
    assert_eq!(result(&stage.0.hear(&cancelled).unwrap()), (Reason::Cancelled, 0));
    assert_eq!(stage.net("anna"), 0);
}

#[test]
fn a_reward_that_is_no_money_says_what_it_is_of() {
    let percent_off = json!({"kind": "discount", "amount": {"percent_off": {"percent": "15"}}});
    let product = json!({"kind": "product", "amount": {"product": {"sku": "mug", "quantity": 2}}});
    for (given, off, sku) in
        [(json!({}), None, None), (percent_off, Some("15"), None), (product, None, Some("mug"))]
    {
        let mut stage = Stage::with(&[rule(&given)]);
        stage.sign_up("ben", "anna", 0);
        stage.pay("ben", "in_1", 100, 1);
        let reward = stage.rewards().next().unwrap();
        let promised = reward.promise.percent_off.map(|percent| percent.to_string());
        assert_eq!((promised.as_deref(), reward.promise.sku.as_deref()), (off, sku), "{given}");
    }
}

#[test]
fn a_share_of_a_qualifying_event_is_of_its_amount() {
    let share = json!({"percentage": {"percent": "10", "basis": "event_amount"}});
    let mut stage = Stage::with(&[rule(&json!({"trigger": {"custom": "webinar"}, "amount": share}))]);
    stage.sign_up("ben", "anna", 0);
    let event = json!({"type": "event", "name": "webinar", "referee": "ben", "id": "w1", "amount": 5_000,
        "currency": "USD", "at": day(1)});
    assert_eq!(result(&stage.apply(&event)), (Reason::Earned, 500));
    assert_eq!(result(&stage.happen("ben", "webinar", "w2", 1)), (Reason::BasisUnknown, 0));
}

#[test]
fn a_reward_has_a_least_and_a_most() {
    let usd = |amount: i64| json!([{"amount": amount, "currency": "USD"}]);
    let both = json!({"amount": percent("10"), "limits": {"at_least": usd(300), "at_most": usd(1_000)}});
    for (amount, expected) in [(1, 1), (299, 299), (300, 300), (2_999, 300), (5_000, 500), (10_001, 1_000)] {
        let mut stage = Stage::with(&[rule(&both)]);
        stage.sign_up("ben", "anna", 0);
        assert_eq!(result(&stage.pay("ben", "in_1", amount, 1)), (Reason::Earned, expected), "{amount}");
        stage.refund("in_1", amount, 2, "succeeded");
        assert_eq!(stage.net("anna"), 0, "the least does not outlive the payment");
    }
    let euro = json!({"amount": percent("10"), "limits": {"at_most": [{"amount": 1, "currency": "EUR"}]}});
    assert_eq!(paid(&euro, 1_000, &json!({})), (Reason::Earned, "1.00 USD".to_owned()));
}

#[test]
fn the_least_of_a_fixed_tier_is_not_held_down_by_an_event_without_an_amount() {
    let tiers = json!({"tiers": {"by": "qualified_referrals", "steps": [
        {"from": 0, "amount": {"fixed": {"amount": 100, "currency": "USD"}}},
        {"from": 50, "amount": {"percentage": {"percent": "10", "basis": "event_amount"}}}]}});
    let limits = json!({"at_least": [{"amount": 300, "currency": "USD"}]});
    let mut stage = Stage::with(&[rule(&json!({"trigger": "approved", "amount": tiers, "limits": limits}))]);
    stage.sign_up("ben", "anna", 0);
    assert_eq!(result(&stage.happen("ben", "approved", "e1", 1)), (Reason::Earned, 300));
}

#[test]
fn every_trigger_is_for_its_own_events() {
    let triggers = [
        json!("invoice_paid"),
        json!("signup"),
        json!("approved"),
        json!("plan_started"),
        json!("booking_completed"),
        json!({"custom": "webinar"}),
        json!("payout_recorded"),
    ];
    for (index, trigger) in triggers.iter().enumerate() {
        let mut stage = Stage::with(&[rule(&json!({"trigger": trigger}))]);
        let sign_up = stage.sign_up("ben", "anna", 0);
        let mut earned = vec![sign_up.decisions.iter().any(|decided| decided.reason == Reason::Earned)];
        let steps = [
            stage.happen("ben", "approved", "1", 1),
            stage.happen("ben", "plan_started", "1", 1),
            stage.happen("ben", "booking_completed", "1", 1),
            stage.happen("ben", "webinar", "1", 1),
            stage.payout("ben", "po_1", 100, day(1)),
        ];
        earned.insert(0, stage.pay("ben", "in_1", 100, 1).decisions[0].reason == Reason::Earned);
        earned.extend(steps.iter().map(|step| step.decisions[0].reason == Reason::Earned));
        let expected: Vec<bool> = (0..triggers.len()).map(|other| other == index).collect();
        assert_eq!(earned, expected, "{trigger}");
        assert_eq!(stage.net("anna"), 500);
    }
}

#[test]
fn what_is_particular_about_a_reward_is_written_with_it() {
    let usd = |amount: i64| json!({"amount": amount, "currency": "USD"});
    for (given, state) in [
        (json!({}), "approved"),
        (json!({"approval": "manual"}), "pending"),
        (json!({"approval": {"manual_above": usd(499)}}), "pending"),
        (json!({"approval": {"manual_above": usd(500)}}), "approved"),
        (json!({"approval": {"manual_above": {"amount": 500, "currency": "EUR"}}}), "pending"),
        (json!({"hold_days": 14}), "held"),
        (json!({"hold_days": 14, "approval": "manual"}), "pending"),
    ] {
        let mut stage = Stage::with(&[rule(&given)]);
        stage.sign_up("ben", "anna", 0);
        let step = stage.pay("ben", "in_1", 20_000, 1);
        let line = serde_json::to_value(&step.decisions[0].posted[0]).unwrap();
        assert_eq!(line["state"], state, "{given}");
    }
}

#[test]
fn a_tier_may_give_another_unit_than_the_one_before_in_the_same_moment() {
    let tiers = json!({"tiers": {"by": "payment_amount", "currency": "USD", "steps": [
        {"from": 0, "amount": percent("10")},
        {"from": 5_000, "amount": {"fixed": {"amount": 50, "currency": "points"}}}]}});
    let mut stage = Stage::with(&[rule(&json!({"amount": tiers}))]);
    stage.sign_up("ben", "anna", 0);
    stage.pay("ben", "in_1", 1_000, 1);
    assert_eq!((stage.net("anna"), stage.net_in("anna", "points")), (100, 0));
    stage.pay("ben", "in_1", 5_000, 1);
    assert_eq!((stage.net("anna"), stage.net_in("anna", "points")), (0, 50));
}
