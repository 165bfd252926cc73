//! The API in use, for targets that call it as API Gateway does: on a local stage, through the conversion that Lambda's
//! events go through, and without a socket in between.

use std::sync::LazyLock;

use aws::http::service;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{chargebee, paddle, stripe};
use http::{HeaderName, HeaderValue};
use lambda_http::{Context, LambdaEvent};
use serde_json::{Map, Value, json};
use tests::{CHARGEBEE_SECRET, PADDLE_SECRET, Partners, STRIPE_SECRET, Tenant, World, percent_rule};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// One organization in which everything has happened once.
pub(crate) struct Api {
    world: World,
    runtime: Runtime,
    /// What stands for what in an input: ids are new for each stage.
    words: Vec<(&'static str, String)>,
    /// The bearer tokens that open anything.
    pub(crate) tokens: Vec<String>,
}

/// A call as it is written in an input: `POST /v1/track/signup?x=y`, headers, an empty line, and the body.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What the API answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) headers: Map<String, Value>,
    pub(crate) body: String,
}

/// What no answer may hold.
pub(crate) const SECRETS: [&str; 3] = [STRIPE_SECRET, PADDLE_SECRET, CHARGEBEE_SECRET];

pub(crate) static API: LazyLock<Api> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (world, words, tokens) = runtime.block_on(furnish());
    Api { world, runtime, words, tokens }
});

async fn furnish() -> (World, Vec<(&'static str, String)>, Vec<String>) {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let partners = Partners::open(&world, &tenant).await;
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    let token = tenant.post(&format!("/v1/participants/{}/tokens", anna.id), json!({"minutes": 1_440})).await;
    let token = text(&token.created(), "token");
    let ben =
        json!({"external_id": "ben", "code": anna.code, "customer": {"processor": "stripe", "id": "cus_1"}});
    tenant.post("/v1/track/signup", ben).await.created();
    let paid = tenant.pay("ben", "in_1", 20_000).await.ok();
    let page = tenant.get(&format!("/v1/participants/{}/ledger?limit=1", anna.id)).await.ok();
    let list = tenant.get("/v1/programs?limit=1").await.ok();
    let mut words = vec![
        ("<key>", tenant.key.clone()),
        ("<token>", token.clone()),
        ("<program>", program),
        ("<participant>", anna.id),
        ("<code>", anna.code),
        ("<reward>", text(&paid["posted"][0], "reward")),
        (
            "<cursor>",
            list["next_cursor"].as_str().or(page["next_cursor"].as_str()).unwrap_or_default().to_owned(),
        ),
        ("<partners>", partners.program),
        ("<pia>", partners.pia.id),
        ("<run>", partners.run),
        ("<invoice>", partners.invoices[0].clone()),
        ("<day>", partners.day),
    ];
    let endpoints = [
        ("stripe", "<to-stripe>", STRIPE_SECRET),
        ("paddle", "<to-paddle>", PADDLE_SECRET),
        ("chargebee", "<to-chargebee>", CHARGEBEE_SECRET),
        ("stripe", "<spare>", STRIPE_SECRET),
    ];
    for (processor, word, secret) in endpoints {
        words.push((word, endpoint(&tenant, processor, secret).await));
    }
    // The program takes effect.
    world.advance(61).await;
    world.drain().await;
    words.push(("<now>", world.now().await.timestamp().to_string()));
    (world, words, vec![tenant.key, token])
}

async fn endpoint(tenant: &Tenant, processor: &str, secret: &str) -> String {
    let path = tenant.endpoint(processor, secret).await;
    path.rsplit_once('/').unwrap().1.to_owned()
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

impl Api {
    /// Puts what this stage calls things in the place of the words that stand for it.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (word, value) in &self.words {
            filled = filled.replace(word, value);
        }
        filled
    }

    /// Reads a call; `None` for what no HTTP server would take.
    pub(crate) fn read(&self, bytes: &[u8]) -> Option<Call> {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = end.map_or((bytes, [].as_slice()), |end| (&bytes[..end], &bytes[end + 2..]));
        let body = str::from_utf8(body).map_or_else(|_| body.to_vec(), |text| self.fill(text).into_bytes());
        let head = self.sign(&self.fill(str::from_utf8(head).ok()?), &body);
        let mut lines = head.split('\n');
        let (method, address) = lines.next()?.split_once(' ')?;
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let is_control = |text: &str| text.chars().any(char::is_control);
        if !path.starts_with('/')
            || is_control(address)
            || !method.bytes().all(|byte| byte.is_ascii_uppercase())
        {
            return None;
        }
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
            HeaderName::from_bytes(name.as_bytes()).ok()?;
            HeaderValue::from_str(&value).ok()?;
            Some((name, value))
        };
        let headers = lines.filter_map(header).collect();
        Some(Call {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body,
        })
    }

    /// Puts what proves the sender of a webhook in the place of `<stripe>`, `<paddle>` and `<chargebee>`.
    fn sign(&self, head: &str, body: &[u8]) -> String {
        if !head.contains('<') {
            return head.to_owned();
        }
        let now = self.runtime.block_on(self.world.now());
        let head = head.replace("<stripe>", &stripe::signature::sign(body, STRIPE_SECRET, now));
        let head = head.replace("<paddle>", &paddle::SCHEME.sign(body, PADDLE_SECRET, now));
        head.replace("<chargebee>", &chargebee::credentials(CHARGEBEE_SECRET))
    }

    /// Makes a call as API Gateway does; `None` where it has no route for it.
    pub(crate) fn call(&self, call: &Call) -> Option<Answer> {
        let router = self.world.stage.router(&call.method, &call.path)?;
        let event: Value = event(call);
        let event = serde_json::from_str(&event.to_string()).expect("an event of API Gateway is read");
        let answer = service(router).oneshot(LambdaEvent::new(event, Context::default()));
        let answer = self.runtime.block_on(answer).unwrap_or_else(|never| match never {});
        let answer = serde_json::to_value(answer).unwrap();
        assert_eq!(answer["isBase64Encoded"], false, "every answer is text");
        Some(Answer {
            status: answer["statusCode"].as_u64().unwrap(),
            headers: answer["headers"].as_object().unwrap().clone(),
            body: answer["body"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// The event that API Gateway makes of a call, format 2.0.
fn event(call: &Call) -> Value {
    let Call { method, path, query, headers, body } = call;
    // Several headers of one name come as one.
    let mut joined: Map<String, Value> = Map::new();
    for (name, value) in headers {
        let known = joined.get(name).and_then(Value::as_str).map(|known| format!("{known},{value}"));
        joined.insert(name.clone(), Value::String(known.unwrap_or_else(|| value.clone())));
    }
    let (text, encoded) =
        str::from_utf8(body).map_or_else(|_| (STANDARD.encode(body), true), |text| (text.to_owned(), false));
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": joined,
        "requestContext": {"accountId": "123456789012", "apiId": "api", "domainName": "api.example.com",
            "domainPrefix": "api", "requestId": "id=", "routeKey": "$default", "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1_767_225_600_000_i64,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": ""}},
        "body": if body.is_empty() { Value::Null } else { Value::String(text) }, "isBase64Encoded": encoded,
    })
}
