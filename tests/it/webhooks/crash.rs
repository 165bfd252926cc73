//! Every call that a delivery makes to the table, a queue or the secrets fails in turn, before or after it had its effect:
//! the event arrives all the same, under one id, and nothing is left undone.

use local::{Effect, Fault};
use serde_json::json;
use tests::Reply;

use super::Office;

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
