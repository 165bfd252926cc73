use serde_json::{Value, json};

use super::*;
use crate::fact::{Customer, Email, Link};
use crate::id::ExternalId;
use crate::stripe::samples::*;

const PROMOTIONS: [&[&str]; 2] = [&[], &["promo_1QsampleFriends0000000"]];

fn set(body: &str, fields: &[(&str, Value)]) -> String {
    let set = |body: String, (field, value): &(&str, Value)| {
        with(&body, &format!("/data/object/{field}"), value.clone())
    };
    fields.iter().fold(body.to_owned(), set)
}

fn buyer() -> Customer {
    Customer { processor: processor(), reference: id("cus_QsampleBuyer01") }
}

fn link_to(referee: &str) -> Link {
    Link { customer: buyer(), referee: ExternalId::parse(referee).unwrap() }
}

#[test]
fn a_session_without_an_invoice_is_a_payment() {
    let kinds = [
        (SESSION_COMPLETED, "Card", "Session000000", 1_767_348_001),
        (SESSION_ASYNC_PAYMENT_SUCCEEDED, "Debit", "Debit00000000", 1_767_780_000),
    ];
    for (bodies, tail, intent, paid_at) in kinds {
        for ((age, body), promotions) in ["Old", "New"].into_iter().zip(bodies).zip(PROMOTIONS) {
            let payment = Payment {
                amount: 9_900,
                total: Some(9_900),
                total_excluding_tax: Some(9_000),
                paid_at: seconds(paid_at),
            };
            let labels = [("country".to_owned(), ["DE".to_owned()].into())].into();
            let payer = Payer {
                external_id: Some(ExternalId::parse("account-1042").unwrap()),
                customer: Some(buyer()),
                promotions: promotions.iter().map(|code| id(code)).collect(),
                ..Payer::default()
            };
            let state = SourceState { labels, ..SourceState::paid(usd(), payment) };
            let session = source(&format!("invoice/stripe/cs_test_a1Qsample{age}{tail}"));
            let payment = source(&format!("payment/stripe/pi_1Qsample{age}{intent}"));
            let payments = vec![Tie { payment, amount: None }];
            assert_eq!(fact(body), Fact { payments, ..Fact::of(session, payer, state) });
            assert_eq!(parse(body.as_bytes()).unwrap().links, [link_to("account-1042")]);
        }
    }
}

#[test]
fn a_session_that_somebody_else_bills_only_says_whose_customer_it_is() {
    for body in SESSION_COMPLETED {
        for fields in [
            vec![("mode", json!("subscription")), ("subscription", json!("sub_1"))],
            vec![("mode", json!("setup")), ("payment_status", json!("no_payment_required"))],
            vec![("mode", json!(null))],
            vec![("invoice_creation", json!({"enabled": true}))],
            vec![("invoice", json!("in_1")), ("discounts", json!(["di_1"]))],
            vec![("payment_status", json!("unpaid"))],
            vec![("payment_status", json!(null))],
            vec![("payment_status", json!("a_later_one"))],
        ] {
            let event = parse(set(body, &fields).as_bytes()).unwrap();
            assert_eq!((event.facts, event.links), (vec![], vec![link_to("account-1042")]), "{fields:?}");
        }
    }
}

#[test]
fn a_session_with_an_invoice_tells_it_of_a_promotion_code() {
    let [_, body] = SESSION_COMPLETED;
    for mode in ["subscription", "payment"] {
        let body = set(body, &[("invoice", json!("in_1QsampleNewInvoice000000")), ("mode", json!(mode))]);
        let promotions = [id("promo_1QsampleFriends0000000")].into();
        let payer = Payer { customer: Some(buyer()), promotions, ..Payer::default() };
        let expected = Fact::of(fact(NEW_PAID).source, payer.clone(), SourceState::default());
        assert_eq!(fact(&body), expected);
        let known = fact(NEW_PAID).payer;
        let together = known.merge(&payer).unwrap();
        assert_eq!((together.external_id, together.promotions), (known.external_id, payer.promotions));
    }
}

#[test]
fn a_delayed_payment_counts_once_it_has_succeeded() {
    let [_, succeeded] = SESSION_ASYNC_PAYMENT_SUCCEEDED;
    let completed = with(
        &set(succeeded, &[("payment_status", json!("unpaid"))]),
        "/type",
        json!("checkout.session.completed"),
    );
    assert_eq!(parse(completed.as_bytes()).unwrap().facts, []);
    assert_eq!(joined(&[succeeded]).standing_amount(), 9_900);
}

#[test]
fn a_session_over_nothing_is_a_payment_of_nothing() {
    let [_, body] = SESSION_COMPLETED;
    for total in [json!(0), json!(9_900), json!(null)] {
        let fields = [
            ("payment_status", json!("no_payment_required")),
            ("amount_total", total),
            ("payment_intent", json!(null)),
        ];
        let free = fact(&set(body, &fields));
        assert_eq!(free.state.payment.unwrap().amount, 0);
        assert!(free.payments.is_empty());
    }
}

#[test]
fn the_referee_is_named_by_metadata_or_by_the_reference_of_the_page() {
    let [_, body] = SESSION_COMPLETED;
    let bare = set(body, &[("metadata", json!({}))]);
    let named = |body: &str| fact(body).payer.external_id.map(String::from);
    assert_eq!(
        named(&set(body, &[("client_reference_id", json!("cart-7"))])).as_deref(),
        Some("account-1042")
    );
    assert_eq!(named(&bare).as_deref(), Some("account-1042"));
    assert_eq!(named(&set(&bare, &[("client_reference_id", json!("cart-7"))])).as_deref(), Some("cart-7"));
    for none in [json!(null), json!("a person@example.com"), json!(""), json!(7), json!("x".repeat(200))] {
        let event = set(&bare, &[("client_reference_id", none)]);
        assert_eq!(named(&event), None);
        assert_eq!(parse(event.as_bytes()).unwrap().links, []);
    }
    let intent = json!({"id": "pi_1", "metadata": {"referral_external_id": "account-9"}});
    assert_eq!(named(&set(&bare, &[("payment_intent", intent)])).as_deref(), Some("account-9"));
    let guest = set(body, &[("customer", json!(null))]);
    assert_eq!(parse(guest.as_bytes()).unwrap().links, [], "nobody to link");
    assert_eq!(named(&guest).as_deref(), Some("account-1042"), "but the payment is somebody's");
    let pointer = "/data/object/metadata/referral_external_id";
    assert_eq!(refusal(&with(body, pointer, json!("a b"))).0, pointer);
}

#[test]
fn the_address_is_that_of_the_form_or_that_which_was_given() {
    let [_, body] = SESSION_COMPLETED;
    let given = set(body, &[("customer_email", json!("given@example.com"))]);
    assert_eq!(fact(&given).email, Email::parse("given@example.com"));
    let typed = with(&given, "/data/object/customer_details/email", json!("typed@example.com"));
    assert_eq!(fact(&typed).email, Email::parse("typed@example.com"));
}

#[test]
fn tax_that_is_unknown_or_cannot_be_is_left_out() {
    let [_, body] = SESSION_COMPLETED;
    let pointer = "/data/object/total_details/amount_tax";
    let without_tax = |body: &str| fact(body).state.payment.unwrap().total_excluding_tax;
    assert_eq!(without_tax(&with(body, pointer, json!(0))), Some(9_900));
    for unknown in [json!(null), json!(9_901), json!(-1)] {
        assert_eq!(without_tax(&with(body, pointer, unknown)), None);
    }
}

#[test]
fn a_session_that_cannot_be_read_names_its_field() {
    let [_, body] = SESSION_COMPLETED;
    for pointer in ["/data/object/id", "/data/object/currency", "/data/object/amount_total", "/created"] {
        assert_eq!(refusal(&without(body, pointer)), (pointer.to_owned(), "is missing".to_owned()));
    }
    for (pointer, value) in [
        ("/data/object/amount_total", json!(-1)),
        ("/data/object/mode", json!(1)),
        ("/data/object/invoice", json!("a b")),
        ("/data/object/invoice_creation/enabled", json!("no")),
        ("/data/object/payment_status", json!([])),
        ("/data/object/total_details/amount_tax", json!("9")),
        ("/data/object/payment_intent", json!("a b")),
    ] {
        assert_eq!(refusal(&with(body, pointer, value)).0, pointer);
    }
}
