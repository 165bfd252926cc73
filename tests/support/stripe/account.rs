//! An account: what it holds, who may ask, and what goes wrong.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws::Clock;
use serde_json::Value;

use super::keys::{Keys, Said};
use super::objects::Objects;
use super::wire::{Request, Response};

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It never arrives, and nothing is answered.
    LoseRequest,
    /// It has its effect, and nothing is answered.
    LoseAnswer,
    /// The connection breaks before it has any effect.
    CloseBefore,
    /// The connection breaks after its effect.
    CloseAfter,
    /// Nothing is answered, and its effect comes late: when it has been asked for once more and is told off, or when all is
    /// over ([`Account::settle`]).
    Slow,
    /// An internal error before it has any effect; it is kept under its key.
    ErrorBefore,
    /// An internal error after its effect; it is kept under its key.
    ErrorAfter,
    /// Too many calls: it has no effect, and the caller shall wait for so many seconds.
    RateLimited(u32),
    /// Not available: it has no effect, and nothing is kept.
    Unavailable,
    /// Whatever is in between gives up waiting: it has its effect, and its answer is kept.
    GatewayTimeout,
    /// It has its effect, and what arrives is no answer of Stripe's, with status 200.
    Garbled,
    /// Not of a call: a day and an hour pass before the next try, and all keys are forgotten. The account's owner has to
    /// make it so ([`Account::night`]).
    Night,
}

impl Trouble {
    /// One of each.
    pub const ALL: [Self; 12] = [
        Self::LoseRequest,
        Self::LoseAnswer,
        Self::CloseBefore,
        Self::CloseAfter,
        Self::Slow,
        Self::ErrorBefore,
        Self::ErrorAfter,
        Self::RateLimited(7),
        Self::Unavailable,
        Self::GatewayTimeout,
        Self::Garbled,
        Self::Night,
    ];
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// It is answered.
    Answered(Response),
    /// It is never answered.
    Silent,
    /// The connection breaks.
    Broken,
}

/// A Stripe account. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Account {
    state: Arc<Mutex<State>>,
    clock: Clock,
}

/// All that an account holds and knows at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Holdings(State);

impl Holdings {
    /// What equal holdings share. What it was asked so far makes no difference to what it does.
    pub(crate) fn text(&self) -> String {
        let State { objects, keys, .. } = &self.0;
        format!("{objects:?} {keys:?}")
    }
}

#[derive(Debug, Clone, Default)]
struct State {
    /// The key that opens it.
    api_key: String,
    /// Whether the key may do nothing.
    restricted: bool,
    objects: Objects,
    keys: Keys,
    troubles: VecDeque<Trouble>,
    requests: Vec<Request>,
}

impl Account {
    /// An empty one that this key opens.
    pub fn new(api_key: &str, clock: Clock) -> Self {
        let state = State { api_key: api_key.to_owned(), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), clock }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere is a test that fails anyway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that it holds.
    pub(crate) fn save(&self) -> Holdings {
        Holdings(self.state().clone())
    }

    /// Goes back to what it held.
    pub(crate) fn restore(&self, holdings: &Holdings) {
        *self.state() = holdings.0.clone();
    }

    /// Empties it, but for its key.
    pub fn clear(&self) {
        let mut state = self.state();
        *state = State { api_key: state.api_key.clone(), ..State::default() };
    }

    /// From now on another key opens it.
    pub fn change_key(&self, api_key: &str) {
        api_key.clone_into(&mut self.state().api_key);
    }

    /// Whether its key may do nothing.
    pub fn restrict(&self, restricted: bool) {
        self.state().restricted = restricted;
    }

    /// A customer, with the currency that it is tied to, if it is.
    pub fn add_customer(&self, id: &str, currency: Option<&str>) {
        self.state().objects.add_customer(id, currency);
    }

    /// Deletes a customer.
    pub fn delete_customer(&self, id: &str) {
        self.state().objects.delete_customer(id);
    }

    /// What goes wrong with the next calls, one after the other.
    pub fn plan(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.state().troubles.extend(troubles);
    }

    /// Whether a night is what comes next; then it has come.
    pub fn night(&self) -> bool {
        let mut state = self.state();
        let night = state.troubles.front() == Some(&Trouble::Night);
        if night {
            state.troubles.pop_front();
            state.settle(self.clock.now().timestamp());
            state.keys.prune();
        }
        night
    }

    /// Forgets all idempotency keys, earlier than Stripe promises.
    pub fn forget_keys(&self) {
        self.state().keys.prune();
    }

    /// Nothing goes wrong any more, and whatever is under way comes to its end, whether anybody still asks or not.
    pub fn settle(&self) {
        let mut state = self.state();
        state.troubles.clear();
        state.settle(self.clock.now().timestamp());
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// A customer's balance; negative is credit.
    pub fn balance(&self, customer: &str) -> i64 {
        self.state().objects.balance(customer)
    }

    /// The balance transactions of a step: their ids and amounts.
    pub fn transactions(&self, reward: &str, step: u32) -> Vec<(String, i64)> {
        self.state().objects.transactions(reward, step)
    }

    /// The balance transactions of a reward, the oldest first: step and amount.
    pub fn steps(&self, reward: &str) -> Vec<(String, i64)> {
        self.state().objects.steps(reward)
    }

    /// The promotion codes of a reward.
    pub fn promotion_codes(&self, reward: &str) -> Vec<Value> {
        self.state().objects.promotion_codes(reward)
    }

    /// A coupon.
    pub fn coupon(&self, id: &str) -> Option<Value> {
        self.state().objects.coupon(id)
    }

    /// The customer uses a promotion code.
    pub fn redeem(&self, code: &str) {
        self.state().objects.redeem(code);
    }

    /// Takes a request.
    pub fn handle(&self, request: &Request) -> Outcome {
        let created = self.clock.now().timestamp();
        let mut state = self.state();
        state.requests.push(request.clone());
        let trouble = match state.troubles.front() {
            None | Some(Trouble::Night) => None,
            Some(_) => state.troubles.pop_front(),
        };
        let Some(trouble) = trouble else { return Outcome::Answered(state.answer(request, created)) };
        match trouble {
            Trouble::LoseRequest => Outcome::Silent,
            Trouble::LoseAnswer => {
                state.answer(request, created);
                Outcome::Silent
            }
            Trouble::CloseBefore => Outcome::Broken,
            Trouble::CloseAfter => {
                state.answer(request, created);
                Outcome::Broken
            }
            Trouble::Slow => {
                // Without a key nothing can tell that it is under way: it is done at once, and that is all.
                let known = matches!(state.keys.ask(request), Said::Answer(_));
                if known || !state.keys.leave(request, 1) {
                    state.answer(request, created);
                }
                Outcome::Silent
            }
            Trouble::ErrorBefore => Outcome::Answered(state.fail(request, None)),
            Trouble::ErrorAfter => Outcome::Answered(state.fail(request, Some(created))),
            Trouble::RateLimited(seconds) => {
                let response = Response::error(429, "invalid_request_error", Some("rate_limit"), None);
                Outcome::Answered(response.with("retry-after", seconds.to_string()))
            }
            Trouble::Unavailable => Outcome::Answered(Response::page(503)),
            Trouble::GatewayTimeout => {
                state.answer(request, created);
                Outcome::Answered(Response::page(504))
            }
            Trouble::Garbled => {
                state.answer(request, created);
                Outcome::Answered(Response::page(200))
            }
            Trouble::Night => unreachable!("it befalls no call"),
        }
    }
}

impl State {
    /// What a request is answered when nothing goes wrong.
    fn answer(&mut self, request: &Request, created: i64) -> Response {
        if let Some(refused) = self.refuse(request) {
            return refused;
        }
        if request.method != "POST" {
            return self.objects.act(request, created);
        }
        loop {
            match self.keys.ask(request) {
                Said::Answer(response) => return response,
                Said::Finish(first) => {
                    self.act(&first, created);
                }
                Said::Nothing => return self.act(request, created),
            }
        }
    }

    /// An internal error, before or after the effect. Where the key knows better already, it is told.
    fn fail(&mut self, request: &Request, after: Option<i64>) -> Response {
        if request.method == "POST"
            && let Said::Answer(response) = self.keys.ask(request)
        {
            return response;
        }
        if let Some(created) = after {
            self.objects.act(request, created);
        }
        let response = Response::error(500, "api_error", None, None);
        self.keys.keep(request, &response);
        response
    }

    /// Brings to its end what is under way.
    fn settle(&mut self, created: i64) {
        for request in self.keys.all_under_way() {
            self.act(&request, created);
        }
    }

    /// Does what is asked, and keeps the answer.
    fn act(&mut self, request: &Request, created: i64) -> Response {
        let response = self.objects.act(request, created);
        self.keys.keep(request, &response);
        response
    }

    /// Why the caller may not ask at all, if it may not.
    fn refuse(&self, request: &Request) -> Option<Response> {
        if request.header("authorization") != format!("Bearer {}", self.api_key) {
            return Some(Response::error(401, "invalid_request_error", None, None));
        }
        if self.restricted {
            return Some(Response::error(
                403,
                "invalid_request_error",
                Some("insufficient_permissions"),
                None,
            ));
        }
        let key = request.header("idempotency-key");
        (key.len() > 255).then(|| Response::invalid("parameter_invalid", "idempotency_key"))
    }
}
