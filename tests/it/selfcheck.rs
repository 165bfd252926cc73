//! The self-check: a sound table has no finding, each kind of corruption is found, and a check that is cut off ends right.

mod corruption;
mod interrupted;

use std::collections::BTreeSet;

use domain::id::{CheckId, OrganizationId};
use serde_json::{Value, json};
use tests::{Participant, Partners, Tenant, World};

const DAY: i64 = 86_400;

/// Rules that count, pay for sign-ups, wait for earnings and pay a second level.
fn counted_terms() -> Value {
    let share = |percent: &str| json!({"percentage": {"percent": percent}});
    json!({"max_referrals": 5, "min_earnings": [{"amount": 1_000, "currency": "USD"}], "rules": [
        {"id": "thanks", "trigger": "signup", "amount": {"fixed": {"amount": 50, "currency": "USD"}}},
        {"id": "commission", "amount": {"tiers": {"by": "qualified_referrals", "on_drop": "revoke",
            "steps": [{"from": 1, "amount": share("10")}]}},
         "limits": {"caps": [{"per": "all_time", "amount": 1_900, "currency": "USD"}], "duration_months": 2}},
        {"id": "bonus", "trigger": "referral_count", "amount": {"milestones": {"on_drop": "revoke",
            "steps": [{"at": 1, "amount": 700, "currency": "USD"}, {"at": 2, "amount": 300, "currency": "USD"}]}}},
        {"id": "welcome", "recipient": "referee", "amount": {"fixed": {"amount": 30, "currency": "USD"}}},
        {"id": "override", "trigger": "reward_earned",
         "amount": {"percentage": {"percent": "50", "basis": "reward"}}}]})
}

/// An organization in which much has happened.
struct Story {
    world: World,
    tenant: Tenant,
    organization: String,
    /// The day on which most of it happened.
    day: String,
}

impl Story {
    /// Partner invoices of one day; the next day refunds before and after delivery, a failed refund, a dispute, rules that
    /// count, a second level, gifts, rewards that were rejected and taken back, sources that wait, and exchange rates.
    async fn tell() -> Self {
        let world = World::start().await;
        let tenant = world.tenant().await;
        Partners::open(&world, &tenant).await;
        let anna = many_lines(&world, &tenant).await;
        let day = world.now().await.date_naive().to_string();
        counted(&world, &tenant).await;
        plain(&world, &tenant, &anna).await;
        converted(&world, &tenant, &day).await;
        world.drain().await;
        world.advance(1_800).await;
        world.drain().await;
        // Who looks at a balance of many lines writes the snapshot.
        tenant.figures(&anna).await;
        let organization = world.organization(&tenant).await;
        Self { world, tenant, organization, day }
    }

    /// Lets the day end with its report and its check.
    async fn end_day(&self) {
        self.world.advance(DAY).await;
        self.world.drain().await;
    }

    /// A check of everything, to its end.
    async fn check(&self) -> Value {
        let answer = self.tenant.post("/v1/checks", json!({})).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        assert_eq!(answer.body["status"], "running");
        self.world.drain().await;
        self.read(answer.body["id"].as_str().unwrap()).await
    }

    /// The check of the story's day, to its end.
    async fn check_day(&self) -> Value {
        let event = json!({"type": "check", "day": self.day});
        self.world.invoke("AggregateReportsFunction", event).await;
        self.world.drain().await;
        self.read(&self.check_of_day()).await
    }

    fn check_of_day(&self) -> String {
        let organization = OrganizationId::parse(&self.organization).unwrap();
        CheckId::derive(&["day", organization.as_str(), &self.day]).to_string()
    }

    async fn read(&self, check: &str) -> Value {
        let check = self.tenant.get(&format!("/v1/checks/{check}")).await.ok();
        assert_eq!(check["status"], "done", "{check}");
        check
    }
}

/// What a check has found: the codes, once each.
fn codes(check: &Value) -> BTreeSet<String> {
    let findings = check["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

fn is_sound(check: &Value) {
    assert_eq!((&check["findings"], &check["found"]), (&json!([]), &json!({})), "{check}");
}

/// Anna with enough delivered rewards for a snapshot.
async fn many_lines(world: &World, tenant: &Tenant) -> Participant {
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    for number in 0..12 {
        tenant.pay("ben", &format!("in_{number}"), 1_000).await.ok();
    }
    world.drain().await;
    anna
}

/// Zoe referred Mia, Mia referred Ned and Otto: counters, milestones, caps and a second level.
async fn counted(world: &World, tenant: &Tenant) {
    let program = tenant.program(counted_terms()).await;
    let zoe = tenant.enrol(&program, "zoe", "Zoe").await;
    let mia = tenant.enrol(&program, "mia", "Mia").await;
    tenant.sign_up("mia", &zoe.code).await.created();
    for referee in ["ned", "otto"] {
        tenant.sign_up(referee, &mia.code).await.created();
        tenant.pay(referee, &format!("in_{referee}"), 12_000).await.ok();
    }
    world.drain().await;
    tenant.refund("re_ned", "in_ned", 4_000).await.ok();
    tenant.refund("re_otto", "in_otto", 12_000).await.ok();
    world.drain().await;
}

/// Refunds, a dispute, a failed refund, gifts, and what is rejected and taken back by hand.
async fn plain(world: &World, tenant: &Tenant, anna: &Participant) {
    tenant.refund("re_1", "in_1", 400).await.ok();
    let failed = json!({"refund_id": "re_1", "processor": "stripe", "invoice_id": "in_1", "amount": 400,
        "currency": "USD", "status": "failed"});
    tenant.post("/v1/track/refund", failed).await.ok();
    tenant.refund("re_2", "in_2", 1_000).await.ok();
    tenant.pay("ben", "in_20", 5_000).await.ok();
    // Before its delivery or just after it, whichever comes first.
    tenant.refund("re_20", "in_20", 1_000).await.ok();
    // Nobody has heard of this payer yet.
    assert_eq!(tenant.pay("stranger", "in_30", 5_000).await.status, 202);
    let gift = |amount: i64| json!({"amount": {"amount": amount, "currency": "USD"}, "actor": "admin", "reason": "thanks"});
    let path = format!("/v1/participants/{}/rewards", anna.id);
    let key = [("idempotency-key", "gift-1")];
    let given = tenant.send("POST", &path, gift(900).to_string(), &key).await.created();
    world.drain().await;
    let path = format!("/v1/rewards/{}/reverse", given["id"].as_str().unwrap());
    let key = [("idempotency-key", "back-1")];
    tenant.send("POST", &path, gift(250).to_string(), &key).await.ok();
    let manual = json!({"rules": [{"id": "manual", "approval": "manual",
        "amount": {"fixed": {"amount": 400, "currency": "USD"}}}]});
    let program = tenant.program(manual).await;
    let eve = tenant.enrol(&program, "eve", "Eve").await;
    tenant.sign_up("fay", &eve.code).await.created();
    for invoice in ["in_40", "in_41", "in_42"] {
        tenant.pay("fay", invoice, 1_000).await.ok();
    }
    let list = tenant.get(&format!("/v1/rewards?participant={}", eve.id)).await.ok();
    let by = json!({"actor": "admin", "reason": "looked at"});
    for (reward, action) in list["data"].as_array().unwrap().iter().zip(["approve", "reject"]) {
        tenant
            .post(&format!("/v1/rewards/{}/{action}", reward["id"].as_str().unwrap()), by.clone())
            .await
            .ok();
    }
    // Taken back before its delivery, and given anew.
    tenant.refund("re_42", "in_42", 1_000).await.ok();
    let failed = json!({"refund_id": "re_42", "processor": "stripe", "invoice_id": "in_42", "amount": 1_000,
        "currency": "USD", "status": "failed"});
    tenant.post("/v1/track/refund", failed).await.ok();
}

/// Payments that are converted, one of which waits for its rate.
async fn converted(world: &World, tenant: &Tenant, day: &str) {
    let terms = json!({"payout_currency": "USD", "rules": [
        {"id": "share", "amount": {"percentage": {"percent": "10"}}}]});
    let program = tenant.program(terms).await;
    let hal = tenant.enrol(&program, "hal", "Hal").await;
    tenant.sign_up("ivy", &hal.code).await.created();
    for (invoice, currency) in [("in_50", "EUR"), ("in_51", "GBP")] {
        let body = json!({"invoice_id": invoice, "processor": "stripe", "external_id": "ivy",
            "amount_paid": 8_000, "currency": currency});
        assert_eq!(tenant.post("/v1/track/invoice-paid", body).await.status, 202);
    }
    let rates = json!({"currency": "USD", "rates": {"EUR": "1.25"}});
    tenant.call("PUT", &format!("/v1/exchange-rates/{day}"), Some(&rates)).await.ok();
    world.drain().await;
}

#[tokio::test]
async fn sound_books_have_no_finding_by_day_and_as_a_whole() {
    let story = Story::tell().await;
    story.world.assert_at_rest().await;
    let open = story.check().await;
    is_sound(&open);
    story.end_day().await;
    // The schedule has checked the day by itself.
    let nightly = story.read(&story.check_of_day()).await;
    is_sound(&nightly);
    story.end_day().await;
    let whole = story.check().await;
    is_sound(&whole);
    is_sound(&story.check_day().await);
    let count = |check: &Value, name: &str| check["checked"][name].as_u64().unwrap();
    let rows = story.world.rows().await;
    let of_kind = |kind: &str| -> Vec<&aws::store::Item> {
        rows.iter().filter(|row| row.get("kind").is_some_and(|found| found.as_s().unwrap() == kind)).collect()
    };
    let (rewards, entries) = (of_kind("reward"), of_kind("entry"));
    let ledgers: BTreeSet<&String> = rewards.iter().map(|row| row["pk"].as_s().unwrap()).collect();
    let number = |length: usize| u64::try_from(length).unwrap();
    assert_eq!(count(&whole, "rewards"), number(rewards.len()));
    assert_eq!(count(&whole, "entries"), number(rewards.len() + entries.len()));
    assert_eq!(count(&whole, "participants"), number(ledgers.len()));
    assert_eq!((count(&whole, "partner_invoices"), count(&whole, "payout_batches")), (5, 2));
    // Two days are over and reported, with the empty ones before; the two sources that wait were decided again too.
    assert!(count(&whole, "reports") >= 2, "{whole}");
    assert!(count(&whole, "sources") > 20, "{whole}");
    assert!(count(&nightly, "participants") > 4 && count(&nightly, "sources") > 20, "{nightly}");
    assert_eq!((count(&nightly, "reports"), count(&nightly, "due")), (1, 0));
    story.world.assert_at_rest().await;
}

#[tokio::test]
async fn a_check_is_begun_once_for_each_key_and_read_by_its_owner_alone() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let begin =
        async || tenant.send("POST", "/v1/checks", "{}".to_owned(), &[("idempotency-key", "k")]).await;
    let (first, again) = (begin().await, begin().await);
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.body["id"], again.body["id"]);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let path = format!("/v1/checks/{}", first.body["id"].as_str().unwrap());
    assert_eq!(first.headers["location"], path.as_str());
    assert_ne!(tenant.post("/v1/checks", json!({})).await.body["id"], first.body["id"]);
    world.drain().await;
    let done = tenant.get(&path).await.ok();
    assert_eq!(
        (&done["status"], &done["stage"], &done["day"]),
        (&json!("done"), &json!("due"), &Value::Null)
    );
    world.tenant().await.get(&path).await.refused(404, "not_found");
    world.assert_at_rest().await;
}
