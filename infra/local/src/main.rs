//! `local`: the whole product on this machine.

use clap::Parser as _;
use local::command::{self, Arguments};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    command::run(Arguments::parse()).await
}
