//! The stage as a process of its own.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tests::Tenant;
use tokio::process::{Child, Command};

/// How often it is looked whether a process is up.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How much of the log is shown of a failure.
const LAST_WORDS: usize = 20;

/// Ends this process when nobody holds its standard input any more, so that no stage outlives who started it.
pub(crate) fn end_with_input() {
    std::thread::spawn(|| {
        io::copy(&mut io::stdin(), &mut io::sink()).unwrap_or_default();
        std::process::exit(0);
    });
}

/// Starts one process after the other on the same state.
#[derive(Debug)]
pub(super) struct Stages {
    state: PathBuf,
    ready: PathBuf,
    log: PathBuf,
}

/// A stage that is up; killed without a word when it is dropped.
#[derive(Debug)]
pub(super) struct Process {
    _child: Killed,
    pub(super) base_url: String,
    pub(super) root_key: String,
}

/// SIGKILL when it is dropped: nothing in the process gets to tidy up. The next one may start at once: it is waited for.
#[derive(Debug)]
pub(super) struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.start_kill().expect("a child can be killed");
        while self.0.try_wait().expect("a child can be waited for").is_none() {
            std::thread::yield_now();
        }
    }
}

impl Process {
    /// Moves the stage's clock; answers what time it is then.
    pub(super) async fn advance(&self, seconds: u32) -> Result<DateTime<Utc>> {
        let tenant = Tenant::new(reqwest::Client::new(), self.base_url.clone(), String::new());
        let body = json!({"seconds": seconds}).to_string();
        let answer = tenant.try_send("POST", "/_local/clock/advance", body, &[]).await?;
        Ok(answer.ok()["now"].as_str().context("the stage has no time")?.parse()?)
    }
}

impl Stages {
    pub(super) fn new(directory: &Path) -> Self {
        let at = |name: &str| directory.join(name);
        Self { state: at("state"), ready: at("ready.json"), log: at("stage.log") }
    }

    pub(super) fn state(&self) -> &Path {
        &self.state
    }

    /// Starts a process and does not wait for it.
    pub(super) fn spawn(&self) -> Result<Killed> {
        if self.ready.exists() {
            fs::remove_file(&self.ready)?;
        }
        let log: File = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["stage", "--port", "0", "--state"]).arg(&self.state);
        command.arg("--ready-file").arg(&self.ready);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn();
        Ok(Killed(child.context("cannot start a stage")?))
    }

    /// Starts a process and waits until it says that it is up.
    pub(super) async fn start(&self) -> Result<Process> {
        let mut child = self.spawn()?;
        while !self.ready.exists() {
            ensure!(child.0.try_wait()?.is_none(), "the stage ended at its start\n{}", self.last_words());
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let ready: Value = serde_json::from_slice(&fs::read(&self.ready)?)?;
        let field =
            |name: &str| ready[name].as_str().map(str::to_owned).context("the ready file lacks a field");
        Ok(Process { base_url: field("base_url")?, root_key: field("root_key")?, _child: child })
    }

    /// The end of what the processes have logged.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        format!("the stage's last words:\n{}", lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n"))
    }
}
