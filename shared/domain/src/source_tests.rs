use chrono::TimeZone as _;
use proptest::prelude::*;

use super::*;

fn reference(text: &str) -> ProcessorRef {
    ProcessorRef::parse(text).unwrap()
}

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn paid(amount: i64) -> SourceState {
    let paid_at = Utc.timestamp_opt(1_767_225_600, 0).unwrap();
    SourceState::paid(usd(), Payment { amount, total: Some(amount), total_excluding_tax: None, paid_at })
}

fn refund(id: &str, amount: i64, status: RefundStatus, charge: Option<&str>) -> SourceState {
    let charge = charge.map(reference);
    SourceState::refund(usd(), reference(id), Refund { amount, status, charge })
}

fn join(events: &[SourceState]) -> SourceState {
    events.iter().fold(SourceState::default(), |state, event| state.merge(event).unwrap())
}

#[test]
fn a_refund_that_fails_gives_back_what_it_took() {
    use RefundStatus::{Failed, Succeeded};
    let state = join(&[paid(1000), refund("re_1", 400, Succeeded, None)]);
    assert_eq!(state.standing_amount(), 600);
    assert_eq!(state.merge(&refund("re_1", 400, Failed, None)).unwrap().standing_amount(), 1000);
    let late = join(&[refund("re_1", 400, Failed, None), paid(1000), refund("re_1", 400, Succeeded, None)]);
    assert_eq!(late.standing_amount(), 1000);
}

#[test]
fn a_cumulative_figure_is_evidence_of_unseen_refunds() {
    use RefundStatus::{Failed, Succeeded};
    let cumulative = |amount| SourceState::refunded(usd(), reference("pi_1"), amount);
    assert_eq!(join(&[paid(1000), cumulative(300)]).refunded_amount(), 300);
    let both = join(&[paid(1000), cumulative(300), refund("re_1", 300, Succeeded, Some("pi_1"))]);
    assert_eq!(both.refunded_amount(), 300);
    let second = both.merge(&refund("re_2", 200, Succeeded, Some("pi_1"))).unwrap();
    assert_eq!(second.refunded_amount(), 500);
    let failed = both.merge(&refund("re_1", 300, Failed, Some("pi_1"))).unwrap();
    assert_eq!(failed.refunded_amount(), 0);
}

#[test]
fn a_refund_told_by_two_paths_counts_once() {
    let by_api = refund("re_1", 300, RefundStatus::Succeeded, None);
    let by_webhook = SourceState::refunded(usd(), reference("ch_1"), 300);
    assert_eq!(join(&[paid(1000), by_api, by_webhook]).refunded_amount(), 300);
}

#[test]
fn refunds_of_two_charges_add_up() {
    let a = SourceState::refunded(usd(), reference("ch_1"), 300);
    let b = refund("re_9", 200, RefundStatus::Succeeded, Some("ch_2"));
    assert_eq!(join(&[paid(1000), a, b]).refunded_amount(), 500);
}

#[test]
fn a_dispute_withholds_until_it_is_won() {
    use DisputeStatus::{Lost, Open, Won};
    let dispute = |status| {
        SourceState::dispute(usd(), reference("dp_1"), Dispute { amount: 1000, status, charge: None })
    };
    assert_eq!(join(&[paid(1000), dispute(Open)]).standing_amount(), 0);
    assert_eq!(join(&[paid(1000), dispute(Won), dispute(Open)]).standing_amount(), 1000);
    assert_eq!(join(&[paid(1000), dispute(Open), dispute(Lost)]).standing_amount(), 0);
}

#[test]
fn a_credit_takes_beside_refunds_until_it_is_voided() {
    use RefundStatus::{Failed, Succeeded};
    let credit = |status| SourceState::credit(usd(), reference("cn_1"), 300, status);
    let state = join(&[credit(Succeeded), paid(1000), refund("re_1", 400, Succeeded, None)]);
    assert_eq!((state.credited_amount(), state.standing_amount()), (300, 300));
    assert_eq!(state.merge(&credit(Failed)).unwrap().standing_amount(), 600);
}

fn parts(own: &str, amounts: &[(&str, i64)]) -> SourceState {
    let amounts = amounts.iter().map(|(invoice, amount)| (reference(invoice), *amount)).collect();
    let parts = BTreeMap::from([(reference("pi_1"), Parts { own: reference(own), amounts })]);
    SourceState { parts, ..SourceState::default() }
}

#[test]
fn invoices_that_one_payment_paid_share_what_is_taken_of_it_to_the_minor_unit() {
    use RefundStatus::{Failed, Succeeded};
    let amounts = [("in_a", 334), ("in_b", 333), ("in_c", 333)];
    let standing = |events: &[SourceState]| {
        amounts.map(|(own, amount)| {
            join(&[events, &[paid(amount), parts(own, &amounts)]].concat()).standing_amount()
        })
    };
    assert_eq!(standing(&[refund("re_1", 100, Succeeded, Some("pi_1"))]).iter().sum::<i64>(), 900);
    assert_eq!(standing(&[SourceState::refunded(usd(), reference("pi_1"), 1000)]), [0, 0, 0]);
    assert_eq!(standing(&[refund("re_1", 1000, Succeeded, Some("pi_1"))]), [0, 0, 0]);
    assert_eq!(standing(&[refund("re_1", 1000, Failed, Some("pi_1"))]), [334, 333, 333]);
    assert_eq!(standing(&[refund("re_1", 10, Succeeded, None)]), [324, 323, 323], "of the invoice itself");
    let charge = Some(reference("pi_1"));
    let dispute = Dispute { amount: 500, status: DisputeStatus::Lost, charge };
    let lost = SourceState::dispute(usd(), reference("dp_1"), dispute);
    assert_eq!(standing(&[lost]).iter().sum::<i64>(), 500);
    let unknown = [("in_a", 0), ("in_b", 0)];
    let half = join(&[paid(500), parts("in_a", &unknown), refund("re_1", 101, Succeeded, Some("pi_1"))]);
    assert_eq!(half.standing_amount(), 449, "in equal parts where no event says more");
}

#[test]
fn what_is_taken_back_never_exceeds_what_was_paid() {
    let state = join(&[paid(100), refund("re_1", 5000, RefundStatus::Succeeded, None)]);
    assert_eq!(state.standing_amount(), 0);
    let voided = SourceState { voided: true, ..paid(100) };
    assert_eq!(voided.standing_amount(), 0);
}

#[test]
fn an_event_in_another_currency_is_refused() {
    let eur = Currency::parse("EUR").unwrap();
    let event = SourceState { currency: Some(eur), ..SourceState::default() };
    assert_eq!(paid(1).merge(&event), Err(MergeError::CurrencyMismatch { known: usd(), given: eur }));
}

#[test]
fn the_number_of_refunds_is_bounded() {
    let full = (0..REVERSALS_MAX).fold(paid(1), |state, n| {
        state.merge(&refund(&format!("re_{n}"), 1, RefundStatus::Succeeded, None)).unwrap()
    });
    let one_more = refund("re_x", 1, RefundStatus::Succeeded, None);
    assert_eq!(full.merge(&one_more), Err(MergeError::TooManyReversals));
    assert!(full.merge(&refund("re_0", 1, RefundStatus::Failed, None)).is_ok());
}

fn line(amount: i64, plan: &str, proration: bool) -> Line {
    Line { amount, plan: Some(plan.to_owned()), product: None, proration }
}

fn any_event() -> impl Strategy<Value = SourceState> {
    let status =
        prop_oneof![Just(RefundStatus::Pending), Just(RefundStatus::Succeeded), Just(RefundStatus::Failed)];
    let dispute = prop_oneof![Just(DisputeStatus::Open), Just(DisputeStatus::Won), Just(DisputeStatus::Lost)];
    let charge = prop_oneof![Just(None), Just(Some("ch_1")), Just(Some("ch_2"))];
    prop_oneof![
        (0_i64..5000).prop_map(paid),
        (0..3, 0_i64..2000, status, charge).prop_map(|(id, amount, status, charge)| refund(
            &format!("re_{id}"),
            amount,
            status,
            charge
        )),
        (0_i64..2000).prop_map(|sum| SourceState::refunded(usd(), reference("ch_1"), sum)),
        (0..2, 0_i64..2000, dispute).prop_map(|(id, amount, status)| {
            SourceState::dispute(
                usd(),
                reference(&format!("dp_{id}")),
                Dispute { amount, status, charge: None },
            )
        }),
        (0..2, 0_i64..2000, prop::bool::ANY).prop_map(|(id, amount, void)| {
            let status = if void { RefundStatus::Failed } else { RefundStatus::Succeeded };
            SourceState::credit(usd(), reference(&format!("cn_{id}")), amount, status)
        }),
        (0_i64..900, 0_i64..900).prop_map(|(own, other)| parts("in_a", &[("in_a", own), ("in_b", other)])),
        (0..2, 0_i64..2000).prop_map(|(id, amount)| SourceState {
            out_of_band: BTreeMap::from([(reference(&format!("rec_{id}")), amount)]),
            ..SourceState::default()
        }),
        (0..3, -500_i64..2000, prop::bool::ANY).prop_map(|(id, amount, proration)| SourceState {
            lines: BTreeMap::from([(reference(&format!("il_{id}")), line(amount, "pro", proration))]),
            lines_complete: proration,
            ..SourceState::default()
        }),
        Just(SourceState::void(None)),
    ]
}

proptest! {
    #[test]
    fn any_order_with_duplicates_ends_in_one_state(
        events in prop::collection::vec(any_event(), 1..12),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
    ) {
        let expected = join(&events);
        let shuffled: Vec<_> = order.iter().map(|index| index.get(&events).clone()).collect();
        // What was delivered again and out of order, then everything backwards.
        let state = join(&shuffled).merge(&join(&events.iter().rev().cloned().collect::<Vec<_>>())).unwrap();
        prop_assert_eq!(&state, &expected);
        prop_assert_eq!(state.merge(&state).unwrap(), expected);
    }

    #[test]
    fn standing_is_between_zero_and_paid(events in prop::collection::vec(any_event(), 1..12)) {
        let state = join(&events);
        let paid = state.payment.as_ref().map_or(0, |payment| payment.amount);
        prop_assert!((0..=paid).contains(&state.standing_amount()));
        let in_band = state.without_out_of_band().standing_amount();
        prop_assert!((0..=state.standing_amount()).contains(&in_band));
    }

    #[test]
    fn merging_is_associative(a in any_event(), b in any_event(), c in any_event()) {
        let left = a.merge(&b).unwrap().merge(&c).unwrap();
        prop_assert_eq!(left, a.merge(&b.merge(&c).unwrap()).unwrap());
    }
}
