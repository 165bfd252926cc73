//! One course of events under every fault: every call of every step is, in turn, befallen by all that can befall it.
//!
//! As in the walk through every order ([`super::Walker`]), the functions' processes begin anew with each step, so that courses
//! that have led to the same moment go on as one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use super::act::Act;
use super::check::{self, Outcome, Violation, violation};
use super::plan::Fault;
use super::table::Rows;
use super::tenant::Tenant;
use super::world::Moment;

/// How often a caller repeats what was not acknowledged.
const REPEATS: usize = 5;

/// What is done, by what is in the table by then.
pub type Step<'a> = Box<dyn Fn(&Rows) -> Act + 'a>;

/// Steps that are done one after the other, each until it is acknowledged.
pub struct Course<'a> {
    /// Whose.
    pub tenant: &'a Tenant,
    /// From when.
    pub from: Moment,
    /// The steps.
    pub steps: Vec<Step<'a>>,
    /// What else is to be looked at when nothing is left to do: it must be as it is without a fault.
    pub tells: &'a dyn Fn(&Rows) -> Result<Vec<String>, String>,
}

impl fmt::Debug for Course<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Course").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

/// What a course comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// What everybody has, by the caller's own id; of rewards only those that stand.
    pub outcomes: BTreeMap<String, Outcome>,
    /// What else it was to tell.
    pub tells: Vec<String>,
}

/// What came of a course under every fault.
#[derive(Debug)]
pub struct Survival {
    /// What it comes to without a fault.
    pub end: End,
    /// Its calls then.
    pub calls: usize,
    /// How many faults were tried.
    pub faults: usize,
    /// How many steps were run for them.
    pub steps: usize,
    /// What did not hold, each with the trace of its run.
    pub violations: Vec<(String, Vec<String>)>,
}

impl Survival {
    /// Says how much was tried; panics with the first trace of what did not hold.
    #[track_caller]
    pub fn assert_held(&self, course: &str) {
        let Self { calls, faults, steps, violations, .. } = self;
        println!(
            "{course}: {calls} calls, {faults} faults by {steps} steps, {} violations",
            violations.len()
        );
        if let Some((words, trace)) = violations.first() {
            panic!("{course}: {} of {faults}: {words}\n{}", violations.len(), trace.join("\n"));
        }
        assert!(faults > &100, "{course}: {faults} faults");
    }
}

/// What is known while a course is run over and over.
#[derive(Default)]
struct Known {
    end: Option<End>,
    /// Steps and the moments after them from which everything came to the end.
    moments: HashSet<(usize, u64)>,
    steps: usize,
}

impl Course<'_> {
    /// Runs it without a fault, and with each.
    pub async fn run(&self) -> Survival {
        let mut known = Known::default();
        let mut faults = Vec::new();
        let (mut calls, mut violations) = (0, Vec::new());
        let mut moment = self.from.clone();
        for number in 0..=self.steps.len() {
            let after = self.step(number, &moment, &[], false, &mut known).await;
            let made = self.tenant.world.calls();
            calls += made.len();
            for (call, made) in made.iter().enumerate() {
                let each = made.effects().into_iter().map(|effect| Fault { call, effect });
                faults.extend(each.map(|fault| (number, moment.clone(), fault)));
            }
            match after {
                Ok(after) => {
                    known.moments.insert((number, after.hash()));
                    moment = after;
                }
                Err(Violation(words)) => panic!("without a fault, at step {number}: {words}"),
            }
        }
        for (number, moment, fault) in &faults {
            if let Err(Violation(words)) = self.go_on(*number, moment, *fault, false, &mut known).await {
                let anew = &mut Known { end: known.end.clone(), ..Known::default() };
                self.go_on(*number, moment, *fault, true, anew).await.unwrap_err();
                let words = format!("{fault} of step {number}: {words}");
                violations.push((words, self.tenant.world.trace()));
            }
        }
        let (end, steps) = (known.end.unwrap(), known.steps);
        Survival { end, calls, faults: faults.len(), steps, violations }
    }

    /// From a step that a fault befalls to the end, or to a moment that is known to lead there.
    async fn go_on(
        &self,
        from: usize,
        moment: &Moment,
        fault: Fault,
        traced: bool,
        known: &mut Known,
    ) -> Result<(), Violation> {
        let mut moment = moment.clone();
        let mut way = Vec::new();
        let mut plan = vec![fault];
        for number in from..=self.steps.len() {
            moment = self.step(number, &moment, &plan, traced, known).await?;
            plan.clear();
            let here = (number, moment.hash());
            if known.moments.contains(&here) {
                break;
            }
            way.push(here);
        }
        known.moments.extend(way);
        Ok(())
    }

    /// One step, or the end after the last; the moment after it.
    async fn step(
        &self,
        number: usize,
        from: &Moment,
        plan: &[Fault],
        traced: bool,
        known: &mut Known,
    ) -> Result<Moment, Violation> {
        let world = &self.tenant.world;
        world.resume(from, plan, traced);
        known.steps += 1;
        if let Some(step) = self.steps.get(number) {
            self.perform(&step(&world.rows())).await?;
            return Ok(world.moment());
        }
        let rows = check::come_to_rest(world, &world.rows()).await?;
        let after = world.moment();
        let end = self.end(&rows).await?;
        match &known.end {
            None => known.end = Some(end),
            Some(known) if *known == end => {}
            Some(known) => return violation(format!("it ends as {end:?} instead of {known:?}")),
        }
        Ok(after)
    }

    async fn perform(&self, act: &Act) -> Result<(), Violation> {
        let world = &self.tenant.world;
        let mut rows = world.rows();
        let mut last = String::new();
        for attempt in 0..REPEATS {
            if attempt > 1 {
                // Whatever is in the way ends by itself: a lease that a worker has left behind.
                check::sweep(world).await;
                world.deliver().await;
            }
            let heard = act.attempt(world, "the caller").await;
            rows = check::step(world, &rows)?;
            match heard {
                Ok(()) => return Ok(()),
                Err(answer) => last = answer,
            }
        }
        violation(format!("it is never acknowledged: {last}"))
    }

    /// What everybody has at the end, by the table and by the API alike.
    async fn end(&self, rows: &Rows) -> Result<End, Violation> {
        let enrolled = rows.values().filter(|row| row.has("external_id") && row.has("participant"));
        let enrolled: BTreeSet<_> =
            enrolled.map(|row| (row.text("external_id"), row.text("participant"))).collect();
        let mut outcomes = BTreeMap::new();
        for (external_id, participant) in enrolled {
            let mut outcome = check::outcome(rows, participant);
            outcome.rewards.retain(|(_, amount)| *amount != 0);
            outcome.balance = check::balance(&self.tenant.world, &self.tenant.key, participant).await?;
            let (delivered, pending) = outcome.balance;
            if delivered + pending != outcome.ledger {
                return violation(format!("the balance of {external_id} is not its ledger: {outcome:?}"));
            }
            outcomes.insert(external_id.to_owned(), outcome);
        }
        Ok(End { outcomes, tells: (self.tells)(rows).map_err(Violation)? })
    }
}
