//! A product in use: what the bad calls are made against.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tests::{Participant, Tenant, World, percent_rule};

/// The signing secrets of the endpoint, while the first is replaced by the second.
pub const SECRETS: [&str; 2] = ["whsec_that_is_being_replaced", "whsec_that_replaces_it_now"];

/// An organization in which everything has happened once: anna's referee `ben` (customer `cus_1`) paid `in_1`, and
/// `carl` signed up without a code.
#[derive(Debug)]
pub struct Setup {
    pub world: World,
    pub tenant: Tenant,
    /// An active program, with the participants `anna` and `bob`.
    pub program: String,
    /// A program that has ended.
    pub ended: String,
    pub anna: Participant,
    pub bob: Participant,
    /// A participant of a paused program.
    pub pam: Participant,
    /// A Stripe endpoint for test events, with both secrets.
    pub endpoint: String,
    /// One without a secret.
    pub bare_endpoint: String,
    /// The secret of one that was revoked.
    pub revoked: String,
    pub now: DateTime<Utc>,
}

impl Setup {
    pub async fn new() -> Self {
        let world = World::start().await;
        let tenant = world.tenant().await;
        let program = tenant.program(percent_rule("10")).await;
        let anna = tenant.enrol(&program, "anna", "Anna").await;
        let bob = tenant.enrol(&program, "bob", "Bob").await;
        let ben = json!({"external_id": "ben", "code": anna.code, "customer": {"processor": "stripe", "id": "cus_1"}});
        tenant.post("/v1/track/signup", ben).await.created();
        tenant.post("/v1/track/signup", json!({"external_id": "carl"})).await.created();
        tenant.pay("ben", "in_1", 20_000).await.ok();

        let paused = tenant.program(percent_rule("10")).await;
        let pam = tenant.enrol(&paused, "pam", "Pam").await;
        let ended = tenant.program(percent_rule("10")).await;
        for (program, status) in [(&paused, "paused"), (&ended, "ended")] {
            tenant
                .call("PATCH", &format!("/v1/programs/{program}"), Some(&json!({"status": status})))
                .await
                .ok();
        }
        let endpoint = |secrets: Value| {
            let body = json!({"processor": "stripe", "livemode": false, "secrets": secrets});
            let tenant = tenant.clone();
            async move { id_of(&tenant.post("/v1/webhook-endpoints", body).await.created()) }
        };
        let (endpoint, bare_endpoint) = (endpoint(json!(SECRETS)).await, endpoint(json!([])).await);
        let revoked = tenant.post("/v1/api-keys", json!({"name": "revoked"})).await.created();
        let path = format!("/v1/api-keys/{}", id_of(&revoked));
        assert_eq!(tenant.call("DELETE", &path, None).await.status, 204);
        // The changes of the programs take effect, and every cache is cold.
        world.advance(61).await;
        world.drain().await;
        let now = world.now().await;
        Self {
            program,
            ended,
            anna,
            bob,
            pam,
            endpoint,
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
            "POST /v1/webhooks/stripe/{endpoint}" | "GET /openapi.json" => String::new(),
            _ => self.tenant.key.clone(),
        }
    }
}

fn id_of(body: &Value) -> String {
    body["id"].as_str().unwrap().to_owned()
}
