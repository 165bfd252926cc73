//! Rewards that are delivered at Stripe, and discounts of the engine's own, through the whole product.

use serde_json::json;
use tests::stripe::{Account, Server, Trouble};
use tests::{Participant, Tenant, World};

use super::{act, by, only};
use crate::rules::{rule, ten_percent, with_referees};

const KEY: &str = "sk_test_0123456789abcdef01234567";

/// A product with a connection to a processor of its own, and Anna as its customer.
async fn connected() -> (World, Tenant, Participant, Account, Server) {
    let account = Account::new(KEY, aws::Clock::system());
    let server = Server::start(account.clone()).await;
    let world = World::start_with(&[("StripeApiBase", server.base())]).await;
    let tenant = world.tenant().await;
    account.add_customer("cus_anna", Some("usd"));
    tenant.call("PUT", "/v1/processor-connections/stripe", Some(&json!({"api_key": KEY}))).await.ok();
    let terms = rule(ten_percent(), json!({"kind": "invoice_credit"}));
    let (_, anna) = with_referees(&tenant, terms, 1).await;
    let body = json!({"customers": {"stripe": "cus_anna"}});
    tenant.call("PATCH", &format!("/v1/participants/{}", anna.id), Some(&body)).await.ok();
    (world, tenant, anna, account, server)
}

/// Lets the engine come back to what it has put off, as often as it does in a few hours.
async fn wait(world: &World) {
    for _ in 0..6 {
        world.advance(1_900).await;
        world.drain().await;
    }
}

#[tokio::test]
async fn credit_is_given_and_taken_back_once_whatever_the_processor_does() {
    for trouble in [Trouble::CloseAfter, Trouble::ErrorAfter, Trouble::RateLimited(90), Trouble::Unavailable]
    {
        let (world, tenant, anna, account, _server) = connected().await;
        account.plan([trouble]);
        tenant.pay("ben-0", "in_0", 20_000).await.ok();
        world.drain().await;
        assert_eq!(only(&tenant, &anna).await["state"], "fulfilling", "{trouble:?}");
        wait(&world).await;
        let reward = only(&tenant, &anna).await;
        assert_eq!(reward["state"], "fulfilled", "{trouble:?}: {reward}");
        assert_eq!(account.balance("cus_anna"), -2_000, "{trouble:?}");
        assert_eq!(tenant.figures(&anna).await, (2_000, 0, 2_000, 0));

        account.plan([trouble]);
        tenant.refund("re_1", "in_0", 5_000).await.ok();
        world.drain().await;
        wait(&world).await;
        assert_eq!(account.balance("cus_anna"), -1_500, "{trouble:?}");
        tenant.refund("re_2", "in_0", 15_000).await.ok();
        world.drain().await;
        wait(&world).await;
        assert_eq!(account.balance("cus_anna"), 0, "{trouble:?}");
        assert_eq!(tenant.rewards(&anna).await, [("reversed".to_owned(), 0)]);
        world.assert_at_rest().await;
    }
}

#[tokio::test]
async fn credit_in_another_currency_than_the_customers_fails_until_that_is_mended() {
    let (world, tenant, anna, account, _server) = connected().await;
    account.add_customer("cus_anna", Some("eur"));
    tenant.pay("ben-0", "in_0", 20_000).await.ok();
    world.drain().await;
    let reward = only(&tenant, &anna).await;
    assert_eq!(
        (&reward["state"], &reward["failure"]["code"]),
        (&json!("failed"), &json!("currency_mismatch"))
    );
    // She has another account there.
    account.add_customer("cus_anna2", Some("usd"));
    let body = json!({"customers": {"stripe": "cus_anna2"}});
    tenant.call("PATCH", &format!("/v1/participants/{}", anna.id), Some(&body)).await.ok();
    tenant.post(&act(&tenant, &anna, "retry").await, by()).await.ok();
    world.drain().await;
    assert_eq!(only(&tenant, &anna).await["state"], "fulfilled");
    assert_eq!((account.balance("cus_anna"), account.balance("cus_anna2")), (0, -2_000));
    // Whoever was given to is who is taken back from.
    let body = json!({"customers": {"stripe": "cus_anna"}});
    tenant.call("PATCH", &format!("/v1/participants/{}", anna.id), Some(&body)).await.ok();
    tenant.refund("re_1", "in_0", 20_000).await.ok();
    world.drain().await;
    assert_eq!((account.balance("cus_anna"), account.balance("cus_anna2")), (0, 0));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn credit_that_may_have_been_given_goes_to_nobody_else_when_it_is_tried_again_by_hand() {
    let (world, tenant, anna, account, _server) = connected().await;
    let failure = async || {
        let reward = only(&tenant, &anna).await;
        (reward["state"].clone(), reward["failure"]["code"].clone())
    };
    // It is given, nobody hears of it, and then nobody answers any more.
    account.plan([Trouble::CloseAfter]);
    account.plan([Trouble::Unavailable; 10]);
    tenant.pay("ben-0", "in_0", 20_000).await.ok();
    world.drain().await;
    for _ in 0..12 {
        world.advance(86_400).await;
        world.drain().await;
    }
    assert_eq!(failure().await, (json!("failed"), json!("retries_exhausted")));
    // While somebody tries again the key is revoked; until that is mended, Anna becomes another customer there.
    account.change_key("sk_test_another_0123456789abcdef");
    tenant.post(&act(&tenant, &anna, "retry").await, by()).await.ok();
    world.drain().await;
    assert_eq!(failure().await, (json!("failed"), json!("processor_refused_key")));
    account.change_key(KEY);
    account.add_customer("cus_new", Some("usd"));
    let body = json!({"customers": {"stripe": "cus_new"}});
    tenant.call("PATCH", &format!("/v1/participants/{}", anna.id), Some(&body)).await.ok();
    tenant.post(&act(&tenant, &anna, "retry").await, by()).await.ok();
    world.drain().await;
    assert_eq!(only(&tenant, &anna).await["state"], "fulfilled");
    assert_eq!((account.balance("cus_anna"), account.balance("cus_new")), (-2_000, 0));
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_referee_gets_a_code_that_can_be_redeemed_once_and_is_withdrawn_with_its_reward() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let welcome = json!({"kind": "discount", "recipient": "referee"});
    with_referees(&tenant, rule(json!({"percent_off": {"percent": "15"}}), welcome), 2).await;
    let mut codes = Vec::new();
    for number in 0..2 {
        tenant.pay(&format!("ben-{number}"), &format!("in_{number}"), 20_000).await.ok();
        world.drain().await;
        let told = world.told("reward.fulfilled").await;
        codes.push(told[0]["data"]["reference"].as_str().unwrap().to_owned());
    }
    let redeem = format!("/v1/discounts/{}/redeem", codes[0]);
    for _ in 0..2 {
        tenant.post(&redeem, json!({"reference": "order_1"})).await.ok();
    }
    tenant.post(&redeem, json!({"reference": "order_2"})).await.refused(409, "discount_redeemed");
    tenant.refund("re_1", "in_1", 20_000).await.ok();
    world.drain().await;
    let withdrawn = tenant.get(&format!("/v1/discounts/{}", codes[1])).await.ok();
    assert_eq!(withdrawn["state"], "withdrawn", "{withdrawn}");
    world.assert_at_rest().await;
}
