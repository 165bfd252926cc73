//! Webhooks: events are told to whoever wants them, signed, again until they are taken, and nobody else hears of them.

#[path = "webhooks/crash.rs"]
mod crash;
#[path = "webhooks/destinations.rs"]
mod destinations;
#[path = "webhooks/failures.rs"]
mod failures;
#[path = "webhooks/log.rs"]
mod log;
#[path = "webhooks/types.rs"]
mod types;

use chrono::{DateTime, Utc};
use domain::event::{Event, ReferralData, What};
use domain::id::{ExternalId, OrganizationId, ProgramId};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tests::{Got, Receiver, Tenant, World};

/// A type that nothing sends by itself yet, however much time passes.
const QUIET: &str = "fraud.flagged";

/// A stage with an organization that sends its events to a receiver.
struct Office {
    world: World,
    tenant: Tenant,
    receiver: Receiver,
    organization: OrganizationId,
    destination: String,
    secret: String,
    told: std::cell::Cell<i64>,
}

impl Office {
    /// One that sends what is told by hand.
    async fn open() -> Self {
        Self::open_for(json!([QUIET])).await
    }

    /// One that sends these types.
    async fn open_for(events: Value) -> Self {
        let world = World::start().await;
        let tenant = world.tenant().await;
        let receiver = Receiver::start().await;
        let made = create(&tenant, json!({"url": receiver.url(), "events": events})).await;
        let organization = OrganizationId::parse(&world.organization(&tenant).await).unwrap();
        let destination = id_of(&made);
        let secret = made["secret"].as_str().unwrap().to_owned();
        Self { world, tenant, receiver, organization, destination, secret, told: 0.into() }
    }

    /// Tells an event like no other before; its id.
    async fn tell(&self) -> String {
        let number = self.told.replace(self.told.get() + 1);
        let event = event(&self.organization, number);
        self.world.send("EventsQueue", &event).await;
        self.world.drain().await;
        serde_json::from_str::<Value>(&event).unwrap()["id"].as_str().unwrap().to_owned()
    }

    fn path(&self) -> String {
        format!("/v1/event-destinations/{}", self.destination)
    }

    async fn destination(&self) -> Value {
        self.tenant.get(&self.path()).await.ok()
    }

    async fn change(&self, body: Value) -> Value {
        self.tenant.call("PATCH", &self.path(), Some(&body)).await.ok()
    }

    /// The deliveries, newest first.
    async fn deliveries(&self) -> Vec<Value> {
        self.tenant.list(&format!("{}/deliveries?", self.path())).await
    }

    /// The only delivery, with its attempts.
    async fn delivery(&self) -> Value {
        let deliveries = self.deliveries().await;
        let [delivery] = deliveries.as_slice() else { panic!("{deliveries:?}") };
        self.tenant.get(&self.delivery_path(&id_of(delivery))).await.ok()
    }

    fn delivery_path(&self, id: &str) -> String {
        format!("{}/deliveries/{id}", self.path())
    }

    /// Lets time pass, and what is due happen.
    async fn wait(&self, seconds: i64) {
        self.world.advance(seconds).await;
        self.world.drain().await;
    }

    /// Waits until the next attempt of the only delivery, and a little longer: the sweeper gives messages a minute.
    async fn wait_for_next(&self) {
        let next =
            self.delivery().await["next_attempt_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        let left = (next - self.world.now().await).num_seconds();
        self.wait(left + 125).await;
    }
}

/// The message of an event.
fn event(organization: &OrganizationId, number: i64) -> String {
    let referee = ExternalId::parse(&format!("user_{number}")).unwrap();
    let program = ProgramId::derive(&["any"]);
    let what = What::FraudFlagged(ReferralData { referee, referrers: Vec::new(), program });
    let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    serde_json::to_string(&Event::new(organization, what, &number.to_string(), at)).unwrap()
}

async fn create(tenant: &Tenant, body: Value) -> Value {
    tenant.post("/v1/event-destinations", body).await.created()
}

fn id_of(body: &Value) -> String {
    body["id"].as_str().unwrap().to_owned()
}

/// Whether a webhook is signed by a secret, as a library says that others wrote. What it would do with the time is done
/// apart: it looks at the machine's clock, and the stage's is moved.
fn is_signed(got: &Got, secret: &str) -> bool {
    let seconds = got.header("webhook-timestamp").parse().unwrap();
    let webhook = Webhook::new(secret).unwrap();
    let signature = webhook.sign(got.header("webhook-id"), seconds, got.body.as_bytes()).unwrap();
    got.header("webhook-signature").split(' ').any(|given| given == signature)
}

#[tokio::test]
async fn a_reward_that_is_delivered_is_told_signed() {
    let office = Office::open().await;
    let wanted = json!({"events": ["reward.fulfilled"]});
    office.tenant.call("PATCH", &office.path(), Some(&wanted)).await.ok();
    let anna = office.tenant.with_anna("10").await;
    office.tenant.sign_up("ben", &anna.code).await.created();
    let paid = office.tenant.pay("ben", "in_1", 20_000).await.ok();
    office.world.drain().await;
    let got = office.receiver.got();
    let [got] = got.as_slice() else { panic!("{got:?}") };
    assert!(is_signed(got, &office.secret));
    assert!(!is_signed(&Got { body: got.body.replace("2000", "2001"), ..got.clone() }, &office.secret));
    let sent_at = got.header("webhook-timestamp").parse::<i64>().unwrap();
    assert!((office.world.now().await.timestamp() - sent_at).abs() <= 60);
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.path, "/hooks");
    let body = got.json();
    assert_eq!(got.header("webhook-id"), body["id"]);
    assert_eq!((&body["type"], &body["livemode"]), (&json!("reward.fulfilled"), &json!(false)));
    assert_eq!(body["organization"], office.organization.as_str());
    assert_eq!(body["data"]["reward"], paid["posted"][0]["reward"]);
    assert_eq!(body["data"]["payable"], json!({"amount": 2_000, "currency": "USD"}));
    let delivery = office.delivery().await;
    assert_eq!((&delivery["state"], &delivery["tries"]), (&json!("delivered"), &json!(1)));
    assert_eq!(delivery["event"], body["id"]);
    assert_eq!(delivery["body"], body);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn an_event_that_is_told_again_is_sent_once() {
    let office = Office::open().await;
    for _ in 0..10 {
        office.world.send("EventsQueue", &event(&office.organization, 1)).await;
    }
    office.world.drain().await;
    office.world.send("EventsQueue", &event(&office.organization, 1)).await;
    office.world.drain().await;
    assert_eq!(office.receiver.got().len(), 1);
    assert_eq!(office.deliveries().await.len(), 1);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn each_destination_gets_what_it_asks_for() {
    let office = Office::open().await;
    let mut receivers = Vec::new();
    for events in [json!([QUIET]), json!([QUIET, "reward.held"]), json!(["reward.held"])] {
        let receiver = Receiver::start().await;
        create(&office.tenant, json!({"url": receiver.url(), "events": events})).await;
        receivers.push(receiver);
    }
    let disabled = Receiver::start().await;
    let made = create(&office.tenant, json!({"url": disabled.url(), "events": [QUIET]})).await;
    let path = format!("/v1/event-destinations/{}", id_of(&made));
    office.tenant.call("PATCH", &path, Some(&json!({"status": "disabled"}))).await.ok();
    let event = office.tell().await;
    for receiver in [&office.receiver, &receivers[0], &receivers[1]] {
        let got = receiver.got();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].header("webhook-id"), event);
    }
    assert!(receivers[2].got().is_empty());
    assert!(disabled.got().is_empty());
    // What happened while it was disabled is not sent later.
    office.tenant.call("PATCH", &path, Some(&json!({"status": "enabled"}))).await.ok();
    office.wait(86_400).await;
    assert!(disabled.got().is_empty());
    office.tell().await;
    assert_eq!(disabled.got().len(), 1);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn while_a_secret_is_rotated_both_sign() {
    let office = Office::open().await;
    let rotate = format!("{}/rotate-secret", office.path());
    let rotated = office.tenant.post(&rotate, json!({})).await.ok();
    let new = rotated["secret"].as_str().unwrap();
    assert_ne!(new, office.secret);
    assert!(rotated["replaced_secret_until"].is_string());
    office.tell().await;
    let got = office.receiver.got().remove(0);
    assert_eq!(got.header("webhook-signature").split(' ').count(), 2);
    assert!(is_signed(&got, &office.secret));
    assert!(is_signed(&got, new));
    // A day later the old one is gone.
    office.wait(86_401).await;
    office.tell().await;
    let got = office.receiver.got().remove(0);
    assert_eq!(got.header("webhook-signature").split(' ').count(), 1);
    assert!(is_signed(&got, new));
    assert!(!is_signed(&got, &office.secret));
    assert_eq!(office.destination().await["replaced_secret_until"], Value::Null);
}

#[tokio::test]
async fn what_cannot_be_told_is_parked_and_keeps_nobody_waiting() {
    let office = Office::open().await;
    let organization = office.organization.as_str();
    let nothing = format!("dlv_{}", "0".repeat(26));
    let poison = [
        json!("?"),
        json!({}),
        json!({"type": QUIET, "organization": organization}),
        json!({"type": "webhook.due.v2", "organization": organization, "delivery": nothing}),
        json!({"type": "webhook.due.v1", "organization": organization, "delivery": nothing}),
        json!({"type": "webhook.due.v1", "organization": organization, "delivery": "dlv_x"}),
    ];
    for body in &poison {
        office.world.send("EventsQueue", body.as_str().unwrap_or(&body.to_string())).await;
    }
    office.tell().await;
    assert_eq!(office.receiver.got().len(), 1);
    for _ in 0..5 {
        office.wait(361).await;
    }
    assert_eq!(office.world.receive("EventsDlq").await.len(), poison.len());
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn an_organization_without_destinations_writes_nothing() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let organization = OrganizationId::parse(&world.organization(&tenant).await).unwrap();
    let before = world.snapshot().await;
    world.send("EventsQueue", &event(&organization, 1)).await;
    world.drain().await;
    assert_eq!(world.snapshot().await, before);
    assert_eq!(world.told(QUIET).await.len(), 1);
    world.assert_at_rest().await;
}
