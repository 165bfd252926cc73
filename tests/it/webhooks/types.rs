//! Each type of event: told when what it names happens, with what the documents say of it, once, and only to its own
//! organization.

use aws::store::{Enrolled, ParticipantRow, Store};
use domain::code::ReferralCode;
use domain::event::{Event, ReportData, Told, What};
use domain::id::{ExternalId, OrganizationId, ParticipantId, ProgramId};
use serde_json::{Value, json};
use tests::sim::{self, simulate};
use tests::{Participant, Receiver, Tenant, World, percent_rule};

use super::{Office, create, event};

/// What functions know of destinations is as old as this at most.
const MEMORY_SECONDS: i64 = 31;

impl Office {
    /// What was told of these types since this was asked the last time, in order of type and data: each under an id of its
    /// own, and as the documents describe it.
    async fn told(&self, types: &[&str]) -> Vec<(String, Value)> {
        self.world.drain().await;
        let (mut told, mut ids) = (Vec::new(), Vec::new());
        for got in self.receiver.got() {
            let body = got.json();
            let read: Told = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), body);
            assert_eq!(read.event.organization, self.organization);
            ids.push(read.event.id);
            let kind = read.event.what.name();
            if types.contains(&kind) {
                told.push((kind.to_owned(), body["data"].clone()));
            }
        }
        ids.sort_unstable();
        assert!(ids.is_sorted_by(|one, other| one < other), "an event was told twice");
        told.sort_by_key(|(kind, data)| (kind.clone(), data.to_string()));
        told
    }

    async fn of_referrals(&self) -> Vec<(String, Value)> {
        self.told(&["referral.created", "referral.converted", "referral.inactivated"]).await
    }
}

fn of_referral(kind: &str, referee: &str, referrers: &[&Participant], program: &str) -> (String, Value) {
    let referrers: Vec<&str> = referrers.iter().map(|participant| participant.id.as_str()).collect();
    let data = json!({"referee": referee, "referrers": referrers, "program": program});
    (format!("referral.{kind}"), data)
}

#[tokio::test]
async fn an_enrolment_is_told_once_with_the_code() {
    let office = Office::open_for(Value::Null).await;
    let program = office.tenant.program(percent_rule("10")).await;
    let anna = office.tenant.enrol(&program, "anna", "Anna").await;
    let path = format!("/v1/programs/{program}/participants/anna");
    for name in ["Anna", "Anya"] {
        let again = office.tenant.call("PUT", &path, Some(&json!({"name": name}))).await.ok();
        assert_eq!((&again["id"], &again["code"]), (&json!(anna.id), &json!(anna.code)));
    }
    let data = json!({"participant": anna.id, "external_id": "anna", "program": program, "code": anna.code});
    assert_eq!(office.told(&["participant.created"]).await, [("participant.created".to_owned(), data)]);
    office.world.assert_at_rest().await;
}

/// Two accounts of one name can be given one code: the later one gets another before anything of it is written.
#[test]
fn an_enrolment_with_a_code_that_is_taken_writes_nothing() {
    simulate(async {
        let world = sim::World::new().await;
        let table = world.table_name().to_owned();
        let lookup = move |name: &str| (name == "TABLE_NAME").then(|| table.clone());
        let store = Store::new(world.platform(), &lookup).unwrap();
        let organization = OrganizationId::from_entropy(&[7; 17]);
        let row = |external_id: &str, code: &str| {
            let (program, external_id) =
                (ProgramId::derive(&["one"]), ExternalId::parse(external_id).unwrap());
            ParticipantRow {
                participant: ParticipantId::of(&organization, &program, &external_id),
                program,
                external_id,
                name: None,
                code: ReferralCode::parse(code).unwrap(),
                assignments: Vec::new(),
                customers: domain::customers::Customers::default(),
                contact: domain::contact::Contact::default(),
                unsubscribed_at: None,
                created_at: world.now(),
            }
        };
        let enrol = async |row: &ParticipantRow| {
            let what = What::ReportReady(ReportData { day: world.now().date_naive() });
            let event = Event::new(&organization, what, row.participant.as_str(), world.now());
            (store.commit_enrolment(&organization, row, Some(&event), &[]).await.unwrap(), event)
        };
        let (anna, ben) = (row("anna", "ABC-2345"), row("ben", "ABC-2345"));
        let (enrolled, told) = enrol(&anna).await;
        assert!(matches!(enrolled, Enrolled::New));
        assert_eq!(store.find_event(&organization, &told.id).await.unwrap(), Some(told));
        let before = format!("{:?}", world.rows());
        assert!(matches!(enrol(&ben).await.0, Enrolled::CodeTaken));
        assert_eq!(format!("{:?}", world.rows()), before);
        let other = row("ben", "ABC-2346");
        assert!(matches!(enrol(&other).await.0, Enrolled::New));
        let Enrolled::Known(known) = enrol(&ben).await.0 else { panic!("it is known") };
        assert_eq!(*known, other);
        assert_eq!(
            store.find_code(&organization, &anna.code).await.unwrap().unwrap().participant,
            anna.participant
        );
    });
}

#[tokio::test]
async fn a_referral_is_told_of_from_its_binding_to_its_end() {
    let office = Office::open_for(Value::Null).await;
    let tenant = &office.tenant;
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    let cleo = tenant.enrol(&program, "cleo", "Cleo").await;
    tenant.post("/v1/track/signup", json!({"external_id": "dora"})).await.created();
    assert_eq!(office.of_referrals().await, []);

    tenant.sign_up("ben", &anna.code).await.created();
    assert_eq!(office.of_referrals().await, [of_referral("created", "ben", &[&anna], &program)]);
    tenant.sign_up("ben", &anna.code).await.ok();
    tenant.sign_up("ben", &cleo.code).await.refused(409, "already_referred");
    assert_eq!(office.of_referrals().await, []);

    // The first that earns converts; nothing does that earns nothing.
    tenant.pay("ben", "in_0", 0).await.ok();
    assert_eq!(office.of_referrals().await, []);
    tenant.pay("ben", "in_1", 20_000).await.ok();
    assert_eq!(office.of_referrals().await, [of_referral("converted", "ben", &[&anna], &program)]);
    tenant.pay("ben", "in_1", 20_000).await.ok();
    tenant.pay("ben", "in_2", 20_000).await.ok();
    tenant.refund("re_1", "in_1", 20_000).await.ok();
    assert_eq!(office.of_referrals().await, []);

    for _ in 0..2 {
        tenant.call("DELETE", "/v1/referrals/ben", None).await.ok();
    }
    assert_eq!(office.of_referrals().await, [of_referral("inactivated", "ben", &[&anna], &program)]);
    tenant.pay("ben", "in_3", 20_000).await.ok();
    assert_eq!(office.of_referrals().await, []);

    // Another referral of the same referee is another.
    let assignment = json!({"program": program, "referrer": "cleo"});
    tenant.call("PUT", "/v1/referrals/ben", Some(&assignment)).await.created();
    tenant.call("PUT", "/v1/referrals/ben", Some(&assignment)).await.ok();
    office.world.advance(60).await;
    for invoice in ["in_4", "in_5"] {
        tenant.pay("ben", invoice, 20_000).await.ok();
    }
    let anew = ["converted", "created"].map(|kind| of_referral(kind, "ben", &[&cleo], &program));
    assert_eq!(office.of_referrals().await, anew);
    office.world.assert_at_rest().await;
}

/// Terms that count write the referee's row too; the mark that it has converted goes with that.
#[tokio::test]
async fn terms_that_count_convert_once_and_a_paid_sign_up_at_once() {
    let office = Office::open_for(Value::Null).await;
    let tenant = &office.tenant;
    let terms = json!({"max_referrals": 9, "rules": [
        {"id": "thanks", "trigger": "signup", "amount": {"fixed": {"amount": 50, "currency": "USD"}}},
        {"id": "first", "amount": {"percentage": {"percent": "10"}}, "limits": {"max_rewards_per_referee": 2}}]});
    let program = tenant.program(terms).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    let both = ["converted", "created"].map(|kind| of_referral(kind, "ben", &[&anna], &program));
    assert_eq!(office.of_referrals().await, both);
    for invoice in ["in_1", "in_2", "in_3"] {
        tenant.pay("ben", invoice, 20_000).await.ok();
    }
    assert_eq!(office.of_referrals().await, []);
    assert_eq!(tenant.figures(&anna).await.0, 4_050);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn payments_that_race_convert_once() {
    let office = Office::open_for(Value::Null).await;
    let program = office.tenant.program(percent_rule("10")).await;
    let anna = office.tenant.enrol(&program, "anna", "Anna").await;
    office.tenant.sign_up("ben", &anna.code).await.created();
    office.of_referrals().await;
    let invoices: Vec<String> = (0..8).map(|number| format!("in_{number}")).collect();
    let pay = invoices.iter().map(|invoice| office.tenant.pay("ben", invoice, 20_000));
    for paid in futures_util::future::join_all(pay).await {
        assert_eq!(paid.ok()["reason"], "earned");
    }
    assert_eq!(office.of_referrals().await, [of_referral("converted", "ben", &[&anna], &program)]);
    assert_eq!(office.tenant.figures(&anna).await.0, 16_000);
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn whoever_signs_up_by_a_promotion_code_or_by_links_is_told_of() {
    let office = Office::open_for(Value::Null).await;
    let tenant = &office.tenant;
    let mut terms = percent_rule("10");
    terms["attribution"] = json!({"model": "linear"});
    let program = tenant.program(terms).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    let cleo = tenant.enrol(&program, "cleo", "Cleo").await;
    let paid = json!({"invoice_id": "in_1", "external_id": "ben", "amount_paid": 20_000, "currency": "USD",
        "promotion_codes": [anna.code]});
    tenant.post("/v1/track/invoice-paid", paid).await.ok();
    let both = ["converted", "created"].map(|kind| of_referral(kind, "ben", &[&anna], &program));
    assert_eq!(office.of_referrals().await, both);

    for participant in [&anna, &cleo] {
        let touch = json!({"visitor_id": "v-1", "code": participant.code});
        tenant.post("/v1/track/touch", touch).await.created();
    }
    tenant.post("/v1/track/signup", json!({"external_id": "dora", "visitor_id": "v-1"})).await.created();
    tenant.pay("dora", "in_2", 20_000).await.ok();
    let told = office.of_referrals().await;
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["referral.converted", "referral.created"]);
    for (_, data) in &told {
        let mut referrers: Vec<&str> =
            data["referrers"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        referrers.sort_unstable();
        let mut ids = [anna.id.as_str(), cleo.id.as_str()];
        ids.sort_unstable();
        assert_eq!(referrers, ids);
    }
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn an_invoice_that_is_finalized_and_a_report_that_is_written_are_told() {
    let office = Office::open_for(Value::Null).await;
    let partners = tests::Partners::open(&office.world, &office.tenant).await;
    let days = office.told(&["report.ready"]).await;
    assert!(days.contains(&("report.ready".to_owned(), json!({"day": partners.day}))), "{days:?}");
    // The same day again writes the same report, and is no news.
    let again = json!({"type": "nightly", "day": partners.day});
    office.world.invoke("AggregateReportsFunction", again).await;
    assert_eq!(office.told(&["report.ready"]).await, []);

    let [invoice, other, _] = &partners.invoices;
    let reasoned = json!({"actor": "finance", "reason": "month end"});
    for (id, action) in [(invoice, "finalize"), (invoice, "finalize"), (invoice, "pay"), (other, "void")] {
        let path = format!("/v1/partner-invoices/{id}/{action}");
        office.tenant.post(&path, reasoned.clone()).await.ok();
    }
    let total = office.tenant.get(&format!("/v1/partner-invoices/{invoice}")).await.ok()["total"].clone();
    let data = json!({"partner_invoice": invoice, "participant": partners.pia.id, "program": partners.program,
        "total": total});
    let kind = "partner_invoice.finalized";
    assert_eq!(office.told(&[kind]).await, [(kind.to_owned(), data)]);
    office.world.assert_at_rest().await;
}

/// What happens to Anna and Ben, of every kind.
async fn story(tenant: &Tenant) {
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    tenant.pay("ben", "in_1", 20_000).await.ok();
    tenant.call("DELETE", "/v1/referrals/ben", None).await.ok();
}

#[tokio::test]
async fn nobody_hears_of_another_organization_or_of_what_it_did_not_ask_for() {
    let office = Office::open_for(Value::Null).await;
    office.change(json!({"events": ["referral.inactivated"]})).await;
    let stranger = office.world.tenant().await;
    let strange = Receiver::start().await;
    create(&stranger, json!({"url": strange.url()})).await;
    story(&office.tenant).await;
    let told = office.of_referrals().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, "referral.inactivated");
    assert_eq!(office.deliveries().await.len(), 1);
    assert!(strange.got().is_empty());
    office.world.assert_at_rest().await;
}

#[tokio::test]
async fn an_organization_nobody_listens_to_writes_no_event() {
    let world = World::start().await;
    let (quiet, listened, paused) = (world.tenant().await, world.tenant().await, world.tenant().await);
    let receiver = Receiver::start().await;
    let made = create(&paused, json!({"url": receiver.url()})).await;
    let path = format!("/v1/event-destinations/{}", super::id_of(&made));
    paused.call("PATCH", &path, Some(&json!({"status": "disabled"}))).await.ok();
    story(&quiet).await;
    story(&paused).await;
    let events = async |tenant: &Tenant| {
        let organization = world.organization(tenant).await;
        let rows = world.snapshot().await;
        let due = rows.iter().filter(|((pk, sk), row)| {
            pk.starts_with(&organization) && sk == "EVENT" && row.contains_key("due_sk")
        });
        due.count()
    };
    assert_eq!((events(&quiet).await, events(&paused).await), (0, 0));
    // The rows are due until it is told.
    create(&listened, json!({"url": receiver.url()})).await;
    let stop = local::Fault {
        call: Some("SendMessage".to_owned()),
        skip: 0,
        times: 1_000,
        effect: local::Effect::Unavailable,
    };
    world.plan(vec![stop]);
    story(&listened).await;
    world.plan(Vec::new());
    assert_eq!(events(&listened).await, 4);
    world.advance(200).await;
    world.drain().await;
    assert_eq!(events(&listened).await, 0);
    let got: Vec<Value> = receiver.got().iter().map(|got| got.json()).collect();
    for kind in ["participant.created", "referral.created", "referral.converted", "referral.inactivated"] {
        assert_eq!(got.iter().filter(|body| body["type"] == kind).count(), 1, "{kind}");
    }
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_destination_hears_of_what_happens_half_a_minute_after_it_was_made() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(percent_rule("10")).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    tenant.sign_up("ben", &anna.code).await.created();
    tenant.pay("ben", "in_1", 20_000).await.ok();
    world.drain().await;
    let receiver = Receiver::start().await;
    create(&tenant, json!({"url": receiver.url(), "events": ["participant.created", "referral.converted"]}))
        .await;
    world.advance(MEMORY_SECONDS).await;
    tenant.enrol(&program, "cleo", "Cleo").await;
    // Nobody was told that Ben's referral has converted: the next that it earns says so.
    for invoice in ["in_2", "in_3"] {
        tenant.pay("ben", invoice, 20_000).await.ok();
    }
    world.drain().await;
    let mut kinds: Vec<String> = receiver.got().iter().map(|got| got.json()["type"].to_string()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [r#""participant.created""#, r#""referral.converted""#]);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn an_event_that_is_gone_was_told_and_one_that_cannot_be_read_is_parked() {
    let office = Office::open_for(Value::Null).await;
    story(&office.tenant).await;
    let told = office.of_referrals().await;
    assert_eq!(told.len(), 3);
    for due in office.world.taken("EventsQueue").await {
        office.world.send("EventsQueue", &due.to_string()).await;
    }
    let event: Value = serde_json::from_str(&event(&office.organization, 1)).unwrap();
    let due =
        json!({"type": "event.due.v1", "organization": office.organization.as_str(), "event": event["id"]});
    office.world.send("EventsQueue", &due.to_string()).await;
    assert_eq!(office.told(&What::TYPES).await, []);
    let unusable =
        json!({"type": "event.due.v1", "organization": office.organization.as_str(), "event": "msg_x"});
    office.world.send("EventsQueue", &unusable.to_string()).await;
    for _ in 0..6 {
        office.wait(361).await;
    }
    assert_eq!(office.world.receive("EventsDlq").await, [unusable]);
    office.world.assert_at_rest().await;
}
