//! One stage, and what surrounds it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use aws::store::keys::{DUE_INDEX, DUE_SHARDS};
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use local::{Fault, Options, Stage};
use serde_json::{Value, json};

use crate::{Answer, Tenant};

/// A running product with nothing in it.
#[derive(Debug)]
pub struct World {
    /// The stage.
    pub stage: Stage,
    http: reqwest::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    tenants: AtomicU32,
}

impl World {
    /// A product in memory whose schedules run only when the clock is advanced.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, deployed with these parameters of the template.
    pub async fn start_with(parameters: &[(&str, &str)]) -> Self {
        Self::start_sending(parameters, None).await
    }

    /// The same with somebody who stands for Amazon SES and SNS.
    pub async fn start_sending(parameters: &[(&str, &str)], senders: Option<String>) -> Self {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options =
            Options { ticking: false, parameters: parameters.collect(), senders, ..Options::default() };
        let world = Self::on(Stage::start(options).await.unwrap());
        world.sleep_through_the_night().await;
        world
    }

    /// What runs by itself at night would else come in between a test's steps if that is when it is run: a stage that is
    /// started shortly before begins after it.
    async fn sleep_through_the_night(&self) {
        let now = self.now().await.time();
        let [evening, morning] =
            [(23, 30), (0, 45)].map(|(hour, minute)| NaiveTime::from_hms_opt(hour, minute, 0).unwrap());
        let wait = if now >= evening { morning - now + TimeDelta::days(1) } else { morning - now };
        if now >= evening || now < morning {
            self.advance(wait.num_seconds() + 1).await;
        }
    }

    /// A product that keeps its table in a folder.
    pub async fn start_in(state: &Path) -> Self {
        let options = Options { ticking: false, state: Some(state.to_owned()), ..Options::default() };
        Self::on(Stage::start(options).await.unwrap())
    }

    /// Around a stage that was started in another way.
    pub fn on(stage: Stage) -> Self {
        let (dynamodb, table) = (stage.dynamodb(), stage.template().tables[0].name.clone());
        Self { stage, http: reqwest::Client::new(), dynamodb, table, tenants: AtomicU32::new(0) }
    }

    /// A new organization in test mode: the processors' events that are told here are test events.
    pub async fn tenant(&self) -> Tenant {
        self.tenant_in(false).await
    }

    /// A new organization in live or test mode.
    pub async fn tenant_in(&self, livemode: bool) -> Tenant {
        let number = self.tenants.fetch_add(1, Ordering::SeqCst);
        let body = json!({"name": format!("Organization {number}"), "livemode": livemode});
        let answer = self.call("POST", "/v1/organizations", Some(self.stage.root_key()), Some(&body)).await;
        let key = answer.created()["api_key"]["secret"].as_str().unwrap().to_owned();
        self.tenant_with(key)
    }

    /// An organization that is known by its key.
    pub fn tenant_with(&self, key: String) -> Tenant {
        Tenant::new(self.http.clone(), self.stage.base_url().to_owned(), key)
    }

    /// One call.
    pub async fn call(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Answer {
        let tenant = self.tenant_with(key.unwrap_or_default().to_owned());
        tenant.call(method, path, body).await
    }

    async fn control(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, None, Some(&body)).await.ok()
    }

    /// Lets the consumers do all that is in the queues.
    pub async fn drain(&self) {
        self.control("/_local/drain", json!({})).await;
    }

    /// The organization that an API key belongs to.
    pub async fn organization(&self, tenant: &Tenant) -> String {
        let place = format!("KEY#{}", aws::http::hash_of(&tenant.key));
        let rows = self.snapshot().await;
        rows[&(place, "KEY".to_owned())]["organization"].as_s().unwrap().clone()
    }

    /// Moves the clock, and runs what falls due by then.
    pub async fn advance(&self, seconds: i64) -> Value {
        self.control("/_local/clock/advance", json!({"seconds": seconds})).await
    }

    /// The stage's time.
    pub async fn now(&self) -> DateTime<Utc> {
        self.advance(0).await["now"].as_str().unwrap().parse().unwrap()
    }

    /// Runs a function with an event.
    pub async fn invoke(&self, function: &str, event: Value) -> Value {
        self.control(&format!("/_local/invoke/{function}"), event).await
    }

    /// Puts a message into a queue.
    pub async fn send(&self, queue: &str, body: &str) {
        self.control(&format!("/_local/queues/{queue}/send"), json!({"body": body})).await;
    }

    /// Takes what is in a queue.
    pub async fn receive(&self, queue: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let answer = self.control(&format!("/_local/queues/{queue}/receive"), json!({"max": 10})).await;
            let messages = answer["messages"].as_array().unwrap();
            if messages.is_empty() {
                return all;
            }
            all.extend(messages.iter().map(|message| parsed(message["body"].as_str().unwrap())));
        }
    }

    /// What functions took from a queue since this was asked the last time.
    pub async fn taken(&self, queue: &str) -> Vec<Value> {
        let answer = self.control(&format!("/_local/queues/{queue}/taken"), json!({})).await;
        let messages = answer["messages"].as_array().unwrap();
        messages.iter().map(|message| parsed(message["body"].as_str().unwrap())).collect()
    }

    /// The events of one type that were given to be told outside, since events of any were asked for the last time.
    pub async fn told(&self, kind: &str) -> Vec<Value> {
        let mut taken = self.taken("EventsQueue").await;
        taken.retain(|message| message["type"] == kind);
        taken
    }

    /// How many messages are visible in a queue.
    pub async fn visible(&self, queue: &str) -> u64 {
        self.call("GET", "/_local/queues", None, None).await.ok()[queue]["visible"].as_u64().unwrap()
    }

    /// What the table was asked since the last reset: requests, read units, write units.
    pub async fn meter(&self) -> (u64, f64, f64) {
        let meter = self.call("GET", "/_local/meter", None, None).await.ok();
        let number = |name: &str| meter[name].as_f64().unwrap();
        (meter["requests"].as_u64().unwrap(), number("read_units"), number("write_units"))
    }

    /// Counts from zero.
    pub async fn reset_meter(&self) {
        self.control("/_local/meter/reset", json!({})).await;
    }

    /// Plans what goes wrong from now on.
    pub fn plan(&self, faults: Vec<Fault>) {
        self.stage.faults().plan(faults);
    }

    /// Rows that have something left to do by now.
    pub async fn due_rows(&self) -> usize {
        let mut due = 0;
        let now = domain::id::time_digits(self.now().await);
        for shard in 0..DUE_SHARDS {
            let query = self.dynamodb.query().table_name(&self.table).index_name(DUE_INDEX);
            let text = aws_sdk_dynamodb::types::AttributeValue::S;
            let query = query
                .key_condition_expression("due_pk = :pk AND due_sk <= :now")
                .expression_attribute_values(":pk", text(format!("DUE#{shard:02}")))
                .expression_attribute_values(":now", text(now.clone()));
            due += query.send().await.unwrap().items().len();
        }
        due
    }

    /// Every row of the table, for comparing what two histories left behind.
    pub async fn rows(&self) -> Vec<aws::store::Item> {
        let scan = self.dynamodb.scan().table_name(&self.table).send().await.unwrap();
        assert!(scan.last_evaluated_key().is_none(), "the table has more than one page");
        scan.items.unwrap()
    }

    /// Every row by its key: equal before and after whatever writes nothing.
    pub async fn snapshot(&self) -> BTreeMap<(String, String), aws::store::Item> {
        let text = |row: &aws::store::Item, name: &str| row[name].as_s().unwrap().clone();
        self.rows().await.into_iter().map(|row| ((text(&row, "pk"), text(&row, "sk")), row)).collect()
    }

    /// Puts a row into the table past the product, for what its API does not let happen.
    pub async fn put_row(&self, row: aws::store::Item) {
        self.dynamodb.put_item().table_name(&self.table).set_item(Some(row)).send().await.unwrap();
    }

    /// A one-time discount of 20 percent of a participant's, past the product: what is under test is its use. The code has
    /// no dashes.
    pub async fn put_discount(&self, organization: &str, participant: &str, code: &str) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let (program, reward) = (format!("prg_{}", "0".repeat(26)), format!("rwd_{}", "0".repeat(46)));
        let place = format!("{organization}#DISCOUNT#{code}");
        let row = [
            ("pk", place.as_str()),
            ("sk", "DISCOUNT"),
            ("code", code),
            ("organization", organization),
            ("program", &program),
            ("reward", &reward),
            ("participant", participant),
            ("created_at", "2026-01-01T00:00:00Z"),
        ];
        let worth = AttributeValue::M([("percent_off".to_owned(), text("20"))].into());
        let row = row.into_iter().map(|(name, value)| (name.to_owned(), text(value)));
        self.put_row(row.chain([("worth".to_owned(), worth)]).collect()).await;
    }

    /// What every test leaves behind unless it says otherwise: nothing due, nothing in a dead-letter queue.
    pub async fn assert_at_rest(&self) {
        self.drain().await;
        assert_eq!(self.due_rows().await, 0, "rows are due");
        let queues = self.call("GET", "/_local/queues", None, None).await.ok();
        for (name, counts) in queues.as_object().unwrap() {
            assert_eq!(counts["visible"], 0, "{name} is not empty");
        }
    }
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()))
}
