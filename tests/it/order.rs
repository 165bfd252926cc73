//! Order does not matter: every order of {sign-up, invoice.paid, its twin, two partial refunds, a lost dispute}, told by
//! Stripe's webhooks, ends in the same money; and so does every order of a dispute that is won and a refund that fails.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tests::{Tenant, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    SignUp,
    Paid,
    Twin,
    RefundOne,
    RefundTwo,
    DisputeLost,
    DisputeOpened,
    FundsWithdrawn,
    DisputeWon,
    RefundFailed,
}

const TAKEN: [Event; 6] =
    [Event::SignUp, Event::Paid, Event::Twin, Event::RefundOne, Event::RefundTwo, Event::DisputeLost];
const RESTORED: [Event; 5] =
    [Event::DisputeOpened, Event::FundsWithdrawn, Event::DisputeWon, Event::RefundTwo, Event::RefundFailed];

/// Which of Stripe's shapes the events have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// 2020-08-27: the charge names its invoice.
    Old,
    /// Since 2025-03-31: only invoice_payment.paid ties a payment to its invoice.
    Basil,
}

struct Story<'a> {
    tenant: &'a Tenant,
    endpoint: &'a str,
    code: &'a str,
    referee: String,
    shape: Shape,
    now: DateTime<Utc>,
}

impl Story<'_> {
    async fn tell(&self, event: Event) {
        match event {
            Event::SignUp => {
                let answer = self.tenant.sign_up(&self.referee, self.code).await;
                assert!(matches!(answer.status, 200 | 201), "{answer:?}");
            }
            Event::Paid => self.deliver("invoice.paid", self.invoice()).await,
            Event::Twin => {
                self.deliver("invoice.payment_succeeded", self.invoice()).await;
                if self.shape == Shape::Basil {
                    self.deliver("invoice_payment.paid", self.invoice_payment()).await;
                }
            }
            Event::RefundOne => {
                self.deliver("charge.refunded", self.charge(5_000)).await;
                self.deliver("refund.updated", self.refund("re_1", 5_000)).await;
            }
            Event::RefundTwo => self.deliver("refund.updated", self.refund("re_2", 2_500)).await,
            Event::RefundFailed => {
                let mut refund = self.refund("re_2", 2_500);
                refund["status"] = json!("failed");
                self.deliver("refund.failed", refund).await;
            }
            Event::DisputeLost => self.deliver("charge.dispute.closed", self.dispute("lost")).await,
            Event::DisputeOpened => {
                self.deliver("charge.dispute.created", self.dispute("needs_response")).await
            }
            Event::FundsWithdrawn => {
                self.deliver("charge.dispute.funds_withdrawn", self.dispute("under_review")).await;
            }
            Event::DisputeWon => self.deliver("charge.dispute.closed", self.dispute("won")).await,
        }
    }

    async fn deliver(&self, kind: &str, object: Value) {
        let event = json!({"id": format!("evt_{kind}_{}", self.referee), "object": "event", "livemode": false,
            "type": kind, "created": self.now.timestamp(), "data": {"object": object}});
        let answer = self.tenant.stripe(self.endpoint, &event, self.now).await.ok();
        assert_eq!(answer["outcome"], "processed", "{kind}: {answer}");
    }

    fn id(&self, prefix: &str) -> String {
        format!("{prefix}_{}", self.referee)
    }

    fn invoice(&self) -> Value {
        let mut invoice = json!({"id": self.id("in"), "object": "invoice", "amount_paid": 20_000, "total": 20_000,
            "currency": "usd", "customer": self.id("cus"), "status": "paid",
            "metadata": {"referral_external_id": self.referee},
            "status_transitions": {"paid_at": self.now.timestamp()}});
        if self.shape == Shape::Old {
            invoice["charge"] = json!(self.id("ch"));
            invoice["payment_intent"] = json!(self.id("pi"));
        }
        invoice
    }

    fn invoice_payment(&self) -> Value {
        json!({"id": self.id("inpay"), "object": "invoice_payment", "invoice": self.id("in"), "amount_paid": 20_000,
            "currency": "usd", "status": "paid",
            "payment": {"type": "payment_intent", "payment_intent": self.id("pi")}})
    }

    fn charge(&self, refunded: i64) -> Value {
        let mut charge = json!({"id": self.id("ch"), "object": "charge", "amount": 20_000, "currency": "usd",
            "amount_refunded": refunded, "payment_intent": self.id("pi"), "customer": self.id("cus"),
            "metadata": {}});
        if self.shape == Shape::Old {
            charge["invoice"] = json!(self.id("in"));
        }
        charge
    }

    fn dispute(&self, status: &str) -> Value {
        json!({"id": self.id("dp"), "object": "dispute", "amount": 3_000, "currency": "usd", "status": status,
            "charge": self.id("ch"), "payment_intent": self.id("pi"), "metadata": {}})
    }

    fn refund(&self, id: &str, amount: i64) -> Value {
        json!({"id": self.id(id), "object": "refund", "amount": amount, "currency": "usd", "status": "succeeded",
            "charge": self.id("ch"), "payment_intent": self.id("pi"), "metadata": {}})
    }
}

fn permutations(events: &[Event]) -> Vec<Vec<Event>> {
    if events.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in events.iter().enumerate() {
        let mut rest = events.to_vec();
        rest.remove(index);
        for mut order in permutations(&rest) {
            order.insert(0, *first);
            all.push(order);
        }
    }
    all
}

/// A program with a webhook, and the moment that everything is told at.
async fn stage() -> (World, Tenant, String, String, DateTime<Utc>) {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(tests::percent_rule("10")).await;
    let endpoint = tenant.stripe_endpoint().await;
    // Stripe tells whole seconds: the payments must not seem to come before the program.
    world.advance(10).await;
    let now = world.now().await;
    (world, tenant, program, endpoint, now)
}

/// Every second order in the old shape, the others in the new one.
const fn shape_of(number: usize) -> Shape {
    if number.is_multiple_of(2) { Shape::Old } else { Shape::Basil }
}

#[tokio::test]
async fn every_order_of_payment_refunds_and_a_lost_dispute_ends_in_the_same_money() {
    let (world, tenant, program, endpoint, now) = stage().await;
    let orders = permutations(&TAKEN);
    assert_eq!(orders.len(), 720);
    for (number, order) in orders.iter().enumerate() {
        let referrer = tenant.enrol(&program, &format!("anna-{number}"), "Anna").await;
        let (tenant, endpoint, code) = (&tenant, endpoint.as_str(), referrer.code.as_str());
        let referee = format!("ben-{number}");
        // Both shapes see every event in every place; the order within a pair of orders differs in its end alone.
        let story = Story { tenant, endpoint, code, referee, shape: shape_of(number), now };
        for (step, event) in order.iter().enumerate() {
            story.tell(*event).await;
            // Every other story delivers what fulfils in between, so refunds meet rewards in all states.
            if (number + step) % 3 == 0 {
                world.drain().await;
            }
        }
        if number % 8 < 2 {
            // Everything again, the other way round: nothing is new.
            for event in order.iter().rev() {
                story.tell(*event).await;
            }
        }
        world.drain().await;
        let (available, pending, earned, reversed) = tenant.figures(&referrer).await;
        assert_eq!((available, pending, earned - reversed), (950, 0, 950), "{:?} {order:?}", story.shape);
    }
    world.assert_at_rest().await;
}

#[tokio::test]
async fn every_order_of_a_dispute_that_is_won_and_a_refund_that_fails_gives_everything_back() {
    let (world, tenant, program, endpoint, now) = stage().await;
    let orders = permutations(&RESTORED);
    assert_eq!(orders.len(), 120);
    for (number, order) in orders.iter().enumerate() {
        let referrer = tenant.enrol(&program, &format!("anna-{number}"), "Anna").await;
        let (tenant, endpoint, code) = (&tenant, endpoint.as_str(), referrer.code.as_str());
        let referee = format!("ben-{number}");
        let story = Story { tenant, endpoint, code, referee, shape: shape_of(number), now };
        let paid_after = number % 6;
        story.tell(Event::SignUp).await;
        for (step, event) in order.iter().enumerate() {
            if step == paid_after {
                story.tell(Event::Paid).await;
                story.tell(Event::Twin).await;
            }
            story.tell(*event).await;
            if (number + step) % 2 == 0 {
                world.drain().await;
            }
        }
        if paid_after == order.len() {
            story.tell(Event::Paid).await;
            story.tell(Event::Twin).await;
        }
        world.drain().await;
        let (available, pending, earned, reversed) = tenant.figures(&referrer).await;
        assert_eq!((available, pending, earned - reversed), (2000, 0, 2000), "{:?} {order:?}", story.shape);
    }
    world.assert_at_rest().await;
}

/// A payment that is told twice was made at the earlier of the two moments, whichever was told first.
#[tokio::test]
async fn a_payment_that_turns_out_to_be_older_than_its_program_or_referral_earns_nothing_in_any_order() {
    let (world, tenant, program, _, now) = stage().await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    // Cleo came by herself, and was assigned a day later.
    tenant.post("/v1/track/signup", json!({"external_id": "cleo"})).await.created();
    let tomorrow = now + chrono::Duration::days(1);
    world.advance(86_400).await;
    let assigned = json!({"program": program, "referrer": "anna"});
    tenant.call("PUT", "/v1/referrals/cleo", Some(&assigned)).await;
    world.advance(10).await;
    let paid = |referee: &str, invoice: &str, at: DateTime<Utc>| {
        let body = json!({"invoice_id": invoice, "processor": "stripe", "external_id": referee,
            "amount_paid": 20_000, "currency": "USD", "paid_at": at});
        let tenant = tenant.clone();
        async move { tenant.post("/v1/track/invoice-paid", body).await.ok() }
    };
    let later = tomorrow + chrono::Duration::seconds(5);
    let before_program = now - chrono::Duration::hours(1);
    for (referee, older) in [("ben", before_program), ("cleo", now)] {
        for (number, order) in [[older, later], [later, older]].into_iter().enumerate() {
            let invoice = format!("in_{referee}_{number}");
            for at in order {
                paid(referee, &invoice, at).await;
                world.drain().await;
            }
            let (available, pending, earned, reversed) = tenant.figures(&anna).await;
            assert_eq!((available, pending, earned - reversed), (0, 0, 0), "{invoice}");
            tenant.refund(&format!("re_{invoice}"), &invoice, 20_000).await.ok();
            assert_eq!(tenant.figures(&anna).await.0, 0, "{invoice}");
        }
    }
    world.assert_at_rest().await;
}
