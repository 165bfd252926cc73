//! The command line of the local stage: starts it and says where it is.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use serde_json::json;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::{Options, Stage, demo};

/// Runs the whole referral engine on this machine: no AWS account, no containers, loopback only.
#[derive(Debug, Parser)]
#[command(name = "local")]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Directory that keeps the table, the secrets and the clock between runs; without it, all is in memory.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// File that gets the base URL and the root key, as JSON, once all is up.
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays the whole story once on a stage of its own, prints it and ends.
    Demo,
}

/// Does what the command line says; a stage that is served ends with Ctrl-C.
pub async fn run(arguments: Arguments) -> Result<()> {
    log();
    match arguments.command {
        Some(Command::Demo) => {
            let stage = Stage::start(Options { ticking: false, ..Options::default() }).await?;
            demo::run(&stage).await
        }
        None => serve(arguments).await,
    }
}

/// What goes wrong goes to the standard error output. The embedded engine would warn of every condition that does not
/// hold, which is how the product finds out what has been done already.
fn log() {
    let levels = Targets::new().with_default(Level::WARN).with_target("dynoxide", LevelFilter::OFF);
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(io::stderr))
        .with(levels)
        .init();
}

async fn serve(arguments: Arguments) -> Result<()> {
    let (port, state) = (arguments.port, arguments.state.clone());
    let options = Options { port, state, ..Options::default() };
    let stage = Stage::start(options).await?;
    greet(&stage, &arguments).context("cannot write to the standard output")?;
    if let Some(path) = &arguments.ready_file {
        let ready = json!({ "base_url": stage.base_url(), "root_key": stage.root_key() });
        crate::write_whole(path, ready.to_string().as_bytes())?;
    }
    tokio::signal::ctrl_c().await?;
    Ok(())
}

fn greet(stage: &Stage, arguments: &Arguments) -> io::Result<()> {
    let (url, key) = (stage.base_url(), stage.root_key());
    let mut out = io::stdout().lock();
    writeln!(out, "The referral engine runs on {url}")?;
    writeln!(out, "Root key: {key}")?;
    match &arguments.state {
        Some(directory) => {
            writeln!(out, "Kept in {}; what is in the queues is not kept.", directory.display())?
        }
        None => writeln!(out, "In memory: all is gone when this ends. --state DIR keeps it.")?,
    }
    writeln!(out, "\nTo try:")?;
    writeln!(out, "  curl -s {url}/openapi.json")?;
    writeln!(out, "  curl -s {url}/v1/organizations -H 'Authorization: Bearer {key}' \\")?;
    writeln!(out, "    -H 'Content-Type: application/json' -d '{{\"name\":\"Acme\"}}'")?;
    writeln!(out, "  curl -s {url}/_local/queues")?;
    writeln!(out, "  curl -s {url}/_local/clock/advance -d '{{\"seconds\":86400}}'")?;
    writeln!(out, "\nCtrl-C ends it.")?;
    out.flush()
}
