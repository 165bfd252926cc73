//! What is said to have become of a payout: once, and the same for everybody who says the same.

use serde_json::{Value, json};

use super::{Payroll, figures, marked, path};

#[tokio::test]
async fn a_mark_that_is_repeated_answers_the_same_and_another_is_refused() {
    let payroll = Payroll::open(&[("cleo", 3_000), ("dora", 2_000)]).await;
    let batch = payroll.batch(None).await;
    let first = payroll.mark(&batch, "cleo", "paid", "tr_1").await.ok();
    let rows = payroll.office.world.snapshot().await;
    assert_eq!(payroll.mark(&batch, "cleo", "paid", "tr_1").await.ok(), first);
    for (mark, reference) in [("paid", "tr_2"), ("failed", "tr_1"), ("failed", "tr_2")] {
        let problem = payroll.mark(&batch, "cleo", mark, reference).await.refused(409, "payout_line_settled");
        assert!(problem["detail"].as_str().unwrap().contains("tr_1"), "{problem}");
    }
    assert_eq!(payroll.office.world.snapshot().await, rows);
    let failed = payroll.mark(&batch, "dora", "failed", "tr_3").await.ok();
    assert_eq!(payroll.mark(&batch, "dora", "failed", "tr_3").await.ok(), failed);
    payroll.mark(&batch, "dora", "paid", "tr_3").await.refused(409, "payout_line_settled");
    // Also once the batch is closed.
    assert_eq!(payroll.read(&batch).await["status"], "closed");
    assert_eq!(payroll.mark(&batch, "cleo", "paid", "tr_1").await.ok(), first);
    payroll.at_rest().await;
}

#[tokio::test]
async fn a_line_that_failed_comes_into_the_next_batch() {
    let payroll = Payroll::open(&[("cleo", 3_000), ("dora", 2_000)]).await;
    let first = payroll.batch(None).await;
    payroll.mark(&first, "cleo", "paid", "tr_1").await.ok();
    let line = payroll.mark(&first, "dora", "failed", "tr_2").await.ok();
    assert_eq!(line["note"], json!({"actor": "payouts", "reason": "as the bank says"}));
    let closed = payroll.read(&first).await;
    assert_eq!(figures(&closed), ("closed", 2, 2, 5_000));
    assert_eq!(
        (&closed["failed"]["lines"], &closed["failed"]["total"]["amount"]),
        (&json!(1), &json!(2_000))
    );
    payroll.earn(&[("dora", 500)]).await;
    let second = payroll.batch(None).await;
    assert_eq!(figures(&second), ("open", 1, 2, 2_500));
    let again = payroll.line(&second, "dora").await;
    assert_ne!(again["id"], line["id"]);
    payroll.mark(&second, "dora", "paid", "tr_3").await.ok();
    assert_eq!(figures(&payroll.batch(None).await), ("closed", 0, 0, 0));
    payroll.at_rest().await;
}

#[tokio::test]
async fn of_fifty_who_mark_a_line_at_once_one_wins() {
    let payroll = Payroll::open(&[("cleo", 3_000), ("dora", 2_000)]).await;
    let batch = payroll.batch(None).await;
    let line = payroll.line(&batch, "cleo").await;
    let place = path(&batch, &format!("/lines/{}", line["participant"].as_str().unwrap()));
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (tenant, mark) = (payroll.office.tenant.clone(), if number % 2 == 0 { "paid" } else { "failed" });
        let path = format!("{place}/{mark}");
        callers.spawn(async move { tenant.post(&path, marked(&format!("tr_{number}"))).await });
    }
    let answers = callers.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 49));
    for answer in lost {
        answer.refused(409, "payout_line_settled");
    }
    let settled = payroll.read(&batch).await;
    assert_eq!(settled["paid"]["lines"].as_u64().unwrap() + settled["failed"]["lines"].as_u64().unwrap(), 1);
    // All who say the same are answered the same.
    let line = payroll.line(&batch, "dora").await;
    let place = path(&batch, &format!("/lines/{}/paid", line["participant"].as_str().unwrap()));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (tenant, path) = (payroll.office.tenant.clone(), place.clone());
        callers.spawn(async move { tenant.post(&path, marked("tr_same")).await.ok() });
    }
    let answers = callers.join_all().await;
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    payroll.at_rest().await;
}

#[tokio::test]
async fn many_are_marked_in_one_call_each_for_itself() {
    let payroll = Payroll::open(&[("cleo", 3_000), ("dora", 2_000), ("emil", 1_000)]).await;
    let batch = payroll.batch(None).await;
    let mut marks = Vec::new();
    for (name, status, reference) in [
        ("cleo", "paid", "tr_1"),
        ("dora", "failed", "tr_2"),
        ("cleo", "paid", "tr_1"),
        ("cleo", "failed", "tr_9"),
    ] {
        let participant = payroll.line(&batch, name).await["participant"].clone();
        marks.push(json!({"participant": participant, "status": status, "reference": reference}));
    }
    marks.push(json!({"participant": "prt_x", "status": "paid", "reference": "tr_3"}));
    marks.push(json!({"participant": payroll.office.anna.id, "status": "paid", "reference": "tr_4"}));
    marks[1]["reason"] = json!("no such account");
    let body = json!({"marks": marks, "actor": "payouts", "reason": "the bank's file"});
    let expected = [
        (200, Value::Null),
        (200, Value::Null),
        (200, Value::Null),
        (409, json!("payout_line_settled")),
        (400, json!("invalid_request")),
        (404, json!("not_found")),
    ];
    let mut answers = Vec::new();
    for _ in 0..2 {
        let view = payroll.office.tenant.post(&path(&batch, "/lines/bulk"), body.clone()).await.ok();
        let results = view["results"].as_array().unwrap().clone();
        assert_eq!(results.len(), expected.len());
        for (index, (result, (status, code))) in results.iter().zip(&expected).enumerate() {
            assert_eq!((&result["index"], &result["status"]), (&json!(index), &json!(status)), "{result}");
            assert_eq!(result["problem"]["code"], *code, "{result}");
        }
        assert_eq!(results[4]["problem"]["errors"][0]["pointer"], "/marks/4/participant");
        answers.push(results);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0][0]["line"]["note"]["reason"], "the bank's file");
    assert_eq!(answers[0][1]["line"]["note"]["reason"], "no such account");
    let open = payroll.read(&batch).await;
    assert_eq!(
        (&open["status"], &open["paid"]["lines"], &open["failed"]["lines"]),
        (&json!("open"), &json!(1), &json!(1))
    );
    payroll.at_rest().await;
}
