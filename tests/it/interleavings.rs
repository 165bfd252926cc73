//! Races, one interleaving after the other: handlers that meet at one invoice, reward, code, milestone, cap or billing run
//! are interrupted at every call that leaves them, and the books come out the same.

use std::rc::Rc;

use serde_json::{Value, json};
use tests::sim::{Act, Interleavings, Race, Rows, World, simulate};

/// The most interruptions of one run of two callers; of more callers it is one less, and still dozens of
/// runs. The environment variable of this name asks for more.
const INTERRUPTIONS: usize = 2;

/// An organization with a program and Anna, Ben and Cleo, whom Anna referred.
struct Stage {
    world: Rc<World>,
    key: String,
    program: String,
    anna: String,
    code: String,
}

impl Stage {
    async fn set(terms: Value) -> Self {
        let world = World::new().await;
        let body = json!({"name": "Simulated", "livemode": false});
        let organization = world.ask(world.root_key(), "POST", "/v1/organizations", body).await;
        let key = text(&organization["api_key"]["secret"]);
        let program = json!({"name": "Refer a friend", "terms": terms});
        let program = text(&world.ask(&key, "POST", "/v1/programs", program).await["id"]);
        let path = format!("/v1/programs/{program}/participants/anna");
        let anna = world.ask(&key, "PUT", &path, json!({"name": "Anna's Studio"})).await;
        let (anna, code) = (text(&anna["id"]), text(&anna["code"]));
        world.advance(100);
        let stage = Self { world, key, program, anna, code };
        for referee in ["ben", "cleo"] {
            stage.ask("/v1/track/signup", json!({"external_id": referee, "code": stage.code})).await;
        }
        stage
    }

    async fn ask(&self, path: &str, body: Value) -> Value {
        self.world.ask(&self.key, "POST", path, body).await
    }

    fn post(&self, path: &str, body: Value) -> Act {
        let (path, key) = (path.to_owned(), self.key.clone());
        Act::Http { method: "POST", path, key, body, refusals: &[] }
    }

    fn paid(&self, referee: &str, invoice: &str, amount: i64) -> Act {
        let body = json!({"invoice_id": invoice, "processor": "stripe", "external_id": referee,
            "amount_paid": amount, "currency": "USD"});
        self.post("/v1/track/invoice-paid", body)
    }

    fn refund(&self, refund: &str, invoice: &str, amount: i64) -> Act {
        let body = json!({"refund_id": refund, "processor": "stripe", "invoice_id": invoice, "amount": amount,
            "currency": "USD"});
        self.post("/v1/track/refund", body)
    }

    /// What is in a queue, given to the function that it feeds.
    fn delivery(&self, queue: &str, function: &'static str) -> Act {
        let records = self.world.queued(queue).into_iter().enumerate();
        let records: Vec<Value> = records
            .map(|(number, body)| json!({"messageId": number.to_string(), "body": body.to_string()}))
            .collect();
        assert!(!records.is_empty(), "{queue} is empty");
        Act::Event { function, event: json!({ "Records": records }) }
    }

    fn sweep(&self) -> Act {
        Act::Event { function: "SweepDueFunction", event: json!({}) }
    }

    async fn race(&self, acts: Vec<Act>, holds: &dyn Fn(&Rows) -> Result<(), String>) -> Interleavings {
        let (world, from) = (self.world.clone(), self.world.moment());
        #[expect(
            clippy::disallowed_methods,
            reason = "it says how long to try, and nothing of what is tried"
        )]
        let most = std::env::var("INTERRUPTIONS").map_or(INTERRUPTIONS, |most| most.parse().unwrap());
        let interruptions = if acts.len() > 2 { most - 1 } else { most };
        Race { world, from, acts, interruptions, holds }.run().await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// What stands of a participant's rewards, by rule and in order.
fn standing(rows: &Rows, participant: &str) -> Vec<(String, i64)> {
    let rewards = rows.values().filter(|row| row.has("net") && row.text("participant") == participant);
    let mut standing: Vec<_> =
        rewards.map(|reward| (reward.text("rule").to_owned(), reward.number("net"))).collect();
    standing.retain(|(_, net)| *net != 0);
    standing.sort();
    standing
}

fn is(found: &[(String, i64)], expected: &[(&str, i64)]) -> Result<(), String> {
    let same = found.iter().map(|(rule, net)| (rule.as_str(), *net)).eq(expected.iter().copied());
    if same { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}")) }
}

#[track_caller]
fn assert_held(race: &str, all: &Interleavings) {
    println!("{race}: {} interleavings of up to {} calls", all.runs, all.calls);
    if let Some((words, trace)) = all.violations.first() {
        panic!("{race}: {} of {}: {words}\n{}", all.violations.len(), all.runs, trace.join("\n"));
    }
    assert!(all.runs > 10, "{race}: the callers do not meet");
}

#[test]
fn one_invoice_its_twin_and_its_refund() {
    simulate(async {
        let stage = Stage::set(tests::percent_rule("10")).await;
        let acts = vec![
            stage.paid("ben", "in_1", 20_000),
            stage.paid("ben", "in_1", 20_000),
            stage.refund("re_1", "in_1", 5_000),
        ];
        let holds = |rows: &Rows| is(&standing(rows, &stage.anna), &[("commission", 1_500)]);
        assert_held("invoice, twin, refund", &stage.race(acts, &holds).await);
    });
}

#[test]
fn a_table_that_ignores_conditions_is_found_out() {
    simulate(async {
        let stage = Stage::set(tests::percent_rule("10")).await;
        stage.world.ignore_conditions();
        let acts = vec![stage.refund("re_1", "in_1", 5_000), stage.paid("ben", "in_1", 20_000)];
        let holds = |rows: &Rows| is(&standing(rows, &stage.anna), &[("commission", 1_500)]);
        let all = stage.race(acts, &holds).await;
        assert!(
            !all.violations.is_empty() && all.violations.len() < all.runs,
            "{} of {}",
            all.violations.len(),
            all.runs
        );
    });
}

#[test]
fn one_reward_that_is_delivered_twice_and_refunded() {
    simulate(async {
        let stage = Stage::set(tests::percent_rule("10")).await;
        let paid = json!({"invoice_id": "in_1", "processor": "stripe", "external_id": "ben", "amount_paid": 20_000,
            "currency": "USD"});
        stage.ask("/v1/track/invoice-paid", paid).await;
        let delivery = stage.delivery("FulfillQueue", "FulfillRewardFunction");
        let acts = vec![delivery.clone(), delivery, stage.refund("re_1", "in_1", 20_000)];
        let holds = |rows: &Rows| {
            let lines = rows.values().filter(|row| row.has("delta") && row.text("participant") == stage.anna);
            let sum: i64 = lines.map(|line| line.number("delta")).sum();
            if sum == 0 { Ok(()) } else { Err(format!("{sum} is left of a refunded payment")) }
        };
        assert_held("delivery, delivery, refund", &stage.race(acts, &holds).await);
    });
}

#[test]
fn one_referee_with_two_codes_and_a_payment() {
    simulate(async {
        let stage = Stage::set(tests::percent_rule("10")).await;
        let path = format!("/v1/programs/{}/participants/ben", stage.program);
        let ben = stage.world.ask(&stage.key, "PUT", &path, json!({"name": "Ben"})).await;
        let sign_up = |code: &Value| {
            let body = json!({"external_id": "dora", "code": code});
            let (path, key) = ("/v1/track/signup".to_owned(), stage.key.clone());
            Act::Http { method: "POST", path, key, body, refusals: &["already_referred"] }
        };
        let acts =
            vec![sign_up(&json!(stage.code)), sign_up(&ben["code"]), stage.paid("dora", "in_9", 10_000)];
        let holds = |rows: &Rows| {
            let of = |participant: &str| standing(rows, participant);
            match (of(&stage.anna), of(ben["id"].as_str().unwrap())) {
                (one, none) | (none, one) if none.is_empty() => is(&one, &[("commission", 1_000)]),
                both => Err(format!("both are paid: {both:?}")),
            }
        };
        assert_held("two codes, one payment", &stage.race(acts, &holds).await);
    });
}

#[test]
fn one_participant_that_is_enrolled_by_three() {
    simulate(async {
        let stage = Stage::set(tests::percent_rule("10")).await;
        let path = format!("/v1/programs/{}/participants/dora", stage.program);
        let body = json!({"name": "Anna's Studio"});
        let enrol = Act::Http { method: "PUT", path, key: stage.key.clone(), body, refusals: &[] };
        let holds = |rows: &Rows| {
            let codes = rows.keys().filter(|(_, sk)| sk == "CODE").count();
            // Anna's, and one for all three.
            if codes == 2 { Ok(()) } else { Err(format!("there are {codes} codes")) }
        };
        assert_held("three enrolments", &stage.race(vec![enrol.clone(), enrol.clone(), enrol], &holds).await);
    });
}

#[test]
fn one_milestone_that_two_payments_reach() {
    simulate(async {
        let terms = json!({"rules": [{"id": "bonus", "trigger": "referral_count",
            "amount": {"milestones": {"steps": [{"at": 2, "amount": 700, "currency": "USD"}]}}}]});
        let stage = Stage::set(terms).await;
        let acts = vec![stage.paid("ben", "in_1", 10_000), stage.paid("cleo", "in_2", 10_000)];
        let holds = |rows: &Rows| is(&standing(rows, &stage.anna), &[("bonus", 700)]);
        assert_held("milestone", &stage.race(acts, &holds).await);
    });
}

#[test]
fn one_cap_that_two_payments_reach_and_a_refund_frees() {
    simulate(async {
        let terms = json!({"rules": [{"id": "commission", "amount": {"percentage": {"percent": "10"}},
            "limits": {"caps": [{"per": "all_time", "amount": 1_500, "currency": "USD"}]}}]});
        let stage = Stage::set(terms).await;
        let acts = vec![
            stage.paid("ben", "in_1", 10_000),
            stage.paid("cleo", "in_2", 10_000),
            stage.refund("re_1", "in_1", 10_000),
        ];
        let holds = |rows: &Rows| {
            let sum: i64 = standing(rows, &stage.anna).iter().map(|(_, net)| net).sum();
            // What the cap cut off is not made up for when a refund frees it: the second payment was decided by then.
            if sum == 500 || sum == 1_000 { Ok(()) } else { Err(format!("{sum} stands under the cap")) }
        };
        assert_held("cap", &stage.race(acts, &holds).await);
    });
}

#[test]
fn one_payment_that_two_sweepers_and_its_sign_up_release() {
    simulate(async {
        let stage = Stage::set(tests::percent_rule("10")).await;
        let paid = json!({"invoice_id": "in_1", "processor": "stripe", "external_id": "dora", "amount_paid": 20_000,
            "currency": "USD"});
        stage.ask("/v1/track/invoice-paid", paid).await;
        stage.world.advance(100);
        let sign_up = stage.post("/v1/track/signup", json!({"external_id": "dora", "code": stage.code}));
        let acts = vec![sign_up, stage.paid("dora", "in_2", 10_000), stage.sweep()];
        let holds =
            |rows: &Rows| is(&standing(rows, &stage.anna), &[("commission", 1_000), ("commission", 2_000)]);
        assert_held("parked payment", &stage.race(acts, &holds).await);
    });
}

#[test]
fn one_billing_run_that_two_workers_do_while_a_refund_comes() {
    simulate(async {
        let terms =
            json!({"rules": [{"id": "share", "kind": "cash", "amount": {"percentage": {"percent": "10"}}}]});
        let stage = Stage::set(terms).await;
        for (referee, invoice) in [("ben", "in_1"), ("cleo", "in_2")] {
            let paid = json!({"invoice_id": invoice, "processor": "stripe", "external_id": referee,
                "amount_paid": 10_000, "currency": "USD"});
            stage.ask("/v1/track/invoice-paid", paid).await;
        }
        stage.world.deliver().await;
        let day = stage.world.now().date_naive();
        stage.world.advance(2 * 86_400);
        let run = json!({"program": stage.program, "from": day, "to": day, "dry_run": false});
        stage.ask("/v1/billing-runs", run).await;
        let work = stage.delivery("ReportQueue", "AggregateReportsFunction");
        let acts = vec![work.clone(), work, stage.refund("re_1", "in_1", 5_000)];
        let holds = |rows: &Rows| {
            let items = rows.iter().filter(|((_, sk), _)| sk.starts_with("INVOICE-ITEM#"));
            let billed: i64 = items.map(|(_, item)| item.number("amount")).sum();
            let lines: i64 = rows.values().map(|row| row.number("delta")).sum();
            // The refund is on this invoice or waits for the next one.
            if lines == 1_500 && (billed == 2_000 || billed == 1_500) {
                Ok(())
            } else {
                Err(format!("{billed} is billed of {lines}"))
            }
        };
        assert_held("billing run", &stage.race(acts, &holds).await);
    });
}
