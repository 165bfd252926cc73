//! Everybody's payments count for one referrer: its counters are in every transaction.

use serde_json::{Value, json};
use tests::World;

use super::{CALLERS, all_of, rest, until_taken};
use crate::counts::Counts;
use crate::progress;

const REFEREES: usize = 500;
const AMOUNT: i64 = 1_000;
/// From this referee on, the tier is ten percent in place of five.
const TIER_FROM: usize = 100;
/// The most that the capped rule gives.
const CAP: i64 = 12_345;
/// The milestones, in points.
const MILESTONES: [(usize, i64); 3] = [(10, 50), (250, 500), (500, 2_000)];

fn terms() -> Value {
    let share = |percent: &str| json!({"percentage": {"percent": percent}});
    let steps: Vec<Value> = MILESTONES
        .iter()
        .map(|(at, amount)| json!({"at": at, "amount": amount, "currency": "points"}))
        .collect();
    json!({"rules": [
        {"id": "tiered", "amount": {"tiers": {"by": "qualified_referrals", "steps": [
            {"from": 1, "amount": share("5")}, {"from": TIER_FROM, "amount": share("10")}]}}},
        {"id": "capped", "amount": share("10"), "limits": {"caps": [
            {"per": "all_time", "amount": CAP, "currency": "USD"}]}},
        {"id": "friends", "trigger": "referral_count", "kind": "points", "amount": {"milestones": {"steps": steps}}}]})
}

pub(super) async fn run() -> Counts {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let program = tenant.program(terms()).await;
    let anna = tenant.enrol(&program, "anna", "Anna").await;
    progress(&format!("{REFEREES} referees of one referrer pay, {CALLERS} at a time ..."));
    all_of(REFEREES, CALLERS, |number| {
        let (tenant, code) = (&tenant, &anna.code);
        async move { tenant.sign_up(&format!("ben-{number}"), code).await.created() }
    })
    .await;
    let (rate, put_off) = all_of(REFEREES, CALLERS, |number| {
        let tenant = &tenant;
        until_taken(move || async move {
            tenant.pay(&format!("ben-{number}"), &format!("in_{number}"), AMOUNT).await
        })
    })
    .await;
    world.drain().await;

    let below = i64::try_from(TIER_FROM - 1).expect("a small number");
    let above = i64::try_from(REFEREES).expect("a small number") - below;
    let tiered = below * AMOUNT / 20 + above * AMOUNT / 10;
    let rewards = tenant.list(&format!("/v1/rewards?participant={}", anna.id)).await;
    let of = |rule: &str| -> i64 {
        let own = rewards.iter().filter(|reward| reward["rule"] == rule);
        own.map(|reward| reward["amount"]["amount"].as_i64().unwrap_or_default()).sum()
    };
    let lines = tenant.list(&format!("/v1/participants/{}/ledger?", anna.id)).await;
    let balances = tenant.get(&format!("/v1/participants/{}/balances", anna.id)).await.ok();
    let available = |unit: &str| {
        let of_unit =
            balances["data"].as_array().into_iter().flatten().find(|balance| balance["unit"] == unit);
        of_unit.map_or(0, |balance| balance["available"].as_i64().unwrap_or_default())
    };
    let milestones: i64 = MILESTONES.iter().map(|(_, points)| points).sum();
    let mut counts = Counts::of("One hot referrer");
    counts.add("payments", format!("{REFEREES}, {rate}"));
    counts.add("asked to come back (503)", put_off.iter().sum::<usize>());
    counts.must("tiered, in cents", of("tiered"), tiered);
    counts.must("capped, in cents", of("capped"), CAP);
    counts.must("milestones, in points", of("friends"), milestones);
    let milestone_rewards = rewards.iter().filter(|reward| reward["rule"] == "friends").count();
    counts.must("milestones awarded", milestone_rewards, MILESTONES.len());
    counts.must("ledger lines, one of each reward", lines.len(), rewards.len());
    counts.must("available, in cents", available("USD"), tiered + CAP);
    counts.must("available, in points", available("points"), milestones);
    rest(&world, &mut counts).await;
    counts
}
