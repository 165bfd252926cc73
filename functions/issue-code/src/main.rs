//! Lambda entry point.

use issue_code::{Deps, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    aws::handler::serve(async |platform| {
        let deps = Deps::new(&platform, &aws::config::environment)?;
        deps.edge.store.warm_up().await;
        Ok(router(deps))
    })
    .await
}
