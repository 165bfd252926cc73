//! The rule model, through the API: what program owners write, and what members get.

mod by_hand;
mod cascade;
mod counting;
mod currencies;
mod delivery;
mod dual;
mod referrals;
mod versions;

use serde_json::{Value, json};
use tests::{Answer, Participant, Tenant};

/// Terms of one rule with an amount, and whatever else is said of it.
pub(crate) fn rule(amount: Value, more: Value) -> Value {
    let mut rule = json!({"id": "rule", "amount": amount});
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"rules": [rule]})
}

/// A fixed amount of USD.
pub(crate) fn usd(amount: i64) -> Value {
    json!({"fixed": {"amount": amount, "currency": "USD"}})
}

/// Ten percent of what was paid.
pub(crate) fn ten_percent() -> Value {
    json!({"percentage": {"percent": "10"}})
}

/// The figures of a participant in a unit: delivered (wherever to), pending, earned, reversed.
pub(crate) async fn figures_in(tenant: &Tenant, participant: &str, unit: &str) -> (i64, i64, i64, i64) {
    let body = tenant.get(&format!("/v1/participants/{participant}/balances")).await.ok();
    let of_unit = body["data"].as_array().unwrap().iter().find(|balance| balance["unit"] == unit).cloned();
    let Some(balance) = of_unit else { return (0, 0, 0, 0) };
    let number = |name: &str| balance[name].as_i64().unwrap();
    let delivered = number("available") + number("cash") + number("elsewhere");
    (delivered, number("pending"), number("earned"), number("reversed"))
}

/// The reasons of the rules of a decision, by rule.
pub(crate) async fn reasons(tenant: &Tenant, source: &str) -> Vec<(String, String)> {
    let body = tenant.get(&format!("/v1/decisions/{source}")).await.ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rules = body["rules"].as_array().unwrap().iter();
    rules.map(|rule| (text(&rule["rule"]), text(&rule["reason"]))).collect()
}

/// A qualifying event of a referee.
pub(crate) async fn event(tenant: &Tenant, name: &str, id: &str, referee: &str) -> Answer {
    tenant.post("/v1/track/event", json!({"name": name, "event_id": id, "external_id": referee})).await
}

/// A program, its participant `anna`, and referees `ben-0` to `ben-<n>` of hers.
pub(crate) async fn with_referees(tenant: &Tenant, terms: Value, referees: usize) -> (String, Participant) {
    let program = tenant.program(terms).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    for number in 0..referees {
        tenant.sign_up(&format!("ben-{number}"), &anna.code).await.created();
    }
    (program, anna)
}
