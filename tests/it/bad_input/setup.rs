//! A product in use: what the bad calls are made against.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tests::{Participant, Partners, Receiver, Tenant, World, percent_rule};

/// The signing secrets of the endpoint, while the first is replaced by the second.
pub const SECRETS: [&str; 2] = ["whsec_that_is_being_replaced", "whsec_that_replaces_it_now"];

/// The codes of two one-time discounts: one that can be used, one that was.
pub const OPEN_DISCOUNT: &str = "2345-CDFH-JKMN";
pub const USED_DISCOUNT: &str = "2345-CDFH-JKMP";

/// An organization in which everything has happened once: anna's referee `ben` (customer `cus_1`) paid `in_1`, and
/// `carl` signed up without a code.
#[derive(Debug)]
pub struct Setup {
    pub world: World,
    pub tenant: Tenant,
    /// An active program, with the participants `anna` and `bob`, and terms for the group `gold`.
    pub program: String,
    /// A program that has ended, with the participant `eve`.
    pub ended: String,
    pub anna: Participant,
    pub bob: Participant,
    /// A participant of a paused program.
    pub pam: Participant,
    /// A participant of the program that has ended.
    pub eve: Participant,
    /// Anna's reward of `in_1`; it was delivered.
    pub delivered: String,
    /// Rewards that wait for approval.
    pub waiting: [String; 2],
    /// A reward that could not be delivered.
    pub failed: String,
    /// A reward that was rejected.
    pub rejected: String,
    /// A partner program that has been billed; its invoice in GBP is finalized.
    pub partners: Partners,
    /// A Stripe endpoint for test events, with both secrets.
    pub endpoint: String,
    /// A Paddle endpoint.
    pub paddle: String,
    /// A Chargebee endpoint.
    pub chargebee: String,
    /// One without a secret.
    pub bare_endpoint: String,
    /// An event destination, a delivery to it, and another destination.
    pub destination: String,
    pub delivery: String,
    pub other_destination: String,
    /// Two tasks that are open, who was told twice, and a campaign.
    pub task: String,
    pub other_task: String,
    pub told: Participant,
    pub campaign: String,
    /// The secret of one that was revoked.
    pub revoked: String,
    pub now: DateTime<Utc>,
}

impl Setup {
    pub async fn new() -> Self {
        let world = World::start().await;
        let tenant = world.tenant().await;
        let receiver = Receiver::start().await;
        let to = async |url: String| {
            id_of(&tenant.post("/v1/event-destinations", json!({"url": url})).await.created())
        };
        let (destination, other_destination) = (to(receiver.url()).await, to(receiver.url()).await);
        let partners = Partners::open(&world, &tenant).await;
        let finalize = format!("/v1/partner-invoices/{}/finalize", partners.invoices[1]);
        tenant.post(&finalize, json!({"actor": "finance", "reason": "month end"})).await.ok();
        let program = tenant.program(percent_rule("10")).await;
        let anna = tenant.enrol(&program, "anna", "Anna").await;
        let bob = tenant.enrol(&program, "bob", "Bob").await;
        let ben = json!({"external_id": "ben", "code": anna.code, "customer": {"processor": "stripe", "id": "cus_1"}});
        tenant.post("/v1/track/signup", ben).await.created();
        tenant.post("/v1/track/signup", json!({"external_id": "carl"})).await.created();
        let paid = tenant.pay("ben", "in_1", 20_000).await.ok();
        let delivered = rewards_of(&paid).remove(0);
        let labels = json!({"plans": ["pro"]});
        let event = json!({"name": "booking_completed", "event_id": "b-0", "external_id": "ben", "amount": 1_000,
            "currency": "USD", "labels": labels});
        tenant.post("/v1/track/event", event).await.ok();
        let payout = json!({"payout_id": "p-0", "external_id": "ben", "payout": 1_000, "currency": "USD", "revision": 1});
        tenant.post("/v1/track/payout", payout).await.ok();
        let rates = format!("/v1/exchange-rates/{}", world.now().await.date_naive());
        let body = json!({"currency": "USD", "rates": {"EUR": "1.0843"}});
        tenant.call("PUT", &rates, Some(&body)).await.ok();
        let group = format!("/v1/programs/{program}/groups/gold");
        tenant.call("PUT", &group, Some(&json!({"terms": percent_rule("20")}))).await.created();
        let promo = json!({"code": "WINTER24", "participant": "anna", "max_uses": 5});
        tenant.post(&format!("/v1/programs/{program}/codes"), promo).await.created();
        let promotion = json!({"code": "WINTER24"});
        tenant.call("PUT", "/v1/promotions/stripe/promo_0", Some(&promotion)).await.ok();
        for (payer, invoice) in [("wim", "in_parked_1"), ("xenia", "in_parked_2")] {
            assert_eq!(tenant.pay(payer, invoice, 1_000).await.status, 202);
        }
        let [first, second, rejected] = approvals(&tenant).await;

        let told = outreach(&tenant).await;
        let step = json!({"after_days": 300, "message": {"text": "Share {{ account_referral_code }}"}});
        let campaign =
            json!({"program": program, "name": "Spring", "audience": "all_participants", "steps": [step]});
        let campaign = id_of(&tenant.post("/v1/campaigns", campaign).await.created());
        let paused = tenant.program(percent_rule("10")).await;
        let pam = tenant.enrol(&paused, "pam", "Pam").await;
        let ended = tenant.program(percent_rule("10")).await;
        let eve = tenant.enrol(&ended, "eve", "Eve").await;
        for (program, status) in [(&paused, "paused"), (&ended, "ended")] {
            tenant
                .call("PATCH", &format!("/v1/programs/{program}"), Some(&json!({"status": status})))
                .await
                .ok();
        }
        let organization = world.organization(&tenant).await;
        for code in [OPEN_DISCOUNT, USED_DISCOUNT] {
            world.put_discount(&organization, &anna.id, &code.replace('-', "")).await;
        }
        let used = format!("/v1/discounts/{USED_DISCOUNT}/redeem");
        tenant.post(&used, json!({"reference": "order_0"})).await.ok();
        let endpoint = |processor: &str, secrets: Value| {
            let body = json!({"processor": processor, "livemode": false, "secrets": secrets});
            let tenant = tenant.clone();
            async move { id_of(&tenant.post("/v1/webhook-endpoints", body).await.created()) }
        };
        let paddle = endpoint("paddle", json!([tests::PADDLE_SECRET])).await;
        let chargebee = endpoint("chargebee", json!([tests::CHARGEBEE_SECRET])).await;
        let bare_endpoint = endpoint("stripe", json!([])).await;
        let endpoint = endpoint("stripe", json!(SECRETS)).await;
        let revoked = tenant.post("/v1/api-keys", json!({"name": "revoked"})).await.created();
        let path = format!("/v1/api-keys/{}", id_of(&revoked));
        assert_eq!(tenant.call("DELETE", &path, None).await.status, 204);
        let credit = json!({"amount": {"amount": 100, "currency": "USD"}, "kind": "invoice_credit", "actor": "admin",
            "reason": "by phone"});
        let path = format!("/v1/participants/{}/rewards", bob.id);
        let failed = id_of(
            &tenant.send("POST", &path, credit.to_string(), &[("idempotency-key", "credit")]).await.created(),
        );
        // The changes of the programs take effect, and every cache is cold.
        world.advance(61).await;
        world.drain().await;
        let now = world.now().await;
        let tasks = tenant.get("/v1/tasks").await.ok();
        let [task, other_task] = [0, 1].map(|index| id_of(&tasks["data"][index]));
        let deliveries = format!("/v1/event-destinations/{destination}/deliveries");
        let delivery = id_of(&tenant.get(&deliveries).await.ok()["data"][0]);
        Self {
            destination,
            delivery,
            other_destination,
            task,
            other_task,
            told,
            campaign,
            program,
            ended,
            anna,
            bob,
            pam,
            eve,
            delivered,
            waiting: [first, second],
            failed,
            rejected,
            partners,
            endpoint,
            paddle,
            chargebee,
            bare_endpoint,
            revoked: revoked["secret"].as_str().unwrap().to_owned(),
            now,
            world,
            tenant,
        }
    }

    /// The bearer token that a route takes.
    pub fn key_for(&self, route: &str) -> String {
        match route {
            "POST /v1/organizations" => self.world.stage.root_key().to_owned(),
            "GET /openapi.json" => String::new(),
            open if open.starts_with("POST /v1/webhooks/") || open.contains("/v1/unsubscribe/") => {
                String::new()
            }
            _ => self.tenant.key.clone(),
        }
    }
}

/// Three rewards of a program in which an administrator must agree; the last one is rejected.
async fn approvals(tenant: &Tenant) -> [String; 3] {
    let rule = |id: &str| json!({"id": id, "approval": "manual", "amount": {"fixed": {"amount": 300, "currency": "USD"}}});
    let program = tenant.program(json!({"rules": [rule("a"), rule("b"), rule("c")]})).await;
    let mia = tenant.enrol(&program, "mia", "Mia").await;
    tenant.sign_up("ned", &mia.code).await.created();
    let paid = tenant.pay("ned", "in_9", 1_000).await.ok();
    let rewards: [String; 3] = rewards_of(&paid).try_into().unwrap();
    let by = json!({"actor": "admin", "reason": "no such customer"});
    tenant.post(&format!("/v1/rewards/{}/reject", rewards[2]), by).await.ok();
    rewards
}

/// Somebody who was told of two sign-ups, for each of which there is a task.
async fn outreach(tenant: &Tenant) -> Participant {
    let rules = json!([{"id": "tell", "trigger": "signup", "kind": "message", "message": {"text": "Thanks"}},
        {"id": "call", "trigger": "signup", "kind": "task"}]);
    let program = tenant.program(json!({"rules": rules})).await;
    let tess = tenant.enrol(&program, "tess", "Tess").await;
    for referee in ["uwe", "vera"] {
        tenant.sign_up(referee, &tess.code).await.created();
    }
    tess
}

/// The rewards that a call has opened.
fn rewards_of(settled: &Value) -> Vec<String> {
    let posted = settled["posted"].as_array().unwrap().iter();
    posted.map(|line| line["reward"].as_str().unwrap().to_owned()).collect()
}

fn id_of(body: &Value) -> String {
    body["id"].as_str().unwrap().to_owned()
}
