use serde_json::{Value, json};

use crate::reason::Reason;
use crate::simulation::stage::{Stage, day, outcome, percent, result, rule};

/// Why a rule with these conditions pays, or does not, for a payment of 50.00 USD by somebody who entered a code.
fn reason(conditions: &Value, more: &Value) -> Reason {
    let mut stage = Stage::with(&[rule(&json!({"conditions": conditions}))]);
    stage.sign_up("ben", "anna", 0);
    result(&stage.pay_with("ben", "in_1", 5_000, 1, more)).0
}

#[test]
fn every_condition_of_the_event_must_hold() {
    let usd = |amount: i64| json!([{"amount": amount, "currency": "USD"}]);
    let none = json!({});
    for (conditions, more, expected) in [
        (json!({"min_purchase": usd(5_000)}), none.clone(), Reason::Earned),
        (json!({"min_purchase": usd(5_001)}), none.clone(), Reason::BelowMinimumPurchase),
        (json!({"min_purchase": usd(1)}), json!({"currency": "EUR"}), Reason::CurrencyNotOffered),
        (json!({"plans": ["pro", "team"]}), json!({"plan": "team"}), Reason::Earned),
        (json!({"plans": ["pro"]}), json!({"plan": "free"}), Reason::PlanNotMatched),
        (json!({"plans": ["pro"]}), none.clone(), Reason::PlanNotMatched),
        (json!({"products": ["crm"]}), json!({"product": "crm"}), Reason::Earned),
        (json!({"products": ["crm"]}), json!({"plan": "crm"}), Reason::ProductNotMatched),
        (json!({"countries": ["DE", "AT"]}), json!({"country": "AT"}), Reason::Earned),
        (json!({"countries": ["DE"]}), json!({"country": "FR"}), Reason::CountryNotMatched),
        (json!({"metadata": {"k": ["a", "b"]}}), json!({"metadata": {"k": "b"}}), Reason::Earned),
        (json!({"metadata": {"k": ["a"]}}), json!({"metadata": {"k": "b"}}), Reason::MetadataNotMatched),
        (
            json!({"metadata": {"k": ["a"], "l": ["c"]}}),
            json!({"metadata": {"k": "a"}}),
            Reason::MetadataNotMatched,
        ),
        (json!({"plans": ["pro"], "countries": ["DE"]}), json!({"plan": "pro"}), Reason::CountryNotMatched),
        (json!({"channels": ["sign-up", "tour"]}), none.clone(), Reason::Earned),
        (json!({"channels": ["tour"]}), none.clone(), Reason::ChannelNotMatched),
        (json!({"used_code": true}), none.clone(), Reason::Earned),
        (json!({"new_customers_only": true}), none.clone(), Reason::Earned),
    ] {
        assert_eq!(reason(&conditions, &more), expected, "{conditions} {more}");
    }
}

#[test]
fn every_condition_of_the_referral_must_hold() {
    let by_link = json!({"touches": [{"referrer": "anna", "at": day(0)}]});
    let by_code = json!({"referrer": "anna"});
    let known = json!({"referrer": "anna", "existing_customer": true});
    let tour = json!({"referrer": "anna", "channel": "tour"});
    for (conditions, more, expected) in [
        (json!({"used_code": true}), &by_code, Reason::Earned),
        (json!({"used_code": true}), &by_link, Reason::NoUsedCode),
        (json!({}), &by_link, Reason::Earned),
        (json!({"new_customers_only": true}), &known, Reason::ExistingCustomer),
        (json!({}), &known, Reason::Earned),
        (json!({"channels": ["tour"]}), &tour, Reason::Earned),
        (json!({"channels": ["tour"]}), &by_code, Reason::ChannelNotMatched),
    ] {
        let mut stage = Stage::with(&[rule(&json!({"conditions": conditions}))]);
        let mut event = json!({"type": "signup", "referee": "ben", "at": day(0)});
        for (key, value) in more.as_object().unwrap() {
            event[key] = value.clone();
        }
        stage.apply(&event);
        assert_eq!(result(&stage.pay("ben", "in_1", 5_000, 1)).0, expected, "{conditions} {more}");
    }
}

#[test]
fn a_paused_rule_says_so_and_pays_nothing() {
    let mut stage = Stage::with(&[rule(&json!({"status": "paused"}))]);
    stage.sign_up("ben", "anna", 0);
    assert_eq!(result(&stage.pay("ben", "in_1", 5_000, 1)), (Reason::RulePaused, 0));
}

#[test]
fn of_a_set_the_first_rule_that_matches_applies() {
    let rate = |id: &str, share: &str, conditions: Value| json!({"id": id, "first_of": "rates", "amount": percent(share), "conditions": conditions});
    let rules = [
        rate("pro", "30", json!({"plans": ["pro"]})),
        rate("de", "20", json!({"countries": ["DE"]})),
        rate("else", "10", json!({})),
        rule(&json!({"id": "extra"})),
    ];
    for (more, expected) in [
        (json!({"plan": "pro", "country": "DE"}), ["pro", "extra"]),
        (json!({"country": "DE"}), ["de", "extra"]),
        (json!({}), ["else", "extra"]),
    ] {
        let mut stage = Stage::with(&rules);
        stage.sign_up("ben", "anna", 0);
        let step = stage.pay_with("ben", "in_1", 5_000, 1, &more);
        let rules = &step.decisions[0].rules;
        let earned: Vec<_> = rules
            .iter()
            .filter(|rule| rule.reason == Reason::Earned)
            .map(|rule| rule.rule.as_str())
            .collect();
        assert_eq!(earned, expected, "{more}");
        assert!(
            rules
                .iter()
                .skip(1)
                .all(|rule| rule.reason != Reason::EarlierRuleApplied || rule.target.amount == 0)
        );
    }
    let mut stage = Stage::with(&rules);
    stage.sign_up("ben", "anna", 0);
    let step = stage.pay_with("ben", "in_1", 5_000, 1, &json!({"plan": "pro"}));
    assert_eq!(outcome(&step, "else").reason, Reason::EarlierRuleApplied);
}

#[test]
fn a_rule_of_a_variant_is_for_its_referees() {
    let rules = [
        rule(&json!({"variants": ["x"]})),
        rule(&json!({"id": "b", "variants": ["y"]})),
        rule(&json!({"id": "c"})),
    ];
    let variants = json!([{"name": "x", "weight": 1}, {"name": "y", "weight": 1}]);
    let mut stage = Stage::of(&json!({"rules": rules, "variants": variants}));
    let mut seen = Vec::new();
    for n in 0..20 {
        let referee = format!("user-{n}");
        stage.sign_up(&referee, "anna", 0);
        let step = stage.pay(&referee, &format!("in_{n}"), 100, 1);
        let variant = step.decisions[0].variant.clone().unwrap();
        let is_x = variant.as_str() == "x";
        let expected = if is_x {
            (Reason::Earned, Reason::OtherVariant)
        } else {
            (Reason::OtherVariant, Reason::Earned)
        };
        assert_eq!((outcome(&step, "a").reason, outcome(&step, "b").reason), expected);
        assert_eq!(outcome(&step, "c").reason, Reason::Earned);
        seen.push(is_x);
    }
    assert!(seen.contains(&true) && seen.contains(&false));
}

#[test]
fn both_sides_are_rewarded_by_two_rules() {
    let referee = rule(&json!({"id": "b", "recipient": "referee",
        "amount": {"fixed": {"amount": 300, "currency": "USD"}}}));
    let mut stage = Stage::with(&[rule(&json!({})), referee]);
    stage.sign_up("ben", "anna", 0);
    stage.pay("ben", "in_1", 5_000, 1);
    assert_eq!((stage.net("anna"), stage.net("ben")), (500, 300));
}

#[test]
fn tracking_pays_nothing_and_says_so() {
    let mut stage = Stage::of(&json!({"rules": [rule(&json!({}))], "track_only": true}));
    assert_eq!(stage.sign_up("ben", "anna", 0).refused, None);
    let step = stage.pay("ben", "in_1", 5_000, 1);
    assert_eq!((step.decisions[0].reason, step.decisions[0].posted.len()), (Reason::TrackOnly, 0));
}
