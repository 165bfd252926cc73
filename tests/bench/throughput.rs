//! What one machine takes: sign-ups and paid invoices per second on the local stage, rewards delivered beside them.
//!
//! It says how much work the whole product is with everything on one machine, engines and callers included. What it takes
//! in the cloud is bounded by the table's partitions and the account's quotas, not by this.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tests::{Participant, Tenant, World, percent_rule, table};
use tokio::task::JoinSet;

use crate::{memory, progress};

/// Callers at a time, one level after the other.
const LEVELS: [usize; 3] = [1, 8, 32];
/// Sign-ups of a level, each followed by a paid invoice.
const PAIRS: usize = 1_000;
/// Participants that refer.
const REFERRERS: usize = 20;

/// How long the calls of a level took, in milliseconds.
#[derive(Debug, Default)]
struct Latencies {
    signups: Vec<f64>,
    payments: Vec<f64>,
}

/// Prints the table of levels.
pub(crate) async fn run() -> Result<()> {
    if cfg!(debug_assertions) {
        return run_optimised();
    }
    let world = Arc::new(World::start().await);
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule("10")).await;
    let mut referrers = Vec::with_capacity(REFERRERS);
    for number in 0..REFERRERS {
        referrers.push(tenant.enrol(&program, &format!("referrer-{number}"), "Blue Lotus").await);
    }
    let referrers = Arc::new(referrers);
    let mut table = table::of_figures(&[
        "callers",
        "requests\nper s",
        "sign-up\np50 ms",
        "\np99 ms",
        "invoice\np50 ms",
        "\np99 ms",
        "all delivered\nafter s",
    ]);
    for callers in LEVELS {
        progress(&format!("{PAIRS} sign-ups and paid invoices by {callers} callers at a time ..."));
        let begun = now();
        let latencies = level(callers, &tenant, &referrers).await?;
        let answered = begun.elapsed();
        world.drain().await;
        table.add_row(cells(callers, latencies, answered, begun.elapsed()));
    }
    check(&tenant, &referrers).await?;
    println!(
        "\nSign-ups and paid invoices on the local stage, {PAIRS} of each per line, release build\n{table}"
    );
    if let Some(bytes) = memory::peak_bytes("/proc/self/status") {
        println!(
            "Peak memory of the process, engines, functions and callers together: {:.0} MB.",
            bytes / 1e6
        );
    }
    Ok(())
}

/// The same in a build that is worth timing.
fn run_optimised() -> Result<()> {
    progress("building the optimised stage (10 minutes or so for the first time) ...");
    let mut command = Command::new("cargo");
    command.args(["run", "--profile", "measure", "--package", "tests", "--bin", "measure", "--"]);
    command.args(["--only", "throughput"]).current_dir(crate::workspace());
    ensure!(command.status()?.success(), "the optimised stage failed");
    Ok(())
}

async fn level(callers: usize, tenant: &Tenant, referrers: &Arc<Vec<Participant>>) -> Result<Latencies> {
    let (next, mut workers) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for _ in 0..callers {
        let (next, tenant, referrers) = (next.clone(), tenant.clone(), referrers.clone());
        workers.spawn(async move {
            let mut latencies = Latencies::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= PAIRS {
                    return latencies;
                }
                let (referee, invoice) = (format!("r-{callers}-{number}"), format!("in_{callers}_{number}"));
                let (begun, code) = (now(), &referrers[number % referrers.len()].code);
                tenant.sign_up(&referee, code).await.created();
                let signed_up = now();
                tenant.pay(&referee, &invoice, 20_000).await.ok();
                latencies.signups.push(milliseconds(signed_up - begun));
                latencies.payments.push(milliseconds(signed_up.elapsed()));
            }
        });
    }
    let mut all = Latencies::default();
    while let Some(of_worker) = workers.join_next().await {
        let of_worker = of_worker?;
        all.signups.extend(of_worker.signups);
        all.payments.extend(of_worker.payments);
    }
    Ok(all)
}

fn cells(callers: usize, latencies: Latencies, answered: Duration, delivered: Duration) -> Vec<String> {
    let requests = latencies.signups.len() + latencies.payments.len();
    let mut cells =
        vec![callers.to_string(), format!("{:.0}", table::float(requests) / answered.as_secs_f64())];
    for figures in [latencies.signups, latencies.payments] {
        cells.extend([0.5, 0.99].map(|share| format!("{:.1}", table::quantile(&figures, share))));
    }
    cells.push(format!("{:.1}", delivered.as_secs_f64()));
    cells
}

/// Every payment earned its reward, and every reward was delivered.
async fn check(tenant: &Tenant, referrers: &[Participant]) -> Result<()> {
    let (mut available, mut pending) = (0, 0);
    for referrer in referrers {
        let figures = tenant.figures(referrer).await;
        available += figures.0;
        pending += figures.1;
    }
    let expected = i64::try_from(PAIRS * LEVELS.len())? * 2_000;
    ensure!(
        (available, pending) == (expected, 0),
        "{available} delivered and {pending} pending of {expected}"
    );
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "durations are what is measured")]
    Instant::now()
}
