//! Payments that paid several invoices, and what only names a payment.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tests::{Tenant, World};

struct Webhook<'a> {
    tenant: &'a Tenant,
    endpoint: String,
    now: DateTime<Utc>,
}

impl Webhook<'_> {
    async fn tell(&self, kind: &str, object: Value) -> Value {
        let event = json!({"id": format!("evt_{kind}"), "object": "event", "livemode": false, "type": kind,
            "created": self.now.timestamp(), "data": {"object": object}});
        self.tenant.stripe(&self.endpoint, &event, self.now).await.ok()
    }

    async fn paid(&self, invoice: &str, amount: i64) {
        self.tell(
            "invoice.paid",
            json!({"id": invoice, "object": "invoice", "amount_paid": amount, "total": amount, "currency": "usd",
                "customer": "cus_1", "metadata": {"referral_external_id": "ben"}, "status": "paid",
                "status_transitions": {"paid_at": self.now.timestamp()}}),
        )
        .await;
    }

    async fn allocated(&self, invoice: &str, payment: &str, amount: i64) {
        self.tell(
            "invoice_payment.paid",
            json!({"id": format!("inpay_{invoice}_{payment}"), "object": "invoice_payment", "invoice": invoice,
                "amount_paid": amount, "currency": "usd", "status": "paid",
                "payment": {"type": "payment_intent", "payment_intent": payment}}),
        )
        .await;
    }

    async fn refunded(&self, refund: &str, payment: &str, amount: i64, status: &str) -> Value {
        self.tell(
            "refund.updated",
            json!({"id": refund, "object": "refund", "amount": amount, "currency": "usd", "status": status,
                "payment_intent": payment}),
        )
        .await
    }
}

async fn stage() -> (World, Tenant, tests::Participant, String, DateTime<Utc>) {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let endpoint = tenant.stripe_endpoint().await;
    world.advance(10).await;
    let now = world.now().await;
    (world, tenant, anna, endpoint, now)
}

/// Steps of a story about one payment of 100.00 that paid 60.00 of `in_a` and 40.00 of `in_b`.
async fn step(webhook: &Webhook<'_>, step: usize) {
    match step {
        0 => webhook.paid("in_a", 6_000).await,
        1 => webhook.paid("in_b", 4_000).await,
        2 => webhook.allocated("in_a", "pi_1", 6_000).await,
        3 => webhook.allocated("in_b", "pi_1", 4_000).await,
        _ => drop(webhook.refunded("re_1", "pi_1", 2_505, "succeeded").await),
    }
}

fn orders(steps: &[usize]) -> Vec<Vec<usize>> {
    if steps.is_empty() {
        return vec![Vec::new()];
    }
    let pick = |at: usize| {
        let mut rest = steps.to_vec();
        let first = rest.remove(at);
        orders(&rest).into_iter().map(move |rest| [vec![first], rest].concat())
    };
    (0..steps.len()).flat_map(pick).collect()
}

#[tokio::test]
async fn a_refund_of_a_payment_that_paid_two_invoices_is_shared_in_every_order() {
    for order in orders(&[0, 1, 2, 3, 4]).into_iter().step_by(7) {
        let (world, tenant, anna, endpoint, now) = stage().await;
        let webhook = Webhook { tenant: &tenant, endpoint, now };
        for number in &order {
            step(&webhook, *number).await;
        }
        world.drain().await;
        // 25.05 of 100.00: 15.03 of 60.00, 10.02 of 40.00.
        let (_, _, earned, reversed) = tenant.figures(&anna).await;
        assert_eq!(earned - reversed, 449 + 299, "{order:?}");
        let decision = tenant.get("/v1/decisions/invoice/stripe/in_a").await.ok();
        assert_eq!(
            (&decision["inputs"]["refunded"], &decision["inputs"]["standing"]),
            (&json!(1_503), &json!(4_497))
        );

        webhook.refunded("re_2", "pi_1", 7_495, "succeeded").await;
        let (_, _, earned, reversed) = tenant.figures(&anna).await;
        assert_eq!(earned - reversed, 0, "a full refund is nothing to the minor unit");
        webhook.refunded("re_2", "pi_1", 7_495, "failed").await;
        let (_, _, earned, reversed) = tenant.figures(&anna).await;
        assert_eq!(earned - reversed, 449 + 299, "what fails is given back");
        // Again, and nothing is new.
        let again = webhook.refunded("re_1", "pi_1", 2_505, "succeeded").await;
        assert_eq!(again["results"][0]["duplicate"], true, "{again}");
        world.assert_at_rest().await;
    }
}

#[tokio::test]
async fn an_invoice_of_two_payments_loses_what_either_gives_back() {
    let (world, tenant, anna, endpoint, now) = stage().await;
    let webhook = Webhook { tenant: &tenant, endpoint, now };
    webhook.allocated("in_a", "pi_1", 5_000).await;
    webhook.refunded("re_2", "pi_2", 1_000, "succeeded").await;
    webhook.paid("in_a", 8_000).await;
    webhook.allocated("in_a", "pi_2", 3_000).await;
    webhook.refunded("re_1", "pi_1", 2_000, "succeeded").await;
    let (_, _, earned, reversed) = tenant.figures(&anna).await;
    assert_eq!(earned - reversed, 500);
    webhook.refunded("re_3", "pi_1", 3_000, "succeeded").await;
    webhook.refunded("re_4", "pi_2", 2_000, "succeeded").await;
    assert_eq!(tenant.reason("in_a").await, "refunded");
    world.assert_at_rest().await;
}
