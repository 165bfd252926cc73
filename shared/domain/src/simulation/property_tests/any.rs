//! Terms and events by chance. Names, invoices and amounts are few, so that they meet.

use std::collections::BTreeMap;

use proptest::option::weighted;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::simulation::stage::day;
use crate::terms::TermsDraft;

const INVOICES: usize = 6;
const REFEREES: usize = 5;

/// Terms, shown as they are written.
#[derive(Clone)]
pub(super) struct Draft(pub(super) TermsDraft);

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", serde_json::to_string(&self.0).unwrap())
    }
}

#[derive(Clone)]
pub(super) struct Events {
    pub(super) sign_ups: Vec<Value>,
    pub(super) others: Vec<Value>,
}

/// As one would write them for a test of their own.
impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.in_order().iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}

impl Events {
    pub(super) fn in_order(&self) -> Vec<Value> {
        self.sign_ups.iter().chain(&self.others).cloned().collect()
    }
}

impl Events {
    /// The same with one moment for everything that is told of one source: a reward keeps the moment that it was opened
    /// with, and second levels are decided by it.
    pub(super) fn with_one_moment_each(mut self) -> Self {
        let source =
            |event: &Value| [&event["type"], &event["invoice"], &event["id"]].map(Value::to_string).join(" ");
        let mut moments = BTreeMap::new();
        for event in &mut self.others {
            let moment = moments.entry(source(event)).or_insert_with(|| event["at"].clone());
            event["at"] = moment.clone();
        }
        self
    }
}

pub(super) fn invoice_name(index: usize) -> String {
    format!("in_{index}")
}

fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

fn fixed() -> impl Strategy<Value = Value> {
    (1..900_i64, any::<bool>()).prop_map(|(amount, points)| {
        json!({"fixed": {"amount": amount, "currency": if points { "points" } else { "USD" }}})
    })
}

fn share(basis: &'static str) -> impl Strategy<Value = Value> {
    prop_oneof![9 => 1..=1000_u32, 1 => 1001..3000_u32].prop_map(move |tenths| {
        let percent = format!("{}.{}", tenths / 10, tenths % 10);
        json!({"percentage": {"percent": percent, "basis": basis, "over_100": tenths > 1000}})
    })
}

fn paid_share() -> impl Strategy<Value = Value> {
    prop_oneof![share("paid_total"), share("paid_excluding_tax")]
}

fn tiers(by: &'static str) -> impl Strategy<Value = Value> {
    let step = (1..4_i64, prop_oneof![fixed(), paid_share()]);
    (prop::collection::vec(step, 1..4), any::<bool>()).prop_map(move |(steps, keeps)| {
        let scale = if by == "qualified_referrals" { 1 } else { 900 };
        let mut from = -scale;
        let steps: Vec<Value> = steps
            .into_iter()
            .map(|(more, amount)| {
                from += more * scale;
                json!({"from": from, "amount": amount})
            })
            .collect();
        let mut tiers = json!({"by": by, "steps": steps, "on_drop": if keeps { "keep" } else { "revoke" }});
        if by != "qualified_referrals" {
            tiers["currency"] = "USD".into();
        }
        json!({ "tiers": tiers })
    })
}

fn milestones() -> impl Strategy<Value = Value> {
    (prop::collection::vec((1..3_u32, 1..900_i64), 1..4), any::<bool>()).prop_map(|(steps, keeps)| {
        let mut at = 0;
        let steps: Vec<Value> = steps
            .into_iter()
            .map(|(more, amount)| {
                at += more;
                json!({"at": at, "amount": amount, "currency": "USD"})
            })
            .collect();
        json!({"milestones": {"steps": steps, "on_drop": if keeps { "keep" } else { "revoke" }}})
    })
}

/// Trigger and amount of a rule that counts nothing.
fn plain_promise() -> impl Strategy<Value = (Value, Value)> {
    let per_currency =
        (1..900_i64, 1..900_i64).prop_map(|(usd, eur)| json!({"per_currency": {"USD": usd, "EUR": eur}}));
    let of_invoice =
        prop_oneof![3 => paid_share(), 1 => fixed(), 1 => per_currency, 1 => tiers("payment_amount")];
    prop_oneof![
        6 => of_invoice.prop_map(|amount| (json!("invoice_paid"), amount)),
        1 => fixed().prop_map(|amount| (json!("signup"), amount)),
        1 => prop_oneof![fixed(), share("event_amount")].prop_map(|amount| (json!("approved"), amount)),
        1 => prop_oneof![share("payout"), share("profit")].prop_map(|amount| (json!("payout_recorded"), amount)),
        1 => prop_oneof![share("reward"), fixed()].prop_map(|amount| (json!("reward_earned"), amount)),
    ]
}

fn plain_rule() -> impl Strategy<Value = Value> {
    let amounts = |most: i64| weighted(0.2, (1..most).prop_map(|amount| json!([usd(amount)])));
    (
        plain_promise(),
        any::<bool>(),
        amounts(2_000),
        amounts(300),
        amounts(3_000),
        weighted(0.2, 1..60_u32),
        weighted(0.3, Just("s")),
    )
        .prop_map(|((trigger, amount), to_referee, at_most, at_least, min_purchase, validity, set)| {
            let recipient = if to_referee { "referee" } else { "referrer" };
            let mut rule = json!({"trigger": trigger, "recipient": recipient, "amount": amount,
                "conditions": {}, "limits": {}});
            let limits =
                [("at_most", at_most), ("at_least", at_least), ("validity_days", validity.map(Value::from))];
            for (key, value) in limits.into_iter().filter_map(|(key, value)| Some((key, value?))) {
                rule["limits"][key] = value;
            }
            if trigger == "invoice_paid" {
                if let Some(least) = min_purchase {
                    rule["conditions"]["min_purchase"] = least;
                }
                // Rules of one set must be alike.
                if !to_referee && let Some(set) = set {
                    rule["first_of"] = set.into();
                }
            }
            rule
        })
}

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
        weighted(0.3, tiered),
        weighted(0.2, 1..4_u32),
        weighted(0.2, 1..3_u32),
        any::<bool>(),
    )
        .prop_map(|(mut rule, repeat, caps, tiers, per_referee, months, first)| {
            if rule["trigger"] == "reward_earned" {
                return rule;
            }
            let invoice = rule["trigger"] == "invoice_paid";
            rule["repeat"] = repeat.into();
            rule["limits"]["caps"] = caps.into();
            if let Some(months) = months {
                rule["limits"]["duration_months"] = months.into();
            }
            if let Some(most) = per_referee.filter(|_| repeat == "every_time") {
                rule["limits"]["max_rewards_per_referee"] = most.into();
            }
            if invoice {
                if let Some(tiers) = tiers {
                    rule["amount"] = tiers;
                }
                rule["conditions"]["first_payment_only"] = first.into();
            }
            rule
        })
}

fn milestone_rule() -> impl Strategy<Value = Value> {
    milestones().prop_map(|amount| json!({"trigger": "referral_count", "amount": amount}))
}

fn draft_of(rules: Vec<Value>, attribution: Value, payout: Option<&str>) -> Draft {
    let rules: Vec<Value> = rules
        .into_iter()
        .enumerate()
        .map(|(index, mut rule)| {
            rule["id"] = format!("r{index}").into();
            rule
        })
        .collect();
    let draft = json!({"rules": rules, "attribution": attribution, "payout_currency": payout});
    Draft(serde_json::from_value(draft).unwrap())
}

fn attribution() -> impl Strategy<Value = Value> {
    let models = vec!["first_touch", "last_touch", "linear", "time_decay", "position_based"];
    (prop::sample::select(models), any::<bool>())
        .prop_map(|(model, links)| json!({"model": model, "precedence": if links { "link" } else { "code" }}))
}

/// Terms that count nothing.
pub(super) fn plain_terms() -> impl Strategy<Value = Draft> {
    (prop::collection::vec(plain_rule(), 1..5), attribution(), weighted(0.4, Just("USD")))
        .prop_map(|(rules, attribution, payout)| draft_of(rules, attribution, payout))
        .prop_filter("contradicts itself", |Draft(draft)| draft.flaws().is_empty())
}

/// Any terms.
pub(super) fn any_terms() -> impl Strategy<Value = Draft> {
    let rule = prop_oneof![3 => counting_rule(), 1 => plain_rule(), 2 => milestone_rule()];
    (prop::collection::vec(rule, 1..5), attribution(), weighted(0.4, Just("USD")))
        .prop_map(|(rules, attribution, payout)| draft_of(rules, attribution, payout))
        .prop_filter("contradicts itself", |Draft(draft)| draft.flaws().is_empty())
}

fn name() -> impl Strategy<Value = &'static str> {
    // The first referees refer too: what they earn has a second level.
    prop::sample::select(vec!["anna", "lena", "zoe", "u0", "u1"])
}

fn sign_up(index: usize) -> impl Strategy<Value = Value> {
    let touches = prop::collection::vec((name(), -20..3_i64), 0..4);
    (weighted(0.6, name()), touches, 0..3_i64).prop_map(move |(referrer, touches, at)| {
        let referee = format!("u{index}");
        let touches: Vec<Value> =
            touches.into_iter().map(|(who, at)| json!({"referrer": who, "at": day(at)})).collect();
        let referrer = referrer.filter(|referrer| *referrer != referee);
        json!({"type": "signup", "referee": referee, "referrer": referrer, "touches": touches, "at": day(at)})
    })
}

fn other() -> impl Strategy<Value = Value> {
    let invoice = (0..INVOICES, 0..5_000_i64, -2..70_i64).prop_map(|(index, amount, at)| {
        let currency = if index == 5 { "EUR" } else { "USD" };
        json!({"type": "invoice_paid", "referee": format!("u{}", index % REFEREES), "invoice": invoice_name(index),
            "amount_paid": amount, "total": amount + amount / 5, "total_excluding_tax": amount,
            "currency": currency, "at": day(at)})
    });
    let refund = (
        0..INVOICES,
        0..2,
        1..4_000_i64,
        prop::sample::select(vec!["pending", "succeeded", "failed"]),
        0..70_i64,
    )
        .prop_map(|(index, id, amount, status, at)| {
            json!({"type": "refund", "invoice": invoice_name(index), "refund": format!("re_{id}"),
                "amount": amount, "status": status, "at": day(at)})
        });
    let dispute = (0..INVOICES, 1..5_000_i64, prop::sample::select(vec!["open", "won", "lost"]), 0..70_i64)
        .prop_map(|(index, amount, status, at)| {
            json!({"type": "dispute", "invoice": invoice_name(index), "dispute": "dp_1", "amount": amount,
                "status": status, "at": day(at)})
        });
    let void = (0..INVOICES, 0..70_i64)
        .prop_map(|(index, at)| json!({"type": "void", "invoice": invoice_name(index), "at": day(at)}));
    let event = (0..4_usize, weighted(0.5, 0..5_000_i64), 0..70_i64).prop_map(|(index, amount, at)| {
        json!({"type": "event", "name": "approved", "referee": format!("u{}", index % REFEREES),
            "id": format!("e{index}"), "amount": amount, "currency": amount.map(|_| "USD"), "at": day(at)})
    });
    let payout = (0..3_usize, 0..3_u32, 0..5_000_i64, -500..5_000_i64, 0..70_i64).prop_map(
        |(index, revision, payout, profit, at)| {
            json!({"type": "payout", "referee": format!("u{index}"), "id": format!("po_{index}"),
                "revision": revision, "payout": payout, "profit": profit, "currency": "USD", "at": day(at)})
        },
    );
    prop_oneof![8 => invoice, 4 => refund, 2 => dispute, 1 => void, 2 => event, 2 => payout]
}

pub(super) fn any_events() -> impl Strategy<Value = Events> {
    let sign_ups = (sign_up(0), sign_up(1), sign_up(2), sign_up(3), sign_up(4));
    (sign_ups, prop::collection::vec(other(), 0..20))
        .prop_map(|((a, b, c, d, e), others)| Events { sign_ups: vec![a, b, c, d, e], others })
}
