//! Logs as JSON lines, without request bodies, names or secrets.

use tracing::Level;

use crate::config::Lookup;

/// Sets up the log of a running function. Lambda tells the level of the function's logging configuration in
/// `AWS_LAMBDA_LOG_LEVEL`; what is below INFO is not in a release build.
pub fn init(lookup: Lookup<'_>) {
    let level = lookup("AWS_LAMBDA_LOG_LEVEL").and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    tracing_subscriber::fmt().json().with_max_level(level).with_target(false).init();
}
