//! Who unsubscribes gets no campaigns, and is still told of rewards.

use serde_json::{Value, json};

use super::{DAY, Office, telling};

async fn with_campaign() -> (Office, String) {
    let office = Office::open(telling(json!({"text": "Thanks"}))).await;
    let step =
        |day: u32| json!({"after_days": day, "message": {"text": "Share {{ account_referral_code }}"}});
    let body = json!({"program": office.program, "name": "Spring", "audience": "all_participants",
        "steps": [step(0), step(2)]});
    office.tenant.post("/v1/campaigns", body).await.created();
    office.wait(200).await;
    let [told] = office.told().try_into().unwrap();
    let url = told["unsubscribe_url"].as_str().unwrap().to_owned();
    assert_eq!(told["transactional"], false);
    (office, url)
}

#[tokio::test]
async fn the_link_asks_and_the_button_unsubscribes() {
    let (office, url) = with_campaign().await;
    let http = reqwest::Client::new();
    let page = http.get(&url).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.text().await.unwrap().contains("<form method=\"post\">"));
    let anna = office.tenant.get(&format!("/v1/participants/{}", office.anna.id)).await.ok();
    assert!(anna["unsubscribed_at"].is_null(), "to look at the page changes nothing: {anna}");

    for _ in 0..2 {
        let page = http.post(&url).body("List-Unsubscribe=One-Click").send().await.unwrap();
        assert_eq!(page.status(), 200);
        assert!(page.text().await.unwrap().contains("You are unsubscribed"));
    }
    office.wait(3 * DAY).await;
    assert_eq!(office.told(), Vec::<Value>::new());
    let path = format!("/v1/participants/{}/campaigns", office.anna.id);
    let journeys = office.tenant.get(&path).await.ok();
    assert_eq!(journeys["data"][0]["over"], "unsubscribed");

    office.pay("in_1").await;
    let told = office.told();
    assert_eq!((told.len(), &told[0]["text"]), (1, &json!("Thanks")));
}

#[tokio::test]
async fn a_link_of_nobody_is_not_found() {
    let (office, url) = with_campaign().await;
    let http = reqwest::Client::new();
    let base = url.rsplit_once('/').unwrap().0;
    let last = if url.ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{last}", &url[..url.len() - 1]);
    for url in [forged, format!("{base}/uns_{}", "0".repeat(78)), format!("{base}/x"), format!("{base}/%23")]
    {
        for method in [reqwest::Method::GET, reqwest::Method::POST] {
            assert_eq!(http.request(method, &url).send().await.unwrap().status(), 404, "{url}");
        }
    }
    let anna = office.tenant.get(&format!("/v1/participants/{}", office.anna.id)).await.ok();
    assert!(anna["unsubscribed_at"].is_null());
}

#[tokio::test]
async fn the_organization_can_do_it_too_and_undo_it() {
    let (office, _) = with_campaign().await;
    let first = office.change(json!({"subscribed": false})).await;
    assert!(first["unsubscribed_at"].is_string());
    assert_eq!(
        office.change(json!({"subscribed": false})).await["unsubscribed_at"],
        first["unsubscribed_at"]
    );
    assert!(office.change(json!({"subscribed": true})).await["unsubscribed_at"].is_null());
    office.wait(3 * DAY).await;
    assert_eq!(office.told().len(), 1);
}

#[tokio::test]
async fn addresses_are_set_changed_and_removed() {
    let (office, _) = with_campaign().await;
    let path = format!("/v1/programs/{}/participants/cleo", office.program);
    let contact = json!({"email": "cleo@example.org", "phone": "+4930123456"});
    let body = json!({"contact": contact});
    let cleo = office.tenant.call("PUT", &path, Some(&body)).await.created();
    assert_eq!(cleo["contact"], contact);
    let changed = office.change(json!({"contact": {"email": "anna@example.org"}})).await;
    assert_eq!(changed["contact"], json!({"email": "anna@example.org", "phone": null}));
    let changed = office.change(json!({"contact": {"phone": "+4930123456"}})).await;
    assert_eq!(changed["contact"], json!({"email": "anna@example.org", "phone": "+4930123456"}));
    let changed = office.change(json!({"contact": {"email": null}})).await;
    assert_eq!(changed["contact"], json!({"email": null, "phone": "+4930123456"}));
    let changed = office.change(json!({"contact": null})).await;
    assert_eq!(changed["contact"], json!({"email": null, "phone": null}));
    let path = format!("/v1/participants/{}", office.anna.id);
    for (contact, pointer) in [
        (json!({"email": "anna"}), "/contact/email"),
        (json!({"phone": "030"}), "/contact/phone"),
        (json!({"fax": "1"}), "/contact/fax"),
    ] {
        let body = json!({"contact": contact});
        office.tenant.call("PATCH", &path, Some(&body)).await.names(pointer);
    }
}
