//! A queue with more messages than its consumer takes in minutes, one in a hundred of them poison.

use anyhow::{Result, ensure};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use local::{Effect, Fault};
use serde_json::{Value, json};
use tests::{Participant, Tenant, World};
use tokio::time::Instant;

use super::{CALLERS, all_of, rate, rest};
use crate::counts::Counts;
use crate::progress;

/// Rewards that the good messages are about, each told of as often as the backlog has room for.
const REWARDS: usize = 2_000;
/// One message of so many is poison.
const POISON_EVERY: usize = 100;
/// What a reward is over, in cents.
const REWARD: i64 = 2_000;
/// Messages of one call.
const BATCH: usize = 10;
/// Past the visibility timeout of FulfillQueue, in seconds; and how often a message comes before it is parked.
const HIDDEN_SECONDS: i64 = 181;
const TRIES: usize = 5;
/// How often a drain that takes too long is asked for again: each takes a minute.
const DRAINS_MAX: usize = 60;

pub(super) async fn run(messages: usize) -> Result<Counts> {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    let organization = world.organization(&tenant).await;
    let due = rewards(&world, &tenant, &anna, &organization).await?;
    let poison: Vec<String> =
        (0..messages / POISON_EVERY).map(|number| poison(number, &organization)).collect();
    let body = |number: usize| match number % POISON_EVERY {
        0 => poison[number / POISON_EVERY].clone(),
        _ => due[number % due.len()].clone(),
    };

    progress(&format!("sending {messages} messages ..."));
    let begun = Instant::now();
    send(&world, messages, body).await?;
    let sent = rate(messages, begun);
    let backlog = world.visible("FulfillQueue").await;
    progress(&format!("{backlog} of them wait; draining ..."));
    drain(&world).await?;
    let drained = rate(messages, begun);
    for _ in 0..TRIES {
        world.advance(HIDDEN_SECONDS).await;
        drain(&world).await?;
    }

    let mut counts = Counts::of("A backlog with poison");
    counts.add("messages", format!("{messages}, sent {sent}"));
    counts.add("most that waited", backlog);
    counts.add("handled", drained);
    let fulfilled = tenant.list(&format!("/v1/rewards?participant={}", anna.id)).await;
    let fulfilled = fulfilled.iter().filter(|reward| reward["state"] == "fulfilled").count();
    counts.must("rewards delivered", fulfilled, REWARDS);
    let total = REWARD * i64::try_from(REWARDS)?;
    counts.must("available, in cents", tenant.figures(&anna).await.0, total);
    let announced = world.told().await;
    counts.must("announcements", announced.len(), REWARDS);
    counts.must("dead letters", world.visible("FulfillDlq").await, u64::try_from(poison.len())?);
    let mut dead: Vec<String> = world.receive("FulfillDlq").await.iter().map(text).collect();
    let mut sorted = poison;
    dead.sort();
    sorted.sort();
    counts.must("dead letters that are not the poison", usize::from(dead != sorted), 0);
    rest(&world, &mut counts).await;
    Ok(counts)
}

/// Rewards whose messages were lost on their way to the queue; the messages.
async fn rewards(
    world: &World,
    tenant: &Tenant,
    anna: &Participant,
    organization: &str,
) -> Result<Vec<String>> {
    tenant.sign_up("ben", &anna.code).await.created();
    progress(&format!("making {REWARDS} rewards ..."));
    let call = Some("SendMessage".to_owned());
    world.plan(vec![Fault { call, skip: 0, times: u32::MAX, effect: Effect::Unavailable }]);
    let amount = REWARD * 10;
    let (_, answers) = all_of(REWARDS, CALLERS, |number| async move {
        tenant.pay("ben", &format!("in_{number}"), amount).await.ok()
    })
    .await;
    world.plan(Vec::new());
    ensure!(world.visible("FulfillQueue").await == 0, "a message came through");
    let due = |answer: &Value| {
        let reward = &answer["posted"][0]["reward"];
        json!({"type": "reward.due.v1", "organization": organization, "reward": reward}).to_string()
    };
    Ok(answers.iter().map(due).collect())
}

/// What nobody can handle, each in its own words.
fn poison(number: usize, organization: &str) -> String {
    let absent = format!("rwd_{number:046}");
    match number % 4 {
        0 => format!("no message of ours, number {number}"),
        1 => json!({"type": "reward.due.v1", "organization": organization, "number": number}).to_string(),
        2 => json!({"type": "reward.due.v9", "organization": organization, "reward": absent}).to_string(),
        _ => json!({"type": "reward.due.v1", "organization": organization, "reward": absent}).to_string(),
    }
}

async fn send(world: &World, messages: usize, body: impl Fn(usize) -> String) -> Result<()> {
    let (queue, sqs) = (world.stage.queue_url("FulfillQueue")?, world.stage.sqs());
    let (_, sent) = all_of(messages.div_ceil(BATCH), CALLERS, |batch| {
        let numbers = batch * BATCH..messages.min((batch + 1) * BATCH);
        let entry = |number: usize| {
            let entry = SendMessageBatchRequestEntry::builder().id(number.to_string());
            entry.message_body(body(number)).build()
        };
        let entries: Result<Vec<_>, _> = numbers.map(entry).collect();
        let request = sqs.send_message_batch().queue_url(queue);
        async move {
            let answer = request.set_entries(Some(entries?)).send().await?;
            ensure!(answer.failed().is_empty(), "the queue refused a message");
            anyhow::Ok(())
        }
    })
    .await;
    sent.into_iter().collect()
}

/// Waits until the queue is empty, however many minutes that takes.
async fn drain(world: &World) -> Result<()> {
    for _ in 0..DRAINS_MAX {
        if world.call("POST", "/_local/drain", None, Some(&json!({}))).await.status == 200 {
            return Ok(());
        }
        progress(&format!("{} messages wait ...", world.visible("FulfillQueue").await));
    }
    anyhow::bail!("the queue does not run empty")
}

/// A body as it was sent: what is JSON was parsed when it was received.
fn text(body: &Value) -> String {
    body.as_str().map_or_else(|| body.to_string(), str::to_owned)
}
