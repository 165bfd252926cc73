//! One story, told by every processor's webhooks and by the API, ends in the same money in any order; and test and live money
//! do not meet.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use tests::{CHARGEBEE_SECRET, PADDLE_SECRET, Tenant, World, percent_rule, permutations};

/// What happens to an invoice of 200.00: a refund of 50.00, a credit of 20.00, and a dispute of 100.00 that is won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Paid,
    Refund,
    Credit,
    Disputed,
    Won,
}

const STEPS: [Step; 5] = [Step::Paid, Step::Refund, Step::Credit, Step::Disputed, Step::Won];
/// A tenth of what stands of it: 130.00.
const REWARD: i64 = 1_300;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Teller {
    Api,
    Paddle,
    Chargebee,
}

struct Story<'a> {
    tenant: &'a Tenant,
    endpoint: &'a str,
    teller: Teller,
    referee: String,
    now: DateTime<Utc>,
}

impl Story<'_> {
    async fn tell(&self, step: Step) {
        match self.teller {
            Teller::Api => {
                let (path, body) = self.call(step);
                let answer = self.tenant.post(path, body).await;
                assert!(matches!(answer.status, 200 | 202), "{step:?}: {answer:?}");
            }
            Teller::Paddle => {
                let (kind, data) = self.paddle(step);
                let event = json!({"event_id": self.id("evt"), "event_type": kind, "occurred_at": self.now, "data": data});
                let answer = self.tenant.paddle(self.endpoint, &event, self.now).await.ok();
                assert_eq!(answer["outcome"], "processed", "{step:?}: {answer}");
            }
            Teller::Chargebee => {
                let (kind, content) = self.chargebee(step);
                let at = self.now.timestamp();
                let event =
                    json!({"id": self.id("ev"), "event_type": kind, "occurred_at": at, "content": content});
                let answer = self.tenant.chargebee(self.endpoint, &event).await.ok();
                assert_eq!(answer["outcome"], "processed", "{step:?}: {answer}");
            }
        }
    }

    fn id(&self, prefix: &str) -> String {
        format!("{prefix}_{}", self.referee)
    }

    fn call(&self, step: Step) -> (&'static str, Value) {
        let invoice = self.id("in");
        let dispute = |status: &str| {
            let body = json!({"dispute_id": self.id("dp"), "invoice_id": invoice, "amount": 10_000, "currency": "USD",
                "status": status});
            ("/v1/track/dispute", body)
        };
        match step {
            Step::Paid => (
                "/v1/track/invoice-paid",
                json!({"invoice_id": invoice, "external_id": self.referee, "amount_paid": 20_000, "currency": "USD",
                    "paid_at": self.now}),
            ),
            Step::Refund => (
                "/v1/track/refund",
                json!({"refund_id": self.id("re"), "invoice_id": invoice, "amount": 5_000, "currency": "USD"}),
            ),
            Step::Credit => (
                "/v1/track/credit",
                json!({"credit_id": self.id("cn"), "invoice_id": invoice, "amount": 2_000, "currency": "USD"}),
            ),
            Step::Disputed => dispute("open"),
            Step::Won => dispute("won"),
        }
    }

    fn paddle(&self, step: Step) -> (&'static str, Value) {
        let adjustment = |id: &str, action: &str, amount: &str, status: &str| {
            json!({"id": self.id(id), "action": action, "transaction_id": self.id("txn"), "customer_id": self.id("ctm"),
                "currency_code": "USD", "status": status, "credit_applied_to_balance": true, "totals": {"total": amount}})
        };
        match step {
            Step::Paid => (
                "transaction.completed",
                json!({"id": self.id("txn"), "customer_id": self.id("ctm"), "currency_code": "USD",
                    "custom_data": {"referral_external_id": self.referee},
                    "details": {"totals": {"total": "20000", "tax": "0", "grand_total": "20000"}}}),
            ),
            Step::Refund => ("adjustment.updated", adjustment("adj", "refund", "5000", "approved")),
            Step::Credit => ("adjustment.created", adjustment("adjc", "credit", "2000", "approved")),
            Step::Disputed => ("adjustment.created", adjustment("adjd", "chargeback", "10000", "approved")),
            Step::Won => {
                ("adjustment.created", adjustment("adjw", "chargeback_reverse", "10000", "approved"))
            }
        }
    }

    fn chargebee(&self, step: Step) -> (&'static str, Value) {
        let note = |id: &str, amount: i64, status: &str| {
            json!({"credit_note": {"id": self.id(id), "type": "refundable", "reference_invoice_id": self.id("in"),
                "customer_id": self.id("cb"), "currency_code": "USD", "total": amount, "status": status}})
        };
        match step {
            Step::Paid => (
                "payment_succeeded",
                json!({"invoice": {"id": self.id("in"), "customer_id": self.id("cb"), "currency_code": "USD",
                        "status": "paid", "amount_paid": 20_000, "total": 20_000, "tax": 0,
                        "paid_at": self.now.timestamp(),
                        "linked_payments": [{"txn_id": self.id("pay"), "applied_amount": 20_000, "txn_status": "success"}]},
                    "customer": {"id": self.id("cb"), "cf_referral_external_id": self.referee}}),
            ),
            Step::Refund => ("payment_refunded", note("re", 5_000, "refunded")),
            Step::Credit => ("credit_note_created", note("cn", 2_000, "refund_due")),
            // Chargebee writes a chargeback down as a credit note, and voids it when the money comes back.
            Step::Disputed => ("credit_note_created", note("dp", 10_000, "refunded")),
            Step::Won => ("credit_note_updated", note("dp", 10_000, "voided")),
        }
    }
}

async fn every_order_ends_alike(teller: Teller) {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule("10")).await;
    let endpoint = match teller {
        Teller::Api => String::new(),
        Teller::Paddle => tenant.endpoint("paddle", PADDLE_SECRET).await,
        Teller::Chargebee => tenant.endpoint("chargebee", CHARGEBEE_SECRET).await,
    };
    // Chargebee tells whole seconds: the payments must not seem to come before the program.
    world.advance(10).await;
    let now = world.now().await;
    for (number, order) in permutations(&STEPS).iter().enumerate() {
        let anna = tenant.enrol(&program, &format!("anna-{number}"), "Anna").await;
        let referee = format!("ben-{number}");
        let story = Story { tenant: &tenant, endpoint: &endpoint, teller, referee, now };
        // The sign-up comes somewhere in between.
        for (step, event) in order.iter().enumerate() {
            if step == number % 5 {
                tenant.sign_up(&story.referee, &anna.code).await.created();
            }
            story.tell(*event).await;
            if (number + step) % 3 == 0 {
                world.drain().await;
            }
        }
        for event in order.iter().rev() {
            story.tell(*event).await;
        }
        world.drain().await;
        let (available, pending, earned, reversed) = tenant.figures(&anna).await;
        assert_eq!((available, pending, earned - reversed), (REWARD, 0, REWARD), "{teller:?} {order:?}");
    }
    world.assert_at_rest().await;
}

#[tokio::test]
async fn every_order_of_reports_by_the_api_ends_in_the_same_money() {
    every_order_ends_alike(Teller::Api).await;
}

#[tokio::test]
async fn every_order_of_paddles_events_ends_in_the_same_money() {
    every_order_ends_alike(Teller::Paddle).await;
}

#[tokio::test]
async fn every_order_of_chargebees_events_ends_in_the_same_money() {
    every_order_ends_alike(Teller::Chargebee).await;
}

#[tokio::test]
async fn the_webhook_and_the_api_meet_in_the_same_sources() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let paddle = tenant.endpoint("paddle", PADDLE_SECRET).await;
    let chargebee = tenant.endpoint("chargebee", CHARGEBEE_SECRET).await;
    world.advance(10).await;
    let now = world.now().await;
    for (teller, endpoint, invoice, credit) in [
        (Teller::Paddle, &paddle, "txn_ben", "adjc_ben"),
        (Teller::Chargebee, &chargebee, "in_ben", "cn_ben"),
    ] {
        let story = Story { tenant: &tenant, endpoint, teller, referee: "ben".to_owned(), now };
        let processor = format!("{teller:?}").to_lowercase();
        story.tell(Step::Paid).await;
        story.tell(Step::Credit).await;
        let told = json!({"invoice_id": invoice, "processor": processor, "external_id": "ben", "amount_paid": 20_000,
            "currency": "USD"});
        assert_eq!(tenant.post("/v1/track/invoice-paid", told).await.ok()["posted"], json!([]));
        let told = json!({"credit_id": credit, "processor": processor, "invoice_id": invoice, "amount": 2_000,
            "currency": "USD"});
        assert_eq!(tenant.post("/v1/track/credit", told.clone()).await.ok()["posted"], json!([]));
        // What the processor does not tell can be told by hand, under the same name: the credit was taken back.
        let mut undone = told;
        undone["status"] = json!("failed");
        let undone = tenant.post("/v1/track/credit", undone).await.ok();
        assert_eq!(undone["posted"][0]["amount"]["amount"], 200);
        let void = json!({"invoice_id": invoice, "processor": processor});
        assert_eq!(tenant.post("/v1/track/void", void).await.ok()["reason"], "voided");
    }
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await.0, 0);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_customer_whom_the_processor_names_is_tied_and_a_started_plan_is_a_qualifying_event() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let amount = json!({"fixed": {"amount": 700, "currency": "USD"}});
    let rule = json!({"id": "start", "trigger": "plan_started", "amount": amount});
    let program = tenant.program(json!({"rules": [rule]})).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    for referee in ["ben", "carl"] {
        tenant.sign_up(referee, &anna.code).await.created();
    }
    let paddle = tenant.endpoint("paddle", PADDLE_SECRET).await;
    let chargebee = tenant.endpoint("chargebee", CHARGEBEE_SECRET).await;
    world.advance(10).await;
    let now = world.now().await;
    // The plan starts before anybody has said whose customer it is.
    let event = |kind: &str, data: Value| json!({"event_id": "evt_1", "event_type": kind, "occurred_at": now, "data": data});
    let started = event("subscription.activated", json!({"id": "sub_1", "customer_id": "ctm_1"}));
    let answer = tenant.paddle(&paddle, &started, now).await.ok();
    assert_eq!(answer["results"][0]["reason"], "payer_unknown");
    let known =
        event("customer.updated", json!({"id": "ctm_1", "custom_data": {"referral_external_id": "ben"}}));
    assert_eq!(tenant.paddle(&paddle, &known, now).await.ok()["outcome"], "processed");

    let event = |kind: &str, content: Value| json!({"id": "ev_1", "event_type": kind, "occurred_at": now.timestamp(), "content": content});
    let subscription = json!({"subscription": {"id": "cb-sub-1", "customer_id": "cb_1", "status": "active"}});
    let answer = tenant.chargebee(&chargebee, &event("subscription_activated", subscription)).await.ok();
    assert_eq!(answer["results"][0]["reason"], "payer_unknown");
    let known = json!({"customer": {"id": "cb_1", "meta_data": {"referral_external_id": "carl"}}});
    assert_eq!(
        tenant.chargebee(&chargebee, &event("customer_changed", known)).await.ok()["outcome"],
        "processed"
    );
    world.drain().await;
    assert_eq!(tenant.figures(&anna).await.0, 1_400);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn signatures_by_any_secret_of_the_endpoint_are_good_for_five_minutes() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let anna = tenant.with_anna("10").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let secrets = json!(["pdl_ntfset_that_is_replaced", PADDLE_SECRET]);
    let made = tenant.post("/v1/webhook-endpoints", json!({"processor": "paddle", "secrets": secrets})).await;
    let path = made.created()["path"].as_str().unwrap().to_owned();
    world.advance(10).await;
    let now = world.now().await;
    let story =
        Story { tenant: &tenant, endpoint: &path, teller: Teller::Paddle, referee: "ben".to_owned(), now };
    let (kind, data) = story.paddle(Step::Paid);
    let event = json!({"event_id": "evt_1", "event_type": kind, "occurred_at": now, "data": data});
    for seconds in [-290, 0, 290] {
        let answer = tenant.paddle(&path, &event, now + Duration::seconds(seconds)).await.ok();
        assert_eq!(answer["results"][0]["reason"], "earned");
    }
    let body = event.to_string();
    let old = domain::paddle::SCHEME.sign(body.as_bytes(), "pdl_ntfset_that_is_replaced", now);
    let foreign = domain::paddle::SCHEME.sign(body.as_bytes(), "pdl_ntfset_of_somebody_else", now);
    let both = format!("{foreign};h1={}", old.split_once(";h1=").unwrap().1);
    let anonymous = world.tenant_with(String::new());
    for signature in [old, both] {
        anonymous.send("POST", &path, body.clone(), &[("paddle-signature", &signature)]).await.ok();
    }
    assert_eq!(tenant.figures(&anna).await.2, 2_000);
}

#[tokio::test]
async fn an_organization_is_live_or_for_tests_and_so_is_all_that_belongs_to_it() {
    let world = World::start().await;
    let root = world.tenant_with(world.stage.root_key().to_owned());
    let made = root.post("/v1/organizations", json!({"name": "Untold"})).await.created();
    assert_eq!(made["livemode"], true, "live unless told");
    assert!(made["api_key"]["secret"].as_str().unwrap().starts_with("rk_live_"));
    for (livemode, prefix) in [(true, "rk_live_"), (false, "rk_test_")] {
        let tenant = world.tenant_in(livemode).await;
        assert!(tenant.key.starts_with(prefix), "{prefix}");
        let second = tenant.post("/v1/api-keys", json!({"name": "second"})).await.created();
        let second = world.tenant_with(second["secret"].as_str().unwrap().to_owned());
        assert!(second.key.starts_with(prefix), "{prefix}");
        for processor in ["stripe", "paddle", "chargebee"] {
            let body = json!({"processor": processor});
            assert_eq!(second.post("/v1/webhook-endpoints", body).await.created()["livemode"], livemode);
            let body = json!({"processor": processor, "livemode": livemode});
            assert_eq!(second.post("/v1/webhook-endpoints", body).await.created()["livemode"], livemode);
            let body = json!({"processor": processor, "livemode": !livemode});
            let problem = second.post("/v1/webhook-endpoints", body).await.refused(422, "mode_mismatch");
            assert_eq!(problem["errors"][0]["pointer"], "/livemode");
        }
    }
}

#[tokio::test]
async fn a_test_event_is_ignored_at_a_live_endpoint_and_the_other_way_round() {
    let world = World::start().await;
    for livemode in [true, false] {
        let tenant = world.tenant_in(livemode).await;
        let anna = tenant.with_anna("10").await;
        tenant.sign_up("ben", &anna.code).await.created();
        let path = tenant.stripe_endpoint().await;
        world.advance(10).await;
        let now = world.now().await;
        let event = |livemode: bool| {
            json!({"id": "evt_1", "object": "event", "livemode": livemode, "type": "invoice.paid",
            "created": now.timestamp(), "data": {"object": {"id": "in_1", "object": "invoice", "amount_paid": 20_000,
            "currency": "usd", "customer": "cus_1", "metadata": {"referral_external_id": "ben"},
            "status_transitions": {"paid_at": now.timestamp()}}}})
        };
        let other = tenant.stripe(&path, &event(!livemode), now).await.ok();
        assert_eq!((&other["outcome"], &other["ignored_because"]), (&json!("ignored"), &json!("livemode")));
        assert_eq!(tenant.stripe(&path, &event(livemode), now).await.ok()["results"][0]["reason"], "earned");
        assert_eq!(tenant.figures(&anna).await.2, 2_000);
    }
}
