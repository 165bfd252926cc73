use chrono::TimeZone as _;

use super::*;
use crate::id::{OrganizationId, ProgramId};
use crate::money::Currency;

fn money(code: &str) -> Unit {
    Currency::parse(code).unwrap().into()
}

fn redemption(amount: i64) -> Redemption {
    let (organization, program) = (OrganizationId::derive(&["o"]), ProgramId::derive(&["p"]));
    Redemption {
        participant: ParticipantId::of(&organization, &program, &ExternalId::parse("anna").unwrap()),
        reference: ExternalId::parse("order_77").unwrap(),
        amount,
        unit: money("USD"),
        note: None,
        recorded_at: Utc.timestamp_opt(1_767_225_600, 0).unwrap(),
    }
}

#[test]
fn what_came_first_is_spent_first() {
    // Of 10, and 10 that came after them, 6 are spent: of the first 4 are left, of the second all.
    assert_eq!((left_of(14, 10, 10), left_of(14, 0, 10)), (4, 10));
    // Once 10 are spent nothing is left of the first, and what is spent then is of the second.
    assert_eq!((left_of(10, 10, 10), left_of(7, 10, 10), left_of(7, 0, 10)), (0, 0, 7));
    // Of 20, 5 were spent and came back, and then 3 were spent: the 5 have come later.
    assert_eq!(left_of(17, 5, 20), 12);
}

#[test]
fn no_more_is_left_of_something_than_stands_of_it_and_never_less_than_nothing() {
    // There are 10 more that came before it.
    assert_eq!(left_of(16, 0, 6), 6);
    // All of it was taken back.
    assert_eq!(left_of(10, 0, 0), 0);
    // More was taken back than was left.
    assert_eq!((left_of(-3, 0, 7), left_of(i64::MIN, 1, 7)), (0, 0));
}

#[test]
fn what_is_given_back_of_a_unit_is_told_from_what_is_spent() {
    for (amount, cause, returned) in [
        (500, Cause::Redeemed, 0),
        (0, Cause::Redeemed, 0),
        (-1, Cause::Returned, 1),
        (-500, Cause::Returned, 500),
    ] {
        let line = redemption(amount);
        let found = (line.cause(), line.returned(money("USD")), line.returned(money("EUR")));
        assert_eq!(found, (cause, returned, 0), "{amount}");
    }
}
