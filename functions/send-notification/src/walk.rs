//! How a campaign comes to those who were enrolled before it: page by page through the program's participants.

use aws::store::{CampaignRow, DueClaim, JourneyRow, ParticipantRow, StoreError, WalkRow};
use domain::id::{CampaignId, OrganizationId};
use domain::message::NotifyMessage;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::{Came, Deps, NotifyError};

/// Participants of a page.
const PAGE: usize = 100;
/// Pages of one message: some seconds.
const PAGES: usize = 10;
/// Journeys that are begun at the same time.
const AT_ONCE: usize = 10;

/// Goes on with a walk that is due.
pub(crate) async fn go_on(
    deps: &Deps,
    organization: &OrganizationId,
    id: &CampaignId,
) -> Result<Came, NotifyError> {
    let mut row = match deps.store.claim_walk(organization, id, deps.clock.now()).await? {
        DueClaim::Claimed(row) => *row,
        DueClaim::NotDue => return Ok(Came::Done),
        DueClaim::Absent => return Ok(Came::Absent(format!("campaign {id}"))),
    };
    let campaign = deps.store.find_campaign(organization, id).await?;
    let Some(campaign) = campaign.filter(|campaign| !campaign.plan.is_over(deps.clock.now())) else {
        deps.store.complete_walk(organization, &WalkRow { next_at: None, ..row }).await?;
        return Ok(Came::Done);
    };
    let mut is_done = false;
    for _ in 0..PAGES {
        let page =
            deps.store.list_participants(organization, &campaign.program, row.after.as_deref(), PAGE).await?;
        begin_all(deps, organization, &campaign, &page.rows).await?;
        is_done = page.next.is_none();
        if is_done {
            break;
        }
        row.after = page.next;
    }
    let now = deps.clock.now();
    row.next_at = (!is_done).then_some(now);
    if deps.store.complete_walk(organization, &row).await? && !is_done {
        let more = NotifyMessage::CampaignDueV1 { organization: organization.clone(), campaign: id.clone() };
        if let Err(error) = deps.notify_queue.send(&more).await {
            tracing::warn!(campaign.id = %id, %error, "the walk is gone on with later");
        }
    }
    Ok(Came::Done)
}

async fn begin_all(
    deps: &Deps,
    organization: &OrganizationId,
    campaign: &CampaignRow,
    participants: &[ParticipantRow],
) -> Result<(), StoreError> {
    let journeys = participants.iter().filter_map(|participant| JourneyRow::begin(campaign, participant));
    let begun = journeys.map(|row| async move { deps.store.commit_journey(organization, &row).await });
    stream::iter(begun).buffer_unordered(AT_ONCE).try_collect::<()>().await
}
