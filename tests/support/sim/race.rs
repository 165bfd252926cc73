//! Several callers at once, in every interleaving that few interruptions can make.
//!
//! Each call that leaves a function waits until it is let go. Whoever was let go last goes on, until it is done or another
//! is let go in its place: an interruption. All interleavings with up to a number of interruptions are run; most races
//! need one or two to show (<https://dl.acm.org/doi/10.1145/1250734.1250785>).

use std::fmt;
use std::rc::Rc;

use tokio::task::LocalSet;

use super::act::Act;
use super::check::{self, Violation, violation};
use super::table::Rows;
use super::world::{Moment, World};

/// What the names of callers begin with, by which their calls are told apart.
pub(super) const CALLER: &str = "caller ";
/// How often a caller repeats what was not acknowledged.
const REPEATS: usize = 5;
/// The most calls of one interleaving; one that goes on for longer never ends.
const CALLS_MAX: usize = 2_000;

/// What came of all interleavings.
#[derive(Debug, Clone, Default)]
pub struct Interleavings {
    /// How many there were.
    pub runs: usize,
    /// The most calls of one.
    pub calls: usize,
    /// What did not hold, each with the trace of its run.
    pub violations: Vec<(String, Vec<String>)>,
}

/// Callers that set out from one moment.
pub struct Race<'a> {
    /// Where.
    pub world: Rc<World>,
    /// From when.
    pub from: Moment,
    /// The callers.
    pub acts: Vec<Act>,
    /// The most interruptions.
    pub interruptions: usize,
    /// What must hold at the end, when nothing is left to do.
    pub holds: &'a dyn Fn(&Rows) -> Result<(), String>,
}

impl fmt::Debug for Race<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Race").field("acts", &self.acts).finish_non_exhaustive()
    }
}

/// One decision: who could go on, and who was chosen.
#[derive(Debug, Clone)]
struct Decision {
    could: Vec<usize>,
    chosen: usize,
    /// Who went on last, if it could have gone on again.
    running: Option<usize>,
}

impl Race<'_> {
    /// Runs all interleavings.
    pub async fn run(&self) -> Interleavings {
        let mut all = Interleavings::default();
        let mut plans: Vec<Vec<usize>> = vec![Vec::new()];
        while let Some(plan) = plans.pop() {
            let (held, decisions) = self.interleave(&plan, false).await;
            all.runs += 1;
            all.calls = all.calls.max(decisions.len());
            if let Err(Violation(words)) = held {
                self.interleave(&plan, true).await.0.unwrap_err();
                all.violations.push((words, self.world.trace()));
            }
            plans.extend(self.others(&plan, &decisions));
        }
        all
    }

    /// The plans that decide otherwise than this run did, for the first time after where its own plan ended.
    fn others(&self, plan: &[usize], decisions: &[Decision]) -> Vec<Vec<usize>> {
        let mut others = Vec::new();
        let mut interruptions = 0;
        let mut chosen = Vec::new();
        for (number, decision) in decisions.iter().enumerate() {
            if number >= plan.len() {
                for other in decision.could.iter().filter(|other| **other != decision.chosen) {
                    let interrupts = usize::from(decision.running.is_some_and(|running| running != *other));
                    if interruptions + interrupts <= self.interruptions {
                        others.push([chosen.as_slice(), &[*other]].concat());
                    }
                }
            }
            interruptions += usize::from(decision.running.is_some_and(|running| running != decision.chosen));
            chosen.push(decision.chosen);
        }
        others
    }

    async fn interleave(&self, plan: &[usize], traced: bool) -> (Result<(), Violation>, Vec<Decision>) {
        self.world.resume(&self.from, &[], traced);
        self.world.hold();
        let callers = LocalSet::new();
        let mut running = Vec::new();
        for (number, act) in self.acts.iter().enumerate() {
            let (world, act) = (self.world.clone(), act.clone());
            running.push(callers.spawn_local(async move { perform(&world, number, &act).await }));
        }
        let direct = self.direct(plan);
        let decisions = callers.run_until(direct).await;
        let mut held = Ok(());
        if decisions.len() >= CALLS_MAX {
            held = violation("it does not end".to_owned());
        }
        self.world.release();
        for caller in running {
            let ended = callers.run_until(caller).await.unwrap();
            held = held.and(ended);
        }
        let held = match held {
            Ok(()) => self.at_the_end().await,
            Err(violation) => Err(violation),
        };
        (held, decisions)
    }

    /// Lets one call after the other go.
    async fn direct(&self, plan: &[usize]) -> Vec<Decision> {
        let mut decisions: Vec<Decision> = Vec::new();
        // The runtime's time stands still while anybody has something to do: when this returns, all wait.
        let mut idle = 0;
        while idle < 200 && decisions.len() < CALLS_MAX {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            let could = self.world.held();
            if could.is_empty() {
                // Done, or resting before it tries again.
                idle += 1;
                continue;
            }
            idle = 0;
            let last = decisions.last().map(|decision| decision.chosen);
            let running = last.filter(|last| could.contains(last));
            let chosen = plan.get(decisions.len()).copied().or(running).unwrap_or(could[0]);
            self.world.let_go(chosen);
            decisions.push(Decision { could, chosen, running });
        }
        decisions
    }

    async fn at_the_end(&self) -> Result<(), Violation> {
        let rows = check::come_to_rest(&self.world, &self.world.rows()).await?;
        (self.holds)(&rows).map_err(Violation)
    }
}

async fn perform(world: &World, number: usize, act: &Act) -> Result<(), Violation> {
    let who = format!("{CALLER}{number}");
    if !matches!(act, Act::Http { .. }) {
        // Queues and schedules give it once; what is left of it, the sweeper finds.
        act.attempt(world, &who).await.unwrap_or_default();
        return Ok(());
    }
    let mut last = String::new();
    for _ in 0..REPEATS {
        match act.attempt(world, &who).await {
            Ok(()) => return Ok(()),
            Err(answer) => last = answer,
        }
    }
    violation(format!("{who} is never acknowledged: {last}"))
}
