//! The log of deliveries, and sending again.

use serde_json::{Value, json};
use tests::{Reply, Tenant};

use super::{Office, create, id_of};

#[tokio::test]
async fn deliveries_are_listed_newest_first_page_by_page_and_by_state() {
    let office = Office::open().await;
    let mut events = Vec::new();
    for number in 0..5 {
        if number == 2 {
            office.receiver.answers_next(Reply::status(410));
        }
        events.push(office.tell().await);
        office.change(json!({"status": "enabled"})).await;
        office.wait(1).await;
    }
    events.reverse();
    let path = format!("{}/deliveries", office.path());
    let first = office.tenant.get(&format!("{path}?limit=2")).await.ok();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = office.tenant.get(&format!("{path}?limit=2&cursor={cursor}")).await.ok();
    let listed = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().unwrap();
        data.iter().map(|delivery| delivery["event"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!([listed(&first), listed(&second)].concat(), events[..4]);
    assert_eq!(listed(&json!({"data": office.deliveries().await})), events);
    let failed = office.tenant.list(&format!("{path}?state=failed")).await;
    assert_eq!(listed(&json!({"data": failed})), events[2..3]);
    assert_eq!(failed[0]["last_status"], 410);
    // A cursor is of its own list.
    office.tenant.get(&format!("{path}?state=failed&cursor={cursor}")).await.names("?cursor");
}

#[tokio::test]
async fn a_delivery_is_made_again_under_the_same_id() {
    let office = Office::open().await;
    let event = office.tell().await;
    let first = office.receiver.got();
    let path = office.delivery_path(&id_of(&office.delivery().await));
    let replay = format!("{path}/replay");
    let answer = office.tenant.post(&replay, json!({})).await;
    assert_eq!(answer.status, 202);
    assert_eq!((&answer.body["state"], &answer.body["tries"]), (&json!("pending"), &json!(0)));
    // While it is under way, it is the same.
    assert_eq!(office.tenant.post(&replay, json!({})).await.status, 202);
    office.world.drain().await;
    let again = office.receiver.got();
    assert_eq!((first.len(), again.len()), (1, 1));
    assert_eq!(again[0].header("webhook-id"), event);
    assert_eq!(again[0].body, first[0].body);
    let delivery = office.delivery().await;
    assert_eq!((&delivery["state"], &delivery["tries"]), (&json!("delivered"), &json!(1)));
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 2);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn what_was_given_up_can_be_made_again_once_its_destination_is_enabled() {
    let office = Office::open().await;
    office.receiver.answers_next(Reply::status(410));
    office.tell().await;
    let replay = format!("{}/replay", office.delivery_path(&id_of(&office.delivery().await)));
    office.tenant.post(&replay, json!({})).await.refused(409, "destination_disabled");
    office.change(json!({"status": "enabled"})).await;
    assert_eq!(office.tenant.post(&replay, json!({})).await.status, 202);
    office.world.drain().await;
    let delivery = office.delivery().await;
    assert_eq!((&delivery["state"], &delivery["failure"]), (&json!("delivered"), &Value::Null));
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_replay_whose_message_is_lost_is_swept() {
    let office = Office::open().await;
    office.tell().await;
    let replay = format!("{}/replay", office.delivery_path(&id_of(&office.delivery().await)));
    let fault = local::Fault {
        call: Some("SendMessage".to_owned()),
        skip: 0,
        times: 10,
        effect: local::Effect::Unavailable,
    };
    office.world.plan(vec![fault]);
    assert_eq!(office.tenant.post(&replay, json!({})).await.status, 202);
    office.world.plan(Vec::new());
    office.world.drain().await;
    assert_eq!(office.delivery().await["state"], "pending");
    office.wait(121).await;
    assert_eq!(office.delivery().await["state"], "delivered");
    assert_eq!(office.receiver.got().len(), 2);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn nobody_sees_or_touches_anothers_destinations_and_deliveries() {
    let office = Office::open().await;
    office.tell().await;
    let delivery = id_of(&office.delivery().await);
    let stranger: Tenant = office.world.tenant().await;
    let own = id_of(&create(&stranger, json!({"url": office.receiver.url()})).await);
    let before = office.world.snapshot().await;
    let paths = [office.path(), format!("/v1/event-destinations/{own}")];
    for (place, path) in paths.iter().enumerate() {
        let calls = [
            ("GET", format!("{path}/deliveries/{delivery}"), None),
            ("POST", format!("{path}/deliveries/{delivery}/replay"), Some(json!({}))),
        ];
        let on_path = [
            ("GET", path.clone(), None),
            ("PATCH", path.clone(), Some(json!({"status": "disabled"}))),
            ("DELETE", path.clone(), None),
            ("POST", format!("{path}/rotate-secret"), Some(json!({}))),
            ("GET", format!("{path}/deliveries"), None),
        ];
        let calls = if place == 0 { [calls.to_vec(), on_path.to_vec()].concat() } else { calls.to_vec() };
        for (method, path, body) in calls {
            stranger.call(method, &path, body.as_ref()).await.refused(404, "not_found");
        }
    }
    assert_eq!(office.world.snapshot().await, before);
    let listed = stranger.get("/v1/event-destinations").await.ok();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    // Nor does it hear of the other's events.
    let heard = stranger.get(&format!("/v1/event-destinations/{own}/deliveries")).await.ok();
    assert_eq!(heard["data"], json!([]));
    office.world.assert_at_rest().await;
}
