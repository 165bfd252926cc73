//! What Stripe tells of beside payments and refunds, by its samples: disputes, credit notes, sessions, customers, plans.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tests::{Participant, Tenant, World, percent_rule};

macro_rules! sample {
    ($path:literal) => {
        include_str!(concat!("../../infra/events/stripe/", $path, ".json"))
    };
}

/// A tenant with a program, Anna, and the referee of the samples, whom she referred.
struct Stage {
    world: World,
    tenant: Tenant,
    anna: Participant,
    endpoint: String,
    now: DateTime<Utc>,
}

impl Stage {
    async fn of(terms: Value) -> Self {
        let world = World::start().await;
        let tenant = world.tenant().await;
        let program = tenant.program(terms).await;
        let anna = tenant.enrol(&program, "anna", "Anna's Studio").await;
        let endpoint = tenant.stripe_endpoint().await;
        // Stripe tells whole seconds: what it tells of must not seem to come before the program.
        world.advance(10).await;
        tenant.sign_up("account-1042", &anna.code).await.created();
        world.advance(10).await;
        let now = world.now().await;
        Self { world, tenant, anna, endpoint, now }
    }

    /// Delivers an event as if it happened now.
    async fn tell(&self, body: &str) -> Value {
        let event: Value = serde_json::from_str(body).unwrap();
        self.tell_of(event).await
    }

    async fn tell_of(&self, mut event: Value) -> Value {
        let distance = self.now.timestamp() - event["created"].as_i64().unwrap();
        shift(&mut event, distance);
        self.tenant.stripe(&self.endpoint, &event, self.now).await.ok()
    }

    /// What Anna's ledger comes to, after everything that is due was done.
    async fn earned(&self) -> i64 {
        self.world.drain().await;
        self.tenant.ledger(&self.anna).await.iter().map(|(_, amount)| amount).sum()
    }
}

/// Moves every moment by so many seconds: the numbers that can only be moments of the samples.
fn shift(value: &mut Value, seconds: i64) {
    match value {
        Value::Array(members) => members.iter_mut().for_each(|member| shift(member, seconds)),
        Value::Object(fields) => fields.values_mut().for_each(|field| shift(field, seconds)),
        Value::Number(number) => {
            let moment = number.as_i64().filter(|number| (1_760_000_000..1_790_000_000).contains(number));
            if let Some(moment) = moment {
                *value = json!(moment + seconds);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn a_dispute_takes_the_reward_back_and_a_win_restores_it() {
    let stage = Stage::of(percent_rule("10")).await;
    stage.tell(sample!("basil/invoice.paid")).await;
    assert_eq!(stage.earned().await, 2_200);
    // Known by its payment, which is tied to the invoice only afterwards.
    stage.tell(sample!("dahlia/charge.dispute.created")).await;
    stage.tell(sample!("basil/invoice_payment.paid")).await;
    assert_eq!(stage.earned().await, 0);
    stage.tell(sample!("dahlia/charge.dispute.funds_withdrawn")).await;
    stage.tell(sample!("dahlia/charge.dispute.updated")).await;
    assert_eq!(stage.earned().await, 0);
    stage.tell(sample!("dahlia/charge.dispute.closed")).await;
    assert_eq!(stage.earned().await, 2_200);
    stage.tell(sample!("dahlia/charge.dispute.funds_reinstated")).await;
    stage.tell(sample!("dahlia/charge.dispute.created")).await;
    assert_eq!(stage.earned().await, 2_200);
    stage.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_credit_note_takes_its_part_until_it_is_voided() {
    let stage = Stage::of(percent_rule("10")).await;
    stage.tell(sample!("2020-08-27/invoice.paid")).await;
    stage.tell(sample!("2020-08-27/credit_note.created")).await;
    assert_eq!(stage.earned().await, 1_650);
    stage.tell(sample!("2020-08-27/credit_note.updated")).await;
    assert_eq!(stage.earned().await, 1_650);
    stage.tell(sample!("2020-08-27/credit_note.voided")).await;
    assert_eq!(stage.earned().await, 2_200);
    stage.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_purchase_without_an_invoice_earns_once_and_its_dispute_finds_it() {
    let stage = Stage::of(percent_rule("10")).await;
    for _ in 0..2 {
        stage.tell(sample!("dahlia/checkout.session.completed")).await;
        stage.tell(sample!("dahlia/checkout.session.async_payment_succeeded")).await;
    }
    assert_eq!(stage.earned().await, 990 + 990);
    let mut dispute: Value = serde_json::from_str(sample!("dahlia/charge.dispute.created")).unwrap();
    dispute["data"]["object"]["payment_intent"] = json!("pi_1QsampleNewSession000000");
    dispute["data"]["object"]["amount"] = json!(9_900);
    stage.tell_of(dispute).await;
    assert_eq!(stage.earned().await, 990);
    stage.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_customer_that_names_the_referee_is_known_by_its_later_invoices() {
    let stage = Stage::of(percent_rule("10")).await;
    let mut paid: Value = serde_json::from_str(sample!("basil/invoice.paid")).unwrap();
    paid["data"]["object"]["parent"] = json!(null);
    stage.tell_of(paid).await;
    assert_eq!(stage.earned().await, 0, "nobody knows yet whose customer it is");
    stage.tell(sample!("dahlia/customer.created")).await;
    assert_eq!(stage.earned().await, 2_200);
    let gone = stage.tell(sample!("dahlia/customer.deleted")).await;
    assert_eq!(gone["ignored_because"], "event_type");
    assert_eq!(stage.earned().await, 2_200);
    stage.world.assert_at_rest().await;
}

#[tokio::test]
async fn an_active_subscription_starts_its_plan_once() {
    let fixed = json!({"fixed": {"amount": 500, "currency": "USD"}});
    let conditions =
        json!({"plans": ["price_1QsamplePlan000000000000"], "metadata": {"channel": ["webinar"]}});
    let rule = json!({"id": "started", "trigger": "plan_started", "amount": fixed, "conditions": conditions});
    let stage = Stage::of(json!({"rules": [rule]})).await;
    stage.tell(sample!("dahlia/customer.subscription.created")).await;
    assert_eq!(stage.earned().await, 0, "it is incomplete");
    stage.tell(sample!("dahlia/customer.subscription.updated")).await;
    assert_eq!(stage.earned().await, 500);
    stage.tell(sample!("dahlia/customer.subscription.updated")).await;
    stage.tell(sample!("dahlia/customer.subscription.deleted")).await;
    assert_eq!(stage.earned().await, 500);
    stage.world.assert_at_rest().await;
}

#[tokio::test]
async fn an_invoice_that_is_never_paid_earns_nothing() {
    let stage = Stage::of(percent_rule("10")).await;
    stage.tell(sample!("dahlia/invoice.voided")).await;
    let uncollectible = stage.tell(sample!("dahlia/invoice.marked_uncollectible")).await;
    assert_eq!(uncollectible["ignored_because"], "event_type");
    assert_eq!(stage.earned().await, 0);
    stage.world.assert_at_rest().await;
}
