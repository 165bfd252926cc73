//! The built binary as a process of its own: the story runs to its end.

use std::process::Command;

#[test]
fn the_demo_tells_the_whole_story_and_ends_well() {
    let output = Command::new(env!("CARGO_BIN_EXE_local")).arg("demo").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for part in ["BLU-", "account-1042", "earned", "22.00 USD", "16.50 USD available", "restored", "net"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}
