//! A partner program that has been billed.

use serde_json::{Value, json};

use crate::{Participant, Tenant, World};

/// A partner program with the participant `pia`, whom `quinta` (in four currencies) and `rolf` have brought something, and with
/// `petra`, whom `quentin` has brought something in CHF.
#[derive(Debug)]
pub struct Partners {
    /// The program.
    pub program: String,
    /// The participant.
    pub pia: Participant,
    /// The day that was billed.
    pub day: String,
    /// The run that billed it.
    pub run: String,
    /// Pia's draft invoices: EUR, GBP, and USD with two line items.
    pub invoices: [String; 3],
    /// A payout batch of the invoices in CHF that was cancelled.
    pub cancelled: String,
    /// A payout batch of the same invoices that is open.
    pub batch: String,
    /// The participant `petra`.
    pub petra: Participant,
}

impl Partners {
    /// Takes a day of the stage's time, a rehearsal and a run.
    pub async fn open(world: &World, tenant: &Tenant) -> Self {
        let share = json!({"id": "share", "kind": "cash", "amount": {"percentage": {"percent": "10"}}});
        let program = tenant.program(json!({"rules": [share]})).await;
        let pia = tenant.enrol(&program, "pia", "Pia").await;
        let petra = tenant.enrol(&program, "petra", "Petra").await;
        for (referrer, referee, currencies) in [
            (&pia, "quinta", ["CHF", "EUR", "GBP", "USD"].as_slice()),
            (&pia, "rolf", &["USD"]),
            (&petra, "quentin", &["CHF"]),
        ] {
            tenant.sign_up(referee, &referrer.code).await.created();
            for currency in currencies {
                let body = json!({"invoice_id": format!("in_{referee}_{currency}"), "external_id": referee,
                    "amount_paid": 20_000, "currency": currency});
                tenant.post("/v1/track/invoice-paid", body).await.ok();
            }
        }
        world.drain().await;
        let day = world.now().await.date_naive().to_string();
        world.advance(86_400 + 1_200).await;
        world.drain().await;
        let mut run = String::new();
        for dry_run in [true, false] {
            let body = json!({"program": program, "from": day, "to": day, "dry_run": dry_run});
            let answer = tenant.post("/v1/billing-runs", body).await;
            assert_eq!(answer.status, 202, "{}", answer.body);
            world.drain().await;
            run = answer.body["id"].as_str().unwrap().to_owned();
        }
        let mut made = tenant.list(&format!("/v1/billing-runs/{run}/invoices?")).await;
        made.sort_by_key(|invoice| invoice["total"]["currency"].to_string());
        let (francs, made): (Vec<Value>, Vec<Value>) =
            made.into_iter().partition(|invoice| invoice["total"]["currency"] == "CHF");
        let ids: Vec<String> = made.iter().map(id_of).collect();
        let by = json!({"actor": "finance", "reason": "month end"});
        for invoice in &francs {
            let path = format!("/v1/partner-invoices/{}/finalize", id_of(invoice));
            tenant.post(&path, by.clone()).await.ok();
        }
        let cancelled = pay_out(world, tenant, &program).await;
        tenant.post(&format!("/v1/payout-batches/{cancelled}/cancel"), by).await.ok();
        world.drain().await;
        let batch = pay_out(world, tenant, &program).await;
        Self { program, pia, day, run, invoices: ids.try_into().unwrap(), cancelled, batch, petra }
    }
}

/// A batch of what is finalized in CHF.
async fn pay_out(world: &World, tenant: &Tenant, program: &str) -> String {
    let body = json!({"program": program, "currency": "CHF", "actor": "finance", "reason": "month end"});
    let answer = tenant.post("/v1/payout-batches", body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    world.drain().await;
    id_of(&answer.body)
}

fn id_of(body: &Value) -> String {
    body["id"].as_str().unwrap().to_owned()
}
