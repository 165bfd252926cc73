//! What is known of one source, counted from the beginning from everything that was told of it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::reason::Reason;
use domain::source::{DisputeStatus, RefundStatus};

use crate::op::{
    OUT_OF_BAND, Op, Strange, Told, Who, currency_of, event_of, payer_of, payout_of, plan_of, totals_of,
};

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Invoice,
    SignUp,
    /// With its name.
    Event(&'static str),
    Payout,
    Reward,
}

/// What is known of a source.
#[derive(Debug, Clone)]
pub struct Facts {
    pub kind: Kind,
    pub payer: Option<Who>,
    /// When it was paid, or happened.
    pub at: Option<DateTime<Utc>>,
    pub paid: Option<i64>,
    /// What stands of it, where it has an amount.
    pub left: Option<i64>,
    pub currency: Option<&'static str>,
    /// Total and total without tax.
    pub totals: Option<(i64, i64)>,
    pub outside: bool,
    pub plan: Option<&'static str>,
    /// Payout and profit.
    pub payout: Option<(i64, i64)>,
    /// Voided or cancelled.
    pub gone: bool,
    /// What takes something back.
    pub taken_by: BTreeSet<&'static str>,
}

impl Facts {
    fn of(kind: Kind, payer: Option<Who>) -> Self {
        Self {
            kind,
            payer,
            at: None,
            paid: None,
            left: None,
            currency: None,
            totals: None,
            outside: false,
            plan: None,
            payout: None,
            gone: false,
            taken_by: BTreeSet::new(),
        }
    }

    /// A sign-up.
    pub fn sign_up(who: Who, at: DateTime<Utc>) -> Self {
        Self { at: Some(at), ..Self::of(Kind::SignUp, Some(who)) }
    }

    /// What somebody earned by a reward.
    pub fn reward(who: Who, at: DateTime<Utc>, stands: i64, unit: &str) -> Self {
        let currency = ["USD", "EUR", "points"].into_iter().find(|known| *known == unit);
        let taken_by = ["source"].into_iter().filter(|_| stands == 0).collect();
        Self { at: Some(at), left: Some(stands), currency, taken_by, ..Self::of(Kind::Reward, Some(who)) }
    }

    /// The same before anything was taken back.
    pub fn gross(&self) -> Self {
        let left = if self.kind == Kind::Invoice { self.paid } else { self.left };
        Self { left, gone: false, taken_by: BTreeSet::new(), ..self.clone() }
    }

    /// Whether anything of it stands.
    pub fn stands(&self) -> bool {
        let something = match self.kind {
            Kind::Invoice => self.paid == Some(0) || self.left > Some(0),
            Kind::Reward => self.left > Some(0),
            Kind::SignUp | Kind::Event(_) | Kind::Payout => true,
        };
        !self.gone && something
    }

    /// What may be said of why nothing of it stands.
    pub fn why_gone(&self) -> Vec<Reason> {
        let reasons = self.taken_by.iter().map(|by| match *by {
            "dispute" => Reason::Disputed,
            "void" => Reason::Voided,
            "cancelled" => Reason::Cancelled,
            "source" => Reason::TakenBack,
            _ => Reason::Refunded,
        });
        reasons.collect()
    }
}

/// What is known of an event.
pub fn event(id: usize, told: &[&Told]) -> Facts {
    let (who, name) = event_of(id);
    let mut facts = Facts::of(Kind::Event(name), None);
    for told in told {
        match told.op {
            Op::Happened { amount, .. } => {
                facts.payer = Some(who);
                facts.at = Some(facts.at.map_or(told.at, |at| at.min(told.at)));
                facts.left = facts.left.max(amount);
                facts.currency = facts.currency.or(amount.map(|_| "USD"));
            }
            _ => {
                facts.gone = true;
                facts.taken_by.insert("cancelled");
            }
        }
    }
    facts
}

/// What is known of a payout record: its highest revision counts.
pub fn payout(id: usize, told: &[&Told]) -> Facts {
    let mut facts = Facts::of(Kind::Payout, Some(event_of(id).0));
    let mut highest = None;
    for told in told {
        let Op::Payout { revision, .. } = told.op else { continue };
        facts.at = Some(facts.at.map_or(told.at, |at| at.min(told.at)));
        highest = highest.max(Some(revision));
    }
    facts.payout = highest.map(|revision| payout_of(id, revision));
    facts.currency = Some("USD");
    facts
}

/// What is known of an invoice.
pub fn invoice(number: usize, told: &[&Told]) -> Facts {
    let mut facts = Facts::of(Kind::Invoice, None);
    let mut refunds: BTreeMap<u8, (i64, RefundStatus, bool)> = BTreeMap::new();
    let mut credits: BTreeMap<u8, (i64, bool)> = BTreeMap::new();
    let mut disputes: BTreeMap<u8, (i64, DisputeStatus)> = BTreeMap::new();
    let (mut highest, mut shared) = (0, None);
    for told in told {
        match told.op {
            Op::Paid { amount, .. } => {
                facts.payer = Some(payer_of(number));
                facts.at = Some(facts.at.map_or(told.at, |at| at.min(told.at)));
                facts.paid = facts.paid.max(Some(amount));
                facts.totals = totals_of(number);
                facts.plan = Some(plan_of(number));
                facts.outside = number == OUT_OF_BAND;
            }
            Op::Refund { id, amount, status, named, .. } => {
                let known = refunds.entry(id).or_insert((0, RefundStatus::Pending, false));
                *known = (known.0.max(amount), known.1.max(status), known.2 || named);
            }
            Op::Refunded { amount, .. } => highest = amount.max(highest),
            Op::Credit { id, amount, void, .. } => {
                let known = credits.entry(id).or_insert((0, false));
                *known = (known.0.max(amount), known.1 || void);
            }
            Op::Dispute { id, amount, status, .. } => {
                let known = disputes.entry(id).or_insert((0, DisputeStatus::Open));
                *known = (known.0.max(amount), known.1.max(status));
            }
            Op::Shared { own, other, .. } => {
                let known = shared.unwrap_or((0, 0));
                shared = Some((known.0.max(own), known.1.max(other)));
            }
            Op::Void { .. } => facts.gone = true,
            _ => {}
        }
    }
    facts.currency = Some(currency_of(number));
    let of = |named: bool, failed: bool| {
        let of = refunds.values().filter(|(_, status, by_payment)| {
            *by_payment == named && (*status == RefundStatus::Failed) == failed
        });
        of.map(|(amount, ..)| amount).sum::<i64>()
    };
    // Refunds that name the payment, and its cumulative figure, fall on the invoice by what the payment paid of it.
    let by_refund = of(false, false) + own_part(shared, of(true, false));
    let by_payment = own_part(shared, of(true, false).max(highest - of(true, true)));
    let refunded = by_refund.max(by_payment);
    let credited: i64 = credits.values().filter(|(_, void)| !void).map(|(amount, _)| amount).sum();
    let withheld = disputes.values().filter(|(_, status)| *status != DisputeStatus::Won);
    let disputed: i64 = withheld.map(|(amount, _)| own_part(shared, *amount)).sum();
    let left = (facts.paid.unwrap_or(0) - refunded - credited - disputed).max(0);
    facts.left = Some(if facts.gone { 0 } else { left });
    let taken =
        [("refund", refunded > 0), ("credit", credited > 0), ("dispute", disputed > 0), ("void", facts.gone)];
    facts.taken_by = taken.into_iter().filter(|(_, takes)| *takes).map(|(by, _)| by).collect();
    facts
}

/// Whether a payment cannot be of the invoice as it is known, and why.
pub fn contradiction(op: &Op, earlier: &[&Told]) -> Option<Reason> {
    let Op::Paid { strange, .. } = op else { return None };
    let paid = earlier.iter().any(|told| matches!(told.op, Op::Paid { .. }));
    let named = earlier.iter().any(|told| !matches!(told.op, Op::Void { .. } | Op::Shared { .. }));
    match strange {
        Strange::Payer if paid => Some(Reason::PayerMismatch),
        Strange::Currency if named => Some(Reason::CurrencyMismatch),
        _ => None,
    }
}

/// What of an amount of the payment falls on the invoice, by the larger remainder; of equal ones, the invoice's.
fn own_part(shared: Option<(i64, i64)>, amount: i64) -> i64 {
    let Some((own, other)) = shared else { return amount };
    let (own, other) = if own + other == 0 { (1, 1) } else { (own, other) };
    let (amount, own, other) = (i128::from(amount), i128::from(own), i128::from(other));
    let (floor, rest) = (amount * own / (own + other), amount * own % (own + other));
    let rest_of_other = amount * other % (own + other);
    let up = rest + rest_of_other > 0 && rest >= rest_of_other;
    i64::try_from(floor + i128::from(up)).unwrap()
}
