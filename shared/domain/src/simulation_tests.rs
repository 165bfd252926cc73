use serde_json::json;

use super::stage::{Stage, day, outcome, rule, simulation, terms};
use super::*;
use crate::money::{Currency, Unit};
use crate::reason::Reason;

fn event(json: &serde_json::Value) -> ExampleEvent {
    serde_json::from_value(json.clone()).unwrap()
}

fn paid(amount: i64) -> ExampleEvent {
    event(&json!({"type": "invoice_paid", "referee": "ben", "invoice": "in_1", "amount_paid": amount,
        "currency": "USD", "at": day(1)}))
}

fn example() -> Simulation {
    let mut simulation = simulation(terms(&json!({"rules": [rule(&json!({}))]})));
    let signup = json!({"type": "signup", "referee": "ben", "referrer": "anna", "at": day(0)});
    simulation.apply(&event(&signup)).unwrap();
    simulation
}

#[test]
fn every_event_reads_back_as_it_is_written() {
    for json in [
        json!({"type": "signup", "referee": "ben", "referrer": "anna", "channel": "tour", "existing_customer": true,
            "touches": [{"referrer": "lena", "at": day(0)}], "at": day(1)}),
        json!({"type": "invoice_paid", "referee": "ben", "invoice": "in_1", "amount_paid": 100, "currency": "USD",
            "total": 100, "total_excluding_tax": 90, "at": day(1), "plan": "pro", "product": "crm",
            "country": "DE", "metadata": {"k": "v"}}),
        json!({"type": "refund", "invoice": "in_1", "refund": "re_1", "amount": 5, "status": "failed", "at": day(1)}),
        json!({"type": "event", "name": "approved", "referee": "ben", "id": "1", "amount": 5, "currency": "USD",
            "at": day(1), "plan": "pro", "product": "crm", "country": "DE", "metadata": {"k": "v"}}),
        json!({"type": "payout", "referee": "ben", "id": "1", "revision": 2, "payout": 5, "profit": -5, "revenue": 9,
            "currency": "USD", "at": day(1)}),
        json!({"type": "dispute", "invoice": "in_1", "dispute": "dp_1", "amount": 5, "status": "won", "at": day(1)}),
        json!({"type": "void", "invoice": "in_1", "at": day(1)}),
    ] {
        let read: ExampleEvent = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), json);
        assert_eq!(serde_json::to_value(read.at()).unwrap(), json["at"]);
        let mut unknown = json.clone();
        unknown["surprise"] = json!(1);
        assert!(serde_json::from_value::<ExampleEvent>(unknown).is_err(), "{json}");
    }
    let refund = json!({"type": "refund", "invoice": "in_1", "refund": "re_1", "amount": 5, "at": day(1)});
    assert_eq!(serde_json::to_value(event(&refund)).unwrap()["status"], "succeeded");
    assert!(serde_json::from_value::<ExampleEvent>(json!({"type": "sunrise", "at": day(1)})).is_err());
}

#[test]
fn an_example_that_cannot_be_changes_nothing() {
    let mut simulation = example();
    simulation.apply(&paid(100)).unwrap();
    let before = simulation.summary();
    let base = json!({"type": "event", "name": "approved", "referee": "ben", "id": "1", "at": day(1)});
    let with = |key: &str, value: serde_json::Value| {
        let mut json = base.clone();
        json[key] = value;
        event(&json)
    };
    let other = json!({"type": "invoice_paid", "referee": "lena", "invoice": "in_1", "amount_paid": 900,
        "currency": "USD", "at": day(1)});
    let euro = json!({"type": "invoice_paid", "referee": "ben", "invoice": "in_1", "amount_paid": 900,
        "currency": "EUR", "at": day(1)});
    let usd = Currency::parse("USD").unwrap();
    let eur = Currency::parse("EUR").unwrap();
    for (event, expected) in [
        (paid(-1), MoneyError::OutOfRange.into()),
        (paid(crate::money::AMOUNT_MAX + 1), MoneyError::OutOfRange.into()),
        (with("amount", json!(5)), SimulationError::AmountAndCurrency),
        (with("currency", json!("USD")), SimulationError::AmountAndCurrency),
        (with("plan", json!("")), SimulationError::Label),
        (with("plan", json!("x".repeat(101))), SimulationError::Label),
        (with("metadata", json!({"": "x"})), SimulationError::Label),
        (event(&other), PayerMismatch.into()),
        (event(&euro), MergeError::CurrencyMismatch { known: usd, given: eur }.into()),
    ] {
        assert_eq!(simulation.apply(&event), Err(expected), "{event:?}");
        assert_eq!(simulation.summary(), before);
        assert_eq!(simulation.events, 2);
    }
}

#[test]
fn the_number_of_events_is_bounded() {
    let mut simulation = example();
    for _ in 1..EVENTS_MAX {
        simulation.apply(&paid(100)).unwrap();
    }
    assert_eq!(simulation.apply(&paid(100)), Err(SimulationError::TooManyEvents));
}

#[test]
fn a_step_says_what_was_decided_counted_and_posted() {
    let given = json!({"repeat": "once_per_referee"});
    let mut stage = Stage::with(&[rule(&given)]);
    stage.sign_up("ben", "anna", 0);
    let step = stage.pay("ben", "in_1", 100, 1);
    let json = serde_json::to_value(&step).unwrap();
    let reward = json["decisions"][0]["posted"][0]["reward"].clone();
    assert_eq!(
        json,
        json!({"decisions": [{
            "source": "invoice/example/in_1", "reason": "earned",
            "rules": [{"source": "invoice/example/in_1", "rule": "a", "recipient": "anna", "reason": "earned",
                "basis": 100, "target": {"amount": 500, "currency": "USD"}, "counted": {"rewards_before": 0}}],
            "posted": [{"reward": reward, "rule": "a", "recipient": "anna",
                "amount": {"amount": 500, "currency": "USD"}, "cause": "earned", "state": "approved"}],
        }]})
    );
    assert_eq!(outcome(&stage.pay("ben", "in_2", 100, 2), "a").counted.rewards_before, Some(1));
}

#[test]
fn the_summary_adds_up_what_was_earned_and_taken_back() {
    let mut stage =
        Stage::with(&[rule(&json!({})), rule(&json!({"id": "b", "kind": "message", "amount": null}))]);
    stage.sign_up("ben", "anna", 0);
    stage.pay("ben", "in_1", 100, 1);
    stage.pay("ben", "in_2", 100, 1);
    stage.refund("in_1", 100, 2, "succeeded");
    let summary = stage.0.summary();
    assert_eq!(
        serde_json::to_value(&summary).unwrap(),
        json!({"participants": {"anna": {"USD": {"earned": 1_000, "reversed": 500, "net": 500}}}}),
        "a message has no value"
    );
    let usd = Unit::parse("USD").unwrap();
    assert_eq!(summary.participants.values().next().unwrap()[&usd].net, 500);
}

#[test]
fn sign_ups_are_refused_as_ever() {
    let mut stage =
        Stage::of(&json!({"rules": [rule(&json!({}))], "channels": ["sign-up"], "max_referrals": 1}));
    assert_eq!(stage.sign_up("anna", "anna", 0).refused, Some(Reason::SelfReferral));
    let tour =
        json!({"type": "signup", "referee": "ben", "referrer": "anna", "channel": "tour", "at": day(0)});
    assert_eq!(stage.apply(&tour).refused, Some(Reason::ChannelNotAccepted));
    assert_eq!(stage.sign_up("ben", "anna", 0).refused, None);
    assert_eq!(stage.sign_up("ben", "anna", 0).refused, None, "the same again");
    assert_eq!(
        stage.sign_up("ben", "anne", 0).refused,
        Some(Reason::AlreadyReferred),
        "a name alike is another code"
    );
    assert_eq!(stage.sign_up("cleo", "anna", 0).refused, Some(Reason::ReferrerLimitReached));
    assert_eq!(stage.pay("cleo", "in_1", 100, 1).decisions[0].reason, Reason::AwaitingSignup);
    stage.apply(&json!({"type": "signup", "referee": "dora", "at": day(0)}));
    assert_eq!(stage.pay("dora", "in_2", 100, 1).decisions[0].reason, Reason::NotReferred);
}

#[test]
fn a_program_is_simulated_as_active_between_its_beginning_and_its_end() {
    let draft = terms(&json!({"rules": [rule(&json!({}))]}));
    let settings = crate::program::Settings {
        starts_at: Some(day(10)),
        ends_at: Some(day(20)),
        ..crate::program::Settings::default()
    };
    let (organization, id) = (OrganizationId::derive(&["o"]), crate::id::ProgramId::derive(&["p"]));
    let program = Program::create(id, "Spring".to_owned(), ProgramStatus::Draft, settings, &draft, day(5));
    let mut stage = Stage(Simulation::new(organization, program, draft));
    assert_eq!(stage.sign_up("early", "anna", 9).refused, Some(Reason::ProgramNotActive));
    assert_eq!(stage.sign_up("ben", "anna", 10).refused, None);
    assert_eq!(stage.pay("ben", "in_1", 100, 19).decisions[0].reason, Reason::Earned);
    assert_eq!(stage.pay("ben", "in_2", 100, 20).decisions[0].reason, Reason::ProgramNotActive);
    assert_eq!(stage.sign_up("late", "anna", 20).refused, Some(Reason::ProgramNotActive));
}
