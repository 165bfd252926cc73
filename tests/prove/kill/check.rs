//! Every figure of every participant, against what was told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tests::{Participant, Tenant, World};

use super::plan::{self, Customer, MILESTONES, MIN_EARNINGS, REFERRERS, WELCOME};
use crate::counts::Counts;
use crate::progress;

/// How often the clock goes on for what leases, lost messages and the sweeper's patience take, at most.
const ROUNDS_MAX: usize = 40;
/// Seconds of a round: longer than a message stays hidden.
const ROUND_SECONDS: i64 = 200;
/// How many of the differences are told in words.
const DETAILS_MAX: usize = 12;

/// What the callers know of the organization.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) key: String,
    /// The path of the webhook.
    pub(super) endpoint: String,
    /// By number.
    pub(super) participants: Vec<Participant>,
}

impl Program {
    pub(super) fn codes(&self) -> Vec<String> {
        self.participants.iter().map(|participant| participant.code.clone()).collect()
    }
}

/// What a rule gives from a source.
type Earned = BTreeMap<(String, String), i64>;

/// What is not as it must be.
#[derive(Debug, Default)]
struct Faults {
    lost: usize,
    doubled: usize,
    unexpected: usize,
    balances: usize,
    referrals: usize,
    undelivered: usize,
    /// What differs, in words.
    details: Vec<String>,
}

/// Lets everything come to rest and compares through the API.
pub(super) async fn compare(world: &World, program: &Program, customers: &[Customer], counts: &mut Counts) {
    counts.add("rounds until nothing was due", rest(world).await);
    let tenant = world.tenant_with(program.key.clone());
    let (mut faults, mut rewards, mut lines) = (Faults::default(), 0, 0);
    let mut second = Earned::new();
    // From the last to the first, so that the rewards are known that others have a share in.
    for number in (0..REFERRERS).rev() {
        let own: Vec<&Customer> = customers.iter().filter(|customer| customer.referrer == number).collect();
        let mut expected = earned(&own);
        let mut referees: BTreeSet<String> = own.iter().map(|customer| customer.id()).collect();
        if number + 1 < REFERRERS {
            let next = plan::referrer(number + 1);
            expected.insert(signed_up(&next), WELCOME);
            referees.insert(next);
        }
        expected.append(&mut second);
        let seen = Seen::of(&tenant, &program.participants[number]).await;
        rewards += seen.rewards.len();
        lines += seen.lines.len();
        seen.compare(&expected, &referees, &mut faults);
        second = seen.second_level();
    }
    for detail in faults.details.iter().take(DETAILS_MAX) {
        progress(detail);
    }
    counts.add("rewards", rewards);
    counts.add("ledger lines", lines);
    counts.must("lost", faults.lost, 0);
    counts.must("doubled", faults.doubled, 0);
    counts.must("not from any event", faults.unexpected, 0);
    counts.must("balances that differ", faults.balances, 0);
    counts.must("lists of referrals that differ", faults.referrals, 0);
    counts.must("rewards not delivered", faults.undelivered, 0);
    counts.must("rows still due", world.due_rows().await, 0);
    let dead = world.visible("FulfillDlq").await + world.visible("ReportDlq").await;
    counts.must("dead letters", dead, 0);
}

/// Moves the clock until nothing is due any more; how often that took.
async fn rest(world: &World) -> usize {
    for round in 1..ROUNDS_MAX {
        world.advance(ROUND_SECONDS).await;
        world.drain().await;
        if world.due_rows().await == 0 {
            return round;
        }
    }
    ROUNDS_MAX
}

fn signed_up(referee: &str) -> (String, String) {
    ("welcome".to_owned(), format!("signup/own/{referee}"))
}

/// What a referrer's customers must have earned it. Milestones go by their amount: which event reached one is chance.
fn earned(customers: &[&Customer]) -> Earned {
    let mut earned = Earned::new();
    for customer in customers {
        earned.insert(signed_up(&customer.id()), WELCOME);
        for (invoice, standing) in customer.standing() {
            let source = format!("invoice/stripe/{invoice}");
            earned.insert(("commission".to_owned(), source), plan::share(standing));
        }
    }
    for (at, amount) in MILESTONES {
        if customers.len() >= at {
            earned.insert(("friends".to_owned(), amount.to_string()), amount);
        }
    }
    earned
}

/// What the API says of a participant.
struct Seen {
    rewards: Vec<Value>,
    lines: Vec<Value>,
    referees: BTreeSet<String>,
    balance: (i64, i64, i64, i64),
}

impl Seen {
    async fn of(tenant: &Tenant, participant: &Participant) -> Self {
        let id = &participant.id;
        let referrals = tenant.list(&format!("/v1/referrals?referrer={id}")).await;
        Self {
            rewards: tenant.list(&format!("/v1/rewards?participant={id}")).await,
            lines: tenant.list(&format!("/v1/participants/{id}/ledger?")).await,
            referees: referrals.iter().map(|referral| text(referral, "referee")).collect(),
            balance: tenant.figures(participant).await,
        }
    }

    fn compare(&self, expected: &Earned, referees: &BTreeSet<String>, faults: &mut Faults) {
        let total: i64 = expected.values().sum();
        let mut rewards: BTreeMap<(String, String), Vec<&Value>> = BTreeMap::new();
        for reward in &self.rewards {
            rewards.entry(key(reward)).or_default().push(reward);
        }
        for (key, expected) in expected {
            let found = rewards.remove(key).unwrap_or_default();
            let given: i64 = found.iter().map(|reward| amount(reward)).sum();
            if given != *expected || found.len() > 1 {
                let rewards = found.len();
                faults.details.push(format!("{key:?} gave {given} in {rewards} rewards, and not {expected}"));
            }
            faults.doubled += usize::from(found.len() > 1 || given > *expected);
            faults.lost += usize::from(given < *expected);
            let waits = |reward: &&&Value| amount(reward) != 0 && reward["state"] != "fulfilled";
            if total >= MIN_EARNINGS {
                faults.undelivered += found.iter().filter(waits).count();
            }
        }
        faults.unexpected += rewards.len();
        let doubled = self.doubled_lines();
        faults.doubled += doubled.len();
        faults.details.extend(doubled.iter().map(|line| format!("a line is there twice: {line}")));
        faults.lost += self.rewards.iter().filter(|reward| !self.is_sum_of_lines(reward)).count();
        let (available, pending, earned, reversed) = self.balance;
        // Below the threshold it waits, unless the threshold was reached before a refund.
        let overdue = total >= MIN_EARNINGS && pending != 0;
        if (available + pending, earned - reversed) != (total, total) || overdue {
            faults.balances += 1;
            faults.details.push(format!("the balance {:?} is not {total}", self.balance));
        }
        faults.referrals += usize::from(self.referees != *referees);
    }

    /// What whoever brought the participant must have earned of its rewards; there is no third level.
    fn second_level(&self) -> Earned {
        let first_level = self.rewards.iter().filter(|reward| reward["rule"] != "second");
        let share = |reward: &Value| {
            let source = format!("reward/own/{}", text(reward, "id"));
            (("second".to_owned(), source), plan::share(amount(reward)))
        };
        first_level.map(share).collect()
    }

    /// Lines beyond the first of the same cause and reward: every source here is refunded once at most.
    fn doubled_lines(&self) -> Vec<&Value> {
        let mut once = BTreeSet::new();
        self.lines.iter().filter(|line| !once.insert((text(line, "reward"), text(line, "cause")))).collect()
    }

    fn is_sum_of_lines(&self, reward: &Value) -> bool {
        let own = self.lines.iter().filter(|line| line["reward"] == reward["id"]);
        own.map(amount).sum::<i64>() == amount(reward)
    }
}

/// By what a reward is expected: its rule, and its source or, of a milestone, its amount.
fn key(reward: &Value) -> (String, String) {
    let rule = text(reward, "rule");
    let of = if rule == "friends" { reward["earned"]["amount"].to_string() } else { text(reward, "source") };
    (rule, of)
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_default().to_owned()
}

fn amount(row: &Value) -> i64 {
    row["amount"]["amount"].as_i64().unwrap_or_default()
}
