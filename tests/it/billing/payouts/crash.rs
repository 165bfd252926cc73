//! A batch that is stopped, refused or left without an answer at any call of its making, of marks and of cancelling comes to
//! what it comes to without any fault.

use serde_json::{Value, json};
use tests::sim::{self, Act, Course, End, Kept, Rows, Step, simulate};

use super::super::{DAY, cash};
use super::paid_out_exactly;

/// A table with three partners who have finalized invoices: cleo two, dora one, and emil one that is small.
async fn prepared() -> sim::Tenant {
    let world = sim::World::new().await;
    let tenant = sim::Tenant::new(&world, cash("10")).await;
    world.advance(100);
    for name in ["cleo", "dora", "emil"] {
        let (_, code) = tenant.enrol(name).await;
        tenant.perform(tenant.sign_up(&format!("of-{name}"), &code)).await;
    }
    for (number, names) in [["cleo", "dora", "emil"].as_slice(), &["cleo"]].into_iter().enumerate() {
        for name in names {
            let amount = if *name == "emil" { 1_000 } else { 20_000 };
            tenant.perform(tenant.paid(&format!("of-{name}"), &format!("in_{name}_{number}"), amount)).await;
        }
        world.deliver().await;
        let day = world.now().date_naive().to_string();
        world.advance(DAY + 1_200);
        let body = json!({"program": tenant.program, "from": day, "to": day, "dry_run": false});
        tenant.ask("POST", "/v1/billing-runs", body).await;
        world.deliver().await;
    }
    let drafts: Vec<String> = world
        .rows()
        .values()
        .filter(|row| row.has("parts"))
        .map(|row| row.text("invoice").to_owned())
        .collect();
    for invoice in drafts {
        tenant.ask("POST", &format!("/v1/partner-invoices/{invoice}/finalize"), by()).await;
    }
    tenant
}

fn by() -> Value {
    json!({"actor": "finance", "reason": "month end"})
}

/// Makes a batch.
fn make<'a>(tenant: &'a sim::Tenant, name: &'static str, minimum: i64) -> Vec<Step<'a>> {
    let minimum = json!({"amount": minimum, "currency": "USD"});
    let body = json!({"program": tenant.program, "currency": "USD", "minimum": minimum, "actor": "finance", "reason": "month end"});
    let begin = tenant.post("/v1/payout-batches", body).under(name);
    vec![Box::new(move |_| begin.clone()), Box::new(|_| Act::Delivery)]
}

/// The latest batch.
fn latest(rows: &Rows) -> &Kept {
    let batches = rows.iter().filter(|((_, sk), _)| sk == "BATCH");
    batches.map(|(_, row)| row).max_by_key(|row| row.text("created_at").to_owned()).unwrap()
}

/// Marks a line of the latest batch.
fn mark<'a>(tenant: &'a sim::Tenant, name: &'static str, mark: &'static str) -> Step<'a> {
    Box::new(move |rows| {
        let batch = latest(rows).text("batch");
        let line = rows.iter().find(|((pk, sk), row)| {
            pk.ends_with(batch) && sk.starts_with("LINE#") && row.text("external_id") == name
        });
        let participant = line.unwrap().1.text("participant");
        let body =
            json!({"reference": format!("tr_{name}"), "actor": "payouts", "reason": "as the bank says"});
        tenant.post(&format!("/v1/payout-batches/{batch}/lines/{participant}/{mark}"), body)
    })
}

fn cancel<'a>(tenant: &'a sim::Tenant) -> Step<'a> {
    Box::new(move |rows| {
        tenant.post(&format!("/v1/payout-batches/{}/cancel", latest(rows).text("batch")), by())
    })
}

/// Every batch and every line; and that each comes to what it is made of.
fn paid_out(rows: &Rows) -> Result<Vec<String>, String> {
    let items: Vec<_> = rows.values().map(|row| row.as_item()).collect();
    paid_out_exactly(&items)?;
    let mut all = Vec::new();
    for ((_, sk), row) in rows {
        if sk == "BATCH" {
            let figures =
                ["lines", "invoices", "total", "paid_lines", "failed_lines"].map(|name| row.number(name));
            all.push(format!("batch {}: {figures:?}", row.text("status")));
        }
        if sk.starts_with("LINE#") {
            let (name, status) = (row.text("external_id"), row.text("status"));
            all.push(format!("line of {name}: {} {status}", row.number("amount")));
        }
    }
    all.sort();
    Ok(all)
}

async fn survives(course: &str, tenant: &sim::Tenant, steps: Vec<Step<'_>>) -> End {
    let from = tenant.world.moment();
    let survival = Course { tenant, from, steps, tells: &paid_out }.run().await;
    survival.assert_held(course);
    survival.end
}

#[test]
fn the_making_of_a_batch_survives_every_fault_at_any_call() {
    let end = simulate(async {
        let tenant = prepared().await;
        survives("a payout batch", &tenant, make(&tenant, "month", 200)).await
    });
    let expected =
        ["batch open: [2, 3, 6000, 0, 0]", "line of cleo: 4000 pending", "line of dora: 2000 pending"];
    assert_eq!(end.tells, expected);
}

#[test]
fn marks_and_the_next_batch_survive_every_fault_at_any_call() {
    let end = simulate(async {
        let tenant = prepared().await;
        for step in make(&tenant, "month", 1) {
            tenant.perform(step(&tenant.world.rows())).await;
        }
        tenant.world.advance(1);
        let mut steps = vec![mark(&tenant, "cleo", "paid"), mark(&tenant, "dora", "failed")];
        steps.push(mark(&tenant, "emil", "paid"));
        steps.extend(make(&tenant, "again", 1));
        survives("marks of lines", &tenant, steps).await
    });
    let expected = [
        "batch open: [1, 1, 2000, 0, 0]",
        "batch open: [3, 4, 6100, 2, 1]",
        "line of cleo: 4000 paid",
        "line of dora: 2000 failed",
        "line of dora: 2000 pending",
        "line of emil: 100 paid",
    ];
    assert_eq!(end.tells, expected);
}

#[test]
fn cancelling_and_the_next_batch_survive_every_fault_at_any_call() {
    let end = simulate(async {
        let tenant = prepared().await;
        for step in make(&tenant, "month", 1) {
            tenant.perform(step(&tenant.world.rows())).await;
        }
        tenant.perform(mark(&tenant, "dora", "failed")(&tenant.world.rows())).await;
        tenant.world.advance(1);
        let mut steps = vec![cancel(&tenant), Box::new(|_: &Rows| Act::Delivery) as Step<'_>];
        // A delivery that fails leaves the rest to the sweeper.
        steps.push(Box::new(|_| Act::Event { function: "SweepDueFunction", event: json!({}) }));
        steps.push(Box::new(|_| Act::Delivery));
        survives("cancelling", &tenant, steps).await
    });
    let expected = [
        "batch cancelled: [3, 4, 6100, 0, 1]",
        "line of cleo: 4000 cancelled",
        "line of dora: 2000 failed",
        "line of emil: 100 cancelled",
    ];
    assert_eq!(end.tells, expected);
}
