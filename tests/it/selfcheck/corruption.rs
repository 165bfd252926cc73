//! Rows that were changed past the product, one kind at a time.

use aws::store::Item;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use super::{Story, codes, is_sound};

fn text(row: &Item, name: &str) -> String {
    row.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
}

fn number(value: &AttributeValue) -> i64 {
    value.as_n().unwrap().parse().unwrap()
}

/// Adds to a figure, which may lie in maps and lists.
fn raise(row: &mut Item, path: &[&str], by: i64) {
    let (name, rest) = path.split_first().unwrap();
    let mut place = row.get_mut(*name).unwrap_or_else(|| panic!("there is no {name}"));
    for name in rest {
        place = match place {
            AttributeValue::M(map) => map.get_mut(*name).unwrap_or_else(|| panic!("there is no {name}")),
            AttributeValue::L(list) => &mut list[name.parse::<usize>().unwrap()],
            other => panic!("{name} of {other:?}"),
        };
    }
    *place = AttributeValue::N((number(place) + by).to_string());
}

fn kind(row: &Item, kind: &str) -> bool {
    text(row, "kind") == kind
}

fn is_delivered(row: &Item) -> bool {
    kind(row, "reward")
        && text(row, "state") == "fulfilled"
        && text(row, "source").starts_with("invoice/stripe/in_5")
}

fn is_source(row: &Item, source: &str) -> bool {
    text(row, "sk") == "SOURCE" && text(row, "source") == source
}

/// A change of a row, and the codes by which it is found.
struct Corruption {
    what: &'static str,
    which: fn(&Item) -> bool,
    change: fn(&mut Item),
    /// By the check of its day, and by that of everything.
    codes: (&'static [&'static str], &'static [&'static str]),
}

/// Found by both checks.
const fn both(codes: &'static [&'static str]) -> (&'static [&'static str], &'static [&'static str]) {
    (codes, codes)
}

fn corruptions() -> Vec<Corruption> {
    vec![
        Corruption {
            what: "what stands of a reward",
            which: is_delivered,
            change: |row| raise(row, &["net"], 1),
            codes: both(&["reward_mismatch", "posted_mismatch"]),
        },
        Corruption {
            what: "the opening line of a reward",
            which: is_delivered,
            change: |row| raise(row, &["delta"], -1),
            codes: both(&["reward_mismatch", "report_mismatch"]),
        },
        Corruption {
            what: "what a delivery made available",
            which: is_delivered,
            change: |row| raise(row, &["available"], 10),
            codes: both(&["reward_mismatch"]),
        },
        Corruption {
            what: "a correction",
            which: |row| kind(row, "entry") && text(row, "source") == "invoice/stripe/in_ned",
            change: |row| raise(row, &["delta"], 7),
            codes: both(&["reward_mismatch", "report_mismatch"]),
        },
        Corruption {
            what: "a snapshot",
            which: |row| text(row, "sk").ends_with("#~"),
            change: |row| raise(row, &["balances", "USD", "available"], 5),
            codes: both(&["balance_mismatch"]),
        },
        Corruption {
            what: "what is posted of a source",
            which: |row| is_source(row, "invoice/stripe/in_50"),
            change: |row| raise(row, &["posted", "0", "amount"], 1),
            codes: both(&["posted_mismatch"]),
        },
        Corruption {
            what: "what is known of a source",
            which: |row| is_source(row, "invoice/stripe/in_3"),
            change: |row| raise(row, &["state", "payment", "amount"], 500),
            codes: both(&["posted_mismatch"]),
        },
        Corruption {
            what: "a source that forgot its reward",
            which: |row| is_source(row, "invoice/stripe/in_4"),
            change: |row| {
                row.insert("posted".to_owned(), AttributeValue::L(Vec::new()));
            },
            codes: both(&["posted_mismatch"]),
        },
        Corruption {
            what: "what was given by hand",
            which: |row| row.contains_key("grant"),
            change: |row| raise(row, &["grant", "amount", "amount"], 1),
            codes: both(&["posted_mismatch"]),
        },
        Corruption {
            what: "a milestone",
            which: |row| {
                let awarded = row.get("tally").and_then(|tally| tally.as_m().unwrap().get("milestones"));
                awarded.is_some_and(|awarded| !awarded.as_l().unwrap().is_empty())
            },
            change: |row| raise(row, &["tally", "milestones", "0", "posted", "amount"], 3),
            codes: both(&["posted_mismatch"]),
        },
        Corruption {
            what: "what a second level is decided from",
            which: |row| {
                let posted = row.get("posted").and_then(|posted| posted.as_l().ok());
                let is_second = text(row, "source").starts_with("reward/own/");
                is_second && text(row, "sk") == "SOURCE" && posted.is_some_and(|posted| !posted.is_empty())
            },
            change: |row| raise(row, &["state", "earned", "net"], 9),
            codes: both(&["posted_mismatch"]),
        },
        Corruption {
            what: "a report",
            which: |row| {
                text(row, "sk").starts_with("REPORT#")
                    && row["total"].as_m().unwrap()["rewards"].as_n().unwrap() != "0"
            },
            change: |row| raise(row, &["total", "amounts", "USD", "net"], 1),
            codes: both(&["report_mismatch"]),
        },
        Corruption {
            what: "a row that cannot be read",
            which: is_delivered,
            change: |row| {
                row.insert("state".to_owned(), AttributeValue::S("nonsense".to_owned()));
            },
            codes: both(&["unreadable"]),
        },
        Corruption {
            what: "a partner invoice",
            which: |row| text(row, "sk").starts_with("INVOICE#") && row.contains_key("parts"),
            change: |row| raise(row, &["total"], 1),
            codes: (&[], &["invoice_mismatch"]),
        },
        Corruption {
            what: "a line item of a partner invoice",
            which: |row| text(row, "sk").starts_with("INVOICE-ITEM#"),
            change: |row| raise(row, &["amount"], 1),
            codes: (&[], &["invoice_mismatch"]),
        },
        Corruption {
            what: "a ledger line that lost its partner invoice",
            which: |row| row.contains_key("billed_on"),
            change: |row| {
                row.remove("billed_on");
            },
            codes: (&[], &["invoice_mismatch"]),
        },
        Corruption {
            what: "a payout batch",
            which: |row| text(row, "sk") == "BATCH" && text(row, "status") == "open",
            change: |row| raise(row, &["total"], 1),
            codes: (&[], &["payout_mismatch"]),
        },
        Corruption {
            what: "a line of a payout batch",
            which: |row| text(row, "sk").starts_with("LINE#") && text(row, "status") == "pending",
            change: |row| raise(row, &["amount"], 1),
            codes: (&[], &["payout_mismatch"]),
        },
        Corruption {
            what: "a partner invoice that left its payout batch",
            which: |row| row.contains_key("parts") && row.contains_key("batch"),
            change: |row| {
                row.remove("batch");
            },
            codes: (&[], &["payout_mismatch"]),
        },
        Corruption {
            what: "a source that nobody wakes",
            which: |row| is_source(row, "invoice/stripe/in_30"),
            change: |row| {
                // It waits for somebody who has signed up long ago.
                let ben = AttributeValue::S("ben".to_owned());
                row.insert(
                    "waiting_for".to_owned(),
                    AttributeValue::M([("referee".to_owned(), ben.clone())].into()),
                );
                row.insert("payer".to_owned(), AttributeValue::M([("external_id".to_owned(), ben)].into()));
            },
            codes: (&[], &["waiting_mismatch"]),
        },
    ]
}

#[tokio::test]
async fn every_kind_of_corruption_is_found_and_named() {
    let story = Story::tell().await;
    story.end_day().await;
    story.end_day().await;
    for Corruption { what, which, change, codes: (by_day, by_all) } in corruptions() {
        let rows = story.world.rows().await;
        // The newest: of the story's day, where there are several.
        let mut found: Vec<&Item> = rows.iter().filter(|row| which(row)).collect();
        found.sort_by_key(|row| text(row, "sk"));
        let sound = (*found.last().unwrap_or_else(|| panic!("there is no row for {what}"))).clone();
        let mut changed = sound.clone();
        change(&mut changed);
        story.world.put_row(changed).await;
        let (of_day, of_all) = (story.check_day().await, story.check().await);
        story.world.put_row(sound).await;
        for (check, expected) in [(&of_day, by_day), (&of_all, by_all)] {
            let found = codes(check);
            assert!(expected.iter().all(|code| found.contains(*code)), "{what}: {found:?} in {check}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{what}: {check}");
            for finding in check["findings"].as_array().unwrap() {
                assert!(!finding["row"].as_str().unwrap().is_empty(), "{what}: {finding}");
                assert_ne!(finding["expected"], finding["found"], "{what}: {finding}");
            }
            let sum: u64 =
                check["found"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
            assert_eq!(sum, u64::try_from(check["findings"].as_array().unwrap().len()).unwrap());
        }
    }
    is_sound(&story.check_day().await);
    is_sound(&story.check().await);
}

#[tokio::test]
async fn what_was_left_undone_for_an_hour_is_counted_and_named() {
    let story = Story::tell().await;
    let stranger = story.world.tenant().await;
    stranger.with_anna("10").await;
    let rows = story.world.rows().await;
    let mut reward = rows.iter().find(|row| is_delivered(row)).unwrap().clone();
    let sound = reward.clone();
    // It is delivered, and was left in the index: the sweeper sends it again and again, and nothing comes of it.
    let since = domain::id::time_digits(story.world.now().await - chrono::Duration::minutes(61));
    reward.insert("due_pk".to_owned(), AttributeValue::S("DUE#07".to_owned()));
    reward.insert("due_sk".to_owned(), AttributeValue::S(since));
    let name = format!("reward/{}", text(&reward, "reward"));
    story.world.put_row(reward).await;
    let check = story.check().await;
    assert_eq!(codes(&check), ["overdue".to_owned()].into());
    assert_eq!((&check["findings"][0]["row"], &check["checked"]["due"]), (&json!(name), &json!(1)));
    let nightly = json!({"type": "check", "day": story.day});
    let answer = story.world.invoke("AggregateReportsFunction", nightly.clone()).await;
    assert_eq!((&answer["overdue"], &answer["organizations"]), (&json!(1), &json!(2)), "{answer}");
    story.world.put_row(sound).await;
    let answer = story.world.invoke("AggregateReportsFunction", nightly).await;
    assert_eq!(answer["overdue"], 0, "{answer}");
    is_sound(&story.check().await);
}
