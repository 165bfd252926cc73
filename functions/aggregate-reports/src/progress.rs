//! Work that takes many messages: what one message came to.

use aws::batch::Outcome;
use aws::handler::chain;
use aws::store::StoreError;
use domain::message::ReportMessage;

use crate::Deps;

/// How far a worker came.
pub(crate) enum Progress {
    /// There is more to do, and this message has had its share.
    Paused,
    /// Another worker is at it.
    Taken,
    /// Everything is done.
    Done,
}

/// What becomes of the message; where there is more to do, `more` goes on with it.
pub(crate) async fn outcome(deps: &Deps, came: Result<Progress, StoreError>, more: ReportMessage) -> Outcome {
    match came {
        Ok(Progress::Done | Progress::Taken) => Outcome::Done,
        Ok(Progress::Paused) => {
            if let Err(error) = deps.report_queue.send(&more).await {
                // What is not done is due: the sweeper sends it.
                tracing::warn!(?more, error = chain(&error), "the work is gone on with later");
            }
            Outcome::Done
        }
        Err(error) => Outcome::Retry(chain(&error)),
    }
}
