//! The local stage: the whole product in one process on loopback, without an AWS account, without containers.
//!
//! It holds an embedded `DynamoDB` and an embedded SQS, every function's router on one port, a poller per queue consumer
//! that behaves as Lambda's does, and the schedules; what there is, it reads from `template.yaml`. Functions reach the
//! engines over the real wire protocols with the real SDKs. Its clock can be advanced. It is for development and tests:
//! production is Lambda, `DynamoDB` and SQS.
//!
//! Where it differs from the cloud: no IAM, no throttling and no transaction conflicts (unless planned), no function timeouts, strongly
//! consistent indexes, events that may be sent to loopback, no TTL deletion, and queues that are lost with the process.

pub mod command;
pub mod demo;
pub mod direct;
pub mod template;

mod control;
mod core;
mod delays;
mod engine;
mod faults;
mod gateway;
mod handler;
mod platform;
mod poller;
mod product;
mod queue;
mod scheduler;
mod stage;
mod state;
mod wiring;

pub use engine::dynamodb::create_tables;
pub use faults::{Effect, Fault, Faults, Log, conflict};
pub use handler::{EventHandler, Handler, Lookup, Registry};
pub use product::functions;
pub use stage::{Options, Stage};
pub use state::write_whole;
pub use wiring::Wiring;

#[cfg(test)]
mod tests;
