//! The API as a caller of one organization uses it.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};

/// The signing secret of the Stripe endpoints made here.
pub const STRIPE_SECRET: &str = "whsec_of_the_black_box_suite";

/// The signing secret of the Paddle endpoints made here.
pub const PADDLE_SECRET: &str = "pdl_ntfset_of_the_black_box_suite";

/// The credentials of the Chargebee endpoints made here.
pub const CHARGEBEE_SECRET: &str = "chargebee:of_the_black_box_suite";

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, `null` when it is empty.
    pub body: Value,
    /// The headers that matter here.
    pub headers: reqwest::header::HeaderMap,
}

impl Answer {
    /// The body of a 200.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// The body of a 201.
    #[track_caller]
    pub fn created(self) -> Value {
        assert_eq!(self.status, 201, "{}", self.body);
        self.body
    }

    /// Checks that it is a problem of this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert!(self.headers.contains_key("request-id"));
        self.body
    }

    /// Checks that it is a 400 that names this field.
    #[track_caller]
    pub fn names(self, pointer: &str) {
        let body = self.refused(400, "invalid_request");
        let pointers: Vec<_> =
            body["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
        assert!(
            pointers.iter().any(|found| *found == pointer),
            "{pointer} is not among {pointers:?}: {body}"
        );
    }
}

/// An organization's caller.
#[derive(Debug, Clone)]
pub struct Tenant {
    http: reqwest::Client,
    base_url: String,
    /// Its API key.
    pub key: String,
}

/// An enrolled participant.
#[derive(Debug, Clone)]
pub struct Participant {
    /// Its id.
    pub id: String,
    /// Its code.
    pub code: String,
}

/// The rule that most tests use.
pub fn percent_rule(percent: &str) -> Value {
    json!({"rules": [{"id": "commission", "amount": {"percentage": {"percent": percent}}}]})
}

impl Tenant {
    /// Whoever holds this key, at a stage.
    pub fn new(http: reqwest::Client, base_url: String, key: String) -> Self {
        Self { http, base_url, key }
    }

    /// One call.
    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.send(method, path, body.map(Value::to_string).unwrap_or_default(), &[]).await
    }

    /// One call with a body as it stands and further headers.
    pub async fn send(&self, method: &str, path: &str, body: String, headers: &[(&str, &str)]) -> Answer {
        self.try_send(method, path, body, headers).await.unwrap()
    }

    /// One call that a stage may leave without an answer, as one that is killed does.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: String,
        headers: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base_url)).body(body);
        if !self.key.is_empty() {
            request = request.bearer_auth(&self.key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status, body, headers })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    /// All of a list, page by page; `path` has a query already.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut page = self.get(&format!("{path}&limit=100{cursor}")).await.ok();
            let Value::Array(rows) = page["data"].take() else { panic!("{path} is no list") };
            all.extend(rows);
            let Some(next) = page["next_cursor"].as_str() else { return all };
            cursor = format!("&cursor={next}");
        }
    }

    /// POST.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(&body)).await
    }

    /// A program with terms; its id.
    pub async fn program(&self, terms: Value) -> String {
        let answer = self.post("/v1/programs", json!({"name": "Refer a friend", "terms": terms})).await;
        answer.created()["id"].as_str().unwrap().to_owned()
    }

    /// Enrols a participant.
    pub async fn enrol(&self, program: &str, external_id: &str, name: &str) -> Participant {
        let path = format!("/v1/programs/{program}/participants/{external_id}");
        let body = self.call("PUT", &path, Some(&json!({"name": name}))).await.created();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Participant { id: text("id"), code: text("code") }
    }

    /// A program that gives `percent` and its participant `anna`.
    pub async fn with_anna(&self, percent: &str) -> Participant {
        let program = self.program(percent_rule(percent)).await;
        self.enrol(&program, "anna", "Anna's Studio").await
    }

    /// Reports a sign-up with a code.
    pub async fn sign_up(&self, external_id: &str, code: &str) -> Answer {
        self.post("/v1/track/signup", json!({"external_id": external_id, "code": code})).await
    }

    /// Reports a paid invoice of Stripe's, in USD.
    pub async fn pay(&self, external_id: &str, invoice: &str, amount: i64) -> Answer {
        let body = json!({"invoice_id": invoice, "processor": "stripe", "external_id": external_id,
            "amount_paid": amount, "currency": "USD"});
        self.post("/v1/track/invoice-paid", body).await
    }

    /// Reports a refund of Stripe's, in USD.
    pub async fn refund(&self, refund: &str, invoice: &str, amount: i64) -> Answer {
        let body = json!({"refund_id": refund, "processor": "stripe", "invoice_id": invoice,
            "amount": amount, "currency": "USD"});
        self.post("/v1/track/refund", body).await
    }

    /// A Stripe endpoint; its path.
    pub async fn stripe_endpoint(&self) -> String {
        self.endpoint("stripe", STRIPE_SECRET).await
    }

    /// An endpoint of a processor; its path.
    pub async fn endpoint(&self, processor: &str, secret: &str) -> String {
        let body = json!({"processor": processor, "secrets": [secret]});
        self.post("/v1/webhook-endpoints", body).await.created()["path"].as_str().unwrap().to_owned()
    }

    /// Delivers an event as Stripe does, signed at `now`.
    pub async fn stripe(&self, path: &str, event: &Value, now: DateTime<Utc>) -> Answer {
        let body = event.to_string();
        let signature = domain::stripe::signature::sign(body.as_bytes(), STRIPE_SECRET, now);
        let anonymous = Self { key: String::new(), ..self.clone() };
        anonymous.send("POST", path, body, &[("stripe-signature", &signature)]).await
    }

    /// Delivers an event as Paddle does, signed at `now`.
    pub async fn paddle(&self, path: &str, event: &Value, now: DateTime<Utc>) -> Answer {
        let body = event.to_string();
        let signature = domain::paddle::SCHEME.sign(body.as_bytes(), PADDLE_SECRET, now);
        let anonymous = Self { key: String::new(), ..self.clone() };
        anonymous.send("POST", path, body, &[("paddle-signature", &signature)]).await
    }

    /// Delivers an event as Chargebee does, with its credentials.
    pub async fn chargebee(&self, path: &str, event: &Value) -> Answer {
        let credentials = domain::chargebee::credentials(CHARGEBEE_SECRET);
        let anonymous = Self { key: String::new(), ..self.clone() };
        anonymous.send("POST", path, event.to_string(), &[("authorization", &credentials)]).await
    }

    /// A participant's figures in USD: available less the shortfall, pending, earned, reversed.
    pub async fn figures(&self, participant: &Participant) -> (i64, i64, i64, i64) {
        let body = self.get(&format!("/v1/participants/{}/balances", participant.id)).await.ok();
        let Some(balance) = body["data"].as_array().unwrap().first() else { return (0, 0, 0, 0) };
        assert_eq!(balance["unit"], "USD");
        let number = |name: &str| balance[name].as_i64().unwrap();
        let delivered = ["available", "cash", "elsewhere", "spent"].map(number).iter().sum::<i64>();
        let available = delivered - number("shortfall");
        (available, number("pending"), number("earned"), number("reversed"))
    }

    /// A participant's ledger: cause and amount of each line, oldest first.
    pub async fn ledger(&self, participant: &Participant) -> Vec<(String, i64)> {
        let body = self.get(&format!("/v1/participants/{}/ledger?limit=100", participant.id)).await.ok();
        let line = |line: &Value| {
            (line["cause"].as_str().unwrap().to_owned(), line["amount"]["amount"].as_i64().unwrap())
        };
        let mut lines: Vec<_> = body["data"].as_array().unwrap().iter().map(line).collect();
        lines.reverse();
        lines
    }

    /// A participant's rewards: state and what stands of each, oldest first.
    pub async fn rewards(&self, participant: &Participant) -> Vec<(String, i64)> {
        let body = self.get(&format!("/v1/rewards?limit=100&participant={}", participant.id)).await.ok();
        let reward = |reward: &Value| {
            (reward["state"].as_str().unwrap().to_owned(), reward["amount"]["amount"].as_i64().unwrap())
        };
        let mut rewards: Vec<_> = body["data"].as_array().unwrap().iter().map(reward).collect();
        rewards.reverse();
        rewards
    }

    /// The reason code of the decision on an invoice of Stripe's.
    pub async fn reason(&self, invoice: &str) -> String {
        let body = self.get(&format!("/v1/decisions/invoice/stripe/{invoice}")).await.ok();
        body["reason"].as_str().unwrap().to_owned()
    }
}
