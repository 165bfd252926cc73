//! What an administrator sets up and does by hand: schedules, groups, own terms, promo codes, approvals, gifts, replays.

use chrono::Duration;
use serde_json::{Value, json};
use tests::{Participant, Tenant, World, percent_rule};

fn fixed(amount: i64) -> Value {
    json!({"fixed": {"amount": amount, "currency": "USD"}})
}

async fn decision(tenant: &Tenant, invoice: &str) -> Value {
    tenant.get(&format!("/v1/decisions/invoice/stripe/{invoice}")).await.ok()
}

async fn patch(tenant: &Tenant, participant: &Participant, change: Value) -> Value {
    tenant.call("PATCH", &format!("/v1/participants/{}", participant.id), Some(&change)).await.ok()
}

async fn reward_of(tenant: &Tenant, rule: &str) -> String {
    let rewards = tenant.get("/v1/rewards?limit=100").await.ok();
    let rows = rewards["data"].as_array().unwrap();
    rows.iter().find(|row| row["rule"] == rule).unwrap()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_examples_of_the_documentation_are_terms_that_can_be_used() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let text = include_str!("../../docs/rules.md");
    let examples: Vec<&str> =
        text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 9);
    for example in examples {
        tenant.program(serde_json::from_str(example).unwrap()).await;
    }
}

#[tokio::test]
async fn a_schedule_lies_ahead_and_can_be_moved_until_it_passes() {
    let world = World::start().await;
    let (tenant, now) = (world.tenant().await, world.now().await);
    let day = |days: i64| json!(now + Duration::days(days));
    let program = |start: Value, end: Value| json!({"name": "Summer", "terms": percent_rule("10"), "starts_at": start, "ends_at": end});
    tenant.post("/v1/programs", program(day(-1), Value::Null)).await.names("/starts_at");
    tenant.post("/v1/programs", program(Value::Null, day(-1))).await.names("/ends_at");
    tenant.post("/v1/programs", program(day(2), day(2))).await.names("/ends_at");
    let key = [("idempotency-key", "summer")];
    let body = program(day(1), day(3)).to_string();
    let made = tenant.send("POST", "/v1/programs", body.clone(), &key).await.created();
    assert_eq!(made["status"], "draft");
    let path = format!("/v1/programs/{}", made["id"].as_str().unwrap());
    let moved = tenant.call("PATCH", &path, Some(&json!({"ends_at": null}))).await.ok();
    assert_eq!((&moved["starts_at"], &moved["ends_at"]), (&made["starts_at"], &Value::Null));
    tenant.call("PATCH", &path, Some(&json!({"ends_at": day(2)}))).await.ok();
    world.advance(86_400 + 1).await;
    assert_eq!(tenant.get(&path).await.ok()["status"], "active");
    tenant.call("PATCH", &path, Some(&json!({"starts_at": null}))).await.names("/starts_at");
    let again = tenant.send("POST", "/v1/programs", body, &key).await.created();
    assert_eq!(again, made, "a repeated call is answered after the beginning too");
    world.advance(86_400).await;
    assert_eq!(tenant.get(&path).await.ok()["status"], "ended");
}

#[tokio::test]
async fn own_terms_beat_the_groups_and_those_beat_everybodys() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let group = format!("/v1/programs/{program}/groups/gold");
    let terms = json!({"terms": percent_rule("20")});
    assert_eq!(tenant.call("PUT", &group, Some(&terms)).await.created()["terms"]["version"], 2);
    assert_eq!(tenant.call("PUT", &group, Some(&terms)).await.ok()["terms"]["version"], 2);
    let groups = tenant.get(&format!("/v1/programs/{program}/groups")).await.ok();
    assert_eq!(
        (&groups["data"][0]["group"], &groups["data"][0]["terms_version"]),
        (&json!("gold"), &json!(2))
    );
    let unknown = json!({"group": "silver"});
    let path = format!("/v1/participants/{}", anna.id);
    tenant.call("PATCH", &path, Some(&unknown)).await.names("/group");

    let changes = [
        (json!({"group": "gold"}), 2, 4_000),
        (json!({"terms": percent_rule("30")}), 3, 6_000),
        (json!({"terms": null}), 2, 4_000),
        (json!({"group": null}), 1, 2_000),
    ];
    for (index, (change, version, amount)) in changes.into_iter().enumerate() {
        let first = patch(&tenant, &anna, change.clone()).await;
        assert_eq!(patch(&tenant, &anna, change).await, first, "the same again is no change");
        world.advance(61).await;
        let invoice = format!("in_{index}");
        tenant.pay("ben", &invoice, 20_000).await.ok();
        let decided = decision(&tenant, &invoice).await;
        assert_eq!(decided["inputs"]["terms_version"], version);
        assert_eq!(decided["rules"][0]["target"]["amount"], amount);
    }
    let disabled = patch(&tenant, &anna, json!({"disabled": true})).await;
    assert_eq!(tenant.get(&path).await.ok(), disabled);
    world.advance(61).await;
    tenant.pay("ben", "in_9", 20_000).await.ok();
    assert_eq!(tenant.reason("in_9").await, "participant_disabled");
    let own = tenant.get(&format!("/v1/programs/{program}/terms/3")).await.ok();
    assert_eq!(own["rules"][0]["amount"]["percentage"]["percent"], "30");
    for version in ["0", "4", "x"] {
        tenant.get(&format!("/v1/programs/{program}/terms/{version}")).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_promo_code_refers_to_its_owner_within_its_limit() {
    let world = World::start().await;
    let (tenant, now) = (world.tenant().await, world.now().await);
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.enrol(&program, "bob", "Bob").await;
    let path = format!("/v1/programs/{program}/codes");
    let summer = json!({"code": "summer-25", "participant": "anna", "max_uses": 1});
    let made = tenant.post(&path, summer.clone()).await.created();
    assert_eq!((&made["code"], &made["participant"]), (&json!("SUMMER25"), &json!(anna.id)));
    assert_eq!(tenant.post(&path, summer).await.ok(), made);
    let other = |code: &str, owner: &str| json!({"code": code, "participant": owner});
    tenant.post(&path, other("SUMMER25", "bob")).await.refused(409, "code_taken");
    tenant.post(&path, other("SUMMER25", "anna")).await.refused(409, "code_taken");
    tenant.post(&path, other(&anna.code, "anna")).await.refused(409, "code_taken");
    for code in ["AB", "ÄÖÜ", "A_B_C", "2024WXYZ", &"A".repeat(21)] {
        tenant.post(&path, other(code, "anna")).await.names("/code");
    }
    tenant.post(&path, other("WINTER", "nobody")).await.names("/participant");
    let past = json!({"code": "WINTER", "participant": "bob", "ends_at": now - Duration::days(1)});
    tenant.post(&path, past).await.names("/ends_at");
    let never = json!({"code": "WINTER", "participant": "bob", "max_uses": 0});
    tenant.post(&path, never).await.names("/max_uses");

    tenant.sign_up("ben", "Summer 25").await.created();
    tenant.sign_up("carl", "SUMMER25").await.refused(422, "code_limit_reached");
    let used = tenant.get("/v1/codes/summer25").await.ok();
    assert_eq!((&used["promo"]["uses"], &used["accepted"]), (&json!(1), &json!(false)));
    assert_eq!(tenant.get(&format!("/v1/codes/{}", anna.code)).await.ok()["promo"], Value::Null);
}

#[tokio::test]
async fn a_referee_who_never_enrolled_has_a_ledger_and_keeps_it() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant
        .program(json!({"rules": [
            {"id": "mail", "recipient": "referee", "kind": "message"},
            {"id": "welcome", "recipient": "referee", "amount": fixed(500), "limits": {"max_rewards_per_referee": 1}}]}))
        .await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    tenant.pay("ben", "in_1", 1_000).await.ok();
    let ben = decision(&tenant, "in_1").await["rules"][0]["recipient"].as_str().unwrap().to_owned();
    let path = format!("/v1/participants/{ben}");
    tenant.get(&path).await.refused(404, "not_found");
    let ledger = tenant.get(&format!("{path}/ledger")).await.ok();
    assert_eq!(ledger["data"].as_array().unwrap().len(), 2);
    assert_eq!(tenant.get(&format!("{path}/balances")).await.ok()["data"][0]["earned"], 500);
    let enrollments = tenant.get(&format!("{path}/enrollments")).await.ok();
    assert_eq!(enrollments["data"][0]["referee"], "ben");
    assert_eq!(tenant.enrol(&program, "ben", "Ben").await.id, ben);
    let nobody = format!("/v1/participants/prt_{}", "0".repeat(26));
    for list in ["ledger", "balances", "enrollments"] {
        tenant.get(&format!("{nobody}/{list}")).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn what_waits_is_approved_or_rejected_once() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let rule = |id: &str| json!({"id": id, "approval": "manual", "amount": fixed(300)});
    let program = tenant.program(json!({"rules": [rule("a"), rule("b")]})).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    tenant.pay("ben", "in_1", 20_000).await.ok();
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (0, 600, 600, 0));
    let (a, b) = (reward_of(&tenant, "a").await, reward_of(&tenant, "b").await);
    let post = |reward: &str, what: &str| {
        let (tenant, path) = (tenant.clone(), format!("/v1/rewards/{reward}/{what}"));
        async move { tenant.post(&path, json!({"actor": "admin", "reason": "looked into it"})).await }
    };
    for _ in 0..2 {
        let approved = post(&a, "approve").await.ok();
        assert_eq!(approved["note"], json!({"actor": "admin", "reason": "looked into it"}));
        assert_eq!(post(&b, "reject").await.ok()["state"], "rejected");
    }
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (300, 0, 600, 300));
    post(&b, "approve").await.refused(409, "reward_not_approvable");
    post(&b, "reverse").await.refused(409, "reward_not_reversible");
    post(&a, "reject").await.refused(409, "reward_not_rejectable");
    // The refund takes back what was delivered, and nothing more of what was rejected.
    tenant.refund("re_1", "in_1", 20_000).await.ok();
    assert_eq!(tenant.figures(&anna).await, (0, 0, 600, 600));
    let rule = &decision(&tenant, "in_1").await["rules"][1];
    assert_eq!((&rule["taken_back"]["amount"], &rule["fired"]), (&json!(300), &json!(false)));
}

#[tokio::test]
async fn a_gift_is_given_once_and_taken_back_in_parts() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    let path = format!("/v1/participants/{}/rewards", anna.id);
    let gift = json!({"amount": {"amount": 500, "currency": "USD"}, "actor": "admin", "reason": "by phone"});
    tenant.post(&path, gift.clone()).await.names("Idempotency-Key");
    let calls = (0..20).map(|_| {
        let (tenant, path, body) = (tenant.clone(), path.clone(), gift.to_string());
        tokio::spawn(
            async move { tenant.send("POST", &path, body, &[("idempotency-key", "k")]).await.created() },
        )
    });
    let mut ids = std::collections::BTreeSet::new();
    for call in calls.collect::<Vec<_>>() {
        ids.insert(call.await.unwrap()["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 1);
    let other = json!({"amount": {"amount": 501, "currency": "USD"}, "actor": "admin", "reason": "by phone"});
    let answer = tenant.send("POST", &path, other.to_string(), &[("idempotency-key", "k")]).await;
    answer.refused(422, "idempotency_mismatch");
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await, (500, 0, 500, 0));

    let reward = ids.first().unwrap();
    let path = format!("/v1/rewards/{reward}/reverse");
    let part = |amount: i64| json!({"actor": "admin", "reason": "too much", "amount": {"amount": amount, "currency": "USD"}});
    tenant.post(&path, part(200)).await.names("Idempotency-Key");
    let take = |amount: i64, key: &'static str| {
        let (tenant, path) = (tenant.clone(), path.clone());
        async move { tenant.send("POST", &path, part(amount).to_string(), &[("idempotency-key", key)]).await }
    };
    for _ in 0..2 {
        assert_eq!(take(200, "first").await.ok()["amount"]["amount"], 300);
    }
    take(100, "first").await.refused(422, "idempotency_mismatch");
    for _ in 0..2 {
        let taken = tenant.post(&path, json!({"actor": "admin", "reason": "all of it"})).await.ok();
        assert_eq!((&taken["amount"]["amount"], &taken["state"]), (&json!(0), &json!("reversed")));
    }
    assert_eq!(tenant.figures(&anna).await, (0, 0, 500, 500));
    let causes: Vec<_> = tenant.ledger(&anna).await;
    let expected = [("granted", 500), ("taken_back", -200), ("taken_back", -300)];
    assert_eq!(causes, expected.map(|(cause, amount)| (cause.to_owned(), amount)));
    let source =
        tenant.get(&format!("/v1/rewards/{reward}")).await.ok()["source"].as_str().unwrap().to_owned();
    let granted = tenant.get(&format!("/v1/decisions/{source}")).await.ok();
    assert_eq!(
        (&granted["reason"], &granted["grant"]["note"]["actor"]),
        (&json!("granted"), &json!("admin"))
    );
    let replayed = format!("/v1/events/{}/replay", source.replace('/', ":"));
    assert_eq!(tenant.post(&replayed, json!({"dry_run": false})).await.ok()["unchanged"], true);
    let enrollments = format!("/v1/participants/{}/enrollments", anna.id);
    assert_eq!(tenant.get(&enrollments).await.ok()["data"], json!([]), "a gift is no firing of a rule");
}

#[tokio::test]
async fn every_kind_of_source_is_explained_and_replays_to_itself() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant
        .program(json!({"rules": [
            {"id": "commission", "amount": {"percentage": {"percent": "10"}},
             "limits": {"caps": [{"per": "all_time", "amount": 2_500, "currency": "USD"}]}},
            {"id": "signup", "trigger": "signup", "amount": fixed(100)},
            {"id": "second", "trigger": "reward_earned", "amount": {"percentage": {"percent": "50", "basis": "reward"}}},
            {"id": "bonus", "trigger": "referral_count",
             "amount": {"milestones": {"steps": [{"at": 2, "amount": 700, "currency": "USD"}]}}}]}))
        .await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    let ben = tenant.enrol(&program, "ben", "Ben").await;
    tenant.sign_up("ben", &anna.code).await.created();
    for referee in ["carl", "dora"] {
        tenant.sign_up(referee, &ben.code).await.created();
    }
    tenant.pay("carl", "in_1", 20_000).await.ok();
    tenant.pay("dora", "in_2", 20_000).await.ok();
    tenant.pay("emil", "in_3", 20_000).await;
    world.drain().await;
    let capped = &decision(&tenant, "in_2").await["rules"][0];
    assert_eq!((&capped["counted"]["uncapped"], &capped["counted"]["room"]), (&json!(2_000), &json!(500)));
    let commission = reward_of(&tenant, "commission").await;
    let bonus = tenant.get(&format!("/v1/rewards/{}", reward_of(&tenant, "bonus").await)).await.ok();
    assert_eq!(bonus["source"], "milestone/own/bonus.2");
    let milestone = format!("/v1/decisions/milestone/own/bonus.2?participant={}", ben.id);
    let reached = tenant.get(&milestone).await.ok();
    assert_eq!(
        (&reached["reason"], &reached["rules"][0]["counted"]["referrals"]),
        (&json!("earned"), &json!(2))
    );
    tenant.get("/v1/decisions/milestone/own/bonus.2").await.names("?participant");
    tenant.get("/v1/decisions/invoice/stripe/in_1?participant=x").await.names("?participant");

    let before = world.snapshot().await;
    for source in ["invoice/stripe/in_1", "invoice/stripe/in_2", "invoice/stripe/in_3", "signup/own/carl"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("reward/own/{commission}")])
    {
        let explained = tenant.get(&format!("/v1/decisions/{source}")).await.ok();
        let path = format!("/v1/events/{}/replay", source.replace('/', ":"));
        for dry_run in [true, false] {
            let replayed = tenant.post(&path, json!({"dry_run": dry_run})).await.ok();
            assert_eq!(replayed["unchanged"], true, "{source}: {replayed}");
            assert_eq!(replayed["recomputed"]["reason"], explained["reason"], "{source}");
            assert_eq!(replayed["posted"], json!([]), "{source}");
        }
    }
    let ledgers = |rows: &std::collections::BTreeMap<(String, String), _>| {
        rows.keys().filter(|(_, sk)| sk.starts_with("L#")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(ledgers(&world.snapshot().await), ledgers(&before));
}

#[tokio::test]
async fn a_simulation_decides_as_the_engine_does_and_writes_nothing() {
    let world = World::start().await;
    let (tenant, now) = (world.tenant().await, world.now().await);
    let program = tenant.program(percent_rule("10")).await;
    let path = format!("/v1/programs/{program}/simulate");
    let at = |days: i64| json!(now + Duration::days(days));
    let events = json!([
        {"type": "signup", "referee": "ben", "referrer": "anna", "at": at(1)},
        {"type": "invoice_paid", "referee": "ben", "invoice": "in_1", "amount_paid": 20_000, "currency": "USD", "at": at(2)},
        {"type": "refund", "invoice": "in_1", "refund": "re_1", "amount": 5_000, "at": at(3)}]);
    let before = world.snapshot().await;
    for (terms, net) in [(Value::Null, 1_500), (percent_rule("20"), 3_000)] {
        let run = tenant.post(&path, json!({"terms": terms, "events": events})).await.ok();
        assert_eq!(run["summary"]["participants"]["anna"]["USD"]["net"], net);
        assert_eq!(run["steps"].as_array().unwrap().len(), 3);
    }
    let bad = json!({"events": [{"type": "refund", "invoice": "in_1", "refund": "re_1", "amount": -1, "at": at(1)}]});
    tenant.post(&path, bad).await.names("/events/0");
    tenant.post(&path, json!({"events": vec![events[1].clone(); 201]})).await.names("/events");
    tenant.post(&path, json!({"terms": {"rules": []}, "events": []})).await.names("/terms/rules");
    assert_eq!(world.snapshot().await, before);
}
