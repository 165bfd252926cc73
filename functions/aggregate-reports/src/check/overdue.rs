//! What has been left undone for long, of all organizations together.

use aws::store::StoreError;
use aws::store::keys::DUE_SHARDS;
use aws::telemetry::OVERDUE_ROWS;
use chrono::{DateTime, Duration, Utc};

use crate::Deps;

/// After how long what is left to do is overdue.
const OVERDUE_MINUTES: i64 = 60;
/// Pages of each shard in which what is overdue is counted at night.
const OVERDUE_PAGES: u32 = 10;

/// Counts what is overdue of all organizations, as far as that many pages tell, and tells the figure.
pub(crate) async fn count_overdue(deps: &Deps) -> Result<u64, StoreError> {
    let until = overdue_at(deps.clock.now());
    let mut overdue = 0_u64;
    for shard in 0..DUE_SHARDS {
        let mut after = None;
        for _ in 0..OVERDUE_PAGES {
            let page = deps.store.list_due_since(None, shard, until, after.as_deref()).await?;
            for row in deps.store.still_due(&page.rows, until).await? {
                overdue = overdue.saturating_add(1);
                tracing::error!(row = row.name, since = %row.since, "overdue");
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    deps.metrics.counted(&[(OVERDUE_ROWS, overdue)], deps.clock.now());
    Ok(overdue)
}

/// When that which is overdue now was due at the latest.
pub(super) fn overdue_at(now: DateTime<Utc>) -> DateTime<Utc> {
    now - Duration::minutes(OVERDUE_MINUTES)
}
