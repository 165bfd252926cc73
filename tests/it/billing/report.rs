//! The referral report.

use serde_json::{Value, json};

use super::{DAY, Office, cash, usd};

/// The fields of a row that the tests look at: referee, terms, status, billed, balance.
fn rows(report: &[Value]) -> Vec<Value> {
    let row = |row: &Value| {
        json!([row["referee"], row["terms_version"], row["status"], row["billed"], row["balance"]])
    };
    report.iter().map(row).collect()
}

#[tokio::test]
async fn a_row_says_what_was_billed_and_what_was_earned_in_the_days() {
    let office = Office::open(cash("10")).await;
    office.tenant.sign_up("carl", &office.anna.code).await.created();
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let first = office.end_day().await;
    office.bill(&first).await;
    office.tenant.refund("re_1", "in_1", 5_000).await.ok();
    office.tenant.pay("ben", "in_2", 30_000).await.ok();
    let second = office.end_day().await;

    let none = json!([]);
    let carl = json!(["carl", 1, "active", none, none]);
    let of = |billed: Value, balance: Value| json!(["ben", 1, "active", billed, balance]);
    let sorted = |mut rows: Vec<Value>| {
        rows.sort_by_key(Value::to_string);
        rows
    };
    let ben = of(json!([usd(2_000)]), json!([usd(2_000)]));
    assert_eq!(sorted(rows(&office.report(&first, &first).await)), [ben, carl.clone()]);
    let ben = of(none.clone(), json!([usd(2_500)]));
    assert_eq!(sorted(rows(&office.report(&second, &second).await)), [ben, carl.clone()]);
    let ben = of(json!([usd(2_000)]), json!([usd(4_500)]));
    assert_eq!(sorted(rows(&office.report(&first, &second).await)), [ben.clone(), carl.clone()]);
    // The same by the referrer, by the program, and by nobody.
    let with = |query: String| {
        let path = format!("/v1/reports/referrals?from={first}&to={second}&{query}");
        let tenant = office.tenant.clone();
        async move { tenant.get(&path).await.ok()["data"].as_array().unwrap().clone() }
    };
    let of_anna = with(format!("participant={}", office.anna.id)).await;
    assert_eq!(sorted(rows(&of_anna)), [ben, carl]);
    assert_eq!(of_anna[0]["referrer_external_id"], "anna");
    assert_eq!(with(format!("program={}", office.program)).await.len(), 2);
    assert!(with(format!("program=prg_{}", "0".repeat(26))).await.is_empty());
    assert!(with(format!("participant=prt_{}", "0".repeat(26))).await.is_empty());
    // A void invoice bills nothing.
    let [invoice] = office.invoices(&office.anna).await.try_into().unwrap();
    office.act(&invoice, "void").await.ok();
    let after = rows(&with(format!("participant={}", office.anna.id)).await);
    assert!(after.contains(&of(none, json!([usd(4_500)]))), "{after:?}");
    office.at_rest().await;
}

#[tokio::test]
async fn a_referral_that_was_removed_is_inactive_and_has_no_balance() {
    let office = Office::open(cash("10")).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let day = office.end_day().await;
    office.bill(&day).await;
    office.tenant.call("DELETE", "/v1/referrals/ben", None).await.ok();
    let inactive = json!(["ben", 1, "inactive", [usd(2_000)], null]);
    assert_eq!(rows(&office.report(&day, &day).await), std::slice::from_ref(&inactive));
    // Referred again by somebody else: each referrer has its row; by the same: one row stands for both.
    let dora = office.tenant.enrol(&office.program, "dora", "Dora").await;
    let assign = |referrer: &str| json!({"program": office.program, "referrer": referrer});
    office.tenant.call("PUT", "/v1/referrals/ben", Some(&assign("dora"))).await.created();
    let today = office.world.now().await.date_naive().to_string();
    let report = office.report(&day, &today).await;
    assert_eq!(report.len(), 2, "{report:?}");
    assert_eq!((&report[0]["referrer"], &report[0]["status"]), (&json!(dora.id), &json!("active")));
    assert_eq!(rows(&report[1..]), [inactive]);
    office.tenant.call("DELETE", "/v1/referrals/ben", None).await.ok();
    office.tenant.call("PUT", "/v1/referrals/ben", Some(&assign("anna"))).await.created();
    let path = format!("/v1/reports/referrals?from={day}&to={today}&participant={}", office.anna.id);
    let of_anna = office.tenant.get(&path).await.ok()["data"].as_array().unwrap().clone();
    assert_eq!(rows(&of_anna), [json!(["ben", 1, "active", [usd(2_000)], [usd(2_000)]])]);
    office.at_rest().await;
}

#[tokio::test]
async fn a_change_of_structure_starts_a_row_with_its_date() {
    let office = Office::open(cash("10")).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let first = office.end_day().await;
    let path = format!("/v1/programs/{}", office.program);
    let changed = office.tenant.call("PATCH", &path, Some(&json!({"terms": cash("20")}))).await.ok();
    office.world.advance(61).await;
    office.tenant.pay("ben", "in_2", 20_000).await.ok();
    let second = office.end_day().await;
    let report = office.report(&first, &second).await;
    let earned = |version: u32, amount: i64| json!(["ben", version, "active", [], [usd(amount)]]);
    assert_eq!(rows(&report), [earned(2, 4_000), earned(1, 2_000)]);
    assert_eq!(report[0]["referred_at"], changed["next_terms"]["effective_from"]);
    let referral = office.tenant.get("/v1/referrals/ben").await.ok()["referral"].clone();
    assert_eq!(report[1]["referred_at"], referral["signed_up_at"]);
    // Days in which only one of them applied have one row.
    assert_eq!(rows(&office.report(&first, &first).await), [earned(1, 2_000)]);
    // Terms of one's own are a structure of one's own.
    let own = json!({"terms": cash("30")});
    office.tenant.call("PATCH", &format!("/v1/participants/{}", office.anna.id), Some(&own)).await.ok();
    office.world.advance(61).await;
    let today = office.world.now().await.date_naive().to_string();
    let report = rows(&office.report(&first, &today).await);
    assert_eq!(report[0], json!(["ben", 3, "active", [], []]));
    assert_eq!(report.len(), 3);
    office.at_rest().await;
}

#[tokio::test]
async fn a_program_that_only_tracks_shows_referrals_without_amounts() {
    let office = Office::open(json!({"track_only": true, "rules": []})).await;
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    let day = office.end_day().await;
    assert_eq!(office.bill(&day).await, (0, 0, json!([])));
    assert_eq!(rows(&office.report(&day, &day).await), [json!(["ben", 1, "active", null, null])]);
    office.at_rest().await;
}

#[tokio::test]
async fn the_report_goes_back_to_the_first_referral_page_by_page() {
    let office = Office::open(cash("10")).await;
    for number in 0..5 {
        office.world.advance(20 * DAY).await;
        office.tenant.sign_up(&format!("late-{number}"), &office.anna.code).await.created();
    }
    let today = office.world.now().await.date_naive().to_string();
    let (mut found, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let path = format!("/v1/reports/referrals?from={today}&to={today}&limit=2{cursor}");
        let page = office.tenant.get(&path).await.ok();
        found.extend(
            page["data"].as_array().unwrap().iter().map(|row| row["referee"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, ["late-4", "late-3", "late-2", "late-1", "late-0", "ben"]);
    assert!(pages >= 3, "{pages}");
    // Nobody had been referred before the first.
    let before = office.report("2020-01-01", "2020-12-31").await;
    assert!(before.is_empty(), "{before:?}");
    office.at_rest().await;
}

#[tokio::test]
async fn several_who_share_a_referral_have_a_row_each() {
    let mut terms = cash("10");
    terms["attribution"] = json!({"model": "linear"});
    let office = Office::open(terms).await;
    let dora = office.tenant.enrol(&office.program, "dora", "Dora").await;
    for code in [&office.anna.code, &dora.code] {
        office.tenant.post("/v1/track/touch", json!({"visitor_id": "v-1", "code": code})).await.created();
        office.world.advance(1).await;
    }
    let signup = json!({"external_id": "emil", "visitor_id": "v-1"});
    office.tenant.post("/v1/track/signup", signup).await.created();
    office.tenant.pay("emil", "in_1", 20_000).await.ok();
    let day = office.end_day().await;
    assert_eq!(office.bill(&day).await, (2, 2, json!([usd(2_000)])));
    let report = office.report(&day, &day).await;
    let of_emil: Vec<&Value> = report.iter().filter(|row| row["referee"] == "emil").collect();
    assert_eq!(of_emil.len(), 2);
    assert!(of_emil.iter().all(|row| row["billed"] == json!([usd(1_000)])), "{of_emil:?}");
    let path = format!("/v1/reports/referrals?from={day}&to={day}&participant={}", dora.id);
    assert_eq!(office.tenant.get(&path).await.ok()["data"].as_array().unwrap().len(), 1);
    office.at_rest().await;
}
