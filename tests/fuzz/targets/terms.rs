//! Terms as a program owner writes them, and example events under them: `{"terms": .., "events": [..]}`.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Utc};
use domain::id::{OrganizationId, ProgramId};
use domain::money::{Currency, Unit};
use domain::program::Program;
use domain::rate::Rate;
use domain::simulation::{ExampleEvent, Simulation, Step};
use domain::terms::{RewardKind, TermsDraft};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
struct Trial {
    terms: TermsDraft,
    #[serde(default)]
    events: Vec<ExampleEvent>,
}

pub(super) fn check(bytes: &[u8]) {
    let Ok(trial) = serde_json::from_slice::<Trial>(bytes) else { return };
    let terms = &trial.terms;
    let flaws = terms.flaws();
    assert!(flaws.iter().all(|flaw| !flaw.detail.is_empty()));
    assert!(flaws.iter().all(|flaw| flaw.pointer.is_empty() || flaw.pointer.starts_with('/')));
    let written = serde_json::to_string(terms).unwrap();
    let again: TermsDraft = serde_json::from_str(&written).unwrap();
    assert_eq!(again, *terms);
    assert_eq!(again.flaws(), flaws);
    assert_eq!(serde_json::to_string(&again).unwrap(), written);
    for event in &trial.events {
        let written = serde_json::to_string(event).unwrap();
        assert_eq!(serde_json::from_str::<ExampleEvent>(&written).unwrap(), *event);
    }
    if flaws.is_empty() {
        simulate(&trial);
    }
}

fn simulate(trial: &Trial) {
    let mut simulation =
        Simulation::new(organization(), program(), trial.terms.clone()).with_rates(rates(&trial.terms));
    let mut sums: BTreeMap<(String, Unit), i64> = BTreeMap::new();
    for event in trial.events.iter().filter(|event| fits(event)) {
        let before = simulation.summary();
        let Ok(step) = simulation.apply(event) else {
            assert_eq!(simulation.summary(), before, "what is refused changes nothing");
            continue;
        };
        add(&mut sums, &step);
        // The same event once more says nothing new.
        let after = simulation.summary();
        if let Ok(step) = simulation.apply(event) {
            assert!(step.decisions.iter().all(|decided| decided.posted.is_empty()), "{event:?}: {step:?}");
        }
        assert_eq!(simulation.summary(), after);
    }
    // The figures are the sums of the lines, and nobody ends below nothing.
    for (participant, units) in simulation.summary().participants {
        for (unit, figures) in units {
            assert_eq!(figures.net, figures.earned - figures.reversed);
            assert_eq!(sums.remove(&(participant.to_string(), unit)), Some(figures.net));
            assert!(figures.net >= 0 && figures.reversed >= 0);
        }
    }
    assert!(sums.is_empty(), "{sums:?}");
}

/// Adds up the lines of what balances are kept of: actions are done, and not held.
fn add(sums: &mut BTreeMap<(String, Unit), i64>, step: &Step) {
    let lines = step.decisions.iter().flat_map(|decided| &decided.posted);
    for line in lines.filter(|line| !RewardKind::is_action_unit(line.amount.unit)) {
        *sums.entry((line.recipient.to_string(), line.amount.unit)).or_default() += line.amount.amount;
    }
}

/// The moments that the API takes.
fn fits(event: &ExampleEvent) -> bool {
    let fits = |at: DateTime<Utc>| (1970..=9999).contains(&at.year());
    let touches = match event {
        ExampleEvent::Signup(signup) => signup.touches.as_slice(),
        _ => &[],
    };
    fits(event.at()) && touches.iter().all(|touch| fits(touch.at))
}

fn organization() -> OrganizationId {
    OrganizationId::from_entropy(&[0; 17])
}

fn program() -> Program {
    let id = ProgramId::from_entropy(&[0; 17]);
    let program = json!({"id": id, "name": "Refer a friend", "statuses": [], "versions": [], "last_version": 0,
        "created_at": "2026-01-01T00:00:00Z"});
    serde_json::from_value(program).unwrap()
}

/// A rate of the currencies that the examples use, where the terms convert.
fn rates(terms: &TermsDraft) -> BTreeMap<Currency, Rate> {
    let rate = |code: &str, rate: &str| (Currency::parse(code).unwrap(), Rate::parse(rate).unwrap());
    let rates = [rate("EUR", "1.0843"), rate("JPY", "0.0066"), rate("KWD", "3.25")];
    rates
        .into_iter()
        .filter(|(currency, _)| terms.payout_currency.is_some_and(|to| to != *currency))
        .collect()
}
