//! A crash loses nothing: every call that a function makes to the table or a queue is, in turn, the one at which the process
//! ends before or after the call takes effect, or that is refused, throttled, in conflict, behind, or left without an answer.
//! Callers repeat what was not acknowledged, as they do in life; at the end everybody has what they have without any fault.
//!
//! `schedules` walks every order of a short story; here are longer ones, each in one order.

#[path = "courses/outside.rs"]
mod outside;

use serde_json::{Value, json};
use tests::percent_rule;
use tests::sim::{Act, Course, End, Outcome, Rows, Step, Tenant, World, simulate};

/// Runs a course of an organization with these terms under every fault, and answers what it comes to.
#[track_caller]
fn survives(course: &str, terms: Value, steps: impl FnOnce(&Tenant) -> Vec<Step<'_>>) -> End {
    let survival = simulate(async {
        let world = World::new().await;
        let tenant = Tenant::new(&world, terms).await;
        world.advance(100);
        let (from, steps) = (world.moment(), steps(&tenant));
        Course { tenant: &tenant, from, steps, tells: &|_| Ok(Vec::new()) }.run().await
    });
    survival.assert_held(course);
    survival.end
}

/// An act that needs nothing of what came before it.
fn plain<'a>(act: Act) -> Step<'a> {
    Box::new(move |_| act.clone())
}

/// Somebody signs up with the code of somebody who was enrolled before.
fn sign_up<'a>(tenant: &'a Tenant, referee: &'a str, referrer: &'a str) -> Step<'a> {
    Box::new(move |rows| tenant.sign_up(referee, code_of(rows, referrer)))
}

fn code_of<'a>(rows: &'a Rows, external_id: &str) -> &'a str {
    let enrolled = rows.values().find(|row| row.has("code") && row.text("external_id") == external_id);
    enrolled.unwrap().text("code")
}

/// Rewards that were delivered.
fn delivered(amounts: &[i64]) -> Outcome {
    let sum = amounts.iter().sum();
    let rewards = amounts.iter().map(|amount| ("fulfilled".to_owned(), *amount)).collect();
    Outcome { rewards, ledger: sum, balance: (sum, 0) }
}

#[test]
fn the_loop_survives_every_fault_at_any_call() {
    let end = survives("the loop", percent_rule("10"), |tenant| {
        let nightly = json!({"type": "nightly", "day": "2026-01-01"});
        vec![
            plain(tenant.enrolment("anna")),
            sign_up(tenant, "ben", "anna"),
            plain(tenant.paid("ben", "in_1", 20_000)),
            plain(Act::Delivery),
            plain(tenant.refund("re_1", "in_1", 5_000)),
            plain(Act::Event { function: "AggregateReportsFunction", event: nightly }),
            plain(Act::Delivery),
        ]
    });
    assert_eq!(end.outcomes["anna"], delivered(&[1_500]));
}

/// Everything arrives before what it depends on: a refund that knows only its payment, a payment that knows only the
/// processor's customer, and the sign-up last.
#[test]
fn the_loop_told_backwards_survives_every_fault_at_any_call() {
    let end = survives("the loop told backwards", percent_rule("10"), |tenant| {
        let refund = |status: &str| {
            let body = json!({"refund_id": "re_1", "processor": "stripe", "payment_id": "pi_1", "amount": 5_000,
                "currency": "USD", "status": status});
            plain(tenant.post("/v1/track/refund", body))
        };
        let paid = |payment: Value| {
            let body = json!({"invoice_id": "in_1", "processor": "stripe", "customer_id": "cus_1",
                "payment_id": payment, "amount_paid": 20_000, "currency": "USD"});
            plain(tenant.post("/v1/track/invoice-paid", body))
        };
        let sign_up = |rows: &Rows| {
            let customer = json!({"processor": "stripe", "id": "cus_1"});
            let body = json!({"external_id": "ben", "code": code_of(rows, "anna"), "customer": customer});
            tenant.post("/v1/track/signup", body)
        };
        vec![
            plain(tenant.enrolment("anna")),
            refund("succeeded"),
            paid(Value::Null),
            paid(json!("pi_1")),
            Box::new(sign_up),
            plain(Act::Delivery),
            refund("failed"),
            plain(Act::Delivery),
        ]
    });
    assert_eq!(end.outcomes["anna"], delivered(&[2_000]));
}

/// Rules that count, pay for sign-ups, wait for earnings and pay a second level: Anna referred Ben, Ben referred Cleo.
#[test]
fn rules_that_count_survive_every_fault_at_any_call() {
    let share = |percent: &str| json!({"percentage": {"percent": percent}});
    let terms = json!({"max_referrals": 5, "min_earnings": [{"amount": 1_000, "currency": "USD"}], "rules": [
        {"id": "thanks", "trigger": "signup", "amount": {"fixed": {"amount": 50, "currency": "USD"}}},
        {"id": "commission", "amount": {"tiers": {"by": "qualified_referrals", "on_drop": "revoke",
            "steps": [{"from": 1, "amount": share("10")}]}},
         "limits": {"caps": [{"per": "all_time", "amount": 1_900, "currency": "USD"}], "duration_months": 2}},
        {"id": "bonus", "trigger": "referral_count", "amount": {"milestones": {"on_drop": "revoke",
            "steps": [{"at": 1, "amount": 700, "currency": "USD"}]}}},
        {"id": "override", "trigger": "reward_earned",
         "amount": {"percentage": {"percent": "50", "basis": "reward"}}}]});
    let end = survives("rules that count", terms, |tenant| {
        let reverse = |rows: &Rows| {
            let bonus = rows.values().find(|row| {
                let milestone = row.text("source").starts_with("milestone/");
                row.has("net") && milestone && row.text("referee") == "cleo"
            });
            let path = format!("/v1/rewards/{}/reverse", bonus.unwrap().text("reward"));
            tenant.post(&path, json!({"actor": "admin", "reason": "test"}))
        };
        vec![
            plain(tenant.enrolment("anna")),
            plain(tenant.enrolment("ben")),
            sign_up(tenant, "ben", "anna"),
            sign_up(tenant, "cleo", "ben"),
            plain(tenant.paid("ben", "in_1", 20_000)),
            plain(tenant.paid("cleo", "in_2", 30_000)),
            plain(Act::Delivery),
            Box::new(reverse),
            plain(tenant.refund("re_2", "in_2", 10_000)),
            plain(tenant.refund("re_1", "in_1", 5_000)),
            plain(Act::Delivery),
        ]
    });
    // Ben: 0.50 for Cleo's sign-up, and 19.00 by the cap of what stands of her payment; his bonus was taken back. Anna: 0.50 for
    // his sign-up, 15.00 of his payment, her bonus, and half of what Ben has.
    assert_eq!(end.outcomes["ben"], delivered(&[50, 1_900]));
    assert_eq!(end.outcomes["anna"], delivered(&[25, 50, 700, 950, 1_500]));
}

/// A payment in another currency than is paid out, which is paid before its referee signs up, and refunded in part before
/// the rate of its day is given; with a cap, so that the counters are in it too.
#[test]
fn a_payment_that_waits_for_its_rate_survives_every_fault_at_any_call() {
    let terms = json!({"payout_currency": "USD", "rules": [{"id": "commission",
        "amount": {"percentage": {"percent": "10"}},
        "limits": {"caps": [{"per": "all_time", "amount": 100_000, "currency": "USD"}]}}]});
    let end = survives("a payment that waits for its rate", terms, |tenant| {
        let paid = json!({"invoice_id": "in_1", "processor": "stripe", "currency": "EUR", "external_id": "ben",
            "amount_paid": 20_000});
        let refund = json!({"invoice_id": "in_1", "processor": "stripe", "currency": "EUR", "refund_id": "re_1",
            "amount": 5_000});
        let day = tenant.world.now().date_naive();
        let rates = json!({"currency": "USD", "rates": {"EUR": "1.0843"}});
        vec![
            plain(tenant.enrolment("anna")),
            plain(tenant.post("/v1/track/invoice-paid", paid.clone())),
            sign_up(tenant, "ben", "anna"),
            plain(tenant.post("/v1/track/invoice-paid", paid)),
            plain(tenant.post("/v1/track/refund", refund)),
            plain(tenant.put(format!("/v1/exchange-rates/{day}"), rates)),
            plain(Act::Delivery),
        ]
    });
    // 150.00 EUR stand; of 162.645 USD, a tenth and nothing below a cent.
    assert_eq!(end.outcomes["anna"], delivered(&[1_626]));
}

/// A payer whom only a promotion code refers, and one payment of 200.00 that paid two invoices and is refunded in between.
#[test]
fn a_payment_of_two_invoices_by_promotion_survives_every_fault_at_any_call() {
    let end = survives("a payment of two invoices", percent_rule("10"), |tenant| {
        let paid = |invoice: &str, amount: i64, codes: &[&str]| {
            let body = json!({"invoice_id": invoice, "processor": "stripe", "customer_id": "cus_1",
                "amount_paid": amount, "currency": "USD", "promotion_codes": codes,
                "payments": [{"payment_id": "pi_1", "amount": amount}]});
            tenant.post("/v1/track/invoice-paid", body)
        };
        let refund = json!({"refund_id": "re_1", "processor": "stripe", "payment_id": "pi_1", "amount": 5_000,
            "currency": "USD"});
        vec![
            plain(tenant.enrolment("anna")),
            Box::new(move |rows| paid("in_1", 15_000, &[code_of(rows, "anna")])),
            plain(tenant.post("/v1/track/refund", refund)),
            plain(paid("in_2", 5_000, &[])),
            plain(Act::Delivery),
        ]
    });
    // Of the refund, 37.50 are the larger invoice's and 12.50 the smaller one's.
    assert_eq!(end.outcomes["anna"], delivered(&[375, 1_125]));
}
