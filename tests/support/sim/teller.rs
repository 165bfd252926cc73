//! Who tells a story to the functions, as Stripe and a backend do.

use std::rc::Rc;

use serde_json::{Value, json};

use super::check::{self, Outcome, Violation, violation};
use super::story::{Delivery, Event, Manner, Shape};
use super::table::Rows;
use super::tenant::{Tenant, text};
use super::world::{Moment, Reply, World};

/// The signing secret of the endpoint.
const SECRET: &str = "whsec_of_the_simulator";
/// How often a caller repeats what was not acknowledged.
const REPEATS: usize = 4;

/// One request of a caller.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) label: String,
    path: String,
    /// An event of Stripe's is signed when it is sent; anything else comes with the API key.
    by_stripe: bool,
    body: Value,
}

/// A program that gives 10 percent, Anna, and a Stripe endpoint.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) beginning: Moment,
    key: String,
    code: String,
    endpoint: String,
    pub(super) participant: String,
}

impl Stage {
    pub(super) async fn set(world: &Rc<World>) -> Self {
        let tenant = Tenant::new(world, crate::percent_rule("10")).await;
        let endpoint = json!({"processor": "stripe", "secrets": [SECRET]});
        let endpoint = text(&tenant.ask("POST", "/v1/webhook-endpoints", endpoint).await["path"]);
        let (participant, code) = tenant.enrol("anna").await;
        world.advance(100);
        Self { beginning: world.moment(), key: tenant.key, code, endpoint, participant }
    }
}

/// A part of a story as it is told, from some moment on.
#[derive(Debug)]
pub(super) struct Teller<'a> {
    world: &'a World,
    stage: &'a Stage,
    manner: Manner,
    /// When everything is said to have happened.
    told_at: i64,
    rows: Rows,
    /// What was not acknowledged, and is to be repeated.
    pub(super) unheard: Vec<Told>,
}

impl<'a> Teller<'a> {
    /// Goes on from where the world is.
    pub(super) fn new(world: &'a World, stage: &'a Stage, manner: Manner, unheard: Vec<Told>) -> Self {
        let told_at = stage.beginning.seconds();
        Self { world, stage, manner, told_at, rows: world.rows(), unheard }
    }

    /// Tells an event.
    pub(super) async fn tell(&mut self, event: Event) -> Result<(), Violation> {
        if self.manner.ticking {
            self.world.advance(1);
        }
        for told in self.told(event) {
            let heard = self.try_to_tell(&told).await;
            self.step()?;
            match (heard, self.manner.late) {
                (true, _) => {}
                (false, true) => self.unheard.push(told),
                (false, false) => self.repeat(&told).await?,
            }
        }
        match self.manner.delivery {
            Delivery::Eager => {
                self.world.deliver().await;
                self.step()
            }
            Delivery::Lazy => Ok(()),
            Delivery::Lost => {
                self.world.lose_messages();
                Ok(())
            }
        }
    }

    /// Repeats what was not acknowledged, lets everything come to rest, and answers what it came to.
    pub(super) async fn end(&mut self) -> Result<Outcome, Violation> {
        for told in std::mem::take(&mut self.unheard) {
            self.repeat(&told).await?;
        }
        self.rows = check::come_to_rest(self.world, &self.rows).await?;
        self.observe().await
    }

    async fn repeat(&mut self, told: &Told) -> Result<(), Violation> {
        for _ in 0..REPEATS {
            let heard = self.try_to_tell(told).await;
            self.step()?;
            if heard {
                return Ok(());
            }
        }
        violation(format!("{} is never acknowledged", told.label))
    }

    /// Whether it was acknowledged.
    async fn try_to_tell(&self, told: &Told) -> bool {
        let body = told.body.to_string();
        let name = if told.by_stripe { "stripe-signature" } else { "authorization" };
        let value = if told.by_stripe {
            domain::stripe::signature::sign(body.as_bytes(), SECRET, self.world.now())
        } else {
            format!("Bearer {}", self.stage.key)
        };
        let reply = self.world.http(&told.label, "POST", &told.path, &[(name, &value)], body).await;
        self.world.note(|| match &reply {
            Some(Reply { status, body }) => format!("      {}: {status} {body}", told.label),
            None => format!("      {}: no answer", told.label),
        });
        reply.is_some_and(|reply| matches!(reply.status, 200..=202))
    }

    fn step(&mut self) -> Result<(), Violation> {
        self.rows = check::step(self.world, &self.rows)?;
        Ok(())
    }

    /// What Anna has at the end, by the table and by the API alike.
    async fn observe(&self) -> Result<Outcome, Violation> {
        let mut outcome = check::outcome(&self.rows, &self.stage.participant);
        outcome.balance = check::balance(self.world, &self.stage.key, &self.stage.participant).await?;
        Ok(outcome)
    }

    fn told(&self, event: Event) -> Vec<Told> {
        let refund = |id: &str, amount: i64, status: &str| {
            json!({"id": id, "object": "refund", "amount": amount, "currency": "usd", "status": status,
                "charge": "ch_1", "payment_intent": "pi_1", "metadata": {}})
        };
        let dispute = |status: &str| {
            json!({"id": "dp_1", "object": "dispute", "amount": 3_000, "currency": "usd", "status": status,
                "charge": "ch_1", "payment_intent": "pi_1", "metadata": {}})
        };
        match event {
            Event::SignUp => {
                let body = json!({"external_id": "ben", "code": self.stage.code});
                let path = "/v1/track/signup".to_owned();
                vec![Told { label: "sign-up".to_owned(), path, by_stripe: false, body }]
            }
            Event::Paid => vec![self.stripe("invoice.paid", self.invoice())],
            Event::Twin => {
                let mut told = vec![self.stripe("invoice.payment_succeeded", self.invoice())];
                if self.manner.shape == Shape::Basil {
                    let payment = json!({"id": "inpay_1", "object": "invoice_payment", "invoice": "in_1",
                        "amount_paid": 20_000, "currency": "usd", "status": "paid",
                        "payment": {"type": "payment_intent", "payment_intent": "pi_1"}});
                    told.push(self.stripe("invoice_payment.paid", payment));
                }
                told
            }
            Event::RefundOne => vec![self.stripe("refund.updated", refund("re_1", 5_000, "succeeded"))],
            Event::RefundTwo => vec![self.stripe("refund.updated", refund("re_2", 2_500, "succeeded"))],
            Event::RefundFailed => vec![self.stripe("refund.failed", refund("re_2", 2_500, "failed"))],
            Event::DisputeOpened => vec![self.stripe("charge.dispute.created", dispute("needs_response"))],
            Event::FundsWithdrawn => {
                vec![self.stripe("charge.dispute.funds_withdrawn", dispute("under_review"))]
            }
            Event::DisputeWon => vec![self.stripe("charge.dispute.closed", dispute("won"))],
            Event::DisputeLost => vec![self.stripe("charge.dispute.closed", dispute("lost"))],
        }
    }

    fn invoice(&self) -> Value {
        let mut invoice = json!({"id": "in_1", "object": "invoice", "amount_paid": 20_000, "total": 20_000,
            "currency": "usd", "customer": "cus_1", "status": "paid", "metadata": {"referral_external_id": "ben"},
            "status_transitions": {"paid_at": self.told_at}});
        if self.manner.shape == Shape::Old {
            invoice["charge"] = json!("ch_1");
            invoice["payment_intent"] = json!("pi_1");
        }
        invoice
    }

    fn stripe(&self, kind: &str, object: Value) -> Told {
        let body = json!({"id": format!("evt_{kind}"), "object": "event", "livemode": false, "type": kind,
            "created": self.told_at, "data": {"object": object}});
        Told { label: kind.to_owned(), path: self.stage.endpoint.clone(), by_stripe: true, body }
    }
}
