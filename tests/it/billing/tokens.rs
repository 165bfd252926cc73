//! Participants' tokens: each opens what is the participant's own, for a while.

use serde_json::{Value, json};
use tests::Participant;

use super::{Office, cash, usd};

async fn token(office: &Office, participant: &Participant, body: Value) -> tests::Tenant {
    let path = format!("/v1/participants/{}/tokens", participant.id);
    let created = office.tenant.post(&path, body).await.created();
    office.world.tenant_with(created["token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_participant_sees_its_own_referrals_and_invoices_and_nothing_else() {
    let office = Office::open(cash("10")).await;
    let dora = office.tenant.enrol(&office.program, "dora", "Dora").await;
    office.tenant.sign_up("emil", &dora.code).await.created();
    office.tenant.pay("ben", "in_1", 20_000).await.ok();
    office.tenant.pay("emil", "in_2", 10_000).await.ok();
    let day = office.end_day().await;
    office.bill(&day).await;
    let [of_anna] = office.invoices(&office.anna).await.try_into().unwrap();
    office.act(&of_anna, "finalize").await.ok();
    let [of_dora] = office.invoices(&dora).await.try_into().unwrap();

    let anna = token(&office, &office.anna, json!({})).await;
    let report = format!("/v1/reports/referrals?from={day}&to={day}");
    let rows = anna.get(&report).await.ok();
    assert_eq!(rows["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&rows["data"][0]["referee"], &rows["data"][0]["billed"]),
        (&json!("ben"), &json!([usd(2_000)]))
    );
    let invoice = |invoice: &Value, rest: &str| {
        format!("/v1/partner-invoices/{}{rest}", invoice["id"].as_str().unwrap())
    };
    let list = |participant: &Participant| format!("/v1/participants/{}/partner-invoices", participant.id);
    let seen = anna.get(&list(&office.anna)).await.ok();
    assert_eq!((&seen["data"][0]["id"], &seen["data"][0]["note"]), (&of_anna["id"], &Value::Null));
    assert_eq!(anna.get(&invoice(&of_anna, "")).await.ok()["items"][0]["referee"], "ben");
    anna.get(&invoice(&of_anna, "/lines")).await.ok();
    for path in [
        list(&dora),
        invoice(&of_dora, ""),
        invoice(&of_dora, "/lines"),
        format!("{report}&participant={}", dora.id),
    ] {
        anna.get(&path).await.refused(404, "not_found");
    }

    // Every other route.
    let routes = office.world.call("GET", "/_local/routes", None, None).await.ok();
    let before = office.world.snapshot().await;
    let opened = [
        "/v1/reports/referrals",
        "/v1/participants/{id}/partner-invoices",
        "/v1/partner-invoices/{id}",
        "/v1/partner-invoices/{id}/lines",
    ];
    let mut refused = 0;
    for route in routes.as_array().unwrap() {
        let (method, path) = (route["method"].as_str().unwrap(), route["path"].as_str().unwrap());
        let open = ["/v1/webhooks/", "/v1/unsubscribe/", "/openapi.json"];
        let without_key = open.iter().any(|open| path.starts_with(open));
        if without_key || (method == "GET" && opened.contains(&path)) {
            continue;
        }
        let answer = anna.call(method, path, Some(&json!({}))).await;
        let root_only = path == "/v1/organizations";
        let expected = if root_only { (401, "unauthorized") } else { (403, "participant_token") };
        answer.refused(expected.0, expected.1);
        refused += 1;
    }
    assert!(refused > 40, "{refused}");
    assert_eq!(office.world.snapshot().await, before);
    office.at_rest().await;
}

#[tokio::test]
async fn a_token_is_valid_for_its_minutes() {
    let office = Office::open(cash("10")).await;
    let path = format!("/v1/participants/{}/partner-invoices", office.anna.id);
    let short = token(&office, &office.anna, json!({"minutes": 5})).await;
    let usual = token(&office, &office.anna, json!({})).await;
    office.world.advance(290).await;
    short.get(&path).await.ok();
    office.world.advance(11).await;
    short.get(&path).await.refused(401, "unauthorized");
    usual.get(&path).await.ok();
    office.world.advance(180 * 60).await;
    usual.get(&path).await.refused(401, "unauthorized");
    office.at_rest().await;
}

#[tokio::test]
async fn a_repeated_call_answers_the_same_token() {
    let office = Office::open(cash("10")).await;
    let dora = office.tenant.enrol(&office.program, "dora", "Dora").await;
    let create = |participant: &Participant, body: &str| {
        let (tenant, path, body) =
            (office.tenant.clone(), format!("/v1/participants/{}/tokens", participant.id), body.to_owned());
        async move { tenant.send("POST", &path, body, &[("idempotency-key", "a")]).await }
    };
    let first = create(&office.anna, "{}").await.created();
    assert_eq!(create(&office.anna, "{}").await.created(), first);
    create(&office.anna, r#"{"minutes": 10}"#).await.refused(422, "idempotency_mismatch");
    create(&dora, "{}").await.refused(422, "idempotency_mismatch");
    office.at_rest().await;
}
