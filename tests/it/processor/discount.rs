//! Discounts at Stripe: one coupon and one promotion code for each reward.

use chrono::TimeDelta;
use fulfill_reward::way::Step;
use serde_json::{Value, json};
use tests::sim::simulate;

use super::rig::{CUSTOMER, Rig, sequences};

/// The reward's only promotion code.
fn code(rig: &Rig, reward: &str, context: &str) -> Value {
    let codes = rig.account.promotion_codes(reward);
    assert_eq!(codes.len(), 1, "{context}: {codes:?}");
    codes[0].clone()
}

#[test]
fn a_discount_is_made_once_and_switched_off_once_whatever_goes_wrong() {
    simulate(async {
        let rig = Rig::new().await;
        for troubles in sequences(3) {
            let context = format!("{troubles:?}");
            rig.account.clear();
            rig.account.add_customer(CUSTOMER, Some("usd"));
            let mut reward = rig.reward(500, "USD");
            let id = reward.reward.to_string();
            rig.account.plan(troubles.clone());
            let given = rig.deliver(&rig.ways.discount, rig.step(&reward, 0, 500)).await.unwrap();
            rig.account.settle();
            let made = code(&rig, &id, &context);
            assert_eq!(
                (&made["code"], &made["active"]),
                (&json!(given.reference), &json!(true)),
                "{context}"
            );
            reward.net = 0;
            rig.account.plan(troubles.clone());
            let taken = rig.deliver(&rig.ways.discount, rig.step(&reward, 1, -500)).await.unwrap();
            rig.account.settle();
            assert_eq!(taken, given, "{context}");
            assert_eq!(code(&rig, &id, &context)["active"], false, "{context}");
        }
    });
}

#[test]
fn a_discount_is_for_the_participant_alone_once_and_in_time() {
    simulate(async {
        let rig = Rig::new().await;
        let until = rig.world.now() + TimeDelta::days(30);
        let mut amount = rig.reward(5, "ISK");
        amount.promise.expires_at = Some(until);
        let given = rig.deliver(&rig.ways.discount, rig.step(&amount, 0, 5)).await.unwrap();
        let coupon = rig.account.coupon(amount.reward.as_str()).unwrap();
        let expected = json!({"duration": "once", "max_redemptions": 1, "percent_off": null, "amount_off": 500,
            "currency": "isk", "redeem_by": until.timestamp()});
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&coupon[name], value, "{name}");
        }
        let made = code(&rig, amount.reward.as_str(), "ISK");
        assert_eq!(made["customer"], CUSTOMER);
        assert_eq!((&made["max_redemptions"], &made["expires_at"]), (&json!(1), &json!(until.timestamp())));
        assert_eq!(given.reference.len(), 12);

        rig.world.advance(1);
        let percent = rig.percent("12.5");
        let other = rig.deliver(&rig.ways.discount, rig.step(&percent, 0, 1)).await.unwrap();
        let coupon = rig.account.coupon(percent.reward.as_str()).unwrap();
        assert_eq!((&coupon["percent_off"], &coupon["amount_off"]), (&json!(12.5), &Value::Null));
        assert_ne!(other, given);
    });
}

#[test]
fn a_key_that_is_forgotten_too_early_makes_no_second_code() {
    simulate(async {
        let rig = Rig::new().await;
        let reward = rig.percent("20");
        // Both were made; whoever comes next knows nothing of it.
        let first = rig.deliver(&rig.ways.discount, rig.step(&reward, 0, 1)).await.unwrap();
        rig.account.forget_keys();
        assert_eq!(rig.deliver(&rig.ways.discount, rig.step(&reward, 0, 1)).await, Ok(first));
        code(&rig, reward.reward.as_str(), "");
    });
}

#[test]
fn a_time_beyond_stripes_is_cut_to_five_years() {
    simulate(async {
        let rig = Rig::new().await;
        let mut reward = rig.percent("20");
        reward.promise.expires_at = Some(rig.world.now() + TimeDelta::days(3_660));
        // It waits for a while before it is delivered; what it says does not change by that.
        rig.world.advance(40 * 86_400);
        rig.deliver(&rig.ways.discount, rig.step(&reward, 0, 1)).await.unwrap();
        let coupon = rig.account.coupon(reward.reward.as_str()).unwrap();
        assert_eq!(coupon["redeem_by"], (reward.recorded_at + TimeDelta::days(5 * 365)).timestamp());
    });
}

#[test]
fn a_part_taken_back_changes_nothing_and_all_given_again_switches_it_on() {
    simulate(async {
        let rig = Rig::new().await;
        let discount = &rig.ways.discount;
        let mut reward = rig.reward(500, "USD");
        let id = reward.reward.to_string();
        let given = rig.deliver(discount, rig.step(&reward, 0, 500)).await.unwrap();
        for (number, amount, net, active) in
            [(1, -200, 300, true), (2, -300, 0, false), (3, 100, 100, true), (4, 400, 500, true)]
        {
            reward.net = net;
            assert_eq!(rig.deliver(discount, rig.step(&reward, number, amount)).await.as_ref(), Ok(&given));
            assert_eq!(code(&rig, &id, "")["active"], active, "{number}");
        }
        assert_eq!(rig.account.coupon(&id).unwrap()["amount_off"], 500);
        // Once it was used, nothing changes any more, and the receipt says so.
        rig.account.redeem(&given.reference);
        for (number, amount, net) in [(5, -500, 0), (6, 500, 500)] {
            reward.net = net;
            let receipt = rig.deliver(discount, rig.step(&reward, number, amount)).await.unwrap();
            assert_eq!(receipt.reference, format!("{} redeemed", given.reference));
            assert_eq!(code(&rig, &id, "")["active"], false);
        }
    });
}

#[test]
fn what_cannot_be_a_discount_says_why() {
    simulate(async {
        let mut rig = Rig::new().await;
        let discount = rig.ways.discount.clone();
        let above = rig.percent("150");
        assert_eq!(rig.never(&discount, rig.step(&above, 0, 1)).await, "amount_not_deliverable");
        let points = rig.reward(10, "points");
        assert_eq!(rig.never(&discount, rig.step(&points, 0, 10)).await, "unit_not_deliverable");
        let mut late = rig.percent("20");
        late.promise.expires_at = Some(rig.world.now());
        assert_eq!(rig.never(&discount, rig.step(&late, 0, 1)).await, "discount_expired");
        let nobody = rig.percent("20");
        rig.account.delete_customer(CUSTOMER);
        assert_eq!(rig.never(&discount, rig.step(&nobody, 0, 1)).await, "no_such_customer");
        rig.participant.customers.stripe = None;
        assert_eq!(rig.never(&discount, rig.step(&nobody, 0, 1)).await, "no_processor_customer");
        assert_eq!(rig.never(&discount, rig.step(&nobody, 1, -1)).await, "discount_gone");
        rig.participant.customers.stripe = Some("cus_ben".to_owned().try_into().unwrap());
        rig.account.add_customer("cus_ben", None);
        // The coupon was made when the customer was missing: what it gives cannot change.
        let another = Step { reward: &rig.percent("21"), ..rig.step(&nobody, 0, 1) };
        assert_eq!(another.reward.reward, nobody.reward);
        assert_eq!(rig.never(&discount, another).await, "step_differs");
        rig.deliver(&discount, rig.step(&nobody, 0, 1)).await.unwrap();
        assert_eq!(code(&rig, nobody.reward.as_str(), "")["customer"], "cus_ben");
    });
}
