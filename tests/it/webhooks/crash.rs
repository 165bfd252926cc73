//! Every call that a delivery makes to the table, a queue or the secrets fails in turn, before or after it had its effect:
//! the event arrives all the same, under one id, and nothing is left undone.

use domain::id::OrganizationId;
use local::{Effect, Fault};
use serde_json::json;
use tests::{Receiver, Reply, World};

use super::{Office, QUIET, create, event, id_of};

/// The most calls that one event can lead to here.
const CALLS_MAX: u32 = 40;

#[tokio::test]
async fn whatever_call_fails_the_event_arrives_under_one_id() {
    for effect in [Effect::Unavailable, Effect::LoseAnswer, Effect::Throttle, Effect::Conflict] {
        let mut faults = 0;
        let office = Office::open().await;
        // As often in a row as the SDK tries, so that the call fails for whoever made it.
        for skip in 0..CALLS_MAX {
            office.world.plan(vec![Fault { call: None, skip, times: 3, effect }]);
            office.receiver.answers_next(Reply::status(500));
            let event = office.tell().await;
            let calls = office.world.stage.faults().log().calls.len();
            office.world.plan(Vec::new());
            // Messages come back, leases end, the sweeper comes by.
            for _ in 0..3 {
                office.wait(400).await;
            }
            let got = office.receiver.got();
            assert!(got.len() >= 2, "{effect:?} after {skip} calls: {} attempts", got.len());
            assert!(got.iter().all(|got| got.header("webhook-id") == event), "{effect:?} after {skip} calls");
            let newest = &office.deliveries().await[0];
            assert_eq!((&newest["event"], &newest["state"]), (&json!(event), &json!("delivered")));
            assert_eq!(office.destination().await["failing_since"], json!(null));
            office.world.assert_at_rest().await;
            if calls <= usize::try_from(skip).unwrap() {
                break;
            }
            faults += 1;
        }
        assert!((4..CALLS_MAX).contains(&faults), "{effect:?}: {faults}");
    }
}

#[tokio::test]
async fn wherever_the_process_stops_the_event_arrives_under_one_id() {
    for effect in [Effect::HaltBefore, Effect::HaltAfter] {
        let mut stops = 0;
        while is_stopped(effect, stops).await {
            stops += 1;
        }
        assert!((4..CALLS_MAX).contains(&stops), "{effect:?}: {stops}");
    }
}

/// Tells an event while the process stops at the call after so many; whether it did.
async fn is_stopped(effect: Effect, skip: u32) -> bool {
    let state = tempfile::tempdir().unwrap();
    let world = World::start_in(state.path()).await;
    let tenant = world.tenant().await;
    let receiver = Receiver::start().await;
    let destination = id_of(&create(&tenant, json!({"url": receiver.url(), "events": [QUIET]})).await);
    let organization = OrganizationId::parse(&world.organization(&tenant).await).unwrap();
    receiver.answers_next(Reply::status(500));
    world.plan(vec![Fault { call: None, skip, times: 1, effect }]);
    world.send("EventsQueue", &event(&organization, 1)).await;
    let drained = world.call("POST", "/_local/drain", None, Some(&json!({}))).await;
    let stopped = world.stage.faults().log().halted;
    assert_eq!(drained.status, if stopped { 502 } else { 200 });
    drop(world);

    // The queues are gone with the stage. SQS brings a message back that was not done with.
    let world = World::start_in(state.path()).await;
    world.send("EventsQueue", &event(&organization, 1)).await;
    world.drain().await;
    for _ in 0..3 {
        world.advance(400).await;
        world.drain().await;
    }
    let got = receiver.got();
    assert!((2..=4).contains(&got.len()), "{effect:?} after {skip} calls: {} attempts", got.len());
    assert!(got.iter().all(|each| each.header("webhook-id") == got[0].header("webhook-id")));
    let deliveries = format!("/v1/event-destinations/{destination}/deliveries");
    let deliveries = world.tenant_with(tenant.key.clone()).get(&deliveries).await.ok();
    let deliveries = deliveries["data"].as_array().unwrap();
    assert_eq!(deliveries.len(), 1, "{effect:?} after {skip} calls");
    assert_eq!(deliveries[0]["state"], "delivered", "{effect:?} after {skip} calls");
    world.assert_at_rest().await;
    stopped
}
