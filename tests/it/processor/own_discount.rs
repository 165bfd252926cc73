//! Discounts of the engine's own, from the reward to the shop that redeems them.

use chrono::TimeDelta;
use domain::discount::DiscountCode;
use serde_json::{Value, json};
use tests::sim::{Effect, Fault, simulate};

use super::rig::Rig;

impl Rig {
    async fn redeem(&self, code: &str, reference: &str) -> (u16, Value) {
        self.call("POST", &format!("/v1/discounts/{code}/redeem"), json!({"reference": reference})).await
    }

    async fn discount(&self, code: &str) -> Value {
        let (status, body) = self.call("GET", &format!("/v1/discounts/{code}"), json!({})).await;
        assert_eq!(status, 200, "{body}");
        body
    }
}

#[test]
fn a_discount_is_used_once_and_by_whoever_shows_it() {
    simulate(async {
        let rig = Rig::new().await;
        let reward = rig.percent("12.5");
        let given = rig.deliver(&rig.ways.own_discount, rig.step(&reward, 0, 1)).await.unwrap();
        let code = given.reference;
        let shown = rig.discount(&code).await;
        let expected = json!({"code": code, "state": "open", "percent_off": "12.5", "amount_off": null,
            "reward": reward.reward, "participant": reward.participant, "valid_until": null, "reference": null});
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&shown[name], value, "{name}");
        }
        let typed = code.to_lowercase().replace('-', "");
        let (status, first) = rig.redeem(&typed, "order_1").await;
        assert_eq!(
            (status, &first["state"], &first["reference"]),
            (200, &json!("redeemed"), &json!("order_1"))
        );
        rig.world.advance(86_400);
        assert_eq!(rig.redeem(&code, "order_1").await, (200, first));
        let (status, refused) = rig.redeem(&code, "order_2").await;
        assert_eq!((status, &refused["code"]), (409, &json!("discount_redeemed")));
    });
}

#[test]
fn a_discount_is_made_once_whatever_befalls_its_calls() {
    simulate(async {
        let rig = Rig::new().await;
        let beginning = rig.world.moment();
        let rows = rig.world.rows().len();
        for effect in [Effect::Refuse, Effect::Throttle, Effect::LoseAnswer, Effect::LoseAnswerOnce] {
            for call in 0..3 {
                rig.world.resume(&beginning, &[Fault { call, effect }], false);
                let mut reward = rig.reward(500, "USD");
                let given = rig.deliver(&rig.ways.own_discount, rig.step(&reward, 0, 500)).await.unwrap();
                rig.world.observe();
                assert_eq!(rig.world.rows().len(), rows + 1, "{effect:?} {call}");
                let made = rig.discount(&given.reference).await;
                assert_eq!(made["amount_off"], json!({"amount": 500, "currency": "USD"}));
                reward.net = 0;
                rig.world.resume(&rig.world.moment(), &[Fault { call, effect }], false);
                let taken = rig.deliver(&rig.ways.own_discount, rig.step(&reward, 1, -500)).await.unwrap();
                assert_eq!(taken, given);
                rig.world.observe();
                assert_eq!(rig.discount(&given.reference).await["state"], "withdrawn", "{effect:?} {call}");
            }
        }
    });
}

#[test]
fn a_part_taken_back_changes_nothing_and_what_was_used_stays_used() {
    simulate(async {
        let rig = Rig::new().await;
        let own = &rig.ways.own_discount;
        let mut reward = rig.reward(500, "USD");
        let given = rig.deliver(own, rig.step(&reward, 0, 500)).await.unwrap();
        for (number, amount, net, state) in
            [(1, -200, 300, "open"), (2, -300, 0, "withdrawn"), (3, 500, 500, "open")]
        {
            reward.net = net;
            assert_eq!(rig.deliver(own, rig.step(&reward, number, amount)).await.as_ref(), Ok(&given));
            let shown = rig.discount(&given.reference).await;
            assert_eq!(
                (&shown["state"], &shown["amount_off"]["amount"]),
                (&json!(state), &json!(500)),
                "{number}"
            );
            let refused = state == "withdrawn";
            if refused {
                let (status, body) = rig.redeem(&given.reference, "order_1").await;
                assert_eq!((status, &body["code"]), (409, &json!("discount_withdrawn")));
            }
        }
        assert_eq!(rig.redeem(&given.reference, "order_1").await.0, 200);
        for (number, amount, net) in [(4, -500, 0), (5, 500, 500)] {
            reward.net = net;
            let receipt = rig.deliver(own, rig.step(&reward, number, amount)).await.unwrap();
            assert_eq!(receipt.reference, format!("{} redeemed", given.reference));
            assert_eq!(rig.discount(&given.reference).await["state"], "redeemed");
        }
    });
}

#[test]
fn a_discount_is_gone_when_its_time_is_over() {
    simulate(async {
        let rig = Rig::new().await;
        let mut reward = rig.percent("20");
        reward.promise.expires_at = Some(rig.world.now() + TimeDelta::seconds(60));
        let code = rig.deliver(&rig.ways.own_discount, rig.step(&reward, 0, 1)).await.unwrap().reference;
        rig.world.advance(60);
        assert_eq!(rig.discount(&code).await["state"], "expired");
        let (status, body) = rig.redeem(&code, "order_1").await;
        assert_eq!((status, &body["code"]), (409, &json!("discount_expired")));
    });
}

#[test]
fn uses_that_race_are_one_use() {
    simulate(async {
        let rig = Rig::new().await;
        let reward = rig.percent("20");
        let code = rig.deliver(&rig.ways.own_discount, rig.step(&reward, 0, 1)).await.unwrap().reference;
        let (one, two, three) = tokio::join!(
            rig.redeem(&code, "order_1"),
            rig.redeem(&code, "order_2"),
            rig.redeem(&code, "order_1")
        );
        let used = rig.discount(&code).await["reference"].clone();
        for (asked, (status, body)) in [("order_1", one), ("order_2", two), ("order_1", three)] {
            if used == asked {
                assert_eq!(status, 200, "{body}");
            } else {
                assert_eq!((status, &body["code"]), (409, &json!("discount_redeemed")));
            }
        }
    });
}

#[test]
fn what_names_no_discount_and_is_no_use_is_refused() {
    simulate(async {
        let rig = Rig::new().await;
        let nobodys = DiscountCode::generate(&[1; 32], 0).to_string();
        for code in [nobodys.as_str(), "x", "%20", "2345-CDFH-JKM"] {
            let (status, body) = rig.redeem(code, "order_1").await;
            assert_eq!((status, &body["code"]), (404, &json!("not_found")), "{code}");
        }
        let reward = rig.percent("20");
        let unmade = rig.never(&rig.ways.own_discount, rig.step(&reward, 1, -1)).await;
        assert_eq!(unmade, "discount_gone");
        let points = rig.reward(10, "points");
        assert_eq!(rig.never(&rig.ways.own_discount, rig.step(&points, 0, 10)).await, "unit_not_deliverable");
    });
}
