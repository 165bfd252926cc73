use super::*;

#[test]
fn a_line_takes_all_invoices_that_it_has_room_for() {
    assert_eq!(decide(&[], 0), Ok(Verdict::Nothing));
    assert_eq!(decide(&[], 100), Ok(Verdict::Nothing));
    assert_eq!(decide(&[300, 700], 0), Ok(Verdict::Pay { invoices: 2, amount: 1_000 }));
    let many = vec![10; INVOICES_MAX + 5];
    assert_eq!(decide(&many, 0), Ok(Verdict::Pay { invoices: INVOICES_MAX, amount: 900 }));
}

#[test]
fn less_than_the_minimum_waits() {
    assert_eq!(decide(&[300, 700], 1_000), Ok(Verdict::Pay { invoices: 2, amount: 1_000 }));
    assert_eq!(decide(&[300, 699], 1_000), Ok(Verdict::LeaveOut { amount: 999 }));
    // Those that the line has no room for count too, or small ones would wait for ever.
    let many = vec![10; INVOICES_MAX + 10];
    assert_eq!(decide(&many, 1_000), Ok(Verdict::Pay { invoices: INVOICES_MAX, amount: 900 }));
    assert_eq!(decide(&many, 1_001), Ok(Verdict::LeaveOut { amount: 1_000 }));
}

#[test]
fn sums_are_checked() {
    assert_eq!(decide(&[i64::MAX, 1], 0), Err(MoneyError::Overflow));
}

#[test]
fn a_mark_is_made_once_and_its_repetition_is_known() {
    use LineStatus::{Cancelled, Failed, Paid, Pending};
    let table = [
        (Pending, Mark::Paid, false, Step::Becomes(Paid)),
        (Pending, Mark::Failed, false, Step::Becomes(Failed)),
        (Paid, Mark::Paid, true, Step::Already),
        (Paid, Mark::Paid, false, Step::Refused),
        (Paid, Mark::Failed, true, Step::Refused),
        (Failed, Mark::Failed, true, Step::Already),
        (Failed, Mark::Failed, false, Step::Refused),
        (Failed, Mark::Paid, true, Step::Refused),
        (Cancelled, Mark::Paid, true, Step::Refused),
        (Cancelled, Mark::Failed, true, Step::Refused),
    ];
    for (status, mark, is_same, expected) in table {
        assert_eq!(status.step(mark, is_same), expected, "{status:?} {mark:?} {is_same}");
    }
}

#[test]
fn a_batch_is_cancelled_only_while_nothing_of_it_is_paid() {
    use BatchStatus::{Assembling, Cancelled, Cancelling, Closed, Open};
    let table = [
        (Assembling, 0, Step::Becomes(Cancelling)),
        (Open, 0, Step::Becomes(Cancelling)),
        (Open, 1, Step::Refused),
        (Closed, 0, Step::Refused),
        (Closed, 1, Step::Refused),
        (Cancelling, 0, Step::Already),
        (Cancelled, 0, Step::Already),
    ];
    for (status, paid, expected) in table {
        assert_eq!(status.cancel(paid), expected, "{status:?} {paid}");
    }
}

#[test]
fn the_last_mark_closes_an_open_batch_and_no_other() {
    use BatchStatus::{Assembling, Cancelled, Cancelling, Closed, Open};
    assert_eq!([Open.with_lines(3, 2), Open.with_lines(3, 3), Open.with_lines(0, 0)], [Open, Closed, Closed]);
    for status in [Assembling, Cancelling, Cancelled] {
        assert_eq!(status.with_lines(3, 3), status);
        assert!(!status.is_exportable());
    }
}
