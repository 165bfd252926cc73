//! Bodies: for every route that takes one, a good body, and everything that can be wrong with each part of it.

use serde_json::{Value, json};

use super::case::Case;
use super::setup::Setup;
use super::values::{not_bool, not_name, not_text, or_empty};
use super::{
    billing, by_hand, deliveries, destinations, exchange_rates, notifications, programs, simulations,
    tracking,
};

/// A route with a body that it would take.
#[derive(Debug, Default)]
pub struct BodyRoute {
    pub route: &'static str,
    pub ids: Vec<String>,
    pub good: Value,
    /// Whether the call needs an `Idempotency-Key`.
    pub keyed: bool,
    /// Pointers of what must be there.
    pub required: &'static [&'static str],
    /// Pointers of what must be there because of what else is; named themselves when they are missing.
    pub needed: &'static [&'static str],
    /// Pointers of the objects in it; none takes a field that it does not know.
    pub objects: &'static [&'static str],
    /// Pointers, each with values that cannot stand there.
    pub wrong: Vec<(&'static str, Vec<Value>)>,
    /// Pointers, each with a value that cannot stand there and the pointer by which that is told.
    pub told: Vec<(&'static str, Value, &'static str)>,
}

/// The header that tells a repeated call.
pub const KEY: (&str, &str) = ("idempotency-key", "bad-input");

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
    /// The largest body that the route takes.
    fn bytes_max(&self) -> usize {
        if self.route.ends_with("/batch") { aws::http::BATCH_BYTES_MAX } else { aws::http::BODY_BYTES_MAX }
    }

    fn cases(&self, setup: &Setup) -> Vec<Case> {
        let (route, key) = (self.route, setup.key_for(self.route));
        let ids: Vec<&str> = self.ids.iter().map(String::as_str).collect();
        let case = |what: String| {
            let case = Case::new(route, &ids, &key, what);
            if self.keyed { case.header(KEY.0, KEY.1) } else { case }
        };
        let mut cases = vec![
            case("not JSON".into()).text("{"),
            case("more than one value".into()).text(format!("{} {{}}", self.good)).names(""),
            case("a list".into()).text("[]").names(""),
            case("a list with a value".into()).text("[\"Example Ltd\"]").names(""),
            case("a text".into()).text("\"x\"").names(""),
            case("null".into()).text("null").names(""),
            case("too deep".into()).text("[".repeat(1_000)),
            case("too large".into())
                .text(padded(&self.good, self.bytes_max() + 1))
                .gives(413, "body_too_large"),
        ];
        let named_by_parent = self.required.iter().map(|pointer| (pointer, parent_of(pointer)));
        for (pointer, named) in named_by_parent.chain(self.needed.iter().map(|pointer| (pointer, *pointer))) {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let mut body = self.good.clone();
            body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
            cases.push(case(format!("without {pointer}")).body(&body).names(named));
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
        let wrong = self
            .wrong
            .iter()
            .flat_map(|(place, values)| values.iter().map(move |value| (place, value, place)));
        for (place, value, pointer) in
            wrong.chain(self.told.iter().map(|(place, value, told)| (place, value, told)))
        {
            let mut body = self.good.clone();
            set(&mut body, place, value.clone());
            let short: String = value.to_string().chars().take(60).collect();
            cases.push(case(format!("{short} as {place}")).body(&body).names(*pointer));
        }
        cases
    }
}

fn parent_of(pointer: &'static str) -> &'static str {
    pointer.rsplit_once('/').unwrap().0
}

fn set(body: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        object => object[name.replace("~1", "/").replace("~0", "~")] = value,
    }
}

/// Lists of secrets of which the first is wrong.
fn told_of(lists: Vec<Value>) -> Vec<(&'static str, Value, &'static str)> {
    lists.into_iter().map(|list| ("/secrets", list, "/secrets/0")).collect()
}

/// White space is part of a body's size.
fn padded(body: &Value, size: usize) -> String {
    let text = body.to_string();
    format!("{text}{}", " ".repeat(size - text.len()))
}

fn routes(setup: &Setup) -> Vec<BodyRoute> {
    let own = vec![organization(), named("POST /v1/api-keys")];
    let others = [
        programs::routes(setup),
        tracking::routes(setup),
        by_hand::routes(setup),
        exchange_rates::routes(setup),
        billing::routes(setup),
        destinations::routes(setup),
        deliveries::routes(),
        notifications::routes(setup),
    ];
    let all = [own, endpoints(setup), simulations::routes(setup)].into_iter().chain(others);
    all.flatten().collect()
}

fn named(route: &'static str) -> BodyRoute {
    BodyRoute {
        route,
        good: json!({"name": "Example Ltd"}),
        required: &["/name"],
        objects: &[""],
        wrong: vec![("/name", or_empty(not_name(100)))],
        ..BodyRoute::default()
    }
}

fn organization() -> BodyRoute {
    let named = named("POST /v1/organizations");
    let livemode = ("/livemode", or_null(not_bool()));
    BodyRoute {
        good: json!({"name": "Example Ltd", "livemode": false}),
        wrong: [named.wrong, vec![livemode]].concat(),
        ..named
    }
}

fn or_null(values: Vec<Value>) -> Vec<Value> {
    [values, vec![Value::Null]].concat()
}

fn endpoints(setup: &Setup) -> Vec<BodyRoute> {
    let secret = "whsec_0123456789abcdef";
    let lists = vec![json!("x"), json!({}), json!([secret, secret, secret, secret])];
    let long = format!("whsec_{}", "x".repeat(195));
    let secrets = [
        "",
        "whsec_short",
        &long,
        "whsec_with a space in it",
        "whsec_nöt_ascii_but_long_enough",
        "sk_test_a_key_of_another_kind",
        tests::PADDLE_SECRET,
        tests::CHARGEBEE_SECRET,
    ];
    let wrong =
        vec![("/secrets", lists), ("/secrets/0", [not_text(), secrets.map(Value::from).into()].concat())];
    let more = vec![
        ("/processor", [not_text(), vec![json!("paypal"), json!("Stripe")]].concat()),
        ("/livemode", not_bool()),
    ];
    let of = |processor: &str, secrets: &[&str]| {
        let secrets = secrets.iter().map(|secret| json!([secret])).collect();
        BodyRoute {
            route: "POST /v1/webhook-endpoints",
            good: json!({"processor": processor, "secrets": []}),
            required: &["/processor"],
            wrong: vec![],
            told: told_of(secrets),
            ..BodyRoute::default()
        }
    };
    let paddle = of("paddle", &[secret, tests::CHARGEBEE_SECRET, "pdl_ntfset_", "pdl_ntfset_ with a space"]);
    let chargebee =
        of("chargebee", &[secret, ":password_without_user", "user_without_password:", "user:short"]);
    let create = BodyRoute {
        route: "POST /v1/webhook-endpoints",
        good: json!({"processor": "stripe", "livemode": false, "secrets": [secret]}),
        required: &["/processor"],
        objects: &[""],
        wrong: [wrong.clone(), more].concat(),
        ..BodyRoute::default()
    };
    let change = BodyRoute {
        route: "PATCH /v1/webhook-endpoints/{endpoint}",
        ids: vec![setup.endpoint.clone()],
        good: json!({"secrets": [secret]}),
        required: &["/secrets"],
        objects: &[""],
        wrong: [wrong, vec![("/secrets", vec![json!([])])]].concat(),
        ..BodyRoute::default()
    };
    vec![create, change, paddle, chargebee]
}
