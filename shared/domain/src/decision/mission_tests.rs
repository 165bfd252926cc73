//! The numeric examples of the documents that describe the product, word for word.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::reason::Reason;
use crate::simulation::stage::{Stage, outcome, percent, result, rule};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn ten_percent_of_an_invoice_of_200_is_20_and_of_500_is_50() {
    let mut stage = Stage::with(&[rule(&json!({"amount": percent("10")}))]);
    stage.sign_up("ben", "anna", 0);
    assert_eq!(outcome(&stage.pay("ben", "in_1", 20_000, 1), "a").target.to_string(), "20.00 USD");
    assert_eq!(outcome(&stage.pay("ben", "in_2", 50_000, 2), "a").target.to_string(), "50.00 USD");
    assert_eq!(stage.net("anna"), 7_000);
    assert_eq!(stage.net("ben"), 0, "the one who referred is rewarded, not the one who was referred");
}

#[test]
fn ten_percent_of_a_payout_of_100_within_one_month_is_10_and_nothing_after_it() {
    let promise = json!({"trigger": "payout_recorded", "kind": "cash", "limits": {"duration_months": 1},
        "amount": {"percentage": {"percent": "10", "basis": "payout"}}});
    for (first, last, over) in [
        ("2026-03-10T08:00:00Z", "2026-04-10T07:59:59Z", "2026-04-10T08:00:00Z"),
        ("2026-01-31T00:00:00Z", "2026-02-27T23:59:59Z", "2026-02-28T00:00:00Z"),
        ("2028-01-31T12:00:00Z", "2028-02-29T11:59:59Z", "2028-02-29T12:00:00Z"),
    ] {
        let mut stage = Stage::with(&[rule(&promise)]);
        stage.apply(
            &json!({"type": "signup", "referee": "partner2", "referrer": "partner1", "at": at(first)}),
        );
        let paid = stage.payout("partner2", "po_1", 10_000, at(first));
        assert_eq!(outcome(&paid, "a").target.to_string(), "10.00 USD");
        assert_eq!(
            result(&stage.payout("partner2", "po_2", 10_000, at(last))),
            (Reason::Earned, 1_000),
            "{last}"
        );
        assert_eq!(
            result(&stage.payout("partner2", "po_3", 10_000, at(over))),
            (Reason::DurationOver, 0),
            "{over}"
        );
        assert_eq!(stage.net("partner1"), 2_000);
    }
}

#[test]
fn a_flat_fee_is_paid_when_the_referred_partner_is_approved() {
    let fee = json!({"trigger": "approved", "kind": "cash", "amount": {"fixed": {"amount": 5_000, "currency": "USD"}}});
    let mut stage = Stage::with(&[rule(&fee)]);
    stage.sign_up("partner2", "partner1", 0);
    assert_eq!(result(&stage.happen("partner2", "approved", "partner2", 3)), (Reason::Earned, 5_000));
    stage.happen("partner2", "approved", "partner2", 4);
    assert_eq!(stage.net("partner1"), 5_000, "told twice, paid once");
}

/// "$25 account credit" for the referrer, "15% off first order" for the referee, minimumPurchase 50.00,
/// validityPeriod 30 days, maxReferrals 10.
#[test]
fn refer_a_friend_rewards_both_as_one_program() {
    let conditions =
        json!({"min_purchase": [{"amount": 5_000, "currency": "USD"}], "first_payment_only": true});
    let referrer = json!({"id": "referrer", "kind": "allowance", "description": "$25 account credit",
        "amount": {"fixed": {"amount": 2_500, "currency": "USD"}},
        "conditions": conditions, "limits": {"validity_days": 30}});
    let referee = json!({"id": "referee", "recipient": "referee", "trigger": "signup", "kind": "discount",
        "description": "15% off first order", "amount": {"percent_off": {"percent": "15"}},
        "expires_after_days": 30});
    let mut stage = Stage::of(&json!({"rules": [referrer, referee], "max_referrals": 10}));
    for n in 0..10 {
        let friend = format!("friend-{n}");
        let step = stage.sign_up(&friend, "anna", 0);
        assert_eq!(step.refused, None);
        assert_eq!(outcome(&step, "referee").target.to_string(), "1 discount");
        assert_eq!(stage.net_in(&friend, "discount"), 1);
    }
    assert_eq!(stage.sign_up("friend-10", "anna", 0).refused, Some(Reason::ReferrerLimitReached));
    let paid = |stage: &mut Stage, friend: &str, amount, day| {
        let step = stage.pay(friend, &format!("in_{friend}"), amount, day);
        outcome(&step, "referrer").reason
    };
    assert_eq!(paid(&mut stage, "friend-0", 5_000, 29), Reason::Earned);
    assert_eq!(paid(&mut stage, "friend-1", 4_999, 29), Reason::BelowMinimumPurchase);
    assert_eq!(paid(&mut stage, "friend-2", 5_000, 30), Reason::ValidityOver);
    assert_eq!(stage.net("anna"), 2_500);
}
