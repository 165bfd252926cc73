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
    EnrolBen,
    SignUpCleo,
    PayOfCleo,
    RefundCleo,
    Reverse,
    PayEuro,
    GiveRates,
    RefundEuro,
    PayByPromotion,
    PayOther,
}

use Step::{
    Drain, Enrol, EnrolBen, GiveRates, Nightly, Pay, PayAsCustomer, PayByPromotion, PayEuro, PayOfCleo,
    PayOther, RefundCleo, RefundEuro, RefundFails, RefundInvoice, RefundPayment, Reverse, SignUp,
    SignUpAsCustomer, SignUpCleo, TellPayment,
};

/// The plain loop.
const PLAIN: &[Step] = &[Enrol, SignUp, Pay, Drain, RefundInvoice, Nightly, Drain];
/// Everything arrives before what it depends on: a refund that knows only its payment, a payment that knows only the
/// processor's customer, and the sign-up last.
const BACKWARDS: &[Step] =
    &[Enrol, RefundPayment, PayAsCustomer, TellPayment, SignUpAsCustomer, Drain, RefundFails, Drain];

/// Rules that count, pay for sign-ups, wait for earnings and pay a second level: Anna referred Ben, Ben referred Cleo.
const COUNTED: &[Step] =
    &[Enrol, EnrolBen, SignUp, SignUpCleo, Pay, PayOfCleo, Drain, Reverse, RefundCleo, RefundInvoice, Drain];

/// The terms of [`COUNTED`].
fn counted_terms() -> Value {
    let share = |percent: &str| json!({"percentage": {"percent": percent}});
    json!({"max_referrals": 5, "min_earnings": [{"amount": 1_000, "currency": "USD"}], "rules": [
        {"id": "thanks", "trigger": "signup", "amount": {"fixed": {"amount": 50, "currency": "USD"}}},
        {"id": "commission", "amount": {"tiers": {"by": "qualified_referrals", "on_drop": "revoke",
            "steps": [{"from": 1, "amount": share("10")}]}},
         "limits": {"caps": [{"per": "all_time", "amount": 1_900, "currency": "USD"}], "duration_months": 2}},
        {"id": "bonus", "trigger": "referral_count", "amount": {"milestones": {"on_drop": "revoke",
            "steps": [{"at": 1, "amount": 700, "currency": "USD"}]}}},
        {"id": "override", "trigger": "reward_earned",
         "amount": {"percentage": {"percent": "50", "basis": "reward"}}}]})
}

/// A payment in another currency than is paid out, which is paid before its referee signs up, and refunded in part before
/// the rate of its day is given.
const CONVERTED: &[Step] = &[Enrol, PayEuro, SignUp, PayEuro, RefundEuro, GiveRates, Drain];

/// The terms of [`CONVERTED`], with a cap, so that the counters are in it too.
fn converted_terms() -> Value {
    json!({"payout_currency": "USD", "rules": [{"id": "commission", "amount": {"percentage": {"percent": "10"}},
        "limits": {"caps": [{"per": "all_time", "amount": 100_000, "currency": "USD"}]}}]})
}

/// A payer whom only a promotion code refers, and one payment of 200.00 that paid two invoices and is refunded in between.
const SHARED: &[Step] = &[Enrol, PayByPromotion, RefundPayment, PayOther, Drain];

/// What stands of somebody's rewards, the sum of the ledger, what is available and what is pending.
type Outcome = (Vec<(String, i64)>, i64, (i64, i64));

/// One run of a story, on a table of its own that outlives the process.
struct Run {
    world: World,
    state: tempfile::TempDir,
    key: String,
    program: String,
    anna: Option<(String, String)>,
    ben: Option<(String, String)>,
}

impl Run {
    async fn begin(terms: &Value) -> Self {
        let state = tempfile::tempdir().unwrap();
        let world = World::start_in(state.path()).await;
        let tenant = world.tenant().await;
        let program = tenant.program(terms.clone()).await;
        world.advance(10).await;
        Self { key: tenant.key.clone(), world, state, program, anna: None, ben: None }
    }

    fn tenant(&self) -> Tenant {
        self.world.tenant_with(self.key.clone())
    }

    /// What killing the process and starting it again does.
    async fn restart(self) -> Self {
        let Self { world, state, key, program, anna, ben } = self;
        drop(world);
        let world = World::start_in(state.path()).await;
        Self { world, state, key, program, anna, ben }
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
            EnrolBen => {
                let path = format!("/v1/programs/{}/participants/ben", self.program);
                let answer = tenant.call("PUT", &path, Some(&json!({"name": "Ben"}))).await;
                let text = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
                self.ben = Some((text("id"), text("code")));
                answer
            }
            SignUpCleo => {
                let (_, code) = self.ben.clone().unwrap_or_default();
                tenant.sign_up("cleo", &code).await
            }
            PayEuro | RefundEuro => {
                let mut body = json!({"invoice_id": "in_3", "processor": "stripe", "currency": "EUR"});
                let (path, more) = if step == PayEuro {
                    ("/v1/track/invoice-paid", json!({"external_id": "ben", "amount_paid": 20_000}))
                } else {
                    ("/v1/track/refund", json!({"refund_id": "re_3", "amount": 5_000}))
                };
                body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                tenant.post(path, body).await
            }
            PayByPromotion | PayOther => {
                let (invoice, amount) =
                    if step == PayByPromotion { ("in_1", 15_000) } else { ("in_4", 5_000) };
                let mut body = json!({"invoice_id": invoice, "processor": "stripe", "customer_id": "cus_1",
                    "amount_paid": amount, "currency": "USD",
                    "payments": [{"payment_id": "pi_1", "amount": amount}]});
                if step == PayByPromotion {
                    body["promotion_codes"] = json!([code]);
                }
                tenant.post("/v1/track/invoice-paid", body).await
            }
            GiveRates => {
                let path = format!("/v1/exchange-rates/{}", self.world.now().await.date_naive());
                let body = json!({"currency": "USD", "rates": {"EUR": "1.0843"}});
                tenant.call("PUT", &path, Some(&body)).await
            }
            PayOfCleo => tenant.pay("cleo", "in_2", 30_000).await,
            RefundCleo => tenant.refund("re_2", "in_2", 10_000).await,
            Reverse => {
                let (id, _) = self.ben.clone().unwrap_or_default();
                let list = tenant.get(&format!("/v1/rewards?limit=100&participant={id}")).await;
                if list.status != 200 {
                    return list;
                }
                let rewards = list.body["data"].as_array().unwrap().clone();
                let bonus = rewards.iter().find(|reward| reward["rule"] == "bonus").unwrap();
                let path = format!("/v1/rewards/{}/reverse", bonus["id"].as_str().unwrap());
                tenant.post(&path, json!({"actor": "admin", "reason": "test"})).await
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
            if answer.body["code"] == "reward_being_delivered" {
                self.world.advance(200).await;
                self.world.drain().await;
            }
        }
        panic!("{step:?} is not acknowledged");
    }

    /// What everybody has at the end: what stands of the rewards, the sum of the ledger, and the figures.
    async fn outcome(self) -> Vec<Outcome> {
        for _ in 0..2 {
            self.world.advance(200).await;
            self.world.drain().await;
        }
        self.world.assert_at_rest().await;
        let mut outcomes = Vec::new();
        for (id, code) in self.anna.iter().chain(&self.ben).cloned() {
            let participant = tests::Participant { id, code };
            let tenant = self.tenant();
            let sum = tenant.ledger(&participant).await.iter().map(|(_, amount)| amount).sum();
            let (available, pending, earned, reversed) = tenant.figures(&participant).await;
            assert_eq!((available + pending, sum), (earned - reversed, earned - reversed));
            let mut standing = tenant.rewards(&participant).await;
            standing.retain(|(_, amount)| *amount != 0);
            standing.sort();
            outcomes.push((standing, sum, (available, pending)));
        }
        outcomes
    }
}

/// How many calls each step makes when nothing goes wrong.
async fn rehearse(story: &[Step], terms: &Value) -> (Vec<usize>, Vec<Outcome>) {
    let mut run = Run::begin(terms).await;
    let mut calls = Vec::new();
    for step in story {
        run.world.plan(Vec::new());
        run = run.step(*step).await;
        // What a step sets off in the queue is counted with the next drain.
        calls.push(run.world.stage.faults().log().calls.len());
    }
    (calls, run.outcome().await)
}

/// Every call of a story fails once, in each of the ways given; with `in_turn`, one call in one way, the next in the next.
async fn every_call_fails_once(story: &[Step], terms: &Value, effects: &[Effect], in_turn: bool) {
    let (calls, expected) = rehearse(story, terms).await;
    assert!(calls.iter().sum::<usize>() > 15, "{calls:?}");
    let mut turn = effects.iter().cycle();
    for (position, count) in calls.iter().enumerate() {
        for skip in 0..*count {
            let next = turn.next();
            for effect in effects.iter().filter(|effect| !in_turn || Some(*effect) == next) {
                let mut run = Run::begin(terms).await;
                for (index, step) in story.iter().enumerate() {
                    if index == position {
                        let skip = u32::try_from(skip).unwrap();
                        run.world.plan(vec![Fault { call: None, skip, times: 1, effect: *effect }]);
                    }
                    run = run.step(*step).await;
                }
                run.world.plan(Vec::new());
                let outcome = run.outcome().await;
                assert_eq!(outcome, expected, "{effect:?} at call {skip} of {:?}", story[position]);
            }
        }
    }
}

/// Every call of a story that ends with one reward of 15.00 or 20.00, fulfilled.
async fn the_loop_survives(story: &[Step], effects: &[Effect], end: i64) {
    let terms = percent_rule("10");
    let (_, expected) = rehearse(story, &terms).await;
    assert_eq!(expected, [(vec![("fulfilled".to_owned(), end)], end, (end, 0))]);
    every_call_fails_once(story, &terms, effects, false).await;
}

const STOPS: &[Effect] = &[Effect::HaltBefore, Effect::HaltAfter];
const REFUSALS: &[Effect] = &[Effect::Conflict, Effect::Unavailable, Effect::LoseAnswer, Effect::Throttle];

#[tokio::test]
async fn the_loop_survives_a_stop_at_any_call() {
    the_loop_survives(PLAIN, STOPS, 1_500).await;
}

#[tokio::test]
async fn the_loop_survives_a_refusal_or_a_lost_answer_at_any_call() {
    the_loop_survives(PLAIN, REFUSALS, 1_500).await;
}

#[tokio::test]
async fn the_loop_told_backwards_survives_a_stop_at_any_call() {
    the_loop_survives(BACKWARDS, STOPS, 2_000).await;
}

#[tokio::test]
async fn the_loop_told_backwards_survives_a_refusal_or_a_lost_answer_at_any_call() {
    the_loop_survives(BACKWARDS, REFUSALS, 2_000).await;
}

#[tokio::test]
async fn rules_that_count_survive_a_stop_at_any_call() {
    every_call_fails_once(COUNTED, &counted_terms(), STOPS, true).await;
}

#[tokio::test]
async fn rules_that_count_survive_a_refusal_or_a_lost_answer_at_any_call() {
    every_call_fails_once(COUNTED, &counted_terms(), REFUSALS, true).await;
}

/// Every call of a story that ends with one reward of 150.00 EUR at 1.0843, less what is below a cent.
async fn conversion_survives(effects: &[Effect], in_turn: bool) {
    let terms = converted_terms();
    let (_, expected) = rehearse(CONVERTED, &terms).await;
    assert_eq!(expected, [(vec![("fulfilled".to_owned(), 1_626)], 1_626, (1_626, 0))]);
    every_call_fails_once(CONVERTED, &terms, effects, in_turn).await;
}

#[tokio::test]
async fn a_payment_that_waits_for_its_rate_survives_a_stop_at_any_call() {
    conversion_survives(STOPS, false).await;
}

#[tokio::test]
async fn a_payment_that_waits_for_its_rate_survives_a_refusal_or_a_lost_answer_at_any_call() {
    conversion_survives(REFUSALS, true).await;
}

/// Every call of a story that ends with two rewards: of 112.50 that stand of 150.00, and of 37.50 of 50.00.
async fn a_shared_payment_survives(effects: &[Effect], in_turn: bool) {
    let terms = percent_rule("10");
    let (_, expected) = rehearse(SHARED, &terms).await;
    let standing = [375, 1_125].map(|amount| ("fulfilled".to_owned(), amount));
    assert_eq!(expected, [(standing.to_vec(), 1_500, (1_500, 0))]);
    every_call_fails_once(SHARED, &terms, effects, in_turn).await;
}

#[tokio::test]
async fn a_payment_of_two_invoices_by_promotion_survives_a_stop_at_any_call() {
    a_shared_payment_survives(STOPS, false).await;
}

#[tokio::test]
async fn a_payment_of_two_invoices_by_promotion_survives_a_refusal_or_a_lost_answer_at_any_call() {
    a_shared_payment_survives(REFUSALS, true).await;
}
