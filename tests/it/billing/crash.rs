//! A billing run that is killed, refused or left without an answer at any of its calls bills what it bills without any fault,
//! and nothing twice.

use std::path::Path;

use local::{Effect, Fault};
use serde_json::{Value, json};
use tests::{Participant, Tenant, World};

use super::{assert_billed_exactly, cash};

/// What all runs begin with: a table with one partner of more lines than one transaction takes, one with a few, one whose
/// lines come to nothing, and one whose reward waits.
struct Prepared {
    state: tempfile::TempDir,
    key: String,
    program: String,
    day: String,
    partners: Vec<Participant>,
}

impl Prepared {
    async fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let world = World::start_in(state.path()).await;
        let tenant = world.tenant().await;
        let mut terms = cash("10");
        terms["rules"][0]["approval"] = json!({"manual_above": {"amount": 50_000, "currency": "USD"}});
        let program = tenant.program(terms).await;
        let mut partners = Vec::new();
        for name in ["many", "few", "short", "waits"] {
            let partner = tenant.enrol(&program, name, name).await;
            tenant.sign_up(&format!("of-{name}"), &partner.code).await.created();
            partners.push(partner);
        }
        for number in 0..95 {
            tenant.pay("of-many", &format!("in_m{number}"), 1_000 + number).await.ok();
        }
        tenant.pay("of-few", "in_f", 3_000).await.ok();
        tenant.pay("of-short", "in_s", 3_000).await.ok();
        tenant.pay("of-waits", "in_w", 900_000).await.ok();
        world.drain().await;
        // A correction after the delivery; another partner's reward is taken back in full before it was billed.
        tenant.refund("re_f", "in_f", 1_000).await.ok();
        tenant.refund("re_s", "in_s", 3_000).await.ok();
        let day = world.now().await.date_naive().to_string();
        world.advance(super::DAY + 1_200).await;
        world.drain().await;
        world.assert_at_rest().await;
        let key = tenant.key;
        drop(world);
        Self { state, key, program, day, partners }
    }

    async fn run(&self) -> Run<'_> {
        let state = tempfile::tempdir().unwrap();
        copy(self.state.path(), state.path());
        Run { world: World::start_in(state.path()).await, state, of: self }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

struct Run<'a> {
    world: World,
    state: tempfile::TempDir,
    of: &'a Prepared,
}

impl Run<'_> {
    fn tenant(&self) -> Tenant {
        self.world.tenant_with(self.of.key.clone())
    }

    async fn restart_if_halted(self) -> Self {
        if !self.world.stage.faults().log().halted {
            return self;
        }
        let Self { world, state, of } = self;
        drop(world);
        Self { world: World::start_in(state.path()).await, state, of }
    }

    /// Begins a run as a caller does, until it is accepted, and lets it work.
    async fn bill(mut self, key: &str) -> Self {
        let body =
            json!({"program": self.of.program, "from": self.of.day, "to": self.of.day, "dry_run": false});
        for attempt in 0.. {
            assert!(attempt < 3, "the run is not accepted");
            let headers = [("idempotency-key", key)];
            let answer = self.tenant().send("POST", "/v1/billing-runs", body.to_string(), &headers).await;
            self = self.restart_if_halted().await;
            if answer.status == 202 {
                break;
            }
        }
        self.drain().await
    }

    async fn drain(self) -> Self {
        self.world.call("POST", "/_local/drain", None, Some(&json!({}))).await;
        self.restart_if_halted().await
    }

    /// Lets the sweeper and the queues finish, and answers what every partner was billed.
    async fn outcome(self) -> Vec<Value> {
        self.world.plan(Vec::new());
        for _ in 0..3 {
            self.world.advance(400).await;
            self.world.drain().await;
        }
        assert_billed_exactly(&self.world).await;
        self.world.assert_at_rest().await;
        let tenant = self.tenant();
        let mut outcome = Vec::new();
        for partner in &self.of.partners {
            let list = tenant.get(&format!("/v1/participants/{}/partner-invoices", partner.id)).await.ok();
            for invoice in list["data"].as_array().unwrap() {
                outcome.push(json!([invoice["status"], invoice["total"], invoice["lines"]]));
            }
        }
        let runs = tenant.get("/v1/billing-runs").await.ok();
        for run in runs["data"].as_array().unwrap() {
            let figures = ["status", "participants", "invoices", "lines", "totals", "left_out"];
            outcome.push(figures.iter().map(|name| run[*name].clone()).collect());
        }
        outcome
    }
}

#[tokio::test]
async fn a_run_survives_a_fault_at_any_call() {
    let prepared = Prepared::new().await;
    let run = prepared.run().await;
    run.world.plan(Vec::new());
    let run = run.bill("month").await;
    let calls = run.world.stage.faults().log().calls.len();
    let expected = run.outcome().await;
    assert!(calls > 20, "{calls}");
    let total: i64 = (0..95).map(|number: i64| (1_000 + number) / 10).sum();
    assert_eq!(expected[0], json!(["draft", {"amount": total, "currency": "USD"}, 95]));
    assert_eq!(expected[1], json!(["draft", {"amount": 200, "currency": "USD"}, 2]));
    assert_eq!(expected[2][1], json!(4), "{expected:?}");
    let effects = [
        Effect::HaltBefore,
        Effect::HaltAfter,
        Effect::Conflict,
        Effect::Unavailable,
        Effect::LoseAnswer,
        Effect::Throttle,
    ];
    for skip in 0..calls {
        // Stops at every call; of the others one after the other.
        let refusal = effects.iter().skip(2).cycle().nth(skip).unwrap();
        for effect in effects.iter().take(2).chain([refusal]) {
            let run = prepared.run().await;
            let skip = u32::try_from(skip).unwrap();
            run.world.plan(vec![Fault { call: None, skip, times: 1, effect: *effect }]);
            let outcome = run.bill("month").await.outcome().await;
            assert_eq!(outcome, expected, "{effect:?} at call {skip}");
        }
    }
}

#[tokio::test]
async fn voiding_and_billing_again_survive_a_stop_at_any_call() {
    let prepared = Prepared::new().await;
    let story = async |fault: Option<Fault>| {
        let run = prepared.run().await;
        run.world.plan(Vec::new());
        let mut run = run.bill("month").await;
        let few = format!("/v1/participants/{}/partner-invoices", prepared.partners[1].id);
        let invoice = run.tenant().get(&few).await.ok()["data"][0]["id"].as_str().unwrap().to_owned();
        run.world.plan(fault.into_iter().collect());
        let void = format!("/v1/partner-invoices/{invoice}/void");
        for attempt in 0.. {
            assert!(attempt < 3, "the invoice is not void");
            let answer = run.tenant().post(&void, json!({"actor": "finance", "reason": "wrong"})).await;
            run = run.restart_if_halted().await;
            if answer.status == 200 {
                break;
            }
        }
        let run = run.bill("again").await;
        let calls = run.world.stage.faults().log().calls.len();
        (calls, run.outcome().await)
    };
    let (calls, expected) = story(None).await;
    assert!(calls > 10, "{calls}");
    for skip in 0..u32::try_from(calls).unwrap() {
        let effect = if skip % 2 == 0 { Effect::HaltBefore } else { Effect::HaltAfter };
        let (_, outcome) = story(Some(Fault { call: None, skip, times: 1, effect })).await;
        assert_eq!(outcome, expected, "{effect:?} at call {skip}");
    }
}

#[tokio::test]
async fn an_invoice_that_was_begun_is_void_when_what_is_left_takes_back_more() {
    let state = tempfile::tempdir().unwrap();
    let world = World::start_in(state.path()).await;
    let tenant = world.tenant().await;
    let program = tenant.program(cash("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    for referee in ["ben", "carl"] {
        tenant.sign_up(referee, &anna.code).await.created();
    }
    let bill = async |world: &World, tenant: &Tenant, key: &str, day: &str| {
        let body = json!({"program": program, "from": day, "to": day, "dry_run": false}).to_string();
        let answer = tenant.send("POST", "/v1/billing-runs", body, &[("idempotency-key", key)]).await;
        world.call("POST", "/_local/drain", None, Some(&json!({}))).await;
        answer.body["id"].as_str().unwrap().to_owned()
    };
    let end_day = async |world: &World| {
        world.drain().await;
        let day = world.now().await.date_naive().to_string();
        world.advance(super::DAY + 1_200).await;
        world.drain().await;
        day
    };
    // 100.00 are billed and taken back; 90 small rewards and a large one come later.
    tenant.pay("carl", "in_0", 100_000).await.ok();
    let first = end_day(&world).await;
    bill(&world, &tenant, "first", &first).await;
    tenant.refund("re_0", "in_0", 100_000).await.ok();
    for number in 0..90 {
        tenant.pay("ben", &format!("in_b{number}"), 1_000).await.ok();
    }
    tenant.pay("carl", "in_c", 150_000).await.ok();
    let second = end_day(&world).await;
    // The run stops after its first transaction of lines; then the large payment is refunded.
    let skip = 1;
    let call = Some("TransactWriteItems".to_owned());
    world.plan(vec![Fault { call, skip, times: 1, effect: Effect::HaltAfter }]);
    let run = bill(&world, &tenant, "second", &second).await;
    assert!(world.stage.faults().log().halted);
    let key = tenant.key.clone();
    drop((world, tenant));
    let world = World::start_in(state.path()).await;
    let tenant = world.tenant_with(key);
    let list = format!("/v1/participants/{}/partner-invoices", anna.id);
    assert_eq!(tenant.get(&list).await.ok()["data"][0]["status"], "assembling");
    tenant.refund("re_c", "in_c", 150_000).await.ok();
    for _ in 0..2 {
        world.advance(400).await;
        world.drain().await;
    }
    let run = tenant.get(&format!("/v1/billing-runs/{run}")).await.ok();
    assert_eq!((&run["status"], &run["invoices"], &run["totals"]), (&json!("done"), &json!(0), &json!([])));
    assert_eq!(tenant.get(&list).await.ok()["data"][0]["status"], "void");
    assert_billed_exactly(&world).await;
    // The next run finds all of it: 90.00 and what is earned since make up for the 100.00.
    tenant.pay("ben", "in_last", 30_000).await.ok();
    let third = end_day(&world).await;
    bill(&world, &tenant, "third", &third).await;
    let latest = tenant.get(&list).await.ok()["data"][0].clone();
    assert_eq!((&latest["status"], &latest["total"]["amount"]), (&json!("draft"), &json!(2_000)));
    assert_billed_exactly(&world).await;
    world.assert_at_rest().await;
}
