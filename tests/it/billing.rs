//! Partner billing: runs, invoices, the referral report, and tokens with which partners look at their own.

mod crash;
mod invoices;
mod payouts;
mod report;
mod runs;
mod tokens;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Participant, Tenant, World};

const DAY: i64 = 86_400;

/// Terms that pay a share of every invoice in cash.
fn cash(percent: &str) -> Value {
    json!({"rules": [{"id": "share", "kind": "cash", "amount": {"percentage": {"percent": percent}}}]})
}

/// A partner program in use.
struct Office {
    world: World,
    tenant: Tenant,
    program: String,
    anna: Participant,
}

impl Office {
    /// A program with the participant `anna`, and `ben`, whom she referred.
    async fn open(terms: Value) -> Self {
        let world = World::start().await;
        let tenant = world.tenant().await;
        let program = tenant.program(terms).await;
        let anna = tenant.enrol(&program, "anna", "Anna").await;
        tenant.sign_up("ben", &anna.code).await.created();
        Self { world, tenant, program, anna }
    }

    /// Delivers what is due, lets the day end, and answers which one it was.
    async fn end_day(&self) -> String {
        self.world.drain().await;
        let day = self.world.now().await.date_naive().to_string();
        self.world.advance(DAY + 1_200).await;
        self.world.drain().await;
        day
    }

    /// A run over a day, to its end.
    async fn run(&self, day: &str, dry_run: bool) -> Value {
        let body = json!({"program": self.program, "from": day, "to": day, "dry_run": dry_run});
        let answer = self.tenant.post("/v1/billing-runs", body).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        self.world.drain().await;
        let path = format!("/v1/billing-runs/{}", answer.body["id"].as_str().unwrap());
        let run = self.tenant.get(&path).await.ok();
        assert_eq!(run["status"], "done", "{run}");
        run
    }

    /// What a run made: the figures that matter.
    async fn bill(&self, day: &str) -> (u64, u64, Value) {
        figures(&self.run(day, false).await)
    }

    async fn invoices(&self, participant: &Participant) -> Vec<Value> {
        let path = format!("/v1/participants/{}/partner-invoices?limit=100", participant.id);
        self.tenant.get(&path).await.ok()["data"].as_array().unwrap().clone()
    }

    async fn act(&self, invoice: &Value, action: &str) -> tests::Answer {
        let path = format!("/v1/partner-invoices/{}/{action}", invoice["id"].as_str().unwrap());
        self.tenant.post(&path, json!({"actor": "finance", "reason": "month end"})).await
    }

    async fn report(&self, from: &str, to: &str) -> Vec<Value> {
        self.tenant.get(&format!("/v1/reports/referrals?from={from}&to={to}")).await.ok()["data"]
            .as_array()
            .unwrap()
            .clone()
    }

    async fn at_rest(&self) {
        assert_billed_exactly(&self.world).await;
        self.world.assert_at_rest().await;
    }
}

/// Invoices, lines and totals of a run.
fn figures(run: &Value) -> (u64, u64, Value) {
    (run["invoices"].as_u64().unwrap(), run["lines"].as_u64().unwrap(), run["totals"].clone())
}

fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

/// What must hold of the table at any moment: [`billed_exactly`].
async fn assert_billed_exactly(world: &World) {
    billed_exactly(&world.rows().await).unwrap();
}

/// Each invoice comes to the ledger lines that name it, to its line items, and to the lines that are listed on it; a line is on
/// one invoice that is not void at most; none is below zero.
fn billed_exactly(rows: &[aws::store::Item]) -> Result<(), String> {
    let same = |what: &str, found: (i64, i64), expected: (i64, i64)| {
        if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
    };
    let text = |row: &aws::store::Item, name: &str| {
        row.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
    };
    let number = |row: &aws::store::Item, name: &str| -> i64 {
        row.get(name).and_then(|value| value.as_n().ok()).map_or(0, |number| number.parse().unwrap())
    };
    let mut marked: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for row in rows {
        if let Some(invoice) = row.get("billed_on") {
            let (sum, lines) = marked.entry(invoice.as_s().unwrap().clone()).or_default();
            (*sum, *lines) = (*sum + number(row, "delta"), *lines + 1);
        }
    }
    for row in rows.iter().filter(|row| text(row, "sk").starts_with("INVOICE#") && row.contains_key("parts"))
    {
        let (id, pk, total) = (text(row, "invoice"), text(row, "pk"), number(row, "total"));
        let place = text(row, "sk").replacen("INVOICE#", "", 1);
        let of_invoice = |prefix: &str| {
            let start = format!("{prefix}#{place}#");
            rows.iter().filter(move |row| text(row, "sk").starts_with(&start)).collect::<Vec<_>>()
        };
        let items = of_invoice("INVOICE-ITEM");
        let items = items.iter().filter(|item| text(item, "pk") == pk);
        let items = items
            .fold((0, 0), |(sum, count), item| (sum + number(item, "amount"), count + number(item, "lines")));
        same(&format!("the line items of {id}"), items, (total, number(row, "lines")))?;
        let mut listed = (0, 0);
        for part in of_invoice("INVOICE-PART").into_iter().filter(|part| text(part, "pk") == pk) {
            for line in part["lines"].as_l().unwrap() {
                let amount: i64 = line.as_m().unwrap()["amount"].as_n().unwrap().parse().unwrap();
                listed = (listed.0 + amount, listed.1 + 1);
            }
        }
        same(&format!("the lines listed on {id}"), listed, items)?;
        if total <= 0 {
            return Err(format!("{id} comes to {total}"));
        }
        if text(row, "status") != "void" {
            let marked = marked.get(&id).copied().unwrap_or_default();
            same(&format!("the ledger lines that name {id}"), marked, items)?;
        }
    }
    Ok(())
}
