//! One signed event, a thousand times at once.

use serde_json::json;
use tests::World;
use tokio::task::JoinSet;

use super::rest;
use crate::counts::Counts;
use crate::progress;

const DELIVERIES: usize = 1_000;

pub(super) async fn run() -> Counts {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    let endpoint = tenant.stripe_endpoint().await;
    tenant.sign_up("ben", &anna.code).await.created();
    world.advance(10).await;
    let now = world.now().await;
    let at = now.timestamp();
    let event = json!({"id": "evt_1", "object": "event", "livemode": false, "type": "invoice.paid", "created": at,
        "data": {"object": {"id": "in_1", "object": "invoice", "amount_paid": 20_000, "total": 20_000,
        "currency": "usd", "metadata": {"referral_external_id": "ben"}, "status_transitions": {"paid_at": at}}}});
    progress("a storm of one event ...");
    let mut deliveries = JoinSet::new();
    for _ in 0..DELIVERIES {
        let (tenant, endpoint, event) = (tenant.clone(), endpoint.clone(), event.clone());
        deliveries.spawn(async move {
            let mut put_off = 0;
            loop {
                let answer = tenant.stripe(&endpoint, &event, now).await;
                if answer.status != 503 {
                    return (put_off, answer.ok()["results"][0]["duplicate"] == false);
                }
                put_off += 1;
            }
        });
    }
    let answers = deliveries.join_all().await;
    world.drain().await;
    let mut counts = Counts::of("A storm of one signed event");
    counts.must("acknowledged", answers.len(), DELIVERIES);
    counts.add("asked to come back (503)", answers.iter().map(|(put_off, _)| put_off).sum::<usize>());
    counts.must("told that it was the first", answers.iter().filter(|(_, first)| *first).count(), 1);
    counts.must("rewards", tenant.rewards(&anna).await.len(), 1);
    counts.must("ledger lines", tenant.ledger(&anna).await.len(), 1);
    counts.must("available, in cents", tenant.figures(&anna).await.0, 2_000);
    counts.must("announcements", world.told().await.len(), 1);
    rest(&world, &mut counts).await;
    counts
}
