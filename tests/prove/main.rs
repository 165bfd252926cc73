//! What the engine promises, tried at length: each subcommand prints what it counted and ends with 1 if a count is not what
//! it must be. `docs/reliability.md` says what the figures mean.

mod counts;
mod kill;
mod load;
mod schedules;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use counts::Counts;

/// Tries what the engine promises, at length, on this machine alone.
#[derive(Debug, Parser)]
#[command(name = "prove")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Kills the local stage (kill -9) at random moments under load: nothing is lost, nothing doubled.
    Kill(kill::Arguments),
    /// Loads of a shape that hurts: a long backlog, one hot referrer, one hot tenant, a storm of one event.
    Load(load::Arguments),
    /// Every order of events under every fault, or every two: all end in the same money.
    Schedules(schedules::Arguments),
    /// One schedule again, with all that was called.
    Replay(schedules::ReplayArguments),
    /// The stage that `kill` kills: what `cargo local` runs, for as long as its standard input is open.
    #[command(hide = true)]
    Stage(local::command::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(counts) if counts.iter().all(Counts::hold) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("prove: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> Result<Vec<Counts>> {
    match command {
        Command::Kill(arguments) => Ok(vec![kill::run(arguments).await?]),
        Command::Load(arguments) => load::run(arguments).await,
        Command::Schedules(arguments) => schedules::run(arguments).await,
        Command::Replay(arguments) => schedules::replay(arguments).await,
        Command::Stage(arguments) => {
            kill::end_with_input();
            local::command::run(arguments).await?;
            Ok(Vec::new())
        }
    }
}

/// A line for those who wait.
fn progress(line: &str) {
    eprintln!("prove: {line}");
}
