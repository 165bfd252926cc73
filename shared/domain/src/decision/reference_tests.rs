//! A second opinion on reversals: a small model that keeps the list of everything it was told and counts from the
//! beginning each time, against the states that are joined and the ledger that receives differences.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::source::{Dispute, DisputeStatus, Parts};

/// Something that was told of an invoice `in_a`, or of its payment `pi_1`.
#[derive(Debug, Clone)]
enum Told {
    Paid { amount: i64 },
    Refund { id: u8, amount: i64, status: RefundStatus, named: bool },
    Cumulative { amount: i64 },
    Credit { id: u8, amount: i64, void: bool },
    Dispute { id: u8, amount: i64, status: DisputeStatus },
    Shared { own: i64, other: i64 },
    Void,
}

fn reference(text: String) -> ProcessorRef {
    ProcessorRef::parse(&text).unwrap()
}

impl Told {
    /// As the engine hears it.
    fn state(&self, currency: Currency) -> SourceState {
        let payment = || Some(reference("pi_1".to_owned()));
        match *self {
            Self::Paid { amount } => SourceState::paid(
                currency,
                Payment { amount, total: None, total_excluding_tax: None, paid_at: at(1) },
            ),
            Self::Refund { id, amount, status, named } => {
                let charge = payment().filter(|_| named);
                SourceState::refund(
                    currency,
                    reference(format!("re_{id}")),
                    Refund { amount, status, charge },
                )
            }
            Self::Cumulative { amount } => {
                SourceState::refunded(currency, reference("pi_1".to_owned()), amount)
            }
            Self::Credit { id, amount, void } => {
                let status = if void { RefundStatus::Failed } else { RefundStatus::Succeeded };
                SourceState::credit(currency, reference(format!("cn_{id}")), amount, status)
            }
            Self::Dispute { id, amount, status } => {
                let dispute = Dispute { amount, status, charge: payment() };
                SourceState::dispute(currency, reference(format!("dp_{id}")), dispute)
            }
            Self::Shared { own, other } => {
                let amounts = [("in_a", own), ("in_b", other)];
                let amounts = amounts.map(|(invoice, amount)| (reference(invoice.to_owned()), amount)).into();
                let parts = Parts { own: reference("in_a".to_owned()), amounts };
                SourceState {
                    parts: [(reference("pi_1".to_owned()), parts)].into(),
                    ..SourceState::default()
                }
            }
            Self::Void => SourceState::void(Some(currency)),
        }
    }
}

/// What of an amount of the payment falls on `in_a`, by the larger remainder; of equal ones, the first invoice's.
fn own_part(all: &[Told], amount: i64) -> i64 {
    let shared = all.iter().filter_map(|told| {
        let Told::Shared { own, other } = told else { return None };
        Some((*own, *other))
    });
    let Some((own, other)) = shared.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1))) else { return amount };
    let (own, other) = if own + other == 0 { (1, 1) } else { (own, other) };
    let (amount, own, other) = (i128::from(amount), i128::from(own), i128::from(other));
    let (floor, rest) = (amount * own / (own + other), amount * own % (own + other));
    let rest_of_other = amount * other % (own + other);
    let up = rest + rest_of_other > 0 && rest >= rest_of_other;
    i64::try_from(floor + i128::from(up)).unwrap()
}

/// What stands of the invoice, counted from the beginning.
fn standing(all: &[Told]) -> i64 {
    let mut paid: Option<i64> = None;
    let mut refunds: BTreeMap<u8, (i64, RefundStatus, bool)> = BTreeMap::new();
    let mut credits: BTreeMap<u8, (i64, bool)> = BTreeMap::new();
    let mut disputes: BTreeMap<u8, (i64, DisputeStatus)> = BTreeMap::new();
    let mut highest = 0;
    for told in all {
        match *told {
            Told::Paid { amount } => paid = Some(paid.unwrap_or(0).max(amount)),
            Told::Refund { id, amount, status, named } => {
                let known = refunds.entry(id).or_insert((0, RefundStatus::Pending, false));
                *known = (known.0.max(amount), known.1.max(status), known.2 || named);
            }
            Told::Cumulative { amount } => highest = highest.max(amount),
            Told::Credit { id, amount, void } => {
                let known = credits.entry(id).or_insert((0, false));
                *known = (known.0.max(amount), known.1 || void);
            }
            Told::Dispute { id, amount, status } => {
                let known = disputes.entry(id).or_insert((0, DisputeStatus::Open));
                *known = (known.0.max(amount), known.1.max(status));
            }
            Told::Shared { .. } => {}
            Told::Void => return 0,
        }
    }
    let of = |named: bool, failed: bool| {
        let of = refunds.values().filter(|(_, status, by_payment)| {
            *by_payment == named && (*status == RefundStatus::Failed) == failed
        });
        of.map(|(amount, ..)| amount).sum::<i64>()
    };
    let by_refund = of(false, false) + own_part(all, of(true, false));
    let by_charge = own_part(all, of(true, false).max(highest - of(true, true)));
    let credited: i64 = credits.values().filter(|(_, void)| !void).map(|(amount, _)| amount).sum();
    let withheld = disputes.values().filter(|(_, status)| *status != DisputeStatus::Won);
    let disputed: i64 = withheld.map(|(amount, _)| own_part(all, *amount)).sum();
    (paid.unwrap_or(0) - by_refund.max(by_charge) - credited - disputed).max(0)
}

fn any_told() -> impl Strategy<Value = Told> {
    let refund =
        prop_oneof![Just(RefundStatus::Pending), Just(RefundStatus::Succeeded), Just(RefundStatus::Failed)];
    let dispute = prop_oneof![Just(DisputeStatus::Open), Just(DisputeStatus::Won), Just(DisputeStatus::Lost)];
    prop_oneof![
        3 => (0_i64..30_000).prop_map(|amount| Told::Paid { amount }),
        4 => (0_u8..4, 0_i64..9_000, refund, any::<bool>())
            .prop_map(|(id, amount, status, named)| Told::Refund { id, amount, status, named }),
        2 => (0_i64..20_000).prop_map(|amount| Told::Cumulative { amount }),
        2 => (0_u8..3, 0_i64..5_000, any::<bool>()).prop_map(|(id, amount, void)| Told::Credit { id, amount, void }),
        2 => (0_u8..2, 0_i64..9_000, dispute).prop_map(|(id, amount, status)| Told::Dispute { id, amount, status }),
        1 => (0_i64..9_000, 0_i64..9_000).prop_map(|(own, other)| Told::Shared { own, other }),
        1 => Just(Told::Void),
    ]
}

/// What the ledger has for the invoice after everything was told in this order, at a tenth of what stands.
fn posted(all: &[Told], currency: &str, then: &ProgramThen) -> (i64, SourceState) {
    let currency = Currency::parse(currency).unwrap();
    let (mut state, mut sum) = (SourceState::default(), 0_i64);
    for told in all {
        state = state.merge(&told.state(currency)).unwrap();
        let judgement = judgement(&state, &payer(), &bound(), Some(then));
        let target = judgement.rules.first().map_or(0, |rule| rule.target.amount);
        let line = target - sum;
        sum += line;
        assert!(sum >= 0, "never less than nothing");
    }
    (sum, state)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_says_what_a_small_model_counts(
        told in prop::collection::vec(any_told(), 1..14),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        currency in prop_oneof![Just("USD"), Just("JPY"), Just("KWD")],
    ) {
        let then = then(PERCENT, ProgramStatus::Active);
        let (sum, state) = posted(&told, currency, &then);
        prop_assert_eq!(state.standing_amount(), standing(&told));
        prop_assert_eq!(sum, standing(&told) / 10);
        // Backwards, and some of it again: the same ledger.
        let mut other: Vec<Told> = told.iter().rev().cloned().collect();
        other.extend(again.iter().map(|index| index.get(&told).clone()));
        let (again, state_again) = posted(&other, currency, &then);
        prop_assert_eq!((again, state_again), (sum, state));
    }

    #[test]
    fn a_full_refund_after_any_partial_ones_is_nothing_to_the_minor_unit(
        paid in 1_i64..1_000_000,
        parts in prop::collection::vec(1_i64..200_000, 0..12),
        percent in 1_u32..=1000,
    ) {
        let rate = format!("{}.{}", percent / 10, percent % 10);
        let rules = format!(r#"[{{"id":"commission","amount":{{"percentage":{{"percent":"{rate}"}}}}}}]"#);
        let then = then(&rules, ProgramStatus::Active);
        let (mut told, mut rest) = (vec![Told::Paid { amount: paid }], paid);
        for (number, part) in parts.into_iter().enumerate() {
            let amount = part.min(rest);
            rest -= amount;
            let (id, status) = (u8::try_from(number).unwrap(), RefundStatus::Succeeded);
            told.push(Told::Refund { id, amount, status, named: number % 2 == 0 });
        }
        let (before, _) = posted(&told, "USD", &then);
        prop_assert!(before <= paid);
        told.push(Told::Refund { id: 99, amount: rest, status: RefundStatus::Succeeded, named: true });
        prop_assert_eq!(posted(&told, "USD", &then).0, 0);
    }
}
