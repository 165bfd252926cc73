//! Fuzz targets: what is read from outside, with what must hold of everything that is read. A target takes any bytes and
//! panics where something does not hold. `cargo test` replays the kept corpus and some mutations of it that are always the
//! same (`replay.rs`); `tests/fuzz/run` lets libFuzzer look for more, guided by coverage.

mod api;
mod targets;

pub use targets::{TARGETS, Target};
