//! Loads of a shape that hurts, on the local stage: what comes out must be exact. Rates are for information: the stage is a
//! development build with its engines and callers on one machine.

mod backlog;
mod hot_referrer;
mod hot_tenant;
mod storm;

use anyhow::Result;
use clap::ValueEnum;
use futures_util::{StreamExt as _, stream};
use tests::World;
use tokio::time::Instant;

use crate::counts::Counts;

/// Callers at a time.
const CALLERS: usize = 32;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this load; may be repeated.
    #[arg(long, value_enum)]
    only: Vec<Load>,
    /// Messages of the backlog, one in a hundred of which is poison.
    #[arg(long, default_value_t = 100_000)]
    backlog: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Load {
    /// A queue with more messages than its consumer takes in minutes, some of them poison.
    Backlog,
    /// Everybody's payments count for one referrer, under tiers, a cap and milestones.
    HotReferrer,
    /// One organization with nine tenths of the traffic beside nine small ones.
    HotTenant,
    /// One signed event, a thousand times at once.
    Storm,
}

pub(crate) async fn run(arguments: Arguments) -> Result<Vec<Counts>> {
    let wants = |load| arguments.only.is_empty() || arguments.only.contains(&load);
    let mut all = Vec::new();
    if wants(Load::Storm) {
        all.push(shown(storm::run().await));
    }
    if wants(Load::HotReferrer) {
        all.push(shown(hot_referrer::run().await));
    }
    if wants(Load::HotTenant) {
        all.push(shown(hot_tenant::run().await));
    }
    if wants(Load::Backlog) {
        all.push(shown(backlog::run(arguments.backlog).await?));
    }
    Ok(all)
}

fn shown(counts: Counts) -> Counts {
    println!("{counts}");
    counts
}

/// Does all of these, so many at a time; answers how many a second there were, and what each came to.
async fn all_of<T, F: Future<Output = T>>(
    count: usize,
    at_once: usize,
    one: impl Fn(usize) -> F,
) -> (String, Vec<T>) {
    let begun = Instant::now();
    let done: Vec<T> = stream::iter(0..count).map(one).buffer_unordered(at_once).collect().await;
    (rate(count, begun), done)
}

fn rate(count: usize, begun: Instant) -> String {
    let seconds = begun.elapsed().as_secs_f64();
    format!("{:.0} per s", tests::table::float(count) / seconds.max(0.001))
}

/// Calls until the answer is none that asks to come back; how often it was asked to.
async fn until_taken<F: Future<Output = tests::Answer>>(call: impl Fn() -> F) -> usize {
    let mut put_off = 0;
    loop {
        let answer = call().await;
        match answer.status {
            200..300 => return put_off,
            503 => put_off += 1,
            _ => panic!("{} {}", answer.status, answer.body),
        }
    }
}

/// Counts what every load leaves behind: nothing due, and no dead letter.
async fn rest(world: &World, counts: &mut Counts) {
    counts.must("rows still due", world.due_rows().await, 0);
    counts.must("dead letters left", world.visible("FulfillDlq").await, 0);
}
