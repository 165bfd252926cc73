//! The world that functions run in.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws::{Clock, Entropy, Platform};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use chrono::{DateTime, Utc};
use local::direct::DirectTable;
use local::{Handler, Wiring};
use serde_json::Value;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use super::client::{Client, Dial, parsed};
use super::outside::{self, API_KEY, Beyond};
use super::plan::{Call, Effect, Fault};
use super::queue::Queues;
use super::race::CALLER;
use super::table::{Rows, Table};
use super::wire::{Behind, INVOCATION, Invocation, State, Wire};
use crate::stripe::Account;

/// The queue to the outside.
pub(super) const EVENTS: &str = "EventsQueue";

/// 2026-01-01T00:00:00Z, when every world begins.
const BEGINNING_MS: i64 = 1_767_225_600_000;
/// The secret that opens `POST /v1/organizations`.
const ROOT_KEY: &str = "root_of_the_simulator_0000000000000000000000000000000000000000000000";
/// The secret that seals.
const SEALING_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What a request was answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body, `null` when it is empty.
    pub body: Value,
}

impl Reply {
    /// The body of a 2xx.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        self.body
    }
}

/// Functions, a table, queues and a clock.
#[derive(Debug)]
pub struct World {
    pub(super) wire: Arc<Wire>,
    pub(super) wiring: Wiring,
    platform: Platform,
    millis: Arc<AtomicI64>,
    table: Table,
    /// A second table for what lags behind the first.
    behind: Table,
    /// What is in the memory of the functions' processes.
    running: RefCell<BTreeMap<String, Handler>>,
}

/// All that a world is at one moment, but for the memory of its processes.
#[derive(Debug, Clone)]
pub struct Moment {
    rows: Rows,
    queues: Queues,
    beyond: Beyond,
    millis: i64,
}

impl Moment {
    /// Its time, in seconds since 1970.
    pub(super) const fn seconds(&self) -> i64 {
        self.millis / 1_000
    }

    /// A number that equal moments share. What was told to the outside is a set: it may be told again.
    pub(super) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let rows = self.rows.iter().map(|(key, row)| (key, row.hash));
        rows.for_each(|row| row.hash(&mut hasher));
        for (queue, messages) in &self.queues.visible {
            let mut messages: Vec<_> =
                messages.iter().map(|message| (&message.body, message.deliveries)).collect();
            messages.sort_unstable();
            (queue, messages).hash(&mut hasher);
        }
        (&self.queues.told, self.beyond.text()).hash(&mut hasher);
        self.millis.hash(&mut hasher);
        hasher.finish()
    }
}

impl World {
    /// An empty one. It runs on a single-threaded runtime whose time is paused.
    pub async fn new() -> Rc<Self> {
        let wiring = Wiring::of_product().unwrap();
        let secrets = [("RootKey", ROOT_KEY), ("SealingKey", SEALING_KEY)];
        let secrets = secrets.map(|(id, secret)| (Wiring::secret_arn(id), secret.to_owned()));
        let millis = Arc::new(AtomicI64::new(BEGINNING_MS));
        let clock = Clock::manual(millis.clone());
        let wire = Arc::new(Wire::new(DirectTable::new().unwrap(), secrets.into(), clock.clone()));
        let platform = Wiring::platform(client(&wire), clock).with_entropy(Entropy::seeded(0));
        let tables = &wiring.template().tables;
        local::create_tables(&platform.dynamodb(), tables).await.unwrap();
        let table = Table::new(wire.table().clone(), &tables[0].name);
        let behind = second(tables).await;
        let running = RefCell::default();
        Rc::new(Self { wire, wiring, platform, millis, table, behind, running })
    }

    /// What functions are built from.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The name of the table.
    pub fn table_name(&self) -> &str {
        &self.wiring.template().tables[0].name
    }

    /// The bearer token of `POST /v1/organizations`.
    pub fn root_key(&self) -> &'static str {
        ROOT_KEY
    }

    /// Now.
    pub fn now(&self) -> DateTime<Utc> {
        self.platform.clock.now()
    }

    /// Moves the clock.
    pub fn advance(&self, seconds: i64) {
        self.millis.fetch_add(seconds * 1_000, Ordering::SeqCst);
        self.wire.note(|| format!("      the clock goes on by {seconds} s"));
    }

    /// What it is now.
    pub fn moment(&self) -> Moment {
        let queues = self.wire.state().queues.clone();
        let beyond = self.wire.outside.save();
        Moment { rows: self.rows(), queues, beyond, millis: self.millis.load(Ordering::SeqCst) }
    }

    /// Goes on from a moment with new processes, and plans what goes wrong from now on.
    pub fn resume(&self, moment: &Moment, faults: &[Fault], traced: bool) {
        self.running.borrow_mut().clear();
        self.millis.store(moment.millis, Ordering::SeqCst);
        self.table.set(&self.rows(), &moment.rows);
        self.wire.outside.restore(&moment.beyond);
        let mut state = self.wire.state();
        let trace = state.trace.take().unwrap_or_default();
        *state = State { queues: moment.queues.clone(), faults: faults.to_vec(), ..State::default() };
        state.trace = traced.then_some(trace);
        if faults.iter().any(|fault| fault.effect == Effect::Stale) {
            self.behind.set(&self.behind.look(), &moment.rows);
            state.behind = Some(Behind { table: self.behind.direct.clone(), next: None });
        }
    }

    /// Every row of the table.
    pub fn rows(&self) -> Rows {
        self.table.rows(self.wire.writes())
    }

    /// From now on nothing goes wrong, nothing is held back and nothing is counted.
    pub fn observe(&self) {
        let mut state = self.wire.state();
        state.observed = true;
        state.held = None;
    }

    /// The calls of all functions since the beginning.
    pub fn calls(&self) -> Vec<Call> {
        self.wire.state().calls.clone()
    }

    /// The readable trace so far.
    pub fn trace(&self) -> Vec<String> {
        self.wire.state().trace.clone().unwrap_or_default()
    }

    /// A line for the trace.
    pub fn note(&self, line: impl FnOnce() -> String) {
        self.wire.note(line);
    }

    /// What is in a queue.
    pub fn queued(&self, queue: &str) -> Vec<Value> {
        self.wire.state().queues.bodies(queue)
    }

    /// From now on what is to be told outside is delivered, to the receiver that is there; a Stripe account is, too.
    pub fn open_outside(&self) {
        self.wire.state().queues.outside = true;
    }

    /// The Stripe account, which [`Self::account_key`] opens.
    pub fn account(&self) -> &Account {
        &self.wire.outside.account
    }

    /// The key that opens the Stripe account.
    pub fn account_key(&self) -> &'static str {
        API_KEY
    }

    /// What the receiver was sent, each under an id of its own: type and data, in order.
    ///
    /// # Errors
    /// Where one id was used for two bodies.
    pub fn heard(&self) -> Result<Vec<(String, Value)>, String> {
        outside::types(&self.wire.outside.heard())
    }

    /// What was sent to be told outside.
    pub(super) fn told(&self) -> Vec<Value> {
        self.wire.state().queues.told.iter().map(|body| parsed(body.as_bytes())).collect()
    }

    /// Whether anything is left to do by now.
    pub(super) fn has_work(&self) -> bool {
        let now = domain::id::time_digits(self.now());
        let waits = self.wire.state().queues.visible.values().any(|waiting| !waiting.is_empty());
        waits || self.rows().values().any(|row| row.has("due_pk") && row.text("due_sk") <= now.as_str())
    }

    /// From now on every call waits until it is let go.
    pub(super) fn hold(&self) {
        self.wire.state().held = Some(Vec::new());
    }

    /// Lets all calls go, from now on at once.
    pub(super) fn release(&self) {
        self.wire.state().held = None;
    }

    /// Which callers have a call that waits.
    pub(super) fn held(&self) -> Vec<usize> {
        let state = self.wire.state();
        let held = state.held.iter().flatten().map(|held| held.caller);
        held.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Lets a caller's call go.
    pub(super) fn let_go(&self, caller: usize) {
        let mut state = self.wire.state();
        let held = state.held.as_mut().unwrap();
        let place = held.iter().position(|held| held.caller == caller).unwrap();
        held.remove(place).go.send(()).unwrap_or_default();
    }

    /// A request with an API key, answered with 2xx.
    pub async fn ask(&self, key: &str, method: &str, path: &str, body: Value) -> Value {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str())];
        self.http("setting up", method, path, &headers, body.to_string()).await.unwrap().ok()
    }

    /// From now on the table looks at no condition: for showing that what relies on them is found out.
    pub fn ignore_conditions(&self) {
        self.wire.unconditional.store(true, Ordering::SeqCst);
    }

    /// Drops every message that was sent to a function.
    pub(super) fn lose_messages(&self) {
        self.wire.state().queues.visible.clear();
    }

    /// Calls a function over HTTP; `None` if its process ended.
    pub async fn http(
        &self,
        who: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Option<Reply> {
        let plain = path.split('?').next().unwrap_or_default();
        let function =
            self.wiring.function_of(method, plain).unwrap_or_else(|| panic!("no route is {method} {path}"));
        let Handler::Http(router) = self.handler(function) else { panic!("{function} has no routes") };
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        self.run(who, function, answer(router, request)).await
    }

    /// Calls a function with an event; `None` if its process ended, `Some(None)` if it failed.
    pub async fn invoke(&self, who: &str, function: &str, event: Value) -> Option<Option<Value>> {
        let Handler::Event(handler) = self.handler(function) else { panic!("{function} takes no events") };
        let answer = self.run(who, function, async move { handler.call(event).await.ok() }).await;
        self.note(|| format!("      {who}: {function} -> {answer:?}"));
        answer
    }

    async fn run<T>(&self, who: &str, function: &str, work: impl Future<Output = T>) -> Option<T> {
        let stopped = Arc::new(Notify::new());
        let caller = who.strip_prefix(CALLER).and_then(|number| number.parse().ok());
        let invocation = Invocation { name: who.into(), caller, stopped: stopped.clone() };
        let done = INVOCATION.scope(invocation, async {
            tokio::select! {
                biased;
                () = stopped.notified() => None,
                done = work => Some(done),
            }
        });
        let done = done.await;
        if done.is_none() {
            self.running.borrow_mut().remove(function);
        }
        done
    }

    fn handler(&self, function: &str) -> Handler {
        if let Some(handler) = self.running.borrow().get(function) {
            return handler.clone();
        }
        // Only functions dial the account and the receiver of this world.
        let dial = SharedHttpConnector::new(Dial(self.wire.clone()));
        let platform = self.platform.clone().with_outbound(dial);
        let handler = self.wiring.build(function, &platform).unwrap();
        self.running.borrow_mut().insert(function.to_owned(), handler.clone());
        handler
    }
}

fn client(wire: &Arc<Wire>) -> SharedHttpClient {
    SharedHttpClient::new(Client(wire.clone()))
}

/// A table of its own, laid out alike.
async fn second(tables: &[local::template::Table]) -> Table {
    let wire = Arc::new(Wire::new(DirectTable::new().unwrap(), BTreeMap::new(), Clock::system()));
    let platform = Wiring::platform(client(&wire), Clock::system());
    local::create_tables(&platform.dynamodb(), tables).await.unwrap();
    Table::new(wire.table().clone(), &tables[0].name)
}

async fn answer(router: Router, request: Request<Body>) -> Reply {
    let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    Reply { status, body: parsed(&body) }
}

/// Runs a simulation: on one thread, in time that passes only when nobody has anything to do. Nothing yields to be fair:
/// when a budget of polls runs out differs from run to run, and the calls of messages handled at once would change places.
pub fn simulate<T>(simulation: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(tokio::task::unconstrained(simulation))
}
