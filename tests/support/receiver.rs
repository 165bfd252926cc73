//! A receiver of webhooks on this machine.

use std::collections::VecDeque;
use std::net::TcpListener as StdListener;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;

/// What a receiver was sent.
#[derive(Debug, Clone)]
pub struct Got {
    /// The path that was called.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: String,
}

impl Got {
    /// A header that must be there.
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The body, parsed.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What it answers.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Reply {
    /// A status, with a body that says it.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: format!("this is a {status}") }
    }

    /// One more header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Its body.
    pub fn body(self, body: String) -> Self {
        Self { body, ..self }
    }
}

/// A receiver; it ends with the test.
#[derive(Debug, Clone)]
pub struct Receiver {
    base: String,
    state: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    got: Vec<Got>,
    next: VecDeque<Reply>,
    always: Reply,
}

impl Receiver {
    /// One that answers 200.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let always = Reply::status(200).body("thanks".to_owned());
        let state = Arc::new(Mutex::new(Inner { got: Vec::new(), next: VecDeque::new(), always }));
        let router = Router::new().fallback(receive).with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, state }
    }

    /// An address on which nobody listens.
    pub fn nobody() -> String {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/hooks", listener.local_addr().unwrap())
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("{}/hooks", self.base)
    }

    /// From now on it answers so.
    pub fn answers(&self, reply: Reply) {
        self.state.lock().unwrap().always = reply;
    }

    /// It answers so once, and then what comes after.
    pub fn answers_next(&self, reply: Reply) {
        self.state.lock().unwrap().next.push_back(reply);
    }

    /// What it was sent since this was asked the last time, the earliest first.
    pub fn got(&self) -> Vec<Got> {
        std::mem::take(&mut self.state.lock().unwrap().got)
    }
}

async fn receive(
    State(state): State<Arc<Mutex<Inner>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut state = state.lock().unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    state.got.push(Got { path: uri.path().to_owned(), headers, body });
    let reply = state.next.pop_front().unwrap_or_else(|| state.always.clone());
    drop(state);
    let mut response = (StatusCode::from_u16(reply.status).unwrap(), reply.body).into_response();
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
