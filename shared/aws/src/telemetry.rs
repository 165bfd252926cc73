//! Logs as JSON lines, without request bodies, names or secrets.

/// Sets up the log of a running function. `AWS_LAMBDA_LOG_LEVEL` (set by the function's logging configuration) chooses
/// the level.
pub fn init() {
    lambda_runtime::tracing::init_default_subscriber();
}
