//! The simulator: the shell as it is, on one thread, in a world where time, chance, order and every fault are chosen.
//!
//! Functions run as the template wires them, with the real SDKs; below the SDKs' HTTP client there is no socket, but the
//! embedded table, a queue and the secrets, answered in the process. Each call that leaves a function is counted, and a
//! plan says what becomes of it ([`Effect`]). The clock stands still until it is moved, ids come from a seeded sequence, timers run in
//! the runtime's paused time: the same plan gives the same run.
//!
//! Whatever a function dials that is not AWS is a further [`Service`] here: a Stripe account, and a receiver of webhooks.

mod act;
mod check;
mod client;
mod course;
mod delivery;
mod outside;
mod plan;
mod queue;
mod race;
mod schedule;
mod story;
mod table;
mod teller;
mod tenant;
mod wire;
mod world;

pub use act::Act;
pub use check::{Outcome, Violation};
pub use course::{Course, End, Step, Survival};
pub use plan::{Call, Effect, Fault, Service};
pub use race::{Interleavings, Race};
pub use schedule::{Report, Schedule, Walker};
pub use story::{Delivery, Event, Manner, RESTORED, Shape, Story, TAKEN};
pub use table::{Kept, Rows};
pub use tenant::Tenant;
pub use world::{Moment, Reply, World, simulate};
