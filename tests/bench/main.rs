//! What the engine costs, how big its functions are and how quickly they start, and what one machine takes.
//!
//! `cargo measure` prints all of it; `docs/benchmarks.md` says what the figures mean.

mod costs;
mod functions;
mod memory;
mod probe;
mod rig;
mod throughput;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

/// Measures the engine against its budgets. Ends with 1 if one is exceeded.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only this part; may be repeated.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Measure the functions that are built here (`<name>/bootstrap`) instead of building them.
    #[arg(long, value_name = "DIR")]
    artifacts: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What each operation asks of the table and the queues, and what that costs.
    Costs,
    /// Size, cold start and processor time of each built function.
    Functions,
    /// Requests per second of the main path on the local stage.
    Throughput,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(exceeded) => {
            println!("\n{exceeded} exceeded.");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("measure: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// How many budgets are exceeded.
async fn run(arguments: &Arguments) -> Result<usize> {
    let wants = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    let mut exceeded = 0;
    if wants(Part::Costs) {
        exceeded += costs::run().await?;
    }
    if wants(Part::Functions) {
        exceeded += functions::run(arguments.artifacts.as_deref()).await?;
    }
    if wants(Part::Throughput) {
        throughput::run().await?;
    }
    Ok(exceeded)
}

/// The workspace's folder.
fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A line for those who wait.
fn progress(line: &str) {
    eprintln!("measure: {line}");
}
