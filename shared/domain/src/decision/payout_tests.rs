use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::ledger::{Cause, RewardState};
use crate::money::Currency;
use crate::rate::Rate;
use crate::reason::Reason;
use crate::simulation::Step;
use crate::simulation::stage::{Stage, day, outcome, percent, result, rule};

/// Terms that pay out in a currency, and rates of all days.
fn stage(payout: &str, given: &[Value], rates: &[(&str, &str)]) -> Stage {
    with_rates(Stage::of(&json!({"payout_currency": payout, "rules": given})), rates)
}

fn with_rates(stage: Stage, rates: &[(&str, &str)]) -> Stage {
    let rate = |(code, rate): &(&str, &str)| (Currency::parse(code).unwrap(), Rate::parse(rate).unwrap());
    let rates: BTreeMap<_, _> = rates.iter().map(rate).collect();
    Stage(stage.0.with_rates(rates))
}

fn pay(stage: &mut Stage, amount: i64, currency: &str) -> Step {
    stage.sign_up("ben", "anna", 0);
    stage.pay_with("ben", "in_1", amount, 1, &json!({ "currency": currency }))
}

/// What the rule `a` gives for one payment of ben's in EUR, of which one is worth 1.25 USD.
fn paid(given: &Value, amount: i64) -> (Reason, String) {
    let mut stage = stage("USD", &[rule(given)], &[("EUR", "1.25")]);
    let step = pay(&mut stage, amount, "EUR");
    (outcome(&step, "a").reason, outcome(&step, "a").target.to_string())
}

#[test]
fn what_is_given_in_another_currency_is_converted_before_the_limits() {
    let limits = |limits: Value| json!({"amount": percent("10"), "limits": limits});
    let usd = |amount: i64| json!([{"amount": amount, "currency": "USD"}]);
    let tiers = json!({"tiers": {"by": "payment_amount", "currency": "EUR", "steps": [
        {"from": 0, "amount": {"fixed": {"amount": 300, "currency": "USD"}}}, {"from": 5_000, "amount": percent("10")}]}});
    for (given, amount, expected) in [
        (json!({"amount": percent("10")}), 10_000, "12.50 USD"),
        (json!({"amount": percent("10")}), 10_009, "12.50 USD"),
        (json!({"amount": {"per_currency": {"EUR": 401, "GBP": 1}}}), 10_000, "5.01 USD"),
        (json!({"amount": {"fixed": {"amount": 700, "currency": "USD"}}}), 10_000, "7.00 USD"),
        (json!({"amount": tiers}), 4_999, "3.00 USD"),
        (json!({"amount": tiers}), 5_000, "6.25 USD"),
        (limits(json!({"at_most": usd(1_000)})), 10_000, "10.00 USD"),
        (limits(json!({"at_most": usd(1_250)})), 10_000, "12.50 USD"),
        (limits(json!({"at_least": usd(2_000)})), 10_000, "20.00 USD"),
        // The least lifts a share no higher than what was paid, in the payout currency.
        (limits(json!({"at_least": usd(2_000)})), 1_000, "12.50 USD"),
        (limits(json!({"caps": [{"per": "month", "amount": 900, "currency": "USD"}]})), 10_000, "9.00 USD"),
    ] {
        assert_eq!(paid(&given, amount), (Reason::Earned, expected.to_owned()), "{given} of {amount}");
    }
    // What is asked of the payment is in the payment's currency.
    let least = |currency: &str| json!({"amount": percent("10"), "conditions": {"min_purchase": [{"amount": 900, "currency": currency}]}});
    assert_eq!(paid(&least("EUR"), 1_000), (Reason::Earned, "1.25 USD".to_owned()));
    assert_eq!(paid(&least("USD"), 1_000), (Reason::CurrencyNotOffered, "0.00 USD".to_owned()));
    assert_eq!(paid(&json!({"amount": percent("10")}), 9), (Reason::RoundsToZero, "0.00 USD".to_owned()));
    let points = json!({"kind": "points", "amount": {"fixed": {"amount": 50, "currency": "points"}}});
    assert_eq!(paid(&points, 1_000), (Reason::Earned, "50 points".to_owned()));
}

#[test]
fn a_source_waits_for_its_rate_as_a_whole_and_counts_nothing() {
    let given = [
        rule(&json!({"repeat": "once"})),
        rule(&json!({"id": "b", "amount": percent("10")})),
        rule(&json!({"id": "c", "trigger": "referral_count", "amount": {"milestones": {"steps": [
            {"at": 1, "amount": 700, "currency": "USD"}]}}})),
    ];
    let mut stage = stage("USD", &given, &[]);
    let step = pay(&mut stage, 10_000, "EUR");
    assert_eq!(step.decisions[0].reason, Reason::AwaitingRate);
    assert!(step.decisions[0].rules.is_empty() && step.decisions[0].posted.is_empty());
    assert_eq!(stage.net("anna"), 0);
    // Once it is known, everything is as if it had always been.
    let mut stage = with_rates(stage, &[("EUR", "1.25")]);
    let step = stage.pay_with("ben", "in_1", 10_000, 1, &json!({"currency": "EUR"}));
    assert_eq!((step.decisions[0].reason, stage.net("anna")), (Reason::Earned, 500 + 1_250 + 700));
}

#[test]
fn nobody_waits_for_a_rate_that_is_not_needed() {
    let share = || rule(&json!({"amount": percent("10")}));
    for (given, currency, expected) in [
        (share(), "USD", (Reason::Earned, 1_000)),
        (rule(&json!({})), "EUR", (Reason::Earned, 500)),
        (rule(&json!({"amount": percent("10"), "status": "paused"})), "EUR", (Reason::RulePaused, 0)),
        (
            rule(&json!({"amount": percent("10"), "conditions": {"plans": ["pro"]}})),
            "EUR",
            (Reason::PlanNotMatched, 0),
        ),
        (rule(&json!({"amount": {"per_currency": {"GBP": 1}}})), "EUR", (Reason::CurrencyNotOffered, 0)),
    ] {
        let mut stage = stage("USD", std::slice::from_ref(&given), &[]);
        assert_eq!(result(&pay(&mut stage, 10_000, currency)), expected, "{given} in {currency}");
    }
    let mut without = stage("USD", &[share()], &[]);
    assert_eq!(pay(&mut without, 0, "EUR").decisions[0].reason, Reason::ZeroAmount);
    let free = json!({"payout_currency": "USD", "accept_zero_amount": true, "rules": [share()]});
    assert_eq!(result(&pay(&mut Stage::of(&free), 0, "EUR")), (Reason::RoundsToZero, 0));
    // A share that rounds to nothing waits: the least that the rule gives is in the payout currency.
    assert_eq!(pay(&mut without, 9, "EUR").decisions[0].reason, Reason::AwaitingRate);
}

#[test]
fn currencies_of_every_number_of_decimals_go_through_refunds_and_disputes_to_zero_and_back() {
    for (payout, currency, rate, amount, gross, half) in [
        ("USD", "JPY", "0.0067", 15_551, 1_041, 520),
        ("EUR", "KWD", "2.99", 123_457, 3_691, 1_845),
        ("JPY", "USD", "149.25", 9_999, 1_491, 744),
        ("KWD", "JPY", "0.00206", 10_001, 2_060, 1_030),
        ("USD", "VND", "0.000039", 2_600_001, 1_014, 507),
        ("JPY", "KWD", "486.1", 21, 0, 0),
    ] {
        let mut stage = stage(payout, &[rule(&json!({"amount": percent("10")}))], &[(currency, rate)]);
        pay(&mut stage, amount, currency);
        let net = |stage: &Stage| stage.net_in("anna", payout);
        assert_eq!(net(&stage), gross, "{amount} {currency} in {payout}");
        stage.refund("in_1", amount - amount / 2, 2, "succeeded");
        assert_eq!(net(&stage), half, "half of {amount} {currency} in {payout}");
        let step = stage.refund("in_1", amount / 2, 3, "succeeded");
        assert_eq!(net(&stage), 0, "nothing of {amount} {currency} in {payout}");
        for line in &step.decisions[0].posted {
            assert_eq!((line.cause, line.state), (Cause::Refund, RewardState::Reversed));
        }
        stage.refund("in_1", amount / 2, 4, "failed");
        assert_eq!(net(&stage), half, "{amount} {currency} in {payout}, restored");
        stage.dispute("in_1", amount, 5, "open");
        assert_eq!(net(&stage), 0, "{amount} {currency} in {payout}, disputed");
        stage.dispute("in_1", amount, 6, "won");
        assert_eq!(net(&stage), half, "{amount} {currency} in {payout}, won");
    }
}

#[test]
fn without_a_payout_currency_the_currencies_of_invoices_never_mix() {
    let mut stage = Stage::with(&[rule(&json!({"amount": percent("10")}))]);
    stage.sign_up("ben", "anna", 0);
    for (invoice, currency) in [("in_1", "USD"), ("in_2", "EUR"), ("in_3", "JPY"), ("in_4", "KWD")] {
        stage.pay_with("ben", invoice, 10_000, 1, &json!({ "currency": currency }));
    }
    stage.refund("in_2", 10_000, 2, "succeeded");
    for (unit, net) in [("USD", 1_000), ("EUR", 0), ("JPY", 1_000), ("KWD", 1_000)] {
        assert_eq!(stage.net_in("anna", unit), net, "{unit}");
    }
}

#[test]
fn a_second_level_is_converted_by_the_currency_of_the_reward_that_it_is_of() {
    let mut stage = Stage::with(&[rule(&json!({"amount": percent("10")}))]);
    stage.sign_up("ben", "anna", 0);
    stage.sign_up("cleo", "ben", 0);
    let second = json!({"id": "b", "trigger": "reward_earned",
        "amount": {"percentage": {"percent": "50", "basis": "reward"}}});
    stage.edit_terms(
        &json!({"payout_currency": "USD", "rules": [rule(&json!({"amount": percent("10")})), rule(&second)]}),
    );
    let mut stage = with_rates(stage, &[("EUR", "1.25")]);
    // Ben earns 12.50 USD, converted once; anna half of that, not converted again.
    stage.pay_with("cleo", "in_9", 10_000, 1, &json!({"currency": "EUR"}));
    assert_eq!((stage.net("ben"), stage.net("anna")), (1_250, 625));
    stage.refund("in_9", 10_000, 2, "succeeded");
    assert_eq!((stage.net("ben"), stage.net("anna")), (0, 0));
}

#[test]
fn shares_of_a_converted_reward_sum_to_it_exactly() {
    let terms = json!({"payout_currency": "USD", "attribution": {"model": "linear", "precedence": "link"},
        "rules": [rule(&json!({"amount": percent("10")}))]});
    let mut stage = with_rates(Stage::of(&terms), &[("EUR", "1.0843")]);
    let touches: Vec<Value> =
        ["anna", "lena", "zoe"].map(|who| json!({"referrer": who, "at": day(-1)})).to_vec();
    stage.apply(&json!({"type": "signup", "referee": "ben", "touches": touches, "at": day(0)}));
    stage.pay_with("ben", "in_1", 9_999, 1, &json!({"currency": "EUR"}));
    let nets = ["anna", "lena", "zoe"].map(|who| stage.net(who));
    // 10% of 99.99 EUR is 9.99, and that is 10.83 USD.
    assert_eq!(
        (nets.iter().sum::<i64>(), nets.iter().max().unwrap() - nets.iter().min().unwrap()),
        (1_083, 0)
    );
}

proptest! {
    #[test]
    fn whatever_is_refunded_of_a_converted_payment_the_reward_is_no_more_than_its_exact_value_and_ends_at_zero(
        amount in 1..10_000_000_i64,
        parts in prop::collection::vec(1..3_000_000_i64, 0..5),
        mantissa in 1..5_000_000_i64,
        scale in 0..9_u32,
        pair in prop::sample::select(vec![("JPY", "USD"), ("USD", "JPY"), ("KWD", "EUR"), ("EUR", "KWD"), ("EUR", "USD")]),
    ) {
        let ((from, to), rate) = (pair, rust_decimal::Decimal::new(mantissa, scale).to_string());
        let mut stage = stage(to, &[rule(&json!({"amount": percent("10")}))], &[(from, &rate)]);
        pay(&mut stage, amount, from);
        let power = |code: &str| 10_i128.pow(Currency::parse(code).unwrap().exponent());
        let most = |standing: i64| {
            i128::from(standing) * i128::from(mantissa) * power(to) / (10 * 10_i128.pow(scale) * power(from))
        };
        let mut standing = amount;
        prop_assert!(i128::from(stage.net_in("anna", to)) <= most(standing));
        for (index, part) in parts.iter().enumerate() {
            let refund = json!({"type": "refund", "invoice": "in_1", "refund": format!("re_{index}"), "amount": part,
                "at": day(2)});
            stage.apply(&refund);
            standing = (standing - part).max(0);
            prop_assert!(i128::from(stage.net_in("anna", to)) <= most(standing));
            prop_assert!(stage.net_in("anna", to) >= 0);
        }
        stage.apply(&json!({"type": "refund", "invoice": "in_1", "refund": "re_all", "amount": amount, "at": day(3)}));
        prop_assert_eq!(stage.net_in("anna", to), 0);
    }
}
