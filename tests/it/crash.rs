//! A crash loses nothing: every call that a function makes to the table or a queue is, in turn, the one at which the
//! process stops (before the call takes effect, and after), is refused, or loses its answer. Callers repeat what was not
//! acknowledged, as they do in life; at the end the money is what it is without any fault.

use local::{Effect, Fault};
use serde_json::{Value, json};
use tests::{Answer, Tenant, World, percent_rule};

/// What callers do, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Enrol,
    SignUp,
    SignUpAsCustomer,
    Pay,
    PayAsCustomer,
    Drain,
    RefundInvoice,
    RefundPayment,
    TellPayment,
    RefundFails,
    Nightly,
}

use Step::{
    Drain, Enrol, Nightly, Pay, PayAsCustomer, RefundFails, RefundInvoice, RefundPayment, SignUp,
    SignUpAsCustomer, TellPayment,
};

/// The plain loop.
const PLAIN: &[Step] = &[Enrol, SignUp, Pay, Drain, RefundInvoice, Nightly, Drain];
/// Everything arrives before what it depends on: a refund that knows only its payment, a payment that knows only the
/// processor's customer, and the sign-up last.
const BACKWARDS: &[Step] =
    &[Enrol, RefundPayment, PayAsCustomer, TellPayment, SignUpAsCustomer, Drain, RefundFails, Drain];

/// One run of a story, on a table of its own that outlives the process.
struct Run {
    world: World,
    state: tempfile::TempDir,
    key: String,
    program: String,
    anna: Option<(String, String)>,
}

impl Run {
    async fn begin() -> Self {
        let state = tempfile::tempdir().unwrap();
        let world = World::start_in(state.path()).await;
        let tenant = world.tenant().await;
        let program = tenant.program(percent_rule("10")).await;
        world.advance(10).await;
        Self { key: tenant.key.clone(), world, state, program, anna: None }
    }

    fn tenant(&self) -> Tenant {
        self.world.tenant_with(self.key.clone())
    }

    /// What killing the process and starting it again does.
    async fn restart(self) -> Self {
        let Self { world, state, key, program, anna } = self;
        drop(world);
        let world = World::start_in(state.path()).await;
        Self { world, state, key, program, anna }
    }

    async fn try_step(&mut self, step: Step) -> Answer {
        let tenant = self.tenant();
        let (_, code) = self.anna.clone().unwrap_or_default();
        let invoice = |payer: Value| {
            let mut body = json!({"invoice_id": "in_1", "processor": "stripe", "amount_paid": 20_000, "currency": "USD"});
            body.as_object_mut().unwrap().extend(payer.as_object().unwrap().clone());
            body
        };
        let refund = |body: Value| {
            let mut refund =
                json!({"refund_id": "re_1", "processor": "stripe", "amount": 5_000, "currency": "USD"});
            refund.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            refund
        };
        match step {
            Enrol => {
                let path = format!("/v1/programs/{}/participants/anna", self.program);
                let answer = tenant.call("PUT", &path, Some(&json!({"name": "Anna"}))).await;
                let text = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
                self.anna = Some((text("id"), text("code")));
                answer
            }
            SignUp => tenant.sign_up("ben", &code).await,
            SignUpAsCustomer => {
                let customer = json!({"processor": "stripe", "id": "cus_1"});
                let body = json!({"external_id": "ben", "code": code, "customer": customer});
                tenant.post("/v1/track/signup", body).await
            }
            Pay => tenant.post("/v1/track/invoice-paid", invoice(json!({"external_id": "ben"}))).await,
            PayAsCustomer => {
                tenant.post("/v1/track/invoice-paid", invoice(json!({"customer_id": "cus_1"}))).await
            }
            TellPayment => {
                let body = invoice(json!({"customer_id": "cus_1", "payment_id": "pi_1"}));
                tenant.post("/v1/track/invoice-paid", body).await
            }
            RefundInvoice => tenant.post("/v1/track/refund", refund(json!({"invoice_id": "in_1"}))).await,
            RefundPayment => tenant.post("/v1/track/refund", refund(json!({"payment_id": "pi_1"}))).await,
            RefundFails => {
                let body = refund(json!({"payment_id": "pi_1", "status": "failed"}));
                tenant.post("/v1/track/refund", body).await
            }
            Drain => self.world.call("POST", "/_local/drain", None, Some(&json!({}))).await,
            Nightly => {
                let day = json!({"type": "nightly", "day": "2026-01-01"});
                self.world.call("POST", "/_local/invoke/AggregateReportsFunction", None, Some(&day)).await
            }
        }
    }

    /// Does a step as a caller does: until it is acknowledged.
    async fn step(mut self, step: Step) -> Self {
        for _ in 0..3 {
            let answer = self.try_step(step).await;
            if self.world.stage.faults().log().halted {
                self = self.restart().await;
            }
            if matches!(answer.status, 200..=202) {
                return self;
            }
        }
        panic!("{step:?} is not acknowledged");
    }

    /// Lets time pass until whatever is due has been done, and answers what is left.
    async fn end(self) -> (Vec<(String, i64)>, i64, (i64, i64, i64, i64)) {
        for _ in 0..2 {
            self.world.advance(200).await;
            self.world.drain().await;
        }
        self.world.assert_at_rest().await;
        let (id, code) = self.anna.clone().unwrap();
        let anna = tests::Participant { id, code };
        let tenant = self.tenant();
        let sum = tenant.ledger(&anna).await.iter().map(|(_, amount)| amount).sum();
        (tenant.rewards(&anna).await, sum, tenant.figures(&anna).await)
    }
}

/// How many calls each step makes when nothing goes wrong.
async fn rehearse(story: &[Step]) -> (Vec<usize>, i64) {
    let mut run = Run::begin().await;
    let mut calls = Vec::new();
    for step in story {
        run.world.plan(Vec::new());
        run = run.step(*step).await;
        // What a step sets off in the queue is counted with the next drain.
        calls.push(run.world.stage.faults().log().calls.len());
    }
    (calls, run.end().await.1)
}

async fn every_call_fails_once(story: &[Step], effects: &[Effect]) {
    let (calls, expected) = rehearse(story).await;
    assert!(calls.iter().sum::<usize>() > 15, "{calls:?}");
    for (position, count) in calls.iter().enumerate() {
        for skip in 0..*count {
            for effect in effects {
                let mut run = Run::begin().await;
                for (index, step) in story.iter().enumerate() {
                    if index == position {
                        let skip = u32::try_from(skip).unwrap();
                        run.world.plan(vec![Fault { call: None, skip, times: 1, effect: *effect }]);
                    }
                    run = run.step(*step).await;
                }
                run.world.plan(Vec::new());
                let (rewards, sum, figures) = run.end().await;
                let case =
                    format!("{effect:?} at call {skip} of {:?}: {rewards:?} {figures:?}", story[position]);
                assert_eq!(sum, expected, "{case}");
                let standing: Vec<_> = rewards.iter().filter(|(_, amount)| *amount != 0).collect();
                assert_eq!(standing, [&("fulfilled".to_owned(), expected)], "{case}");
                assert_eq!((figures.0, figures.1), (expected, 0), "{case}");
            }
        }
    }
}

const STOPS: &[Effect] = &[Effect::HaltBefore, Effect::HaltAfter];
const REFUSALS: &[Effect] = &[Effect::Conflict, Effect::Unavailable, Effect::LoseAnswer, Effect::Throttle];

#[tokio::test]
async fn the_loop_survives_a_stop_at_any_call() {
    every_call_fails_once(PLAIN, STOPS).await;
}

#[tokio::test]
async fn the_loop_survives_a_refusal_or_a_lost_answer_at_any_call() {
    every_call_fails_once(PLAIN, REFUSALS).await;
}

#[tokio::test]
async fn the_loop_told_backwards_survives_a_stop_at_any_call() {
    every_call_fails_once(BACKWARDS, STOPS).await;
}

#[tokio::test]
async fn the_loop_told_backwards_survives_a_refusal_or_a_lost_answer_at_any_call() {
    every_call_fails_once(BACKWARDS, REFUSALS).await;
}
