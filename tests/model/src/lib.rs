//! A second opinion on the whole engine: a small model of what everybody must have, written from the documents alone, and
//! a machine that drives it beside a system under test, with terms and happenings by chance.
//!
//! What is driven implements [`System`]: here the pure core (`tests/core.rs`). The model shares no code with it but the
//! words of its inputs and outputs.

pub mod any;
pub mod machine;
pub mod model;
pub mod op;
pub mod system;

pub use machine::Drive;
pub use system::{Books, System};
