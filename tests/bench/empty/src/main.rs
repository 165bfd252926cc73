//! The smallest function there is: what `cargo measure` holds the cold start of the real ones against.
//!
//! A package of its own, since a function is only as small as what its package depends on, and no default member, so
//! that it is never deployed.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: LambdaEvent<Value>| Ok::<_, Error>(Value::Null))).await
}
