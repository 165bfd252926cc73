//! Every order of a story under every fault, or every two, in the simulator.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use tests::sim::{Manner, RESTORED, Report, Schedule, Story, TAKEN, Walker, simulate};

use crate::counts::Counts;
use crate::progress;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this story: `taken` or `restored`.
    #[arg(long, value_parser = story)]
    story: Option<Story>,
    /// Only this manner, `basil-eager-soon-still` for example; may be repeated. All 24 without it.
    #[arg(long, value_parser = manner)]
    manner: Vec<Manner>,
    /// The most faults of a schedule.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=3))]
    faults: u8,
    /// Walkers at a time.
    #[arg(long, default_value_t = 2)]
    walkers: usize,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArguments {
    /// A schedule as a violation names it.
    schedule: Schedule,
}

fn story(name: &str) -> Result<Story> {
    [TAKEN, RESTORED]
        .into_iter()
        .find(|story| story.name == name)
        .context("the stories are taken and restored")
}

fn manner(name: &str) -> Result<Manner> {
    let all = Manner::all();
    let known = all.iter().map(Manner::to_string).collect::<Vec<_>>().join(", ");
    all.into_iter()
        .find(|manner| manner.to_string() == name)
        .with_context(|| format!("the manners are {known}"))
}

pub(crate) async fn run(arguments: Arguments) -> Result<Vec<Counts>> {
    let counts = tokio::task::spawn_blocking(move || walk_all(&arguments)).await?;
    println!("{counts}");
    Ok(vec![counts])
}

fn walk_all(arguments: &Arguments) -> Counts {
    let stories = arguments.story.map_or_else(|| vec![TAKEN, RESTORED], |story| vec![story]);
    let manners = if arguments.manner.is_empty() { Manner::all() } else { arguments.manner.clone() };
    let walks = stories.iter().flat_map(|story| manners.iter().map(|manner| (*story, *manner)));
    let left: Mutex<VecDeque<(Story, Manner)>> = Mutex::new(walks.collect());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let faults = usize::from(arguments.faults);
    let report = std::thread::scope(|scope| {
        let walker = || {
            let mut report = Report::default();
            while let Some((story, manner)) = next() {
                report = report.and(simulate(async {
                    let walker = Walker::new().await;
                    walker.walk(story, manner, faults, &progress).await
                }));
            }
            report
        };
        let walkers: Vec<_> = (0..arguments.walkers).map(|_| scope.spawn(walker)).collect();
        let reports = walkers.into_iter().map(|walker| walker.join().unwrap_or_default());
        reports.fold(Report::default(), Report::and)
    });
    for (schedule, words) in report.violations.iter().take(10) {
        println!("{words}\n  cargo prove replay '{schedule}'");
    }
    let mut counts = Counts::of(&format!("Schedules with up to {faults} faults"));
    counts.add("schedules", report.schedules);
    counts.add("steps that were run for them", report.steps);
    counts.add("moments between steps", report.moments);
    counts.add("calls that left a function", report.calls);
    counts.must("violations", report.violations.len(), 0);
    counts
}

pub(crate) async fn replay(arguments: ReplayArguments) -> Result<Vec<Counts>> {
    let (held, trace) = tokio::task::spawn_blocking(move || {
        simulate(async { Walker::new().await.replay(&arguments.schedule).await })
    })
    .await?;
    println!("{}", trace.join("\n"));
    match held {
        Ok(()) => Ok(Vec::new()),
        Err(violation) => bail!("{}", violation.0),
    }
}
