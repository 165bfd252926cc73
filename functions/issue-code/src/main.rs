//! Lambda entry point.

use issue_code::{Deps, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    aws::handler::serve(async |platform| {
        let deps = Deps::new(&platform, &aws::config::environment)?;
        // The word list of the profanity check takes tens of milliseconds to set up; better now than in the first call.
        domain::code::warm();
        deps.edge.store.warm_up().await;
        Ok(router(deps))
    })
    .await
}
