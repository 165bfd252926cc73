//! What becomes of partner invoices.

use serde_json::{Value, json};

use super::{Office, assert_billed_exactly, cash, usd};

#[tokio::test]
async fn an_invoice_is_finalized_and_paid_and_then_stays() {
    let office = Office::open(cash("10")).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let day = office.end_day().await;
    office.bill(&day).await;
    let [invoice] = office.invoices(&office.anna).await.try_into().unwrap();
    office.act(&invoice, "pay").await.refused(409, "partner_invoice_transition");
    let finalized = office.act(&invoice, "finalize").await.ok();
    assert_eq!(finalized["status"], "finalized");
    assert_eq!(finalized["note"], json!({"actor": "finance", "reason": "month end"}));
    assert_eq!(office.act(&invoice, "finalize").await.ok(), finalized);
    let paid = office.act(&invoice, "pay").await.ok();
    assert_eq!(office.act(&invoice, "pay").await.ok(), paid);
    for action in ["finalize", "void"] {
        office.act(&invoice, action).await.refused(409, "partner_invoice_transition");
    }
    let path = format!("/v1/partner-invoices/{}", invoice["id"].as_str().unwrap());
    let read = office.tenant.get(&path).await.ok();
    assert_eq!((&read["status"], &read["finalized_at"]), (&json!("paid"), &finalized["finalized_at"]));
    let item = json!({"referee": "ben", "terms_version": 1, "amount": usd(2_000), "lines": 1});
    assert_eq!(read["items"], json!([item]));
    office.at_rest().await;
}

#[tokio::test]
async fn what_stood_on_a_void_invoice_is_billed_again() {
    let office = Office::open(cash("10")).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let day = office.end_day().await;
    assert_eq!(office.bill(&day).await, (1, 1, json!([usd(2_000)])));
    let [first] = office.invoices(&office.anna).await.try_into().unwrap();
    office.act(&first, "void").await.ok();
    assert_eq!(office.act(&first, "void").await.ok()["status"], "void");
    for action in ["finalize", "pay"] {
        office.act(&first, action).await.refused(409, "partner_invoice_transition");
    }
    assert_eq!(office.bill(&day).await, (1, 1, json!([usd(2_000)])));
    assert_eq!(office.bill(&day).await, (0, 0, json!([])));
    let invoices = office.invoices(&office.anna).await;
    let statuses: Vec<&Value> = invoices.iter().map(|invoice| &invoice["status"]).collect();
    assert_eq!(statuses.iter().filter(|status| **status == "void").count(), 1);
    assert_eq!(statuses.len(), 2);
    // The void one still says what stood on it.
    let path = format!("/v1/partner-invoices/{}/lines", first["id"].as_str().unwrap());
    assert_eq!(office.tenant.get(&path).await.ok()["data"][0]["amount"], usd(2_000));
    office.at_rest().await;
}

#[tokio::test]
async fn voiding_an_invoice_whose_reward_was_taken_back_since_never_shorts_the_partner() {
    let office = Office::open(cash("10")).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let first = office.end_day().await;
    office.bill(&first).await;
    let [invoice] = office.invoices(&office.anna).await.try_into().unwrap();
    office.tenant.refund("re_1", "in_1", 20_000).await.ok();
    office.tenant.pay("ben", "in_2", 50_000).await.ok();
    let second = office.end_day().await;
    assert_eq!(office.bill(&second).await, (1, 2, json!([usd(3_000)])));
    // The clawback stands on the second invoice; so what it takes back has to stand on one again.
    office.act(&invoice, "void").await.ok();
    assert_eq!(office.bill(&second).await, (1, 1, json!([usd(2_000)])));
    assert_billed_exactly(&office.world).await;
    office.at_rest().await;
}

#[tokio::test]
async fn calls_that_race_over_one_invoice_have_one_effect() {
    let office = Office::open(cash("10")).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let day = office.end_day().await;
    office.bill(&day).await;
    let [invoice] = office.invoices(&office.anna).await.try_into().unwrap();
    let mut calls = Vec::new();
    for number in 0..10 {
        let (tenant, id) = (office.tenant.clone(), invoice["id"].as_str().unwrap().to_owned());
        let action = if number % 2 == 0 { "finalize" } else { "void" };
        calls.push(tokio::spawn(async move {
            let body = json!({"actor": "finance", "reason": "month end"});
            tenant.post(&format!("/v1/partner-invoices/{id}/{action}"), body).await.status
        }));
    }
    for call in calls {
        let status = call.await.unwrap();
        assert!([200, 409].contains(&status), "{status}");
    }
    assert_eq!(office.bill(&day).await, (1, 1, json!([usd(2_000)])));
    office.at_rest().await;
}
