//! What can happen to a tenant of the engine, as data. Names, invoices and moments are few, so that they meet.

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use domain::program::TermsPolicy;
use domain::source::{DisputeStatus, RefundStatus};
use domain::terms::TermsDraft;

/// Somebody, by the place in [`PEOPLE`].
pub type Who = usize;

/// Everybody there is. The first three have codes that others enter; all of them may sign up and pay.
pub const PEOPLE: [&str; 8] = ["anna", "ben", "cleo", "u1", "u2", "u3", "u4", "u5"];
/// How many invoices there are; what an invoice is about goes by its number.
pub const INVOICES: usize = 8;
/// The invoice that is paid outside the processor.
pub const OUT_OF_BAND: usize = 7;

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Time goes on, for everybody.
    Wait { hours: i64 },
    /// Other terms, by their place among the tenant's.
    Terms { version: usize },
    /// The program is paused, or made active again.
    Pause { paused: bool },
    /// Somebody is reported to have signed up.
    SignUp {
        who: Who,
        code: Code,
        touches: Vec<(Who, i64)>,
        existing: bool,
        channel: &'static str,
        late: i64,
    },
    /// An invoice is reported as paid: so much so far.
    Paid { invoice: usize, amount: i64, strange: Strange, late: i64 },
    /// A refund of an invoice; `named` when it says the payment.
    Refund { invoice: usize, id: u8, amount: i64, status: RefundStatus, named: bool },
    /// The cumulative refunded figure of an invoice's payment.
    Refunded { invoice: usize, amount: i64 },
    /// A credit, or its end.
    Credit { invoice: usize, id: u8, amount: i64, void: bool },
    /// A dispute.
    Dispute { invoice: usize, id: u8, amount: i64, status: DisputeStatus },
    /// What the payment paid of this invoice, and of another.
    Shared { invoice: usize, own: i64, other: i64 },
    /// The invoice is void.
    Void { invoice: usize },
    /// A qualifying event.
    Happened { id: usize, amount: Option<i64>, late: i64 },
    /// It is cancelled.
    Cancelled { id: usize },
    /// A payout record; its figures go by its revision.
    Payout { id: usize, revision: u32, late: i64 },
    /// Workers claim all that is to be delivered to somebody.
    Claim { who: Who },
    /// They have delivered what they claimed.
    Complete { who: Who },
    /// An administrator approves all that waits for it of somebody's.
    Approve { who: Who },
    /// An administrator takes back what stands of a reward, or a part: of those that stand, in their order, the nth.
    TakeBack { nth: usize, amount: Option<i64>, reject: bool },
}

/// What is entered at a sign-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Code {
    None,
    Of(Who),
    /// One that nobody has.
    Unknown,
}

/// What is wrong with a payment, if anything is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strange {
    No,
    /// It names another payer than the invoice's.
    Payer,
    /// It is in another currency than the invoice.
    Currency,
}

/// Something that happened to one tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub tenant: usize,
    pub op: Op,
    /// When the engine is told.
    pub now: DateTime<Utc>,
    /// When it happened (business time).
    pub at: DateTime<Utc>,
}

/// What a tenant promises over time.
#[derive(Clone)]
pub struct Tenant {
    pub versions: Vec<TermsDraft>,
    pub policy: TermsPolicy,
}

/// As an owner writes it.
impl std::fmt::Debug for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?}", self.policy)?;
        let write = |draft| serde_json::to_string(draft).unwrap_or_default();
        self.versions.iter().try_for_each(|draft| writeln!(f, "{}", write(draft)))
    }
}

/// Everything there is: what was promised, and what has happened so far.
#[derive(Debug, Clone)]
pub struct World {
    pub tenants: Vec<Tenant>,
    pub told: Vec<Told>,
    pub now: DateTime<Utc>,
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(tenants: Vec<Tenant>) -> Self {
        Self { tenants, told: Vec::new(), now: beginning() }
    }

    /// The world after something has happened.
    #[must_use]
    pub fn after(mut self, tenant: usize, op: &Op) -> Self {
        let tenant = tenant % self.tenants.len();
        if let Op::Wait { hours } = op {
            self.now += Duration::hours(*hours);
        }
        let at = self.now - Duration::hours(late(op));
        let mut op = op.clone();
        // Nothing is strange about what is told first.
        if let Op::Paid { invoice, strange, .. } = &mut op
            && !self
                .told_to(tenant)
                .any(|told| matches!(told.op, Op::Paid { invoice: known, .. } if known == *invoice))
        {
            *strange = Strange::No;
        }
        self.told.push(Told { tenant, op, now: self.now, at });
        self
    }

    /// What a tenant was told, in order. Time goes on for all of them.
    pub fn told_to(&self, tenant: usize) -> impl Iterator<Item = &Told> {
        self.told.iter().filter(move |told| told.tenant == tenant || matches!(told.op, Op::Wait { .. }))
    }
}

/// When every world begins.
pub fn beginning() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 15, 10, 0, 0).unwrap()
}

fn late(op: &Op) -> i64 {
    match op {
        Op::SignUp { late, .. }
        | Op::Paid { late, .. }
        | Op::Happened { late, .. }
        | Op::Payout { late, .. } => *late,
        _ => 0,
    }
}

/// Who pays an invoice; also those with codes do, so that there is a second level.
pub fn payer_of(invoice: usize) -> Who {
    [3, 4, 3, 4, 5, 3, 0, 4][invoice]
}

/// The currency of an invoice.
pub fn currency_of(invoice: usize) -> &'static str {
    if invoice == 5 { "EUR" } else { "USD" }
}

/// The plan that an invoice is for.
pub fn plan_of(invoice: usize) -> &'static str {
    if invoice.is_multiple_of(2) { "basic" } else { "pro" }
}

/// An invoice's total and its total without tax, where they are told.
pub fn totals_of(invoice: usize) -> Option<(i64, i64)> {
    invoice.is_multiple_of(3).then_some((5_990, 5_033))
}

/// Of whom a qualifying event or a payout record is, and under which name an event.
pub fn event_of(id: usize) -> (Who, &'static str) {
    (3 + id % 3, if id.is_multiple_of(2) { "approved" } else { "webinar" })
}

/// The payout and the profit of a record's revision.
pub fn payout_of(id: usize, revision: u32) -> (i64, i64) {
    let seed = i64::try_from(id).unwrap() * 977 + i64::from(revision) * 1_613;
    (seed % 4_000, seed % 3_000 - 400)
}
