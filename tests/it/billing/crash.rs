//! A billing run that is stopped, refused or left without an answer at any of its calls bills what it bills without any fault,
//! and nothing twice.

use local::{Effect, Fault};
use serde_json::json;
use tests::sim::{self, Act, Course, End, Kept, Rows, Step, simulate};
use tests::{Tenant, World};

use super::{assert_billed_exactly, billed_exactly, cash};

/// A table with one partner of more lines than one transaction takes, one with a few, one whose lines come to nothing, and
/// one whose reward waits; and the day of them.
async fn prepared() -> (sim::Tenant, String) {
    let mut terms = cash("10");
    terms["rules"][0]["approval"] = json!({"manual_above": {"amount": 50_000, "currency": "USD"}});
    let world = sim::World::new().await;
    let tenant = sim::Tenant::new(&world, terms).await;
    world.advance(100);
    for name in ["many", "few", "short", "waits"] {
        let (_, code) = tenant.enrol(name).await;
        tenant.perform(tenant.sign_up(&format!("of-{name}"), &code)).await;
    }
    for number in 0..95 {
        tenant.perform(tenant.paid("of-many", &format!("in_m{number}"), 1_000 + number)).await;
    }
    for (name, amount) in [("few", 3_000), ("short", 3_000), ("waits", 900_000)] {
        tenant.perform(tenant.paid(&format!("of-{name}"), &format!("in_{name}"), amount)).await;
    }
    world.deliver().await;
    // A correction after the delivery; another partner's reward is taken back in full before it was billed.
    tenant.perform(tenant.refund("re_f", "in_few", 1_000)).await;
    tenant.perform(tenant.refund("re_s", "in_short", 3_000)).await;
    let day = world.now().date_naive().to_string();
    world.advance(super::DAY + 1_200);
    (tenant, day)
}

fn bill<'a>(tenant: &'a sim::Tenant, day: &'a str, name: &'static str) -> Vec<Step<'a>> {
    let body = json!({"program": tenant.program, "from": day, "to": day, "dry_run": false});
    let begin = tenant.post("/v1/billing-runs", body).under(name);
    vec![Box::new(move |_| begin.clone()), Box::new(|_| Act::Delivery)]
}

/// Every invoice and every run; and that each comes to its lines.
fn billed(rows: &Rows) -> Result<Vec<String>, String> {
    let items: Vec<_> = rows.values().map(|row| row.as_item()).collect();
    billed_exactly(&items)?;
    let invoices = rows.iter().filter(|((_, sk), row)| sk.starts_with("INVOICE#") && row.has("parts"));
    let invoice = |row: &Kept| {
        format!("{}: {} on {} lines", row.text("status"), row.number("total"), row.number("lines"))
    };
    let runs = rows.values().filter(|row| row.has("position"));
    let run = |row: &Kept| {
        let figures = ["participants", "invoices", "lines", "waiting", "not_above_zero"];
        let figures = figures.map(|name| format!("{} {name}", row.number(name)));
        format!("{}: {}", row.text("status"), figures.join(", "))
    };
    let mut all: Vec<_> = invoices.map(|(_, row)| invoice(row)).chain(runs.map(|row| run(row))).collect();
    all.sort();
    Ok(all)
}

async fn survives(course: &str, tenant: &sim::Tenant, steps: Vec<Step<'_>>) -> End {
    let from = tenant.world.moment();
    let survival = Course { tenant, from, steps, tells: &billed }.run().await;
    survival.assert_held(course);
    survival.end
}

#[test]
fn a_run_survives_every_fault_at_any_call() {
    let end = simulate(async {
        let (tenant, day) = prepared().await;
        survives("a billing run", &tenant, bill(&tenant, &day, "month")).await
    });
    let total: i64 = (0..95).map(|number: i64| (1_000 + number) / 10).sum();
    let expected = [
        "done: 4 participants, 2 invoices, 97 lines, 1 waiting, 0 not_above_zero".to_owned(),
        "draft: 200 on 2 lines".to_owned(),
        format!("draft: {total} on 95 lines"),
    ];
    assert_eq!(end.tells, expected);
}

#[test]
fn voiding_and_billing_again_survive_every_fault_at_any_call() {
    let end = simulate(async {
        let (tenant, day) = prepared().await;
        for step in bill(&tenant, &day, "month") {
            tenant.perform(step(&tenant.world.rows())).await;
        }
        let void = |rows: &Rows| {
            let invoice = rows.values().find(|row| row.has("parts") && row.number("total") == 200);
            let path = format!("/v1/partner-invoices/{}/void", invoice.unwrap().text("invoice"));
            tenant.post(&path, json!({"actor": "finance", "reason": "wrong"}))
        };
        let mut steps: Vec<Step<'_>> = vec![Box::new(void)];
        steps.extend(bill(&tenant, &day, "again"));
        survives("voiding and billing again", &tenant, steps).await
    });
    let of_few: Vec<_> = end.tells.iter().filter(|told| told.contains("200 on 2 lines")).collect();
    assert_eq!(of_few, ["draft: 200 on 2 lines", "void: 200 on 2 lines"]);
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
