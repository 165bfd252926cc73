//! The tracking API: batches, and what an invoice can be told with.

use local::{Effect, Fault};
use serde_json::{Value, json};
use tests::{Tenant, World, percent_rule, permutations};

fn paid(invoice: &str, external_id: &str, amount: i64) -> Value {
    json!({"type": "invoice_paid", "invoice_id": invoice, "external_id": external_id, "amount_paid": amount,
        "currency": "USD"})
}

fn refund(refund: &str, invoice: &str, amount: i64) -> Value {
    json!({"type": "refund", "refund_id": refund, "invoice_id": invoice, "amount": amount, "currency": "USD"})
}

async fn batch(tenant: &Tenant, items: &[Value]) -> Vec<Value> {
    let body = tenant.post("/v1/track/batch", json!({"items": items})).await.ok();
    let results = body["results"].as_array().unwrap().clone();
    assert_eq!(results.len(), items.len());
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["index"], index, "{result}");
        assert_ne!(result["result"].is_null(), result["problem"].is_null(), "{result}");
    }
    results
}

fn statuses(results: &[Value]) -> Vec<u64> {
    results.iter().map(|result| result["status"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_batch_does_what_its_items_would_do_one_by_one_and_a_bad_one_stops_no_other() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let items = [
        paid("in_1", "ben", 20_000),
        json!({"type": "invoice_paid", "invoice_id": "in_2", "external_id": "ben", "amount_paid": -1, "currency": "USD"}),
        refund("re_1", "in_1", 5_000),
        json!(7),
        json!({"invoice_id": "in_3"}),
        json!({"type": "signup", "external_id": "carl"}),
        json!({"type": 7}),
        json!({"type": "void", "invoice_id": "in_4", "surprise": 1}),
        json!({"type": "credit", "credit_id": "cn_1", "invoice_id": "in_1", "amount": 1, "currency": "EUR"}),
        json!({"type": "credit", "credit_id": "cn_2", "invoice_id": "in_1", "amount": 1_000, "currency": "USD"}),
        json!({"type": "dispute", "dispute_id": "dp_1", "invoice_id": "in_1", "amount": 14_000, "currency": "USD",
            "status": "open"}),
        json!({"type": "dispute", "dispute_id": "dp_1", "invoice_id": "in_1", "amount": 14_000, "currency": "USD",
            "status": "won"}),
        paid("in_5", "dora", 1_000),
        json!({"type": "event", "name": "approved", "event_id": "e-1", "external_id": "ben"}),
        json!({"type": "payout", "payout_id": "p-1", "external_id": "ben", "payout": 1, "currency": "USD"}),
        json!({"type": "invoice_paid", "invoice_id": "in_6", "external_id": "ben", "amount_paid": 1_000,
            "currency": "USD", "lines": [{"line_id": "il_1", "amount": "x"}]}),
        paid("in_7", "ben", 10_000),
        json!({"type": "void", "invoice_id": "in_7"}),
    ];
    let results = batch(&tenant, &items).await;
    assert_eq!(
        statuses(&results),
        [200, 400, 200, 400, 400, 400, 400, 400, 409, 200, 200, 200, 202, 200, 200, 400, 200, 200]
    );
    let pointers = [
        (1, "/items/1/amount_paid"),
        (3, "/items/3"),
        (4, "/items/4"),
        (5, "/items/5/type"),
        (6, "/items/6/type"),
        (7, "/items/7/surprise"),
        (15, "/items/15/lines/0/amount"),
    ];
    for (index, pointer) in pointers {
        let problem = &results[index]["problem"];
        assert_eq!(
            (&problem["code"], &problem["status"]),
            (&json!("invalid_request"), &json!(400)),
            "{problem}"
        );
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    assert_eq!(results[8]["problem"]["code"], "currency_mismatch");
    assert_eq!(results[0]["result"]["posted"][0]["amount"], json!({"amount": 2_000, "currency": "USD"}));
    assert_eq!(results[12]["result"]["reason"], "awaiting_signup");
    // 200.00 less 50.00 and 10.00; the dispute was won, and the last invoice is void.
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await.0, 1_400);

    let before = tenant.ledger(&anna).await;
    let again = batch(&tenant, &items).await;
    assert_eq!(statuses(&again), statuses(&results));
    for result in again.iter().filter(|result| !result["result"].is_null()) {
        let told = (&result["result"]["duplicate"], &result["result"]["posted"]);
        assert_eq!(told, (&json!(true), &json!([])), "{result}");
    }
    assert_eq!(tenant.ledger(&anna).await, before);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_void_ends_every_order_of_reports_at_nothing() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    for (number, order) in permutations(&[0, 1, 2, 3, 4]).into_iter().enumerate() {
        let invoice = format!("in_{number}");
        let dispute = |status: &str| {
            json!({"type": "dispute", "dispute_id": "dp_1", "invoice_id": invoice, "amount": 3_000, "currency": "USD",
                "status": status})
        };
        let reports = [
            paid(&invoice, "ben", 20_000),
            refund("re_1", &invoice, 5_000),
            dispute("won"),
            dispute("lost"),
            json!({"type": "void", "invoice_id": invoice}),
        ];
        let items: Vec<Value> = order.iter().map(|report| reports[*report].clone()).collect();
        assert!(statuses(&batch(&tenant, &items).await).iter().all(|status| *status == 200), "{order:?}");
        if number % 7 == 0 {
            world.drain().await;
        }
        let decision = tenant.get(&format!("/v1/decisions/invoice/own/{invoice}")).await.ok();
        assert_eq!(decision["reason"], "voided", "{order:?}");
    }
    world.drain().await;
    let (available, pending, earned, reversed) = tenant.figures(&anna).await;
    assert_eq!((available, pending, earned - reversed), (0, 0, 0));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_hundred_items_fit_with_all_their_lines() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let lines: Vec<Value> = (0..100)
        .map(|line| json!({"line_id": format!("il_000000000000000000{line}"), "amount": 10, "plan": "price_of_the_plan"}))
        .collect();
    let item = |number: usize| {
        let mut item = paid(&format!("in_{number}"), "ben", 1_000);
        item["lines"] = json!(lines);
        item
    };
    let items: Vec<Value> = (0..100).map(item).collect();
    let size = json!({"items": items}).to_string().len();
    assert!(size > 700 * 1024 && size < 1024 * 1024, "{size}");
    let results = batch(&tenant, &items).await;
    assert!(statuses(&results).iter().all(|status| *status == 200));
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await.0, 10_000);
    // Another route keeps its own limit.
    let large = format!("{}{}", json!({"items": []}), " ".repeat(64 * 1024));
    tenant.send("POST", "/v1/track/refund", large, &[]).await.refused(413, "body_too_large");
}

#[tokio::test]
async fn an_item_that_the_table_did_not_take_says_so_and_the_rest_goes_on() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    world.drain().await;
    let items: Vec<Value> = (0..3).map(|number| paid(&format!("in_{number}"), "ben", 10_000)).collect();
    let call = Some("TransactWriteItems".to_owned());
    world.plan(vec![Fault { call, skip: 1, times: 40, effect: Effect::Conflict }]);
    let results = batch(&tenant, &items).await;
    assert_eq!(statuses(&results)[0], 200, "{results:?}");
    assert!(statuses(&results)[1..].contains(&503), "{results:?}");
    let failed = results.iter().find(|result| result["status"] == 503).unwrap();
    assert_eq!(failed["problem"]["code"], "unavailable");
    world.plan(Vec::new());
    // The same again: what is missing is done, and nothing twice.
    assert_eq!(statuses(&batch(&tenant, &items).await), [200, 200, 200]);
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await.0, 3_000);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn an_invoice_is_told_with_its_lines_its_payments_and_who_paid() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let share = json!({"percentage": {"percent": "10"}});
    let rule = json!({"id": "pro", "amount": share, "conditions": {"plans": ["pro"]}});
    let program = tenant.program(json!({"rules": [rule]})).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    // The plan of a line is what the invoice is about, with no label told.
    let body = json!({"invoice_id": "in_1", "processor": "stripe", "external_id": "ben", "amount_paid": 20_000,
        "currency": "USD", "payments": [{"payment_id": "pi_1", "amount": 15_000}, {"payment_id": "pi_2"}],
        "lines": [{"line_id": "il_1", "amount": 20_000, "plan": "pro"}]});
    assert_eq!(tenant.post("/v1/track/invoice-paid", body).await.ok()["reason"], "earned");
    // A refund that names only one of the payments finds the invoice.
    for (refund, payment) in [("re_1", "pi_1"), ("re_2", "pi_2")] {
        let body = json!({"refund_id": refund, "processor": "stripe", "payment_id": payment, "amount": 1_000,
            "currency": "USD"});
        let answer = tenant.post("/v1/track/refund", body).await.ok();
        assert_eq!(answer["source"], "invoice/stripe/in_1", "{answer}");
        assert_eq!(answer["posted"][0]["amount"]["amount"], -100, "{answer}");
    }
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await.0, 1_800);
    world.assert_at_rest().await;
}
