//! The operations, each on rows of its own.

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::json;
use tests::{Participant, Tenant, percent_rule};

use super::price::Usage;
use super::stripe::Invoice;
use super::{Budget, CALLS_MAX, Row, steady};
use crate::progress;
use crate::rig::{Organization, Rig, fold, text};

/// Messages of one batch at most; `template.yaml` sets the same for its queues.
const BATCH: u32 = 10;

/// A call of the HTTP API.
const CALL: Usage =
    Usage { http_calls: 1.0, invocations: 1.0, write_units: 0.0, read_units: 0.0, queue_requests: 0.0 };
/// A message that comes alone: received, handled, deleted.
const ALONE: Usage = Usage { http_calls: 0.0, queue_requests: 2.0, ..CALL };
/// A message's part of a full batch.
const OF_BATCH: Usage = Usage { http_calls: 0.0, invocations: 0.1, queue_requests: 0.2, ..CALL };
/// A run of a schedule.
const RUN: Usage = Usage { http_calls: 0.0, ..CALL };

/// An operation before it is measured.
struct Operation {
    name: &'static str,
    usage: Usage,
    budget: Option<Budget>,
    least: Option<Usage>,
}

impl Operation {
    const fn new(name: &'static str, usage: Usage) -> Self {
        Self { name, usage, budget: None, least: None }
    }

    /// The design's limits: requests, write units and read units.
    const fn within(self, requests: u32, write_units: f64, read_units: f64) -> Self {
        Self { budget: Some(Budget { requests: Some(requests), write_units, read_units: Some(read_units) }), ..self }
    }

    /// The least that is correct: write and read units.
    const fn least(self, write_units: f64, read_units: f64) -> Self {
        Self { least: Some(Usage { write_units, read_units, ..self.usage }), ..self }
    }
}

/// What the operations share.
struct Scene<'a> {
    rig: &'a Rig,
    organization: Organization,
    program: String,
    anna: Participant,
    webhook: String,
    now: DateTime<Utc>,
}

/// Measures every operation.
pub(super) async fn run(rig: &Rig) -> Result<Vec<Row>> {
    let organization = rig.organization().await;
    let tenant = &organization.tenant;
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna's Studio").await;
    let webhook = tenant.stripe_endpoint().await;
    // Stripe tells whole seconds: within the program's first one, a payment would lie before the program.
    rig.world.advance(1).await;
    let now = rig.now().await;
    let scene = Scene { rig, organization, program, anna, webhook, now };
    let mut rows = Vec::new();
    scene.enrolment(&mut rows).await?;
    scene.invoices(&mut rows).await?;
    scene.webhooks(&mut rows).await?;
    scene.deliveries(&mut rows).await?;
    scene.readings(&mut rows).await?;
    scene.nights(&mut rows).await?;
    Ok(rows)
}

impl Scene<'_> {
    fn tenant(&self) -> &Tenant {
        &self.organization.tenant
    }

    async fn measure(&self, operation: Operation, call: impl AsyncFn(usize)) -> Result<Row> {
        let Operation { name, usage, budget, least } = operation;
        Ok(Row { name, tally: steady(self.rig, name, call).await?, usage, budget, least })
    }

    async fn enrolment(&self, rows: &mut Vec<Row>) -> Result<()> {
        progress("  codes and sign-ups");
        let tenant = self.tenant();
        let issue = Operation::new("issue a code", CALL).within(2, 2.0, 0.0).least(1.0, 0.0);
        let call = async |n| drop(tenant.enrol(&self.program, &format!("account-{n}"), "Blue Lotus").await);
        rows.push(self.measure(issue, call).await?);

        let signup = Operation::new("sign-up with a code", CALL).within(2, 3.0, 0.5).least(1.0, 0.5);
        let call = async |n| drop(tenant.sign_up(&format!("dora-{n}"), &self.anna.code).await.created());
        rows.push(self.measure(signup, call).await?);

        let signup = Operation::new("  and with the processor's customer", CALL).least(2.0, 0.5);
        let call = async |n| {
            let customer = json!({"processor": "stripe", "id": format!("cus_emil-{n}")});
            let body = json!({"external_id": format!("emil-{n}"), "code": self.anna.code, "customer": customer});
            tenant.post("/v1/track/signup", body).await.created();
        };
        rows.push(self.measure(signup, call).await?);
        Ok(())
    }

    async fn invoices(&self, rows: &mut Vec<Row>) -> Result<()> {
        progress("  paid invoices");
        let tenant = self.tenant();
        tenant.post("/v1/track/signup", json!({"external_id": "carl"})).await.created();
        let organic = Operation::new("paid invoice, payer not referred", CALL).within(1, 0.0, 1.0).least(0.0, 1.0);
        let call = async |n| drop(tenant.pay("carl", &format!("in_carl_{n}"), 20_000).await.ok());
        rows.push(self.measure(organic, call).await?);

        let parked = Operation::new("paid invoice, payer unknown: parked", CALL).least(1.0, 1.0);
        let call = async |n| {
            let answer = tenant.pay(&format!("later-{n}"), &format!("in_later_{n}"), 20_000).await;
            assert_eq!(answer.status, 202, "{}", answer.body);
        };
        rows.push(self.measure(parked, call).await?);

        tenant.sign_up("ben", &self.anna.code).await.created();
        let earned = Operation::new("paid invoice, referred, one rule", CALL).within(3, 6.0, 2.0).least(1.0, 1.0);
        let call = async |n| drop(self.earn(&format!("in_ben_{n}")).await);
        rows.push(self.measure(earned, call).await?);

        let known = Operation::new("  the same invoice again", CALL).within(2, 0.0, 2.0).least(0.0, 1.0);
        let call = async |_| {
            let answer = tenant.pay("ben", "in_ben_1", 20_000).await.ok();
            assert_eq!(answer["duplicate"], true, "{answer}");
        };
        rows.push(self.measure(known, call).await?);
        Ok(())
    }

    /// Pays an invoice of `ben`'s; the reward that it earns.
    async fn earn(&self, invoice: &str) -> String {
        let answer = self.tenant().pay("ben", invoice, 20_000).await.ok();
        text(&answer["posted"][0]["reward"])
    }

    /// Delivers one of Stripe's events; what became of its source.
    async fn deliver(&self, event: &serde_json::Value) -> serde_json::Value {
        let answer = self.tenant().stripe(&self.webhook, event, self.now).await.ok();
        assert_eq!(answer["outcome"], "processed", "{answer}");
        answer["results"][0].clone()
    }

    async fn webhooks(&self, rows: &mut Vec<Row>) -> Result<()> {
        progress("  Stripe's events");
        let tenant = self.tenant();
        for n in 0..CALLS_MAX {
            tenant.sign_up(&format!("fay-{n}"), &self.anna.code).await.created();
        }
        let first = Operation::new("Stripe 2020, first paid invoice of a customer", CALL).least(1.0, 1.0);
        let call = async |n| {
            let invoice = Invoice { payer: format!("fay-{n}"), number: 0 };
            assert_eq!(self.deliver(&invoice.paid(self.now)).await["reason"], "earned");
        };
        rows.push(self.measure(first, call).await?);

        tenant.sign_up("gil", &self.anna.code).await.created();
        let invoice = |number| Invoice { payer: "gil".to_owned(), number };
        let later = Operation::new("  every later one", CALL).within(3, 6.0, 2.0).least(1.0, 1.0);
        let call = async |n| assert_eq!(self.deliver(&invoice(n).paid(self.now)).await["reason"], "earned");
        rows.push(self.measure(later, call).await?);

        let twin = Operation::new("  its twin, invoice.payment_succeeded", CALL).within(2, 0.0, 2.0).least(0.0, 1.0);
        let call = async |_| assert_eq!(self.deliver(&invoice(1).succeeded(self.now)).await["duplicate"], true);
        rows.push(self.measure(twin, call).await?);

        let refund = Operation::new("  charge.refunded, a quarter", CALL).least(1.0, 1.0);
        let call = async |n| {
            self.deliver(&invoice(100 + n).paid(self.now)).await;
            self.rig.probe.take();
            let result = self.deliver(&invoice(100 + n).refunded(self.now)).await;
            assert_eq!(result["posted"].as_array().map(Vec::len), Some(1), "{result}");
        };
        rows.push(self.measure(refund, call).await?);
        Ok(())
    }

    async fn deliveries(&self, rows: &mut Vec<Row>) -> Result<()> {
        progress("  deliveries and refunds");
        let alone = Operation::new("fulfill, a message alone", ALONE).within(2, 3.0, 0.0).least(1.0, 0.0);
        let call = async |n| self.fulfill_some(&format!("alone_{n}"), 1).await;
        rows.push(self.measure(alone, call).await?);

        let batched = Operation::new("fulfill, in a batch of 10", OF_BATCH).within(2, 3.0, 0.0).least(1.0, 0.0);
        let call = async |n| self.fulfill_some(&format!("batch_{n}"), BATCH).await;
        let mut row = self.measure(batched, call).await?;
        row.tally = row.tally.part(BATCH);
        rows.push(row);

        let refund = Operation::new("partial refund of a fulfilled reward", CALL).least(1.0, 1.0);
        let call = async |n| {
            let invoice = format!("in_refunded_{n}");
            let reward = self.earn(&invoice).await;
            self.fulfill(&[reward]).await;
            self.rig.probe.take();
            self.tenant().refund(&format!("re_{n}"), &invoice, 5_000).await.ok();
        };
        rows.push(self.measure(refund, call).await?);
        Ok(())
    }

    async fn fulfill_some(&self, name: &str, count: u32) {
        let mut rewards = Vec::new();
        for number in 0..count {
            rewards.push(self.earn(&format!("in_{name}_{number}")).await);
        }
        self.rig.probe.take();
        self.fulfill(&rewards).await;
    }

    async fn fulfill(&self, rewards: &[String]) {
        self.rig.fulfill(&self.organization, rewards).await.unwrap();
    }

    async fn readings(&self, rows: &mut Vec<Row>) -> Result<()> {
        progress("  balances");
        let tenant = self.tenant();
        let zoe = tenant.enrol(&self.program, "zoe", "Zoe").await;
        tenant.sign_up("hal", &zoe.code).await.created();
        for (lines, name) in [(1, "balances after 1 line"), (12, "balances after 12 lines")] {
            for n in 0..lines {
                tenant.pay("hal", &format!("in_hal_{lines}_{n}"), 1_000).await.ok();
            }
            let balances = Operation::new(name, CALL).within(1, 0.0, 1.0).least(0.0, 0.5);
            let path = format!("/v1/participants/{}/balances", zoe.id);
            rows.push(self.measure(balances, async |_| drop(tenant.get(&path).await.ok())).await?);
        }
        Ok(())
    }

    async fn nights(&self, rows: &mut Vec<Row>) -> Result<()> {
        progress("  nightly reports");
        let organization = self.rig.organization().await;
        let tenant = &organization.tenant;
        let anna = tenant.with_anna("10").await;
        let nights = [
            (100, "nightly report of 100 lines"),
            (10, "nightly report of 10 lines, 100 older ones"),
            (0, "nightly report of an idle organization"),
        ];
        for (lines, name) in nights {
            for n in 0..lines / 2 {
                let referee = format!("ida-{lines}-{n}");
                tenant.sign_up(&referee, &anna.code).await.created();
                tenant.pay(&referee, &format!("in_{lines}_{n}"), 1_000).await.ok();
            }
            let day = self.rig.now().await.date_naive().to_string();
            let mut operation = Operation::new(name, OF_BATCH).least(1.0, 0.5);
            operation.budget = Some(Budget { requests: None, write_units: 1.0, read_units: None });
            let call = async |_| {
                drop(self.rig.world.invoke("AggregateReportsFunction", fold(&organization, &day)).await);
            };
            rows.push(self.measure(operation, call).await?);
            self.rig.world.advance(86_400).await;
        }
        let idle = Operation::new("sweep with nothing due (43,200 a month)", RUN);
        let call = async |_| drop(self.rig.world.invoke("SweepDueFunction", json!({"type": "sweep"})).await);
        rows.push(self.measure(idle, call).await?);
        Ok(())
    }
}
