//! Lambda entry point.

use aggregate_reports::{Deps, handle};
use aws::config::environment;
use aws::telemetry::Metrics;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let build = async |platform| {
        let metrics = Metrics::of_function(&environment);
        let deps = Deps::new(&platform, &environment)?.measured(metrics);
        deps.store.warm_up().await;
        Ok(deps)
    };
    aws::handler::consume(build, async |deps: Deps, event| handle(&deps, event).await).await
}
