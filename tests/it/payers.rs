//! Who paid: by the caller's own id, by the processor's customer, by a promotion code, by an e-mail address.

use serde_json::{Value, json};
use tests::{Participant, Tenant, World};

async fn stage(terms: Value) -> (World, Tenant, Participant) {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(terms).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    world.advance(10).await;
    (world, tenant, anna)
}

fn by_email(matches: bool) -> Value {
    let mut terms = tests::percent_rule("10");
    terms["attribution"] = json!({"match_email": matches});
    terms
}

fn paid(invoice: &str, more: Value) -> Value {
    let mut body =
        json!({"invoice_id": invoice, "processor": "stripe", "amount_paid": 10_000, "currency": "USD"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn an_address_tells_who_paid_only_where_a_program_lets_it() {
    for (allowed, expected) in [(true, 1_000), (false, 0)] {
        let (world, tenant, anna) = stage(by_email(allowed)).await;
        let signup = json!({"external_id": "ben", "code": anna.code, "email": "Ben@Example.com"});
        tenant.post("/v1/track/signup", signup).await.created();
        let body = paid("in_1", json!({"customer_id": "cus_1", "email": " ben@example.COM "}));
        let answer = tenant.post("/v1/track/invoice-paid", body).await;
        assert_eq!(answer.status, if allowed { 200 } else { 202 }, "{}", answer.body);
        assert_eq!(tenant.figures(&anna).await.2, expected);
        // Nobody's address stands in the table, in whatever form somebody could read.
        let rows = format!("{:?}", world.snapshot().await).to_lowercase();
        assert!(!rows.contains("example.com"));
        // The customer is known from then on: the next event needs no address.
        let later =
            tenant.post("/v1/track/invoice-paid", paid("in_2", json!({"customer_id": "cus_1"}))).await;
        assert_eq!(later.status, if allowed { 200 } else { 202 });
        world.assert_at_rest().await;
    }
}

#[tokio::test]
async fn a_payment_with_an_address_waits_for_whoever_signs_up_with_it() {
    let (world, tenant, anna) = stage(by_email(true)).await;
    let body = paid("in_1", json!({"customer_id": "cus_1", "email": "ben@example.com"}));
    assert_eq!(tenant.post("/v1/track/invoice-paid", body).await.status, 202);
    let parked = tenant.get("/v1/parked-events").await.ok();
    assert_eq!(parked["data"][0]["reason"], "payer_unknown");
    let signup = json!({"external_id": "ben", "code": anna.code, "email": "ben@example.com"});
    tenant.post("/v1/track/signup", signup).await.created();
    assert_eq!(tenant.figures(&anna).await.2, 1_000);
    assert_eq!(tenant.get("/v1/parked-events").await.ok()["data"], json!([]));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn the_first_of_two_with_one_address_is_the_one_who_pays_by_it() {
    let (world, tenant, anna) = stage(by_email(true)).await;
    for referee in ["ben", "bea"] {
        let signup = json!({"external_id": referee, "code": anna.code, "email": "office@example.com"});
        tenant.post("/v1/track/signup", signup).await.created();
    }
    let body = paid("in_1", json!({"customer_id": "cus_1", "email": "office@example.com"}));
    tenant.post("/v1/track/invoice-paid", body).await.ok();
    let decision = tenant.get("/v1/decisions/invoice/stripe/in_1").await.ok();
    assert_eq!(decision["inputs"]["payer"], "ben");
    // A payment that names its payer is that one's, whatever the address.
    let named = paid("in_2", json!({"external_id": "bea", "email": "office@example.com"}));
    tenant.post("/v1/track/invoice-paid", named).await.ok();
    let decision = tenant.get("/v1/decisions/invoice/stripe/in_2").await.ok();
    assert_eq!(decision["inputs"]["payer"], "bea");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_promotion_code_in_a_payment_refers_its_payer() {
    let (world, tenant, anna) = stage(tests::percent_rule("10")).await;
    tenant.call("PUT", "/v1/promotions/stripe/promo_1", Some(&json!({"code": anna.code}))).await.ok();
    assert_eq!(tenant.get("/v1/promotions/stripe/promo_1").await.ok()["code"], anna.code.replace('-', ""));
    let body = paid("in_1", json!({"customer_id": "cus_1", "promotion_codes": ["promo_0", "promo_1"]}));
    let settled = tenant.post("/v1/track/invoice-paid", body.clone()).await.ok();
    assert_eq!((&settled["reason"], settled["posted"].as_array().unwrap().len()), (&json!("earned"), 1));
    let referral = &tenant.get("/v1/referrals/cus_1").await.ok()["referral"];
    assert_eq!((&referral["referrer"], &referral["channel"]), (&json!(anna.id), &json!("promotion")));
    // Later payments of the customer earn without the code; the same event again is nothing new.
    tenant.post("/v1/track/invoice-paid", paid("in_2", json!({"customer_id": "cus_1"}))).await.ok();
    assert_eq!(tenant.post("/v1/track/invoice-paid", body).await.ok()["duplicate"], true);
    assert_eq!(tenant.figures(&anna).await.2, 2_000);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_payer_by_promotion_code_can_wait_for_a_rate_as_any_other() {
    let mut terms = tests::percent_rule("10");
    terms["payout_currency"] = json!("EUR");
    let (world, tenant, anna) = stage(terms).await;
    let body = paid("in_1", json!({"customer_id": "cus_1", "promotion_codes": [anna.code]}));
    let waiting = tenant.post("/v1/track/invoice-paid", body).await;
    assert_eq!((waiting.status, &waiting.body["reason"]), (202, &json!("awaiting_rate")));
    let parked = tenant.get("/v1/parked-events?reason=awaiting_rate").await.ok();
    assert_eq!(parked["data"].as_array().unwrap().len(), 1);
    let path = format!("/v1/exchange-rates/{}", world.now().await.date_naive());
    let rates = json!({"currency": "EUR", "rates": {"USD": "0.9"}});
    tenant.call("PUT", &path, Some(&rates)).await.ok();
    assert_eq!(tenant.rewards(&anna).await[0].1, 900);
    assert_eq!(tenant.get("/v1/parked-events").await.ok()["data"], json!([]));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_promotion_code_refers_nobody_who_signed_up_before() {
    let (world, tenant, anna) = stage(tests::percent_rule("10")).await;
    tenant.post("/v1/track/signup", json!({"external_id": "carl"})).await.created();
    let body = paid("in_1", json!({"external_id": "carl", "promotion_codes": [anna.code]}));
    assert_eq!(tenant.post("/v1/track/invoice-paid", body).await.ok()["reason"], "not_referred");
    // A code that the processor tells by its text needs no tie; one of nobody leaves the payment waiting.
    let body = paid("in_2", json!({"external_id": "dora", "promotion_codes": [anna.code]}));
    assert_eq!(tenant.post("/v1/track/invoice-paid", body).await.ok()["reason"], "earned");
    let body = paid("in_3", json!({"external_id": "emil", "promotion_codes": ["ZZZ2345"]}));
    assert_eq!(tenant.post("/v1/track/invoice-paid", body).await.body["reason"], "awaiting_signup");
    // Nor does anybody refer itself.
    let body = paid("in_4", json!({"external_id": "anna", "promotion_codes": [anna.code]}));
    assert_eq!(tenant.post("/v1/track/invoice-paid", body).await.body["reason"], "awaiting_signup");
    assert_eq!(tenant.figures(&anna).await.2, 1_000);
    world.assert_at_rest().await;
}
