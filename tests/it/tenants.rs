//! Tenants never meet: two organizations live the same life under the same names, and neither sees the other.

use std::collections::BTreeSet;

use aws::store::Item;
use serde_json::{Value, json};
use tests::{Answer, Participant, Tenant, World, percent_rule};

/// An organization with one of everything.
#[derive(Debug)]
struct Life {
    tenant: Tenant,
    organization: String,
    program: String,
    anna: Participant,
    endpoint: String,
    key: String,
    reward: String,
}

/// Every organization uses the same ids: participant `anna`, referee `ben`, customer `cus_1`, invoices `in_1`, `in_2`.
async fn live(world: &World, percent: &str) -> Life {
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule(percent)).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    let endpoint = tenant.stripe_endpoint().await;
    let key = tenant.post("/v1/api-keys", json!({"name": "second"})).await.created()["id"].clone();
    let sign_up =
        json!({"external_id": "ben", "code": anna.code, "customer": {"processor": "stripe", "id": "cus_1"}});
    // The invoice comes first and waits, so that rows of every kind are made.
    assert_eq!(tenant.pay("ben", "in_1", 20_000).await.status, 202);
    tenant.post("/v1/track/signup", sign_up).await.created();
    world.drain().await;
    tenant.refund("re_1", "in_1", 5_000).await.ok();
    world.advance(61).await;
    let event = invoice_paid(world).await;
    let answer = tenant.stripe(&endpoint, &event, world.now().await).await.ok();
    assert_eq!(answer["results"][0]["duplicate"], false, "{answer}");
    let reward = answer["results"][0]["posted"][0]["reward"].as_str().unwrap().to_owned();
    world.drain().await;
    let organization = world.organization(&tenant).await;
    Life { organization, program, anna, endpoint, key: key.as_str().unwrap().to_owned(), reward, tenant }
}

/// The same event, whichever endpoint it is sent to.
async fn invoice_paid(world: &World) -> Value {
    let now = world.now().await.timestamp();
    json!({"id": "evt_1", "object": "event", "livemode": false, "type": "invoice.paid", "created": now,
        "data": {"object": {"id": "in_2", "object": "invoice", "amount_paid": 10_000, "total": 10_000,
        "currency": "usd", "customer": "cus_1", "payment_intent": "pi_2", "metadata": {},
        "status_transitions": {"paid_at": now}}}})
}

async fn two_lives() -> (World, Life, Life) {
    let world = World::start().await;
    let (one, two) = (live(&world, "10").await, live(&world, "25").await);
    assert_ne!(one.organization, two.organization);
    (world, one, two)
}

#[tokio::test]
async fn the_same_ids_in_two_organizations_stay_apart() {
    let (world, one, two) = two_lives().await;
    assert_eq!(one.tenant.figures(&one.anna).await, (2_500, 0, 3_000, 500));
    assert_eq!(two.tenant.figures(&two.anna).await, (6_250, 0, 7_500, 1_250));
    // What the first is told later is not told the second.
    one.tenant.refund("re_2", "in_1", 15_000).await.ok();
    assert_eq!(one.tenant.reason("in_1").await, "refunded");
    assert_eq!(two.tenant.reason("in_1").await, "earned");
    assert_eq!(two.tenant.figures(&two.anna).await, (6_250, 0, 7_500, 1_250));
    assert_ne!(one.anna.id, two.anna.id);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn nothing_of_another_organization_can_be_read() {
    let (world, one, two) = two_lives().await;
    let day = world.now().await.date_naive();
    world.advance(86_400).await;
    world.drain().await;
    let theirs = [
        format!("/v1/programs/{}", two.program),
        format!("/v1/participants/{}", two.anna.id),
        format!("/v1/participants/{}/ledger", two.anna.id),
        format!("/v1/participants/{}/balances", two.anna.id),
        format!("/v1/codes/{}", two.anna.code),
        format!("/v1/rewards/{}", two.reward),
    ];
    for path in &theirs {
        two.tenant.get(path).await.ok();
        one.tenant.get(path).await.refused(404, "not_found");
    }
    let empty = [
        format!("/v1/rewards?participant={}", two.anna.id),
        format!("/v1/referrals?referrer={}", two.anna.id),
    ];
    for path in &empty {
        assert_ne!(two.tenant.get(path).await.ok()["data"], json!([]), "{path}");
        assert_eq!(one.tenant.get(path).await.ok()["data"], json!([]), "{path}");
    }
    // What both can ask for by the same words answers each with its own.
    let days = format!("from={day}&to={day}");
    let shared = [
        "/v1/api-keys".to_owned(),
        "/v1/programs".to_owned(),
        "/v1/webhook-endpoints".to_owned(),
        format!("/v1/rewards?{days}"),
        format!("/v1/referrals?{days}"),
        "/v1/referrals?referee=ben".to_owned(),
        "/v1/decisions/invoice/stripe/in_1".to_owned(),
        "/v1/decisions/payment/stripe/pi_2".to_owned(),
        format!("/v1/reports/daily?{days}"),
    ];
    for path in &shared {
        let (mine, yours) = (one.tenant.get(path).await.ok(), two.tenant.get(path).await.ok());
        assert_ne!(mine, yours, "{path}");
        assert!(!mine.to_string().contains("[]"), "{path}: {mine}");
        let text = mine.to_string();
        for id in [
            &two.organization,
            &two.program,
            &two.anna.id,
            &two.anna.code,
            &two.reward,
            &two.key,
            &two.endpoint,
        ] {
            assert!(!text.contains(id.as_str()), "{path} tells {id}: {text}");
        }
    }
    all_reading_routes_were_asked(&world, &[theirs.as_slice(), &empty, &shared].concat()).await;
}

/// A route that is added later must be asked for here too.
async fn all_reading_routes_were_asked(world: &World, asked: &[String]) {
    let routes = world.call("GET", "/_local/routes", None, None).await.ok();
    for route in routes.as_array().unwrap() {
        let path = route["path"].as_str().unwrap();
        if route["method"] == "GET" && path != "/openapi.json" {
            let fits = |asked: &String| {
                let asked = asked.split('?').next().unwrap();
                let (asked, path) =
                    (asked.split('/').collect::<Vec<_>>(), path.split('/').collect::<Vec<_>>());
                let greedy = path.last().is_some_and(|part| part.ends_with("+}"));
                (greedy || asked.len() == path.len())
                    && path.iter().zip(&asked).all(|(part, text)| part.starts_with('{') || part == text)
            };
            assert!(asked.iter().any(fits), "{path} is not asked for with another organization's key");
        }
    }
}

#[tokio::test]
async fn nothing_of_another_organization_can_be_changed() {
    let (world, one, two) = two_lives().await;
    let before = world.snapshot().await;
    let endpoint = two.endpoint.replace("/v1/webhooks/stripe/", "/v1/webhook-endpoints/");
    let secrets = json!({"secrets": ["whsec_of_the_wrong_organization"]});
    let call = async |method: &str, path: &str, body: &Value| -> Answer {
        one.tenant.call(method, path, Some(body)).await
    };
    let program = format!("/v1/programs/{}", two.program);
    call("PATCH", &program, &json!({"status": "ended"})).await.refused(404, "not_found");
    call("PATCH", &endpoint, &secrets).await.refused(404, "not_found");
    call("DELETE", &endpoint, &json!({})).await.refused(404, "not_found");
    call("DELETE", &format!("/v1/api-keys/{}", two.key), &json!({})).await.refused(404, "not_found");
    call("PUT", &format!("{program}/participants/anna"), &json!({})).await.refused(404, "not_found");
    call("PUT", &format!("{program}/participants/mallory"), &json!({})).await.refused(404, "not_found");
    one.tenant.sign_up("dora", &two.anna.code).await.refused(422, "code_not_found");
    assert_eq!(world.snapshot().await, before);
    // A source of the other's is unknown here: it waits for its payer, and nothing reaches the other's ledger.
    let ledger = two.tenant.ledger(&two.anna).await;
    assert_eq!(one.tenant.refund("re_9", "in_9", 1).await.ok()["reason"], "awaiting_payment");
    assert_eq!(two.tenant.ledger(&two.anna).await, ledger);
}

#[tokio::test]
async fn the_same_event_at_the_endpoints_of_two_organizations_counts_once_for_each() {
    let (world, one, two) = two_lives().await;
    let event = invoice_paid(&world).await;
    let now = world.now().await;
    for life in [&one, &two] {
        for _ in 0..2 {
            let answer = life.tenant.stripe(&life.endpoint, &event, now).await.ok();
            assert_eq!(answer["results"][0]["duplicate"], true, "{answer}");
        }
        assert_eq!(life.tenant.ledger(&life.anna).await.len(), 3);
    }
    assert_eq!(world.receive("EventsQueue").await.len(), 4);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn the_same_code_in_two_organizations_is_each_ones_own() {
    let (world, one, two) = two_lives().await;
    // Codes are drawn at random, so a double one has to be made by hand: two's participant gets one's code as well.
    let letters = one.anna.code.replace('-', "");
    let mut row = row_at(&world, &format!("{}#CODE#{letters}", one.organization)).await;
    let own = row_at(&world, &format!("{}#CODE#{}", two.organization, two.anna.code.replace('-', ""))).await;
    for name in ["participant", "external_id", "program"] {
        row.insert(name.to_owned(), own[name].clone());
    }
    let pk = format!("{}#CODE#{letters}", two.organization);
    row.insert("pk".to_owned(), aws_sdk_dynamodb::types::AttributeValue::S(pk));
    world.put_row(row).await;
    for life in [&one, &two] {
        let known = life.tenant.get(&format!("/v1/codes/{}", one.anna.code)).await.ok();
        assert_eq!(known["participant"], life.anna.id.as_str());
        let taken = life.tenant.sign_up("dora", &one.anna.code).await.created();
        assert_eq!(taken["referral"]["referrer"], life.anna.id.as_str());
    }
}

async fn row_at(world: &World, pk: &str) -> Item {
    let rows = world.snapshot().await;
    rows.into_iter().find(|((place, _), _)| place == pk).unwrap_or_else(|| panic!("no row at {pk}")).1
}

#[tokio::test]
async fn every_key_of_the_table_begins_with_its_organization() {
    let (world, one, two) = two_lives().await;
    // A snapshot is written by a reader of many settled lines, a report by the night.
    for life in [&one, &two] {
        for number in 10..30 {
            life.tenant.pay("ben", &format!("in_{number}"), 1_000).await.ok();
        }
    }
    world.drain().await;
    world.advance(86_400).await;
    world.drain().await;
    for life in [&one, &two] {
        life.tenant.figures(&life.anna).await;
    }
    let mut kinds = BTreeSet::new();
    for ((pk, sk), row) in world.snapshot().await {
        kinds.insert(kind_of(&pk, &sk));
        let mentioned: Vec<&Life> =
            [&one, &two].into_iter().filter(|life| format!("{row:?}").contains(&life.organization)).collect();
        assert!(mentioned.len() <= 1, "{pk} {sk} holds something of both");
        // These lead to an organization; the module documentation of the keys lists them.
        if ["ORGANIZATIONS", "KEY", "ENDPOINT"].contains(&pk.split('#').next().unwrap()) {
            assert_eq!(mentioned.len(), 1, "{pk} {sk}");
            continue;
        }
        let owner = [&one, &two].into_iter().find(|life| pk.split('#').next() == Some(&life.organization));
        let owner = owner.unwrap_or_else(|| panic!("{pk} {sk} is nobody's"));
        for index in ["day_pk", "referrer_pk"] {
            if let Some(key) = row.get(index) {
                assert!(key.as_s().unwrap().starts_with(&format!("{}#", owner.organization)), "{key:?}");
            }
        }
    }
    let documented = [
        "API key",
        "API key listed",
        "code",
        "customer",
        "directory",
        "endpoint",
        "endpoint listed",
        "entry",
        "participant",
        "program",
        "referee",
        "report",
        "reward",
        "snapshot",
        "source",
        "terms",
    ];
    assert_eq!(
        kinds,
        BTreeSet::from(documented),
        "left: kinds of rows found; right: kinds of rows documented"
    );
}

/// The kinds of rows as the documentation of the keys lists them.
fn kind_of(pk: &str, sk: &str) -> &'static str {
    match (pk.split('#').next().unwrap(), sk.split('#').next().unwrap()) {
        ("ORGANIZATIONS", _) => "directory",
        ("KEY", _) => "API key",
        ("ENDPOINT", _) => "endpoint",
        (_, "KEY") => "API key listed",
        (_, "ENDPOINT") => "endpoint listed",
        (_, "PROGRAM") => "program",
        (_, "TERMS") => "terms",
        (_, "REPORT") => "report",
        (_, "PARTICIPANT") => "participant",
        (_, "L") if sk.ends_with("#~") => "snapshot",
        (_, "L") if sk.contains('.') => "entry",
        (_, "L") => "reward",
        (_, "CODE") => "code",
        (_, "REFEREE") => "referee",
        (_, "CUSTOMER") => "customer",
        (_, "SOURCE") => "source",
        _ => panic!("{pk} {sk} is of no known kind"),
    }
}
