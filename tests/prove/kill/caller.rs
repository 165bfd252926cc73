//! Tells events as processors do: until each is acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use aws::Clock;
use chrono::{DateTime, Utc};
use domain::stripe::signature;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tests::{STRIPE_SECRET, Tenant};
use tokio::sync::watch;

use super::check::Program;
use super::plan::{Customer, Event};
use super::process::Process;

/// When an answer is given up.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The longest wait for the stage to be known as dead after it gave no answer.
const PAUSE: Duration = Duration::from_secs(1);

/// A backend and a processor that both tell the stage of the same events, wherever it is up.
#[derive(Debug)]
pub(super) struct Caller {
    http: reqwest::Client,
    key: String,
    endpoint: String,
    /// Where the stage is; nowhere while it is down.
    base_url: watch::Sender<Option<String>>,
    /// How far the stage's clock is ahead of the system's.
    ahead_ms: Arc<AtomicI64>,
    paid_at: DateTime<Utc>,
    acknowledged: AtomicUsize,
    unanswered: AtomicUsize,
    put_off: AtomicUsize,
}

/// One call.
struct Call {
    path: String,
    body: Value,
    /// Whether it is the processor's, signed, or the backend's, with its key.
    signed: bool,
}

impl Caller {
    /// Everything is paid at `paid_at`.
    pub(super) fn new(program: &Program, paid_at: DateTime<Utc>) -> Self {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().expect("a client without options");
        Self {
            http,
            key: program.key.clone(),
            endpoint: program.endpoint.clone(),
            base_url: watch::Sender::new(None),
            ahead_ms: Arc::default(),
            paid_at,
            acknowledged: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            put_off: AtomicUsize::new(0),
        }
    }

    /// How many calls were answered with 2xx.
    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// How many calls got no whole answer.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::SeqCst)
    }

    /// How many calls were asked to come back.
    pub(super) fn put_off(&self) -> usize {
        self.put_off.load(Ordering::SeqCst)
    }

    /// Says where the stage is now, or that it is down.
    ///
    /// # Errors
    /// When the stage does not say what time it is.
    pub(super) async fn reach(&self, process: Option<&Process>) -> Result<()> {
        if let Some(process) = process {
            let now = process.advance(0).await?;
            self.ahead_ms.store((now - Clock::system().now()).num_milliseconds(), Ordering::SeqCst);
        }
        self.base_url.send_replace(process.map(|process| process.base_url.clone()));
        Ok(())
    }

    /// Tells everything of a customer; each event until it is acknowledged, as often as it has copies.
    ///
    /// # Errors
    /// When an event is refused, which none should be.
    pub(super) async fn tell(&self, customer: &Customer, code: &str) -> Result<()> {
        for step in &customer.steps {
            let copies: Vec<Call> =
                (0..step.copies).map(|copy| self.call(customer, step.event, code, copy)).collect();
            if step.at_once {
                try_join_all(copies.iter().map(|copy| self.until_acknowledged(copy))).await?;
            } else {
                for copy in &copies {
                    self.until_acknowledged(copy).await?;
                }
            }
        }
        Ok(())
    }

    async fn until_acknowledged(&self, call: &Call) -> Result<()> {
        let mut up = self.base_url.subscribe();
        loop {
            let base_url = up.wait_for(Option::is_some).await?.clone().unwrap_or_default();
            match self.once(call, base_url.clone()).await {
                Ok(answer) if (200..300).contains(&answer.status) => break,
                Ok(answer) if answer.status >= 500 => self.put_off.fetch_add(1, Ordering::SeqCst),
                Ok(answer) => {
                    bail!("{} was refused: {} {}\n{}", call.path, answer.status, answer.body, call.body)
                }
                Err(_) => {
                    // It has just been killed; or it has not answered in time.
                    let elsewhere = up.wait_for(|now| now.as_ref() != Some(&base_url));
                    tokio::time::timeout(PAUSE, elsewhere).await.map(drop).unwrap_or_default();
                    self.unanswered.fetch_add(1, Ordering::SeqCst)
                }
            };
        }
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn once(&self, call: &Call, base_url: String) -> Result<tests::Answer, reqwest::Error> {
        let body = call.body.to_string();
        if !call.signed {
            let tenant = Tenant::new(self.http.clone(), base_url, self.key.clone());
            return tenant.try_send("POST", &call.path, body, &[]).await;
        }
        let now = Clock::shifted(self.ahead_ms.clone()).now();
        let signature = signature::sign(body.as_bytes(), STRIPE_SECRET, now);
        let processor = Tenant::new(self.http.clone(), base_url, String::new());
        processor.try_send("POST", &call.path, body, &[("stripe-signature", &signature)]).await
    }

    /// An event as one of its two tellers has it: of payments, copies are told by the processor and the backend in turn.
    fn call(&self, customer: &Customer, event: Event, code: &str, copy: usize) -> Call {
        let by_backend = |path: &str, body: Value| Call { path: path.to_owned(), body, signed: false };
        match event {
            Event::SignUp => {
                by_backend("/v1/track/signup", json!({"external_id": customer.id(), "code": code}))
            }
            Event::Paid { invoice, amount } if (invoice + copy).is_multiple_of(2) => {
                let invoice = customer.invoice(invoice);
                let body = json!({"invoice_id": invoice, "processor": "stripe", "external_id": customer.id(),
                    "amount_paid": amount, "currency": "USD", "paid_at": self.paid_at});
                by_backend("/v1/track/invoice-paid", body)
            }
            Event::Paid { invoice, amount } => {
                let (id, at) = (customer.invoice(invoice), self.paid_at.timestamp());
                let object = json!({"id": id, "object": "invoice", "amount_paid": amount, "total": amount,
                    "currency": "usd", "metadata": {"referral_external_id": customer.id()},
                    "status_transitions": {"paid_at": at}});
                let body = json!({"id": format!("evt_{id}"), "object": "event", "livemode": false,
                    "type": "invoice.paid", "created": at, "data": {"object": object}});
                Call { path: self.endpoint.clone(), body, signed: true }
            }
            Event::Refunded { invoice, amount } => {
                let body = json!({"refund_id": customer.refund(invoice), "processor": "stripe",
                    "invoice_id": customer.invoice(invoice), "amount": amount, "currency": "USD"});
                by_backend("/v1/track/refund", body)
            }
        }
    }
}
