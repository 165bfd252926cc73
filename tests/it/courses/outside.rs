//! Courses that reach others than AWS: a payment processor's account, and whoever is sent webhooks. Each call to them, too, is
//! in turn the one at which something goes wrong; at the end the account holds what the ledger says, and whoever listens has
//! heard of everything, each happening under one id.

use serde_json::{Value, json};
use tests::sim::{Act, Course, End, Kept, Rows, Step, Tenant, World, simulate};

use super::{code_of, delivered, plain};

/// Anna's customer at the processor.
const CUSTOMER: &str = "cus_anna";
const DAY: i64 = 86_400;

/// Runs a course of an organization that has connected its processor and sends its events to a receiver; Anna, who is a
/// customer there, has referred Ben.
#[track_caller]
fn survives(
    course: &str,
    rule: Value,
    steps: impl FnOnce(&Tenant) -> Vec<Step<'_>>,
    tells: impl Fn(&World, &Rows) -> Result<Vec<String>, String>,
) -> End {
    survives_from(course, rule, true, steps, tells)
}

#[track_caller]
fn survives_from(
    course: &str,
    rule: Value,
    is_referred: bool,
    steps: impl FnOnce(&Tenant) -> Vec<Step<'_>>,
    tells: impl Fn(&World, &Rows) -> Result<Vec<String>, String>,
) -> End {
    let survival = simulate(async {
        let world = World::new().await;
        let tenant = Tenant::new(&world, crate::rules::rule(crate::rules::ten_percent(), rule)).await;
        let key = json!({"api_key": world.account_key()});
        tenant.ask("PUT", "/v1/processor-connections/stripe", key).await;
        world.account().add_customer(CUSTOMER, Some("usd"));
        tenant.ask("POST", "/v1/event-destinations", json!({"url": "https://shop.example.com/hooks"})).await;
        world.open_outside();
        if is_referred {
            let anna = format!("/v1/programs/{}/participants/anna", tenant.program);
            let anna =
                tenant.ask("PUT", &anna, json!({"name": "anna", "customers": {"stripe": CUSTOMER}})).await;
            tenant.perform(tenant.sign_up("ben", anna["code"].as_str().unwrap())).await;
            world.deliver().await;
        }
        world.advance(100);
        let (from, steps) = (world.moment(), steps(&tenant));
        let tells = |rows: &Rows| tells(&world, rows);
        Course { tenant: &tenant, from, steps, tells: &tells }.run().await
    });
    survival.assert_held(course);
    survival.end
}

/// Ben has paid 200 dollars, and what follows has been done.
fn paid(tenant: &Tenant) -> Vec<Step<'_>> {
    vec![plain(tenant.paid("ben", "in_1", 20_000)), plain(Act::Delivery), plain(Act::Wait(0))]
}

/// The only reward.
fn reward(rows: &Rows) -> &Kept {
    let mut rewards = rows.values().filter(|row| row.has("net"));
    let (Some(reward), None) = (rewards.next(), rewards.next()) else { panic!("it is not one reward") };
    reward
}

/// Something is done to the only reward.
fn to_reward<'a>(tenant: &'a Tenant, what: &'static str) -> Step<'a> {
    Box::new(move |rows| {
        let path = format!("/v1/rewards/{}/{what}", reward(rows).text("reward"));
        tenant.post(&path, json!({"actor": "support", "reason": "test"}))
    })
}

/// What was heard of, each type as often as it has happened.
fn heard(world: &World) -> Result<Vec<String>, String> {
    Ok(world.heard()?.into_iter().map(|(kind, _)| kind).collect())
}

/// Whether something that happened once for all that is told was heard.
fn was_heard(world: &World, kind: &str) -> Result<(), String> {
    let times = heard(world)?.iter().filter(|heard| *heard == kind).count();
    if times == 1 { Ok(()) } else { Err(format!("{kind} was heard {times} times")) }
}

#[test]
fn credit_that_is_refunded_survives_every_fault_at_any_call() {
    let end = survives(
        "credit",
        json!({"kind": "invoice_credit"}),
        |tenant| {
            let mut steps = paid(tenant);
            steps.extend([
                plain(tenant.refund("re_1", "in_1", 5_000)),
                plain(Act::Delivery),
                plain(tenant.refund("re_2", "in_1", 10_000)),
                plain(Act::Delivery),
            ]);
            steps
        },
        |world, rows| {
            let steps = world.account().steps(reward(rows).text("reward"));
            let (net, given) =
                (reward(rows).number("net"), steps.iter().map(|(_, amount)| amount).sum::<i64>());
            let mut names: Vec<&str> = steps.iter().map(|(step, _)| step.as_str()).collect();
            names.dedup();
            if names.len() != steps.len() || given != -net || world.account().balance(CUSTOMER) != -net {
                return Err(format!("{net} stands, and the account has {steps:?}"));
            }
            was_heard(world, "reward.fulfilled")?;
            Ok(vec![format!("{given} at the processor")])
        },
    );
    assert_eq!(end.tells, ["-500 at the processor"]);
    assert_eq!(end.outcomes["anna"], delivered(&[500]));
}

#[test]
fn a_discount_at_the_processor_survives_every_fault_at_any_call() {
    let end = survives(
        "a discount at the processor",
        json!({"kind": "discount", "deliver_by": "processor"}),
        |tenant| {
            let mut steps = paid(tenant);
            steps.extend([plain(tenant.refund("re_1", "in_1", 20_000)), plain(Act::Delivery)]);
            steps
        },
        |world, rows| {
            let id = reward(rows).text("reward");
            let codes = world.account().promotion_codes(id);
            let coupon = world.account().coupon(id).ok_or("there is no coupon")?;
            let [code] = codes.as_slice() else { return Err(format!("{codes:?}")) };
            was_heard(world, "reward.fulfilled")?;
            Ok(vec![format!("{} off, {}", coupon["amount_off"], code["active"])])
        },
    );
    assert_eq!(end.tells, ["2000 off, false"]);
    assert_eq!(end.outcomes["anna"], delivered(&[]));
}

#[test]
fn a_discount_of_the_engines_own_survives_every_fault_at_any_call() {
    let of_kind = |rows: &Rows| {
        let mut discounts = rows.iter().filter(|((_, sk), _)| sk == "DISCOUNT").map(|(_, row)| row.clone());
        let (Some(discount), None) = (discounts.next(), discounts.next()) else {
            panic!("it is not one discount")
        };
        discount
    };
    let end = survives(
        "a discount of the engine's own",
        json!({"kind": "discount"}),
        |tenant| {
            let mut steps = paid(tenant);
            let redeem = move |reference: &'static str| -> Step<'_> {
                Box::new(move |rows| {
                    let path = format!("/v1/discounts/{}/redeem", of_kind(rows).text("code"));
                    let act = tenant.post(&path, json!({ "reference": reference }));
                    if reference == "order_1" { act } else { act.or_refused(&["discount_redeemed"]) }
                })
            };
            steps.extend([
                redeem("order_1"),
                redeem("order_2"),
                plain(tenant.refund("re_1", "in_1", 20_000)),
                plain(Act::Delivery),
            ]);
            steps
        },
        |world, rows| {
            let discount = of_kind(rows).as_item();
            was_heard(world, "reward.fulfilled")?;
            Ok(vec![format!(
                "{:?}, {}",
                discount["redeemed"].as_m().unwrap()["reference"],
                discount.contains_key("withdrawn_at")
            )])
        },
    );
    assert_eq!(end.tells, [r#"S("order_1"), false"#]);
    assert_eq!(end.outcomes["anna"], delivered(&[]));
}

#[test]
fn what_a_listener_delivers_survives_every_fault_at_any_call() {
    let end = survives(
        "a listener",
        json!({"deliver_by": "listener", "confirm_days": 1}),
        |tenant| {
            let mut steps = paid(tenant);
            steps.extend([
                plain(Act::Wait(DAY + 120)),
                to_reward(tenant, "retry"),
                plain(Act::Delivery),
                plain(Act::Wait(0)),
                to_reward(tenant, "fulfill"),
                to_reward(tenant, "fulfill"),
                plain(Act::Delivery),
            ]);
            steps
        },
        |world, _| {
            let mut heard = heard(world)?;
            heard.retain(|kind| kind.starts_with("reward."));
            Ok(heard)
        },
    );
    assert_eq!(end.tells, ["reward.earned", "reward.failed", "reward.fulfilled"]);
    assert_eq!(end.outcomes["anna"], delivered(&[2_000]));
}

#[test]
fn what_is_spent_returned_and_left_over_survives_every_fault_at_any_call() {
    let end = survives(
        "a balance",
        json!({"expires_after_days": 1}),
        |tenant| {
            let of_anna = |rows: &Rows, rest: &str| {
                format!("/v1/participants/{}/redemptions{rest}", reward(rows).text("participant"))
            };
            let redeem = move |reference: &'static str, amount: i64| -> Step<'_> {
                Box::new(move |rows| {
                    let amount = json!({"amount": amount, "currency": "USD"});
                    tenant.post(&of_anna(rows, ""), json!({"reference": reference, "amount": amount}))
                })
            };
            let give_back: Step<'_> = Box::new(move |rows| {
                let by = json!({"actor": "support", "reason": "cancelled"});
                tenant.post(&of_anna(rows, "/order_1/return"), by)
            });
            let mut steps = paid(tenant);
            steps.extend([
                redeem("order_1", 500),
                give_back,
                redeem("order_2", 300),
                plain(Act::Wait(DAY + 120)),
                plain(Act::Delivery),
            ]);
            steps
        },
        |world, _| {
            was_heard(world, "reward.expired")?;
            heard(world)
        },
    );
    // What was returned does not expire: of 20.00, 3.00 are spent and 5.00 are left.
    assert_eq!(end.outcomes["anna"].balance, (800, 0));
}

#[test]
fn an_approval_twice_and_a_reversal_survive_every_fault_at_any_call() {
    let end = survives(
        "an approval",
        json!({"kind": "invoice_credit", "approval": "manual"}),
        |tenant| {
            let mut steps = paid(tenant);
            steps.extend([
                to_reward(tenant, "approve"),
                to_reward(tenant, "approve"),
                plain(Act::Delivery),
                plain(Act::Wait(0)),
                Box::new(|rows| {
                    let path = format!("/v1/rewards/{}/reverse", reward(rows).text("reward"));
                    tenant.post(&path, json!({"actor": "support", "reason": "test"})).under("once")
                }),
                plain(Act::Delivery),
            ]);
            steps
        },
        |world, rows| {
            let steps = world.account().steps(reward(rows).text("reward"));
            for kind in ["reward.held", "reward.approved", "reward.fulfilled", "reward.reversed"] {
                was_heard(world, kind)?;
            }
            Ok(steps.into_iter().map(|(step, amount)| format!("{step}: {amount}")).collect())
        },
    );
    assert_eq!(end.tells, ["0: -2000", "1: 2000"]);
    assert_eq!(end.outcomes["anna"], delivered(&[]));
}

/// Enrolled, referred, converted, removed, assigned to somebody else, reported: whoever listens hears of each once.
#[test]
fn what_is_told_survives_every_fault_at_any_call() {
    let end = survives_from(
        "what is told",
        json!({}),
        false,
        |tenant| {
            let nightly = json!({"type": "nightly", "day": "2026-01-01"});
            let program = tenant.program.clone();
            vec![
                plain(tenant.enrolment("anna")),
                plain(tenant.enrolment("cleo")),
                Box::new(move |rows| tenant.sign_up("ben", code_of(rows, "anna"))),
                plain(tenant.paid("ben", "in_1", 20_000)),
                plain(tenant.paid("ben", "in_2", 10_000)),
                plain(tenant.delete("/v1/referrals/ben")),
                plain(
                    tenant
                        .put("/v1/referrals/ben".to_owned(), json!({"program": program, "referrer": "cleo"})),
                ),
                plain(Act::Event { function: "AggregateReportsFunction", event: nightly }),
                plain(Act::Delivery),
            ]
        },
        |world, _| {
            let mut heard = heard(world)?;
            heard.retain(|kind| !kind.starts_with("reward."));
            Ok(heard)
        },
    );
    let told = [
        "participant.created",
        "participant.created",
        "referral.converted",
        "referral.created",
        "referral.created",
        "referral.inactivated",
        "report.ready",
    ];
    assert_eq!(end.tells, told);
    assert_eq!(end.outcomes["anna"], delivered(&[1_000, 2_000]));
}

/// What Anna earned is billed and the invoice finalized: whoever listens hears of the one invoice once.
#[test]
fn an_invoice_that_is_finalized_survives_every_fault_at_any_call() {
    let end = survives(
        "an invoice",
        json!({"kind": "cash"}),
        |tenant| {
            let run = json!({"program": tenant.program, "from": "2026-01-01", "to": "2026-01-01",
                "dry_run": false});
            let mut steps = paid(tenant);
            steps.extend([
                plain(Act::Wait(DAY + 1_200)),
                plain(tenant.post("/v1/billing-runs", run).under("month")),
                plain(Act::Delivery),
                plain(Act::Wait(0)),
                Box::new(|rows: &Rows| {
                    let invoice = rows.values().find(|row| row.has("parts")).unwrap().text("invoice");
                    let path = format!("/v1/partner-invoices/{invoice}/finalize");
                    tenant.post(&path, json!({"actor": "finance", "reason": "month end"}))
                }) as Step<'_>,
                plain(Act::Delivery),
            ]);
            steps
        },
        |world, rows| {
            was_heard(world, "partner_invoice.finalized")?;
            let invoices = rows.values().filter(|row| row.has("parts"));
            Ok(invoices.map(|row| format!("{}: {}", row.text("status"), row.number("total"))).collect())
        },
    );
    assert_eq!(end.tells, ["finalized: 2000"]);
    assert_eq!(end.outcomes["anna"], delivered(&[2_000]));
}

/// Anna is told of what she earned, and a campaign comes to Cleo, who is enrolled while it begins: once, whatever fails.
#[test]
fn what_participants_are_sent_survives_every_fault_at_any_call() {
    let step = |after_days: u32, text: &str| json!({"after_days": after_days, "message": {"text": text}});
    let steps = json!([step(0, "Share {{ account_referral_code }}"), step(2, "Again")]);
    let end = survives_from(
        "what participants are sent",
        json!({"message": {"text": "{{ reward_amount }}"}}),
        true,
        |tenant| {
            let campaign = json!({"program": tenant.program, "name": "Spring", "audience": "new_participants",
                "per_day_max": 50, "steps": steps});
            vec![
                plain(tenant.post("/v1/campaigns", campaign).under("spring")),
                plain(tenant.enrolment("cleo")),
                plain(tenant.paid("ben", "in_1", 20_000)),
                plain(Act::Delivery),
                plain(Act::Wait(200)),
                plain(Act::Wait(3 * DAY)),
                // A first step that came late has its second late, too.
                plain(Act::Wait(3 * DAY)),
            ]
        },
        |world, rows| {
            let sent = rows.values().filter(|row| row.has("about")).map(|row| row.text("state"));
            let states: Vec<&str> = sent.collect();
            if states != ["sent"; 3] {
                return Err(format!("three are not sent once each: {states:?}"));
            }
            let code = code_of(rows, "cleo");
            let heard = world.heard()?.into_iter().filter(|(kind, _)| kind == "notification.due");
            let mut told: Vec<String> = heard
                .map(|(_, data)| {
                    let text =
                        data["text"].as_str().unwrap_or_default().replace('-', "").replace(code, "CODE");
                    format!("{}: {text}", data["external_id"].as_str().unwrap_or_default())
                })
                .collect();
            told.sort();
            Ok(told)
        },
    );
    let told = ["anna: 20.00 USD", "cleo: Again", "cleo: Share CODE"];
    assert_eq!(end.tells, told);
}
