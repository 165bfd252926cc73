//! Many partners and many invoices, and several who make batches at once.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use super::super::usd;
use super::{Payroll, figures, paid_out_exactly, path};

#[tokio::test]
async fn many_partners_are_put_into_a_batch_over_many_messages() {
    let names: Vec<String> = (0..70).map(|number| format!("partner-{number}")).collect();
    let partners: Vec<(&str, i64)> = names
        .iter()
        .enumerate()
        .map(|(number, name)| (name.as_str(), if number < 10 { 50 } else { 100 }))
        .collect();
    let payroll = Payroll::open(&partners).await;
    let batch = payroll.batch(Some(100)).await;
    assert_eq!(figures(&batch), ("open", 60, 60, 6_000));
    assert_eq!(batch["left_out"], json!({"participants": 10, "total": usd(500)}));
    let lines = payroll.lines(&batch).await;
    let participants: BTreeSet<&str> =
        lines.iter().map(|line| line["participant"].as_str().unwrap()).collect();
    assert_eq!((lines.len(), participants.len()), (60, 60));
    // Those of a status, page by page.
    for line in lines.iter().step_by(20) {
        let place = format!("/lines/{}/paid", line["participant"].as_str().unwrap());
        payroll.office.tenant.post(&path(&batch, &place), super::marked("tr")).await.ok();
    }
    for (status, count) in [("paid", 3), ("pending", 57), ("failed", 0)] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let list = path(&batch, &format!("/lines?status={status}&limit=7{cursor}"));
            let page = payroll.office.tenant.get(&list).await.ok();
            found.extend(page["data"].as_array().unwrap().clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found.len(), count, "{status}");
        assert!(found.iter().all(|line| line["status"] == status));
    }
    payroll.at_rest().await;
}

/// Copies an invoice of a partner's so often that it has more than one line takes, and more than one page holds.
async fn copy_invoice(payroll: &Payroll, copies: usize) {
    let rows = payroll.office.world.rows().await;
    let invoice = rows.iter().find(|row| row.contains_key("parts")).unwrap();
    let text = |name: &str| invoice[name].as_s().unwrap().clone();
    for number in 0..copies {
        let tail = format!("{number:010}");
        let mut copy = invoice.clone();
        for name in ["invoice", "sk", "listing_sk"] {
            let old = text(name);
            let new = format!("{}{tail}", &old[..old.len() - 10]);
            copy.insert(name.to_owned(), AttributeValue::S(new));
        }
        payroll.office.world.put_row(copy).await;
    }
}

#[tokio::test]
async fn a_line_takes_ninety_invoices_and_the_rest_comes_in_the_next_batch() {
    let payroll = Payroll::open(&[("cleo", 10)]).await;
    copy_invoice(&payroll, 129).await;
    // All of them count towards the minimum.
    let first = payroll.batch(Some(1_300)).await;
    assert_eq!(figures(&first), ("open", 1, 90, 900));
    paid_out_exactly(&payroll.office.world.rows().await).unwrap();
    let left = payroll.batch(Some(1_300)).await;
    assert_eq!((figures(&left), &left["left_out"]["total"]), (("closed", 0, 0, 0), &usd(400)));
    payroll.mark(&first, "cleo", "paid", "tr_1").await.ok();
    let second = payroll.batch(None).await;
    assert_eq!(figures(&second), ("open", 1, 40, 400));
    payroll.mark(&second, "cleo", "failed", "tr_2").await.ok();
    let third = payroll.batch(None).await;
    assert_eq!(figures(&third), ("open", 1, 40, 400));
    payroll.cancel(&third).await.ok();
    payroll.office.world.drain().await;
    assert_eq!(payroll.read(&third).await["status"], "cancelled");
    paid_out_exactly(&payroll.office.world.rows().await).unwrap();
}

#[tokio::test]
async fn of_two_batches_at_once_the_second_is_refused_and_a_repetition_finds_the_first() {
    let payroll = Payroll::open(&[("cleo", 3_000)]).await;
    let tenant = &payroll.office.tenant;
    let asked = payroll.asked().to_string();
    payroll.lose_messages(1_000);
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (tenant, asked) = (tenant.clone(), asked.clone());
        callers.spawn(async move {
            let key = format!("key-{}", number % 2);
            tenant.send("POST", "/v1/payout-batches", asked, &[("idempotency-key", &key)]).await
        });
    }
    let answers = callers.join_all().await;
    let made: BTreeSet<String> = answers
        .iter()
        .filter(|answer| answer.status == 202)
        .map(|answer| answer.body["id"].to_string())
        .collect();
    assert_eq!(made.len(), 1, "{answers:?}");
    for answer in answers.into_iter().filter(|answer| answer.status != 202) {
        answer.refused(409, "payout_batch_in_progress");
    }
    // Another currency is in nobody's way.
    let mut euros = payroll.asked();
    euros["currency"] = json!("EUR");
    assert_eq!(tenant.post("/v1/payout-batches", euros.clone()).await.status, 202);
    payroll.sweep().await;
    let key = [("idempotency-key", "key-2")];
    let first = tenant.send("POST", "/v1/payout-batches", asked.clone(), &key).await;
    assert_eq!((first.status, &first.headers["idempotent-replayed"]), (202, &"false".parse().unwrap()));
    let again = tenant.send("POST", "/v1/payout-batches", asked, &key).await;
    assert_eq!(
        (&again.body["id"], &again.headers["idempotent-replayed"]),
        (&first.body["id"], &"true".parse().unwrap())
    );
    tenant
        .send("POST", "/v1/payout-batches", euros.to_string(), &key)
        .await
        .refused(422, "idempotency_mismatch");
    payroll.office.world.drain().await;
    payroll.at_rest().await;
}

#[tokio::test]
async fn a_batch_that_is_cancelled_while_it_is_made_takes_nothing_more() {
    let payroll = Payroll::open(&[("cleo", 3_000), ("dora", 2_000)]).await;
    let tenant = &payroll.office.tenant;
    payroll.lose_messages(1_000);
    let batch = tenant.post("/v1/payout-batches", payroll.asked()).await.body;
    payroll.cancel(&batch).await.ok();
    payroll.sweep().await;
    assert_eq!(figures(&payroll.read(&batch).await), ("cancelled", 0, 0, 0));
    assert_eq!(figures(&payroll.batch(None).await), ("open", 2, 2, 5_000));
    payroll.at_rest().await;
}

#[tokio::test]
async fn messages_that_come_twice_and_at_once_and_that_are_lost_make_one_batch() {
    let payroll = Payroll::open(&[("cleo", 3_000), ("dora", 2_000), ("emil", 1_000)]).await;
    let (world, tenant) = (&payroll.office.world, &payroll.office.tenant);
    payroll.lose_messages(1_000);
    let batch = tenant.post("/v1/payout-batches", payroll.asked()).await.body;
    world.drain().await;
    assert_eq!(payroll.read(&batch).await["status"], "assembling");
    payroll.office.tenant.get(&path(&batch, "/export")).await.refused(409, "payout_batch_transition");
    payroll.sweep().await;
    assert_eq!(figures(&payroll.read(&batch).await), ("open", 3, 3, 6_000));
    let organization = world.organization(tenant).await;
    let message = json!({"type": "payout_batch.due.v1", "organization": organization, "batch": batch["id"]});
    payroll.cancel(&batch).await.ok();
    for _ in 0..30 {
        world.send("ReportQueue", &message.to_string()).await;
    }
    world.drain().await;
    for _ in 0..2 {
        world.advance(400).await;
        world.drain().await;
    }
    assert_eq!(payroll.read(&batch).await["status"], "cancelled");
    let before: Vec<Value> = payroll.lines(&batch).await;
    world.send("ReportQueue", &message.to_string()).await;
    world.drain().await;
    assert_eq!(payroll.lines(&batch).await, before);
    assert_eq!(figures(&payroll.batch(None).await), ("open", 3, 3, 6_000));
    payroll.at_rest().await;
}
