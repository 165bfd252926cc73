//! Bodies of programs, their terms, groups and codes, and of participants.

use chrono::Duration;
use serde_json::{Value, json};

use super::bodies::BodyRoute;
use super::deliveries::not_customers;
use super::notifications::not_contact;
use super::setup::Setup;
use super::values::{
    not_amount, not_bool, not_currency, not_external_id, not_label, not_moment, not_name, not_positive,
    not_slug, not_slug_short, not_text, not_unit, not_whole, not_within,
};

pub fn routes(setup: &Setup) -> Vec<BodyRoute> {
    vec![
        create(setup),
        change(setup),
        group(setup),
        participant(setup),
        enrolment(setup),
        code(setup),
        promotion(),
    ]
}

/// Terms with everything that terms can have.
fn terms() -> Value {
    json!({
    "grace_hours": 24, "track_only": false, "channels": ["sign-up", "tour"],
    "attribution": {"model": "linear", "window_days": 30, "precedence": "code", "half_life_days": 7},
    "qualifying_event": "invoice_paid", "max_referrals": 100,
    "min_earnings": [{"amount": 1_000, "currency": "USD"}],
    "variants": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}],
    "rules": [
        {"id": "share", "trigger": "invoice_paid", "recipient": "referrer", "kind": "allowance",
         "description": "An eighth", "status": "active", "repeat": "every_time",
         "amount": {"percentage": {"percent": "12.5", "basis": "paid_total", "over_100": false}},
         "conditions": {"used_code": true, "min_purchase": [{"amount": 100, "currency": "USD"}],
             "first_payment_only": false, "new_customers_only": true, "plans": ["pro"], "products": ["mat"],
             "countries": ["AT"], "metadata": {"campaign": ["may"]}, "channels": ["tour"]},
         "limits": {"validity_days": 365, "duration_months": 12, "max_rewards_per_referee": 10,
             "at_least": [{"amount": 10, "currency": "USD"}], "at_most": [{"amount": 5_000, "currency": "USD"}],
             "caps": [{"per": "month", "amount": 10_000, "currency": "USD", "over": "cut"}]},
         "hold_days": 14, "approval": {"manual_above": {"amount": 2_000, "currency": "USD"}},
         "expires_after_days": 90, "first_of": "shares", "variants": ["a"]},
        {"id": "bounty", "amount": {"fixed": {"amount": 500, "currency": "USD"}}},
        {"id": "steps", "amount": {"tiers": {"by": "referred_revenue", "currency": "USD", "on_drop": "keep", "steps": [
            {"from": 0, "amount": {"fixed": {"amount": 100, "currency": "USD"}}},
            {"from": 1_000, "amount": {"percentage": {"percent": "5"}}}]}}},
        {"id": "stones", "trigger": "referral_count", "amount": {"milestones": {"on_drop": "keep", "steps": [
            {"at": 5, "amount": 5_000, "currency": "USD"}, {"at": 10, "amount": 9_000, "currency": "USD"}]}}},
        {"id": "local", "amount": {"per_currency": {"USD": 500, "EUR": 400}}},
        {"id": "off", "kind": "discount", "amount": {"percent_off": {"percent": "15"}}},
        {"id": "mug", "kind": "product", "amount": {"product": {"sku": "mug-blue", "quantity": 1}}},
        {"id": "mail", "kind": "message"},
        {"id": "webinar", "trigger": {"custom": "webinar_attended"}, "kind": "points",
         "amount": {"fixed": {"amount": 50, "currency": "points"}}},
    ]})
}

/// `count` rules that differ by their ids alone.
fn rules(count: usize) -> Value {
    (0..count).map(|number| json!({"id": format!("rule-{number}"), "kind": "task"})).collect()
}

fn percents() -> Vec<Value> {
    let texts = ["0", "-1", "100.0001", "1000.0001", "1.23456", "1e1", "ten", ""].map(Value::from);
    [not_text(), vec![json!(10.5)], texts.into()].concat()
}

/// What cannot stand in the terms, wherever they stand.
fn wrong_terms() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        ("/terms/grace_hours", [not_whole(), vec![json!(-1), json!(721)]].concat()),
        ("/terms/rules", vec![json!([]), json!({}), json!("x"), rules(21)]),
        ("/terms/rules/0/id", not_slug()),
        ("/terms/rules/1/id", vec![json!("share")]),
        ("/terms/rules/0/trigger", vec![json!("paid"), json!(1), Value::Null, json!([])]),
        ("/terms/rules/0/recipient", vec![json!("everybody"), json!(1)]),
        ("/terms/rules/0/kind", vec![json!("gold"), json!(1)]),
        ("/terms/rules/0/amount", vec![json!("all"), json!({}), json!({"most": {}}), Value::Null]),
        ("/terms/payout_currency", not_currency()),
        ("/terms/rules/0/amount/percentage/percent", percents()),
        ("/terms/rules/0/amount/percentage/basis", vec![json!("guess"), json!(1), json!("payout")]),
        ("/terms/rules/1/amount/fixed/amount", [not_amount(), vec![json!(0)]].concat()),
        ("/terms/rules/1/amount/fixed/currency", not_currency()),
    ]
}

/// What cannot stand in the terms, told by another pointer.
fn told_terms() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("/terms/rules/0/trigger", json!("payout_recorded"), "/terms/rules/0/amount/percentage/basis"),
        ("/terms/rules/0/kind", json!("message"), "/terms/rules/0/amount"),
        ("/terms/rules/1/kind", json!("points"), "/terms/rules/1/amount/fixed/currency"),
        ("/terms/rules/6/kind", json!("cash"), "/terms/rules/6/amount"),
        ("/terms/rules/0/hold_days", json!(90), "/terms/rules/0/expires_after_days"),
        ("/terms/rules/0/repeat", json!("once"), "/terms/rules/0/limits/max_rewards_per_referee"),
        ("/terms/rules/0/limits/at_most/0/amount", json!(9), "/terms/rules/0/limits/at_least/0/amount"),
        ("/terms/qualifying_event", json!("signup"), "/terms/rules/2/amount/tiers/by"),
        ("/terms/rules/3/recipient", json!("referee"), "/terms/rules/3/recipient"),
        ("/terms/rules/1/trigger", json!("referral_count"), "/terms/rules/1/amount"),
        ("/terms/variants/0/name", json!("c"), "/terms/rules/0/variants/0"),
        ("/terms/payout_currency", json!("EUR"), "/terms/min_earnings/0/currency"),
        ("/terms/payout_currency", json!("EUR"), "/terms/rules/0/limits/at_least/0/currency"),
        ("/terms/payout_currency", json!("EUR"), "/terms/rules/0/limits/at_most/0/currency"),
        ("/terms/payout_currency", json!("EUR"), "/terms/rules/0/limits/caps/0/currency"),
        ("/terms/payout_currency", json!("EUR"), "/terms/rules/0/approval/manual_above/currency"),
        ("/terms/payout_currency", json!("EUR"), "/terms/rules/1/amount/fixed/currency"),
        ("/terms/payout_currency", json!("EUR"), "/terms/rules/2/amount/tiers/steps/0/amount/fixed/currency"),
        ("/terms/payout_currency", json!("EUR"), "/terms/rules/3/amount/milestones/steps/1/currency"),
        (
            "/terms/rules/4/amount/per_currency",
            json!({"points": 1}),
            "/terms/rules/4/amount/per_currency/points",
        ),
        ("/terms/rules/0/approval", json!({"manual_above": 7}), "/terms/rules/0/approval/manual_above"),
    ]
}

fn lists() -> Vec<Value> {
    vec![json!("x"), json!({}), json!(7)]
}

fn days() -> Vec<Value> {
    not_within(1, 3_660)
}

/// What cannot stand in the further parts of terms.
fn wrong_details() -> Vec<(&'static str, Vec<Value>)> {
    let many = |count: usize| json!((0..count).map(|number| format!("x-{number}")).collect::<Vec<_>>());
    let metadata: Value = (0..11).map(|number| (format!("key-{number}"), json!(["x"]))).collect();
    let cap = |per: &str| json!({"per": per, "amount": 1, "currency": "USD"});
    let caps = json!([cap("day"), cap("week"), cap("month"), cap("all_time"), cap("day")]);
    let step = json!({"from": 0, "amount": {"fixed": {"amount": 1, "currency": "USD"}}});
    vec![
        ("/terms", vec![json!("x"), json!([]), json!(7)]),
        ("/terms/track_only", not_bool()),
        ("/terms/channels", [lists(), vec![json!([]), many(51)]].concat()),
        ("/terms/channels/0", not_slug_short()),
        ("/terms/attribution", vec![json!("linear"), json!(7), Value::Null]),
        ("/terms/attribution/model", vec![json!("best_touch"), json!(1), Value::Null]),
        ("/terms/attribution/window_days", not_within(1, 365)),
        ("/terms/attribution/precedence", vec![json!("both"), json!(1)]),
        ("/terms/attribution/half_life_days", not_within(1, 365)),
        (
            "/terms/qualifying_event",
            vec![json!("referral_count"), json!("reward_earned"), json!("x"), json!(1)],
        ),
        ("/terms/max_referrals", not_within(1, 1_000_000)),
        ("/terms/min_earnings", lists()),
        ("/terms/min_earnings/0", vec![json!("10 USD"), json!(7), Value::Null]),
        ("/terms/min_earnings/0/amount", not_positive()),
        ("/terms/min_earnings/0/currency", not_unit()),
        ("/terms/variants", [lists(), vec![json!([{"name": "a", "weight": 1}])]].concat()),
        ("/terms/variants/0/name", not_slug_short()),
        ("/terms/variants/0/weight", not_within(1, 1_000_000)),
        ("/terms/rules/0", vec![json!("share"), json!(7), json!([]), Value::Null]),
        ("/terms/rules/0/description", [not_text(), vec![json!("x".repeat(201))]].concat()),
        ("/terms/rules/0/status", vec![json!("draft"), json!(true)]),
        ("/terms/rules/0/repeat", vec![json!("twice"), json!(2)]),
        ("/terms/rules/0/hold_days", not_within(0, i64::from(u32::MAX))),
        ("/terms/rules/0/approval", vec![json!("never"), json!(1), json!({"above": 7})]),
        ("/terms/rules/0/approval/manual_above/amount", not_positive()),
        ("/terms/rules/0/approval/manual_above/currency", not_unit()),
        ("/terms/rules/0/expires_after_days", [days(), vec![json!(14)]].concat()),
        ("/terms/rules/0/first_of", not_slug_short()),
        ("/terms/rules/0/variants", lists()),
        ("/terms/rules/0/variants/0", [not_slug_short(), vec![json!("c")]].concat()),
        ("/terms/rules/0/conditions", vec![json!("x"), json!(7), Value::Null]),
        ("/terms/rules/0/conditions/used_code", not_bool()),
        ("/terms/rules/0/conditions/min_purchase", lists()),
        ("/terms/rules/0/conditions/min_purchase/0/amount", not_positive()),
        ("/terms/rules/0/conditions/min_purchase/0/currency", vec![json!(7), json!("XXX"), json!("points")]),
        ("/terms/rules/0/conditions/first_payment_only", not_bool()),
        ("/terms/rules/0/conditions/new_customers_only", not_bool()),
        ("/terms/rules/0/conditions/plans", [lists(), vec![many(51)]].concat()),
        ("/terms/rules/0/conditions/plans/0", not_label()),
        ("/terms/rules/0/conditions/products/0", not_label()),
        ("/terms/rules/0/conditions/countries/0", not_label()),
        ("/terms/rules/0/conditions/metadata", vec![json!("x"), json!([]), metadata]),
        ("/terms/rules/0/conditions/metadata/campaign", vec![json!("may"), json!(7), json!([])]),
        ("/terms/rules/0/conditions/metadata/campaign/0", not_label()),
        ("/terms/rules/0/conditions/channels/0", not_slug_short()),
        ("/terms/rules/0/limits", vec![json!("x"), json!(7), Value::Null]),
        ("/terms/rules/0/limits/validity_days", days()),
        ("/terms/rules/0/limits/duration_months", not_within(1, 120)),
        ("/terms/rules/0/limits/max_rewards_per_referee", not_within(1, 1_000_000)),
        ("/terms/rules/0/limits/at_least/0/amount", not_positive()),
        ("/terms/rules/0/limits/at_most/0/currency", not_unit()),
        ("/terms/rules/0/limits/caps", [lists(), vec![caps]].concat()),
        ("/terms/rules/0/limits/caps/0/per", vec![json!("year"), json!(1)]),
        ("/terms/rules/0/limits/caps/0/amount", not_positive()),
        ("/terms/rules/0/limits/caps/0/currency", not_unit()),
        ("/terms/rules/0/limits/caps/0/over", vec![json!("keep"), json!(1)]),
        ("/terms/rules/0/amount/percentage/over_100", not_bool()),
        ("/terms/rules/2/amount/tiers/by", vec![json!("luck"), json!(1)]),
        ("/terms/rules/2/amount/tiers/currency", vec![json!(7), json!("XXX"), json!("points"), Value::Null]),
        ("/terms/rules/2/amount/tiers/on_drop", vec![json!("forget"), json!(1)]),
        ("/terms/rules/2/amount/tiers/steps", [lists(), vec![json!([]), json!(vec![step; 21])]].concat()),
        ("/terms/rules/2/amount/tiers/steps/0/from", not_within(0, 1_000_000_000_000)),
        ("/terms/rules/2/amount/tiers/steps/1/from", vec![json!(0)]),
        ("/terms/rules/2/amount/tiers/steps/0/amount", vec![json!({}), json!("x"), json!({"tiers": {}})]),
        (
            "/terms/rules/2/amount/tiers/steps/1/amount/percentage/percent",
            vec![json!("0"), json!("101"), json!(5)],
        ),
        ("/terms/rules/3/amount/milestones/steps", [lists(), vec![json!([])]].concat()),
        ("/terms/rules/3/amount/milestones/steps/0/at", not_within(1, 1_000_000)),
        ("/terms/rules/3/amount/milestones/steps/1/at", vec![json!(5), json!(4)]),
        ("/terms/rules/3/amount/milestones/steps/0/amount", not_positive()),
        ("/terms/rules/3/amount/milestones/steps/0/currency", not_unit()),
        ("/terms/rules/4/amount/per_currency", vec![json!({}), json!([]), json!("x")]),
        ("/terms/rules/4/amount/per_currency/USD", not_positive()),
        ("/terms/rules/5/amount/percent_off/percent", vec![json!("0"), json!("101"), json!(15)]),
        ("/terms/rules/6/amount/product/sku", not_label()),
        ("/terms/rules/6/amount/product/quantity", not_within(1, 1_000_000)),
        ("/terms/rules/8/amount/fixed/currency", [not_unit(), vec![json!("USD"), json!("task")]].concat()),
    ]
}

const OBJECTS: &[&str] = &[
    "",
    "/terms",
    "/terms/attribution",
    "/terms/min_earnings/0",
    "/terms/variants/0",
    "/terms/rules/0",
    "/terms/rules/0/amount/percentage",
    "/terms/rules/0/conditions",
    "/terms/rules/0/conditions/min_purchase/0",
    "/terms/rules/0/limits",
    "/terms/rules/0/limits/caps/0",
    "/terms/rules/0/approval/manual_above",
    "/terms/rules/1/amount/fixed",
    "/terms/rules/2/amount/tiers",
    "/terms/rules/2/amount/tiers/steps/0",
    "/terms/rules/3/amount/milestones",
    "/terms/rules/3/amount/milestones/steps/0",
    "/terms/rules/5/amount/percent_off",
    "/terms/rules/6/amount/product",
];

fn program(setup: &Setup) -> Value {
    json!({"name": "Refer a friend", "type": "partner", "status": "active", "terms_policy": "keep",
        "ends_at": setup.now + Duration::days(60), "terms": terms()})
}

/// What cannot stand in a program, whether it is made or changed.
fn wrong_program() -> Vec<(&'static str, Vec<Value>)> {
    let own = vec![
        ("/name", not_name(100)),
        ("/type", [not_text(), vec![json!("friend"), json!("Partner")]].concat()),
        ("/status", [not_text(), vec![json!("running"), json!("Active")]].concat()),
        ("/terms_policy", [not_text(), vec![json!("forget")]].concat()),
        ("/ends_at", [not_moment(), vec![json!("2026-01-01T00:00:00Z")]].concat()),
    ];
    [own, wrong_terms()].concat()
}

fn create(setup: &Setup) -> BodyRoute {
    let day = |days: i64| json!(setup.now + Duration::days(days));
    let mut good = program(setup);
    good["starts_at"] = day(30);
    let own = vec![
        ("/status", vec![json!("paused"), json!("ended")]),
        ("/name", vec![json!("")]),
        ("/starts_at", [not_moment(), vec![day(-1), json!(setup.now)]].concat()),
        ("/ends_at", vec![day(30), day(29)]),
    ];
    BodyRoute {
        route: "POST /v1/programs",
        good,
        required: &[
            "/name",
            "/terms",
            "/terms/rules",
            "/terms/rules/0/id",
            "/terms/rules/0/amount/percentage/percent",
            "/terms/rules/0/limits/caps/0/per",
            "/terms/rules/0/limits/caps/0/amount",
            "/terms/rules/0/limits/caps/0/currency",
            "/terms/rules/1/amount/fixed/amount",
            "/terms/rules/1/amount/fixed/currency",
            "/terms/rules/2/amount/tiers/by",
            "/terms/rules/2/amount/tiers/steps",
            "/terms/rules/2/amount/tiers/steps/0/from",
            "/terms/rules/2/amount/tiers/steps/0/amount",
            "/terms/rules/3/amount/milestones/steps",
            "/terms/rules/3/amount/milestones/steps/0/at",
            "/terms/rules/5/amount/percent_off/percent",
            "/terms/rules/6/amount/product/sku",
            "/terms/variants/0/name",
            "/terms/variants/0/weight",
        ],
        needed: &["/terms/rules/0/amount", "/terms/rules/2/amount/tiers/currency"],
        objects: OBJECTS,
        wrong: [wrong_program(), wrong_details(), own].concat(),
        told: told_terms(),
        ..BodyRoute::default()
    }
}

fn change(setup: &Setup) -> BodyRoute {
    let near = vec![json!(setup.now + Duration::seconds(59))];
    // The program has begun.
    let starts = [not_moment(), vec![json!(setup.now + Duration::days(30)), json!(setup.now)]].concat();
    BodyRoute {
        route: "PATCH /v1/programs/{program}",
        ids: vec![setup.program.clone()],
        good: program(setup),
        required: &["/terms/rules", "/terms/rules/0/id"],
        needed: &["/terms/rules/0/amount"],
        objects: &[
            "",
            "/terms",
            "/terms/rules/0",
            "/terms/rules/0/amount/percentage",
            "/terms/rules/1/amount/fixed",
        ],
        wrong: [wrong_program(), vec![("/ends_at", near), ("/starts_at", starts)]].concat(),
        told: told_terms(),
        ..BodyRoute::default()
    }
}

/// Some of what cannot stand in terms: enough to see that a route looks at them as the others do.
fn some_terms() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        ("/terms", vec![json!("x"), json!([]), json!(7)]),
        ("/terms/grace_hours", vec![json!(721), json!("24")]),
        ("/terms/rules", vec![json!([]), json!("x"), rules(21)]),
        ("/terms/rules/1/id", vec![json!("share"), json!("A b")]),
        ("/terms/rules/1/amount/fixed/amount", vec![json!(0), json!(1.5)]),
        ("/terms/rules/0/conditions/plans/0", vec![json!("")]),
    ]
}

fn group(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "PUT /v1/programs/{program}/groups/{group}",
        ids: vec![setup.program.clone(), "silver".to_owned()],
        good: json!({"terms": terms()}),
        required: &["/terms", "/terms/rules", "/terms/rules/0/id"],
        needed: &["/terms/rules/0/amount"],
        objects: &["", "/terms", "/terms/rules/0"],
        wrong: [some_terms(), vec![("/terms", vec![Value::Null])]].concat(),
        told: told_terms(),
        ..BodyRoute::default()
    }
}

fn participant(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "PATCH /v1/participants/{id}",
        ids: vec![setup.anna.id.clone()],
        good: json!({"group": "gold", "disabled": true, "terms": terms(), "customers": {"stripe": "cus_9"},
            "contact": {"email": "anna@example.com", "phone": "+4930123456"}, "subscribed": false}),
        required: &["/terms/rules", "/terms/rules/0/id"],
        needed: &["/terms/rules/0/amount"],
        objects: &["", "/terms", "/terms/rules/0", "/customers", "/contact"],
        wrong: [
            some_terms(),
            not_customers(),
            not_contact(),
            vec![("/subscribed", not_bool())],
            vec![("/group", [not_slug(), vec![json!("bronze")]].concat()), ("/disabled", not_bool())],
        ]
        .concat(),
        told: told_terms(),
        ..BodyRoute::default()
    }
}

fn enrolment(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "PUT /v1/programs/{program}/participants/{external_id}",
        ids: vec![setup.program.clone(), "new".to_owned()],
        good: json!({"name": "Blue Lotus Studio", "customers": {"stripe": "cus_9"},
            "contact": {"email": "new@example.com", "phone": "+4930123456"}}),
        objects: &["", "/customers", "/contact"],
        wrong: [not_customers(), not_contact(), vec![("/name", not_name(200))]].concat(),
        ..BodyRoute::default()
    }
}

fn promotion() -> BodyRoute {
    let codes = ["", "AB", "A_B_C", "SUMMER25!", &"A".repeat(65)];
    BodyRoute {
        route: "PUT /v1/promotions/{processor}/{id}",
        ids: vec!["stripe".to_owned(), "promo_9".to_owned()],
        good: json!({"code": "WINTER24"}),
        required: &["/code"],
        objects: &[""],
        wrong: vec![("/code", [not_text(), codes.map(Value::from).into(), vec![Value::Null]].concat())],
        ..BodyRoute::default()
    }
}

fn code(setup: &Setup) -> BodyRoute {
    let day = |days: i64| json!(setup.now + Duration::days(days));
    let codes =
        ["", "AB", "ÄÖÜ", "A_B_C", "2024WXYZ", "SUMMER25!", "a\u{0}bcd", &"A".repeat(21), &"A".repeat(65)];
    BodyRoute {
        route: "POST /v1/programs/{program}/codes",
        ids: vec![setup.program.clone()],
        good: json!({"code": "SUMMER25", "participant": "anna", "starts_at": day(1), "ends_at": day(9), "max_uses": 5}),
        required: &["/code", "/participant"],
        objects: &[""],
        wrong: vec![
            ("/code", [not_text(), codes.map(Value::from).into(), vec![Value::Null]].concat()),
            ("/participant", [not_external_id(), vec![json!("nobody"), json!("pam"), Value::Null]].concat()),
            ("/starts_at", not_moment()),
            ("/ends_at", [not_moment(), vec![day(1), day(0), day(-1)]].concat()),
            ("/max_uses", not_within(1, 1_000_000)),
        ],
        told: vec![("/starts_at", day(9), "/ends_at")],
        ..BodyRoute::default()
    }
}
