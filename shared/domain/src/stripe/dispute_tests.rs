use serde_json::{Value, json};

use super::*;
use crate::stripe::samples::*;

fn one(body: &str) -> Dispute {
    let mut disputes = fact(body).state.disputes.into_values();
    let one = disputes.next().unwrap();
    assert_eq!(disputes.next(), None);
    one
}

/// The sample with this status and these moves of money.
fn of(body: &str, status: &str, moves: &[i64]) -> String {
    let moves: Vec<Value> = moves.iter().map(|amount| json!({"amount": amount, "currency": "eur"})).collect();
    let body = with(body, "/data/object/status", json!(status));
    with(&body, "/data/object/balance_transactions", json!(moves))
}

#[test]
fn a_dispute_is_a_fact_about_its_payment() {
    for (age, at) in [("Old", 0), ("New", 1)] {
        let intent = format!("pi_1Qsample{age}Intent0000000");
        let cases = [
            (DISPUTE_CREATED[at], DisputeStatus::Open),
            (DISPUTE_FUNDS_WITHDRAWN[at], DisputeStatus::Open),
            (DISPUTE_UPDATED[at], DisputeStatus::Open),
            (DISPUTE_CLOSED[at], DisputeStatus::Won),
            (DISPUTE_FUNDS_REINSTATED[at], DisputeStatus::Won),
        ];
        for (body, status) in cases {
            let dispute = Dispute { amount: 22_000, status, charge: Some(id(&intent)) };
            let state = SourceState::dispute(usd(), id(&format!("dp_1Qsample{age}Dispute000000")), dispute);
            let expected = Fact::of(source(&format!("payment/stripe/{intent}")), Payer::default(), state);
            assert_eq!(fact(body), expected);
        }
    }
}

#[test]
fn a_dispute_stands_as_its_status_and_the_money_say() {
    use DisputeStatus::{Lost, Open, Won};
    let [_, created] = DISPUTE_CREATED;
    let cases = [
        ("needs_response", Open),
        ("under_review", Open),
        ("a_later_one", Open),
        ("won", Won),
        ("lost", Lost),
    ];
    for (status, expected) in cases {
        for kind in ["created", "updated", "closed", "funds_withdrawn"] {
            let body =
                with(&of(created, status, &[-22_000]), "/type", json!(format!("charge.dispute.{kind}")));
            assert_eq!(one(&body).status, expected, "{kind} {status}");
        }
    }
    let none = without(created, "/data/object/status");
    assert_eq!(one(&none).status, Open);
}

#[test]
fn an_inquiry_withholds_nothing_until_the_money_goes() {
    let [_, created] = DISPUTE_CREATED;
    for status in ["warning_needs_response", "warning_under_review", "warning_closed", "prevented"] {
        for kind in ["created", "updated", "closed"] {
            let body = with(&of(created, status, &[]), "/type", json!(format!("charge.dispute.{kind}")));
            assert!(parse(body.as_bytes()).unwrap().is_ignored(), "{kind} {status}");
        }
        let taken = with(&of(created, status, &[-22_000]), "/type", json!("charge.dispute.funds_withdrawn"));
        assert_eq!(one(&taken).status, DisputeStatus::Open, "{status}");
        let back = of(&taken, status, &[-22_000, 22_000]);
        let back = with(&back, "/type", json!("charge.dispute.funds_reinstated"));
        assert_eq!(one(&back).status, DisputeStatus::Won, "{status}");
    }
}

#[test]
fn money_that_comes_back_in_part_wins_nothing_and_a_loss_stays_a_loss() {
    use DisputeStatus::{Lost, Open, Won};
    let [_, reinstated] = DISPUTE_FUNDS_REINSTATED;
    let cases: [(&str, &[i64], DisputeStatus); 7] = [
        ("under_review", &[-22_000, 22_000], Won),
        ("under_review", &[-22_000, 5_500], Open),
        // Moves that do not show the one that the event is about.
        ("under_review", &[-22_000], Won),
        ("under_review", &[], Won),
        ("lost", &[-22_000, 5_500], Lost),
        ("lost", &[-22_000, 22_000], Lost),
        ("won", &[-22_000, 5_500], Won),
    ];
    for (status, moves, expected) in cases {
        assert_eq!(one(&of(reinstated, status, moves)).status, expected, "{status} {moves:?}");
    }
}

#[test]
fn a_dispute_and_a_refund_of_one_payment_have_one_key() {
    let [_, created] = DISPUTE_CREATED;
    assert_eq!(fact(created).source, fact(NEW_REFUND_UPDATED).source);
    let by_charge = with(created, "/data/object/payment_intent", json!(null));
    let refund = with(NEW_REFUND_UPDATED, "/data/object/payment_intent", json!(null));
    assert_eq!(fact(&by_charge).source, fact(&refund).source);
    assert_eq!(one(&by_charge).charge, Some(id("ch_1QsampleNewCharge0000000")));
    let neither = with(&by_charge, "/data/object/charge", json!(null));
    assert!(parse(neither.as_bytes()).unwrap().is_ignored());
}

#[test]
fn a_dispute_that_cannot_be_read_names_its_field() {
    let [_, created] = DISPUTE_CREATED;
    for pointer in ["/data/object/id", "/data/object/currency", "/data/object/amount"] {
        assert_eq!(refusal(&without(created, pointer)), (pointer.to_owned(), "is missing".to_owned()));
    }
    let cases = [
        ("/data/object/amount", json!(-1)),
        ("/data/object/status", json!(7)),
        ("/data/object/payment_intent", json!("a b")),
    ];
    for (pointer, value) in cases {
        assert_eq!(refusal(&with(created, pointer, value)).0, pointer);
    }
    let [_, reinstated] = DISPUTE_FUNDS_REINSTATED;
    let pointer = "/data/object/balance_transactions/0/amount";
    assert_eq!(refusal(&with(reinstated, pointer, json!("all"))).0, pointer);
}
