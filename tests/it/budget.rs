//! What each operation costs at the table, counted: requests, read units, write units, on warm caches.
//!
//! The embedded engine reports consumed capacity by DynamoDB's own rules: a write costs a unit per started KB of the
//! larger image, a transactional write twice that; an index entry costs its own write, not doubled in a transaction,
//! and only if what the index stores has changed; an eventual read costs half a unit per started 4 KB, a strong one a
//! whole unit. What a refused condition consumes is reported by neither, so it is counted as a request alone.

use local::{Effect, Fault};
use serde_json::{Value, json};
use tests::{Participant, Tenant, World, percent_rule};

/// Requests, read units, write units.
type Cost = (u64, f64, f64);

async fn cost<T>(world: &World, call: impl Future<Output = T>) -> (Cost, T) {
    world.drain().await;
    world.reset_meter().await;
    let answer = call.await;
    (world.meter().await, answer)
}

/// Nothing is announced: what the HTTP call costs is then not mixed with what its consumer does.
fn silence(world: &World) {
    let call = Some("SendMessage".to_owned());
    world.plan(vec![Fault { call, skip: 0, times: 1_000, effect: Effect::Unavailable }]);
}

/// A tenant whose every function is warm, with anna, her referee ben and the organic customer carl.
async fn warm() -> (World, Tenant, String, Participant) {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna's Studio").await;
    tenant.sign_up("ben", &anna.code).await.created();
    tenant.post("/v1/track/signup", json!({"external_id": "carl"})).await.created();
    tenant.pay("ben", "in_warm", 100).await.ok();
    tenant.figures(&anna).await;
    world.drain().await;
    (world, tenant, program, anna)
}

#[tokio::test]
async fn issuing_a_code_costs_two_writes_with_an_index() {
    let (world, tenant, program, _) = warm().await;
    let (spent, _) = cost(&world, tenant.enrol(&program, "dora", "Dora's Bakery")).await;
    // Two rows, and the participant's place in the list of its program.
    assert_eq!(spent, (2, 0.0, 3.0));
    // The same again: both writes are refused by their conditions.
    let path = format!("/v1/programs/{program}/participants/dora");
    let (spent, answer) = cost(&world, tenant.call("PUT", &path, Some(&json!({})))).await;
    answer.ok();
    assert_eq!(spent, (2, 0.0, 1.0));
}

#[tokio::test]
async fn a_sign_up_costs_half_a_read_and_one_write_with_two_indexes() {
    let (world, tenant, _, anna) = warm().await;
    let (spent, answer) = cost(&world, tenant.sign_up("dora", &anna.code)).await;
    answer.created();
    assert_eq!(spent, (2, 0.5, 3.0));
    let (spent, answer) = cost(&world, tenant.post("/v1/track/signup", json!({"external_id": "emil"}))).await;
    answer.created();
    assert_eq!(spent, (1, 0.0, 1.0), "without a code");
}

#[tokio::test]
async fn a_payment_of_somebody_who_was_not_referred_costs_one_read() {
    let (world, tenant, _, _) = warm().await;
    let (spent, answer) = cost(&world, tenant.pay("carl", "in_1", 20_000)).await;
    assert_eq!(answer.ok()["reason"], "not_referred");
    assert_eq!(spent, (1, 1.0, 0.0));
}

#[tokio::test]
async fn a_payment_of_a_referee_costs_two_reads_and_a_transaction_of_two_rows() {
    let (world, tenant, _, anna) = warm().await;
    silence(&world);
    let (spent, answer) = cost(&world, tenant.pay("ben", "in_1", 20_000)).await;
    let answer = answer.ok();
    assert_eq!(answer["reason"], "earned");
    // Two rows at twice a write, the due index and the day index.
    assert_eq!(spent, (3, 2.0, 6.0));

    // What follows: the claim, and the completion, which also leaves the due index.
    world.plan(Vec::new());
    let (organization, reward) = (world.organization(&tenant).await, &answer["posted"][0]["reward"]);
    let due = json!({"type": "reward.due.v1", "organization": organization, "reward": reward});
    let (spent, ()) = cost(&world, async {
        world.send("FulfillQueue", &due.to_string()).await;
        world.drain().await;
    })
    .await;
    // And deliver-webhook knows that nobody listens.
    assert_eq!(spent, (2, 0.0, 3.0));
    assert_eq!(tenant.figures(&anna).await, (2_010, 0, 2_010, 0));
}

#[tokio::test]
async fn telling_an_event_costs_a_query_and_two_writes_for_each_destination() {
    let (world, tenant, _, _) = warm().await;
    let organization = domain::id::OrganizationId::parse(&world.organization(&tenant).await).unwrap();
    let receiver = tests::Receiver::start().await;
    tenant.post("/v1/event-destinations", json!({"url": receiver.url()})).await.created();
    let event = |number: u32| {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 1, number).unwrap();
        let what = domain::event::What::ReportReady(domain::event::ReportData { day });
        let at = chrono::DateTime::UNIX_EPOCH;
        serde_json::to_string(&domain::event::Event::new(&organization, what, &day.to_string(), at)).unwrap()
    };
    let tell = async |number| {
        world.send("EventsQueue", &event(number)).await;
        world.drain().await;
    };
    // The events of a moment ago went nowhere, and that is remembered for 30 seconds.
    let (spent, ()) = cost(&world, tell(3)).await;
    assert_eq!((spent.0, receiver.got().len()), (0, 0));
    world.advance(31).await;
    tell(1).await;
    let (spent, ()) = cost(&world, tell(2)).await;
    // The row with its places in two indexes; the row again, and out of the one.
    assert_eq!(spent, (3, 1.0, 5.0));
    // The same again is refused by its condition.
    let (spent, ()) = cost(&world, tell(2)).await;
    assert_eq!((spent.0, spent.1), (2, 1.0));
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn what_somebody_wants_to_hear_of_adds_a_row_to_its_transaction() {
    let (world, tenant, program, anna) = warm().await;
    let receiver = tests::Receiver::start().await;
    let wanted = json!({"url": receiver.url(), "events": ["participant.created", "referral.converted"]});
    tenant.post("/v1/event-destinations", wanted).await.created();
    world.advance(31).await;
    tenant.enrol(&program, "dora", "Dora's Bakery").await;
    tenant.pay("ben", "in_0", 20_000).await.ok();
    world.drain().await;
    // The participant, its code and the event at twice a write, and the places of the first in its program's list and of the
    // last in the due index.
    silence(&world);
    let (spent, _) = cost(&world, tenant.enrol(&program, "emil", "Emil's Bakery")).await;
    assert_eq!(spent, (1, 0.0, 8.0));
    // Ben's referral has converted, and costs what it costs where nobody listens.
    let (spent, _) = cost(&world, tenant.pay("ben", "in_1", 20_000)).await;
    assert_eq!(spent, (3, 2.0, 6.0));
    tenant.sign_up("fred", &anna.code).await.created();
    let (spent, _) = cost(&world, tenant.pay("fred", "in_2", 20_000)).await;
    // The referee's row and the event more, with its place in the index.
    assert_eq!(spent, (3, 2.0, 11.0));
}

#[tokio::test]
async fn the_first_webhook_of_a_payment_also_ties_the_payment_and_the_customer() {
    let (world, tenant, _, _) = warm().await;
    let endpoint = tenant.stripe_endpoint().await;
    let (now, warm_up) = (world.now().await, invoice_paid(&world, "in_2", "pi_2").await);
    tenant.stripe(&endpoint, &warm_up, now).await.ok();
    world.drain().await;
    silence(&world);
    let event = invoice_paid(&world, "in_3", "pi_3").await;
    let (spent, answer) = cost(&world, tenant.stripe(&endpoint, &event, now)).await;
    assert_eq!(answer.ok()["results"][0]["reason"], "earned");
    // As by the API, and one write that ties pi_3 to in_3; the customer is known.
    assert_eq!(spent, (4, 2.0, 7.0));
}

async fn invoice_paid(world: &World, invoice: &str, payment: &str) -> Value {
    let now = world.now().await.timestamp();
    json!({"id": format!("evt_{invoice}"), "object": "event", "livemode": false, "type": "invoice.paid",
        "created": now, "data": {"object": {"id": invoice, "object": "invoice", "amount_paid": 20_000,
        "total": 20_000, "currency": "usd", "customer": "cus_1", "payment_intent": payment,
        "metadata": {"referral_external_id": "ben"}, "status_transitions": {"paid_at": now + 10}}}})
}

#[tokio::test]
async fn a_duplicate_costs_two_reads_and_writes_nothing() {
    let (world, tenant, _, _) = warm().await;
    let endpoint = tenant.stripe_endpoint().await;
    tenant.pay("ben", "in_1", 20_000).await.ok();
    let (spent, answer) = cost(&world, tenant.pay("ben", "in_1", 20_000)).await;
    assert_eq!(answer.ok()["duplicate"], true);
    assert!(spent.0 <= 2 && spent.1 <= 2.0 && spent.2 == 0.0, "by the API: {spent:?}");

    let (now, mut event) = (world.now().await, invoice_paid(&world, "in_2", "pi_2").await);
    tenant.stripe(&endpoint, &event, now).await.ok();
    // Stripe tells every paid invoice twice.
    event["type"] = json!("invoice.payment_succeeded");
    let (spent, answer) = cost(&world, tenant.stripe(&endpoint, &event, now)).await;
    assert_eq!(answer.ok()["results"][0]["duplicate"], true);
    assert!(spent.0 <= 2 && spent.1 <= 2.0 && spent.2 == 0.0, "the twin event: {spent:?}");
}

#[tokio::test]
async fn balances_cost_one_query_of_one_unit_at_most() {
    let (world, tenant, _, anna) = warm().await;
    let path = format!("/v1/participants/{}/balances", anna.id);
    let (mut worst, mut snapshots) = (0.0_f64, 0);
    for number in 0..40 {
        tenant.pay("ben", &format!("in_{number}"), 1_000).await.ok();
        world.drain().await;
        tenant.get("/v1/programs").await.ok();
        let (spent, answer) = cost(&world, tenant.get(&path)).await;
        assert_eq!(answer.ok()["data"][0]["available"], 10 + 100 * (number + 1));
        if spent.2 > 0.0 {
            // Now and then a reader finds many settled lines and writes the snapshot that the next one starts from.
            snapshots += 1;
            continue;
        }
        assert_eq!(spent.0, 1, "after {} payments", number + 1);
        worst = worst.max(spent.1);
        // Lines settle for good a quarter of an hour after they were written.
        world.advance(1_000).await;
    }
    assert!(worst <= 1.0, "{worst} read units");
    assert!((2..=4).contains(&snapshots), "{snapshots} snapshots");
}

#[tokio::test]
async fn balances_of_many_lines_that_may_still_change_are_read_once() {
    let (world, tenant, _, anna) = warm().await;
    for number in 0..30 {
        tenant.pay("ben", &format!("in_{number}"), 1_000).await.ok();
    }
    let path = format!("/v1/participants/{}/balances", anna.id);
    let (spent, answer) = cost(&world, tenant.get(&path)).await;
    assert_eq!(answer.ok()["data"][0]["available"], 3_010);
    // The first page and the rest, and nothing that is looked at in vain for a snapshot.
    assert_eq!((spent.0, spent.2), (2, 0.0));
    assert!(spent.1 <= 4.0, "{spent:?}");
}

/// What folding a day with three rewards costs after so many payments of the day before.
async fn nightly(older: usize) -> Cost {
    let (world, tenant, _, anna) = warm().await;
    for number in 0..older {
        tenant.pay("ben", &format!("in_old_{number}"), 1_000).await.ok();
    }
    world.drain().await;
    world.advance(86_400).await;
    for number in 0..3 {
        tenant.sign_up(&format!("dora_{number}"), &anna.code).await.created();
        tenant.pay(&format!("dora_{number}"), &format!("in_{number}"), 1_000).await.ok();
    }
    let day = world.now().await.date_naive();
    let (spent, ()) = cost(&world, async {
        world.invoke("AggregateReportsFunction", json!({"type": "nightly", "day": day})).await;
        world.drain().await;
    })
    .await;
    let report = tenant.get(&format!("/v1/reports/daily?from={day}&to={day}")).await.ok();
    assert_eq!(report["data"][0]["total"]["rewards"], 3);
    spent
}

#[tokio::test]
async fn the_nightly_run_reads_the_days_entries_alone_and_writes_once() {
    // The directory and its end, the four shards of the day, and the report.
    let few = nightly(1).await;
    assert_eq!((few.0, few.2), (7, 1.0));
    assert!(few.1 <= 3.0, "{few:?}");
    assert_eq!(nightly(80).await, few);
}

#[tokio::test]
async fn the_nightly_run_writes_one_report_for_each_organization() {
    let world = World::start().await;
    for _ in 0..5 {
        world.tenant().await;
    }
    let day = world.now().await.date_naive();
    let (spent, ()) = cost(&world, async {
        world.invoke("AggregateReportsFunction", json!({"type": "nightly", "day": day})).await;
        world.drain().await;
    })
    .await;
    assert_eq!((spent.0, spent.2), (2 + 5 * 5, 5.0));
}

/// What checking a day with three rewards costs after so many payments of the day before.
async fn nightly_check(older: usize) -> Cost {
    let (world, tenant, _, anna) = warm().await;
    for number in 0..older {
        tenant.pay("ben", &format!("in_old_{number}"), 1_000).await.ok();
    }
    world.drain().await;
    world.advance(86_400).await;
    for number in 0..3 {
        tenant.sign_up(&format!("dora_{number}"), &anna.code).await.created();
        tenant.pay(&format!("dora_{number}"), &format!("in_{number}"), 1_000).await.ok();
    }
    let day = world.now().await.date_naive();
    let (spent, ()) = cost(&world, async {
        world.invoke("AggregateReportsFunction", json!({"type": "check", "day": day})).await;
        world.drain().await;
    })
    .await;
    spent
}

#[tokio::test]
async fn the_nightly_check_reads_what_the_day_touched_and_writes_once() {
    // The directory and its end, what is overdue (16 shards), the check; the day's shards with the lines behind them; for
    // each reward its source, its rewards and its payer; the ledger; the report; and the check as it is written.
    let few = nightly_check(1).await;
    let many = nightly_check(80).await;
    // Which shards of the day the lines are in is by chance.
    for spent in [few, many] {
        assert!(spent.0 <= 45 && spent.2 <= 2.0, "{spent:?}");
    }
    // Of the ledger, the latest 300 lines.
    assert!(many.1 - few.1 <= 10.0, "{few:?} {many:?}");
}

/// A tenant whose terms are these, with anna and her referee ben, everything warm.
async fn warm_with(terms: Value) -> (World, Tenant) {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(terms).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    tenant.pay("ben", "in_warm", 10_000).await.ok();
    world.drain().await;
    silence(&world);
    (world, tenant)
}

#[tokio::test]
async fn rules_that_do_not_count_ask_for_nothing_more() {
    let rate = |percent: &str| json!({"percentage": {"percent": percent}});
    let terms = json!({"channels": ["sign-up"], "variants": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}],
        "rules": [
            {"id": "gold", "first_of": "rate", "amount": rate("20"), "conditions": {"plans": ["gold"]}},
            {"id": "rest", "first_of": "rate", "amount": rate("10"), "conditions": {"used_code": true,
             "min_purchase": [{"amount": 100, "currency": "USD"}]}, "limits": {"validity_days": 30,
             "at_least": [{"amount": 5, "currency": "USD"}], "at_most": [{"amount": 5_000, "currency": "USD"}]}},
            {"id": "booking", "trigger": "booking_completed", "kind": "points",
             "amount": {"fixed": {"amount": 5, "currency": "points"}}}]});
    let (world, tenant) = warm_with(terms).await;
    let (spent, answer) = cost(&world, tenant.pay("ben", "in_1", 20_000)).await;
    assert_eq!(answer.ok()["posted"][0]["amount"]["amount"], 2_000);
    assert_eq!(spent, (3, 2.0, 6.0));
}

#[tokio::test]
async fn rules_that_count_add_the_rows_that_they_count_in() {
    let caps = json!([{"per": "month", "amount": 100_000, "currency": "USD"}]);
    let capped = json!({"rules": [{"id": "rule", "amount": {"percentage": {"percent": "10"}}, "limits": {"caps": caps}}]});
    let (world, tenant) = warm_with(capped).await;
    let (spent, answer) = cost(&world, tenant.pay("ben", "in_1", 20_000)).await;
    assert_eq!(answer.ok()["reason"], "earned");
    assert_eq!(spent, (4, 3.0, 8.0), "the recipient's counters: one read, one more row in the transaction");

    let milestone = json!([{"at": 100, "amount": 100, "currency": "USD"}]);
    let counted = json!({"rules": [{"id": "rule", "amount": {"percentage": {"percent": "10"}}},
        {"id": "bonus", "trigger": "referral_count", "amount": {"milestones": {"steps": milestone}}}]});
    let (world, tenant) = warm_with(counted).await;
    let (spent, answer) = cost(&world, tenant.pay("ben", "in_1", 20_000)).await;
    assert_eq!(answer.ok()["reason"], "earned");
    assert_eq!(spent, (4, 3.0, 10.0), "and the referee's");
}

#[tokio::test]
async fn a_payout_currency_asks_for_the_rates_of_a_day_once() {
    let terms = json!({"payout_currency": "USD", "rules": [
        {"id": "rule", "amount": {"percentage": {"percent": "10"}}}]});
    let (world, tenant) = warm_with(terms).await;
    let today = world.now().await.date_naive();
    let rates = json!({"currency": "USD", "rates": {"EUR": "1.25"}});
    let path = format!("/v1/exchange-rates/{today}");
    tenant.call("PUT", &path, Some(&rates)).await.ok();
    let pay = async |invoice: &str, currency: &str| {
        let body = json!({"invoice_id": invoice, "processor": "stripe", "external_id": "ben", "amount_paid": 20_000,
            "currency": currency});
        let (spent, answer) = cost(&world, tenant.post("/v1/track/invoice-paid", body)).await;
        (spent, answer.ok()["posted"][0]["amount"]["amount"].as_i64())
    };
    assert_eq!(pay("in_1", "USD").await, ((3, 2.0, 6.0), Some(2_000)), "nothing to convert");
    assert_eq!(pay("in_2", "EUR").await, ((4, 3.0, 6.0), Some(2_500)), "the rates of the day");
    assert_eq!(pay("in_3", "EUR").await, ((3, 2.0, 6.0), Some(2_500)), "which the function keeps");
}

#[tokio::test]
async fn a_touch_costs_one_write() {
    let (world, tenant, _, anna) = warm().await;
    let touch = |visitor: &str| json!({"visitor_id": visitor, "code": anna.code});
    let (spent, answer) = cost(&world, tenant.post("/v1/track/touch", touch("v-1"))).await;
    answer.created();
    assert_eq!(spent, (2, 0.5, 1.0), "the first of a code looks up whose it is");
    let (spent, answer) = cost(&world, tenant.post("/v1/track/touch", touch("v-2"))).await;
    answer.created();
    assert_eq!(spent, (1, 0.0, 1.0));
}

#[tokio::test]
async fn redeeming_a_discount_costs_one_read_and_one_write() {
    let (world, tenant, _, anna) = warm().await;
    world.put_discount(&world.organization(&tenant).await, &anna.id, "2345CDFHJKMN").await;
    let path = "/v1/discounts/2345-CDFH-JKMN/redeem";
    let (spent, answer) = cost(&world, tenant.post(path, json!({"reference": "order_1"}))).await;
    answer.ok();
    assert_eq!(spent, (2, 1.0, 1.0));
    let (spent, answer) = cost(&world, tenant.post(path, json!({"reference": "order_1"}))).await;
    answer.ok();
    assert_eq!(spent, (1, 1.0, 0.0), "the same again");
}
