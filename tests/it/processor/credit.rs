//! Invoice credit: one transaction on the customer's balance for each step.

use fulfill_reward::way::{Receipt, Step, Undone, Way as _};
use tests::sim::simulate;
use tests::stripe::{Account, Outcome, Request, Trouble};

use super::rig::{API_KEY, CUSTOMER, Rig, sequences};

/// Nothing but the step's own transaction, which the receipt names.
fn assert_once(rig: &Rig, reward: &str, step: u32, amount: i64, receipt: Receipt, context: &str) {
    let found = rig.account.transactions(reward, step);
    assert_eq!(found, [(receipt.reference, amount)], "{context}");
}

#[test]
fn a_step_has_one_effect_whatever_goes_wrong_three_times_in_a_row() {
    simulate(async {
        let rig = Rig::new().await;
        let all = sequences(3);
        assert_eq!(all.len(), 1 + 12 + 12 * 12 + 12 * 12 * 12);
        for troubles in all {
            let context = format!("{troubles:?}");
            rig.account.clear();
            rig.account.add_customer(CUSTOMER, Some("usd"));
            let reward = rig.reward(2_000, "USD");
            let id = reward.reward.to_string();
            // It is given under these troubles, and taken back in part under the same.
            for (number, amount) in [(0, 2_000), (1, -500)] {
                rig.account.plan(troubles.clone());
                let step = rig.step(&reward, number, amount);
                let receipt = rig.deliver(&rig.ways.invoice_credit, step).await.unwrap();
                rig.account.settle();
                assert_once(&rig, &id, number, -amount, receipt, &context);
            }
            assert_eq!(rig.account.balance(CUSTOMER), -1_500, "{context}");
        }
    });
}

#[test]
fn what_is_sent_is_what_stripe_documents() {
    simulate(async {
        let rig = Rig::new().await;
        let reward = rig.reward(2_000, "USD");
        rig.deliver(&rig.ways.invoice_credit, rig.step(&reward, 0, 2_000)).await.unwrap();
        let [request] = rig.account.requests().try_into().unwrap();
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/v1/customers/cus_anna/balance_transactions")
        );
        assert_eq!(request.header("authorization"), format!("Bearer {API_KEY}"));
        assert_eq!(request.header("stripe-version"), "2025-03-31.basil");
        assert_eq!(request.header("idempotency-key"), format!("{}_0_0", reward.reward));
        assert_eq!(request.header("content-type"), "application/x-www-form-urlencoded");
        let form = [
            ("amount", "-2000"),
            ("currency", "usd"),
            ("description", "Referral reward"),
            ("metadata[reward_id]", reward.reward.as_str()),
            ("metadata[step]", "0"),
        ];
        assert_eq!(request.form, form.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    });
}

#[test]
fn amounts_are_in_stripes_own_minor_units() {
    simulate(async {
        let rig = Rig::new().await;
        for (amount, currency, expected) in
            [(500, "JPY", -500), (5, "ISK", -500), (5_120, "KWD", -5_120), (50_000, "MGA", -500)]
        {
            rig.account.add_customer(CUSTOMER, None);
            let reward = rig.reward(amount, currency);
            rig.deliver(&rig.ways.invoice_credit, rig.step(&reward, 0, amount)).await.unwrap();
            assert_eq!(rig.account.balance(CUSTOMER), expected, "{currency}");
        }
        for (amount, unit, code) in
            [(50_020, "MGA", "amount_not_deliverable"), (5, "points", "unit_not_deliverable")]
        {
            let reward = rig.reward(amount, unit);
            assert_eq!(
                rig.never(&rig.ways.invoice_credit, rig.step(&reward, 0, amount)).await,
                code,
                "{unit}"
            );
        }
    });
}

#[test]
fn what_cannot_be_says_why_by_a_stable_code_and_has_no_effect() {
    simulate(async {
        let mut rig = Rig::new().await;
        let reward = rig.reward(2_000, "EUR");
        let credit = rig.ways.invoice_credit.clone();
        assert_eq!(rig.never(&credit, rig.step(&reward, 0, 2_000)).await, "currency_mismatch");
        rig.account.restrict(true);
        assert_eq!(rig.never(&credit, rig.step(&reward, 0, 2_000)).await, "processor_refused_key");
        rig.account.restrict(false);
        rig.account.change_key("sk_test_another_0000000000");
        assert_eq!(rig.never(&credit, rig.step(&reward, 0, 2_000)).await, "processor_refused_key");
        rig.account.change_key(API_KEY);
        rig.account.delete_customer(CUSTOMER);
        for key in [0, 1] {
            let step = Step { key, ..rig.step(&reward, 0, 2_000) };
            assert_eq!(rig.never(&credit, step).await, "no_such_customer");
        }
        rig.participant.customers.stripe = None;
        assert_eq!(rig.never(&credit, rig.step(&reward, 0, 2_000)).await, "no_processor_customer");
        let (status, _) = rig.call("DELETE", "/v1/processor-connections/stripe", serde_json::json!({})).await;
        assert_eq!(status, 204);
        rig.world.advance(aws::CACHE_SECONDS);
        rig.participant.customers.stripe = Some("cus_anna".to_owned().try_into().unwrap());
        assert_eq!(rig.never(&credit, rig.step(&reward, 0, 2_000)).await, "no_processor_connection");
        assert_eq!(rig.account.transactions(reward.reward.as_str(), 0), []);
    });
}

#[test]
fn a_key_that_was_used_for_something_else_is_not_used_again() {
    simulate(async {
        let rig = Rig::new().await;
        let reward = rig.reward(2_000, "USD");
        rig.account.plan([Trouble::LoseAnswer]);
        let first = rig.ways.invoice_credit.take(&rig.step(&reward, 0, 2_000)).await;
        assert!(matches!(first, Err(Undone::Later { renew: false, .. })), "{first:?}");
        // The step's amount must never change between two tries; where it does, nothing is sent twice.
        assert_eq!(
            rig.never(&rig.ways.invoice_credit, rig.step(&reward, 0, 1_000)).await,
            "idempotency_conflict"
        );
        let step = Step { key: 1, ..rig.step(&reward, 0, 1_000) };
        assert_eq!(rig.never(&rig.ways.invoice_credit, step).await, "step_differs");
        assert_eq!(rig.account.balance(CUSTOMER), -2_000);
    });
}

#[test]
fn two_workers_at_one_step_have_one_effect() {
    simulate(async {
        let rig = Rig::new().await;
        // Over a night a step gets another key, which the reward's row would tell both of them.
        for trouble in Trouble::ALL.into_iter().filter(|trouble| *trouble != Trouble::Night) {
            rig.account.clear();
            rig.account.add_customer(CUSTOMER, Some("usd"));
            let reward = rig.reward(2_000, "USD");
            rig.account.plan([trouble]);
            let work = || rig.deliver(&rig.ways.invoice_credit, rig.step(&reward, 0, 2_000));
            let (one, two) = tokio::join!(work(), work());
            assert_eq!(one.unwrap(), two.unwrap(), "{trouble:?}");
            rig.account.settle();
            assert_eq!(rig.account.transactions(reward.reward.as_str(), 0).len(), 1, "{trouble:?}");
        }
    });
}

#[test]
fn a_step_is_found_among_many_and_only_so_far_is_looked() {
    simulate(async {
        let rig = Rig::new().await;
        let reward = rig.reward(2_000, "USD");
        let credit = &rig.ways.invoice_credit;
        rig.account.plan([Trouble::LoseAnswer]);
        credit.take(&rig.step(&reward, 0, 2_000)).await.unwrap_err();
        // Everybody else's credit since, on the same balance.
        others(&rig.account, 250);
        let found = credit.take(&Step { key: 1, ..rig.step(&reward, 0, 2_000) }).await.unwrap();
        assert_eq!(found.reference, "cbtxn_000001");
        others(&rig.account, 2_000);
        let step = Step { key: 1, ..rig.step(&reward, 0, 2_000) };
        assert_eq!(rig.never(credit, step).await, "too_many_transactions");
        // What lies before the reward is not looked through: a reward that is newer than all of it is sent.
        rig.world.advance(2 * 86_400);
        let newer = rig.reward(700, "USD");
        let before = rig.account.requests().len();
        credit.take(&Step { key: 1, ..rig.step(&newer, 0, 700) }).await.unwrap();
        assert_eq!(rig.account.requests().len() - before, 2);
        assert_eq!(rig.account.transactions(newer.reward.as_str(), 0).len(), 1);
    });
}

fn others(account: &Account, count: usize) {
    for _ in 0..count {
        assert!(
            matches!(account.handle(&credit_of("other", "")), Outcome::Answered(told) if told.status == 200)
        );
    }
}

fn credit_of(reward: &str, key: &str) -> Request {
    let headers = [("authorization", format!("Bearer {API_KEY}")), ("idempotency-key", key.to_owned())];
    let form =
        [("amount", "-1"), ("currency", "usd"), ("metadata[reward_id]", reward), ("metadata[step]", "0")];
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Request {
        method: "POST".to_owned(),
        path: format!("/v1/customers/{CUSTOMER}/balance_transactions"),
        form: form.map(own).into(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
    }
}

/// The account itself: were a step sent under another key or under a forgotten one without looking, it would show.
#[test]
fn the_account_counts_what_is_done_twice() {
    simulate(async {
        let rig = Rig::new().await;
        let count = |reward: &str| rig.account.transactions(reward, 0).len();
        for (first, second, expected) in [("a", "a", 1), ("b", "c", 2), ("", "", 2)] {
            let reward = format!("rwd_{first}{second}");
            for key in [first, second] {
                rig.account.handle(&credit_of(&reward, key));
            }
            assert_eq!(count(&reward), expected, "{first} {second}");
        }
        rig.account.plan([Trouble::Night]);
        assert!(rig.account.night() && !rig.account.night());
        rig.account.handle(&credit_of("rwd_aa", "a"));
        assert_eq!(count("rwd_aa"), 2);
        // One that is slow is done when it was asked for once more, and by then is under way.
        rig.account.plan([Trouble::Slow]);
        let request = credit_of("rwd_slow", "slow");
        assert!(matches!(rig.account.handle(&request), Outcome::Silent));
        assert_eq!(count("rwd_slow"), 0);
        let statuses = [409, 200, 200];
        for status in statuses {
            let told = rig.account.handle(&request);
            assert!(matches!(told, Outcome::Answered(told) if told.status == status), "{status}");
        }
        assert_eq!(count("rwd_slow"), 1);
    });
}
