//! Where the built functions are, and the commands that build them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::progress;

/// The package of the function that does nothing.
pub(super) const EMPTY: &str = "empty-function";

/// The built functions.
#[derive(Debug)]
pub(super) struct Artifacts {
    functions: PathBuf,
    empty: PathBuf,
}

impl Artifacts {
    /// Builds what is not built yet, as `sam build` does; with `given`, only the empty function.
    pub(super) fn build(given: Option<&Path>) -> Result<Self> {
        let built = crate::workspace().join("target/lambda");
        if given.is_none() {
            progress("building the functions (10 minutes or so for the first time) ...");
            cargo_lambda(&built, &[])?;
        }
        progress("building the empty function ...");
        cargo_lambda(&built, &["--package", EMPTY])?;
        let functions = given.map_or_else(|| built.clone(), Path::to_owned);
        Ok(Self { functions, empty: built })
    }

    /// The binary of a function.
    pub(super) fn binary(&self, name: &str) -> Result<PathBuf> {
        let folder = if name == EMPTY { &self.empty } else { &self.functions };
        let binary = folder.join(name).join("bootstrap");
        ensure!(binary.is_file(), "{} is missing", binary.display());
        Ok(std::path::absolute(binary)?)
    }
}

/// `cargo lambda build` with the tools that the deployed stage pins.
fn cargo_lambda(folder: &Path, arguments: &[&str]) -> Result<()> {
    let venv = crate::workspace().join("tests/e2e/venv");
    let tools = Command::new(&venv).arg("tools").stderr(Stdio::inherit()).output();
    let tools = tools.with_context(|| format!("cannot run {}", venv.display()))?;
    ensure!(tools.status.success(), "the build tools cannot be installed (is there Python 3.11?)");
    let tools = Path::new(String::from_utf8(tools.stdout)?.trim()).join("bin");

    // First in the path: cargo-lambda finds zig through this environment's python3.
    #[expect(clippy::disallowed_methods, reason = "a search path is extended, nothing is configured")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(tools).chain(std::env::split_paths(&path)))?;
    let mut command = Command::new("cargo");
    command.args(["lambda", "build", "--release", "--locked", "--lambda-dir"]).arg(folder).args(arguments);
    command.current_dir(crate::workspace()).env("PATH", path).stdout(Stdio::null());
    // cargo-lambda would fetch a toolchain by itself.
    command.env("RUSTUP_DIST_SERVER", "http://127.0.0.1:9").env("RUSTUP_UPDATE_ROOT", "http://127.0.0.1:9");
    ensure!(command.status()?.success(), "cargo lambda build failed");
    Ok(())
}
