use serde_json::{Value, json};

use super::*;

/// A rule with defaults under what is given.
fn rule(given: &Value) -> Value {
    let mut rule = json!({"id": "a", "amount": {"fixed": {"amount": 500, "currency": "USD"}}});
    for (key, value) in given.as_object().unwrap() {
        rule[key] = value.clone();
    }
    rule
}

fn terms(json: &Value) -> TermsDraft {
    serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn pointers(json: &Value) -> Vec<String> {
    terms(json).flaws().into_iter().map(|flaw| flaw.pointer).collect()
}

/// Terms of one rule are refused at exactly these places of the rule.
fn assert_rule(given: &Value, places: &[&str]) {
    let found = pointers(&json!({"rules": [rule(given)]}));
    let expected: Vec<String> = places.iter().map(|place| format!("/rules/0{place}")).collect();
    assert_eq!(found, expected, "{given}");
}

fn assert_terms(mut given: Value, places: &[&str]) {
    if given.get("rules").is_none() {
        given["rules"] = json!([rule(&json!({}))]);
    }
    assert_eq!(pointers(&given), places, "{given}");
}

fn percent(percent: &str) -> Value {
    json!({"percentage": {"percent": percent}})
}

fn tiers(by: &str, currency: Option<&str>, from: &[i64]) -> Value {
    let step = |from: &i64| json!({"from": from, "amount": percent("5")});
    let steps: Vec<Value> = from.iter().map(step).collect();
    let mut tiers = json!({"by": by, "steps": steps});
    if let Some(currency) = currency {
        tiers["currency"] = currency.into();
    }
    json!({"tiers": tiers})
}

fn milestones(steps: &[(u32, i64)]) -> Value {
    let steps: Vec<Value> =
        steps.iter().map(|(at, amount)| json!({"at": at, "amount": amount, "currency": "USD"})).collect();
    json!({"milestones": {"steps": steps}})
}

#[test]
fn good_rules_have_no_flaws() {
    for given in [
        json!({}),
        json!({"amount": percent("10")}),
        json!({"amount": {"percentage": {"percent": "150", "over_100": true}}}),
        json!({"amount": {"percentage": {"percent": "10", "basis": "paid_excluding_tax"}}}),
        json!({"trigger": "payout_recorded", "amount": {"percentage": {"percent": "10", "basis": "payout"}}}),
        json!({"trigger": "payout_recorded", "amount": {"percentage": {"percent": "10", "basis": "profit"}}}),
        json!({"trigger": "payout_recorded", "amount": {"percentage": {"percent": "10", "basis": "revenue"}}}),
        json!({"trigger": "reward_earned", "amount": {"percentage": {"percent": "10", "basis": "reward"}}}),
        json!({"trigger": {"custom": "webinar"}, "amount": {"percentage": {"percent": "10", "basis": "event_amount"}}}),
        json!({"trigger": "signup", "recipient": "referee", "repeat": "once"}),
        json!({"trigger": "approved"}),
        json!({"trigger": "plan_started"}),
        json!({"trigger": "booking_completed", "kind": "points",
            "amount": {"fixed": {"amount": 50, "currency": "points"}}}),
        json!({"amount": {"per_currency": {"USD": 500, "JPY": 700}}}),
        json!({"trigger": "payout_recorded", "amount": {"per_currency": {"USD": 500}}}),
        json!({"amount": tiers("qualified_referrals", None, &[1, 5, 10])}),
        json!({"amount": tiers("payment_amount", Some("USD"), &[0, 10_000])}),
        json!({"amount": tiers("referred_revenue", Some("USD"), &[0, 10_000])}),
        json!({"trigger": "referral_count", "amount": milestones(&[(3, 1000), (10, 5000)])}),
        json!({"trigger": "referral_count", "kind": "task", "amount": milestones(&[(3, 1)])}),
        json!({"kind": "discount", "amount": {"percent_off": {"percent": "15"}}}),
        json!({"kind": "product", "amount": {"product": {"sku": "mug"}}}),
        json!({"kind": "message", "amount": null}),
        json!({"hold_days": 30, "expires_after_days": 31, "approval": "manual"}),
        json!({"approval": {"manual_above": {"amount": 1, "currency": "USD"}}}),
        json!({"limits": {"validity_days": 30, "duration_months": 12, "max_rewards_per_referee": 3,
            "at_least": [{"amount": 1, "currency": "USD"}], "at_most": [{"amount": 1, "currency": "USD"}],
            "caps": [{"per": "day", "amount": 500, "currency": "USD", "over": "refuse"},
                {"per": "week", "amount": 1, "currency": "USD"}, {"per": "month", "amount": 1, "currency": "USD"},
                {"per": "all_time", "amount": 1, "currency": "USD"}]}}),
        json!({"conditions": {"used_code": true, "first_payment_only": true, "new_customers_only": true,
            "min_purchase": [{"amount": 5000, "currency": "USD"}, {"amount": 4500, "currency": "EUR"}],
            "plans": ["pro"], "products": ["p"], "countries": ["DE"], "channels": ["tour"],
            "metadata": {"campaign": ["spring", "summer"]}}}),
    ] {
        assert_rule(&given, &[]);
    }
}

#[test]
fn every_contradiction_in_an_amount_is_refused_at_its_place() {
    let fixed = |amount: i64, currency: &str| json!({"fixed": {"amount": amount, "currency": currency}});
    let share = |percent: &str, basis: &str| json!({"percentage": {"percent": percent, "basis": basis}});
    for (given, places) in [
        (json!({"amount": null}), &["/amount"][..]),
        (json!({"kind": "message"}), &["/amount"]),
        (json!({"kind": "webhook", "amount": null, "trigger": "referral_count"}), &["/amount"]),
        (json!({"amount": fixed(0, "USD")}), &["/amount/fixed/amount"]),
        (json!({"amount": fixed(-5, "USD")}), &["/amount/fixed/amount"]),
        (json!({"amount": fixed(1_000_000_000_001, "USD")}), &["/amount/fixed/amount"]),
        (json!({"kind": "cash", "amount": fixed(5, "points")}), &["/amount/fixed/currency"]),
        (json!({"kind": "invoice_credit", "amount": fixed(5, "points")}), &["/amount/fixed/currency"]),
        (json!({"kind": "discount", "amount": fixed(5, "points")}), &["/amount/fixed/currency"]),
        (json!({"kind": "points", "amount": fixed(5, "USD")}), &["/amount/fixed/currency"]),
        (json!({"amount": percent("100.5")}), &["/amount/percentage/percent"]),
        (json!({"amount": share("10", "payout")}), &["/amount/percentage/basis"]),
        (json!({"amount": share("10", "event_amount")}), &["/amount/percentage/basis"]),
        (json!({"amount": share("10", "reward")}), &["/amount/percentage/basis"]),
        (json!({"trigger": "signup", "amount": percent("10")}), &["/amount/percentage/basis"]),
        (json!({"trigger": "approved", "amount": percent("10")}), &["/amount/percentage/basis"]),
        (json!({"trigger": "payout_recorded", "amount": percent("10")}), &["/amount/percentage/basis"]),
        (json!({"trigger": "reward_earned", "amount": share("10", "payout")}), &["/amount/percentage/basis"]),
        (
            json!({"trigger": "reward_earned", "amount": share("10", "reward"), "repeat": "once"}),
            &["/trigger"],
        ),
        (json!({"kind": "points", "amount": percent("10")}), &["/amount/percentage/percent"]),
        (json!({"amount": {"per_currency": {}}}), &["/amount/per_currency"]),
        (json!({"amount": {"per_currency": {"USD": 0}}}), &["/amount/per_currency/USD"]),
        (json!({"amount": {"per_currency": {"points": 5}}}), &["/amount/per_currency/points"]),
        (json!({"trigger": "signup", "amount": {"per_currency": {"USD": 5}}}), &["/amount/per_currency"]),
        (
            json!({"trigger": "reward_earned", "amount": {"per_currency": {"USD": 5}}}),
            &["/amount/per_currency"],
        ),
        (json!({"amount": tiers("qualified_referrals", None, &[])}), &["/amount/tiers/steps"]),
        (json!({"amount": tiers("qualified_referrals", Some("USD"), &[1])}), &["/amount/tiers/currency"]),
        (json!({"amount": tiers("payment_amount", None, &[1])}), &["/amount/tiers/currency"]),
        (json!({"amount": tiers("payment_amount", Some("points"), &[1])}), &["/amount/tiers/currency"]),
        (json!({"amount": tiers("referred_revenue", None, &[1])}), &["/amount/tiers/currency"]),
        (json!({"amount": tiers("qualified_referrals", None, &[5, 5])}), &["/amount/tiers/steps/1/from"]),
        (json!({"amount": tiers("qualified_referrals", None, &[1, 9, 5])}), &["/amount/tiers/steps/2/from"]),
        (json!({"amount": tiers("qualified_referrals", None, &[-1])}), &["/amount/tiers/steps/0/from"]),
        (
            json!({"trigger": "signup", "amount": tiers("payment_amount", Some("USD"), &[1])}),
            &["/amount/tiers/by", "/amount/tiers/steps/0/amount/percentage/basis"],
        ),
        (
            json!({"trigger": "payout_recorded", "amount": {"tiers": {"by": "payment_amount", "currency": "USD",
                "steps": [{"from": 0, "amount": fixed(5, "USD")}]}}}),
            &["/amount/tiers/by"],
        ),
        (
            json!({"amount": {"tiers": {"by": "qualified_referrals", "steps": [
                {"from": 0, "amount": fixed(0, "USD")}, {"from": 2, "amount": percent("101")}]}}}),
            &["/amount/tiers/steps/0/amount/fixed/amount", "/amount/tiers/steps/1/amount/percentage/percent"],
        ),
        (json!({"amount": milestones(&[(1, 5)])}), &["/amount"]),
        (json!({"trigger": "referral_count"}), &["/amount"]),
        (json!({"trigger": "referral_count", "amount": milestones(&[])}), &["/amount/milestones/steps"]),
        (
            json!({"trigger": "referral_count", "amount": milestones(&[(0, 5), (3, 0)])}),
            &["/amount/milestones/steps/0/at", "/amount/milestones/steps/1/amount"],
        ),
        (
            json!({"trigger": "referral_count", "amount": milestones(&[(5, 5), (3, 5)])}),
            &["/amount/milestones/steps/1/at"],
        ),
        (
            json!({"trigger": "referral_count", "kind": "points", "amount": milestones(&[(5, 5)])}),
            &["/amount/milestones/steps/0/currency"],
        ),
        (json!({"amount": {"percent_off": {"percent": "15"}}}), &["/amount/percent_off"]),
        (
            json!({"kind": "discount", "amount": {"percent_off": {"percent": "101"}}}),
            &["/amount/percent_off/percent"],
        ),
        (json!({"amount": {"product": {"sku": "mug"}}}), &["/amount"]),
        (json!({"kind": "product"}), &["/amount"]),
        (json!({"kind": "product", "amount": {"product": {"sku": ""}}}), &["/amount/product/sku"]),
        (
            json!({"kind": "product", "amount": {"product": {"sku": "mug", "quantity": 0}}}),
            &["/amount/product/quantity"],
        ),
        (
            json!({"limits": {"caps": [{"per": "day", "amount": 499, "currency": "USD", "over": "refuse"}]}}),
            &["/amount/fixed/amount"],
        ),
    ] {
        assert_rule(&given, places);
    }
}

#[test]
fn every_contradiction_in_a_rule_is_refused_at_its_place() {
    let usd = |amount: i64| json!({"amount": amount, "currency": "USD"});
    let cap = |per: &str, amount: i64| json!({"per": per, "amount": amount, "currency": "USD"});
    let long = "x".repeat(101);
    for (given, places) in [
        (json!({"description": "x".repeat(201)}), &["/description"][..]),
        (json!({"hold_days": 3661}), &["/hold_days"]),
        (json!({"expires_after_days": 0}), &["/expires_after_days", "/expires_after_days"]),
        (json!({"expires_after_days": 3661}), &["/expires_after_days"]),
        (json!({"hold_days": 30, "expires_after_days": 30}), &["/expires_after_days"]),
        (json!({"approval": {"manual_above": usd(0)}}), &["/approval/manual_above/amount"]),
        (json!({"variants": ["b"]}), &["/variants/0"]),
        (json!({"conditions": {"min_purchase": [usd(0)]}}), &["/conditions/min_purchase/0/amount"]),
        (json!({"conditions": {"min_purchase": [usd(5), usd(6)]}}), &["/conditions/min_purchase/1/currency"]),
        (
            json!({"conditions": {"min_purchase": [{"amount": 5, "currency": "points"}]}}),
            &["/conditions/min_purchase/0/currency"],
        ),
        (
            json!({"trigger": "signup", "conditions": {"min_purchase": [usd(5)]}}),
            &["/conditions/min_purchase"],
        ),
        (
            json!({"trigger": "payout_recorded", "conditions": {"min_purchase": [usd(5)]}}),
            &["/conditions/min_purchase"],
        ),
        (
            json!({"trigger": "approved", "conditions": {"first_payment_only": true}}),
            &["/conditions/first_payment_only"],
        ),
        (json!({"conditions": {"plans": ["", "pro"]}}), &["/conditions/plans/0"]),
        (json!({"conditions": {"products": ["pro", long]}}), &["/conditions/products/1"]),
        (json!({"conditions": {"countries": vec!["DE"; 51]}}), &["/conditions/countries"]),
        (json!({"conditions": {"channels": vec!["tour"; 51]}}), &["/conditions/channels"]),
        (json!({"conditions": {"metadata": {"a/b~c": []}}}), &["/conditions/metadata/a~1b~0c"]),
        (json!({"conditions": {"metadata": {"": ["x"]}}}), &["/conditions/metadata/"]),
        (json!({"conditions": {"metadata": {"k": ["", "x"]}}}), &["/conditions/metadata/k/0"]),
        (
            json!({"conditions": {"metadata": (0..11).map(|n| (format!("k{n}"), json!(["x"]))).collect::<Value>()}}),
            &["/conditions/metadata"],
        ),
        (json!({"limits": {"validity_days": 0}}), &["/limits/validity_days"]),
        (json!({"limits": {"duration_months": 121}}), &["/limits/duration_months"]),
        (json!({"limits": {"max_rewards_per_referee": 0}}), &["/limits/max_rewards_per_referee"]),
        (
            json!({"repeat": "once", "limits": {"max_rewards_per_referee": 2}}),
            &["/limits/max_rewards_per_referee"],
        ),
        (
            json!({"repeat": "once_per_referee", "limits": {"max_rewards_per_referee": 2}}),
            &["/limits/max_rewards_per_referee"],
        ),
        (json!({"limits": {"at_least": [usd(11)], "at_most": [usd(10)]}}), &["/limits/at_least/0/amount"]),
        (json!({"limits": {"at_most": [usd(10), usd(11)]}}), &["/limits/at_most/1/currency"]),
        (json!({"limits": {"caps": [cap("day", 0)]}}), &["/limits/caps/0/amount"]),
        (json!({"limits": {"caps": [cap("day", 5), cap("day", 6)]}}), &["/limits/caps/1/per"]),
        (
            json!({"limits": {"caps": [cap("day", 5), cap("week", 6), cap("month", 7), cap("all_time", 8),
                {"per": "day", "amount": 5, "currency": "EUR"}]}}),
            &["/limits/caps"],
        ),
    ] {
        assert_rule(&given, places);
    }
}

#[test]
fn milestones_take_nothing_that_is_for_single_events() {
    let with = |key: &str, value: Value| {
        let mut given = json!({"trigger": "referral_count", "amount": milestones(&[(3, 1000)])});
        given[key] = value;
        given
    };
    assert_rule(&with("recipient", json!("referee")), &["/recipient"]);
    assert_rule(&with("repeat", json!("once")), &["/repeat"]);
    assert_rule(&with("conditions", json!({"used_code": true})), &["/conditions"]);
    assert_rule(&with("limits", json!({"validity_days": 3})), &["/limits"]);
    assert_rule(&with("first_of", json!("set")), &["/first_of"]);
}

#[test]
fn every_contradiction_in_the_terms_is_refused_at_its_place() {
    let many = |count: usize| {
        let rules: Vec<Value> = (0..count).map(|n| rule(&json!({"id": format!("r{n}")}))).collect();
        rules
    };
    let variant = |name: &str, weight: u32| json!({"name": name, "weight": weight});
    let usd = |amount: i64| json!({"amount": amount, "currency": "USD"});
    for (given, places) in [
        (json!({"rules": []}), &["/rules"][..]),
        (json!({"rules": [], "track_only": true}), &[]),
        (json!({"rules": many(20)}), &[]),
        (json!({"rules": many(21)}), &["/rules"]),
        (json!({"grace_hours": 720}), &[]),
        (json!({"grace_hours": 721}), &["/grace_hours"]),
        (json!({"channels": []}), &["/channels"]),
        (json!({"channels": vec!["tour"; 51]}), &["/channels"]),
        (json!({"attribution": {"window_days": 0}}), &["/attribution/window_days"]),
        (json!({"attribution": {"window_days": 366}}), &["/attribution/window_days"]),
        (json!({"attribution": {"half_life_days": 0}}), &["/attribution/half_life_days"]),
        (json!({"qualifying_event": "referral_count"}), &["/qualifying_event"]),
        (json!({"qualifying_event": "reward_earned"}), &["/qualifying_event"]),
        (json!({"qualifying_event": {"custom": "webinar"}}), &[]),
        (json!({"max_referrals": 0}), &["/max_referrals"]),
        (json!({"max_referrals": 1_000_001}), &["/max_referrals"]),
        (json!({"min_earnings": [usd(0)]}), &["/min_earnings/0/amount"]),
        (json!({"min_earnings": [usd(5), usd(6)]}), &["/min_earnings/1/currency"]),
        (json!({"variants": [variant("a", 1)]}), &["/variants"]),
        (json!({"variants": [variant("a", 1), variant("b", 1)]}), &[]),
        (json!({"variants": [variant("a", 1), variant("a", 1)]}), &["/variants/1/name"]),
        (json!({"variants": [variant("a", 0), variant("b", 1)]}), &["/variants/0/weight"]),
        (
            json!({"variants": (0..6).map(|n| variant(&format!("v{n}"), 1)).collect::<Vec<_>>()}),
            &["/variants"],
        ),
        (json!({"rules": [rule(&json!({})), rule(&json!({}))]}), &["/rules/1/id"]),
        (
            json!({"rules": [rule(&json!({"first_of": "s"})),
                rule(&json!({"id": "b", "first_of": "s", "trigger": "signup"}))]}),
            &["/rules/1/first_of"],
        ),
        (
            json!({"rules": [rule(&json!({"first_of": "s"})),
                rule(&json!({"id": "b", "first_of": "s", "recipient": "referee"}))]}),
            &["/rules/1/first_of"],
        ),
        (
            json!({"rules": [rule(&json!({"first_of": "s"})), rule(&json!({"id": "b", "first_of": "s"})),
                rule(&json!({"id": "c", "first_of": "t", "trigger": "signup"}))]}),
            &[],
        ),
        (
            json!({"qualifying_event": "signup",
                "rules": [rule(&json!({"amount": tiers("referred_revenue", Some("USD"), &[0])}))]}),
            &["/rules/0/amount/tiers/by"],
        ),
    ] {
        assert_terms(given, places);
    }
}

#[test]
fn terms_read_back_as_they_are_written_and_leave_out_what_is_usual() {
    let short = json!({"rules": [rule(&json!({}))], "grace_hours": 24});
    assert_eq!(serde_json::to_value(terms(&short)).unwrap(), short);
    let full = json!({
        "rules": [
            {
                "id": "commission", "description": "10% for a year", "status": "paused", "trigger": "plan_started",
                "recipient": "referee", "repeat": "once_per_referee", "kind": "cash",
                "amount": {"percentage": {"percent": "150", "basis": "event_amount", "over_100": true}},
                "conditions": {
                    "used_code": true, "min_purchase": [{"amount": 5000, "currency": "USD"}],
                    "new_customers_only": true, "plans": ["pro"], "products": ["x"], "countries": ["DE"],
                    "metadata": {"campaign": ["spring"]}, "channels": ["tour"],
                },
                "limits": {
                    "validity_days": 30, "duration_months": 12,
                    "at_least": [{"amount": 1, "currency": "USD"}], "at_most": [{"amount": 9, "currency": "USD"}],
                    "caps": [{"per": "all_time", "amount": 100, "currency": "USD", "over": "refuse"}],
                },
                "hold_days": 14, "approval": {"manual_above": {"amount": 5, "currency": "USD"}},
                "expires_after_days": 60, "first_of": "rates", "variants": ["a"],
            },
            {"id": "milestones", "trigger": "referral_count",
                "amount": {"milestones": {"steps": [{"at": 3, "amount": 5, "currency": "USD"}], "on_drop": "revoke"}}},
        ],
        "grace_hours": 0, "channels": ["tour"], "qualifying_event": "signup", "max_referrals": 10,
        "attribution": {"model": "time_decay", "window_days": 60, "precedence": "link", "half_life_days": 3},
        "min_earnings": [{"amount": 5000, "currency": "USD"}],
        "variants": [{"name": "a", "weight": 1}, {"name": "b", "weight": 3}],
    });
    assert_eq!(terms(&full).flaws(), []);
    assert_eq!(serde_json::to_value(terms(&full)).unwrap(), full);
    let version = Terms { version: 3, effective_from: DateTime::UNIX_EPOCH, draft: terms(&full) };
    let text = serde_json::to_string(&version).unwrap();
    assert_eq!(serde_json::from_str::<Terms>(&text).unwrap(), version);
}

#[test]
fn amounts_of_terms_that_pay_out_in_one_currency_are_in_it() {
    let usd = |amount: i64| json!({"amount": amount, "currency": "USD"});
    let eur = |amount: i64| json!({"amount": amount, "currency": "EUR"});
    let points = json!({"amount": 50, "currency": "points"});
    let cap = |currency: &str| json!({"per": "day", "amount": 500, "currency": currency});
    let tier = |amount: Value| {
        json!({"tiers": {"by": "payment_amount", "currency": "EUR", "steps": [
        {"from": 0, "amount": percent("5")}, {"from": 9, "amount": {"fixed": amount}}]}})
    };
    let steps = json!([{"at": 1, "amount": 1, "currency": "USD"}, {"at": 2, "amount": 1, "currency": "EUR"}]);
    for (given, place) in [
        (json!({}), None),
        (json!({"amount": {"fixed": eur(1)}}), Some("amount/fixed/currency")),
        (json!({"amount": {"fixed": points}, "kind": "points"}), None),
        (json!({"amount": {"per_currency": {"EUR": 1, "GBP": 1}}}), None),
        (json!({"amount": tier(usd(1))}), None),
        (json!({"amount": tier(eur(1))}), Some("amount/tiers/steps/1/amount/fixed/currency")),
        (
            json!({"trigger": "referral_count", "amount": {"milestones": {"steps": steps}}}),
            Some("amount/milestones/steps/1/currency"),
        ),
        (json!({"conditions": {"min_purchase": [eur(1)]}}), None),
        (
            json!({"limits": {"at_least": [usd(1)], "at_most": [usd(2), eur(2)]}}),
            Some("limits/at_most/1/currency"),
        ),
        (json!({"limits": {"at_least": [points, eur(1)]}}), Some("limits/at_least/1/currency")),
        (json!({"limits": {"caps": [cap("USD"), cap("EUR")]}}), Some("limits/caps/1/currency")),
        (json!({"approval": {"manual_above": eur(1)}}), Some("approval/manual_above/currency")),
        (json!({"approval": {"manual_above": usd(1)}}), None),
    ] {
        let found = pointers(&json!({"payout_currency": "USD", "rules": [rule(&given)]}));
        let expected: Vec<String> = place.map(|place| format!("/rules/0/{place}")).into_iter().collect();
        assert_eq!(found, expected, "{given}");
        assert_eq!(pointers(&json!({"rules": [rule(&given)]})), [""; 0], "{given}");
    }
    assert_terms(
        json!({"payout_currency": "USD", "min_earnings": [points, usd(1), eur(1)]}),
        &["/min_earnings/2/currency"],
    );
}

#[test]
fn terms_say_what_must_be_counted_for_them() {
    let draft = |given: Value| terms(&json!({"rules": [rule(&given)]}));
    let counts = |given: Value| {
        let draft = draft(given);
        (draft.counts_by_referee(), draft.counts_by_recipient(), draft.counts_referrals())
    };
    for (given, expected) in [
        (json!({}), (false, false, false)),
        (json!({"conditions": {"first_payment_only": true}}), (true, false, false)),
        (json!({"repeat": "once_per_referee"}), (true, false, false)),
        (json!({"repeat": "once"}), (false, true, false)),
        (json!({"limits": {"duration_months": 1}}), (true, false, false)),
        (json!({"limits": {"max_rewards_per_referee": 1}}), (true, false, false)),
        (
            json!({"limits": {"caps": [{"per": "day", "amount": 500, "currency": "USD"}]}}),
            (false, true, false),
        ),
        (json!({"amount": tiers("payment_amount", Some("USD"), &[1])}), (false, false, false)),
        (json!({"amount": tiers("qualified_referrals", None, &[1])}), (true, true, true)),
        (json!({"amount": tiers("referred_revenue", Some("USD"), &[1])}), (true, true, true)),
        (json!({"trigger": "referral_count", "amount": milestones(&[(1, 1)])}), (true, true, true)),
        (
            json!({"limits": {"validity_days": 1, "at_most": [{"amount": 1, "currency": "USD"}]}}),
            (false, false, false),
        ),
    ] {
        assert_eq!(counts(given.clone()), expected, "{given}");
    }
    assert!(terms(&json!({"rules": [], "track_only": true, "max_referrals": 3})).counts());
    assert!(!draft(json!({})).cascades());
    let cascade =
        json!({"trigger": "reward_earned", "amount": {"percentage": {"percent": "1", "basis": "reward"}}});
    assert!(draft(cascade).cascades());
    assert!(draft(json!({"trigger": "signup"})).pays_for_sign_up());
    let labels = json!({"conditions": {"plans": ["a"], "countries": ["DE"], "metadata": {"k": ["v"]}}});
    assert_eq!(draft(labels).label_keys(), ["country", "metadata.k", "plan"]);
}
