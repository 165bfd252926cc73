//! A partner program that has been billed.

use serde_json::{Value, json};

use crate::{Participant, Tenant, World};

/// A partner program with the participant `pia`, whom `quinta` (in three currencies) and `rolf` have brought something.
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
    /// Its draft invoices: EUR, GBP, and USD with two line items.
    pub invoices: [String; 3],
}

impl Partners {
    /// Takes a day of the stage's time, a rehearsal and a run.
    pub async fn open(world: &World, tenant: &Tenant) -> Self {
        let share = json!({"id": "share", "kind": "cash", "amount": {"percentage": {"percent": "10"}}});
        let program = tenant.program(json!({"rules": [share]})).await;
        let pia = tenant.enrol(&program, "pia", "Pia").await;
        for (referee, currencies) in [("quinta", ["EUR", "GBP", "USD"].as_slice()), ("rolf", &["USD"])] {
            tenant.sign_up(referee, &pia.code).await.created();
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
        let list = tenant.get(&format!("/v1/participants/{}/partner-invoices", pia.id)).await.ok();
        let mut made: Vec<Value> = list["data"].as_array().unwrap().clone();
        made.sort_by_key(|invoice| invoice["total"]["currency"].to_string());
        let ids: Vec<String> = made.iter().map(|made| made["id"].as_str().unwrap().to_owned()).collect();
        Self { program, pia, day, run, invoices: ids.try_into().unwrap() }
    }
}
