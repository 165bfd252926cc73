//! Billing runs: what they bill, and that they bill nothing twice.

use serde_json::{Value, json};
use tests::percent_rule;

use super::{Office, assert_billed_exactly, cash, figures, usd};

#[tokio::test]
async fn a_dry_run_shows_what_a_run_then_bills_and_changes_no_ledger() {
    let office = Office::open(cash("10")).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    office.tenant.pay("ben", "in_2", 10_000).await.ok();
    let day = office.end_day().await;
    let without_runs = |mut rows: std::collections::BTreeMap<(String, String), _>| {
        rows.retain(|(pk, _), _| !pk.contains("#run_") && !pk.ends_with("#RUNS"));
        rows
    };
    let before = without_runs(office.world.snapshot().await);
    let rehearsed = office.run(&day, true).await;
    assert_eq!(figures(&rehearsed), (1, 2, json!([usd(3_000)])));
    assert_eq!(without_runs(office.world.snapshot().await), before);
    let path = |run: &Value| format!("/v1/billing-runs/{}/invoices", run["id"].as_str().unwrap());
    let shown = office.tenant.get(&path(&rehearsed)).await.ok();
    let row = &shown["data"][0];
    assert_eq!((&row["id"], &row["status"], &row["total"]), (&Value::Null, &Value::Null, &usd(3_000)));

    let billed = office.run(&day, false).await;
    assert_eq!(figures(&billed), figures(&rehearsed));
    let made = office.tenant.get(&path(&billed)).await.ok();
    let [invoice] = office.invoices(&office.anna).await.try_into().unwrap();
    assert_eq!((&made["data"][0]["id"], &made["data"][0]["status"]), (&invoice["id"], &json!("draft")));
    assert_eq!(
        (&invoice["total"], &invoice["from"], &invoice["lines"]),
        (&usd(3_000), &json!(day), &json!(2))
    );
    let runs = office.tenant.get("/v1/billing-runs").await.ok();
    let ids: Vec<&Value> = runs["data"].as_array().unwrap().iter().map(|run| &run["id"]).collect();
    assert_eq!(ids, [&billed["id"], &rehearsed["id"]]);
    office.at_rest().await;
}

#[tokio::test]
async fn a_run_that_is_repeated_bills_nothing_more() {
    let office = Office::open(cash("10")).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let day = office.end_day().await;
    assert_eq!(office.bill(&day).await, (1, 1, json!([usd(2_000)])));
    assert_eq!(office.bill(&day).await, (0, 0, json!([])));
    // What comes later goes onto the next one.
    office.tenant.pay("ben", "in_2", 10_000).await.ok();
    let next = office.end_day().await;
    assert_eq!(office.bill(&day).await, (0, 0, json!([])));
    assert_eq!(office.bill(&next).await, (1, 1, json!([usd(1_000)])));
    assert_eq!(office.invoices(&office.anna).await.len(), 2);
    office.at_rest().await;
}

#[tokio::test]
async fn what_is_no_cash_and_what_others_do_is_not_billed() {
    let office = Office::open(percent_rule("10")).await;
    let other = office.tenant.program(cash("10")).await;
    let dora = office.tenant.enrol(&other, "dora", "Dora").await;
    office.tenant.sign_up("emil", &dora.code).await.created();
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    office.tenant.pay("emil", "in_2", 20_000).await.ok();
    let day = office.end_day().await;
    assert_eq!(office.bill(&day).await, (0, 0, json!([])));
    assert!(office.invoices(&dora).await.is_empty());
    office.at_rest().await;
}

#[tokio::test]
async fn each_currency_has_an_invoice_of_its_own() {
    let office = Office::open(cash("10")).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let euros = json!({"invoice_id": "in_e", "external_id": "ben", "amount_paid": 5_000, "currency": "EUR"});
    office.tenant.post("/v1/track/invoice-paid", euros).await.ok();
    let day = office.end_day().await;
    let euros = json!({"amount": 500, "currency": "EUR"});
    assert_eq!(office.bill(&day).await, (2, 2, json!([euros, usd(2_000)])));
    office.at_rest().await;
}

#[tokio::test]
async fn what_is_held_or_waits_is_billed_once_it_is_released() {
    let mut terms = cash("10");
    terms["min_earnings"] = json!([{"amount": 2_500, "currency": "USD"}]);
    let office = Office::open(terms).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let day = office.end_day().await;
    let run = office.run(&day, false).await;
    assert_eq!((figures(&run), &run["left_out"]["waiting"]), ((0, 0, json!([])), &json!(1)));
    // The threshold is met in the next period: the line of the first is billed with it, and by a run over the first too.
    office.tenant.pay("ben", "in_2", 10_000).await.ok();
    let next = office.end_day().await;
    assert_eq!(office.bill(&next).await, (1, 2, json!([usd(3_000)])));
    assert_eq!(office.bill(&day).await, (0, 0, json!([])));
    office.at_rest().await;
}

#[tokio::test]
async fn a_run_over_days_before_leaves_what_came_after_them() {
    let mut terms = cash("10");
    terms["rules"][0]["approval"] = json!("manual");
    let office = Office::open(terms).await;
    let first = office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let day = office.end_day().await;
    let second = office.tenant.pay("ben", "in_2", 10_000).await.ok();
    let next = office.end_day().await;
    assert_eq!(office.bill(&next).await, (0, 0, json!([])));
    for settled in [first, second] {
        let path = format!("/v1/rewards/{}/approve", settled["posted"][0]["reward"].as_str().unwrap());
        office.tenant.post(&path, json!({"actor": "support"})).await.ok();
    }
    assert_eq!(office.bill(&day).await, (1, 1, json!([usd(2_000)])));
    assert_eq!(office.bill(&next).await, (1, 1, json!([usd(1_000)])));
    office.at_rest().await;
}

#[tokio::test]
async fn what_is_taken_back_after_it_was_billed_is_netted_and_a_shortfall_waits() {
    let office = Office::open(cash("10")).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let first = office.end_day().await;
    assert_eq!(office.bill(&first).await, (1, 1, json!([usd(2_000)])));
    office.tenant.refund("re_1", "in_1", 15_000).await.ok();
    let second = office.end_day().await;
    let run = office.run(&second, false).await;
    assert_eq!((figures(&run), &run["left_out"]["not_above_zero"]), ((0, 0, json!([])), &json!(1)));
    // 10.00 do not make up for 15.00.
    office.tenant.pay("ben", "in_2", 10_000).await.ok();
    let third = office.end_day().await;
    assert_eq!(office.bill(&third).await, (0, 0, json!([])));
    office.tenant.pay("ben", "in_3", 8_000).await.ok();
    let fourth = office.end_day().await;
    assert_eq!(office.bill(&fourth).await, (1, 3, json!([usd(300)])));
    let [latest, _] = office.invoices(&office.anna).await.try_into().unwrap();
    let path = format!("/v1/partner-invoices/{}/lines", latest["id"].as_str().unwrap());
    let lines = office.tenant.get(&path).await.ok();
    let amounts: Vec<i64> = lines["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["amount"]["amount"].as_i64().unwrap())
        .collect();
    assert_eq!(amounts, [1_000, 800, -1_500]);
    office.at_rest().await;
}

#[tokio::test]
async fn what_was_taken_back_before_it_was_billed_is_nowhere() {
    let office = Office::open(cash("10")).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    office.tenant.pay("ben", "in_2", 10_000).await.ok();
    office.world.drain().await;
    office.tenant.refund("re_1", "in_1", 20_000).await.ok();
    let day = office.end_day().await;
    assert_eq!(office.bill(&day).await, (1, 1, json!([usd(1_000)])));
    // The refund fails: all of the reward's lines are billed, and come to what was earned.
    let failed = json!({"refund_id": "re_1", "processor": "stripe", "invoice_id": "in_1", "amount": 20_000,
        "currency": "USD", "status": "failed"});
    office.tenant.post("/v1/track/refund", failed).await.ok();
    let next = office.end_day().await;
    assert_eq!(office.bill(&next).await, (1, 3, json!([usd(2_000)])));
    office.at_rest().await;
}

#[tokio::test]
async fn more_lines_than_one_transaction_takes_are_billed_on_one_invoice() {
    let office = Office::open(cash("10")).await;
    let (mut expected, mut refunded) = (0, 0);
    for number in 0..130 {
        let referee = format!("ref-{}", number % 60);
        if number < 60 {
            office.tenant.sign_up(&referee, &office.anna.code).await.created();
        }
        office.tenant.pay(&referee, &format!("in_{number}"), 1_000 + number * 10).await.ok();
        expected += 100 + number;
    }
    office.world.drain().await;
    for number in 0..20 {
        office.tenant.refund(&format!("re_{number}"), &format!("in_{number}"), 500).await.ok();
        refunded += 50;
    }
    let day = office.end_day().await;
    assert_eq!(office.run(&day, true).await["lines"], 150);
    let (invoices, lines, totals) = office.bill(&day).await;
    assert_eq!((invoices, lines, totals), (1, 150, json!([usd(expected - refunded)])));
    let [invoice] = office.invoices(&office.anna).await.try_into().unwrap();
    // Page by page: every line and every line item once.
    for (path, limit, count) in [("/lines", 40, 150), ("", 25, 60)] {
        let (mut sum, mut found, mut cursor) = (0, 0, String::new());
        loop {
            let path = format!(
                "/v1/partner-invoices/{}{path}?limit={limit}{cursor}",
                invoice["id"].as_str().unwrap()
            );
            let page = office.tenant.get(&path).await.ok();
            let rows = if page["items"].is_array() { &page["items"] } else { &page["data"] };
            for row in rows.as_array().unwrap() {
                (sum, found) = (sum + row["amount"]["amount"].as_i64().unwrap(), found + 1);
            }
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!((found, sum), (count, expected - refunded), "{path}");
    }
    office.at_rest().await;
}

#[tokio::test]
async fn many_participants_are_billed_over_many_messages() {
    let office = Office::open(cash("10")).await;
    for number in 0..70 {
        let partner = format!("partner-{number}");
        let participant = office.tenant.enrol(&office.program, &partner, "Partner").await;
        let referee = format!("referee-{number}");
        office.tenant.sign_up(&referee, &participant.code).await.created();
        office.tenant.pay(&referee, &format!("in_{number}"), 1_000).await.ok();
    }
    let day = office.end_day().await;
    let run = office.run(&day, false).await;
    assert_eq!((figures(&run), &run["participants"]), ((70, 70, json!([usd(7_000)])), &json!(70)));
    let path = format!("/v1/billing-runs/{}/invoices?limit=60", run["id"].as_str().unwrap());
    let page = office.tenant.get(&path).await.ok();
    let next =
        office.tenant.get(&format!("{path}&cursor={}", page["next_cursor"].as_str().unwrap())).await.ok();
    assert_eq!((page["data"].as_array().unwrap().len(), next["data"].as_array().unwrap().len()), (60, 10));
    assert_eq!(next["next_cursor"], Value::Null);
    office.at_rest().await;
}

#[tokio::test]
async fn of_two_runs_of_a_program_at_once_the_second_is_refused() {
    let office = Office::open(cash("10")).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let day = office.end_day().await;
    let body = |dry_run: bool| json!({"program": office.program, "from": day, "to": day, "dry_run": dry_run});
    // The first message is lost.
    let queue = local::Fault {
        call: Some("SendMessage".to_owned()),
        skip: 0,
        times: 50,
        effect: local::Effect::Unavailable,
    };
    office.world.plan(vec![queue]);
    let keyed = [("idempotency-key", "first")];
    let first = office.tenant.send("POST", "/v1/billing-runs", body(false).to_string(), &keyed).await;
    assert_eq!(first.status, 202, "{}", first.body);
    office.world.plan(Vec::new());
    office.tenant.post("/v1/billing-runs", body(false)).await.refused(409, "billing_run_in_progress");
    let again = office.tenant.send("POST", "/v1/billing-runs", body(false).to_string(), &keyed).await;
    assert_eq!((again.status, &again.body["id"]), (202, &first.body["id"]));
    let other = office.tenant.send("POST", "/v1/billing-runs", body(true).to_string(), &keyed).await;
    other.refused(422, "idempotency_mismatch");
    // A rehearsal is in nobody's way.
    office.run(&day, true).await;
    office.world.advance(120).await;
    office.world.drain().await;
    let run =
        office.tenant.get(&format!("/v1/billing-runs/{}", first.body["id"].as_str().unwrap())).await.ok();
    assert_eq!((&run["status"], figures(&run)), (&json!("done"), (1, 1, json!([usd(2_000)]))));
    assert_eq!(office.bill(&day).await, (0, 0, json!([])));
    office.at_rest().await;
}

#[tokio::test]
async fn messages_that_come_twice_and_at_once_bill_once() {
    let office = Office::open(cash("10")).await;
    for number in 0..12 {
        let partner = office.tenant.enrol(&office.program, &format!("partner-{number}"), "Partner").await;
        office.tenant.sign_up(&format!("referee-{number}"), &partner.code).await.created();
        office.tenant.pay(&format!("referee-{number}"), &format!("in_{number}"), 1_000).await.ok();
    }
    let day = office.end_day().await;
    let body = json!({"program": office.program, "from": day, "to": day, "dry_run": false});
    let run = office.tenant.post("/v1/billing-runs", body).await.body;
    let organization = office.world.organization(&office.tenant).await;
    let message = json!({"type": "billing_run.due.v1", "organization": organization, "run": run["id"]});
    for _ in 0..30 {
        office.world.send("ReportQueue", &message.to_string()).await;
    }
    office.world.drain().await;
    // Workers that met stopped; the sweeper finds what none of them has done.
    for _ in 0..2 {
        office.world.advance(400).await;
        office.world.drain().await;
    }
    let run = office.tenant.get(&format!("/v1/billing-runs/{}", run["id"].as_str().unwrap())).await.ok();
    assert_eq!((figures(&run), &run["participants"]), ((12, 12, json!([usd(1_200)])), &json!(12)));
    office.at_rest().await;
}

#[tokio::test]
async fn a_message_of_no_run_ends_in_the_dead_letter_queue() {
    let office = Office::open(cash("10")).await;
    let organization = office.world.organization(&office.tenant).await;
    let run = format!("run_{}", "0".repeat(26));
    let message = json!({"type": "billing_run.due.v1", "organization": organization, "run": run});
    office.world.send("ReportQueue", &message.to_string()).await;
    for _ in 0..6 {
        office.world.drain().await;
        office.world.advance(400).await;
    }
    assert_eq!(office.world.receive("ReportDlq").await, [message]);
    assert_billed_exactly(&office.world).await;
}
