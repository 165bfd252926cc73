//! Races, one interleaving after the other: handlers that meet at one invoice, reward, code, milestone, cap or billing run
//! are interrupted at every call that leaves them, and the books come out the same.

use serde_json::{Value, json};
use tests::sim::{Act, Interleavings, Race, Rows, Tenant, World, simulate};

/// The most interruptions of one run of two callers; of more callers it is one less, and still dozens of
/// runs. The environment variable of this name asks for more.
const INTERRUPTIONS: usize = 2;

/// An organization with a program and Anna, Ben and Cleo, whom Anna referred.
struct Stage {
    tenant: Tenant,
    anna: String,
    code: String,
}

impl Stage {
    async fn set(terms: Value) -> Self {
        let world = World::new().await;
        let tenant = Tenant::new(&world, terms).await;
        let (anna, code) = tenant.enrol("anna").await;
        world.advance(100);
        for referee in ["ben", "cleo"] {
            let body = json!({"external_id": referee, "code": code});
            tenant.ask("POST", "/v1/track/signup", body).await;
        }
        Self { tenant, anna, code }
    }

    async fn race(&self, acts: Vec<Act>, holds: &dyn Fn(&Rows) -> Result<(), String>) -> Interleavings {
        let world = self.tenant.world.clone();
        let from = world.moment();
        #[expect(
            clippy::disallowed_methods,
            reason = "it says how long to try, and nothing of what is tried"
        )]
        let most = std::env::var("INTERRUPTIONS").map_or(INTERRUPTIONS, |most| most.parse().unwrap());
        let interruptions = if acts.len() > 2 { most - 1 } else { most };
        Race { world, from, acts, interruptions, holds }.run().await
    }
}

fn sweep() -> Act {
    Act::Event { function: "SweepDueFunction", event: json!({}) }
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
            stage.tenant.paid("ben", "in_1", 20_000),
            stage.tenant.paid("ben", "in_1", 20_000),
            stage.tenant.refund("re_1", "in_1", 5_000),
        ];
        let holds = |rows: &Rows| is(&standing(rows, &stage.anna), &[("commission", 1_500)]);
        assert_held("invoice, twin, refund", &stage.race(acts, &holds).await);
    });
}

#[test]
fn a_table_that_ignores_conditions_is_found_out() {
    simulate(async {
        let stage = Stage::set(tests::percent_rule("10")).await;
        stage.tenant.world.ignore_conditions();
        let acts = vec![stage.tenant.refund("re_1", "in_1", 5_000), stage.tenant.paid("ben", "in_1", 20_000)];
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
        stage.tenant.ask("POST", "/v1/track/invoice-paid", paid).await;
        let delivery = stage.tenant.delivery("FulfillQueue", "FulfillRewardFunction");
        let acts = vec![delivery.clone(), delivery, stage.tenant.refund("re_1", "in_1", 20_000)];
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
        let (ben, code) = stage.tenant.enrol("ben").await;
        let sign_up = |code: &str| stage.tenant.sign_up("dora", code).or_refused(&["already_referred"]);
        let acts = vec![sign_up(&stage.code), sign_up(&code), stage.tenant.paid("dora", "in_9", 10_000)];
        let holds = |rows: &Rows| {
            let of = |participant: &str| standing(rows, participant);
            match (of(&stage.anna), of(&ben)) {
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
        let enrol = stage.tenant.enrolment("dora");
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
        let acts = vec![stage.tenant.paid("ben", "in_1", 10_000), stage.tenant.paid("cleo", "in_2", 10_000)];
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
            stage.tenant.paid("ben", "in_1", 10_000),
            stage.tenant.paid("cleo", "in_2", 10_000),
            stage.tenant.refund("re_1", "in_1", 10_000),
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
        stage.tenant.ask("POST", "/v1/track/invoice-paid", paid).await;
        stage.tenant.world.advance(100);
        let sign_up = stage.tenant.sign_up("dora", &stage.code);
        let acts = vec![sign_up, stage.tenant.paid("dora", "in_2", 10_000), sweep()];
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
            stage.tenant.ask("POST", "/v1/track/invoice-paid", paid).await;
        }
        stage.tenant.world.deliver().await;
        let day = stage.tenant.world.now().date_naive();
        stage.tenant.world.advance(2 * 86_400);
        let run = json!({"program": stage.tenant.program, "from": day, "to": day, "dry_run": false});
        stage.tenant.ask("POST", "/v1/billing-runs", run).await;
        let work = stage.tenant.delivery("ReportQueue", "AggregateReportsFunction");
        let acts = vec![work.clone(), work, stage.tenant.refund("re_1", "in_1", 5_000)];
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

/// Whoever returns something while the reward expires that it was spent of: what is returned does not expire.
#[test]
fn a_return_and_an_expiry() {
    simulate(async {
        let rule = crate::rules::rule(crate::rules::ten_percent(), json!({"expires_after_days": 1}));
        let stage = Stage::set(rule).await;
        let (tenant, world) = (&stage.tenant, &stage.tenant.world);
        tenant.perform(tenant.paid("ben", "in_1", 20_000)).await;
        world.deliver().await;
        let path = format!("/v1/participants/{}/redemptions", stage.anna);
        let amount = json!({"amount": 500, "currency": "USD"});
        tenant.ask("POST", &path, json!({"reference": "order_1", "amount": amount})).await;
        world.advance(86_400 + 120);
        tenant.perform(sweep()).await;
        let expiry = tenant.delivery("FulfillQueue", "FulfillRewardFunction");
        let by = json!({"actor": "support", "reason": "cancelled"});
        let acts = vec![tenant.post(&format!("{path}/order_1/return"), by), expiry];
        let holds = |rows: &Rows| is(&standing(rows, &stage.anna), &[("rule", 500)]);
        assert_held("return, expiry", &stage.race(acts, &holds).await);
    });
}

/// What is delivered while something older expires is not taken for the older one's.
#[test]
fn an_expiry_and_a_delivery() {
    simulate(async {
        let visit = json!({"id": "visit", "trigger": "approved", "amount": crate::rules::usd(1_000)});
        let mut rules = crate::rules::rule(crate::rules::ten_percent(), json!({"expires_after_days": 1}));
        rules["rules"].as_array_mut().unwrap().push(visit);
        let stage = Stage::set(rules).await;
        let (tenant, world) = (&stage.tenant, &stage.tenant.world);
        tenant.perform(tenant.paid("ben", "in_1", 20_000)).await;
        world.deliver().await;
        let path = format!("/v1/participants/{}/redemptions", stage.anna);
        let amount = json!({"amount": 400, "currency": "USD"});
        tenant.ask("POST", &path, json!({"reference": "order_1", "amount": amount})).await;
        world.advance(86_400 + 120);
        tenant.perform(sweep()).await;
        let due = |skip: usize| {
            let Act::Event { function, event } = tenant.delivery("FulfillQueue", "FulfillRewardFunction")
            else {
                unreachable!("a delivery is an event")
            };
            Act::Event { function, event: json!({"Records": [event["Records"][skip]]}) }
        };
        let expiry = due(0);
        let visited = json!({"event_id": "visit_1", "name": "approved", "external_id": "ben"});
        tenant.ask("POST", "/v1/track/event", visited).await;
        let acts = vec![expiry, due(1)];
        let holds = |rows: &Rows| is(&standing(rows, &stage.anna), &[("rule", 400), ("visit", 1_000)]);
        assert_held("expiry, delivery", &stage.race(acts, &holds).await);
    });
}

#[test]
fn a_reward_that_is_approved_twice_and_reversed() {
    simulate(async {
        let rule = crate::rules::rule(crate::rules::ten_percent(), json!({"approval": "manual"}));
        let stage = Stage::set(rule).await;
        let tenant = &stage.tenant;
        tenant.perform(tenant.paid("ben", "in_1", 20_000)).await;
        tenant.world.deliver().await;
        let rows = tenant.world.rows();
        let reward = rows.values().find(|row| row.has("net")).unwrap().text("reward");
        let act = |what: &str| {
            let by = json!({"actor": what, "reason": "test"});
            tenant.post(&format!("/v1/rewards/{reward}/{what}"), by).under("once")
        };
        let approve = act("approve").or_refused(&["reward_not_approvable"]);
        let acts = vec![approve.clone(), approve, act("reverse")];
        let holds = |rows: &Rows| is(&standing(rows, &stage.anna), &[]);
        assert_held("approve, approve, reverse", &stage.race(acts, &holds).await);
    });
}
