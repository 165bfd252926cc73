//! From approved to delivered: who delivers, what people do about it, and what is spent of a balance.

mod by_hand;
mod listener;
mod processor;
mod redemption;

use serde_json::{Value, json};
use tests::{Participant, Tenant, World};

use crate::rules::{rule, ten_percent, with_referees};

pub(crate) const DAY: i64 = 86_400;

/// A program with one rule of ten percent, its participant `anna`, and a payment of 200 dollars of her referee.
pub(crate) async fn paid(more: Value) -> (World, Tenant, Participant) {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let (_, anna) = with_referees(&tenant, rule(ten_percent(), more), 1).await;
    tenant.pay("ben-0", "in_0", 20_000).await.ok();
    world.drain().await;
    (world, tenant, anna)
}

/// The participant's only reward.
pub(crate) async fn only(tenant: &Tenant, anna: &Participant) -> Value {
    let list = tenant.get(&format!("/v1/rewards?participant={}", anna.id)).await.ok();
    let rewards = list["data"].as_array().unwrap();
    assert_eq!(rewards.len(), 1, "{list}");
    rewards[0].clone()
}

/// The path of something that is done to the participant's only reward.
pub(crate) async fn act(tenant: &Tenant, anna: &Participant, what: &str) -> String {
    format!("/v1/rewards/{}/{what}", only(tenant, anna).await["id"].as_str().unwrap())
}

/// Who does something by hand, and why.
pub(crate) fn by() -> Value {
    json!({"actor": "support", "reason": "checked"})
}

/// What a participant has in dollars: one figure of the balance.
pub(crate) async fn figure(tenant: &Tenant, anna: &Participant, name: &str) -> i64 {
    let body = tenant.get(&format!("/v1/participants/{}/balances", anna.id)).await.ok();
    body["data"][0][name].as_i64().unwrap()
}
