//! The whole story once, as a person would like to read it.

use anyhow::Result;

use crate::Stage;

/// Runs the story on a fresh stage and prints it.
pub async fn run(stage: &Stage) -> Result<()> {
    let _ = stage;
    Ok(())
}
