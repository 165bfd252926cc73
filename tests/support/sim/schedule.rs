//! Every order of a story, under every fault, and under every two.
//!
//! A schedule is an order of the events, and for some calls what becomes of them. There are more of them than can be run
//! one by one; but what happens next depends on where the world is, and not on how it came there: the functions' processes
//! begin anew with each event, and all else is in the table, the queues and the clock. So the schedules are walked
//! together, event by event; those that have led to the same moment go on as one, which stands for all of them.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

use anyhow::{Context as _, Result};

use super::check::{Outcome, Violation};
use super::plan::{Call, Effect, Fault};
use super::story::{Event, Manner, RESTORED, Story, TAKEN};
use super::teller::{Stage, Teller, Told};
use super::world::{Moment, World};

/// One way through a story. Its text is all that is needed to run it again.
#[derive(Debug, Clone)]
pub struct Schedule {
    story: Story,
    manner: Manner,
    /// Each event, or the end, with what goes wrong meanwhile.
    steps: Vec<(Option<Event>, Vec<Fault>)>,
}

const END: &str = "end";

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.story.name, self.manner)?;
        for (event, faults) in &self.steps {
            write!(formatter, "/{}", event.map_or(END, Event::name))?;
            faults.iter().try_for_each(|fault| write!(formatter, ",{fault}"))?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Schedule {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split('/');
        let name = parts.next().unwrap_or_default();
        let story =
            [TAKEN, RESTORED].into_iter().find(|story| story.name == name).context("no such story")?;
        let name = parts.next().context("it ends after the story's name")?;
        let manner = Manner::all().into_iter().find(|manner| manner.to_string() == name);
        let step = |part: &str| -> Result<(Option<Event>, Vec<Fault>)> {
            let mut parts = part.split(',');
            let name = parts.next().unwrap_or_default();
            let event = Event::ALL.into_iter().find(|event| event.name() == name);
            anyhow::ensure!(event.is_some() || name == END, "no event is {name}");
            Ok((event, parts.map(str::parse).collect::<Result<_>>()?))
        };
        let steps = parts.map(step).collect::<Result<_>>()?;
        Ok(Self { story, manner: manner.context("no such manner")?, steps })
    }
}

/// What came of walking many schedules.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// How many schedules that were.
    pub schedules: u64,
    /// How many steps were run for them.
    pub steps: u64,
    /// How many moments there were between the steps.
    pub moments: u64,
    /// How many calls left a function.
    pub calls: u64,
    /// What did not hold, each with how to see it again.
    pub violations: Vec<(Schedule, String)>,
}

impl Report {
    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.schedules += other.schedules;
        self.steps += other.steps;
        self.moments += other.moments;
        self.calls += other.calls;
        self.violations.extend(other.violations);
        self
    }
}

/// A moment between two steps, and how many schedules have led to it.
#[derive(Debug)]
struct Node {
    moment: Moment,
    unheard: Vec<Told>,
    left: Vec<Event>,
    faults: usize,
    schedules: u64,
    /// One way that leads here.
    way: Schedule,
}

impl Node {
    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.moment.hash().hash(&mut hasher);
        self.left.hash(&mut hasher);
        self.unheard.iter().for_each(|told| told.label.hash(&mut hasher));
        self.faults.hash(&mut hasher);
        hasher.finish()
    }
}

/// Walks schedules in a world of its own.
#[derive(Debug)]
pub struct Walker {
    world: Rc<World>,
    stage: Stage,
    /// What may become of calls.
    effects: &'static [Effect],
}

impl Walker {
    /// On a single-threaded runtime whose time is paused.
    pub async fn new() -> Self {
        let world = World::new().await;
        let stage = Stage::set(&world).await;
        Self { world, stage, effects: &Effect::ALL }
    }

    /// Walks with these faults alone.
    #[must_use]
    pub fn with(self, effects: &'static [Effect]) -> Self {
        Self { effects, ..self }
    }

    /// Walks every order of a story with up to `faults` faults in each. `progress` hears of every round.
    pub async fn walk(&self, story: Story, manner: Manner, faults: usize, progress: &dyn Fn(&str)) -> Report {
        let mut report = Report::default();
        let way = Schedule { story, manner, steps: Vec::new() };
        let beginning = Node {
            moment: self.stage.beginning.clone(),
            unheard: Vec::new(),
            left: story.events.to_vec(),
            faults: 0,
            schedules: 1,
            way,
        };
        let mut round = HashMap::from([(beginning.key(), beginning)]);
        for number in 0..=story.events.len() {
            report.moments += u64::try_from(round.len()).unwrap();
            progress(&format!("{}, {manner}: round {number}, {} moments", story.name, round.len()));
            let mut next = HashMap::new();
            for node in round.into_values() {
                let choices: Vec<_> = node.left.iter().copied().map(Some).collect();
                for event in if choices.is_empty() { vec![None] } else { choices } {
                    self.step(&node, event, faults, &mut next, &mut report).await;
                }
            }
            round = next;
        }
        report
    }

    /// Runs one step without a fault, and with each that is allowed.
    async fn step(
        &self,
        node: &Node,
        event: Option<Event>,
        most: usize,
        next: &mut HashMap<u64, Node>,
        report: &mut Report,
    ) {
        let mut plans = vec![Vec::new()];
        while let Some(plan) = plans.pop() {
            let (came, calls) = self.run(node, event, &plan, false).await;
            report.steps += 1;
            report.calls += u64::try_from(calls.len()).unwrap();
            if node.faults + plan.len() < most {
                let from = plan.last().map_or(0, |fault: &Fault| fault.call + 1);
                let faults = faults(&calls, from).filter(|fault| self.effects.contains(&fault.effect));
                plans.extend(faults.map(|fault| [plan.as_slice(), &[fault]].concat()));
            }
            match came {
                Ok(child) if event.is_none() => report.schedules += child.schedules,
                Ok(child) => {
                    let entry = next.entry(child.key());
                    entry.and_modify(|known| known.schedules += child.schedules).or_insert(child);
                }
                Err((way, Violation(words))) => report.violations.push((way, words)),
            }
        }
    }

    async fn run(
        &self,
        node: &Node,
        event: Option<Event>,
        plan: &[Fault],
        traced: bool,
    ) -> (Result<Node, (Schedule, Violation)>, Vec<Call>) {
        self.world.resume(&node.moment, plan, traced);
        self.world.note(|| event.map_or(END, Event::name).to_owned());
        let mut way = node.way.clone();
        way.steps.push((event, plan.to_vec()));
        let mut teller = Teller::new(&self.world, &self.stage, way.manner, node.unheard.clone());
        let held = match event {
            Some(event) => teller.tell(event).await,
            None => teller.end().await.and_then(|outcome| as_told(way.story, &outcome)),
        };
        let unheard = std::mem::take(&mut teller.unheard);
        let calls = self.world.calls();
        let came = match held {
            Err(violation) => Err((way, violation)),
            Ok(()) => Ok(Node {
                moment: self.world.moment(),
                unheard,
                left: node.left.iter().copied().filter(|left| Some(*left) != event).collect(),
                faults: node.faults + plan.len(),
                schedules: node.schedules,
                way,
            }),
        };
        (came, calls)
    }

    /// Runs one schedule, and tells every call of it.
    pub async fn replay(&self, schedule: &Schedule) -> (Result<(), Violation>, Vec<String>) {
        let way = Schedule { steps: Vec::new(), ..schedule.clone() };
        let mut node = Node {
            moment: self.stage.beginning.clone(),
            unheard: Vec::new(),
            left: schedule.story.events.to_vec(),
            faults: 0,
            schedules: 1,
            way,
        };
        for (event, plan) in &schedule.steps {
            match self.run(&node, *event, plan, true).await.0 {
                Ok(child) => node = child,
                Err((_, violation)) => return (Err(violation), self.world.trace()),
            }
        }
        (Ok(()), self.world.trace())
    }
}

/// Every fault of every call from number `from` on.
fn faults(calls: &[Call], from: usize) -> impl Iterator<Item = Fault> {
    let calls = calls.iter().enumerate().skip(from);
    calls.flat_map(|(call, made)| made.effects().into_iter().map(move |effect| Fault { call, effect }))
}

/// Delivered in full, and in the books exactly once.
fn as_told(story: Story, outcome: &Outcome) -> Result<(), Violation> {
    let amount = story.ends_in;
    let right = outcome.ledger == amount
        && outcome.balance == (amount, 0)
        && outcome.rewards == [("fulfilled".to_owned(), amount)];
    if right { Ok(()) } else { Err(Violation(format!("it ends as {outcome:?} instead of {amount}"))) }
}
