//! What the tests of the rules stand on: a simulation of one program, with events in short form.

use chrono::{DateTime, TimeZone as _, Utc};
use serde_json::{Value, json};

use super::{ExampleEvent, SimulatedOutcome, Simulation, Step};
use crate::id::{ExternalId, OrganizationId, ProgramId};
use crate::ledger::Reward;
use crate::money::Unit;
use crate::program::{Program, ProgramStatus, Settings};
use crate::reason::Reason;
use crate::terms::TermsDraft;

/// The start of a day of 2026, counted from 1 January as day 0.
pub(crate) fn day(day: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_767_225_600 + day * 86_400, 0).unwrap()
}

pub(crate) fn terms(terms: &Value) -> TermsDraft {
    let draft: TermsDraft =
        serde_json::from_value(terms.clone()).unwrap_or_else(|error| panic!("{error}: {terms}"));
    assert_eq!(draft.flaws(), [], "{terms}");
    draft
}

pub(crate) fn simulation(draft: TermsDraft) -> Simulation {
    let (organization, id) = (OrganizationId::derive(&["o"]), ProgramId::derive(&["p"]));
    let (status, settings) = (ProgramStatus::Active, Settings::default());
    let program = Program::create(id, "Refer a friend".to_owned(), status, settings, &draft, day(0));
    Simulation::new(organization, program, draft)
}

/// A program with events in short form: everybody is referred by anna unless told, everything is in USD.
#[derive(Debug)]
pub(crate) struct Stage(pub(crate) Simulation);

impl Stage {
    /// A program with these rules.
    pub(crate) fn with(rules: &[Value]) -> Self {
        Self::of(&json!({ "rules": rules }))
    }

    /// A program with these terms.
    pub(crate) fn of(json: &Value) -> Self {
        Self(simulation(terms(json)))
    }

    /// Other rules from now on, for everybody.
    pub(crate) fn edit(&mut self, rules: &[Value]) {
        self.edit_terms(&json!({ "rules": rules }));
    }

    /// Other terms from now on, for everybody.
    pub(crate) fn edit_terms(&mut self, given: &Value) {
        self.0.terms.draft = terms(given);
    }

    pub(crate) fn apply(&mut self, event: &Value) -> Step {
        let parsed: ExampleEvent =
            serde_json::from_value(event.clone()).unwrap_or_else(|error| panic!("{error}: {event}"));
        self.0.take(&parsed).unwrap_or_else(|error| panic!("{error}: {event}"))
    }

    pub(crate) fn sign_up(&mut self, referee: &str, referrer: &str, at: i64) -> Step {
        self.apply(&json!({"type": "signup", "referee": referee, "referrer": referrer, "at": day(at)}))
    }

    pub(crate) fn pay(&mut self, referee: &str, invoice: &str, amount: i64, at: i64) -> Step {
        self.pay_with(referee, invoice, amount, at, &json!({}))
    }

    pub(crate) fn pay_with(
        &mut self,
        referee: &str,
        invoice: &str,
        amount: i64,
        at: i64,
        more: &Value,
    ) -> Step {
        let mut event = json!({"type": "invoice_paid", "referee": referee, "invoice": invoice,
            "amount_paid": amount, "currency": "USD", "at": day(at)});
        for (key, value) in more.as_object().unwrap() {
            event[key] = value.clone();
        }
        self.apply(&event)
    }

    pub(crate) fn refund(&mut self, invoice: &str, amount: i64, at: i64, status: &str) -> Step {
        self.apply(&json!({"type": "refund", "invoice": invoice, "refund": format!("re_{invoice}_{amount}"),
            "amount": amount, "status": status, "at": day(at)}))
    }

    pub(crate) fn dispute(&mut self, invoice: &str, amount: i64, at: i64, status: &str) -> Step {
        self.apply(&json!({"type": "dispute", "invoice": invoice, "dispute": format!("dp_{invoice}"),
            "amount": amount, "status": status, "at": day(at)}))
    }

    pub(crate) fn payout(&mut self, referee: &str, id: &str, payout: i64, at: DateTime<Utc>) -> Step {
        self.apply(
            &json!({"type": "payout", "referee": referee, "id": id, "payout": payout, "currency": "USD",
            "at": at}),
        )
    }

    pub(crate) fn happen(&mut self, referee: &str, name: &str, id: &str, at: i64) -> Step {
        self.apply(&json!({"type": "event", "name": name, "referee": referee, "id": id, "at": day(at)}))
    }

    /// Everything that was earned.
    pub(crate) fn rewards(&self) -> impl Iterator<Item = &Reward> {
        self.0.rewards.values()
    }

    /// What stands of everything that somebody earned in a unit.
    pub(crate) fn net_in(&self, participant: &str, unit: &str) -> i64 {
        let summary = self.0.summary();
        let of = summary.participants.get(&ExternalId::parse(participant).unwrap());
        of.and_then(|of| of.get(&Unit::parse(unit).unwrap())).map_or(0, |figures| figures.net)
    }

    pub(crate) fn net(&self, participant: &str) -> i64 {
        self.net_in(participant, "USD")
    }
}

/// The outcome of a rule in a step's first decision, for its first recipient.
pub(crate) fn outcome<'a>(step: &'a Step, rule: &str) -> &'a SimulatedOutcome {
    let rules = &step.decisions[0].rules;
    rules.iter().find(|outcome| outcome.rule.as_str() == rule).unwrap_or_else(|| panic!("{rule}: {step:?}"))
}

/// Why the rule `a` pays or does not, and what it gives.
pub(crate) fn result(step: &Step) -> (Reason, i64) {
    let outcome = outcome(step, "a");
    (outcome.reason, outcome.target.amount)
}

/// A rule with the id `a` and 5.00 USD, unless told.
pub(crate) fn rule(given: &Value) -> Value {
    let mut rule = json!({"id": "a", "amount": {"fixed": {"amount": 500, "currency": "USD"}}});
    for (key, value) in given.as_object().unwrap() {
        rule[key] = value.clone();
    }
    rule
}

/// A percentage of what was paid.
pub(crate) fn percent(percent: &str) -> Value {
    json!({"percentage": {"percent": percent}})
}
