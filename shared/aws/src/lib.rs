//! The shell's toolbox: the table, the queues, the HTTP edge and telemetry. The only library that knows AWS.
#![warn(missing_docs)]

pub mod batch;
mod cache;
mod clock;
pub mod config;
mod entropy;
mod events;
pub mod handler;
pub mod http;
mod meter;
pub mod outbound;
mod platform;
pub mod queue;
pub mod seal;
pub mod settle;
pub mod store;
pub mod telemetry;

pub use cache::CACHE_SECONDS;
pub use clock::Clock;
pub use config::ConfigError;
pub use entropy::{Entropy, EntropyError};
pub use events::Events;
pub use handler::HandlerError;
pub use meter::{Meter, MeterReading};
pub use platform::{Platform, timeouts};
