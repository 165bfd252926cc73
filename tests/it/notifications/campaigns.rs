//! Campaigns: who is sent what, once, until when.

use serde_json::{Value, json};
use tests::World;

use super::{DAY, Office};
use crate::rules::{rule, ten_percent};

fn steps(days: &[u32]) -> Value {
    let step = |day: &u32| json!({"after_days": day, "message": {"text": format!("Day {day}: {{{{ account_referral_code }}}}")}});
    days.iter().map(step).collect()
}

async fn office() -> Office {
    Office::open(rule(ten_percent(), json!({}))).await
}

async fn create(office: &Office, more: Value) -> Value {
    let mut body = json!({"program": office.program, "name": "Spring", "audience": "all_participants",
        "steps": steps(&[0, 3])});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    office.tenant.post("/v1/campaigns", body).await.created()
}

/// To whom something was sent, and which day's text.
fn sent(office: &Office) -> Vec<(String, String)> {
    let mut sent: Vec<_> = office
        .told()
        .iter()
        .map(|told| {
            let text = told["text"].as_str().unwrap();
            (told["external_id"].as_str().unwrap().to_owned(), text.split(':').next().unwrap().to_owned())
        })
        .collect();
    sent.sort();
    sent
}

fn day(who: &str, day: u32) -> (String, String) {
    (who.to_owned(), format!("Day {day}"))
}

#[tokio::test]
async fn whoever_is_enrolled_is_invited_step_by_step() {
    let office = office().await;
    create(&office, json!({"audience": "new_participants"})).await;
    office.world.advance(60).await;
    office.tenant.enrol(&office.program, "cleo", "Cleo").await;
    office.wait(0).await;
    assert_eq!(sent(&office), [day("cleo", 0)]);
    office.wait(2 * DAY).await;
    assert_eq!(sent(&office), []);
    office.wait(DAY).await;
    assert_eq!(sent(&office), [day("cleo", 3)]);
    office.wait(30 * DAY).await;
    assert_eq!(sent(&office), []);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_season_comes_to_everybody_once() {
    let office = office().await;
    for number in 0..150 {
        office.tenant.enrol(&office.program, &format!("p{number:03}"), "P").await;
    }
    let made = create(&office, json!({"steps": steps(&[0])})).await;
    office.tenant.enrol(&office.program, "late", "Late").await;
    office.wait(200).await;
    office.wait(200).await;
    let all = sent(&office);
    let mut expected: Vec<_> = (0..150).map(|number| day(&format!("p{number:03}"), 0)).collect();
    expected.extend([day("anna", 0), day("late", 0)]);
    expected.sort();
    assert_eq!(all, expected);
    let path = format!("/v1/campaigns/{}", made["id"].as_str().unwrap());
    assert_eq!(office.tenant.get(&path).await.ok()["sent_today"], 152);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn whoever_refers_nobody_is_reminded_until_they_do() {
    let office = office().await;
    create(&office, json!({"audience": {"inactive_for_days": 10}, "steps": steps(&[0, 5])})).await;
    office.wait(9 * DAY).await;
    assert_eq!(sent(&office), []);
    // Anna refers somebody on the ninth day: ten days from then.
    office.tenant.sign_up("dora", &office.anna.code).await.created();
    office.wait(9 * DAY).await;
    assert_eq!(sent(&office), []);
    office.wait(DAY).await;
    assert_eq!(sent(&office), [day("anna", 0)]);
    office.tenant.sign_up("emil", &office.anna.code).await.created();
    office.wait(6 * DAY).await;
    assert_eq!(sent(&office), []);
    office.wait(5 * DAY).await;
    assert_eq!(sent(&office), [day("anna", 0)]);
    office.wait(6 * DAY).await;
    assert_eq!(sent(&office), [day("anna", 5)]);
    let journeys = office.tenant.get(&format!("/v1/participants/{}/campaigns", office.anna.id)).await.ok();
    assert_eq!(journeys["data"][0]["sent"].as_array().unwrap().len(), 3);
    assert!(journeys["data"][0]["next_at"].is_string());
}

#[tokio::test]
async fn the_goal_stops_a_sequence() {
    let office = office().await;
    create(&office, json!({"goal": "reward", "steps": steps(&[0, 3])})).await;
    office.wait(200).await;
    assert_eq!(sent(&office), [day("anna", 0)]);
    office.pay("in_1").await;
    office.wait(4 * DAY).await;
    assert_eq!(sent(&office), []);
    let journeys = office.tenant.get(&format!("/v1/participants/{}/campaigns", office.anna.id)).await.ok();
    assert_eq!(journeys["data"][0]["over"], "goal_reached");
}

#[tokio::test]
async fn no_more_than_a_days_share_is_sent_on_a_day() {
    let office = office().await;
    for number in 0..9 {
        office.tenant.enrol(&office.program, &format!("p{number}"), "P").await;
    }
    create(&office, json!({"per_day_max": 4, "steps": steps(&[0])})).await;
    office.wait(200).await;
    let mut counts = vec![sent(&office).len()];
    for _ in 0..3 {
        office.wait(DAY).await;
        counts.push(sent(&office).len());
    }
    assert_eq!(counts, [4, 4, 2, 0]);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_campaign_is_paused_resumed_and_ended() {
    let office = office().await;
    let made = create(&office, json!({"steps": steps(&[1, 2])})).await;
    let path = format!("/v1/campaigns/{}", made["id"].as_str().unwrap());
    let change =
        async |status: &str| office.tenant.call("PATCH", &path, Some(&json!({"status": status}))).await;
    assert_eq!(change("paused").await.ok()["status"], "paused");
    office.wait(3 * DAY).await;
    assert_eq!(sent(&office), []);
    assert_eq!(change("active").await.ok()["status"], "active");
    office.wait(DAY).await;
    assert_eq!(sent(&office), [day("anna", 1)]);
    for _ in 0..2 {
        assert_eq!(change("ended").await.ok()["status"], "ended");
    }
    change("active").await.refused(409, "campaign_ended");
    office.wait(3 * DAY).await;
    assert_eq!(sent(&office), []);
    let journeys = office.tenant.get(&format!("/v1/participants/{}/campaigns", office.anna.id)).await.ok();
    assert_eq!(journeys["data"][0]["over"], "ended");
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn nothing_is_sent_while_the_program_rests_or_to_whoever_does_not_take_part() {
    let office = office().await;
    create(&office, json!({"steps": steps(&[5, 10])})).await;
    let program = format!("/v1/programs/{}", office.program);
    let change = async |status: &str| {
        office.tenant.call("PATCH", &program, Some(&json!({"status": status}))).await.ok();
    };
    change("paused").await;
    office.wait(6 * DAY).await;
    assert_eq!(sent(&office), []);
    change("active").await;
    office.change(json!({"disabled": true})).await;
    office.wait(2 * DAY).await;
    assert_eq!(sent(&office), []);
    office.change(json!({"disabled": false})).await;
    office.wait(2 * DAY).await;
    assert_eq!(sent(&office), [day("anna", 5)]);
    change("ended").await;
    office.wait(10 * DAY).await;
    assert_eq!(sent(&office), []);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_season_has_its_time() {
    let office = office().await;
    let now = office.world.now().await;
    let (from, to) = (now + chrono::TimeDelta::days(10), now + chrono::TimeDelta::days(12));
    create(&office, json!({"starts_at": from, "ends_at": to, "steps": steps(&[0, 3])})).await;
    office.wait(9 * DAY).await;
    assert_eq!(sent(&office), []);
    office.wait(DAY).await;
    assert_eq!(sent(&office), [day("anna", 0)]);
    // Who comes later is sent the first step too, and nobody the one after its end.
    office.tenant.enrol(&office.program, "cleo", "Cleo").await;
    office.wait(100).await;
    assert_eq!(sent(&office), [day("cleo", 0)]);
    office.wait(5 * DAY).await;
    office.tenant.enrol(&office.program, "dora", "Dora").await;
    office.wait(DAY).await;
    assert_eq!(sent(&office), []);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_campaign_is_made_once_and_read_by_its_owner() {
    let office = office().await;
    let body = json!({"program": office.program, "name": "Spring", "audience": {"inactive_for_days": 30},
        "goal": "referral", "per_day_max": 100, "steps": steps(&[0, 3])});
    let key = [("idempotency-key", "one")];
    let first = office.tenant.send("POST", "/v1/campaigns", body.to_string(), &key).await.created();
    let again = office.tenant.send("POST", "/v1/campaigns", body.to_string(), &key).await.created();
    assert_eq!(first, again);
    let other = json!({"name": "Summer", "program": office.program, "audience": "all_participants", "steps": steps(&[0])});
    office
        .tenant
        .send("POST", "/v1/campaigns", other.to_string(), &key)
        .await
        .refused(422, "idempotency_mismatch");
    assert_eq!(
        first["steps"],
        body["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| {
                let mut step = step.clone();
                step["message"]["transport"] = json!("webhook");
                step
            })
            .collect::<Value>()
    );
    let list = office.tenant.get("/v1/campaigns").await.ok();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(list["data"][0]["steps"], Value::Null);
    let path = format!("/v1/campaigns/{}", first["id"].as_str().unwrap());
    assert_eq!(office.tenant.get(&path).await.ok(), first);
    let stranger = office.world.tenant().await;
    stranger.get(&path).await.refused(404, "not_found");
    stranger.call("PATCH", &path, Some(&json!({"status": "ended"}))).await.refused(404, "not_found");
    stranger.post("/v1/campaigns", body).await.names("/program");
    assert_eq!(stranger.get("/v1/campaigns").await.ok()["data"], json!([]));
}

#[tokio::test]
async fn there_are_not_too_many_at_a_time() {
    let office = office().await;
    let mut last = Value::Null;
    for _ in 0..20 {
        last = create(&office, json!({})).await;
    }
    let body = json!({"program": office.program, "name": "Spring", "audience": "all_participants", "steps": steps(&[0])});
    office.tenant.post("/v1/campaigns", body.clone()).await.refused(409, "too_many_campaigns");
    let path = format!("/v1/campaigns/{}", last["id"].as_str().unwrap());
    office.tenant.call("PATCH", &path, Some(&json!({"status": "ended"}))).await.ok();
    office.tenant.post("/v1/campaigns", body).await.created();
}

#[tokio::test]
async fn what_a_campaign_says_wrongly_is_refused_by_its_field() {
    let office = office().await;
    let before = office.world.snapshot().await;
    for (more, pointer) in [
        (json!({"name": ""}), "/name"),
        (json!({"audience": {"inactive_for_days": 0}}), "/audience/inactive_for_days"),
        (json!({"audience": "everybody"}), "/audience"),
        (json!({"ends_at": "2020-01-01T00:00:00Z"}), "/ends_at"),
        (json!({"per_day_max": 0}), "/per_day_max"),
        (json!({"steps": []}), "/steps"),
        (json!({"steps": steps(&[3, 3])}), "/steps/1/after_days"),
        (
            json!({"steps": [{"after_days": 0, "message": {"text": "{{ reward_amount }}"}}]}),
            "/steps/0/message/text",
        ),
        (json!({"colour": "red"}), "/colour"),
    ] {
        let mut body = json!({"program": office.program, "name": "Spring", "audience": "all_participants", "steps": steps(&[0])});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        office.tenant.post("/v1/campaigns", body).await.names(pointer);
    }
    assert_eq!(office.world.snapshot().await, before);
}

#[tokio::test]
async fn the_participants_of_a_program_are_listed_page_by_page() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(rule(ten_percent(), json!({}))).await;
    let other = tenant.program(rule(ten_percent(), json!({}))).await;
    for number in 0..7 {
        tenant.enrol(&program, &format!("p{number}"), "P").await;
        tenant.enrol(&other, &format!("o{number}"), "O").await;
        world.advance(1).await;
    }
    let path = format!("/v1/programs/{program}/participants");
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = tenant.get(&format!("{path}?limit=3{cursor}")).await.ok();
        all.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let ids: Vec<&str> = all.iter().map(|row| row["external_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["p0", "p1", "p2", "p3", "p4", "p5", "p6"]);
    world.tenant().await.get(&path).await.refused(404, "not_found");
}
