//! What is told: customers, each with a sign-up, payments and refunds, drawn from a seed and the customer's number alone.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

/// Participants that bring customers, numbered from 0; each has brought the next one.
pub(super) const REFERRERS: usize = 12;
/// What a sign-up earns its referrer.
pub(super) const WELCOME: i64 = 300;
/// The milestones: customers who have paid, and what they earn their referrer.
pub(super) const MILESTONES: [(usize, i64); 3] = [(2, 700), (10, 1_500), (40, 4_000)];
/// What must be earned before anything is delivered. A customer's sign-up and first payment earn more.
pub(super) const MIN_EARNINGS: i64 = 1_000;
/// What a payment is over.
const AMOUNTS: std::ops::RangeInclusive<i64> = 10_000..=50_000;

/// A share of payments, a sum for sign-ups, milestones, a share for who brought the referrer, and a threshold: a referrer's
/// counters are in nearly every transaction.
pub(super) fn terms() -> Value {
    let steps: Vec<Value> = MILESTONES
        .iter()
        .map(|(at, amount)| json!({"at": at, "amount": amount, "currency": "USD"}))
        .collect();
    json!({"min_earnings": [{"amount": MIN_EARNINGS, "currency": "USD"}], "rules": [
        {"id": "commission", "amount": {"percentage": {"percent": "10"}}},
        {"id": "welcome", "trigger": "signup", "amount": {"fixed": {"amount": WELCOME, "currency": "USD"}}},
        {"id": "friends", "trigger": "referral_count", "amount": {"milestones": {"steps": steps}}},
        {"id": "second", "trigger": "reward_earned", "amount": {"percentage": {"percent": "10", "basis": "reward"}}}]})
}

/// The share of the rules `commission` and `second`: ten percent, rounded toward zero.
pub(super) fn share(amount: i64) -> i64 {
    amount / 10
}

/// A participant's id of the caller's.
pub(super) fn referrer(number: usize) -> String {
    format!("anna-{number}")
}

/// One customer and everything that is told of it, in this order.
#[derive(Debug)]
pub(super) struct Customer {
    number: usize,
    pub(super) referrer: usize,
    pub(super) steps: Vec<Step>,
}

/// One event.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) event: Event,
    /// How often it is told.
    pub(super) copies: usize,
    /// Whether the copies are told at once.
    pub(super) at_once: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    SignUp,
    Paid { invoice: usize, amount: i64 },
    Refunded { invoice: usize, amount: i64 },
}

impl Step {
    pub(super) fn is_payment(&self) -> bool {
        matches!(self.event, Event::Paid { .. })
    }

    pub(super) fn is_refund(&self) -> bool {
        matches!(self.event, Event::Refunded { .. })
    }
}

impl Customer {
    pub(super) fn drawn(seed: u64, number: usize) -> Self {
        let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number as u64);
        let mut random = SmallRng::seed_from_u64(mixed);
        let mut events = vec![Event::SignUp];
        for invoice in 0..random.random_range(1..=5) {
            let amount = random.random_range(AMOUNTS);
            let at = events.len();
            events.push(Event::Paid { invoice, amount });
            // The first payment stands, so that every customer counts for the milestones.
            if invoice > 0 && random.random_bool(0.08) {
                let part = if random.random_bool(0.5) { amount } else { random.random_range(1..=amount / 2) };
                // One refund of four is heard of before its payment.
                let at = if random.random_bool(0.25) { at } else { events.len() };
                events.insert(at, Event::Refunded { invoice, amount: part });
            }
        }
        if random.random_bool(0.2) {
            events.remove(0);
            events.insert(random.random_range(0..=events.len()), Event::SignUp);
        }
        let referrer = random.random_range(0..REFERRERS);
        let steps = events.into_iter().map(|event| {
            let copies = if random.random_bool(0.2) { random.random_range(2..=4) } else { 1 };
            Step { event, copies, at_once: random.random_bool(0.5) }
        });
        Self { number, referrer, steps: steps.collect() }
    }

    /// The customer's id of the caller's.
    pub(super) fn id(&self) -> String {
        format!("ben-{}", self.number)
    }

    pub(super) fn invoice(&self, invoice: usize) -> String {
        format!("in_{}_{invoice}", self.number)
    }

    pub(super) fn refund(&self, invoice: usize) -> String {
        format!("re_{}_{invoice}", self.number)
    }

    /// How many of its events are told before its sign-up.
    pub(super) fn early(&self) -> usize {
        self.steps.iter().take_while(|step| step.event != Event::SignUp).count()
    }

    /// What stands of each invoice in the end.
    pub(super) fn standing(&self) -> Vec<(String, i64)> {
        let mut standing: Vec<(String, i64)> = Vec::new();
        let paid = self.steps.iter().filter_map(|step| match step.event {
            Event::Paid { invoice, amount } => Some((invoice, amount)),
            Event::SignUp | Event::Refunded { .. } => None,
        });
        for (paid, amount) in paid {
            let refunded = self.steps.iter().filter_map(|step| match step.event {
                Event::Refunded { invoice, amount } if invoice == paid => Some(amount),
                Event::SignUp | Event::Paid { .. } | Event::Refunded { .. } => None,
            });
            standing.push((self.invoice(paid), amount - refunded.sum::<i64>()));
        }
        standing
    }
}
