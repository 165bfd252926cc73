//! What every call passes through: it is counted, held back where a race wants to choose who goes first, and befallen by
//! what the plan has for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws::Clock;
use local::direct::DirectTable;
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};

use super::client::parsed;
use super::outside::Outside;
use super::plan::{Call, Effect, Fault, Service};
use super::queue::Queues;

tokio::task_local! {
    /// On whose behalf something is called.
    pub(super) static INVOCATION: Invocation;
}

/// One run of a function, which a fault can end.
#[derive(Debug, Clone)]
pub(super) struct Invocation {
    pub(super) name: Arc<str>,
    /// Which of those it is that run at once, if they are held back.
    pub(super) caller: Option<usize>,
    pub(super) stopped: Arc<Notify>,
}

/// One request of an SDK.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) service: Service,
    pub(super) operation: String,
    pub(super) body: Vec<u8>,
    /// The same for all attempts of one call.
    pub(super) id: String,
    /// As others than AWS read it.
    pub(super) outside: Option<crate::stripe::Request>,
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn of(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// A call that waits until it is let go.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) caller: usize,
    pub(super) go: oneshot::Sender<()>,
}

#[derive(Debug)]
pub(super) struct Wire {
    table: DirectTable,
    secrets: BTreeMap<String, String>,
    pub(super) outside: Outside,
    dialled: AtomicU64,
    state: Mutex<State>,
    writes: AtomicU64,
    /// A broken table: no condition of a write is looked at.
    pub(super) unconditional: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) queues: Queues,
    pub(super) faults: Vec<Fault>,
    pub(super) calls: Vec<Call>,
    /// What befell a call befalls its further attempts too.
    pub(super) befallen: HashMap<String, Effect>,
    /// The number of each call, by what its attempts have in common.
    pub(super) numbers: HashMap<String, usize>,
    /// Set when what happens is over, and is looked at only.
    pub(super) observed: bool,
    /// Kept while a story wants a readable trace.
    pub(super) trace: Option<Vec<String>>,
    /// Kept while a race chooses who goes first.
    pub(super) held: Option<Vec<Held>>,
    /// The table as it was before the last write, kept where an index may be read stale.
    pub(super) behind: Option<Behind>,
}

/// A table that is one write behind.
#[derive(Debug)]
pub(super) struct Behind {
    pub(super) table: DirectTable,
    pub(super) next: Option<(String, Vec<u8>)>,
}

impl Behind {
    /// Makes up for the last write, and keeps this one for later.
    fn write(&mut self, operation: &str, body: &[u8]) {
        if let Some((operation, body)) = self.next.replace((operation.to_owned(), body.to_vec())) {
            self.table.answer(&operation, &body);
        }
    }
}

impl Wire {
    pub(super) fn new(table: DirectTable, secrets: BTreeMap<String, String>, clock: Clock) -> Self {
        Self {
            table,
            secrets,
            outside: Outside::new(clock),
            dialled: AtomicU64::new(0),
            state: Mutex::default(),
            writes: AtomicU64::new(0),
            unconditional: AtomicBool::new(false),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table, past the plan.
    pub(super) fn table(&self) -> &DirectTable {
        &self.table
    }

    /// How often functions have written to the table.
    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// What tells a call to others than AWS from every other: nothing tries one again unasked.
    pub(super) fn dial(&self) -> String {
        format!("dialled-{}", self.dialled.fetch_add(1, Ordering::SeqCst))
    }

    /// A line of the trace, if there is one.
    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.state().trace {
            trace.push(line());
        }
    }

    /// Takes a request; `None` is an answer that got lost.
    pub(super) async fn take(&self, request: Request) -> Option<Answer> {
        if self.state().observed {
            return self.answer(&request);
        }
        let invocation = INVOCATION.try_with(Clone::clone).ok();
        self.hold(invocation.as_ref()).await;
        let (number, effect) = self.meet(&request);
        let answer = match effect {
            None => self.answer(&request),
            Some(effect) => self.befall(&request, effect, invocation.as_ref()).await,
        };
        self.note(|| trace_line(number, &request, invocation.as_ref(), effect, answer.as_ref()));
        answer
    }

    /// Waits until the call is let go, if calls are held back.
    async fn hold(&self, invocation: Option<&Invocation>) {
        let gone = match (&mut self.state().held, invocation.and_then(|invocation| invocation.caller)) {
            (Some(held), Some(caller)) => {
                let (go, gone) = oneshot::channel();
                held.push(Held { caller, go });
                gone
            }
            _ => return,
        };
        // When nothing is held back any more, the sender is dropped, and that is as good.
        gone.await.unwrap_or_default();
    }

    /// Counts a call and says what befalls it.
    fn meet(&self, request: &Request) -> (usize, Option<Effect>) {
        let mut state = self.state();
        if let Some(number) = state.numbers.get(&request.id).copied() {
            let effect = state.befallen.get(&request.id).copied();
            let again = !matches!(effect, Some(Effect::LoseAnswerOnce | Effect::Conflict | Effect::Stale));
            return (number, effect.filter(|_| again));
        }
        let number = state.calls.len();
        state.numbers.insert(request.id.clone(), number);
        state.calls.push(Call {
            service: request.service,
            operation: request.operation.clone(),
            by_index: request.operation == "Query" && parsed(&request.body).get("IndexName").is_some(),
        });
        let effect = state.faults.iter().find(|fault| fault.call == number).map(|fault| fault.effect);
        if let Some(effect) = effect {
            state.befallen.insert(request.id.clone(), effect);
        }
        (number, effect)
    }

    async fn befall(
        &self,
        request: &Request,
        effect: Effect,
        invocation: Option<&Invocation>,
    ) -> Option<Answer> {
        let refused = |status, body: Value| Some(Answer::of(status, body.to_string()));
        match effect {
            Effect::StopBefore | Effect::StopAfter => {}
            _ if request.outside.is_some() => return self.outside.befall(request, effect),
            _ => {}
        }
        match effect {
            Effect::Refuse => refused(500, json!({ "__type": "InternalServerError" })),
            Effect::Throttle => refused(400, json!({ "__type": "ThrottlingException" })),
            Effect::Conflict => refused(400, local::conflict(&request.operation, &request.body)),
            Effect::Late | Effect::ErrorBefore | Effect::ErrorAfter | Effect::Garbled => {
                unreachable!("it befalls no call to AWS")
            }
            Effect::LoseAnswer => {
                // The further attempts of the call do not get through.
                self.state().befallen.insert(request.id.clone(), Effect::Refuse);
                self.answer(request);
                None
            }
            Effect::LoseAnswerOnce => {
                self.answer(request);
                None
            }
            Effect::StopBefore | Effect::StopAfter => {
                if effect == Effect::StopAfter {
                    self.answer(request);
                }
                let invocation = invocation?;
                self.note(|| {
                    let (who, what) = (&invocation.name, &request.operation);
                    format!("      {who}: {what} {}  <== {}", places(&request.body), effect.name())
                });
                invocation.stopped.notify_one();
                std::future::pending().await
            }
            Effect::Stale => {
                let state = self.state();
                let table = state.behind.as_ref().map_or(&self.table, |behind| &behind.table);
                let (status, body) = table.answer(&request.operation, &request.body);
                Some(Answer::of(status, body))
            }
        }
    }

    fn answer(&self, request: &Request) -> Option<Answer> {
        let (status, body) = match request.service {
            Service::Processor | Service::Receiver => return self.outside.answer(request),
            Service::Table => {
                let answer = if self.unconditional.load(Ordering::SeqCst) {
                    self.table.answer(&request.operation, &without_conditions(&request.body))
                } else {
                    self.table.answer(&request.operation, &request.body)
                };
                if answer.0 == 200 && !matches!(request.operation.as_str(), "GetItem" | "Query") {
                    self.writes.fetch_add(1, Ordering::SeqCst);
                    if let Some(behind) = &mut self.state().behind {
                        behind.write(&request.operation, &request.body);
                    }
                }
                answer
            }
            Service::Queue => self.state().queues.answer(&request.operation, &request.body),
            Service::Secrets => {
                let arn = parsed(&request.body)["SecretId"].as_str().unwrap_or_default().to_owned();
                let secret = self.secrets.get(&arn).cloned().unwrap_or_default();
                (200, json!({ "ARN": arn, "SecretString": secret }).to_string())
            }
        };
        Some(Answer::of(status, body))
    }
}

/// The same request with all conditions left out, and with what only they used.
fn without_conditions(body: &[u8]) -> Vec<u8> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.values_mut().for_each(strip);
                if fields.remove("ConditionExpression").is_none() {
                    return;
                }
                let update = fields.get("UpdateExpression").and_then(Value::as_str).unwrap_or_default();
                let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_:#".contains(letter);
                let used: Vec<String> = update.split(|letter| !is_name(letter)).map(str::to_owned).collect();
                for kind in ["ExpressionAttributeValues", "ExpressionAttributeNames"] {
                    if let Some(Value::Object(members)) = fields.get_mut(kind) {
                        members.retain(|name, _| used.contains(name));
                        if members.is_empty() {
                            fields.remove(kind);
                        }
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut body = parsed(body);
    strip(&mut body);
    body.to_string().into_bytes()
}

fn trace_line(
    number: usize,
    request: &Request,
    invocation: Option<&Invocation>,
    effect: Option<Effect>,
    answer: Option<&Answer>,
) -> String {
    let who = invocation.map_or("-", |invocation| &invocation.name);
    let became = match answer {
        None => "no answer".to_owned(),
        Some(Answer { status: 200, .. }) => "done".to_owned(),
        Some(Answer { status, body, .. }) => {
            format!("{status} {}", parsed(body.as_bytes())["__type"].as_str().unwrap_or_default())
        }
    };
    let fault = effect.map(|effect| format!("  <== {}", effect.name())).unwrap_or_default();
    let place = match &request.outside {
        Some(request) => request.path.clone(),
        None => places(&request.body),
    };
    format!("{number:>4}  {who}: {} {place} -> {became}{fault}", request.operation)
}

/// The keys of the rows that a request names.
fn places(body: &[u8]) -> String {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                let text = |name: &str| fields.get(name).and_then(|key| key["S"].as_str());
                if let (Some(pk), Some(sk)) = (text("pk"), text("sk")) {
                    found.push(format!("{pk}|{sk}"));
                    return;
                }
                if let Some(pk) = text(":pk") {
                    found.push(pk.to_owned());
                }
                fields.values().for_each(|field| collect(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    collect(&parsed(body), &mut found);
    found.join(" + ")
}
