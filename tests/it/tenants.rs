//! Tenants never meet: two organizations live the same life under the same names, and neither sees the other.

use std::collections::{BTreeMap, BTreeSet};

use aws::store::Item;
use serde_json::{Value, json};
use tests::{Participant, Partners, Receiver, Tenant, World, percent_rule};

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
    let rates = json!({"currency": "USD", "rates": {"EUR": percent}});
    tenant.call("PUT", &rates_of(world).await, Some(&rates)).await.ok();
    let organization = world.organization(&tenant).await;
    let connection = json!({"api_key": format!("sk_test_00000000000000{percent}42")});
    tenant.call("PUT", CONNECTION, Some(&connection)).await.ok();
    world.put_discount(&organization, &anna.id, "2345CDFHJKMN").await;
    Life { organization, program, anna, endpoint, key: key.as_str().unwrap().to_owned(), reward, tenant }
}

const CONNECTION: &str = "/v1/processor-connections/stripe";
const DISCOUNT: &str = "/v1/discounts/2345-CDFH-JKMN";

/// The path of today's exchange rates.
async fn rates_of(world: &World) -> String {
    format!("/v1/exchange-rates/{}", world.now().await.date_naive())
}

/// The same event, whichever endpoint it is sent to.
async fn invoice_paid(world: &World) -> Value {
    let now = world.now().await.timestamp();
    json!({"id": "evt_1", "object": "event", "livemode": false, "type": "invoice.paid", "created": now,
        "data": {"object": {"id": "in_2", "object": "invoice", "amount_paid": 10_000, "total": 10_000,
        "currency": "usd", "customer": "cus_1", "payment_intent": "pi_2", "metadata": {},
        "status_transitions": {"paid_at": now}}}})
}

/// What an organization has besides: one of everything that a life can have.
#[derive(Debug)]
struct More {
    program: String,
    mia: Participant,
    max: Participant,
    /// A reward that waits for approval.
    waiting: String,
    /// A reward that was given by hand, and its source.
    gift: String,
    gift_source: String,
    partners: Partners,
    /// An event destination, and a delivery to it.
    destination: String,
    delivery: String,
    /// A program whose participant `nia` was told, for whom there is a task, and its campaign.
    outreach: Outreach,
}

#[derive(Debug)]
struct Outreach {
    program: String,
    nia: Participant,
    task: String,
    campaign: String,
}

/// Nia referred somebody: she is told, somebody is to call her, and a campaign comes to her.
async fn reach_out(world: &World, tenant: &Tenant) -> Outreach {
    let rules = json!([{"id": "tell", "trigger": "signup", "kind": "message", "message": {"text": "Thanks"}},
        {"id": "call", "trigger": "signup", "kind": "task"}]);
    let program = tenant.program(json!({"rules": rules})).await;
    let step = json!({"after_days": 0, "message": {"text": "Share {{ account_referral_code }}"}});
    let campaign =
        json!({"program": program, "name": "Spring", "audience": "all_participants", "steps": [step]});
    let campaign = tenant.post("/v1/campaigns", campaign).await.created();
    let nia = tenant.enrol(&program, "nia", "Nia").await;
    tenant.sign_up("nils", &nia.code).await.created();
    world.drain().await;
    world.advance(130).await;
    world.drain().await;
    let tasks = tenant.get("/v1/tasks").await.ok();
    let id = |body: &Value| body["id"].as_str().unwrap().to_owned();
    Outreach { program, nia, task: id(&tasks["data"][0]), campaign: id(&campaign) }
}

/// Every organization uses the same ids here too: participants `mia` and `max`, referees `ned`, `otto` and `quin`,
/// visitor `v-1`, promo code `SUMMER25`, group `gold`, Idempotency-Key `gift`, and events of the same names.
async fn live_on(world: &World, life: &Life, partners: Partners, amount: i64) -> More {
    let tenant = &life.tenant;
    let money = |amount: i64| json!({"amount": amount, "currency": "USD"});
    let terms = |amount: i64| {
        json!({"attribution": {"model": "linear"}, "max_referrals": 50, "rules": [
            {"id": "commission", "amount": {"fixed": money(amount)}, "approval": "manual"},
            {"id": "booking", "trigger": "booking_completed", "amount": {"fixed": money(amount)}},
            {"id": "partner", "trigger": "payout_recorded", "amount": {"percentage": {"percent": "10", "basis": "payout"}}},
            {"id": "welcome", "trigger": "signup", "recipient": "referee", "amount": {"fixed": money(amount)}},
            {"id": "second", "trigger": "reward_earned", "amount": {"percentage": {"percent": "50", "basis": "reward"}}},
            {"id": "bonus", "trigger": "referral_count",
             "amount": {"milestones": {"steps": [{"at": 1, "amount": amount, "currency": "USD"}]}}}]})
    };
    let outreach = reach_out(world, tenant).await;
    let receiver = Receiver::start().await;
    let destination = json!({"url": receiver.url()});
    let destination = tenant.post("/v1/event-destinations", destination).await.created();
    let destination = format!("/v1/event-destinations/{}", destination["id"].as_str().unwrap());
    let program = tenant.program(terms(amount)).await;
    let mia = tenant.enrol(&program, "mia", "Mia").await;
    let max = tenant.enrol(&program, "max", "Max").await;
    let promo = json!({"code": "SUMMER25", "participant": "mia", "max_uses": 9});
    tenant.post(&format!("/v1/programs/{program}/codes"), promo).await.created();
    let gold = format!("/v1/programs/{program}/groups/gold");
    tenant.call("PUT", &gold, Some(&json!({"terms": terms(amount + 1)}))).await.created();
    let tie = json!({"code": mia.code});
    tenant.call("PUT", "/v1/promotions/stripe/promo_1", Some(&tie)).await.ok();
    assert_eq!(tenant.pay("nobody-yet", "in_parked", amount).await.status, 202);
    for participant in [&mia, &max] {
        let touch = json!({"visitor_id": "v-1", "code": participant.code});
        tenant.post("/v1/track/touch", touch).await.created();
        world.advance(1).await;
    }
    tenant.post("/v1/track/signup", json!({"external_id": "ned", "visitor_id": "v-1"})).await.created();
    tenant.sign_up("quin", "SUMMER25").await.created();
    // A second level: what max earns by otto is also of use to mia, who referred max.
    tenant.sign_up("max", &mia.code).await.created();
    tenant.sign_up("otto", &mia.code).await.created();
    tenant.call("DELETE", "/v1/referrals/otto", None).await.ok();
    world.advance(1).await;
    let max_refers = json!({"program": program, "referrer": "max"});
    tenant.call("PUT", "/v1/referrals/otto", Some(&max_refers)).await.created();
    world.advance(1).await;
    let paid = tenant.pay("ned", "in_20", 10_000).await.ok();
    let waiting = paid["posted"][0]["reward"].as_str().unwrap().to_owned();
    let booking = json!({"name": "booking_completed", "event_id": "b-1", "external_id": "otto"});
    tenant.post("/v1/track/event", booking).await.ok();
    let payout = json!({"payout_id": "p-1", "external_id": "ned", "payout": amount * 100, "currency": "USD"});
    tenant.post("/v1/track/payout", payout).await.ok();
    let gift = json!({"amount": money(amount), "actor": "admin", "reason": "by phone"}).to_string();
    let path = format!("/v1/participants/{}/rewards", mia.id);
    let gift = tenant.send("POST", &path, gift, &[("idempotency-key", "gift")]).await.created();
    world.drain().await;
    let text = |name: &str| gift[name].as_str().unwrap().to_owned();
    let deliveries = tenant.get(&format!("{destination}/deliveries")).await.ok();
    let delivery = format!("{destination}/deliveries/{}", deliveries["data"][0]["id"].as_str().unwrap());
    let (gift, gift_source) = (text("id"), text("source"));
    More { program, mia, max, waiting, gift, gift_source, partners, destination, delivery, outreach }
}

async fn two_full_lives() -> (World, [(Life, More); 2]) {
    let (world, one, two) = two_lives().await;
    let mut partners = Vec::new();
    for life in [&one, &two] {
        let billed = Partners::open(&world, &life.tenant).await;
        let by = json!({"actor": "finance", "reason": "wrong"});
        let void = format!("/v1/partner-invoices/{}/void", billed.invoices[0]);
        life.tenant.post(&void, by).await.ok();
        let tokens = format!("/v1/participants/{}/tokens", billed.pia.id);
        life.tenant.post(&tokens, json!({"minutes": 1_440})).await.created();
        partners.push(billed);
    }
    let (of_two, of_one) = (partners.pop().unwrap(), partners.pop().unwrap());
    let (of_one, of_two) =
        (live_on(&world, &one, of_one, 300).await, live_on(&world, &two, of_two, 500).await);
    (world, [(one, of_one), (two, of_two)])
}

/// The rows of one organization: those that begin with it and those that lead to it.
async fn rows_of(world: &World, organization: &str) -> BTreeMap<(String, String), Item> {
    let mut rows = world.snapshot().await;
    rows.retain(|_, row| format!("{row:?}").contains(organization));
    rows
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
    let (world, [(one, _), (two, more)]) = two_full_lives().await;
    let day = world.now().await.date_naive();
    for (life, rate) in [(&one, "1.1"), (&two, "1.2")] {
        let rates = json!({"currency": "USD", "rates": {"EUR": rate}});
        life.tenant.call("PUT", &rates_of(&world).await, Some(&rates)).await.ok();
    }
    world.advance(86_400).await;
    let check = two.tenant.post("/v1/checks", json!({})).await.body["id"].as_str().unwrap().to_owned();
    world.drain().await;
    let theirs = [
        format!("/v1/checks/{check}"),
        format!("/v1/programs/{}", two.program),
        format!("/v1/programs/{}/groups", more.program),
        format!("/v1/programs/{}/terms/1", two.program),
        format!("/v1/programs/{}/terms/2", more.program),
        format!("/v1/participants/{}", two.anna.id),
        format!("/v1/participants/{}/ledger", two.anna.id),
        format!("/v1/participants/{}/balances", two.anna.id),
        format!("/v1/participants/{}/enrollments", two.anna.id),
        format!("/v1/participants/{}/redemptions", two.anna.id),
        format!("/v1/participants/{}/redemptions/order_1", two.anna.id),
        format!("/v1/codes/{}", two.anna.code),
        format!("/v1/rewards/{}", two.reward),
        format!("/v1/rewards/{}", more.waiting),
        format!("/v1/decisions/{}", more.gift_source),
        format!("/v1/decisions/milestone/own/bonus.1?participant={}", more.mia.id),
        format!("/v1/participants/{}/partner-invoices", more.partners.pia.id),
        format!("/v1/billing-runs/{}", more.partners.run),
        format!("/v1/billing-runs/{}/invoices", more.partners.run),
        format!("/v1/partner-invoices/{}", more.partners.invoices[2]),
        format!("/v1/partner-invoices/{}/lines", more.partners.invoices[2]),
        format!("/v1/payout-batches/{}", more.partners.batch),
        format!("/v1/payout-batches/{}/lines", more.partners.batch),
        format!("/v1/payout-batches/{}/export", more.partners.batch),
        format!("/v1/programs/{}/participants", more.outreach.program),
        format!("/v1/participants/{}/notifications", more.outreach.nia.id),
        format!("/v1/participants/{}/campaigns", more.outreach.nia.id),
        format!("/v1/campaigns/{}", more.outreach.campaign),
        format!("/v1/tasks/{}", more.outreach.task),
        more.destination.clone(),
        format!("{}/deliveries", more.destination),
        more.delivery.clone(),
    ];
    let spent = json!({"reference": "order_1", "amount": {"amount": 1, "currency": "USD"}});
    two.tenant.post(&format!("/v1/participants/{}/redemptions", two.anna.id), spent).await.created();
    for path in &theirs {
        two.tenant.get(path).await.ok();
        one.tenant.get(path).await.refused(404, "not_found");
    }
    let empty = [
        format!("/v1/rewards?participant={}", two.anna.id),
        format!("/v1/referrals?referrer={}", two.anna.id),
        format!("/v1/referrals?referrer={}", more.max.id),
        format!("/v1/reports/referrals?from={day}&to={day}&participant={}", more.partners.pia.id),
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
        "/v1/event-destinations".to_owned(),
        "/v1/campaigns".to_owned(),
        "/v1/tasks".to_owned(),
        "/v1/codes/SUMMER25".to_owned(),
        "/v1/promotions/stripe/promo_1".to_owned(),
        "/v1/parked-events".to_owned(),
        format!("/v1/rewards?{days}"),
        format!("/v1/rewards?{days}&state=pending"),
        format!("/v1/referrals?{days}"),
        "/v1/referrals?referee=ben".to_owned(),
        "/v1/referrals?referee=otto".to_owned(),
        "/v1/referrals/ben".to_owned(),
        "/v1/referrals/ned".to_owned(),
        "/v1/referrals/otto".to_owned(),
        "/v1/decisions/invoice/stripe/in_1".to_owned(),
        "/v1/decisions/invoice/stripe/in_20".to_owned(),
        "/v1/decisions/payment/stripe/pi_2".to_owned(),
        "/v1/decisions/signup/own/quin".to_owned(),
        "/v1/decisions/event/booking_completed/b-1".to_owned(),
        "/v1/decisions/payout/own/p-1".to_owned(),
        format!("/v1/reports/daily?{days}"),
        format!("/v1/exchange-rates/{day}"),
        format!("/v1/reports/referrals?{days}"),
        "/v1/billing-runs".to_owned(),
        "/v1/payout-batches".to_owned(),
        CONNECTION.to_owned(),
        DISCOUNT.to_owned(),
    ];
    for path in &shared {
        let (mine, yours) = (one.tenant.get(path).await.ok(), two.tenant.get(path).await.ok());
        assert_ne!(mine, yours, "{path}");
        for list in ["data", "rules"] {
            assert_ne!(mine.get(list), Some(&json!([])), "{path} has nothing of its own: {mine}");
        }
        assert_tells_nothing_of(&two, &more, path, &mine);
    }
    all_routes_were_asked(&world, "GET", &[theirs.as_slice(), &empty, &shared].concat()).await;

    // A position in one's list is none in the other's, or leads to one's own.
    for (path, list) in [
        ("/v1/programs".to_owned(), "/v1/programs?".to_owned()),
        (format!("/v1/rewards?{days}"), format!("/v1/rewards?{days}&")),
        (format!("/v1/referrals?{days}"), format!("/v1/referrals?{days}&")),
    ] {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = two.tenant.get(&format!("{path}{separator}limit=1")).await.ok();
        let cursor = page["next_cursor"].as_str().unwrap();
        let answer = one.tenant.get(&format!("{list}cursor={cursor}")).await;
        assert!(matches!(answer.status, 200 | 400), "{path}: {answer:?}");
        assert_tells_nothing_of(&two, &more, &path, &answer.body);
    }
}

fn assert_tells_nothing_of(life: &Life, more: &More, path: &str, body: &Value) {
    let text = body.to_string();
    let ids = [
        &life.organization,
        &life.program,
        &life.anna.id,
        &life.anna.code,
        &life.reward,
        &life.key,
        &life.endpoint,
    ];
    let further = [
        &more.program,
        &more.mia.id,
        &more.mia.code,
        &more.max.id,
        &more.max.code,
        &more.waiting,
        &more.gift,
        &more.partners.program,
        &more.partners.pia.id,
        &more.partners.run,
        &more.partners.invoices[2],
        &more.partners.batch,
        &more.outreach.program,
        &more.outreach.nia.id,
        &more.outreach.campaign,
        &more.outreach.task,
    ];
    for id in ids.into_iter().chain(further) {
        assert!(!text.contains(id.as_str()), "{path} tells {id}: {text}");
    }
}

/// A route that is added later must be asked for here too.
async fn all_routes_were_asked(world: &World, methods: &str, asked: &[String]) {
    let routes = world.call("GET", "/_local/routes", None, None).await.ok();
    for route in routes.as_array().unwrap() {
        let (method, path) = (route["method"].as_str().unwrap(), route["path"].as_str().unwrap());
        // Its token is the key; whose it is stands in it, under a seal.
        let open = path == "/openapi.json" || path == "/v1/unsubscribe/{token}";
        if methods.split(' ').any(|known| known == method) && !open {
            let fits = |asked: &String| {
                let (verb, asked) = asked.split_once(' ').unwrap_or(("GET", asked));
                let asked = asked.split('?').next().unwrap();
                let (asked, path) =
                    (asked.split('/').collect::<Vec<_>>(), path.split('/').collect::<Vec<_>>());
                let greedy = path.last().is_some_and(|part| part.ends_with("+}"));
                verb == method
                    && (greedy || asked.len() == path.len())
                    && path.iter().zip(&asked).all(|(part, text)| part.starts_with('{') || part == text)
            };
            assert!(asked.iter().any(fits), "{method} {path} is not called with another organization's key");
        }
    }
}

/// Calls that name something of another organization, and what the answer must be.
fn foreign_calls(two: &Life, more: &More) -> Vec<(&'static str, String, Value, u16, &'static str)> {
    let (program, extra) =
        (format!("/v1/programs/{}", two.program), format!("/v1/programs/{}", more.program));
    let endpoint = two.endpoint.replace("/v1/webhooks/stripe/", "/v1/webhook-endpoints/");
    let terms = json!({"terms": percent_rule("99")});
    let by = json!({"actor": "mallory", "reason": "mine"});
    let part = json!({"actor": "mallory", "reason": "mine", "amount": {"amount": 1, "currency": "USD"}});
    let (waiting, gift) = (format!("/v1/rewards/{}", more.waiting), format!("/v1/rewards/{}", more.gift));
    let (anna, mia) =
        (format!("/v1/participants/{}", two.anna.id), format!("/v1/participants/{}", more.mia.id));
    let promo = json!({"code": "WINTER24", "participant": "mia"});
    let replay = |source: &str| format!("/v1/events/{}/replay", source.replace('/', ":"));
    let assign = |program: &str| json!({"program": program, "referrer": "mia"});
    let absent = |method, path: String, body: &Value| (method, path, body.clone(), 404, "not_found");
    let partners = &more.partners;
    let invoice = |action: &str| format!("/v1/partner-invoices/{}/{action}", partners.invoices[2]);
    let run =
        json!({"program": partners.program, "from": partners.day, "to": partners.day, "dry_run": false});
    let payout = |rest: &str| format!("/v1/payout-batches/{}{rest}", partners.batch);
    let line = |mark: &str| payout(&format!("/lines/{}/{mark}", partners.pia.id));
    let mark = json!({"reference": "tr_1", "actor": "mallory", "reason": "mine"});
    let marks = json!({"actor": "mallory", "reason": "mine", "marks": [
        {"participant": partners.pia.id, "status": "paid", "reference": "tr_1"}]});
    let batch = json!({"program": partners.program, "currency": "USD", "actor": "mallory", "reason": "mine"});
    let step = json!({"after_days": 0, "message": {"text": "Share"}});
    let campaign = json!({"program": more.outreach.program, "name": "Mine", "audience": "all_participants", "steps": [step]});
    let task = |what: &str| format!("/v1/tasks/{}/{what}", more.outreach.task);
    vec![
        ("POST", "/v1/campaigns".to_owned(), campaign, 400, "invalid_request"),
        absent("PATCH", format!("/v1/campaigns/{}", more.outreach.campaign), &json!({"status": "ended"})),
        absent("POST", task("done"), &by),
        absent("POST", task("dismiss"), &by),
        ("POST", "/v1/payout-batches".to_owned(), batch, 400, "invalid_request"),
        absent("POST", payout("/cancel"), &by),
        absent("POST", payout("/lines/bulk"), &marks),
        absent("POST", line("paid"), &mark),
        absent("POST", line("failed"), &mark),
        absent("POST", invoice("finalize"), &by),
        absent("POST", invoice("pay"), &by),
        absent("POST", invoice("void"), &by),
        absent("POST", format!("/v1/participants/{}/tokens", partners.pia.id), &json!({})),
        ("POST", "/v1/billing-runs".to_owned(), run, 400, "invalid_request"),
        absent("PATCH", program.clone(), &json!({"status": "ended"})),
        absent("PATCH", program.clone(), &terms),
        absent("PUT", format!("{program}/groups/gold"), &terms),
        absent("PUT", format!("{extra}/groups/gold"), &terms),
        absent("POST", format!("{extra}/codes"), &promo),
        absent("POST", format!("{extra}/simulate"), &json!({"events": []})),
        absent("PUT", "/v1/promotions/stripe/promo_2".to_owned(), &json!({"code": two.anna.code})),
        absent("PUT", format!("{program}/participants/anna"), &json!({})),
        absent("PUT", format!("{program}/participants/mallory"), &json!({})),
        absent("PATCH", anna.clone(), &json!({"disabled": true})),
        absent("PATCH", mia.clone(), &json!({"group": "gold"})),
        absent("PATCH", mia.clone(), &terms),
        absent("POST", format!("{anna}/rewards"), &part),
        absent("POST", format!("{mia}/rewards"), &part),
        absent("POST", format!("{waiting}/approve"), &by),
        absent("POST", format!("{waiting}/reject"), &by),
        absent("POST", format!("{waiting}/reverse"), &by),
        absent("POST", format!("{gift}/reverse"), &by),
        absent("POST", format!("{waiting}/fulfill"), &by),
        (
            "POST",
            "/v1/rewards/bulk".to_owned(),
            json!({"action": "approve", "rewards": [], "actor": "m", "reason": "x"}),
            400,
            "invalid_request",
        ),
        absent("POST", format!("{waiting}/retry"), &by),
        absent(
            "POST",
            format!("{anna}/redemptions"),
            &json!({"reference": "o_1", "amount": {"amount": 1, "currency": "USD"}}),
        ),
        absent("POST", format!("{anna}/redemptions/order_1/return"), &by),
        absent("POST", format!("{gift}/reverse"), &part),
        absent("POST", replay(&more.gift_source), &json!({"dry_run": false})),
        absent("POST", replay(&format!("reward/own/{}", two.reward)), &json!({"dry_run": false})),
        absent("PATCH", endpoint.clone(), &json!({"secrets": ["whsec_of_the_wrong_organization"]})),
        absent("DELETE", endpoint, &json!({})),
        absent("PATCH", more.destination.clone(), &json!({"url": "https://example.com/mine"})),
        absent("POST", format!("{}/rotate-secret", more.destination), &json!({})),
        absent("POST", format!("{}/replay", more.delivery), &json!({})),
        absent("DELETE", more.destination.clone(), &json!({})),
        absent("DELETE", format!("/v1/api-keys/{}", two.key), &json!({})),
        ("PUT", "/v1/referrals/dora".to_owned(), assign(&more.program), 400, "invalid_request"),
        ("PUT", "/v1/referrals/ben".to_owned(), assign(&more.program), 400, "invalid_request"),
        (
            "POST",
            "/v1/track/signup".to_owned(),
            json!({"external_id": "dora", "code": two.anna.code}),
            422,
            "code_not_found",
        ),
        (
            "POST",
            "/v1/track/touch".to_owned(),
            json!({"visitor_id": "v-1", "code": more.mia.code}),
            422,
            "code_not_found",
        ),
    ]
}

#[tokio::test]
async fn nothing_of_another_organization_can_be_changed() {
    let (world, [(one, mine), (two, more)]) = two_full_lives().await;
    let before = world.snapshot().await;
    let mut asked = Vec::new();
    for (method, path, body, status, code) in foreign_calls(&two, &more) {
        let answer = one.tenant.send(method, &path, body.to_string(), &[("idempotency-key", "gift")]).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (status, &json!(code)),
            "{method} {path}: {answer:?}"
        );
        asked.push(format!("{method} {path}"));
    }
    assert_eq!(world.snapshot().await, before);

    // What both can name by the same words changes one's own alone.
    let before = rows_of(&world, &two.organization).await;
    let ledgers = [two.tenant.ledger(&two.anna).await, two.tenant.ledger(&more.mia).await];
    let own = format!("/v1/programs/{}", mine.program);
    let max_refers = json!({"program": mine.program, "referrer": "max"});
    let touch = json!({"visitor_id": "v-1", "code": mine.mia.code});
    let event =
        json!({"name": "booking_completed", "event_id": "b-1", "external_id": "otto", "cancelled": true});
    let payout =
        json!({"payout_id": "p-1", "external_id": "ned", "payout": 1, "revision": 9, "currency": "USD"});
    let refund = json!({"refund_id": "re_9", "processor": "stripe", "invoice_id": "in_20", "amount": 10_000, "currency": "USD"});
    let dispute = json!({"dispute_id": "dp_9", "processor": "stripe", "invoice_id": "in_20", "amount": 9, "currency": "USD",
        "status": "lost"});
    let credit = json!({"credit_id": "cn_9", "processor": "stripe", "invoice_id": "in_20", "amount": 9, "currency": "USD"});
    let calls = [
        ("POST", "/v1/api-keys".to_owned(), json!({"name": "third"})),
        ("POST", "/v1/checks".to_owned(), json!({})),
        ("POST", "/v1/programs".to_owned(), json!({"name": "Third", "terms": percent_rule("1")})),
        ("POST", "/v1/webhook-endpoints".to_owned(), json!({"processor": "stripe"})),
        ("POST", "/v1/event-destinations".to_owned(), json!({"url": Receiver::nobody()})),
        ("POST", "/v1/track/touch".to_owned(), touch),
        ("POST", "/v1/track/signup".to_owned(), json!({"external_id": "rosa", "visitor_id": "v-1"})),
        ("POST", "/v1/track/signup".to_owned(), json!({"external_id": "sven", "code": "SUMMER25"})),
        ("POST", "/v1/track/event".to_owned(), event),
        ("POST", "/v1/track/payout".to_owned(), payout),
        ("POST", "/v1/track/batch".to_owned(), json!({"items": [typed("refund", &refund)]})),
        ("POST", "/v1/track/refund".to_owned(), refund),
        ("POST", "/v1/track/dispute".to_owned(), dispute),
        ("POST", "/v1/track/credit".to_owned(), credit),
        ("POST", "/v1/track/void".to_owned(), json!({"invoice_id": "in_20", "processor": "stripe"})),
        ("POST", "/v1/track/invoice-paid".to_owned(), invoice("quin", "in_21", 1_000)),
        ("POST", "/v1/track/invoice-paid".to_owned(), invoice("ben", "in_1", 90_000)),
        ("POST", "/v1/events/invoice:stripe:in_20/replay".to_owned(), json!({"dry_run": false})),
        ("DELETE", "/v1/referrals/otto".to_owned(), json!({})),
        ("PUT", "/v1/referrals/rosa".to_owned(), max_refers.clone()),
        ("DELETE", "/v1/referrals/quin".to_owned(), json!({})),
        ("PUT", "/v1/referrals/quin".to_owned(), max_refers),
        ("PUT", format!("{own}/groups/gold"), json!({"terms": percent_rule("99")})),
        ("PUT", rates_of(&world).await, json!({"currency": "USD", "rates": {"GBP": "1.3"}})),
        ("PUT", CONNECTION.to_owned(), json!({"api_key": "sk_test_000000000000001111"})),
        ("DELETE", CONNECTION.to_owned(), json!({})),
        ("POST", format!("{DISCOUNT}/redeem"), json!({"reference": "order_1"})),
    ];
    for (method, path, body) in calls {
        let answer = one.tenant.send(method, &path, body.to_string(), &[("idempotency-key", "gift")]).await;
        // Links have already found rosa's referrers.
        let refused = path == "/v1/referrals/rosa";
        assert!(
            matches!(answer.status, 200..=204) || (refused && answer.status == 409),
            "{method} {path}: {answer:?}"
        );
        asked.push(format!("{method} {path}"));
    }
    // A source of the other's is unknown here: it waits for its payer.
    assert_eq!(one.tenant.refund("re_9", "in_9", 1).await.ok()["reason"], "awaiting_payment");
    let event = invoice_paid(&world).await;
    one.tenant.stripe(&one.endpoint, &event, world.now().await).await.ok();
    world.drain().await;
    world.advance(61).await;
    world.drain().await;
    assert_eq!([two.tenant.ledger(&two.anna).await, two.tenant.ledger(&more.mia).await], ledgers);
    assert_eq!(rows_of(&world, &two.organization).await, before);
    // An organization is made by the root key alone, and a webhook's endpoint says whose it is.
    asked.extend(["POST /v1/organizations".to_owned(), format!("POST {}", one.endpoint)]);
    let others = ["paddle", "chargebee"].map(|name| format!("POST {}", one.endpoint.replace("stripe", name)));
    asked.extend(others);
    all_routes_were_asked(&world, "POST PUT PATCH DELETE", &asked).await;
}

/// A call's body as an item of a batch.
fn typed(kind: &str, body: &Value) -> Value {
    let mut item = body.clone();
    item["type"] = json!(kind);
    item
}

fn invoice(external_id: &str, invoice: &str, amount: i64) -> Value {
    json!({"invoice_id": invoice, "processor": "stripe", "external_id": external_id, "amount_paid": amount,
        "currency": "USD"})
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
    assert_eq!(world.told("reward.fulfilled").await.len(), 4);
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
    let (world, [(one, _), (two, _)]) = two_full_lives().await;
    // A snapshot is written by a reader of many settled lines, a report by the night.
    for life in [&one, &two] {
        for number in 30..50 {
            life.tenant.pay("ben", &format!("in_{number}"), 1_000).await.ok();
        }
        // A payment that waits for a rate.
        let terms = json!({"payout_currency": "JPY", "rules": percent_rule("10")["rules"]});
        let rita = life.tenant.enrol(&life.tenant.program(terms).await, "rita", "Rita").await;
        life.tenant.sign_up("sam", &rita.code).await.created();
        assert_eq!(life.tenant.pay("sam", "in_60", 1_000).await.body["reason"], "awaiting_rate");
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
        if ["ORGANIZATIONS", "KEY", "ENDPOINT", "TOKEN"].contains(&pk.split('#').next().unwrap()) {
            assert_eq!(mentioned.len(), 1, "{pk} {sk}");
            continue;
        }
        let owner = [&one, &two].into_iter().find(|life| pk.split('#').next() == Some(&life.organization));
        let owner = owner.unwrap_or_else(|| panic!("{pk} {sk} is nobody's"));
        for index in ["day_pk", "listing_pk"] {
            if let Some(key) = row.get(index) {
                assert!(key.as_s().unwrap().starts_with(&format!("{}#", owner.organization)), "{key:?}");
            }
        }
    }
    let documented = [
        "API key",
        "API key listed",
        "billing of a program",
        "billing run",
        "billing run listed",
        "campaign",
        "campaign's day",
        "campaign's messages",
        "campaign's walk",
        "carried over",
        "code",
        "connection",
        "customer",
        "delivery",
        "directory",
        "discount",
        "endpoint",
        "endpoint listed",
        "entry",
        "event",
        "event destination",
        "former referral",
        "invoice of a run",
        "journey",
        "line item",
        "lines of an invoice",
        "notification",
        "participant",
        "partner invoice",
        "payout batch",
        "payout batch at work",
        "payout batch listed",
        "payout line",
        "program",
        "promotion",
        "rates",
        "referee",
        "report",
        "reward",
        "seen by a run",
        "self-check",
        "share",
        "snapshot",
        "source",
        "tally",
        "task",
        "terms",
        "token",
        "touch",
        "waiting for a rate",
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
        ("TOKEN", _) => "token",
        _ if pk.ends_with("#RUNS") => "billing run listed",
        _ if pk.ends_with("#CARRY") => "carried over",
        _ if pk.ends_with("#PAYOUTS") => "payout batch listed",
        (_, "RUN") => "billing run",
        (_, "BATCH") => "payout batch",
        (_, "LINE") => "payout line",
        (_, "PAYOUT") => "payout batch at work",
        (_, "CHECK") => "self-check",
        (_, "DESTINATION") => "event destination",
        (_, "DELIVERY") => "delivery",
        (_, "EVENT") => "event",
        (_, "CAMPAIGN") => "campaign",
        (_, "DAY") => "campaign's day",
        (_, "MESSAGES") => "campaign's messages",
        (_, "WALK") => "campaign's walk",
        (_, "JOURNEY") => "journey",
        (_, "NOTIFICATION") => "notification",
        (_, "TASK") => "task",
        (_, "SEEN") => "seen by a run",
        (_, "INVOICE") if pk.contains("#run_") => "invoice of a run",
        (_, "INVOICE") => "partner invoice",
        (_, "INVOICE-ITEM") => "line item",
        (_, "INVOICE-PART") => "lines of an invoice",
        (_, "BILLING") => "billing of a program",
        ("ENDPOINT", _) => "endpoint",
        (_, "KEY") => "API key listed",
        (_, "ENDPOINT") => "endpoint listed",
        (_, "PROGRAM") => "program",
        (_, "TERMS") => "terms",
        (_, "REPORT") => "report",
        (_, "TALLY") => "tally",
        (_, "SHARE") => "share",
        (_, "FORMER") => "former referral",
        (_, "T") => "touch",
        (_, "PARTICIPANT") => "participant",
        (_, "L") if sk.ends_with("#~") => "snapshot",
        (_, "L") if sk.contains('.') => "entry",
        (_, "L") => "reward",
        (_, "CODE") => "code",
        (_, "PROCESSOR") => "connection",
        (_, "DISCOUNT") => "discount",
        (_, "REFEREE") => "referee",
        (_, "CUSTOMER") => "customer",
        (_, "PROMOTION") => "promotion",
        (_, "SOURCE") => "source",
        (_, "RATES") => "rates",
        _ if pk.split('#').nth(1) == Some("RATE") => "waiting for a rate",
        _ => panic!("{pk} {sk} is of no known kind"),
    }
}
