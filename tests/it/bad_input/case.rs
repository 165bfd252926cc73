//! One call that must be refused, and what it must be answered.

use serde_json::Value;
use tests::{Answer, Tenant, World};

/// A call that must change nothing.
#[derive(Debug, Clone)]
pub struct Case {
    /// The route as the template writes it, with its method: `POST /v1/programs`.
    pub route: &'static str,
    /// What is wrong with the call.
    what: String,
    /// The path that is called.
    pub path: String,
    key: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    expected: Expected,
}

#[derive(Debug, Clone)]
enum Expected {
    /// A problem of this status and code that names this pointer, if any.
    Problem { status: u16, code: &'static str, pointer: Option<String> },
    /// A webhook that is taken and not acted upon, for this reason.
    Ignored(&'static str),
}

impl Case {
    /// A call of a route with the bearer token `key`; its path is the route's with `ids` in the place of its names.
    pub fn new(route: &'static str, ids: &[&str], key: &str, what: impl Into<String>) -> Self {
        let mut path = route.split_once(' ').unwrap().1.to_owned();
        for id in ids {
            let (start, end) = (path.find('{').unwrap(), path.find('}').unwrap());
            path.replace_range(start..=end, id);
        }
        assert!(!path.contains('{'), "{route} needs more ids");
        let expected = Expected::Problem { status: 400, code: "invalid_request", pointer: None };
        Self {
            route,
            what: what.into(),
            path,
            key: key.to_owned(),
            headers: Vec::new(),
            body: String::new(),
            expected,
        }
    }

    /// Its body.
    pub fn body(self, body: &Value) -> Self {
        self.text(body.to_string())
    }

    /// Its body, as it stands.
    pub fn text(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// Its query string.
    pub fn query(mut self, query: &str) -> Self {
        self.path = format!("{}?{query}", self.path);
        self
    }

    /// One more header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// It is a 400 that names a field.
    pub fn names(mut self, pointer: impl Into<String>) -> Self {
        let pointer = Some(pointer.into());
        self.expected = Expected::Problem { status: 400, code: "invalid_request", pointer };
        self
    }

    /// It is a problem of this status and code.
    pub fn gives(mut self, status: u16, code: &'static str) -> Self {
        self.expected = Expected::Problem { status, code, pointer: None };
        self
    }

    /// The problem names a field, whatever its code.
    pub fn pointing_at(mut self, place: &str) -> Self {
        if let Expected::Problem { pointer, .. } = &mut self.expected {
            *pointer = Some(place.to_owned());
        }
        self
    }

    /// It is a webhook event that cannot be used because of a field.
    pub fn unusable(mut self, pointer: &str) -> Self {
        self.expected =
            Expected::Problem { status: 400, code: "invalid_event", pointer: Some(pointer.to_owned()) };
        self
    }

    /// It is a webhook event that is acknowledged and ignored.
    pub fn ignored(mut self, because: &'static str) -> Self {
        self.expected = Expected::Ignored(because);
        self
    }

    async fn call(&self, world: &World) -> Answer {
        let caller: Tenant = world.tenant_with(self.key.clone());
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let method = self.route.split_once(' ').unwrap().0;
        caller.send(method, &self.path, self.body.clone(), &headers).await
    }

    fn check(&self, answer: &Answer) -> Result<(), String> {
        let body = &answer.body;
        match &self.expected {
            Expected::Ignored(because) => {
                let ignored =
                    (&body["outcome"], &body["ignored_because"]) == (&"ignored".into(), &(*because).into());
                ensure(answer.status == 200 && ignored, format!("is not ignored because of {because}"))
            }
            Expected::Problem { status, code, pointer } => {
                ensure(
                    (answer.status, &body["code"]) == (*status, &(*code).into()),
                    format!("is not {status} {code}"),
                )?;
                let kind = format!("urn:referral-engine:problem:{code}");
                ensure(
                    body["type"] == kind && body["status"] == *status,
                    "has another type or status within",
                )?;
                ensure(!body["title"].as_str().unwrap_or_default().is_empty(), "has no title")?;
                ensure(answer.headers["content-type"] == "application/problem+json", "is not problem+json")?;
                ensure(answer.headers.contains_key("request-id"), "has no request-id")?;
                let Some(pointer) = pointer else { return Ok(()) };
                let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
                let told = |error: &&Value| error["pointer"] == *pointer.as_str();
                let error = errors.iter().find(told).ok_or_else(|| format!("does not name {pointer:?}"))?;
                ensure(!error["detail"].as_str().unwrap_or_default().is_empty(), "does not say what is wrong")
            }
        }
    }
}

fn ensure(holds: bool, otherwise: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

/// How many calls are made between two looks at the whole table.
const CHUNK: usize = 16;

/// Makes every call, and fails with a list of those that were not answered as they must be or that wrote something.
pub async fn run(world: &World, cases: &[Case]) {
    assert!(!cases.is_empty());
    let mut faults = Vec::new();
    let mut before = world.snapshot().await;
    for chunk in cases.chunks(CHUNK) {
        for case in chunk {
            let answer = case.call(world).await;
            if let Err(fault) = case.check(&answer) {
                faults.push(format!("{case}: the answer {} {} {fault}", answer.status, answer.body));
            }
        }
        let after = world.snapshot().await;
        if after != before {
            let all: Vec<String> = chunk.iter().map(ToString::to_string).collect();
            faults.push(format!("one of these wrote something:\n    {}", all.join("\n    ")));
            before = after;
        }
    }
    assert!(faults.is_empty(), "{} faults in {} cases:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", self.route, self.what)
    }
}
