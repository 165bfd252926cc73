//! The stage as a process of its own, killed under load: a short run of `cargo prove kill`.

use std::process::Command;

#[test]
fn kill_nine_at_random_moments_loses_and_doubles_nothing() {
    let mut prove = Command::new(env!("CARGO_BIN_EXE_prove"));
    let output = prove.args(["kill", "--seconds", "8"]).output().unwrap();
    let (counts, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{counts}\n{said}");
}
