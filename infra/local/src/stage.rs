//! Starting and ending a stage.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use anyhow::{Context, Result};
use aws::Clock;
use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::core::Core;
use crate::delays::Delays;
use crate::engine;
use crate::engine::sqs::QueueAddress;
use crate::faults::Faults;
use crate::gateway::{Found, find_route};
use crate::handler::{Handler, Registry};
use crate::platform::{self, Endpoints};
use crate::queue::Queues;
use crate::scheduler::Scheduler;
use crate::state::State;
use crate::template::Template;
use crate::{gateway, poller};

/// Logical id of the secret that opens `POST /v1/organizations`.
const ROOT_KEY: &str = "RootKey";
/// How long the end of a stage waits for calls that are in the middle of something.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// How a stage is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Where the table, the secrets and the clock are kept; without it, all is gone with the stage.
    pub state: Option<PathBuf>,
    /// Whether schedules also run by themselves. A test that counts requests turns it off and advances the clock.
    pub ticking: bool,
    /// The template's parameters that are not to have their defaults.
    pub parameters: Vec<(String, String)>,
    /// Where whoever stands for SES and SNS listens. Nobody does unless told: what is sent through them is tried again.
    pub senders: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, state: None, ticking: true, parameters: Vec::new(), senders: None }
    }
}

/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

/// The whole product on loopback: every function, its table, its queues, its schedules. It ends when it is dropped.
pub struct Stage {
    base_url: String,
    root_key: String,
    core: Arc<Core>,
    endpoints: Endpoints,
    /// Everything the stage runs is in here, so that nothing outlives it.
    _runtime: OwnRuntime,
}

/// Without the root key: debug output ends up in logs.
impl fmt::Debug for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stage").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Stage {
    /// Starts the product as the workspace's template describes it.
    pub async fn start(options: Options) -> Result<Self> {
        Self::start_with(options, Template::embedded()?, crate::product::functions()).await
    }

    /// Starts any template with any functions.
    pub async fn start_with(options: Options, template: Template, registry: Registry) -> Result<Self> {
        let runtime = OwnRuntime::new()?;
        let started = runtime.get()?.spawn(start(options, template, registry)).await??;
        Ok(Self {
            base_url: format!("http://{}", started.address),
            root_key: started.root_key,
            core: started.core,
            endpoints: started.endpoints,
            _runtime: runtime,
        })
    }

    /// The address of the HTTP API, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The bearer token of `POST /v1/organizations`; empty if the template has no such secret.
    pub fn root_key(&self) -> &str {
        &self.root_key
    }

    /// The template that the stage was built from.
    pub fn template(&self) -> &Template {
        &self.core.template
    }

    /// A `DynamoDB` client of the caller's own, which the meter does not count.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        platform::dynamodb(&self.endpoints)
    }

    /// Where the embedded `DynamoDB` listens, for a process outside.
    pub fn dynamodb_endpoint(&self) -> &str {
        &self.endpoints.dynamodb
    }

    /// An SQS client of the caller's own.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        platform::sqs(&self.endpoints)
    }

    /// What can go wrong between the functions and the engines, if it is planned.
    pub fn faults(&self) -> &Faults {
        &self.core.faults
    }

    /// The router of the function that answers a call; `None` where no route is for it.
    pub fn router(&self, method: &str, path: &str) -> Option<Router> {
        let Found::Route(route) = find_route(self.core.template.routes(), method, path) else { return None };
        match self.core.handlers.get(&route.function)? {
            Handler::Http(router) => Some(router.clone()),
            Handler::Event(_) => None,
        }
    }

    /// The URL of the queue with this logical id.
    pub fn queue_url(&self, id: &str) -> Result<&str> {
        Ok(&self.core.queues.address(id)?.url)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Ends the invocations, whose threads the runtime would else wait for.
        self.core.faults.halt();
    }
}

struct Started {
    address: SocketAddr,
    root_key: String,
    core: Arc<Core>,
    endpoints: Endpoints,
}

async fn start(options: Options, template: Template, registry: Registry) -> Result<Started> {
    let state = State::open(options.state)?;
    let secrets = state.secrets(&template.secrets)?;
    let clock_offset_ms = Arc::new(AtomicI64::new(state.clock_offset_ms()?));
    let clock = Clock::shifted(clock_offset_ms.clone());
    let delays = Delays::new(clock.clone());
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await;
    let listener = listener.with_context(|| format!("cannot listen on port {}", options.port))?;
    let address = listener.local_addr()?;
    let (mut endpoints, addresses) = start_engines(&state, &template, &secrets, &delays).await?;
    endpoints.senders = options.senders.unwrap_or(endpoints.senders);
    let faults = Faults::default();
    let platform = platform::build(&endpoints, clock.clone(), faults.clone());
    let mut names = engine::names(&template, &addresses, &engine::endpoint(address));
    for (name, value) in &options.parameters {
        names.set_reference(name, value);
    }
    let core = Arc::new(Core {
        handlers: registry.build(&template, &platform, &names)?,
        queues: Queues::new(platform::sqs(&endpoints), addresses, delays),
        scheduler: Scheduler::new(&template, clock.now())?,
        template,
        clock,
        clock_offset_ms,
        meter: platform.meter.clone(),
        faults,
        state,
    });

    engine::serve(listener, gateway::router(core.clone()));
    poller::spawn(&core);
    if options.ticking {
        let (ticking, releasing) = (core.clone(), core.clone());
        tokio::spawn(async move { ticking.scheduler.tick(&ticking).await });
        tokio::spawn(async move { releasing.queues.release_in_time().await });
    }
    Ok(Started { address, root_key: secrets.get(ROOT_KEY).cloned().unwrap_or_default(), core, endpoints })
}

async fn start_engines(
    state: &State,
    template: &Template,
    secrets: &BTreeMap<String, String>,
    delays: &Delays,
) -> Result<(Endpoints, BTreeMap<String, QueueAddress>)> {
    let by_arn = secrets.iter().map(|(id, value)| (engine::secret_arn(id), value.clone())).collect();
    let endpoints = Endpoints {
        dynamodb: engine::endpoint(engine::dynamodb::start(state.database().as_deref()).await?),
        sqs: engine::endpoint(engine::sqs::start(delays.clone()).await?),
        secrets: engine::endpoint(engine::secrets::start(by_arn).await?),
        senders: NOBODY.to_owned(),
    };
    engine::dynamodb::create_tables(&platform::dynamodb(&endpoints), &template.tables).await?;
    let addresses = engine::sqs::create_queues(&platform::sqs(&endpoints), &template.queues).await?;
    Ok((endpoints, addresses))
}

/// A runtime that takes everything in it along when it is dropped, also from within another runtime.
#[derive(Debug)]
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn new() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("stage")
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    fn get(&self) -> Result<&Runtime> {
        self.0.as_ref().context("the stage has ended")
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A runtime must not be waited for within another one; a thread of its own may. Waiting matters: when this
            // returns, the ports are free and the database file is closed.
            let end = std::thread::spawn(move || runtime.shutdown_timeout(END_TIMEOUT));
            end.join().unwrap_or_default();
        }
    }
}
