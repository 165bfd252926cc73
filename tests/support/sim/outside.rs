//! What lies outside the engine: a Stripe account, and a receiver of webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws::Clock;
use serde_json::Value;

use super::client::parsed;
use super::plan::{AWAY_SECONDS, Effect, Service};
use super::wire::{Answer, Request};
use crate::stripe::{Account, Holdings, Outcome};

/// The key that opens the account.
pub(super) const API_KEY: &str = "rk_test_000000000000004242";
/// The host of the processor's API, as the template names it.
const PROCESSOR: &str = "https://api.stripe.com/";

/// Bodies by `webhook-id`: one, unless one id was used for two.
pub(super) type Heard = BTreeMap<String, BTreeSet<String>>;

/// All of it.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) account: Account,
    heard: Arc<Mutex<Heard>>,
}

/// All that it is at one moment.
#[derive(Debug, Clone)]
pub(super) struct Beyond {
    account: Holdings,
    heard: Heard,
}

impl Beyond {
    /// What equal moments share.
    pub(super) fn text(&self) -> String {
        format!("{} {:?}", self.account.text(), self.heard)
    }
}

impl Outside {
    pub(super) fn new(clock: Clock) -> Self {
        Self { account: Account::new(API_KEY, clock), heard: Arc::default() }
    }

    /// Whom an address belongs to.
    pub(super) fn service_of(uri: &str) -> Service {
        if uri.starts_with(PROCESSOR) { Service::Processor } else { Service::Receiver }
    }

    fn heard_now(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the receiver was sent.
    pub(super) fn heard(&self) -> Heard {
        self.heard_now().clone()
    }

    pub(super) fn save(&self) -> Beyond {
        Beyond { account: self.account.save(), heard: self.heard() }
    }

    pub(super) fn restore(&self, beyond: &Beyond) {
        self.account.restore(&beyond.account);
        self.heard_now().clone_from(&beyond.heard);
    }

    /// Takes a request that nothing befalls.
    pub(super) fn answer(&self, request: &Request) -> Option<Answer> {
        if request.service == Service::Processor {
            return self.ask(request);
        }
        let body = String::from_utf8(request.body.clone()).unwrap();
        let id = request.outside.as_ref().map_or("", |request| request.header("webhook-id"));
        self.heard_now().entry(id.to_owned()).or_default().insert(body);
        Some(Answer::of(200, "thanks"))
    }

    /// Takes a request that something befalls but the end of its process.
    pub(super) fn befall(&self, request: &Request, effect: Effect) -> Option<Answer> {
        if request.service == Service::Processor {
            self.account.plan(effect.trouble());
            return self.ask(request);
        }
        match effect {
            Effect::LoseAnswer => {
                self.answer(request);
                None
            }
            Effect::Throttle => Some(Answer::of(429, "busy").with("retry-after", AWAY_SECONDS.to_string())),
            Effect::ErrorBefore => Some(Answer::of(500, "sorry")),
            Effect::Refuse
            | Effect::Conflict
            | Effect::LoseAnswerOnce
            | Effect::StopBefore
            | Effect::StopAfter
            | Effect::Stale
            | Effect::Late
            | Effect::ErrorAfter
            | Effect::Garbled => None,
        }
    }

    fn ask(&self, request: &Request) -> Option<Answer> {
        match self.account.handle(request.outside.as_ref()?) {
            Outcome::Answered(response) => {
                Some(Answer { status: response.status, headers: response.headers, body: response.body })
            }
            Outcome::Silent | Outcome::Broken => None,
        }
    }
}

/// The types of what was heard, with what each is of; `Err` where one id was used for two bodies.
pub(super) fn types(heard: &Heard) -> Result<Vec<(String, Value)>, String> {
    let mut types = Vec::new();
    for (id, bodies) in heard {
        let mut bodies = bodies.iter().map(|body| parsed(body.as_bytes()));
        let (Some(body), None) = (bodies.next(), bodies.next()) else {
            return Err(format!("{id} was sent with different bodies"));
        };
        types.push((body["type"].as_str().unwrap_or_default().to_owned(), body["data"].clone()));
    }
    types.sort_by_key(|(kind, data)| (kind.clone(), data.to_string()));
    Ok(types)
}
