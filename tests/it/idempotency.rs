//! Repeated calls: the same again is answered the same, another under the same name is told apart.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{Answer, Participant, Tenant, World, percent_rule};

async fn keyed(caller: &Tenant, path: &str, body: &Value, key: &str) -> Answer {
    caller.send("POST", path, body.to_string(), &[("idempotency-key", key)]).await
}

/// Every route that takes an Idempotency-Key, with the bearer token it needs, a body, and another one.
fn creations(world: &World, tenant: &Tenant) -> Vec<(Tenant, &'static str, Value, Value)> {
    let program = |name: &str| json!({"name": name, "terms": percent_rule("10")});
    let endpoint = |secret: &str| json!({"processor": "stripe", "livemode": false, "secrets": [secret]});
    let root = world.tenant_with(world.stage.root_key().to_owned());
    vec![
        (root, "/v1/organizations", json!({"name": "One"}), json!({"name": "Two"})),
        (tenant.clone(), "/v1/api-keys", json!({"name": "one"}), json!({"name": "two"})),
        (tenant.clone(), "/v1/programs", program("One"), program("Two")),
        (
            tenant.clone(),
            "/v1/webhook-endpoints",
            endpoint(tests::STRIPE_SECRET),
            endpoint("whsec_of_somebody_else"),
        ),
        (
            tenant.clone(),
            "/v1/event-destinations",
            json!({"url": "https://example.com/one"}),
            json!({"url": "https://example.com/two"}),
        ),
    ]
}

#[tokio::test]
async fn a_repeated_creation_is_answered_with_what_the_first_one_made() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    for (caller, path, body, other) in creations(&world, &tenant) {
        let first = keyed(&caller, path, &body, "one").await;
        assert_eq!(first.headers["idempotent-replayed"], "false", "{path}");
        let first = first.created();
        let rows = world.snapshot().await;
        // Later, and after the caches have gone cold.
        world.advance(61).await;
        for _ in 0..2 {
            let again = keyed(&caller, path, &body, "one").await;
            assert_eq!(again.headers["idempotent-replayed"], "true", "{path}");
            assert_eq!(again.created(), first, "{path}");
        }
        keyed(&caller, path, &other, "one").await.refused(422, "idempotency_mismatch");
        assert_eq!(world.snapshot().await, rows, "{path}");
        // Another key, or none, makes another.
        let second = keyed(&caller, path, &body, "two").await.created();
        let third = caller.post(path, body.clone()).await.created();
        let fourth = caller.post(path, body.clone()).await.created();
        let ids = [&first, &second, &third, &fourth].map(|body| body["id"].as_str().unwrap().to_owned());
        assert_eq!(BTreeSet::from(ids).len(), 4, "{path}");
    }
}

#[tokio::test]
async fn the_secret_that_is_answered_again_works() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let root = world.tenant_with(world.stage.root_key().to_owned());
    let name = json!({"name": "One"});
    keyed(&root, "/v1/organizations", &name, "one").await.created();
    let again = keyed(&root, "/v1/organizations", &name, "one").await.created();
    let opened = world.tenant_with(again["api_key"]["secret"].as_str().unwrap().to_owned());
    assert_eq!(opened.get("/v1/api-keys").await.ok()["data"][0]["id"], again["api_key"]["id"]);

    keyed(&tenant, "/v1/api-keys", &name, "one").await.created();
    let again = keyed(&tenant, "/v1/api-keys", &name, "one").await.created();
    let opened = world.tenant_with(again["secret"].as_str().unwrap().to_owned());
    assert_eq!(opened.get("/v1/api-keys").await.ok(), tenant.get("/v1/api-keys").await.ok());
}

#[tokio::test]
async fn the_same_idempotency_key_of_two_organizations_makes_two_things() {
    let world = World::start().await;
    let (one, two) = (world.tenant().await, world.tenant().await);
    for (caller, path, body, _) in creations(&world, &one).into_iter().skip(1) {
        let first = keyed(&caller, path, &body, "one").await.created();
        let second = keyed(&two, path, &body, "one").await;
        assert_eq!(second.headers["idempotent-replayed"], "false", "{path}");
        assert_ne!(second.created()["id"], first["id"], "{path}");
    }
    // Nor does one key mean the same on two routes.
    let ids = |list: Value| list["data"].as_array().unwrap().len();
    assert_eq!(ids(one.get("/v1/programs").await.ok()), 1);
    assert_eq!(ids(one.get("/v1/api-keys").await.ok()), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creations_that_race_under_one_key_make_one_thing() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    for (caller, path, body, _) in creations(&world, &tenant) {
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (caller, body) = (caller.clone(), body.clone());
            calls.spawn(async move { keyed(&caller, path, &body, "one").await });
        }
        let (mut ids, mut first) = (BTreeSet::new(), 0);
        while let Some(answer) = calls.join_next().await {
            let answer = answer.unwrap();
            first += usize::from(answer.headers["idempotent-replayed"] == "false");
            ids.insert(answer.created()["id"].as_str().unwrap().to_owned());
        }
        assert_eq!((ids.len(), first), (1, 1), "{path}");
    }
}

#[tokio::test]
async fn a_participant_keeps_its_code() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule("10")).await;
    let path = format!("/v1/programs/{program}/participants/anna");
    let first = tenant.call("PUT", &path, Some(&json!({"name": "Anna"}))).await.created();
    let rows = world.snapshot().await;
    for body in [json!({"name": "Anna"}), json!({"name": "Somebody else"}), json!({})] {
        assert_eq!(tenant.call("PUT", &path, Some(&body)).await.ok(), first);
    }
    assert_eq!(world.snapshot().await, rows);
    // Of another program, the same account is another participant.
    let other = tenant.program(percent_rule("10")).await;
    let elsewhere = tenant.enrol(&other, "anna", "Anna").await;
    assert_ne!(first["id"], elsewhere.id.as_str());
    assert_ne!(first["code"], elsewhere.code.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enrolments_of_one_participant_that_race_give_one_code() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let path = format!("/v1/programs/{}/participants/anna", tenant.program(percent_rule("10")).await);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..32 {
        let (tenant, path) = (tenant.clone(), path.clone());
        calls.spawn(async move {
            tenant.call("PUT", &path, Some(&json!({"name": format!("Anna {number}")}))).await
        });
    }
    let (mut created, mut answers) = (0, BTreeSet::new());
    while let Some(answer) = calls.join_next().await {
        let answer = answer.unwrap();
        created += usize::from(answer.status == 201);
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        answers.insert(answer.body.to_string());
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(created, 1);
    // Nor is there a second code that nobody was told.
    let codes = world.snapshot().await.into_keys().filter(|(_, sk)| sk == "CODE").count();
    assert_eq!(codes, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_participants_share_a_code() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule("10")).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..200 {
        let (tenant, program) = (tenant.clone(), program.clone());
        calls.spawn(async move { tenant.enrol(&program, &format!("anna-{number}"), "Anna").await });
    }
    let (mut codes, mut ids) = (BTreeSet::new(), BTreeSet::new());
    while let Some(participant) = calls.join_next().await {
        let participant = participant.unwrap();
        codes.insert(participant.code);
        ids.insert(participant.id);
    }
    assert_eq!((codes.len(), ids.len()), (200, 200));
    for code in codes {
        assert!(code.starts_with("ANN-"), "{code}");
        let known = tenant.get(&format!("/v1/codes/{}", code.to_lowercase().replace('-', ""))).await.ok();
        assert!(
            ids.remove(known["participant"].as_str().unwrap()),
            "{code} is told to be another's: {known}"
        );
    }
}

#[tokio::test]
async fn a_participant_whose_code_was_taken_meanwhile_gets_another_one() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    // As after a crash between the two writes of an enrolment, and the same code drawn by somebody else since.
    let organization = world.organization(&tenant).await;
    let rows = world.snapshot().await;
    let mut code =
        rows[&(format!("{organization}#CODE#{}", anna.code.replace('-', "")), "CODE".to_owned())].clone();
    let other = format!("prt_{}", "0".repeat(26));
    code.insert("participant".to_owned(), aws_sdk_dynamodb::types::AttributeValue::S(other));
    world.put_row(code).await;
    let path = format!("/v1/programs/{program}/participants/anna");
    let again = tenant.call("PUT", &path, Some(&json!({}))).await.ok();
    assert_ne!(again["code"], anna.code.as_str());
    assert_eq!(again["id"], anna.id.as_str());
    let known = tenant.get(&format!("/v1/codes/{}", again["code"].as_str().unwrap())).await.ok();
    assert_eq!(known["participant"], anna.id.as_str());
    assert_eq!(tenant.call("PUT", &path, Some(&json!({}))).await.ok(), again);
}

#[tokio::test]
async fn a_sign_up_is_taken_once() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    let first = tenant.sign_up("ben", &anna.code).await.created();
    let rows = world.snapshot().await;
    world.advance(61).await;
    let typed = anna.code.to_lowercase().replace('-', " ");
    for code in [&anna.code, &typed] {
        assert_eq!(tenant.sign_up("ben", code).await.ok(), first);
    }
    tenant.sign_up("ben", "ZZZ-2345").await.refused(409, "already_referred");
    tenant.post("/v1/track/signup", json!({"external_id": "ben"})).await.refused(409, "already_referred");
    assert_eq!(world.snapshot().await, rows);

    let organic = json!({"external_id": "carl"});
    let first = tenant.post("/v1/track/signup", organic.clone()).await.created();
    assert_eq!(tenant.post("/v1/track/signup", organic).await.ok(), first);
}

#[tokio::test]
async fn an_organization_has_at_most_twenty_keys_and_never_none() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let name = |number: i32| json!({"name": format!("key {number}")});
    let mut ids = Vec::new();
    for number in 1..20 {
        let made = keyed(&tenant, "/v1/api-keys", &name(number), &number.to_string()).await.created();
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let rows = world.snapshot().await;
    tenant.post("/v1/api-keys", name(20)).await.refused(409, "too_many_api_keys");
    assert_eq!(world.snapshot().await, rows);
    // The repetition of one that was made is still answered.
    keyed(&tenant, "/v1/api-keys", &name(7), "7").await.created();

    for id in &ids {
        for _ in 0..2 {
            assert_eq!(tenant.call("DELETE", &format!("/v1/api-keys/{id}"), None).await.status, 204);
        }
    }
    let listed = tenant.get("/v1/api-keys").await.ok();
    let listed = listed["data"].as_array().unwrap();
    assert_eq!(listed.len(), 20);
    let active: Vec<&Value> = listed.iter().filter(|key| key["revoked_at"].is_null()).collect();
    assert_eq!(active.len(), 1);
    let last = format!("/v1/api-keys/{}", active[0]["id"].as_str().unwrap());
    tenant.call("DELETE", &last, None).await.refused(409, "last_api_key");
    tenant.get("/v1/programs").await.ok();
}

#[tokio::test]
async fn the_key_limits_hold_for_an_organization_that_has_replaced_many() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    // A key a day leaves ninety revoked ones on record, and more when they are replaced more often.
    for number in 0..120 {
        let made = tenant.post("/v1/api-keys", json!({"name": format!("key {number}")})).await.created();
        let path = format!("/v1/api-keys/{}", made["id"].as_str().unwrap());
        assert_eq!(tenant.call("DELETE", &path, None).await.status, 204);
    }
    let listed = tenant.get("/v1/api-keys").await.ok();
    let listed = listed["data"].as_array().unwrap();
    assert_eq!(listed.len(), 121);
    let active: Vec<&Value> = listed.iter().filter(|key| key["revoked_at"].is_null()).collect();
    assert_eq!(active.len(), 1);
    let last = format!("/v1/api-keys/{}", active[0]["id"].as_str().unwrap());
    tenant.call("DELETE", &last, None).await.refused(409, "last_api_key");
}

#[tokio::test]
async fn a_key_that_is_revoked_stops_working_within_half_a_minute() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    let made = tenant.post("/v1/api-keys", json!({"name": "short-lived"})).await.created();
    let other = world.tenant_with(made["secret"].as_str().unwrap().to_owned());
    // Every function has seen the key.
    let paths = [format!("/v1/participants/{}", anna.id), "/v1/programs".to_owned()];
    for path in &paths {
        other.get(path).await.ok();
    }
    other.sign_up("ben", &anna.code).await.created();
    other.pay("ben", "in_1", 1_000).await.ok();
    tenant.call("DELETE", &format!("/v1/api-keys/{}", made["id"].as_str().unwrap()), None).await;
    world.advance(aws::CACHE_SECONDS).await;
    for path in &paths {
        other.get(path).await.refused(401, "unauthorized");
    }
    other.sign_up("ben", &anna.code).await.refused(401, "unauthorized");
    other.pay("ben", "in_1", 1_000).await.refused(401, "unauthorized");
}

#[tokio::test]
async fn the_same_terms_again_make_no_further_version() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let path = format!("/v1/programs/{}", tenant.program(percent_rule("10")).await);
    let patch = async |body: &Value| tenant.call("PATCH", &path, Some(body)).await.ok();
    let unchanged = patch(&json!({"terms": percent_rule("10")})).await;
    assert_eq!((&unchanged["terms"]["version"], &unchanged["next_terms"]), (&json!(1), &Value::Null));
    for _ in 0..2 {
        let changed = patch(&json!({"terms": percent_rule("20"), "status": "paused"})).await;
        assert_eq!(changed["next_terms"]["version"], 2);
        assert_eq!(changed["next_status"]["status"], "paused");
    }
    world.advance(61).await;
    let changed = patch(&json!({"terms": percent_rule("20"), "status": "paused"})).await;
    assert_eq!((&changed["terms"]["version"], &changed["next_terms"]), (&json!(2), &Value::Null));
    assert_eq!((&changed["status"], &changed["next_status"]), (&json!("paused"), &Value::Null));
    let versions = world.snapshot().await.into_keys().filter(|(_, sk)| sk.starts_with("TERMS#")).count();
    assert_eq!(versions, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_program_that_race_are_all_taken() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let path = format!("/v1/programs/{}", tenant.program(percent_rule("10")).await);
    let mut calls = tokio::task::JoinSet::new();
    for percent in 1..=6 {
        let (tenant, path) = (tenant.clone(), path.clone());
        let body = json!({"terms": percent_rule(&percent.to_string())});
        calls.spawn(async move { tenant.call("PATCH", &path, Some(&body)).await.ok() });
    }
    let mut versions = BTreeSet::new();
    while let Some(answer) = calls.join_next().await {
        versions.insert(answer.unwrap()["next_terms"]["version"].as_i64().unwrap());
    }
    assert_eq!(versions, (2..=7).collect());
}

/// A product in which there is something to do by hand: a program, its participants, rewards that wait.
struct Office {
    world: World,
    tenant: Tenant,
    program: String,
    anna: tests::Participant,
    bob: tests::Participant,
    /// Rewards that wait for approval, and one that was delivered.
    waiting: Vec<String>,
    delivered: String,
    /// One that could not be delivered.
    failed: String,
    partners: tests::Partners,
}

impl Office {
    async fn open() -> Self {
        let world = World::start().await;
        let tenant = world.tenant().await;
        let partners = tests::Partners::open(&world, &tenant).await;
        let fixed = json!({"fixed": {"amount": 300, "currency": "USD"}});
        let waits = |id: &str| json!({"id": id, "approval": "manual", "amount": fixed});
        let terms = json!({"rules": [waits("a"), waits("b"), {"id": "c", "amount": fixed},
            {"id": "booking", "trigger": "booking_completed", "amount": fixed},
            {"id": "partner", "trigger": "payout_recorded", "amount": {"percentage": {"percent": "10", "basis": "payout"}}}]});
        let program = tenant.program(terms).await;
        let (anna, bob) =
            (tenant.enrol(&program, "anna", "Anna").await, tenant.enrol(&program, "bob", "Bob").await);
        tenant.sign_up("ben", &anna.code).await.created();
        tenant.post("/v1/track/signup", json!({"external_id": "carl"})).await.created();
        let paid = tenant.pay("ben", "in_1", 10_000).await.ok();
        let posted = paid["posted"].as_array().unwrap().iter();
        let mut waiting: Vec<String> =
            posted.map(|line| line["reward"].as_str().unwrap().to_owned()).collect();
        let delivered = waiting.pop().unwrap();
        let gift = |kind: &str| json!({"amount": {"amount": 5, "currency": "USD"}, "kind": kind, "actor": "admin", "reason": "x"});
        let path = format!("/v1/participants/{}/rewards", bob.id);
        keyed(&tenant, &path, &gift("allowance"), "office-allowance").await.created();
        let failed = keyed(&tenant, &path, &gift("invoice_credit"), "office-credit").await.created();
        let failed = failed["id"].as_str().unwrap().to_owned();
        world.drain().await;
        Self { world, tenant, program, anna, bob, waiting, delivered, failed, partners }
    }

    /// Every row, but for secrets: the same one is sealed otherwise each time.
    async fn rows(&self) -> Vec<aws::store::Item> {
        let mut rows: Vec<_> = self.world.snapshot().await.into_values().collect();
        rows.iter_mut().for_each(|row| drop(row.remove("sealed_secrets")));
        rows
    }

    /// A campaign's path, and two tasks.
    async fn outreach(&self) -> (String, [String; 2]) {
        let rules = json!([{"id": "call", "trigger": "signup", "kind": "task"}]);
        let program = self.tenant.program(json!({"rules": rules})).await;
        let tess = self.tenant.enrol(&program, "tess", "Tess").await;
        for referee in ["uwe", "vera"] {
            self.tenant.sign_up(referee, &tess.code).await.created();
        }
        self.world.drain().await;
        let tasks = self.tenant.get("/v1/tasks").await.ok();
        let id = |body: &Value| body["id"].as_str().unwrap().to_owned();
        let step = json!({"after_days": 300, "message": {"text": "Share"}});
        let body =
            json!({"program": program, "name": "Spring", "audience": "all_participants", "steps": [step]});
        let campaign = self.tenant.post("/v1/campaigns", body).await.created();
        (format!("/v1/campaigns/{}", id(&campaign)), [0, 1].map(|index| id(&tasks["data"][index])))
    }

    /// Every call that changes something and is told apart by what it names, in an order in which each can be made.
    async fn calls(&self) -> Vec<(&'static str, String, Value)> {
        let program = format!("/v1/programs/{}", self.program);
        let now = self.world.now().await;
        let by = json!({"actor": "admin", "reason": "looked into it"});
        let reward = |index: usize, what: &str| format!("/v1/rewards/{}/{what}", self.waiting[index]);
        let customer = json!({"processor": "stripe", "id": "cus_1"});
        let endpoint = json!({"processor": "stripe", "secrets": [tests::STRIPE_SECRET]});
        let endpoint = self.tenant.post("/v1/webhook-endpoints", endpoint).await.created();
        let endpoint = format!("/v1/webhook-endpoints/{}", endpoint["id"].as_str().unwrap());
        let destination = json!({"url": "https://example.com/", "events": ["fraud.flagged"]});
        let destination = self.tenant.post("/v1/event-destinations", destination).await.created();
        let destination = format!("/v1/event-destinations/{}", destination["id"].as_str().unwrap());
        let key = self.tenant.post("/v1/api-keys", json!({"name": "other"})).await.created();
        let terms = json!({"terms": percent_rule("20")});
        let organization = self.world.organization(&self.tenant).await;
        self.world.put_discount(&organization, &self.anna.id, "2345CDFHJKMN").await;
        let (campaign, tasks) = self.outreach().await;
        let task = |index: usize, what: &str| format!("/v1/tasks/{}/{what}", tasks[index]);
        let connection = "/v1/processor-connections/stripe";
        let invoice = |index: usize, action: &str| {
            format!("/v1/partner-invoices/{}/{action}", self.partners.invoices[index])
        };
        let payout = |rest: &str, batch: &str| format!("/v1/payout-batches/{batch}{rest}");
        let line = |participant: &Participant, mark: &str| format!("/lines/{}/{mark}", participant.id);
        let mark = json!({"reference": "tr_1", "actor": "payouts", "reason": "as the bank says"});
        let marks = json!({"actor": "payouts", "reason": "as the bank says", "marks": [
            {"participant": self.partners.pia.id, "status": "paid", "reference": "tr_1"}]});
        vec![
            ("PATCH", campaign.clone(), json!({"status": "paused"})),
            ("PATCH", campaign, json!({"status": "ended"})),
            ("POST", task(0, "done"), by.clone()),
            ("POST", task(1, "dismiss"), by.clone()),
            ("POST", invoice(0, "finalize"), by.clone()),
            ("POST", invoice(0, "pay"), by.clone()),
            ("POST", invoice(1, "void"), by.clone()),
            ("POST", payout("/cancel", &self.partners.cancelled), by.clone()),
            ("POST", payout(&line(&self.partners.pia, "paid"), &self.partners.batch), mark.clone()),
            ("POST", payout(&line(&self.partners.petra, "failed"), &self.partners.batch), mark),
            ("POST", payout("/lines/bulk", &self.partners.batch), marks),
            ("PATCH", program.clone(), json!({"name": "Renamed", "terms": percent_rule("11")})),
            ("PUT", format!("{program}/groups/gold"), terms.clone()),
            ("POST", format!("{program}/simulate"), json!({"events": []})),
            (
                "PUT",
                format!("{program}/participants/dora"),
                json!({"name": "Dora", "customers": {"stripe": "cus_2"}}),
            ),
            ("PUT", connection.into(), json!({"api_key": "sk_test_000000000000004242"})),
            ("DELETE", connection.into(), json!({})),
            ("POST", "/v1/discounts/2345-CDFH-JKMN/redeem".into(), json!({"reference": "order_1"})),
            (
                "PATCH",
                format!("/v1/participants/{}", self.anna.id),
                json!({"customers": {"stripe": "cus_3"}}),
            ),
            (
                "POST",
                format!("{program}/codes"),
                json!({"code": "SUMMER25", "participant": "anna", "max_uses": 3}),
            ),
            ("PUT", "/v1/promotions/stripe/promo_1".to_owned(), json!({"code": self.anna.code})),
            ("PATCH", format!("/v1/participants/{}", self.anna.id), json!({"group": "gold"})),
            ("PATCH", format!("/v1/participants/{}", self.anna.id), terms),
            ("PATCH", format!("/v1/participants/{}", self.anna.id), json!({"disabled": true, "terms": null})),
            (
                "POST",
                "/v1/track/touch".into(),
                json!({"visitor_id": "v-1", "code": self.bob.code, "occurred_at": now}),
            ),
            (
                "POST",
                "/v1/track/signup".into(),
                json!({"external_id": "emil", "visitor_id": "v-1", "customer": customer}),
            ),
            ("POST", "/v1/track/signup".into(), json!({"external_id": "fred", "code": "SUMMER25"})),
            ("PUT", "/v1/referrals/carl".into(), json!({"program": self.program, "referrer": "bob"})),
            ("DELETE", "/v1/referrals/carl".into(), json!({})),
            ("PUT", "/v1/referrals/gina".into(), json!({"program": self.program, "referrer": "bob"})),
            (
                "POST",
                "/v1/track/invoice-paid".into(),
                json!({"invoice_id": "in_2", "external_id": "ben",
                "amount_paid": 10_000, "currency": "USD", "labels": {"plans": ["pro"]}}),
            ),
            (
                "POST",
                "/v1/track/refund".into(),
                json!({"refund_id": "re_1", "invoice_id": "in_2", "amount": 10_000,
                "currency": "USD"}),
            ),
            (
                "POST",
                "/v1/track/dispute".into(),
                json!({"dispute_id": "dp_1", "invoice_id": "in_3", "payment_id": "pi_3", "amount": 500,
                    "currency": "USD", "status": "open"}),
            ),
            (
                "POST",
                "/v1/track/credit".into(),
                json!({"credit_id": "cn_1", "invoice_id": "in_3", "amount": 500, "currency": "USD"}),
            ),
            ("POST", "/v1/track/batch".into(), batch()),
            ("POST", "/v1/track/void".into(), json!({"invoice_id": "in_3"})),
            (
                "POST",
                "/v1/track/event".into(),
                json!({"name": "booking_completed", "event_id": "b-1",
                "external_id": "ben"}),
            ),
            (
                "POST",
                "/v1/track/event".into(),
                json!({"name": "booking_completed", "event_id": "b-1",
                "external_id": "ben", "cancelled": true}),
            ),
            (
                "POST",
                "/v1/track/payout".into(),
                json!({"payout_id": "p-1", "external_id": "ben", "payout": 10_000,
                "currency": "USD"}),
            ),
            (
                "POST",
                "/v1/track/payout".into(),
                json!({"payout_id": "p-1", "external_id": "ben", "payout": 5_000,
                "revision": 1, "currency": "USD"}),
            ),
            (
                "POST",
                "/v1/track/payout".into(),
                json!({"payout_id": "p-2", "external_id": "nobody", "revenue": 5_000,
                "currency": "USD"}),
            ),
            (
                "PUT",
                format!("/v1/exchange-rates/{}", self.world.now().await.date_naive()),
                json!({"currency": "USD", "rates": {"EUR": "1.0843", "JPY": "0.0067"}}),
            ),
            ("POST", reward(0, "approve"), by.clone()),
            ("POST", reward(1, "reject"), by.clone()),
            ("POST", format!("/v1/rewards/{}/reverse", self.delivered), by.clone()),
            ("POST", format!("/v1/rewards/{}/fulfill", self.failed), by.clone()),
            (
                "POST",
                "/v1/rewards/bulk".into(),
                json!({"action": "reject", "rewards": [self.waiting[1]], "actor": "admin", "reason": "no"}),
            ),
            (
                "POST",
                format!("/v1/participants/{}/redemptions", self.bob.id),
                json!({"reference": "order_1", "amount": {"amount": 1, "currency": "USD"}}),
            ),
            ("POST", format!("/v1/participants/{}/redemptions/order_1/return", self.bob.id), by),
            ("POST", "/v1/events/invoice:stripe:in_1/replay".into(), json!({"dry_run": false})),
            ("PATCH", endpoint.clone(), json!({"secrets": [tests::STRIPE_SECRET]})),
            ("DELETE", endpoint, json!({})),
            (
                "PATCH",
                destination.clone(),
                json!({"url": "https://example.com/", "events": ["report.ready"]}),
            ),
            ("PATCH", destination.clone(), json!({"status": "disabled", "description": null})),
            ("PATCH", destination.clone(), json!({"status": "enabled"})),
            ("DELETE", destination, json!({})),
            ("DELETE", format!("/v1/api-keys/{}", key["id"].as_str().unwrap()), json!({})),
        ]
    }
}

/// A paid invoice with all that can be said of one, and a refund of it.
fn batch() -> Value {
    json!({"items": [
        {"type": "invoice_paid", "invoice_id": "in_3", "external_id": "ben", "amount_paid": 10_000, "currency": "USD",
            "out_of_band": true, "payments": [{"payment_id": "pi_3", "amount": 10_000}],
            "lines": [{"line_id": "il_1", "amount": 10_000, "plan": "pro"}]},
        {"type": "refund", "refund_id": "re_3", "invoice_id": "in_3", "amount": 2_000, "currency": "USD"}]})
}

#[tokio::test]
async fn every_call_with_a_name_of_its_own_has_one_effect_however_often_it_is_made() {
    let office = Office::open().await;
    let mut made = BTreeSet::new();
    for (method, path, body) in office.calls().await {
        let first = office.tenant.call(method, &path, Some(&body)).await;
        assert!(matches!(first.status, 200..=204), "{method} {path} {body}: {first:?}");
        office.world.drain().await;
        let rows = office.rows().await;
        for _ in 0..2 {
            let again = office.tenant.call(method, &path, Some(&body)).await;
            let goes = ["/v1/webhook-endpoints", "/v1/processor-connections", "/v1/event-destinations"];
            if goes.iter().any(|goes| path.starts_with(goes)) && method == "DELETE" {
                // What is gone is not there to be removed.
                assert!(matches!(again.status, 204 | 404), "{again:?}");
                continue;
            }
            assert!(matches!(again.status, 200..=204), "{method} {path} {body}: {again:?}");
            assert_same(&path, &first, &again);
        }
        office.world.drain().await;
        assert!(office.rows().await == rows, "{method} {path} {body} had another effect");
        made.insert(format!("{method} {path}"));
    }
    // Creations are told apart by an Idempotency-Key, and webhooks by their events; there are tests of their own for both.
    let creations = [
        "organizations",
        "api-keys",
        "programs",
        "webhook-endpoints",
        "event-destinations",
        "event-destinations/{id}/rotate-secret",
        "campaigns",
        "participants/{id}/rewards",
        "billing-runs",
        "payout-batches",
        "checks",
        "participants/{id}/tokens",
    ];
    made.extend(creations.map(|path| format!("POST /v1/{path}")));
    // An event is delivered again as often as that is asked for, but for while it is being delivered: in the tests of webhooks.
    made.insert("POST /v1/event-destinations/{id}/deliveries/{delivery}/replay".to_owned());
    made.extend(
        ["stripe", "paddle", "chargebee"].map(|name| format!("POST /v1/webhooks/{name}/{{endpoint}}")),
    );
    // Links to unsubscribe are made for participants: in the tests of notifications.
    made.insert("POST /v1/unsubscribe/{token}".to_owned());
    // Whoever lets a delivery be tried again, after it has failed again, has it tried once more.
    made.insert("POST /v1/rewards/{id}/retry".to_owned());
    let routes = office.world.call("GET", "/_local/routes", None, None).await.ok();
    for route in routes.as_array().unwrap().iter().filter(|route| route["method"] != "GET") {
        let (method, path) = (route["method"].as_str().unwrap(), route["path"].as_str().unwrap());
        let known = made.iter().any(|made| same_route(made, &format!("{method} {path}")));
        assert!(known, "{method} {path} is never repeated");
    }
}

fn same_route(made: &str, route: &str) -> bool {
    let (made, route) = (made.split('/').collect::<Vec<_>>(), route.split('/').collect::<Vec<_>>());
    made.len() == route.len()
        && made.iter().zip(&route).all(|(made, route)| route.starts_with('{') || made == route)
}

/// The same answer, but for what says that it is a repetition and for how far a delivery has come since.
fn assert_same(path: &str, first: &Answer, again: &Answer) {
    let (mut first, mut again) = (first.body.clone(), again.body.clone());
    if path.starts_with("/v1/track/") && first.get("duplicate").is_some() {
        assert_eq!((&again["duplicate"], &again["posted"]), (&json!(true), &json!([])), "{path}");
        for body in [&mut first, &mut again] {
            (body["duplicate"], body["posted"]) = (Value::Null, Value::Null);
        }
    }
    if path.ends_with("/batch") {
        let items = first["results"].as_array_mut().unwrap().iter_mut();
        for (first, again) in items.zip(again["results"].as_array_mut().unwrap()) {
            assert_eq!(
                (&again["result"]["duplicate"], &again["result"]["posted"]),
                (&json!(true), &json!([]))
            );
            for item in [first, again] {
                (item["result"]["duplicate"], item["result"]["posted"]) = (Value::Null, Value::Null);
                // An item is answered by what stood when it was taken; the second time, all of them stand.
                (item["result"]["reason"], item["result"]["explanation"]) = (Value::Null, Value::Null);
            }
        }
    }
    if path.ends_with("/approve") {
        assert_eq!((&first["state"], &again["state"]), (&json!("approved"), &json!("fulfilled")));
        for body in [&mut first, &mut again] {
            (body["state"], body["fulfilled_at"]) = (Value::Null, Value::Null);
        }
    }
    assert_eq!(again, first, "{path}");
}

#[tokio::test]
async fn a_gift_is_told_by_its_key_its_body_and_its_participant() {
    let office = Office::open().await;
    let (world, tenant) = (&office.world, &office.tenant);
    let gift = |amount: i64| json!({"amount": {"amount": amount, "currency": "USD"}, "actor": "admin", "reason": "by phone"});
    let path = |participant: &tests::Participant| format!("/v1/participants/{}/rewards", participant.id);
    let first = keyed(tenant, &path(&office.anna), &gift(500), "one").await.created();
    world.drain().await;
    let rows = world.snapshot().await;
    world.advance(61).await;
    for _ in 0..2 {
        let again = keyed(tenant, &path(&office.anna), &gift(500), "one").await.created();
        assert_eq!(again["id"], first["id"]);
        assert_eq!(
            (&again["amount"], &again["note"], &again["recorded_at"]),
            (&first["amount"], &first["note"], &first["recorded_at"])
        );
    }
    keyed(tenant, &path(&office.anna), &gift(501), "one").await.refused(422, "idempotency_mismatch");
    keyed(tenant, &path(&office.bob), &gift(500), "one").await.refused(422, "idempotency_mismatch");
    assert_eq!(world.snapshot().await, rows);
    assert_ne!(keyed(tenant, &path(&office.anna), &gift(500), "two").await.created()["id"], first["id"]);
    // Another organization's keys are its own.
    let other = world.tenant().await;
    let olga = other.with_anna("10").await;
    assert_ne!(keyed(&other, &path(&olga), &gift(7), "one").await.created()["id"], first["id"]);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_part_is_taken_back_once_for_each_key() {
    let office = Office::open().await;
    let (world, tenant) = (&office.world, &office.tenant);
    let path = format!("/v1/rewards/{}/reverse", office.delivered);
    let part = |amount: i64| json!({"amount": {"amount": amount, "currency": "USD"}, "actor": "admin", "reason": "too much"});
    let first = keyed(tenant, &path, &part(100), "one").await.ok();
    assert_eq!(first["amount"]["amount"], 200);
    world.drain().await;
    let rows = world.snapshot().await;
    for _ in 0..2 {
        assert_eq!(keyed(tenant, &path, &part(100), "one").await.ok(), first);
    }
    keyed(tenant, &path, &part(50), "one").await.refused(422, "idempotency_mismatch");
    assert_eq!(world.snapshot().await, rows);
    assert_eq!(keyed(tenant, &path, &part(100), "two").await.ok()["amount"]["amount"], 100);
    // More than stands is not taken.
    assert_eq!(keyed(tenant, &path, &part(500), "three").await.ok()["amount"]["amount"], 0);
    assert_eq!(tenant.figures(&office.anna).await.3, 300);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_promo_code_and_a_payout_say_once_what_they_say() {
    let office = Office::open().await;
    let (world, tenant) = (&office.world, &office.tenant);
    let path = format!("/v1/programs/{}/codes", office.program);
    let promo = |uses: i64, owner: &str| json!({"code": "SUMMER25", "participant": owner, "max_uses": uses});
    tenant.post(&path, promo(3, "anna")).await.created();
    let payout = |amount: i64, revision: i64| json!({"payout_id": "p-1", "external_id": "ben", "payout": amount, "currency": "USD", "revision": revision});
    tenant.post("/v1/track/payout", payout(10_000, 2)).await.ok();
    world.drain().await;
    let rows = world.snapshot().await;
    for (uses, owner) in [(4, "anna"), (3, "bob")] {
        tenant.post(&path, promo(uses, owner)).await.refused(409, "code_taken");
    }
    // An older version of the record changes nothing any more.
    for revision in [0, 1] {
        let older = tenant.post("/v1/track/payout", payout(90_000, revision)).await.ok();
        assert_eq!((&older["duplicate"], &older["posted"]), (&json!(true), &json!([])));
    }
    assert_eq!(world.snapshot().await, rows);
    world.assert_at_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_by_hand_that_race_have_one_effect() {
    let office = Office::open().await;
    let program = &office.program;
    let by = json!({"actor": "admin", "reason": "looked into it"});
    let assign = |referrer: &str| json!({"program": program, "referrer": referrer});
    let promo = |owner: &str| json!({"code": "SUMMER25", "participant": owner});
    let calls = [
        ("PUT", "/v1/referrals/carl".to_owned(), [assign("anna"), assign("bob")]),
        ("POST", format!("/v1/programs/{program}/codes"), [promo("anna"), promo("bob")]),
        (
            "PUT",
            format!("/v1/programs/{program}/groups/gold"),
            [json!({"terms": percent_rule("20")}), json!({"terms": percent_rule("20")})],
        ),
        ("POST", format!("/v1/rewards/{}/approve", office.waiting[0]), [by.clone(), by.clone()]),
        ("POST", format!("/v1/rewards/{}/reject", office.waiting[1]), [by.clone(), by.clone()]),
        ("POST", format!("/v1/rewards/{}/reverse", office.delivered), [by.clone(), by]),
    ];
    for (method, path, bodies) in calls {
        let mut race = tokio::task::JoinSet::new();
        for number in 0..6 {
            let (tenant, path, body) = (office.tenant.clone(), path.clone(), bodies[number % 2].clone());
            race.spawn(async move { tenant.call(method, &path, Some(&body)).await });
        }
        let (mut made, mut answers) = (0, BTreeSet::new());
        while let Some(answer) = race.join_next().await {
            let answer = answer.unwrap();
            assert!(matches!(answer.status, 200 | 201 | 409), "{method} {path}: {answer:?}");
            made += usize::from(answer.status == 201);
            answers.insert((answer.status == 409, answer.body["code"].to_string()));
        }
        assert!(made <= 1, "{method} {path} was made {made} times");
        let refusals = answers.iter().filter(|(refused, _)| *refused).count();
        assert_eq!(refusals, usize::from(bodies[0] != bodies[1]), "{method} {path}: {answers:?}");
    }
    office.world.drain().await;
    assert_eq!(office.tenant.figures(&office.anna).await, (300, 0, 900, 600));
    let groups = office.tenant.get(&format!("/v1/programs/{program}/groups")).await.ok();
    assert_eq!(groups["data"][0]["terms_version"], 2);
    office.world.assert_at_rest().await;
}
