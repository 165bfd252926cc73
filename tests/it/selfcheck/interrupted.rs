//! Checks that are cut off, delivered twice, or run while money moves; and the rows of others.

use aws_sdk_dynamodb::types::AttributeValue;
use local::{Effect, Fault};
use serde_json::{Value, json};
use tests::{Tenant, World};

use super::{Story, codes, is_sound};

/// More sources than one message looks at.
async fn many() -> (World, Tenant) {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    for number in 0..120 {
        tenant.pay("ben", &format!("in_{number}"), 1_000).await.ok();
    }
    world.drain().await;
    (world, tenant)
}

async fn begin(tenant: &Tenant) -> String {
    tenant.post("/v1/checks", json!({})).await.body["id"].as_str().unwrap().to_owned()
}

async fn read(tenant: &Tenant, check: &str) -> Value {
    tenant.get(&format!("/v1/checks/{check}")).await.ok()
}

async fn versions(world: &World, check: &str) -> u64 {
    let rows = world.rows().await;
    let row = rows.iter().find(|row| row.get("check").is_some_and(|found| found.as_s().unwrap() == check));
    row.unwrap()["version"].as_n().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_check_that_is_cut_off_anywhere_and_delivered_twice_ends_right() {
    let (world, tenant) = many().await;
    let undisturbed = begin(&tenant).await;
    world.drain().await;
    // Begun, paused, and done: no message does all of it.
    assert!(versions(&world, &undisturbed).await >= 3);
    let expected = read(&tenant, &undisturbed).await;
    is_sound(&expected);
    assert_eq!(
        (&expected["checked"]["rewards"], &expected["checked"]["sources"]),
        (&json!(120), &json!(120))
    );

    let fault = |call: &str, skip, effect| Fault { call: Some(call.to_owned()), skip, times: 12, effect };
    for (call, skip, effect) in [
        ("Query", 0, Effect::Unavailable),
        ("Query", 9, Effect::Throttle),
        ("BatchGetItem", 60, Effect::Unavailable),
        ("GetItem", 150, Effect::Unavailable),
        ("PutItem", 0, Effect::Unavailable),
        ("PutItem", 0, Effect::LoseAnswer),
        ("PutItem", 1, Effect::LoseAnswer),
        ("SendMessage", 0, Effect::Unavailable),
    ] {
        let organization = world.organization(&tenant).await;
        let check = begin(&tenant).await;
        world.plan(vec![fault(call, skip, effect)]);
        let again = json!({"type": "check.due.v1", "organization": organization, "check": check}).to_string();
        world.send("ReportQueue", &again).await;
        world.drain().await;
        world.plan(Vec::new());
        // What failed comes again after its visibility timeout; what was not sent, with the sweeper.
        for _ in 0..3 {
            world.advance(400).await;
            world.drain().await;
        }
        world.send("ReportQueue", &again).await;
        world.drain().await;
        let found = read(&tenant, &check).await;
        for field in ["status", "stage", "checked", "found", "findings"] {
            assert_eq!(found[field], expected[field], "{call} {skip} {effect:?}");
        }
    }
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_is_written_meanwhile_is_no_finding() {
    let (world, tenant) = many().await;
    let work = async {
        for number in 0..60 {
            let invoice = format!("in_{}", number * 2);
            tenant.refund(&format!("re_{number}"), &invoice, 300).await.ok();
            tenant.pay("ben", &format!("in_more_{number}"), 2_000).await.ok();
        }
    };
    let checks = async {
        let mut begun = Vec::new();
        for _ in 0..4 {
            begun.push(begin(&tenant).await);
            world.drain().await;
        }
        begun
    };
    let (begun, ()) = tokio::join!(checks, work);
    world.drain().await;
    for check in begun {
        let check = read(&tenant, &check).await;
        assert_eq!(check["status"], "done");
        is_sound(&check);
    }
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_check_reads_no_row_of_another_organization() {
    let story = Story::tell().await;
    let before = story.world.snapshot().await;
    let alone = cost(&story).await;
    // Another organization in which everything is broken, and some of it overdue.
    let other = story.world.tenant().await;
    let anna = other.with_anna("10").await;
    other.sign_up("ben", &anna.code).await.created();
    for number in 0..30 {
        other.pay("ben", &format!("in_{number}"), 1_000).await.ok();
    }
    story.world.drain().await;
    for (key, mut row) in story.world.snapshot().await {
        if before.contains_key(&key) || !row.contains_key("kind") && key.1 != "SOURCE" {
            continue;
        }
        row.insert("posted".to_owned(), AttributeValue::S("nonsense".to_owned()));
        row.insert("state".to_owned(), AttributeValue::S("nonsense".to_owned()));
        row.insert("due_pk".to_owned(), AttributeValue::S("DUE#03".to_owned()));
        row.insert(
            "due_sk".to_owned(),
            AttributeValue::S(domain::id::time_digits(chrono::DateTime::UNIX_EPOCH)),
        );
        story.world.put_row(row).await;
    }
    let check = story.check().await;
    is_sound(&check);
    assert_eq!(check["checked"]["due"], 0);
    // No more is read; what of the others' is due is passed over within the index, and not answered.
    let with_others = cost(&story).await;
    assert!(with_others.0 <= alone.0, "{alone:?} {with_others:?}");
    assert!(with_others.1 - alone.1 <= 3.0, "{alone:?} {with_others:?}");
    let theirs = begin(&other).await;
    story.world.drain().await;
    let theirs = read(&other, &theirs).await;
    assert!(codes(&theirs).contains("unreadable") && codes(&theirs).contains("overdue"), "{theirs}");
}

/// Requests and read units of a check of everything.
async fn cost(story: &Story) -> (u64, f64) {
    story.world.drain().await;
    story.world.reset_meter().await;
    is_sound(&story.check().await);
    let (requests, read_units, _) = story.world.meter().await;
    (requests, read_units)
}
