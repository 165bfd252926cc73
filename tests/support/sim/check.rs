//! What must hold after every step, and what must be left at the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::table::{Kept, Rows};
use super::world::{Reply, World};

/// How often everything is swept and delivered until it must be at rest.
pub(super) const ROUNDS: usize = 5;

/// What does not hold, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

/// What somebody has at the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// State and standing amount of each reward, in order.
    pub rewards: Vec<(String, i64)>,
    /// The sum of the ledger's lines.
    pub ledger: i64,
    /// Delivered and standing, in the balance, spent of it or elsewhere; and pending.
    pub balance: (i64, i64),
}

/// The lines of all ledgers: rows with an amount that was posted.
fn lines(rows: &Rows) -> impl Iterator<Item = (&(String, String), &Kept)> {
    let rows = rows.iter().map(|(key, row)| (key, row.as_ref()));
    rows.filter(|((_, sk), row)| sk.starts_with("L#") && row.has("delta"))
}

/// What must never change of a line.
const WRITTEN_ONCE: [&str; 10] = [
    "delta",
    "unit",
    "cause",
    "source",
    "rule",
    "reward",
    "participant",
    "terms_version",
    "occurred_at",
    "recorded_at",
];

/// Nothing is edited: every line is as it was, and every referral that was bound is bound as it was, unless somebody has
/// changed it by hand.
fn grown(before: &Rows, after: &Rows) -> Result<(), Violation> {
    for (key, row) in lines(before) {
        let Some(now) = after.get(key) else { return violation(format!("the line {key:?} is gone")) };
        if std::ptr::eq(row, now.as_ref()) {
            continue;
        }
        for name in WRITTEN_ONCE {
            if row.get(name) != now.get(name) {
                return violation(format!(
                    "{name} of the line {key:?} was {:?} and is {:?}",
                    row.get(name),
                    now.get(name)
                ));
            }
        }
    }
    for (key, row) in before.iter().filter(|(_, row)| row.has("binding")) {
        let now = after.get(key);
        let by_hand = now.is_some_and(|now| now.number("revision") > row.number("revision"));
        if !by_hand && now.and_then(|now| now.get("binding")) != row.get("binding") {
            return violation(format!("the referral {key:?} was bound otherwise"));
        }
    }
    Ok(())
}

/// The books are sound: one reward per source, rule and recipient; what stands of it is the sum of its lines, and never
/// negative.
fn sound(rows: &Rows) -> Result<(), Violation> {
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    let mut earnings = BTreeSet::new();
    for (_, row) in lines(rows) {
        let reward = row.text("reward");
        let (sum, count) = sums.entry(reward).or_default();
        *sum += row.number("delta");
        *count += 1;
    }
    for ((_, sk), row) in lines(rows).filter(|(_, row)| row.has("net")) {
        let name = |name: &str| row.text(name);
        if !earnings.insert((name("source"), name("rule"), name("participant"))) {
            return violation(format!("{} has earned twice by {}", name("source"), name("rule")));
        }
        let standing = (row.number("net"), row.number("lines"));
        let lines = sums.get(name("reward")).copied().unwrap_or_default();
        if standing != lines || standing.0 < 0 {
            return violation(format!("the reward {sk} says {standing:?}, its lines say {lines:?}"));
        }
    }
    Ok(())
}

/// Sweeps and delivers until nothing is left to do; checks every step, and that it is the last. The rows at the end.
pub(super) async fn come_to_rest(world: &World, from: &Rows) -> Result<Rows, Violation> {
    let mut rows = from.clone();
    for _ in 0..ROUNDS {
        sweep(world).await;
        rows = step(world, &rows)?;
        let failed = world.deliver().await;
        rows = step(world, &rows)?;
        if !failed && !rows.values().any(|row| row.has("due_pk")) {
            break;
        }
    }
    at_rest(world, &rows)?;
    Ok(rows)
}

/// Lets leases end, and what is left undone be found.
pub(super) async fn sweep(world: &World) {
    world.advance(200);
    world.invoke("the sweeper", "SweepDueFunction", json!({})).await;
}

/// What every step must leave as it was, and what must hold after it. The rows as they are now.
pub(super) fn step(world: &World, before: &Rows) -> Result<Rows, Violation> {
    let rows = world.rows();
    grown(before, &rows)?;
    sound(&rows)?;
    Ok(rows)
}

/// Nothing is left to do: no due row, no lease, no message, and each delivered reward was told of under one id.
fn at_rest(world: &World, rows: &Rows) -> Result<(), Violation> {
    for (key, row) in rows {
        if row.has("due_pk") {
            return violation(format!("{key:?} is still due"));
        }
        if row.has("lease_until") {
            return violation(format!("{key:?} still has a lease"));
        }
    }
    let mut told: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for message in world.told() {
        let reward = message["data"]["reward"].as_str().unwrap_or_default().to_owned();
        told.entry((reward, message["type"].to_string())).or_default().insert(message["id"].to_string());
    }
    for (_, row) in lines(rows).filter(|(_, row)| row.has("net")) {
        let ids = |kind: &str| {
            let place = (row.text("reward").to_owned(), format!("\"reward.{kind}\""));
            told.get(&place).map_or(0, BTreeSet::len)
        };
        let (earned, fulfilled) = (ids("earned"), ids("fulfilled"));
        let corrections = ids("reversed") + ids("restored") + ids("rejected") + ids("expired");
        let lines = usize::try_from(row.number("lines")).unwrap_or_default();
        if earned != 1 || fulfilled > 1 || corrections + 1 != lines {
            return violation(format!(
                "of {:?} was told: earned {earned}, fulfilled {fulfilled}, {corrections} corrections of {} lines",
                row.text("reward"),
                lines
            ));
        }
        // One that was taken back in full while it was being delivered is not told of as delivered.
        if row.has("fulfilled_at") && fulfilled == 0 && row.number("net") != 0 {
            return violation(format!("the delivery of {:?} was not told of", row.text("reward")));
        }
    }
    let queues = world.wire.state().queues.visible.clone();
    match queues.iter().find(|(_, left)| !left.is_empty()) {
        Some((name, left)) => violation(format!("{name} still holds {left:?}")),
        None => Ok(()),
    }
}

/// What stands at the end, as the table tells it.
pub(super) fn outcome(rows: &Rows, participant: &str) -> Outcome {
    let of_participant = |row: &&Kept| row.text("participant") == participant;
    let mut outcome = Outcome::default();
    for row in lines(rows).map(|(_, row)| row).filter(of_participant) {
        outcome.ledger += row.number("delta");
        if row.has("net") {
            outcome.rewards.push((row.text("state").to_owned(), row.number("net")));
        }
    }
    outcome.rewards.sort();
    outcome
}

/// What was delivered and stands and what is pending, as the API tells it.
pub(super) async fn balance(world: &World, key: &str, participant: &str) -> Result<(i64, i64), Violation> {
    let bearer = format!("Bearer {key}");
    let path = format!("/v1/participants/{participant}/balances");
    world.observe();
    let headers = [("authorization", bearer.as_str())];
    let reply = world.http("balances", "GET", &path, &headers, String::new()).await;
    let Some(Reply { status: 200, body }) = reply else {
        return violation(format!("the balances cannot be read: {reply:?}"));
    };
    let figure = |name: &str| body["data"][0][name].as_i64().unwrap_or_default();
    let in_balance = figure("available") - figure("shortfall") + figure("spent");
    Ok((in_balance + figure("cash") + figure("elsewhere"), figure("pending")))
}

pub(super) fn violation<T>(words: String) -> Result<T, Violation> {
    Err(Violation(words))
}
