//! The Lambda Runtime API, as far as a function needs it, and one function process behind it.
//!
//! The process asks for the next event and posts its answer, as it does in Lambda; both moments are noted.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as Route, State};
use axum::http::{HeaderName, StatusCode};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// How long an invocation may last here.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a function process told its runtime.
#[derive(Debug)]
enum Told {
    /// It asked for an event.
    Ready(Instant),
    /// It answered one.
    Answered(Instant, Bytes),
    /// It gave up.
    Failed(String),
}

#[derive(Debug)]
struct Server {
    events: Mutex<mpsc::Receiver<String>>,
    told: mpsc::UnboundedSender<Told>,
}

/// A function process with its runtime. Both end when it is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    events: mpsc::Sender<String>,
    told: mpsc::UnboundedReceiver<Told>,
    server: JoinHandle<()>,
    started: Instant,
}

/// How a process came up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// From the spawn to its first question for an event: what Lambda calls the initialisation.
    pub(super) ready: Duration,
    /// From the spawn to its first answer.
    pub(super) answered: Duration,
}

impl Process {
    /// Starts a function and waits for its answer to a first event.
    pub(super) async fn start(
        binary: &Path,
        environment: &BTreeMap<String, String>,
        event: &Value,
    ) -> Result<(Self, Start)> {
        let (events, next) = mpsc::channel(1);
        let (tell, told) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let app = router(Arc::new(Server { events: Mutex::new(next), told: tell }));
        // An answer in two segments would else wait for the client's delayed acknowledgement.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap_or_default() });

        events.send(event.to_string()).await?;
        let mut command = Command::new(binary);
        command.env_clear().envs(environment).env("AWS_LAMBDA_RUNTIME_API", address);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let started = now();
        let child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;

        let mut process = Self { child, events, told, server, started };
        let ready = match process.hear().await? {
            Told::Ready(at) => at,
            other => bail!("{} began with {other:?}", binary.display()),
        };
        let (answered, _) = process.answer().await?;
        let start = Start { ready: ready - process.started, answered: answered - process.started };
        Ok((process, start))
    }

    /// One more event; its answer.
    pub(super) async fn invoke(&mut self, event: &Value) -> Result<Value> {
        self.events.send(event.to_string()).await?;
        let (_, answer) = self.answer().await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    async fn answer(&mut self) -> Result<(Instant, Bytes)> {
        loop {
            match self.hear().await? {
                Told::Ready(_) => {}
                Told::Answered(at, answer) => return Ok((at, answer)),
                Told::Failed(error) => bail!("the function failed: {error}"),
            }
        }
    }

    async fn hear(&mut self) -> Result<Told> {
        tokio::select! {
            told = self.told.recv() => told.context("the runtime has ended"),
            status = self.child.wait() => bail!("the function ended: {}", status?),
            () = tokio::time::sleep(TIMEOUT) => bail!("the function did not answer within {TIMEOUT:?}"),
        }
    }

    /// The processor time that the process has used, where the system tells (Linux).
    pub(super) fn processor_time(&self) -> Option<Duration> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()?)).ok()?;
        let of_task = |task: std::fs::DirEntry| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        Some(Duration::from_nanos(tasks.flatten().filter_map(of_task).sum()))
    }

    /// The most memory that the process has held, where the system tells (Linux), in bytes.
    pub(super) fn memory_bytes(&self) -> Option<f64> {
        crate::memory::peak_bytes(&format!("/proc/{}/status", self.child.id()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
        .route("/2018-06-01/runtime/init/error", post(failed))
        .with_state(server)
}

async fn next(State(server): State<Arc<Server>>) -> Result<([(HeaderName, String); 3], String), StatusCode> {
    server.tell(Told::Ready(now()));
    let event = server.events.lock().await.recv().await.ok_or(StatusCode::GONE)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a deadline of the real clock, which the process reads itself"
    )]
    let deadline = SystemTime::now() + TIMEOUT;
    let deadline_ms = deadline.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:measured".to_owned(),
        ),
    ];
    Ok((headers.map(|(name, value)| (HeaderName::from_static(name), value)), event))
}

async fn answered(State(server): State<Arc<Server>>, Route(_): Route<String>, body: Bytes) -> StatusCode {
    server.tell(Told::Answered(now(), body));
    StatusCode::ACCEPTED
}

async fn failed(State(server): State<Arc<Server>>, body: String) -> StatusCode {
    server.tell(Told::Failed(body));
    StatusCode::ACCEPTED
}

impl Server {
    fn tell(&self, told: Told) {
        // Nobody listens any more once the process was dropped.
        self.told.send(told).unwrap_or_default();
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "durations are what is measured")]
    Instant::now()
}
