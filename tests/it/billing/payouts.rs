//! Payout batches: what comes into them, what becomes of it, and that nothing is paid twice or lost.

mod crash;
mod export;
mod many;
mod marks;

use std::collections::{BTreeMap, BTreeSet};

use local::{Effect, Fault};
use serde_json::{Value, json};
use tests::Answer;

use super::{Office, cash, usd};

/// A program whose partners have finalized invoices.
struct Payroll {
    office: Office,
}

impl Payroll {
    /// With partners of these names, each of whom has one finalized invoice of an amount.
    async fn open(partners: &[(&str, i64)]) -> Self {
        let office = Office::open(cash("10")).await;
        let payroll = Self { office };
        for (name, _) in partners {
            let partner = payroll.office.tenant.enrol(&payroll.office.program, name, "Partner").await;
            let referee = format!("of-{name}");
            payroll.office.tenant.sign_up(&referee, &partner.code).await.created();
        }
        payroll.earn(partners).await;
        payroll
    }

    /// Another finalized invoice for each of them.
    async fn earn(&self, partners: &[(&str, i64)]) {
        let (tenant, world) = (&self.office.tenant, &self.office.world);
        let now = world.now().await.timestamp_millis();
        for (name, amount) in partners {
            tenant.pay(&format!("of-{name}"), &format!("in_{name}_{now}"), amount * 10).await.ok();
        }
        let day = self.office.end_day().await;
        let run = self.office.run(&day, false).await;
        let path = format!("/v1/billing-runs/{}/invoices?", run["id"].as_str().unwrap());
        for invoice in tenant.list(&path).await {
            self.office.act(&invoice, "finalize").await.ok();
        }
    }

    /// From now on, or no longer, messages are lost: what is begun waits for the sweeper.
    fn lose_messages(&self, times: u32) {
        let call = Some("SendMessage".to_owned());
        self.office.world.plan(vec![Fault { call, skip: 0, times, effect: Effect::Unavailable }]);
    }

    /// Lets the sweeper find what was begun.
    async fn sweep(&self) {
        self.lose_messages(0);
        self.office.world.advance(120).await;
        self.office.world.drain().await;
    }

    fn asked(&self) -> Value {
        json!({"program": self.office.program, "currency": "USD", "actor": "finance", "reason": "month end"})
    }

    /// A batch, once it is no longer being made.
    async fn batch(&self, minimum: Option<i64>) -> Value {
        let mut body = self.asked();
        if let Some(minimum) = minimum {
            body["minimum"] = usd(minimum);
        }
        let answer = self.office.tenant.post("/v1/payout-batches", body).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        assert_eq!(answer.body["status"], "assembling");
        self.office.world.drain().await;
        self.read(&answer.body).await
    }

    async fn read(&self, batch: &Value) -> Value {
        self.office.tenant.get(&path(batch, "")).await.ok()
    }

    async fn lines(&self, batch: &Value) -> Vec<Value> {
        self.office.tenant.list(&path(batch, "/lines?")).await
    }

    /// The line of a participant.
    async fn line(&self, batch: &Value, name: &str) -> Value {
        let lines = self.lines(batch).await;
        lines.into_iter().find(|line| line["external_id"] == name).unwrap()
    }

    async fn mark(&self, batch: &Value, name: &str, mark: &str, reference: &str) -> Answer {
        let line = self.line(batch, name).await;
        let path = path(batch, &format!("/lines/{}/{mark}", line["participant"].as_str().unwrap()));
        self.office.tenant.post(&path, marked(reference)).await
    }

    async fn cancel(&self, batch: &Value) -> Answer {
        let by = json!({"actor": "finance", "reason": "wrong month"});
        self.office.tenant.post(&path(batch, "/cancel"), by).await
    }

    /// Status and batch of every invoice, by its participant's own id and its total.
    async fn invoices(&self) -> Vec<(String, Option<String>)> {
        let rows = self.office.world.rows().await;
        let invoices = rows.iter().filter(|row| row.contains_key("parts"));
        let state = |row: &aws::store::Item| {
            let batch = row.get("batch").map(|batch| batch.as_s().unwrap().clone());
            (row["status"].as_s().unwrap().clone(), batch)
        };
        let mut states: Vec<_> = invoices.map(state).collect();
        states.sort();
        states
    }

    async fn at_rest(&self) {
        paid_out_exactly(&self.office.world.rows().await).unwrap();
        self.office.at_rest().await;
    }
}

fn path(batch: &Value, rest: &str) -> String {
    format!("/v1/payout-batches/{}{rest}", batch["id"].as_str().unwrap())
}

fn marked(reference: &str) -> Value {
    json!({"reference": reference, "actor": "payouts", "reason": "as the bank says"})
}

/// Status, lines, invoices and total of a batch.
fn figures(batch: &Value) -> (&str, u64, u64, i64) {
    let number = |name: &str| batch[name].as_u64().unwrap();
    let total = batch["total"]["amount"].as_i64().unwrap();
    (batch["status"].as_str().unwrap(), number("lines"), number("invoices"), total)
}

/// What must hold of the table at any moment: a batch comes to its lines, a line to its invoices; these name the batch as long
/// as the line is pending or paid, and no other line has them then; and what no batch has is listed for the next.
fn paid_out_exactly(rows: &[aws::store::Item]) -> Result<(), String> {
    let text = |row: &aws::store::Item, name: &str| {
        row.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
    };
    let number = |row: &aws::store::Item, name: &str| -> i64 {
        row.get(name).and_then(|value| value.as_n().ok()).map_or(0, |number| number.parse().unwrap())
    };
    let same = |what: &str, found: String, expected: String| {
        if found == expected { Ok(()) } else { Err(format!("{what}: {found} instead of {expected}")) }
    };
    let invoices: BTreeMap<String, &aws::store::Item> =
        rows.iter().filter(|row| row.contains_key("parts")).map(|row| (text(row, "invoice"), row)).collect();
    let mut held = BTreeSet::new();
    for batch in rows.iter().filter(|row| text(row, "sk") == "BATCH") {
        let id = text(batch, "batch");
        let mut sums = BTreeMap::from([("pending", (0, 0)), ("paid", (0, 0)), ("failed", (0, 0))]);
        let (mut lines, mut count, mut total) = (0, 0, 0);
        for line in rows.iter().filter(|row| row["pk"] == batch["pk"] && text(row, "sk").starts_with("LINE#"))
        {
            let (status, amount) = (text(line, "status"), number(line, "amount"));
            let of_line: Vec<String> =
                line["invoices"].as_l().unwrap().iter().map(|id| id.as_s().unwrap().clone()).collect();
            (lines, count, total) = (lines + 1, count + of_line.len(), total + amount);
            let sum = of_line.iter().map(|id| number(invoices[id], "total")).sum::<i64>();
            same(&format!("the invoices of {}", text(line, "line")), sum.to_string(), amount.to_string())?;
            if let Some((settled, sum)) = sums.get_mut(status.as_str()) {
                (*settled, *sum) = (*settled + 1, *sum + amount);
            }
            let expected = match status.as_str() {
                "pending" => "finalized",
                "paid" => "paid",
                _ => continue,
            };
            for invoice in &of_line {
                let row = invoices[invoice];
                let found = format!("{} in {}", text(row, "status"), text(row, "batch"));
                same(invoice, found, format!("{expected} in {id}"))?;
                if !held.insert(invoice.clone()) {
                    return Err(format!("{invoice} is in two lines"));
                }
            }
        }
        let found =
            format!("{} {} {}", number(batch, "lines"), number(batch, "invoices"), number(batch, "total"));
        same(&format!("the lines of {id}"), found, format!("{lines} {count} {total}"))?;
        for mark in ["paid", "failed"] {
            let of = |what: &str| number(batch, &format!("{mark}_{what}"));
            same(
                &format!("{mark} of {id}"),
                format!("{:?}", (of("lines"), of("total"))),
                format!("{:?}", sums[mark]),
            )?;
        }
    }
    for (id, row) in &invoices {
        let is_held = row.contains_key("batch");
        same(&format!("whether {id} is in a batch"), is_held.to_string(), held.contains(id).to_string())?;
        let is_payable = text(row, "status") == "finalized" && !is_held;
        let is_listed = row.contains_key("listing_pk");
        same(&format!("whether {id} is listed"), is_listed.to_string(), is_payable.to_string())?;
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_takes_what_is_finalized_and_pays_it_once() {
    let payroll = Payroll::open(&[("cleo", 3_000), ("dora", 2_000)]).await;
    let tenant = &payroll.office.tenant;
    let batch = payroll.batch(None).await;
    assert_eq!(figures(&batch), ("open", 2, 2, 5_000));
    assert_eq!(batch["left_out"], json!({"participants": 0, "total": usd(0)}));
    assert_eq!(batch["note"], json!({"actor": "finance", "reason": "month end"}));
    assert_eq!((&batch["minimum"], &batch["paid"]["lines"]), (&Value::Null, &json!(0)));
    let cleo = payroll.line(&batch, "cleo").await;
    assert_eq!((&cleo["amount"], &cleo["status"]), (&usd(3_000), &json!("pending")));
    let invoice = cleo["invoices"][0].as_str().unwrap();
    let invoice = format!("/v1/partner-invoices/{invoice}");
    assert_eq!(tenant.get(&invoice).await.ok()["payout_batch"], batch["id"]);

    let paid = payroll.mark(&batch, "cleo", "paid", "tr_1").await.ok();
    assert_eq!((&paid["status"], &paid["reference"]), (&json!("paid"), &json!("tr_1")));
    let read = tenant.get(&invoice).await.ok();
    assert_eq!((&read["status"], &read["payout_batch"]), (&json!("paid"), &batch["id"]));
    assert_eq!(read["note"], json!({"actor": "payouts", "reason": "as the bank says"}));
    let half = payroll.read(&batch).await;
    assert_eq!(
        (figures(&half), &half["paid"]),
        (("open", 2, 2, 5_000), &json!({"lines": 1, "total": usd(3_000)}))
    );
    payroll.mark(&batch, "dora", "paid", "tr_2").await.ok();
    assert_eq!(figures(&payroll.read(&batch).await), ("closed", 2, 2, 5_000));
    // Nothing is left for another.
    let empty = payroll.batch(None).await;
    assert_eq!(figures(&empty), ("closed", 0, 0, 0));
    let listed = tenant.list("/v1/payout-batches?").await;
    let ids: Vec<&Value> = listed.iter().map(|batch| &batch["id"]).collect();
    assert_eq!(ids, [&empty["id"], &batch["id"]]);
    payroll.at_rest().await;
}

#[tokio::test]
async fn who_has_less_than_the_minimum_is_left_out_and_carried_on() {
    let payroll = Payroll::open(&[("cleo", 3_000), ("dora", 2_000)]).await;
    let first = payroll.batch(Some(2_001)).await;
    assert_eq!(figures(&first), ("open", 1, 1, 3_000));
    assert_eq!((&first["minimum"], &first["left_out"]["participants"]), (&usd(2_001), &json!(1)));
    assert_eq!(first["left_out"]["total"], usd(2_000));
    // One cent more, by a second invoice.
    payroll.earn(&[("dora", 1)]).await;
    let second = payroll.batch(Some(2_001)).await;
    assert_eq!(figures(&second), ("open", 1, 2, 2_001));
    let line = payroll.line(&second, "dora").await;
    assert_eq!((&line["amount"], line["invoices"].as_array().unwrap().len()), (&usd(2_001), 2));
    payroll.mark(&second, "dora", "paid", "tr_1").await.ok();
    assert_eq!(payroll.invoices().await.iter().filter(|(status, _)| status == "paid").count(), 2);
    payroll.at_rest().await;
}

#[tokio::test]
async fn what_is_of_another_currency_or_program_or_is_no_more_than_a_draft_is_not_taken() {
    let payroll = Payroll::open(&[("cleo", 3_000)]).await;
    let office = &payroll.office;
    let euros =
        json!({"invoice_id": "in_e", "external_id": "of-cleo", "amount_paid": 5_000, "currency": "EUR"});
    office.tenant.post("/v1/track/invoice-paid", euros).await.ok();
    office.tenant.pay("of-cleo", "in_draft", 7_000).await.ok();
    let day = office.end_day().await;
    let run = office.run(&day, false).await;
    let made =
        office.tenant.list(&format!("/v1/billing-runs/{}/invoices?", run["id"].as_str().unwrap())).await;
    let euros = made.iter().find(|invoice| invoice["total"]["currency"] == "EUR").unwrap();
    office.act(euros, "finalize").await.ok();
    assert_eq!(figures(&payroll.batch(None).await), ("open", 1, 1, 3_000));
    let mut other = payroll.asked();
    other["program"] = json!(office.tenant.program(cash("10")).await);
    let other = office.tenant.post("/v1/payout-batches", other).await;
    assert_eq!(other.status, 202, "{other:?}");
    office.world.drain().await;
    assert_eq!(figures(&payroll.read(&other.body).await), ("closed", 0, 0, 0));
    let mut euros = payroll.asked();
    euros["currency"] = json!("EUR");
    let euros = office.tenant.post("/v1/payout-batches", euros).await.body;
    office.world.drain().await;
    assert_eq!(figures(&payroll.read(&euros).await), ("open", 1, 1, 500));
    payroll.at_rest().await;
}

#[tokio::test]
async fn an_invoice_in_a_batch_is_neither_voided_nor_paid_by_hand() {
    let payroll = Payroll::open(&[("cleo", 3_000)]).await;
    let batch = payroll.batch(None).await;
    let invoice = payroll.line(&batch, "cleo").await["invoices"][0].clone();
    let invoice = json!({"id": invoice});
    for action in ["void", "pay"] {
        let problem =
            payroll.office.act(&invoice, action).await.refused(409, "partner_invoice_in_payout_batch");
        assert!(problem["detail"].as_str().unwrap().contains(batch["id"].as_str().unwrap()), "{problem}");
    }
    // What is so already stays so.
    payroll.office.act(&invoice, "finalize").await.ok();
    payroll.mark(&batch, "cleo", "failed", "tr_1").await.ok();
    payroll.office.act(&invoice, "void").await.ok();
    assert_eq!(figures(&payroll.batch(None).await), ("closed", 0, 0, 0));
    payroll.at_rest().await;
}

#[tokio::test]
async fn a_batch_that_is_cancelled_frees_its_invoices_for_the_next() {
    let payroll = Payroll::open(&[("cleo", 3_000), ("dora", 2_000), ("emil", 1_000)]).await;
    let first = payroll.batch(None).await;
    payroll.mark(&first, "emil", "failed", "tr_1").await.ok();
    payroll.lose_messages(1_000);
    let cancelling = payroll.cancel(&first).await.ok();
    assert_eq!(cancelling["status"], "cancelling");
    payroll.mark(&first, "cleo", "paid", "tr_2").await.refused(409, "payout_batch_transition");
    payroll.office.tenant.get(&path(&first, "/export")).await.refused(409, "payout_batch_transition");
    payroll
        .office
        .tenant
        .post("/v1/payout-batches", payroll.asked())
        .await
        .refused(409, "payout_batch_in_progress");
    payroll.cancel(&first).await.ok();
    payroll.sweep().await;
    let cancelled = payroll.cancel(&first).await.ok();
    assert_eq!(figures(&cancelled), ("cancelled", 3, 3, 6_000));
    assert_eq!(cancelled["note"], json!({"actor": "finance", "reason": "wrong month"}));
    let statuses: Vec<Value> =
        payroll.lines(&first).await.iter().map(|line| line["status"].clone()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == "cancelled").count(), 2, "{statuses:?}");
    payroll.mark(&first, "cleo", "paid", "tr_2").await.refused(409, "payout_line_settled");
    let second = payroll.batch(None).await;
    assert_eq!(figures(&second), ("open", 3, 3, 6_000));
    payroll.mark(&second, "cleo", "paid", "tr_3").await.ok();
    payroll.cancel(&second).await.refused(409, "payout_batch_transition");
    payroll.at_rest().await;
}
