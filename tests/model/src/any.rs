//! Terms and happenings by chance. Periods and waits are of few lengths, so that boundaries are met to the second.

use domain::program::TermsPolicy;
use domain::source::{DisputeStatus, RefundStatus};
use domain::terms::TermsDraft;
use proptest::option::weighted;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::op::{Code, INVOICES, Op, PEOPLE, Strange, Tenant};

fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

fn fixed() -> impl Strategy<Value = Value> {
    (1..900_i64, any::<bool>()).prop_map(|(amount, points)| {
        json!({"fixed": {"amount": amount, "currency": if points { "points" } else { "USD" }}})
    })
}

fn share(basis: &'static str) -> impl Strategy<Value = Value> {
    prop_oneof![9 => 1..=10_000_u32, 1 => 10_001..30_000_u32].prop_map(move |hundredths| {
        let percent = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        json!({"percentage": {"percent": percent, "basis": basis, "over_100": hundredths > 10_000}})
    })
}

fn paid_share() -> impl Strategy<Value = Value> {
    prop_oneof![share("paid_total"), share("paid_excluding_tax")]
}

fn steps(scale: i64, most: usize) -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(1..4_i64, 1..most).prop_map(move |gaps| {
        let mut from = 0;
        gaps.into_iter()
            .map(|gap| {
                from += gap;
                from * scale
            })
            .collect()
    })
}

fn tiers(by: &'static str) -> impl Strategy<Value = Value> {
    let scale = if by == "qualified_referrals" { 1 } else { 900 };
    let amounts = prop::collection::vec(prop_oneof![fixed(), paid_share()], 4);
    (steps(scale, 4), amounts, any::<bool>()).prop_map(move |(from, amounts, keeps)| {
        let steps: Vec<Value> = from
            .into_iter()
            .zip(amounts)
            .map(|(from, amount)| json!({"from": from, "amount": amount}))
            .collect();
        let mut tiers = json!({"by": by, "steps": steps, "on_drop": if keeps { "keep" } else { "revoke" }});
        if by != "qualified_referrals" {
            tiers["currency"] = "USD".into();
        }
        json!({ "tiers": tiers })
    })
}

fn promise() -> impl Strategy<Value = (Value, Value)> {
    let per_currency =
        (1..900_i64, 1..900_i64).prop_map(|(usd, eur)| json!({"per_currency": {"USD": usd, "EUR": eur}}));
    let of_invoice =
        prop_oneof![4 => paid_share(), 1 => fixed(), 1 => per_currency, 1 => tiers("payment_amount")];
    let of_event = || prop_oneof![fixed(), share("event_amount")];
    prop_oneof![
        8 => of_invoice.prop_map(|amount| (json!("invoice_paid"), amount)),
        1 => fixed().prop_map(|amount| (json!("signup"), amount)),
        1 => of_event().prop_map(|amount| (json!("approved"), amount)),
        1 => of_event().prop_map(|amount| (json!({"custom": "webinar"}), amount)),
        1 => prop_oneof![share("payout"), share("profit")].prop_map(|amount| (json!("payout_recorded"), amount)),
        1 => prop_oneof![share("reward"), fixed()].prop_map(|amount| (json!("reward_earned"), amount)),
    ]
}

/// A rule that counts nothing.
fn plain_rule() -> impl Strategy<Value = Value> {
    let amounts = |most: i64| weighted(0.2, (1..most).prop_map(|amount| json!([usd(amount)])));
    let limits =
        (amounts(2_000), amounts(300), weighted(0.2, prop::sample::select(vec![1_u32, 2, 7, 28, 31])));
    let conditions =
        (amounts(3_000), weighted(0.1, Just(true)), weighted(0.1, Just(true)), weighted(0.1, Just("pro")));
    let approval = prop_oneof![
        4 => Just(json!("automatic")),
        1 => Just(json!("manual")),
        1 => (1..900_i64).prop_map(|amount| json!({"manual_above": usd(amount)})),
    ];
    let delivery = (prop_oneof![3 => Just(0_u32), 1 => 1..20_u32], approval);
    let kind = (
        any::<bool>(),
        weighted(0.2, Just("s")),
        weighted(0.05, Just("paused")),
        weighted(0.1, Just("form")),
    );
    (promise(), limits, conditions, delivery, kind).prop_map(
        |((trigger, amount), (at_most, at_least, validity), conditions, (hold, approval), (referee, set, paused, form))| {
            let (min_purchase, used_code, new_only, plan) = conditions;
            let mut rule = json!({"trigger": trigger, "recipient": if referee { "referee" } else { "referrer" },
                "amount": amount, "conditions": {}, "limits": {}, "hold_days": hold, "approval": approval,
                "status": paused.unwrap_or("active")});
            let mut put = |part: &str, key: &str, value: Option<Value>| {
                if let Some(value) = value {
                    rule[part][key] = value;
                }
            };
            put("limits", "at_most", at_most);
            put("limits", "at_least", at_least);
            put("limits", "validity_days", validity.map(Value::from));
            put("conditions", "used_code", used_code.map(Value::from));
            put("conditions", "new_customers_only", new_only.map(Value::from));
            put("conditions", "channels", form.map(|form| json!([form])));
            if trigger == "invoice_paid" {
                put("conditions", "min_purchase", min_purchase);
                put("conditions", "plans", plan.map(|plan| json!([plan])));
                if let Some(set) = set.filter(|_| !referee) {
                    rule["first_of"] = set.into();
                }
            }
            rule
        },
    )
}

/// A rule that counts.
fn counting_rule() -> impl Strategy<Value = Value> {
    let cap = (prop::sample::select(vec!["day", "week", "month", "all_time"]), 1..2_000_i64, any::<bool>()).prop_map(
        |(per, amount, cuts)| {
            json!({"per": per, "amount": amount, "currency": "USD", "over": if cuts { "cut" } else { "refuse" }})
        },
    );
    let tiered = prop_oneof![tiers("qualified_referrals"), tiers("referred_revenue")];
    let repeat = prop::sample::select(vec!["every_time", "every_time", "once", "once_per_referee"]);
    (
        plain_rule(),
        repeat,
        prop::collection::vec(cap, 0..3),
        weighted(0.2, tiered),
        weighted(0.2, 1..4_u32),
        weighted(0.4, prop_oneof![3 => Just(1_u32), 1 => Just(2)]),
        weighted(0.3, Just(true)),
    )
        .prop_map(|(mut rule, repeat, caps, tiers, per_referee, months, first)| {
            if rule["trigger"] == "reward_earned" {
                return rule;
            }
            rule["repeat"] = repeat.into();
            rule["limits"]["caps"] = caps.into();
            if let Some(months) = months {
                rule["limits"]["duration_months"] = months.into();
            }
            if let Some(most) = per_referee.filter(|_| repeat == "every_time") {
                rule["limits"]["max_rewards_per_referee"] = most.into();
            }
            if rule["trigger"] == "invoice_paid" {
                if let Some(tiers) = tiers {
                    rule["amount"] = tiers;
                }
                rule["conditions"]["first_payment_only"] = first.is_some().into();
            }
            rule
        })
}

fn milestone_rule() -> impl Strategy<Value = Value> {
    (steps(1, 4), prop::collection::vec(1..900_i64, 4), any::<bool>()).prop_map(|(at, amounts, keeps)| {
        let steps: Vec<Value> = at
            .into_iter()
            .zip(amounts)
            .map(|(at, amount)| json!({"at": at, "amount": amount, "currency": "USD"}))
            .collect();
        json!({"trigger": "referral_count",
            "amount": {"milestones": {"steps": steps, "on_drop": if keeps { "keep" } else { "revoke" }}}})
    })
}

fn attribution() -> impl Strategy<Value = Value> {
    let models = vec!["first_touch", "first_touch", "last_touch", "linear", "position_based"];
    (prop::sample::select(models), any::<bool>(), 1..20_u32).prop_map(|(model, links, days)| {
        json!({"model": model, "precedence": if links { "link" } else { "code" }, "window_days": days})
    })
}

fn draft_of(rules: Vec<Value>, terms: Value) -> TermsDraft {
    let mut draft = terms;
    let named = rules.into_iter().enumerate().map(|(index, mut rule)| {
        rule["id"] = format!("r{index}").into();
        rule
    });
    draft["rules"] = named.collect();
    serde_json::from_value(draft).unwrap()
}

fn terms_with(rules: impl Strategy<Value = Vec<Value>>, counting: bool) -> impl Strategy<Value = TermsDraft> {
    let grace = prop_oneof![3 => Just(24_u32), 1 => prop::sample::select(vec![0_u32, 1, 12, 48])];
    let flags = (
        weighted(0.2, Just(true)),
        weighted(0.2, Just(true)),
        weighted(0.03, Just(true)),
        weighted(0.1, Just("form")),
    );
    let counted = (weighted(0.15, 1..4_u32), weighted(0.2, 1..1_500_i64));
    let parts = (rules, attribution(), grace, flags, counted);
    let draft = parts.prop_map(
        move |(rules, mut attribution, grace, (outside, zero, track, form), (most, earnings))| {
            // Who shares a referral earns exactly his part; what is counted of him, and what follows from it, would need
            // to know who gets the odd cent.
            let alone = counting || rules.iter().any(|rule| rule["trigger"] == "reward_earned");
            if alone && !attribution["model"].as_str().unwrap().ends_with("touch") {
                attribution["model"] = "first_touch".into();
            }
            let mut terms = json!({"attribution": attribution, "grace_hours": grace,
            "accept_out_of_band": outside.is_some(), "accept_zero_amount": zero.is_some(),
            "track_only": track.is_some()});
            if let Some(form) = form {
                terms["channels"] = json!([form]);
            }
            if counting {
                terms["max_referrals"] = most.into();
                terms["min_earnings"] = earnings.map(usd).into_iter().collect();
            }
            draft_of(rules, terms)
        },
    );
    draft.prop_filter("contradicts itself", |draft| draft.flaws().is_empty())
}

/// A tenant whose terms count nothing, or one whose terms all may.
fn tenant() -> impl Strategy<Value = Tenant> {
    let policy = || prop_oneof![3 => Just(TermsPolicy::Follow), 1 => Just(TermsPolicy::Keep)];
    let plain = terms_with(prop::collection::vec(plain_rule(), 1..5), false);
    let rule = prop_oneof![3 => counting_rule(), 1 => plain_rule(), 1 => milestone_rule()];
    let counting = terms_with(prop::collection::vec(rule, 1..5), true);
    let versions = prop_oneof![
        prop::collection::vec(plain, 1..3).boxed(),
        // What was counted by rules that are no more says little of those that are.
        prop::collection::vec(counting, 1).boxed(),
    ];
    (versions, policy()).prop_map(|(versions, policy)| Tenant { versions, policy })
}

/// One to five tenants.
pub fn any_tenants() -> impl Strategy<Value = Vec<Tenant>> {
    prop_oneof![
        8 => prop::collection::vec(tenant(), 1),
        1 => prop::collection::vec(tenant(), 2..6),
    ]
}

fn any_sign_up() -> impl Strategy<Value = Op> {
    let who = prop_oneof![4 => 3..PEOPLE.len(), 1 => 0..3_usize];
    let code = prop_oneof![
        6 => (0..3_usize).prop_map(Code::Of),
        1 => (0..PEOPLE.len()).prop_map(Code::Of),
        2 => Just(Code::None),
        1 => Just(Code::Unknown),
    ];
    let touches =
        prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec((0..5_usize, -24..600_i64), 0..4)];
    let form = prop_oneof![Just("form"), Just("app")];
    (who, code, touches, any::<bool>(), form, late()).prop_map(
        |(who, code, touches, existing, channel, late)| Op::SignUp {
            who,
            code,
            touches,
            existing,
            channel,
            late,
        },
    )
}

fn late() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(0_i64), 2 => prop::sample::select(vec![1_i64, 12, 24]), 1 => 1..200_i64]
}

fn any_op() -> impl Strategy<Value = Op> {
    // The first two more often than the others, so that one invoice meets several events.
    let invoice = || prop_oneof![0..2_usize, 0..INVOICES];
    let back = || prop_oneof![1 => Just(0_i64), 8 => 1..1_500_i64, 2 => prop::sample::select(vec![1_000, 2_000, 5_000_i64])];
    let amount = || prop_oneof![1 => Just(0_i64), 6 => 1..6_000_i64, 2 => prop::sample::select(vec![1_000, 2_000, 5_000_i64])];
    let refund =
        prop_oneof![Just(RefundStatus::Pending), Just(RefundStatus::Succeeded), Just(RefundStatus::Failed)];
    let dispute = prop_oneof![Just(DisputeStatus::Open), Just(DisputeStatus::Won), Just(DisputeStatus::Lost)];
    let strange =
        prop_oneof![20 => Just(Strange::No), 1 => Just(Strange::Payer), 1 => Just(Strange::Currency)];
    let hours = prop::sample::select(vec![1_i64, 12, 24, 24, 48, 168, 24 * 28, 24 * 31, 24 * 31, 24 * 31]);
    let who = || 0..PEOPLE.len();
    prop_oneof![
        10 => any_sign_up(),
        14 => (invoice(), amount(), strange, late())
            .prop_map(|(invoice, amount, strange, late)| Op::Paid { invoice, amount, strange, late }),
        8 => hours.prop_map(|hours| Op::Wait { hours }),
        6 => (invoice(), 0..3_u8, back(), refund, any::<bool>())
            .prop_map(|(invoice, id, amount, status, named)| Op::Refund { invoice, id, amount, status, named }),
        4 => (invoice(), back()).prop_map(|(invoice, amount)| Op::Refunded { invoice, amount }),
        2 => (invoice(), 0..2_u8, back(), any::<bool>())
            .prop_map(|(invoice, id, amount, void)| Op::Credit { invoice, id, amount, void }),
        3 => (invoice(), 0..2_u8, back(), dispute)
            .prop_map(|(invoice, id, amount, status)| Op::Dispute { invoice, id, amount, status }),
        1 => (invoice(), 0..6_000_i64, 0..6_000_i64)
            .prop_map(|(invoice, own, other)| Op::Shared { invoice, own, other }),
        1 => invoice().prop_map(|invoice| Op::Void { invoice }),
        3 => (0..5_usize, weighted(0.7, 0..5_000_i64), late())
            .prop_map(|(id, amount, late)| Op::Happened { id, amount, late }),
        1 => (0..5_usize).prop_map(|id| Op::Cancelled { id }),
        2 => (0..3_usize, 0..4_u32, late()).prop_map(|(id, revision, late)| Op::Payout { id, revision, late }),
        1 => (0..2_usize).prop_map(|version| Op::Terms { version }),
        1 => any::<bool>().prop_map(|paused| Op::Pause { paused }),
        3 => who().prop_map(|who| Op::Claim { who }),
        3 => who().prop_map(|who| Op::Complete { who }),
        1 => who().prop_map(|who| Op::Approve { who }),
        2 => (0..8_usize, weighted(0.5, 1..400_i64), weighted(0.2, Just(())))
            .prop_map(|(nth, amount, reject)| {
                // What is rejected is rejected as a whole.
                Op::TakeBack { nth, amount: amount.filter(|_| reject.is_none()), reject: reject.is_some() }
            }),
    ]
}

/// Something that happens to one of five tenants.
pub fn any_step() -> BoxedStrategy<(usize, Op)> {
    thread_local! {
        // Asked for at every step: it is put together once.
        static STEP: BoxedStrategy<(usize, Op)> = (0..5_usize, any_op()).boxed();
    }
    STEP.with(Clone::clone)
}
