//! The local stage as a process of its own, killed over and over while events are told to it; then every figure of every
//! participant against what was acknowledged.

mod caller;
mod check;
mod plan;
mod process;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tests::{Participant, Tenant, World};
use tokio::task::JoinSet;

use crate::counts::Counts;
use crate::progress;
use caller::Caller;
use check::Program;
use plan::{Customer, REFERRERS};
pub(crate) use process::end_with_input;
use process::{Process, Stages};

/// Callers at a time.
const CALLERS: usize = 8;
/// The longest life of a process, in milliseconds.
const LIFE_MS_MAX: u64 = 3_000;
/// The sweeper's patience and its interval, in seconds: the clock goes on so far now and then.
const SWEEP_SECONDS: u32 = 61;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long the stage is killed.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What the events and the moments of the kills are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What the killing came to.
#[derive(Debug, Default)]
struct Kills {
    /// Processes that were killed.
    killed: usize,
    /// Of these, before they were up.
    starting: usize,
    /// Processes that came up on what the one before left.
    restarted: usize,
    /// Times that the clock was moved and the sweeper ran beside the callers.
    swept: usize,
}

pub(crate) async fn run(arguments: Arguments) -> Result<Counts> {
    let directory = tempfile::tempdir()?;
    let stages = Stages::new(directory.path());
    let first = stages.start().await?;
    let program = set_up(&first).await?;
    // In effect by then.
    let paid_at = first.advance(SWEEP_SECONDS).await?;
    let caller = Arc::new(Caller::new(&program, paid_at));
    progress(&format!("killing the stage for {} s, seed {} ...", arguments.seconds, arguments.seed));

    let over = Arc::new(AtomicBool::new(false));
    let mut callers = spawn_callers(&caller, &program, arguments.seed, &over);
    let mut killer = Killer {
        stages: &stages,
        caller: &caller,
        random: SmallRng::seed_from_u64(arguments.seed),
        kills: Kills::default(),
    };
    let in_words = |error: anyhow::Error| error.context(stages.last_words());
    let last = tokio::select! {
        last = killer.kill_for(first, Duration::from_secs(arguments.seconds)) => last?,
        Some(Ok(Err(error))) = callers.join_next() => return Err(in_words(error)),
    };
    over.store(true, Ordering::SeqCst);
    let mut customers = Vec::new();
    while let Some(told) = callers.join_next().await {
        customers.extend(told?.map_err(in_words)?);
    }
    // It dies as the others did: what it still had in its queues is gone.
    let mut kills = killer.kills;
    drop(last);
    kills.killed += 1;
    ensure!(kills.restarted > 0 && caller.unanswered() > 0, "nothing was killed in the middle of a call");
    let mut counts = Counts::of(&format!("Kill -9 of the local stage, seed {}", arguments.seed));
    counts.add("seconds", arguments.seconds);
    counts.add("kills", kills.killed);
    counts.add("  of them while starting", kills.starting);
    counts.add("restarts", kills.restarted);
    counts.add("times that the sweeper was started beside the callers", kills.swept);
    told(&mut counts, &customers, &caller);
    progress("draining, and comparing every figure ...");
    check_in(stages.state(), &program, &customers, &mut counts).await;
    println!("{counts}");
    Ok(counts)
}

/// Callers that tell one customer after the other until it is over; each answers whom it has told of.
fn spawn_callers(
    caller: &Arc<Caller>,
    program: &Program,
    seed: u64,
    over: &Arc<AtomicBool>,
) -> JoinSet<Result<Vec<Customer>>> {
    let (next, mut callers) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for _ in 0..CALLERS {
        let (caller, next, over) = (caller.clone(), next.clone(), over.clone());
        let codes = program.codes();
        callers.spawn(async move {
            let mut told = Vec::new();
            while !over.load(Ordering::SeqCst) {
                let customer = Customer::drawn(seed, next.fetch_add(1, Ordering::SeqCst));
                caller.tell(&customer, &codes[customer.referrer]).await?;
                told.push(customer);
            }
            Ok(told)
        });
    }
    callers
}

fn told(counts: &mut Counts, customers: &[Customer], caller: &Caller) {
    counts.add("customers", customers.len());
    let all = || customers.iter().flat_map(|customer| &customer.steps);
    counts.add("events", all().count());
    counts.add("  payments", all().filter(|step| step.is_payment()).count());
    counts.add(
        "  payments told more than once",
        all().filter(|step| step.is_payment() && step.copies > 1).count(),
    );
    counts.add("  refunds", all().filter(|step| step.is_refund()).count());
    counts.add("  told before their sign-up", customers.iter().map(Customer::early).sum::<usize>());
    let copies: usize = all().map(|step| step.copies).sum();
    counts.must("acknowledged, duplicates included", caller.acknowledged(), copies);
    counts.add("told again, since no answer came", caller.unanswered());
    counts.add("told again, since it was asked for (5xx)", caller.put_off());
}

/// An organization with a program, its participants, and a webhook.
async fn set_up(process: &Process) -> Result<Program> {
    let http = reqwest::Client::new();
    let root = Tenant::new(http.clone(), process.base_url.clone(), process.root_key.clone());
    let organization = root.post("/v1/organizations", json!({"name": "Example", "livemode": false})).await;
    let key = organization.created()["api_key"]["secret"].as_str().context("no key")?.to_owned();
    let tenant = Tenant::new(http, process.base_url.clone(), key);
    let program = tenant.program(plan::terms()).await;
    let mut participants: Vec<Participant> = Vec::with_capacity(REFERRERS);
    for number in 0..REFERRERS {
        let (id, name) = (plan::referrer(number), format!("Anna {number}"));
        if let Some(before) = participants.last() {
            tenant.sign_up(&id, &before.code).await.created();
        }
        participants.push(tenant.enrol(&program, &id, &name).await);
    }
    let endpoint = tenant.stripe_endpoint().await;
    Ok(Program { key: tenant.key, endpoint, participants })
}

/// Opens what the last process left, lets everything come to rest and compares.
async fn check_in(state: &Path, program: &Program, customers: &[Customer], counts: &mut Counts) {
    let world = World::start_in(state).await;
    check::compare(&world, program, customers, counts).await;
}

struct Killer<'a> {
    stages: &'a Stages,
    caller: &'a Caller,
    random: SmallRng,
    kills: Kills,
}

impl Killer<'_> {
    /// Kills one process after the other; answers the one that is up when the time is over.
    async fn kill_for(&mut self, first: Process, time: Duration) -> Result<Process> {
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        let mut process = first;
        loop {
            self.caller.reach(Some(&process)).await?;
            tokio::select! {
                () = &mut over => return Ok(process),
                () = self.live(&process) => {}
            }
            drop(process);
            self.caller.reach(None).await?;
            self.kills.killed += 1;
            process = self.restart().await?;
        }
    }

    /// Lets a process live for a while; every other time the clock goes on in the middle, and the sweeper runs.
    async fn live(&mut self, process: &Process) {
        let life = Duration::from_millis(self.random.random_range(50..=LIFE_MS_MAX));
        let rest = async {
            if self.random.random_bool(0.5) {
                tokio::time::sleep(life / 4).await;
                self.kills.swept += 1;
                // Whether it dies of it is chance: that is why the sweeper runs now.
                process.advance(SWEEP_SECONDS).await.map(drop).unwrap_or_default();
            }
            std::future::pending::<()>().await;
        };
        tokio::time::timeout(life, rest).await.unwrap_or_default();
    }

    /// Starts the next process; now and then it dies before it is up.
    async fn restart(&mut self) -> Result<Process> {
        while self.random.random_bool(0.125) {
            let unborn = self.stages.spawn()?;
            tokio::time::sleep(Duration::from_millis(self.random.random_range(0..=200))).await;
            drop(unborn);
            self.kills.killed += 1;
            self.kills.starting += 1;
        }
        self.kills.restarted += 1;
        self.stages.start().await
    }
}
