use domain::id::ProcessorRef;
use serde_json::{Value, json};

use super::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_348_000, 0).unwrap()
}

fn told(more: &Value) -> Result<Fact, Problem> {
    let mut body =
        json!({"invoice_id": "in_1", "processor": "stripe", "amount_paid": 20_000, "currency": "USD"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    serde_json::from_value::<InvoicePaidRequest>(body).unwrap().fact(now())
}

fn fact(more: Value) -> Fact {
    told(&more).unwrap()
}

fn id(text: &str) -> ProcessorRef {
    ProcessorRef::parse(text).unwrap()
}

#[test]
fn anything_that_can_tell_who_paid_is_enough() {
    let email = fact(json!({"email": " Ben@Example.com "}));
    assert_eq!(email.email, Email::parse("ben@example.com"));
    assert_eq!(email.payer, Payer::default(), "the address itself is no part of what is stored");
    assert_eq!(fact(json!({"promotion_codes": ["WINTER24"]})).payer.promotions, [id("WINTER24")].into());
    assert_eq!(fact(json!({"external_id": "ben"})).payer.external_id.unwrap().as_str(), "ben");
    assert_eq!(fact(json!({"customer_id": "cus_1"})).payer.customer.unwrap().reference, id("cus_1"));
    assert_eq!(told(&json!({})).unwrap_err().into_body().errors[0].pointer, "/external_id");
}

#[test]
fn what_was_paid_elsewhere_is_the_whole_invoice() {
    let elsewhere = fact(json!({"external_id": "ben", "out_of_band": true})).state;
    assert_eq!((elsewhere.out_of_band_amount(), elsewhere.standing_amount()), (20_000, 20_000));
    assert_eq!(elsewhere.out_of_band, [(id("in_1"), 20_000)].into());
    assert!(fact(json!({"external_id": "ben"})).state.out_of_band.is_empty());
}

#[test]
fn lines_are_complete_unless_told_otherwise() {
    let lines = json!([{"line_id": "il_1", "amount": 21_000, "plan": "pro", "proration": true},
        {"line_id": "il_2", "amount": -1_000, "product": "mat"}]);
    let all = fact(json!({"external_id": "ben", "lines": lines, "labels": {"plans": ["team"]}})).state;
    assert!(all.lines_complete && all.lines[&id("il_1")].proration);
    assert_eq!(all.lines[&id("il_2")].amount, -1_000);
    assert_eq!(all.labels["plan"], ["pro", "team"].map(str::to_owned).into());
    assert_eq!(all.labels["product"], ["mat".to_owned()].into());
    let some = fact(json!({"external_id": "ben", "lines": lines, "lines_complete": false})).state;
    assert!(!some.lines_complete && some.lines.len() == 2);
    assert!(!fact(json!({"external_id": "ben"})).state.lines_complete, "none were told");
}

#[test]
fn every_payment_is_tied_once_with_what_it_paid() {
    let payments = json!([{"payment_id": "pi_2", "amount": 5_000}, {"payment_id": "pi_1", "amount": 15_000}]);
    let ties = |more: Value| -> Vec<(String, Option<i64>)> {
        fact(more).payments.into_iter().map(|tie| (tie.payment.to_string(), tie.amount)).collect()
    };
    let expected = vec![
        ("payment/stripe/pi_1".to_owned(), Some(15_000)),
        ("payment/stripe/pi_2".to_owned(), Some(5_000)),
    ];
    assert_eq!(ties(json!({"external_id": "ben", "payments": payments})), expected);
    assert_eq!(ties(json!({"external_id": "ben", "payments": payments, "payment_id": "pi_1"})), expected);
    let single = vec![("payment/stripe/pi_9".to_owned(), None)];
    assert_eq!(ties(json!({"external_id": "ben", "payment_id": "pi_9"})), single);
}
