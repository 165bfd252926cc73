//! Bodies: for every route that takes one, a good body, and everything that can be wrong with each part of it.

use serde_json::{Value, json};

use super::case::Case;
use super::setup::Setup;

/// A route with a body that it would take.
struct BodyRoute {
    route: &'static str,
    ids: Vec<String>,
    good: Value,
    /// Pointers of what must be there.
    required: &'static [&'static str],
    /// Pointers of the objects in it; none takes a field that it does not know.
    objects: &'static [&'static str],
    /// Pointers, each with values that cannot stand there.
    wrong: Vec<(&'static str, Vec<Value>)>,
}

pub fn cases(setup: &Setup) -> Vec<Case> {
    let mut cases = Vec::new();
    for route in routes(setup) {
        cases.extend(route.cases(setup));
    }
    cases
}

/// Every route with a body that it takes: method and pattern, path, body.
pub fn good(setup: &Setup) -> Vec<(&'static str, String, Value)> {
    let good = |route: BodyRoute| {
        let ids: Vec<&str> = route.ids.iter().map(String::as_str).collect();
        (route.route, Case::new(route.route, &ids, "", "good").path, route.good)
    };
    routes(setup).into_iter().map(good).collect()
}

impl BodyRoute {
    fn cases(&self, setup: &Setup) -> Vec<Case> {
        let (route, key) = (self.route, setup.key_for(self.route));
        let ids: Vec<&str> = self.ids.iter().map(String::as_str).collect();
        let case = |what: String| Case::new(route, &ids, &key, what);
        let mut cases = vec![
            case("not JSON".into()).text("{"),
            case("more than one value".into()).text(format!("{} {{}}", self.good)).names(""),
            case("a list".into()).text("[]").names(""),
            case("a text".into()).text("\"x\"").names(""),
            case("null".into()).text("null").names(""),
            case("too deep".into()).text("[".repeat(1_000)),
            case("too large".into()).text(padded(&self.good, 64 * 1024 + 1)).gives(413, "body_too_large"),
        ];
        for pointer in self.required {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let mut body = self.good.clone();
            body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
            cases.push(case(format!("without {pointer}")).body(&body).names(parent));
        }
        for object in self.objects {
            let mut body = self.good.clone();
            body.pointer_mut(object).unwrap()["surprise"] = json!(1);
            cases.push(
                case(format!("an unknown field in {object:?}"))
                    .body(&body)
                    .names(format!("{object}/surprise")),
            );
        }
        for (pointer, values) in &self.wrong {
            for value in values {
                let mut body = self.good.clone();
                set(&mut body, pointer, value.clone());
                let short: String = value.to_string().chars().take(60).collect();
                cases.push(case(format!("{short} as {pointer}")).body(&body).names(*pointer));
            }
        }
        cases
    }
}

fn set(body: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        object => object[name] = value,
    }
}

/// White space is part of a body's size.
fn padded(body: &Value, size: usize) -> String {
    let text = body.to_string();
    format!("{text}{}", " ".repeat(size - text.len()))
}

/// What no text is.
fn not_text() -> Vec<Value> {
    vec![json!(7), json!(true), json!([]), json!({})]
}

/// What no id of the caller's is: an e-mail address, a forged key, a path, a space, nothing, too much.
fn not_external_id() -> Vec<Value> {
    let texts =
        ["", " ", "ben@example.com", "ben#REFEREE", "a/b", "ben ", "bén", "a\u{0}b", &"x".repeat(129)];
    [not_text(), texts.map(Value::from).into()].concat()
}

/// What no slug is.
fn not_slug() -> Vec<Value> {
    [not_text(), ["", "Stripe", "a b", "a#b", &"x".repeat(41)].map(Value::from).into()].concat()
}

/// What no whole number is.
fn not_whole() -> Vec<Value> {
    let huge = ["1e30", "9223372036854775808", "100000000000000000000000"];
    let huge = huge.map(|text| serde_json::from_str(text).unwrap());
    [vec![json!("20000"), json!(1.5), json!(1.0), json!(true), json!([20_000]), json!({})], huge.into()]
        .concat()
}

/// What no amount is: neither below zero nor above a million millions.
fn not_amount() -> Vec<Value> {
    let range = [json!(-1), json!(1_000_000_000_001_i64), json!(i64::MIN), json!(i64::MAX)];
    [not_whole(), range.into()].concat()
}

fn not_currency() -> Vec<Value> {
    [not_text(), ["", "US", "USDX", "XXX", "XAU", "ABC", "$"].map(Value::from).into()].concat()
}

fn not_name(longest: usize) -> Vec<Value> {
    [not_text(), vec![json!("x".repeat(longest + 1)), json!("a\u{7}b"), json!("a\nb")]].concat()
}

fn not_moment() -> Vec<Value> {
    let texts = ["", "yesterday", "2026-11-22", "2026-11-22T10:00:00", "2026-13-01T00:00:00Z", "1763806800"];
    [not_text(), texts.map(Value::from).into()].concat()
}

fn or_empty(mut values: Vec<Value>) -> Vec<Value> {
    values.extend([json!(""), json!("  "), Value::Null]);
    values
}

fn routes(setup: &Setup) -> Vec<BodyRoute> {
    let mut routes = vec![named("POST /v1/organizations"), named("POST /v1/api-keys")];
    routes.extend(programs(setup));
    routes.extend(endpoints(setup));
    routes.extend([enrolment(setup), signup(setup), invoice(setup), refund()]);
    routes
}

fn named(route: &'static str) -> BodyRoute {
    BodyRoute {
        route,
        ids: Vec::new(),
        good: json!({"name": "Example Ltd"}),
        required: &["/name"],
        objects: &[""],
        wrong: vec![("/name", or_empty(not_name(100)))],
    }
}

fn terms() -> Value {
    json!({"grace_hours": 24, "rules": [
        {"id": "share", "trigger": "invoice_paid", "recipient": "referrer", "kind": "allowance",
         "amount": {"percentage": {"percent": "12.5", "basis": "paid_total"}}},
        {"id": "bounty", "amount": {"fixed": {"amount": 500, "currency": "USD"}}},
    ]})
}

fn programs(setup: &Setup) -> Vec<BodyRoute> {
    let percent = ["0", "-1", "100.0001", "1.23456", "1e1", "ten", ""].map(Value::from);
    let status = [not_text(), vec![json!("running"), json!("Active")]].concat();
    let wrong = vec![
        ("/name", not_name(100)),
        ("/status", status),
        ("/terms/grace_hours", [not_whole(), vec![json!(-1), json!(721)]].concat()),
        (
            "/terms/rules",
            vec![json!([]), json!({}), json!("x"), json!(vec![terms()["rules"][0].clone(); 11])],
        ),
        ("/terms/rules/0/id", not_slug()),
        ("/terms/rules/1/id", vec![json!("share")]),
        ("/terms/rules/0/trigger", vec![json!("payout_recorded"), json!(1)]),
        ("/terms/rules/0/recipient", vec![json!("everybody"), json!(1)]),
        ("/terms/rules/0/kind", vec![json!("gold"), json!(1)]),
        ("/terms/rules/0/amount", vec![json!("all"), json!({}), json!({"most": {}})]),
        (
            "/terms/rules/0/amount/percentage/percent",
            [not_text(), vec![json!(10.5)], percent.into()].concat(),
        ),
        ("/terms/rules/0/amount/percentage/basis", vec![json!("guess"), json!(1)]),
        ("/terms/rules/1/amount/fixed/amount", [not_amount(), vec![json!(0)]].concat()),
        ("/terms/rules/1/amount/fixed/currency", not_currency()),
    ];
    let objects =
        &["", "/terms", "/terms/rules/0", "/terms/rules/0/amount/percentage", "/terms/rules/1/amount/fixed"];
    let good = json!({"name": "Refer a friend", "status": "active", "terms": terms()});
    let create = BodyRoute {
        route: "POST /v1/programs",
        ids: Vec::new(),
        good: good.clone(),
        required: &[
            "/name",
            "/terms",
            "/terms/rules",
            "/terms/rules/0/id",
            "/terms/rules/0/amount",
            "/terms/rules/0/amount/percentage/percent",
            "/terms/rules/1/amount/fixed/amount",
            "/terms/rules/1/amount/fixed/currency",
        ],
        objects,
        wrong: [
            wrong.clone(),
            vec![("/status", vec![json!("paused"), json!("ended")]), ("/name", vec![json!("")])],
        ]
        .concat(),
    };
    let route = "PATCH /v1/programs/{program}";
    let required: &[&str] = &["/terms/rules", "/terms/rules/0/id"];
    vec![create, BodyRoute { route, ids: vec![setup.program.clone()], good, required, objects, wrong }]
}

fn endpoints(setup: &Setup) -> Vec<BodyRoute> {
    let secret = "whsec_0123456789abcdef";
    let lists = vec![json!("x"), json!({}), json!([secret, secret, secret, secret])];
    let secrets = ["", "short", &"x".repeat(201), "with a space in it", "nöt ascii, but long enough"];
    let wrong =
        vec![("/secrets", lists), ("/secrets/0", [not_text(), secrets.map(Value::from).into()].concat())];
    let more = vec![
        ("/processor", [not_text(), vec![json!("paypal"), json!("Stripe")]].concat()),
        ("/livemode", vec![json!("false"), json!(0), Value::Null]),
    ];
    let create = BodyRoute {
        route: "POST /v1/webhook-endpoints",
        ids: Vec::new(),
        good: json!({"processor": "stripe", "livemode": false, "secrets": [secret]}),
        required: &["/processor", "/livemode"],
        objects: &[""],
        wrong: [wrong.clone(), more].concat(),
    };
    let change = BodyRoute {
        route: "PATCH /v1/webhook-endpoints/{endpoint}",
        ids: vec![setup.endpoint.clone()],
        good: json!({"secrets": [secret]}),
        required: &["/secrets"],
        objects: &[""],
        wrong: [wrong, vec![("/secrets", vec![json!([])])]].concat(),
    };
    vec![create, change]
}

fn enrolment(setup: &Setup) -> BodyRoute {
    BodyRoute {
        route: "PUT /v1/programs/{program}/participants/{external_id}",
        ids: vec![setup.program.clone(), "new".to_owned()],
        good: json!({"name": "Blue Lotus Studio"}),
        required: &[],
        objects: &[""],
        wrong: vec![("/name", not_name(200))],
    }
}

fn signup(setup: &Setup) -> BodyRoute {
    let now = setup.now;
    let beyond = [now + chrono::Duration::hours(1), now - chrono::Duration::days(31)].map(|at| json!(at));
    BodyRoute {
        route: "POST /v1/track/signup",
        ids: Vec::new(),
        good: json!({"external_id": "dora", "code": setup.anna.code, "channel": "tour", "occurred_at": now,
            "customer": {"processor": "stripe", "id": "cus_2"}}),
        required: &["/external_id", "/customer/processor", "/customer/id"],
        objects: &["", "/customer"],
        wrong: vec![
            ("/external_id", not_external_id()),
            ("/code", not_text()),
            ("/channel", not_slug()),
            ("/occurred_at", [not_moment(), beyond.into()].concat()),
            ("/customer/processor", not_slug()),
            ("/customer/id", not_external_id()),
        ],
    }
}

fn invoice(setup: &Setup) -> BodyRoute {
    let future = json!(setup.now + chrono::Duration::hours(1));
    BodyRoute {
        route: "POST /v1/track/invoice-paid",
        ids: Vec::new(),
        good: json!({"invoice_id": "in_2", "processor": "stripe", "external_id": "ben", "customer_id": "cus_1",
            "amount_paid": 20_000, "currency": "USD", "total": 20_000, "total_excluding_tax": 18_000,
            "paid_at": setup.now, "payment_id": "pi_2"}),
        required: &["/invoice_id", "/amount_paid", "/currency"],
        objects: &[""],
        wrong: vec![
            ("/invoice_id", not_external_id()),
            ("/processor", not_slug()),
            ("/external_id", not_external_id()),
            ("/customer_id", not_external_id()),
            ("/amount_paid", [not_amount(), vec![Value::Null]].concat()),
            ("/currency", [not_currency(), vec![Value::Null]].concat()),
            ("/total", not_amount()),
            ("/total_excluding_tax", not_amount()),
            ("/paid_at", [not_moment(), vec![future]].concat()),
            ("/payment_id", not_external_id()),
        ],
    }
}

fn refund() -> BodyRoute {
    BodyRoute {
        route: "POST /v1/track/refund",
        ids: Vec::new(),
        good: json!({"refund_id": "re_2", "processor": "stripe", "invoice_id": "in_1", "payment_id": "pi_1",
            "amount": 500, "currency": "USD", "status": "succeeded"}),
        required: &["/refund_id", "/amount", "/currency"],
        objects: &[""],
        wrong: vec![
            ("/refund_id", not_external_id()),
            ("/processor", not_slug()),
            ("/invoice_id", not_external_id()),
            ("/payment_id", not_external_id()),
            ("/amount", [not_amount(), vec![Value::Null]].concat()),
            ("/currency", [not_currency(), vec![Value::Null]].concat()),
            ("/status", [not_text(), vec![json!("done")]].concat()),
        ],
    }
}
