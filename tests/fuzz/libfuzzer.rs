//! One target under libFuzzer, chosen by `FUZZ_TARGET`. `tests/fuzz/run` builds it with coverage, and runs it.
#![no_main]

use std::sync::OnceLock;

use fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static CHOSEN: OnceLock<Target> = OnceLock::new();

#[expect(clippy::disallowed_methods, reason = "libFuzzer keeps the arguments to itself")]
fn chosen() -> Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| panic!("FUZZ_TARGET must be the name of a target"))
}

fuzz_target!(|input: &[u8]| (CHOSEN.get_or_init(chosen).check)(input));
