//! Lambda entry point.

use aws::telemetry::Metrics;
use send_notification::{Deps, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let build = async |platform| {
        let deps = Deps::new(&platform, &aws::config::environment)?;
        deps.store.warm_up().await;
        Ok(deps.measured(Metrics::of_function(&aws::config::environment)))
    };
    aws::handler::consume(build, async |deps: Deps, event| handle(&deps, event).await).await
}
