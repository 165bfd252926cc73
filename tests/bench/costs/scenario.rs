//! The operations, each on rows of its own.

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::json;
use tests::{Participant, Tenant, percent_rule};

use super::operation::{ALONE, CALL, CALLS_MAX, OF_BATCH, Operation, Row};
use super::stripe::{self, Invoice};
use crate::progress;
use crate::rig::{Organization, Rig, text};

/// Messages of one batch at most; `template.yaml` sets the same for its queues.
const BATCH: u32 = 10;

/// What the operations share.
struct Scene<'a> {
    rig: &'a Rig,
    organization: Organization,
    program: String,
    anna: Participant,
    webhook: String,
    now: DateTime<Utc>,
}

/// Measures every operation that somebody calls.
pub(super) async fn run(rig: &Rig) -> Result<Vec<Row>> {
    let organization = rig.organization().await;
    let tenant = &organization.tenant;
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna's Studio").await;
    let webhook = tenant.stripe_endpoint().await;
    // Stripe tells whole seconds: within the program's first one, a payment would lie before the program.
    rig.world.advance(1).await;
    let now = rig.world.now().await;
    let scene = Scene { rig, organization, program, anna, webhook, now };
    let mut rows = Vec::new();
    scene.enrolment(&mut rows).await?;
    scene.invoices(&mut rows).await?;
    scene.webhooks(&mut rows).await?;
    scene.deliveries(&mut rows).await?;
    scene.readings(&mut rows).await?;
    Ok(rows)
}

impl Scene<'_> {
    fn tenant(&self) -> &Tenant {
        &self.organization.tenant
    }

    async fn measure(&self, operation: Operation, call: impl AsyncFn(usize)) -> Result<Row> {
        operation.measure(self.rig, call).await
    }

    async fn enrolment(&self, rows: &mut Vec<Row>) -> Result<()> {
        progress("  codes and sign-ups");
        let tenant = self.tenant();
        let issue = Operation::new("issue a code", CALL).within(2, 3.0, 0.0).least(1.0, 0.0);
        let call = async |n| drop(tenant.enrol(&self.program, &format!("account-{n}"), "Blue Lotus").await);
        rows.push(self.measure(issue, call).await?);

        let signup = Operation::new("sign-up with a code", CALL).within(2, 3.0, 0.5).least(1.0, 0.5);
        let call = async |n| drop(tenant.sign_up(&format!("dora-{n}"), &self.anna.code).await.created());
        rows.push(self.measure(signup, call).await?);

        let signup = Operation::new("  and with the processor's customer", CALL).least(2.0, 0.5);
        let call = async |n| {
            let customer = json!({"processor": "stripe", "id": format!("cus_emil-{n}")});
            let body =
                json!({"external_id": format!("emil-{n}"), "code": self.anna.code, "customer": customer});
            tenant.post("/v1/track/signup", body).await.created();
        };
        rows.push(self.measure(signup, call).await?);
        Ok(())
    }

    async fn invoices(&self, rows: &mut Vec<Row>) -> Result<()> {
        progress("  paid invoices");
        let tenant = self.tenant();
        tenant.post("/v1/track/signup", json!({"external_id": "carl"})).await.created();
        let organic =
            Operation::new("paid invoice, payer not referred", CALL).within(1, 0.0, 1.0).least(0.0, 1.0);
        let call = async |n| drop(tenant.pay("carl", &format!("in_carl_{n}"), 20_000).await.ok());
        rows.push(self.measure(organic, call).await?);

        let parked = Operation::new("paid invoice, payer unknown: parked", CALL).least(1.0, 1.0);
        let call = async |n| {
            let answer = tenant.pay(&format!("later-{n}"), &format!("in_later_{n}"), 20_000).await;
            assert_eq!(answer.status, 202, "{}", answer.body);
        };
        rows.push(self.measure(parked, call).await?);

        tenant.sign_up("ben", &self.anna.code).await.created();
        let earned =
            Operation::new("paid invoice, referred, one rule", CALL).within(3, 6.0, 2.0).least(1.0, 1.0);
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
        self.earn_of("ben", invoice).await
    }

    async fn earn_of(&self, referee: &str, invoice: &str) -> String {
        let answer = self.tenant().pay(referee, invoice, 20_000).await.ok();
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
            let invoice = Invoice { shape: &stripe::OLD, payer: format!("fay-{n}"), number: 0 };
            assert_eq!(self.deliver(&invoice.paid(self.now)).await["reason"], "earned");
        };
        rows.push(self.measure(first, call).await?);

        tenant.sign_up("gil", &self.anna.code).await.created();
        let invoice = |number| Invoice { shape: &stripe::OLD, payer: "gil".to_owned(), number };
        let later = Operation::new("  every later one", CALL).within(3, 6.0, 2.0).least(1.0, 1.0);
        let call = async |n| assert_eq!(self.deliver(&invoice(n).paid(self.now)).await["reason"], "earned");
        rows.push(self.measure(later, call).await?);

        let twin = |name| Operation::new(name, CALL).within(2, 0.0, 2.0).least(0.0, 1.0);
        let call =
            async |_| assert_eq!(self.deliver(&invoice(1).succeeded(self.now)).await["duplicate"], true);
        rows.push(self.measure(twin("  its twin, invoice.payment_succeeded"), call).await?);
        let call = async |n| {
            let invoice = invoice(300 + n);
            self.deliver(&invoice.paid(self.now)).await;
            self.rig.elsewhere(true);
            self.rig.probe.take();
            self.deliver(&invoice.succeeded(self.now)).await;
            self.rig.elsewhere(false);
        };
        rows.push(self.measure(twin("    handled by another instance"), call).await?);

        let refund = Operation::new("  charge.refunded, a quarter", CALL).least(1.0, 1.0);
        let call = async |n| {
            self.deliver(&invoice(100 + n).paid(self.now)).await;
            self.rig.probe.take();
            let result = self.deliver(&invoice(100 + n).refunded(self.now)).await;
            assert_eq!(result["posted"].as_array().map(Vec::len), Some(1), "{result}");
        };
        rows.push(self.measure(refund, call).await?);

        let new = |number| Invoice { shape: &stripe::BASIL, ..invoice(number + 200) };
        let later =
            Operation::new("Stripe basil, a later paid invoice", CALL).within(3, 6.0, 2.0).least(1.0, 1.0);
        let call = async |n| assert_eq!(self.deliver(&new(n).paid(self.now)).await["reason"], "earned");
        rows.push(self.measure(later, call).await?);

        let tie = Operation::new("  its invoice_payment.paid", CALL).least(1.0, 1.0);
        let call = async |n| drop(self.deliver(&new(n).tied(self.now)).await);
        rows.push(self.measure(tie, call).await?);

        let refund = Operation::new("  charge.refunded, which names only the payment", CALL).least(1.0, 1.0);
        let call = async |n| {
            let result = self.deliver(&new(n).refunded(self.now)).await;
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

        let batched =
            Operation::new("fulfill, in a batch of 10", OF_BATCH).within(2, 3.0, 0.0).least(1.0, 0.0);
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
        let path = format!("/v1/participants/{}/balances", zoe.id);
        let read = async |_| drop(tenant.get(&path).await.ok());
        let balances = |name| Operation::new(name, CALL).within(1, 0.0, 1.0).least(0.0, 0.5);

        let mut rewards = vec![self.earn_of("hal", "in_hal").await];
        rows.push(self.measure(balances("balances, 1 line"), read).await?);
        for n in 1..20 {
            rewards.push(self.earn_of("hal", &format!("in_hal_{n}")).await);
        }
        rows.push(self.measure(balances("balances, 20 lines of the last minutes"), read).await?);
        for batch in rewards.chunks(10) {
            self.fulfill(batch).await;
        }
        self.rig.world.advance(3_600).await;
        rows.push(self.measure(balances("  an hour later"), read).await?);
        Ok(())
    }
}
