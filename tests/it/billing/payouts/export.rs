//! Batches as files.

use super::{Payroll, marked, path};

/// The rows of a file, by a plain reading: no cell of these holds a comma but in quotes.
async fn file(payroll: &Payroll, path: &str) -> (String, Option<String>) {
    let url = format!("{}{path}", payroll.office.world.stage.base_url());
    let request = reqwest::Client::new().get(url).bearer_auth(&payroll.office.tenant.key);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    let name = answer.headers()["content-disposition"].to_str().unwrap();
    assert!(name.starts_with("attachment; filename=\"pob_"), "{name}");
    let next = answer.headers().get("next-cursor").map(|next| next.to_str().unwrap().to_owned());
    (answer.text().await.unwrap(), next)
}

#[tokio::test]
async fn a_file_has_a_row_for_each_line_and_no_formula() {
    let payroll = Payroll::open(&[("cleo", 3_000), ("-dora", 2_005)]).await;
    let batch = payroll.batch(None).await;
    let cleo = payroll.line(&batch, "cleo").await;
    let dora = payroll.line(&batch, "-dora").await;
    let paid = path(&batch, &format!("/lines/{}/paid", cleo["participant"].as_str().unwrap()));
    payroll.office.tenant.post(&paid, marked("=1+1, \"x\"")).await.ok();
    let (text, next) = file(&payroll, &path(&batch, "/export")).await;
    assert_eq!(next, None);
    let id = |line: &serde_json::Value, name: &str| line[name].as_str().unwrap().to_owned();
    let mut rows = [
        format!(
            "{},{},cleo,30.00,3000,USD,1,paid,\"'=1+1, \"\"x\"\"\"",
            id(&cleo, "id"),
            id(&cleo, "participant")
        ),
        format!("{},{},'-dora,20.05,2005,USD,1,pending,", id(&dora, "id"), id(&dora, "participant")),
    ];
    rows.sort_by_key(|row| row.split(',').nth(1).unwrap().to_owned());
    let head = "line,participant,external_id,amount,amount_minor,currency,invoices,status,reference";
    assert_eq!(text, format!("{head}\r\n{}\r\n{}\r\n", rows[0], rows[1]));
    // What is still to be paid.
    let (text, _) = file(&payroll, &path(&batch, "/export?status=pending")).await;
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains("'-dora") && !text.contains("cleo"), "{text}");
}

#[tokio::test]
async fn a_long_file_comes_in_parts_that_make_one() {
    let names: Vec<String> = (0..9).map(|number| format!("partner-{number}")).collect();
    let partners: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 100)).collect();
    let payroll = Payroll::open(&partners).await;
    let batch = payroll.batch(None).await;
    let (whole, next) = file(&payroll, &path(&batch, "/export")).await;
    assert_eq!((whole.lines().count(), next), (10, None));
    let (mut parts, mut cursor, mut count) = (String::new(), String::new(), 0);
    loop {
        let (part, next) = file(&payroll, &path(&batch, &format!("/export?limit=4{cursor}"))).await;
        parts.push_str(&part);
        count += 1;
        let Some(next) = next else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((parts, count), (whole, 3));
}
