use serde_json::{Value, json};

use super::*;
use crate::fact::{Customer, Link};
use crate::id::ExternalId;
use crate::stripe::samples::*;
use crate::stripe::{EXTERNAL_ID_KEY, processor};

const STARTED: i64 = 1_767_347_997;
const ITEM: &str = "/data/object/items/data/0";

fn link_to(referee: &str) -> Link {
    let customer = Customer { processor: processor(), reference: id("cus_QsampleBuyer01") };
    Link { customer, referee: ExternalId::parse(referee).unwrap() }
}

fn started(body: &str) -> Vec<(String, i64)> {
    let facts = parse(body.as_bytes()).unwrap().facts;
    facts
        .iter()
        .map(|fact| (fact.source.to_string(), fact.state.payment.as_ref().unwrap().paid_at.timestamp()))
        .collect()
}

#[test]
fn an_active_subscription_has_started_its_plan() {
    for body in SUBSCRIPTION_UPDATED {
        let one = |text: &str| [text.to_owned()].into();
        let labels = [
            ("metadata.channel".to_owned(), one("webinar")),
            ("plan".to_owned(), one("price_1QsamplePlan000000000000")),
            ("product".to_owned(), one("prod_QsamplePlan01")),
        ];
        let plan = source("event/plan_started/sub_1QsamplePlan000000000000:price_1QsamplePlan000000000000");
        let payer = Payer {
            external_id: Some(ExternalId::parse("account-1042").unwrap()),
            customer: Some(link_to("account-1042").customer),
            ..Payer::default()
        };
        let state = SourceState { labels: labels.into(), ..SourceState::happened(seconds(STARTED), None) };
        assert_eq!(fact(body), Fact::of(plan, payer, state));
        assert_eq!(parse(body.as_bytes()).unwrap().links, [link_to("account-1042")]);
    }
}

#[test]
fn a_subscription_that_is_not_active_has_started_nothing() {
    for body in SUBSCRIPTION_CREATED.into_iter().chain(SUBSCRIPTION_UPDATED) {
        for status in [
            "incomplete",
            "incomplete_expired",
            "trialing",
            "past_due",
            "unpaid",
            "paused",
            "canceled",
            "later",
        ] {
            let event = parse(with(body, "/data/object/status", json!(status)).as_bytes()).unwrap();
            assert_eq!((event.facts, event.links), (vec![], vec![link_to("account-1042")]), "{status}");
        }
    }
    for body in SUBSCRIPTION_DELETED {
        assert!(parse(body.as_bytes()).unwrap().is_ignored());
    }
}

#[test]
fn every_event_of_a_subscription_says_the_same_moment() {
    let [_, updated] = SUBSCRIPTION_UPDATED;
    let later =
        with(&with(updated, "/created", json!(STARTED + 9_000_000)), "/data/previous_attributes", json!({}));
    let created =
        with(&with(updated, "/type", json!("customer.subscription.created")), "/created", json!(STARTED));
    let moments: Vec<_> =
        [updated, &later, &created].into_iter().flat_map(started).map(|(_, at)| at).collect();
    assert_eq!(moments, [STARTED; 3]);
    let backdated = with(updated, "/data/object/start_date", json!(STARTED - 9_000_000));
    assert_eq!(started(&backdated)[0].1, STARTED, "what was made today did not start last year");
    let bare = without(updated, &format!("{ITEM}/created"));
    assert_eq!(started(&with(&bare, "/data/object/created", json!(STARTED - 5)))[0].1, STARTED - 5);
    let barer = without(&bare, "/data/object/created");
    assert_eq!(started(&with(&barer, "/data/object/start_date", json!(STARTED - 7)))[0].1, STARTED - 7);
    assert_eq!(started(&without(&barer, "/data/object/start_date"))[0].1, 1_767_348_000);
}

#[test]
fn a_trial_is_no_start_and_its_end_is() {
    let [_, updated] = SUBSCRIPTION_UPDATED;
    let ended = |seconds: i64| with(updated, "/data/object/trial_end", json!(STARTED + seconds));
    assert_eq!(started(&ended(2))[0].1, STARTED + 2);
    assert_eq!(started(&ended(-2))[0].1, STARTED);
    assert_eq!(started(&ended(1_000_000))[0].1, STARTED, "a trial that is not over yet");
}

#[test]
fn each_price_is_one_plan() {
    let [_, updated] = SUBSCRIPTION_UPDATED;
    let item = |price: Value| json!({"id": "si_1", "created": STARTED, "price": price});
    let items = json!([
        item(json!({"id": "price_1", "product": {"id": "prod_1", "name": "Seats"}})),
        item(json!({"id": "price_2", "product": "prod_2"})),
        item(json!({"id": "price_1", "product": "prod_1"})),
        json!({"id": "si_9"}),
        json!({"id": "si_8", "plan": {"id": "Gold plan / 2019", "product": "prod_3"}}),
    ]);
    let body = with(updated, "/data/object/items/data", items);
    let facts = parse(body.as_bytes()).unwrap().facts;
    let product = |fact: &Fact| fact.state.labels["product"].iter().cloned().collect::<Vec<_>>();
    assert_eq!(facts.iter().flat_map(product).collect::<Vec<_>>(), ["prod_1", "prod_2", "prod_3"]);
    assert_eq!(facts[1].source.to_string(), "event/plan_started/sub_1QsamplePlan000000000000:price_2");
    let hashed = facts[2].source.reference.as_str();
    assert!(hashed.len() == 64 && hashed.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hashed}");
}

#[test]
fn metadata_is_that_with_which_it_became_active() {
    let [_, updated] = SUBSCRIPTION_UPDATED;
    let labelled = |body: &str| fact(body).state.labels.contains_key("metadata.channel");
    let before = |status: Value| with(updated, "/data/previous_attributes", json!({"status": status}));
    for (status, expected) in
        [("incomplete", true), ("trialing", true), ("past_due", false), ("paused", false), ("unpaid", false)]
    {
        assert_eq!(labelled(&before(json!(status))), expected, "{status}");
    }
    assert!(!labelled(&before(json!(null))) && !labelled(&before(json!(7))));
    let unchanged = without(updated, "/data/previous_attributes");
    assert!(!labelled(&unchanged));
    assert!(labelled(&with(&unchanged, "/type", json!("customer.subscription.created"))));
}

#[test]
fn a_customer_is_linked_where_its_metadata_names_the_referee() {
    for body in CUSTOMER_CREATED.into_iter().chain(CUSTOMER_UPDATED) {
        let event = parse(body.as_bytes()).unwrap();
        assert_eq!((event.facts, event.links), (vec![], vec![link_to("account-1042")]));
        let pointer = format!("/data/object/metadata/{EXTERNAL_ID_KEY}");
        for unnamed in [without(body, &pointer), with(body, "/data/object/metadata", json!(null))] {
            assert!(parse(unnamed.as_bytes()).unwrap().is_ignored());
        }
        for unusable in [json!(""), json!("a person@example.com"), json!(7)] {
            assert_eq!(refusal(&with(body, &pointer, unusable)).0, pointer);
        }
        assert_eq!(refusal(&without(body, "/data/object/id")).0, "/data/object/id");
    }
    for body in CUSTOMER_DELETED {
        assert!(parse(body.as_bytes()).unwrap().is_ignored(), "its payments and refunds stay its own");
    }
}

#[test]
fn a_subscription_that_cannot_be_read_names_its_field() {
    let [_, updated] = SUBSCRIPTION_UPDATED;
    for pointer in ["/data/object/id", "/created"] {
        assert_eq!(refusal(&without(updated, pointer)), (pointer.to_owned(), "is missing".to_owned()));
    }
    let item = format!("{ITEM}/created");
    let metadata = format!("/data/object/metadata/{EXTERNAL_ID_KEY}");
    for (pointer, value) in [
        ("/data/object/status", json!(1)),
        ("/data/object/customer", json!("a b")),
        ("/data/object/trial_end", json!("soon")),
        (item.as_str(), json!(-1)),
        (metadata.as_str(), json!("a b")),
    ] {
        assert_eq!(refusal(&with(updated, pointer, value)).0, pointer);
    }
}
