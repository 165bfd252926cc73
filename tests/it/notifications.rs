//! What participants are sent, what administrators are asked to do, and campaigns.

mod campaigns;
mod senders;
mod tasks;
mod unsubscribe;

use serde_json::{Value, json};
use tests::{Participant, Receiver, Tenant, World};

use crate::rules::{rule, ten_percent, with_referees};

pub(crate) const DAY: i64 = 86_400;

/// A rule of ten percent that tells its recipient.
pub(crate) fn telling(message: Value) -> Value {
    rule(ten_percent(), json!({"message": message}))
}

/// A stage whose organization sends its events to a receiver, with a rule and its participant `anna`.
pub(crate) struct Office {
    pub(crate) world: World,
    pub(crate) tenant: Tenant,
    pub(crate) receiver: Receiver,
    pub(crate) anna: Participant,
    pub(crate) program: String,
}

impl Office {
    pub(crate) async fn open(terms: Value) -> Self {
        Self::on(World::start().await, terms).await
    }

    pub(crate) async fn on(world: World, terms: Value) -> Self {
        let tenant = world.tenant().await;
        let receiver = Receiver::start().await;
        tenant
            .post("/v1/event-destinations", json!({"url": receiver.url(), "events": ["notification.due"]}))
            .await
            .created();
        let (program, anna) = with_referees(&tenant, terms, 1).await;
        Self { world, tenant, receiver, anna, program }
    }

    /// A payment of 200 dollars of the referee, delivered.
    pub(crate) async fn pay(&self, invoice: &str) {
        self.tenant.pay("ben-0", invoice, 20_000).await.ok();
        self.world.drain().await;
    }

    /// What the receiver was told of notifications since it was asked last.
    pub(crate) fn told(&self) -> Vec<Value> {
        self.receiver.got().iter().map(|got| got.json()["data"].clone()).collect()
    }

    /// Lets time pass, and what is due happen: steps are found in the minute after they are due.
    pub(crate) async fn wait(&self, seconds: i64) {
        self.world.advance(seconds).await;
        self.world.drain().await;
        self.world.advance(130).await;
        self.world.drain().await;
    }

    /// What anna was sent, newest first.
    pub(crate) async fn notifications(&self) -> Vec<Value> {
        self.tenant.list(&format!("/v1/participants/{}/notifications?", self.anna.id)).await
    }

    pub(crate) async fn change(&self, body: Value) -> Value {
        let path = format!("/v1/participants/{}", self.anna.id);
        self.tenant.call("PATCH", &path, Some(&body)).await.ok()
    }
}

#[tokio::test]
async fn whoever_earns_is_told_once_with_every_variable() {
    let text = "Hello {{ participant_name }} of {{ program_name }} ({{ participant_external_id }}): {{ reward_amount }} for \
                {{ referee_external_id }}. Share {{ account_referral_code }}.";
    let office = Office::open(telling(json!({"subject": "Thanks", "text": text}))).await;
    office.pay("in_1").await;
    let told = office.told();
    assert_eq!(told.len(), 1, "{told:?}");
    let code = &office.anna.code;
    let program = office.tenant.get(&format!("/v1/programs/{}", office.program)).await.ok();
    let (program, anna) = (program["name"].as_str().unwrap(), "anna");
    let name = office.tenant.get(&format!("/v1/participants/{}", office.anna.id)).await.ok();
    let name = name["name"].as_str().unwrap();
    let expected = format!("Hello {name} of {program} ({anna}): 20.00 USD for ben-0. Share {code}.");
    assert_eq!(told[0]["text"], expected);
    assert_eq!(told[0]["subject"], "Thanks");
    assert_eq!(told[0]["transactional"], true);
    assert_eq!(told[0]["external_id"], "anna");
    assert!(told[0]["unsubscribe_url"].is_null());

    // The payment told again, and time, send nothing more.
    office.pay("in_1").await;
    office.wait(DAY).await;
    assert_eq!(office.told(), Vec::<Value>::new());
    let [notification] = office.notifications().await.try_into().unwrap();
    assert_eq!(notification["state"], "sent");
    assert_eq!(notification["text"], expected);
    assert_eq!(notification["about"]["reward"], told[0]["about"]["reward"]);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_message_is_a_reward_of_its_own() {
    let message = json!({"text": "Your friend has joined: {{ account_referral_code }}"});
    let rule = json!({"rules": [{"id": "tell", "trigger": "signup", "kind": "message", "message": message}]});
    let office = Office::open(rule).await;
    office.world.drain().await;
    let told = office.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["text"], format!("Your friend has joined: {}", office.anna.code));
}

#[tokio::test]
async fn nobody_is_told_of_what_was_not_delivered() {
    let message = json!({"text": "{{ reward_amount }} is yours"});
    let office = Office::open(rule(ten_percent(), json!({"message": message, "hold_days": 5}))).await;
    office.pay("in_1").await;
    office.wait(DAY).await;
    assert_eq!(office.told(), Vec::<Value>::new());
    office.tenant.refund("re_1", "in_1", 5_000).await.ok();
    office.wait(5 * DAY).await;
    let told = office.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["text"], "15.00 USD is yours");

    office.tenant.pay("ben-0", "in_2", 20_000).await.ok();
    office.tenant.refund("re_2", "in_2", 20_000).await.ok();
    office.wait(6 * DAY).await;
    assert_eq!(office.told(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_milestone_is_congratulated_on() {
    let steps =
        json!([{"at": 1, "amount": 500, "currency": "USD"}, {"at": 2, "amount": 900, "currency": "USD"}]);
    let message = json!({"text": "You have reached {{ reward_amount }}"});
    let office = Office::open(json!({"qualifying_event": "signup", "rules": [
        {"id": "bonus", "trigger": "referral_count", "amount": {"milestones": {"steps": steps}}, "message": message}]}))
    .await;
    office.world.drain().await;
    let told = office.told();
    assert_eq!((told.len(), &told[0]["text"]), (1, &json!("You have reached 5.00 USD")));
    office.tenant.sign_up("cleo", &office.anna.code).await.created();
    office.world.drain().await;
    let told = office.told();
    assert_eq!((told.len(), &told[0]["text"]), (1, &json!("You have reached 9.00 USD")));
}

#[tokio::test]
async fn a_discounts_code_can_be_told() {
    let message = json!({"text": "Use {{ discount_code }}"});
    let terms = json!({"rules": [{"id": "off", "kind": "discount",
        "amount": {"percent_off": {"percent": "15"}}, "message": message}]});
    let office = Office::open(terms).await;
    office.pay("in_1").await;
    let told = office.told();
    assert_eq!(told.len(), 1, "{told:?}");
    let code = told[0]["text"].as_str().unwrap().strip_prefix("Use ").unwrap().to_owned();
    let discount = office.tenant.get(&format!("/v1/discounts/{code}")).await.ok();
    assert_eq!(discount["state"], "open");
}

#[tokio::test]
async fn what_is_fulfilled_by_hand_is_told_too() {
    let message = json!({"text": "Your mug is on its way"});
    let terms = json!({"rules": [{"id": "mug", "kind": "product", "amount": {"product": {"sku": "mug"}}, "message": message}]});
    let office = Office::open(terms).await;
    office.pay("in_1").await;
    assert_eq!(office.told(), Vec::<Value>::new());
    let rewards = office.tenant.list(&format!("/v1/rewards?participant={}&", office.anna.id)).await;
    let path = format!("/v1/rewards/{}/fulfill", rewards[0]["id"].as_str().unwrap());
    for _ in 0..2 {
        office.tenant.post(&path, json!({"actor": "warehouse"})).await.ok();
        office.world.drain().await;
    }
    assert_eq!(office.told().len(), 1);
}

#[tokio::test]
async fn where_nobody_listens_a_notification_says_so() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, telling(json!({"text": "Thanks"})), 1).await;
    tenant.pay("ben-0", "in_1", 20_000).await.ok();
    world.drain().await;
    let sent = tenant.list(&format!("/v1/participants/{}/notifications?", anna.id)).await;
    assert_eq!(sent[0]["state"], "failed");
    assert_eq!(sent[0]["failure"]["code"], "no_destination");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_a_template_says_wrongly_is_refused_by_its_field() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let cases = [
        (json!({"text": "{{ birthday }}"}), "/terms/rules/0/message/text"),
        (json!({"text": "{{ unsubscribe_url }}"}), "/terms/rules/0/message/text"),
        (json!({"text": "{{ account_referral_code"}), "/terms/rules/0/message/text"),
        (json!({"text": "{{ discount_code }}"}), "/terms/rules/0/message/text"),
        (json!({"text": "{{ reward_amount | upper }}"}), "/terms/rules/0/message/text"),
        (json!({"text": ""}), "/terms/rules/0/message/text"),
        (json!({"text": "x".repeat(4_001)}), "/terms/rules/0/message/text"),
        (json!({"text": "x", "html": "{{ x }}"}), "/terms/rules/0/message/html"),
        (json!({"text": "x", "transport": "email"}), "/terms/rules/0/message/subject"),
        (json!({"text": "x", "transport": "sms", "subject": "y"}), "/terms/rules/0/message/subject"),
        (json!({"text": "x".repeat(1_601), "transport": "sms"}), "/terms/rules/0/message/text"),
    ];
    let before = world.snapshot().await;
    for (message, pointer) in cases {
        let body = json!({"name": "P", "terms": telling(message)});
        tenant.post("/v1/programs", body).await.names(pointer);
    }
    assert_eq!(world.snapshot().await, before);
}
