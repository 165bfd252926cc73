//! An organization with a program, as callers use it.

use std::rc::Rc;

use serde_json::{Value, json};

use super::act::Act;
use super::world::World;

/// An organization with a program.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Where.
    pub world: Rc<World>,
    /// Its API key.
    pub key: String,
    /// Its program.
    pub program: String,
}

impl Tenant {
    /// A new one, in test mode.
    pub async fn new(world: &Rc<World>, terms: Value) -> Self {
        let body = json!({"name": "Simulated", "livemode": false});
        let organization = world.ask(world.root_key(), "POST", "/v1/organizations", body).await;
        let key = text(&organization["api_key"]["secret"]);
        let program = json!({"name": "Refer a friend", "terms": terms});
        let program = text(&world.ask(&key, "POST", "/v1/programs", program).await["id"]);
        Self { world: world.clone(), key, program }
    }

    /// A request that is answered with 2xx.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        self.world.ask(&self.key, method, path, body).await
    }

    /// Enrols a participant: its id and its code.
    pub async fn enrol(&self, external_id: &str) -> (String, String) {
        let path = self.place_of(external_id);
        let participant = self.ask("PUT", &path, json!({"name": external_id})).await;
        (text(&participant["id"]), text(&participant["code"]))
    }

    /// Does something that is acknowledged at once.
    pub async fn perform(&self, act: Act) {
        act.attempt(&self.world, "setting up").await.unwrap();
    }

    fn place_of(&self, external_id: &str) -> String {
        format!("/v1/programs/{}/participants/{external_id}", self.program)
    }

    /// A `PUT`.
    pub fn put(&self, path: String, body: Value) -> Act {
        let key = self.key.clone();
        Act::Http { method: "PUT", path, key, body, idempotency_key: None, refusals: &[] }
    }

    /// A `POST`.
    pub fn post(&self, path: &str, body: Value) -> Act {
        let (path, key) = (path.to_owned(), self.key.clone());
        Act::Http { method: "POST", path, key, body, idempotency_key: None, refusals: &[] }
    }

    /// A `DELETE`.
    pub fn delete(&self, path: &str) -> Act {
        let (path, key) = (path.to_owned(), self.key.clone());
        Act::Http { method: "DELETE", path, key, body: Value::Null, idempotency_key: None, refusals: &[] }
    }

    /// Somebody is enrolled.
    pub fn enrolment(&self, external_id: &str) -> Act {
        self.put(self.place_of(external_id), json!({"name": external_id}))
    }

    /// Somebody signs up with a code.
    pub fn sign_up(&self, referee: &str, code: &str) -> Act {
        self.post("/v1/track/signup", json!({"external_id": referee, "code": code}))
    }

    /// A referee has paid an invoice, in cents.
    pub fn paid(&self, referee: &str, invoice: &str, amount: i64) -> Act {
        let body = json!({"invoice_id": invoice, "processor": "stripe", "external_id": referee,
            "amount_paid": amount, "currency": "USD"});
        self.post("/v1/track/invoice-paid", body)
    }

    /// Something of an invoice is refunded, in cents.
    pub fn refund(&self, refund: &str, invoice: &str, amount: i64) -> Act {
        let body = json!({"refund_id": refund, "processor": "stripe", "invoice_id": invoice, "amount": amount,
            "currency": "USD"});
        self.post("/v1/track/refund", body)
    }

    /// What is in a queue, given to the function that it feeds.
    pub fn delivery(&self, queue: &str, function: &'static str) -> Act {
        let records = self.world.queued(queue).into_iter().enumerate();
        let records: Vec<Value> = records
            .map(|(number, body)| json!({"messageId": number.to_string(), "body": body.to_string()}))
            .collect();
        assert!(!records.is_empty(), "{queue} is empty");
        Act::Event { function, event: json!({ "Records": records }) }
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
