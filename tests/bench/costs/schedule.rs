//! What runs by itself: the sweep and the nightly report.

use anyhow::Result;
use serde_json::json;

use super::operation::{OF_BATCH, Operation, RUN, Row};
use crate::progress;
use crate::rig::{Organization, Rig, fold, text};

/// Measures both.
pub(super) async fn run(rig: &Rig) -> Result<Vec<Row>> {
    progress("  nightly reports and the sweep");
    let organization = rig.organization().await;
    let anna = organization.tenant.with_anna("10").await;
    let nights = [
        (100, "nightly report of 100 lines"),
        (10, "nightly report of 10 lines, 100 older ones"),
        (0, "nightly report of an idle organization"),
    ];
    let mut rows = Vec::new();
    for (lines, name) in nights {
        fill(rig, &organization, &anna.code, lines).await?;
        let day = rig.world.now().await.date_naive().to_string();
        let event = fold(&organization, &day);
        let call = async |_| drop(rig.world.invoke("AggregateReportsFunction", event.clone()).await);
        let night = Operation::new(name, OF_BATCH).writing_at_most(1.0).least(1.0, 0.5);
        rows.push(night.measure(rig, call).await?);
        rig.world.advance(86_400).await;
    }
    let call = async |_| {
        let swept = rig.world.invoke("SweepDueFunction", json!({"type": "sweep"})).await;
        assert_eq!(swept, json!({"sent": 0, "finished": 0, "failed": 0}));
    };
    let idle = Operation::new("sweep with nothing due (43,200 a month)", RUN);
    rows.push(idle.measure(rig, call).await?);
    Ok(rows)
}

/// Writes lines of a day, a referral and a delivered reward by turns.
async fn fill(rig: &Rig, organization: &Organization, code: &str, lines: u32) -> Result<()> {
    let mut rewards = Vec::new();
    for number in 0..lines / 2 {
        let (referee, invoice) = (format!("ida-{lines}-{number}"), format!("in_{lines}_{number}"));
        organization.tenant.sign_up(&referee, code).await.created();
        let paid = organization.tenant.pay(&referee, &invoice, 1_000).await.ok();
        rewards.push(text(&paid["posted"][0]["reward"]));
    }
    for batch in rewards.chunks(10) {
        rig.fulfill(organization, batch).await?;
    }
    Ok(())
}
