//! Delivery at Stripe, exactly once.
//!
//! Stripe keeps the answer to the first request under an idempotency key, errors of status 500 too, and forgets it after 24
//! hours at the earliest (<https://docs.stripe.com/api/idempotent_requests>). So:
//!
//! - A step is sent under a key of its reward, its number and its key's number. An answer that got lost is asked for again
//!   by the same request under the same key.
//! - Where the key cannot tell what became of the step, because it holds an error or is too old, the step is looked for by
//!   its metadata: by listing, which sees what was written, and not by searching, which may not
//!   (<https://docs.stripe.com/search#data-freshness>). Only what is not found there is sent under a new key.
//! - Looking comes when the key's request is over for certain: Stripe has told its answer again
//!   (`Idempotent-Replayed: true`), or it is 23 hours old. An error that was told once may be of somebody in between, and
//!   the request still under way.

mod answer;
pub(crate) mod credit;
pub(crate) mod discount;

use std::time::Duration;

use aws::config::{Lookup, required};
use aws::outbound::{Limits, Outbound};
use aws::seal::Sealer;
use aws::store::{ConnectionRow, Store};
use aws::{ConfigError, Platform};
use chrono::TimeDelta;
use domain::id::{OrganizationId, Processor, StripeCustomerId};
use domain::stripe::processor;
use form_urlencoded::Serializer;
use http::{Method, Request, header};
use serde_json::{Map, Value};

use self::answer::{Failure, read};
use crate::way::{Step, Undone};

/// The version that requests and answers are of, whatever the account's own is (<https://docs.stripe.com/api/versioning>).
const VERSION: &str = "2025-03-31.basil";
/// How far a call may go.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(10), body_bytes: 1024 * 1024 };
/// How old a key may be that is still asked by. Stripe forgets keys after 24 hours; the hour is for a request on its way.
const KEY_HOURS: i64 = 23;

/// Stripe, for whoever has connected it.
#[derive(Debug, Clone)]
pub(crate) struct Stripe {
    outbound: Outbound,
    base: String,
    store: Store,
    sealer: Sealer,
    processor: Processor,
}

/// An organization's key, opened.
pub(crate) struct Access {
    authorization: String,
}

/// A call.
#[derive(Debug)]
struct Call<'a> {
    method: Method,
    /// Below the base, with its leading slash.
    path: String,
    /// What it says: in the query of a GET, in the body else.
    form: Vec<(&'a str, String)>,
    /// What a POST is told again from another one by.
    key: Option<String>,
}

impl<'a> Call<'a> {
    fn get(path: String, form: Vec<(&'a str, String)>) -> Self {
        Self { method: Method::GET, path, form, key: None }
    }

    /// One that has its effect once however often it is made, by what it says.
    fn post(path: String, form: Vec<(&'a str, String)>) -> Self {
        Self { method: Method::POST, path, form, key: None }
    }

    /// One that has its effect once for a key of a step.
    fn keyed(self, step: &Step<'_>) -> Self {
        Self { key: Some(format!("{}_{}_{}", step.reward.reward, step.number, step.key)), ..self }
    }
}

impl Stripe {
    pub(crate) fn new(
        platform: &Platform,
        lookup: Lookup<'_>,
        store: Store,
        sealer: Sealer,
    ) -> Result<Self, ConfigError> {
        let base = required(lookup, "STRIPE_API_BASE")?.trim_end_matches('/').to_owned();
        Ok(Self { outbound: Outbound::trusted(platform), base, store, sealer, processor: processor() })
    }

    /// The key of an organization that has connected Stripe.
    async fn access(&self, organization: &OrganizationId) -> Result<Access, Undone> {
        let row = self.store.find_recent_connection(organization, &self.processor).await;
        let row = row.map_err(|error| Undone::later(error.to_string()))?;
        let row = row.ok_or_else(|| Undone::never("no_processor_connection", "Stripe is not connected"))?;
        let place = ConnectionRow::place(organization, &self.processor);
        let key = self.sealer.open(&row.sealed_key, &place).await;
        let key = key.map_err(|error| Undone::later(format!("the connection to Stripe: {error}")))?;
        Ok(Access { authorization: format!("Bearer {key}") })
    }

    /// Makes a call, and reads what it came to.
    async fn call(&self, access: &Access, call: Call<'_>) -> Result<Value, Failure> {
        let form = call.form.iter().map(|(name, value)| (*name, value.as_str()));
        let form = Serializer::new(String::new()).extend_pairs(form).finish();
        let (mut uri, mut body) = (format!("{}{}", self.base, call.path), Vec::new());
        if call.method == Method::GET {
            uri = format!("{uri}?{form}");
        } else {
            body = form.into_bytes();
        }
        let mut request = Request::builder()
            .method(call.method)
            .uri(uri)
            .header(header::AUTHORIZATION, &access.authorization)
            .header("stripe-version", VERSION);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(body).map_err(|_| Undone::later("the address of Stripe's API is none"))?;
        let answer = self.outbound.send(request, LIMITS).await;
        let answer = answer.map_err(|error| Undone::later(format!("Stripe: {error}")))?;
        read(&answer)
    }
}

/// Whom the participant is at Stripe.
fn customer<'a>(step: &Step<'a>) -> Result<&'a StripeCustomerId, Undone> {
    let customer = step.participant.and_then(|participant| participant.customers.stripe.as_ref());
    customer
        .ok_or_else(|| Undone::never("no_processor_customer", "the participant has no customer at Stripe"))
}

/// Whether the step's key may be forgotten before a request with it arrives.
fn is_old(step: &Step<'_>) -> bool {
    step.now - step.key_since >= TimeDelta::hours(KEY_HOURS)
}

/// What tells a step from all others, wherever it is looked for.
fn metadata(step: &Step<'_>) -> [(&'static str, String); 2] {
    [("metadata[reward_id]", step.reward.reward.to_string()), ("metadata[step]", step.number.to_string())]
}

/// Whether metadata of Stripe's says that something is a reward's.
fn is_of(metadata: Option<&Map<String, Value>>, step: &Step<'_>) -> bool {
    says(metadata, "reward_id", step.reward.reward.as_str())
}

/// Whether metadata of Stripe's says that something is a step's.
fn is_of_step(metadata: Option<&Map<String, Value>>, step: &Step<'_>) -> bool {
    is_of(metadata, step) && says(metadata, "step", &step.number.to_string())
}

fn says(metadata: Option<&Map<String, Value>>, name: &str, value: &str) -> bool {
    metadata.and_then(|metadata| metadata.get(name)).and_then(Value::as_str) == Some(value)
}

/// The key is too old to be asked by, and nothing of the step was found: it is looked for once more before a new one is
/// sent.
fn too_old() -> Undone {
    Undone::later_renewed(format!("the key is older than {KEY_HOURS} hours, and the step is not there"))
}
