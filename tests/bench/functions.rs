//! The built functions: how big they are, how quickly they start, and what an invocation takes.

mod artifacts;
mod events;
mod proxy;
mod runtime_api;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde_json::Value;
use tests::table;

use crate::progress;
use crate::rig::Rig;
use artifacts::{Artifacts, EMPTY};
use events::{Calls, Ground};
use runtime_api::Process;

/// Starts of each function; one more comes before, so that none reads its file from the disk.
const STARTS: usize = 10;
/// Invocations that processor time is averaged over, and those before them.
const INVOCATIONS: usize = 100;
/// See [`INVOCATIONS`].
const WARMING: usize = 20;

/// The largest package, in bytes.
const ZIPPED_MAX: f64 = 3.2e6;
/// The longest first answer, as a multiple of the empty function's.
const START_MAX: f64 = 1.5;
/// The most processor time of a warm invocation, in milliseconds.
const PROCESSOR_MS_MAX: f64 = 2.0;

/// A function and what was measured of it.
#[derive(Debug)]
struct Subject {
    name: String,
    binary: PathBuf,
    environment: BTreeMap<String, String>,
    calls: Calls,
    bytes: f64,
    zipped: f64,
    ready_ms: Vec<f64>,
    answered_ms: Vec<f64>,
    processor_ms: Option<f64>,
    memory_bytes: Option<f64>,
}

/// Prints the table of functions; answers how many budgets are exceeded.
pub(crate) async fn run(folder: Option<&Path>) -> Result<usize> {
    let artifacts = Artifacts::build(folder)?;
    let rig = Rig::start().await?;
    let endpoint = proxy::start(&rig).await?;
    let mut subjects = subjects(&rig, &artifacts, &endpoint).await?;
    progress(&format!("starting each function {STARTS} times ..."));
    // By turns: whatever else the machine does meets all of them alike.
    for round in 0..=STARTS {
        for subject in &mut subjects {
            subject.start(round > 0).await?;
        }
    }
    progress(&format!("{INVOCATIONS} invocations of each function ..."));
    for subject in &mut subjects {
        subject.work().await.with_context(|| subject.name.clone())?;
    }
    Ok(print(&subjects))
}

async fn subjects(rig: &Rig, artifacts: &Artifacts, endpoint: &str) -> Result<Vec<Subject>> {
    let ground = Ground::prepare(rig).await;
    let nothing = Calls { first: Value::Null, work: vec![Value::Null; WARMING + INVOCATIONS] };
    let mut subjects = vec![Subject::new(EMPTY, artifacts, environment(rig, EMPTY, endpoint), nothing)?];
    for function in &rig.world.stage.template().functions {
        let name = function.binary.as_str();
        let calls = ground.calls(rig, function, WARMING + INVOCATIONS).await?;
        subjects.push(Subject::new(name, artifacts, environment(rig, name, endpoint), calls)?);
    }
    Ok(subjects)
}

/// The environment that Lambda and the template give a function, with the stage's engines in the place of AWS.
fn environment(rig: &Rig, name: &str, endpoint: &str) -> BTreeMap<String, String> {
    let lambda = [
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "measure"),
        ("AWS_SECRET_ACCESS_KEY", "measure"),
        ("AWS_ENDPOINT_URL", endpoint),
    ];
    let mut environment: BTreeMap<_, _> =
        lambda.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    environment.extend(rig.environments.get(name).cloned().unwrap_or_default());
    environment
}

impl Subject {
    fn new(
        name: &str,
        artifacts: &Artifacts,
        environment: BTreeMap<String, String>,
        calls: Calls,
    ) -> Result<Self> {
        let binary = artifacts.binary(name)?;
        let content = std::fs::read(&binary)?;
        let mut zipped = DeflateEncoder::new(Vec::new(), Compression::best());
        zipped.write_all(&content)?;
        Ok(Self {
            name: name.to_owned(),
            environment,
            calls,
            bytes: table::float(content.len()),
            zipped: table::float(zipped.finish()?.len()),
            binary,
            ready_ms: Vec::new(),
            answered_ms: Vec::new(),
            processor_ms: None,
            memory_bytes: None,
        })
    }

    /// One cold start.
    async fn start(&mut self, counts: bool) -> Result<()> {
        let started = Process::start(&self.binary, &self.environment, &self.calls.first).await;
        let (_, start) = started.with_context(|| self.name.clone())?;
        if counts {
            self.ready_ms.push(milliseconds(start.ready));
            self.answered_ms.push(milliseconds(start.answered));
        }
        Ok(())
    }

    /// The main work, again and again in one process.
    async fn work(&mut self) -> Result<()> {
        let (mut process, _) = Process::start(&self.binary, &self.environment, &self.calls.first).await?;
        let (warming, measured) = self.calls.work.split_at(WARMING);
        for event in warming {
            check(&process.invoke(event).await?)?;
        }
        let before = process.processor_time();
        for event in measured {
            check(&process.invoke(event).await?)?;
        }
        let used = process.processor_time().zip(before).map(|(after, before)| after.saturating_sub(before));
        self.processor_ms = used.map(|used| milliseconds(used) / table::float(measured.len()));
        self.memory_bytes = process.memory_bytes();
        Ok(())
    }
}

/// Work that was refused would make the figures of something else.
fn check(answer: &Value) -> Result<()> {
    let status = answer["statusCode"].as_u64().unwrap_or(200);
    let failures = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
    ensure!(status < 300 && failures == 0, "it answered {answer}");
    Ok(())
}

fn print(subjects: &[Subject]) -> usize {
    let mut table = table::of_figures(&[
        "function",
        "binary\nMB",
        "zipped\nMB",
        "",
        "ready\nms",
        "answer\nms",
        "x empty",
        "",
        "warm CPU\nms",
        "",
        "memory\nMB",
    ]);
    let empty = subjects.first().map_or(0.0, |subject| table::median(&subject.answered_ms));
    let mut exceeded = 0;
    for subject in subjects {
        let answered = table::median(&subject.answered_ms);
        let ratio = answered / empty;
        let processor = subject.processor_ms;
        let memory = subject.memory_bytes.map(|bytes| format!("{:.1}", mega(bytes)));
        let mut verdict = |over: bool| {
            exceeded += usize::from(over);
            (if over { "OVER" } else { "ok" }).to_owned()
        };
        table.add_row(vec![
            subject.name.clone(),
            format!("{:.2}", mega(subject.bytes)),
            format!("{:.2}", mega(subject.zipped)),
            verdict(subject.zipped > ZIPPED_MAX),
            format!("{:.1}", table::median(&subject.ready_ms)),
            format!("{answered:.1}"),
            format!("{ratio:.2}"),
            verdict(ratio > START_MAX),
            processor.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.2}")),
            verdict(processor.is_some_and(|ms| ms > PROCESSOR_MS_MAX)),
            memory.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    println!("\nThe functions as built\n{table}");
    println!(
        "Limits: {:.1} MB zipped, {START_MAX} times the empty function's first answer, {PROCESSOR_MS_MAX} ms of processor \
         time.\nMB are 1,000,000 bytes. Starts: median of {STARTS}, spawn to first question and to first answer. Warm: mean of \
         {INVOCATIONS} of its main work.",
        mega(ZIPPED_MAX)
    );
    exceeded
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn mega(bytes: f64) -> f64 {
    bytes / 1e6
}
