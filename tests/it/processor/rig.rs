//! What a way of delivery is driven by: as whoever persists its steps does it, in time that passes when it is told to.

use std::rc::Rc;

use aws::store::{ParticipantRow, Store};
use chrono::{DateTime, TimeDelta, Utc};
use domain::code::ReferralCode;
use domain::contact::Contact;
use domain::customers::Customers;
use domain::id::{
    ExternalId, OrganizationId, ParticipantId, ProgramId, RewardId, RuleId, SourceId, StripeCustomerId,
};
use domain::ledger::{Cause, Promise, Reward, RewardState};
use domain::money::{Percentage, Unit};
use fulfill_reward::way::{Receipt, Step, Undone, Way};
use fulfill_reward::ways::Ways;
use local::Wiring;
use serde_json::{Value, json};
use tests::sim::World;
use tests::stripe::{Account, Connector, Trouble};

/// The key that opens the account.
pub const API_KEY: &str = "rk_test_000000000000004242";
/// The participant's customer.
pub const CUSTOMER: &str = "cus_anna";
/// Tries after which a step must be at its end: more than any sequence of troubles here is long.
const TRIES_MAX: u32 = 12;

/// An organization that has connected its Stripe account.
#[derive(Debug)]
pub struct Rig {
    pub world: Rc<World>,
    pub account: Account,
    pub ways: Ways,
    pub key: String,
    pub organization: OrganizationId,
    pub participant: ParticipantRow,
}

/// A variable of the function, as the template sets it.
fn variable(world: &World, base: &str, name: &str) -> Option<String> {
    match name {
        "TABLE_NAME" => Some(world.table_name().to_owned()),
        "SEALING_KEY_SECRET_ARN" => Some(Wiring::secret_arn("SealingKey")),
        "STRIPE_API_BASE" => Some(base.to_owned()),
        _ => None,
    }
}

impl Rig {
    /// Whose calls to Stripe do not leave the process.
    pub async fn new() -> Self {
        let world = World::new().await;
        let account = Account::new(API_KEY, world.platform().clock.clone());
        let platform = world.platform().clone().with_outbound(Connector(account.clone()).shared());
        Self::with(world, account, &platform, "http://stripe").await
    }

    /// Whose calls to Stripe go to a base of their own.
    pub async fn at(world: Rc<World>, account: Account, base: &str) -> Self {
        let platform = world.platform().clone();
        Self::with(world, account, &platform, base).await
    }

    async fn with(world: Rc<World>, account: Account, platform: &aws::Platform, base: &str) -> Self {
        let lookup = |name: &str| variable(&world, base, name);
        let store = Store::new(platform, &lookup).unwrap();
        let ways = Ways::new(platform, &lookup, store).unwrap();
        let body = json!({"name": "Example Ltd", "livemode": false});
        let created = world.ask(world.root_key(), "POST", "/v1/organizations", body).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (key, organization) = (text(&created["api_key"]["secret"]), text(&created["id"]));
        let body = json!({"api_key": API_KEY});
        world.ask(&key, "PUT", "/v1/processor-connections/stripe", body).await;
        account.add_customer(CUSTOMER, Some("usd"));
        let organization = OrganizationId::parse(&organization).unwrap();
        let participant = participant(&organization, world.now());
        Self { world, account, ways, key, organization, participant }
    }

    /// A reward of the participant's.
    pub fn reward(&self, amount: i64, unit: &str) -> Reward {
        let (unit, now) = (Unit::parse(unit).unwrap(), self.world.now());
        let referee = ExternalId::parse("ben").unwrap();
        let (source, rule) = (SourceId::signup(&referee), RuleId::parse("welcome").unwrap());
        let participant = self.participant.participant.clone();
        Reward {
            reward: RewardId::of(&participant, now, &source, &rule, unit, 0),
            participant,
            program: self.participant.program.clone(),
            rule,
            terms_version: 1,
            source,
            referee,
            delta: amount,
            unit,
            promise: Promise::default(),
            note: None,
            cause: Cause::Earned,
            occurred_at: now,
            recorded_at: now,
            net: amount,
            lines: 1,
            payable: amount,
            available: 0,
            settled: false,
            state: RewardState::Fulfilling,
            ready_at: None,
            attempt: 1,
            lease_until: None,
            fulfilled_at: None,
            evened: 0,
            untold: Vec::new(),
            handed: None,
            outside: None,
            failure: None,
            moves: Vec::new(),
        }
    }

    /// A discount of so many percent.
    pub fn percent(&self, percent: &str) -> Reward {
        let mut reward = self.reward(1, "discount");
        reward.promise.percent_off = Some(Percentage::parse(percent).unwrap());
        reward
    }

    /// A step at its first try.
    pub fn step<'a>(&'a self, reward: &'a Reward, number: u32, amount: i64) -> Step<'a> {
        let now = self.world.now();
        Step {
            organization: &self.organization,
            reward,
            participant: Some(&self.participant),
            number,
            amount,
            key: 0,
            key_since: now,
            now,
        }
    }

    /// Tries a step until it is at its end, as it is promised to ways: a key is renewed only when they ask for it.
    pub async fn deliver(&self, way: &impl Way, step: Step<'_>) -> Result<Receipt, &'static str> {
        self.deliver_from(way, step, 0, None).await
    }

    /// The same where earlier tries have left a key.
    pub async fn deliver_from(
        &self,
        way: &impl Way,
        step: Step<'_>,
        mut key: u32,
        since: Option<DateTime<Utc>>,
    ) -> Result<Receipt, &'static str> {
        let mut key_since = since.unwrap_or_else(|| self.world.now());
        for _ in 0..TRIES_MAX {
            while self.account.night() {
                self.world.advance(25 * 3_600);
            }
            let taken = way.take(&Step { key, key_since, now: self.world.now(), ..step }).await;
            match taken {
                Ok(receipt) => return Ok(receipt),
                Err(Undone::Never { code, .. }) => return Err(code),
                Err(Undone::Later { after_seconds, renew, .. }) => {
                    self.world.advance(i64::from(after_seconds.unwrap_or(60)));
                    if renew {
                        (key, key_since) = (key + 1, self.world.now());
                    }
                }
            }
        }
        panic!("a step is not at its end after {TRIES_MAX} tries");
    }

    /// One try, and the code of what it never comes to.
    pub async fn never(&self, way: &impl Way, step: Step<'_>) -> &'static str {
        match way.take(&step).await {
            Err(Undone::Never { code, detail }) => {
                assert!(
                    !detail.is_empty() && !detail.contains(CUSTOMER) && !detail.contains(API_KEY),
                    "{detail}"
                );
                code
            }
            other => panic!("{other:?}"),
        }
    }

    /// An API call of the organization's: status and body.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.key);
        let headers = [("authorization", bearer.as_str())];
        let reply = self.world.http("backend", method, path, &headers, body.to_string()).await.unwrap();
        (reply.status, reply.body)
    }
}

fn participant(organization: &OrganizationId, now: DateTime<Utc>) -> ParticipantRow {
    let program = ProgramId::derive(&["any"]);
    let external_id = ExternalId::parse("anna").unwrap();
    ParticipantRow {
        participant: ParticipantId::of(organization, &program, &external_id),
        program,
        external_id,
        name: Some("Anna".to_owned()),
        code: ReferralCode::parse("ANN-2345").unwrap(),
        assignments: Vec::new(),
        customers: Customers { stripe: Some(StripeCustomerId::parse(CUSTOMER).unwrap()) },
        created_at: now - TimeDelta::days(1),
        contact: Contact::default(),
        unsubscribed_at: None,
    }
}

/// Every sequence of up to so many troubles, none among them.
pub fn sequences(length: usize) -> Vec<Vec<Trouble>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..length {
        let longer = |sequence: &Vec<Trouble>| {
            let sequence = sequence.clone();
            Trouble::ALL.into_iter().map(move |trouble| [sequence.clone(), vec![trouble]].concat())
        };
        last = last.iter().flat_map(longer).collect();
        all.extend(last.clone());
    }
    all
}
