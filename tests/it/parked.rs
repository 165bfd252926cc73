//! Events that cannot be decided yet: they are listed, decided when what they wait for comes, and expire in plain sight.

use serde_json::{Value, json};
use tests::{Tenant, World};

async fn parked(tenant: &Tenant, status: &str) -> Vec<(String, String)> {
    let body = tenant.get(&format!("/v1/parked-events?status={status}")).await.ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = body["data"].as_array().unwrap().iter();
    rows.map(|row| (text(&row["source"]), text(&row["reason"]))).collect()
}

fn of(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(source, reason)| ((*source).to_owned(), (*reason).to_owned())).collect()
}

async fn pay_by_customer(tenant: &Tenant, customer: &str, invoice: &str) -> Value {
    let body = json!({"invoice_id": invoice, "processor": "stripe", "customer_id": customer, "amount_paid": 10_000,
        "currency": "USD"});
    let answer = tenant.post("/v1/track/invoice-paid", body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn what_waits_is_listed_until_it_is_decided() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    tenant.pay("ben", "in_1", 10_000).await;
    world.advance(1).await;
    pay_by_customer(&tenant, "cus_9", "in_2").await;
    world.advance(1).await;
    tenant.refund("re_1", "in_3", 500).await;
    let refund = json!({"refund_id": "re_2", "processor": "stripe", "payment_id": "pi_4", "amount": 100, "currency": "USD"});
    world.advance(1).await;
    tenant.post("/v1/track/refund", refund).await;
    assert_eq!(
        parked(&tenant, "waiting").await,
        of(&[
            ("invoice/stripe/in_1", "awaiting_signup"),
            ("invoice/stripe/in_2", "payer_unknown"),
            ("invoice/stripe/in_3", "awaiting_payment"),
            ("payment/stripe/pi_4", "awaiting_payment"),
        ])
    );
    let unknown = tenant.get("/v1/parked-events?reason=payer_unknown").await.ok();
    assert_eq!(unknown["data"].as_array().unwrap().len(), 1);
    let page = tenant.get("/v1/parked-events?limit=3").await.ok();
    assert_eq!(page["data"].as_array().unwrap().len(), 3);
    assert_eq!(page["data"][0]["external_id"], "ben");
    assert_eq!(page["data"][1]["customer"], json!({"processor": "stripe", "id": "cus_9"}));
    assert_eq!(page["data"][1]["paid"], json!({"amount": 10_000, "currency": "USD"}));
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = tenant.get(&format!("/v1/parked-events?limit=3&cursor={cursor}")).await.ok();
    assert_eq!(rest["data"].as_array().unwrap().len(), 1);
    assert_eq!(rest["next_cursor"], Value::Null);

    tenant.sign_up("ben", &anna.code).await.created();
    let signup =
        json!({"external_id": "carl", "code": anna.code, "customer": {"processor": "stripe", "id": "cus_9"}});
    tenant.post("/v1/track/signup", signup).await.created();
    tenant.pay("ben", "in_3", 1_000).await.ok();
    let paid = json!({"invoice_id": "in_4", "processor": "stripe", "external_id": "ben", "amount_paid": 1_000,
        "currency": "USD", "payment_id": "pi_4"});
    tenant.post("/v1/track/invoice-paid", paid).await.ok();
    assert_eq!(parked(&tenant, "waiting").await, []);
    let (_, _, earned, reversed) = tenant.figures(&anna).await;
    assert_eq!(earned - reversed, 1_000 + 1_000 + 50 + 90);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_waits_in_vain_expires_and_can_still_be_decided_by_hand() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    pay_by_customer(&tenant, "cus_9", "in_1").await;
    world.advance(89 * 86_400).await;
    assert_eq!(parked(&tenant, "waiting").await.len(), 1);
    world.advance(2 * 86_400).await;
    assert_eq!(parked(&tenant, "waiting").await, []);
    assert_eq!(parked(&tenant, "expired").await, of(&[("invoice/stripe/in_1", "payer_unknown")]));

    // The customer is known at last, by another event; what has expired stays as it is.
    let paid = json!({"invoice_id": "in_2", "processor": "stripe", "external_id": "ben", "customer_id": "cus_9",
        "amount_paid": 1_000, "currency": "USD"});
    tenant.post("/v1/track/invoice-paid", paid).await.ok();
    assert_eq!(tenant.figures(&anna).await.2, 100);
    assert_eq!(parked(&tenant, "expired").await.len(), 1);
    let replay = "/v1/events/invoice:stripe:in_1/replay";
    tenant.post(replay, json!({"dry_run": false})).await.ok();
    assert_eq!(tenant.figures(&anna).await.2, 1_100);
    assert_eq!(parked(&tenant, "expired").await, []);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_has_expired_is_parked_anew_where_it_is_decided_in_vain_again() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    tenant.with_anna("10").await;
    pay_by_customer(&tenant, "cus_9", "in_1").await;
    world.advance(91 * 86_400).await;
    assert_eq!(parked(&tenant, "expired").await.len(), 1);
    tenant.post("/v1/events/invoice:stripe:in_1/replay", json!({"dry_run": false})).await;
    assert_eq!(parked(&tenant, "expired").await, []);
    assert_eq!(parked(&tenant, "waiting").await.len(), 1);
    world.assert_at_rest().await;
}
