use serde_json::{Value, json};

use super::*;
use crate::stripe::samples::*;

fn set(body: &str, fields: &[(&str, Value)]) -> String {
    let set = |body: String, (field, value): &(&str, Value)| {
        with(&body, &format!("/data/object/{field}"), value.clone())
    };
    fields.iter().fold(body.to_owned(), set)
}

/// What was paid in all, and what of it outside Stripe.
fn paid(body: &str) -> (i64, i64) {
    let state = fact(body).state;
    (state.payment.as_ref().unwrap().amount, state.out_of_band_amount())
}

#[test]
fn before_basil_what_amount_paid_lacks_was_paid_outside() {
    let outside = |fields: &[(&str, Value)]| {
        let body = set(OLD_PAID, &[("paid_out_of_band", json!(true)), ("charge", json!(null))]);
        let body = set(&body, &[("payment_intent", json!(null))]);
        set(&body, fields)
    };
    let zero = || ("amount_paid", json!(0));
    let cases = [
        (outside(&[zero()]), (22_000, 22_000)),
        // A part of it was credited before, or taken from the customer's balance.
        (outside(&[zero(), ("amount_due", json!(15_000))]), (15_000, 15_000)),
        (outside(&[zero(), ("amount_due", json!(null))]), (22_000, 22_000)),
        (outside(&[("amount_paid", json!(7_000))]), (22_000, 15_000)),
        // Some versions of the figure include it: without a charge, all of it was paid outside.
        (outside(&[]), (22_000, 22_000)),
        (outside(&[("charge", json!("ch_1"))]), (22_000, 0)),
        (outside(&[zero(), ("amount_due", json!(0))]), (0, 0)),
        (set(OLD_PAID, &[("paid_out_of_band", json!(false))]), (22_000, 0)),
        (set(OLD_PAID, &[("paid_out_of_band", json!(null)), zero()]), (0, 0)),
    ];
    for (body, expected) in cases {
        assert_eq!(paid(&body), expected, "{body}");
    }
    let key = fact(&outside(&[zero()])).state.out_of_band.into_keys().collect::<Vec<_>>();
    assert_eq!(key, [id("in_1QsampleOldInvoice000000")]);
}

#[test]
fn since_basil_a_payment_record_was_paid_outside() {
    let invoice = fact(OUTSIDE_PAID);
    let payment = fact(OUTSIDE_PAYMENT);
    assert_eq!(invoice.source, payment.source);
    assert!(invoice.payments.is_empty() && payment.payments.is_empty(), "no refund will name it");
    let listed = json!({"data": [
        {"id": "inpay_1QsampleNewOutside0000", "amount_paid": 22_000, "status": "paid",
         "payment": {"type": "payment_record", "payment_record": {"id": "pr_1"}}},
        {"id": "inpay_2", "amount_paid": null, "status": "open",
         "payment": {"type": "payment_record", "payment_record": "pr_2"}},
    ]});
    let with_list = set(OUTSIDE_PAID, &[("payments", listed)]);
    for story in
        [[OUTSIDE_PAID, OUTSIDE_PAYMENT], [OUTSIDE_PAYMENT, OUTSIDE_PAID], [&with_list, OUTSIDE_PAYMENT]]
    {
        let state = joined(&story);
        assert_eq!((state.out_of_band_amount(), state.standing_amount()), (22_000, 22_000));
        assert_eq!(state.out_of_band, [(id("inpay_1QsampleNewOutside0000"), 22_000)].into());
    }
    let part = with(OUTSIDE_PAYMENT, "/data/object/amount_paid", json!(5_000));
    assert_eq!(joined(&[OUTSIDE_PAID, &part]).out_of_band_amount(), 5_000);
    for pointer in ["/data/object/id", "/data/object/amount_paid", "/data/object/currency"] {
        assert_eq!(refusal(&without(OUTSIDE_PAYMENT, pointer)).0, pointer);
    }
}

#[test]
fn what_is_overpaid_is_no_revenue_of_the_invoice() {
    let over = |paid: i64, over: Value| {
        let fields = [("amount_paid", json!(paid)), ("amount_overpaid", over)];
        self::paid(&set(NEW_PAID, &fields)).0
    };
    assert_eq!(over(25_000, json!(3_000)), 22_000);
    assert_eq!(over(22_000, json!(3_000)), 22_000, "the figure may leave out what was overpaid");
    assert_eq!(over(25_000, json!(0)), 25_000, "what the customer still owed from before is paid with it");
    assert_eq!(over(22_000, json!(null)), 22_000);
    let bare = set(
        NEW_PAID,
        &[("amount_due", json!(null)), ("amount_paid", json!(25_000)), ("amount_overpaid", json!(3_000))],
    );
    assert_eq!(paid(&bare).0, 22_000);
}

#[test]
fn a_partly_credited_invoice_keeps_all_that_its_share_without_tax_is_taken_of() {
    // 220.00 of which 20.00 is tax; a note before the payment credited a third, or the balance paid for it.
    let due = [("amount_due", json!(14_667)), ("amount_paid", json!(14_667))];
    for (body, field) in [
        (OLD_PAID, "pre_payment_credit_notes_amount"),
        (NEW_PAID, "pre_payment_credit_notes_amount"),
        (NEW_PAID, "starting_balance"),
    ] {
        let body = set(&set(body, &due), &[(field, json!(7_333))]);
        let payment = fact(&body).state.payment.unwrap();
        let figures = (payment.amount, payment.total, payment.total_excluding_tax);
        assert_eq!(figures, (14_667, Some(22_000), Some(20_000)));
    }
}

#[test]
fn several_payments_are_tied_with_what_each_paid() {
    let member = |n: i64, amount: i64| {
        json!({"id": format!("inpay_{n}"), "status": "paid", "amount_paid": amount,
               "payment": {"type": "payment_intent", "payment_intent": format!("pi_{n}")}})
    };
    let list = json!({"data": [member(1, 15_000), member(2, 7_000)]});
    let ties = fact(&set(NEW_PAID, &[("payments", list)])).payments;
    let tie =
        |n: i64, amount| Tie { payment: source(&format!("payment/stripe/pi_{n}")), amount: Some(amount) };
    assert_eq!(ties, [tie(1, 15_000), tie(2, 7_000)]);
}

#[test]
fn promotion_codes_are_found_wherever_a_discount_stands() {
    let found = |fields: &[(&str, Value)]| -> Vec<String> {
        fact(&set(OLD_PAID, fields)).payer.promotions.into_iter().map(String::from).collect()
    };
    let code = |promotion: Value| json!({"id": "di_1", "object": "discount", "promotion_code": promotion});
    let expanded = json!({"id": "promo_1", "object": "promotion_code", "code": "FRIENDS20"});
    assert!(found(&[]).is_empty());
    assert_eq!(found(&[("discount", code(json!("promo_1")))]), ["promo_1"]);
    assert_eq!(found(&[("discount", code(expanded.clone()))]), ["FRIENDS20", "promo_1"]);
    assert_eq!(
        found(&[("discounts", json!(["di_1", code(json!("promo_2")), code(expanded.clone())]))]),
        ["FRIENDS20", "promo_1", "promo_2"]
    );
    let totals =
        json!([{"amount": 100, "discount": code(json!("promo_3"))}, {"amount": 5, "discount": "di_2"}]);
    assert_eq!(found(&[("total_discount_amounts", totals)]), ["promo_3"]);
    let later = json!([{"id": "di_1", "source": {"type": "promotion_code", "promotion_code": "promo_4"}}]);
    assert_eq!(found(&[("discounts", later)]), ["promo_4"]);
    let line = with(OLD_PAID, "/data/object/lines/data/0/discounts", json!([code(json!("promo_5"))]));
    assert_eq!(fact(&line).payer.promotions, [id("promo_5")].into());
    for unusable in [json!(7), json!("two words"), json!({"code": "ä"}), json!("x".repeat(129)), json!([[]])]
    {
        assert!(found(&[("discount", code(unusable.clone())), ("discounts", unusable)]).is_empty());
    }
    let many: Vec<Value> = (0..30).map(|n| code(json!(format!("promo_{n}")))).collect();
    assert_eq!(found(&[("discounts", json!(many))]).len(), 10);
}

#[test]
fn the_payers_address_is_read_and_never_shown() {
    for body in [OLD_PAID, NEW_PAID] {
        let read = fact(&set(body, &[("customer_email", json!(" Ada.Example@example.com "))]));
        assert_eq!(read.email, crate::fact::Email::parse("ada.example@example.com"));
        assert!(!format!("{read:?}").contains("ada"));
        for none in
            [json!(null), json!("nobody"), json!(5), json!(format!("{}@example.com", "x".repeat(400)))]
        {
            assert_eq!(fact(&set(body, &[("customer_email", none)])).email, None);
        }
        let broken = set(body, &[("customer_email", json!("ada@example.com")), ("amount_paid", json!(-1))]);
        assert!(!parse(broken.as_bytes()).unwrap_err().to_string().contains("ada"));
    }
}

#[test]
fn a_voided_invoice_is_void() {
    for body in INVOICE_VOIDED {
        let voided = fact(body);
        assert!(voided.source.to_string().ends_with("Voided000000"));
        assert_eq!(voided.state, SourceState::void(Some(usd())));
        assert_eq!(voided.payer.customer, fact(NEW_PAID).payer.customer);
        for pointer in ["/data/object/id", "/data/object/currency"] {
            assert_eq!(refusal(&without(body, pointer)).0, pointer);
        }
    }
    let of_paid = with(NEW_PAID, "/type", json!("invoice.voided"));
    for story in [[NEW_PAID, &of_paid], [&of_paid, NEW_PAID]] {
        assert_eq!(joined(&story).standing_amount(), 0);
    }
    let uncollectible = with(NEW_PAID, "/type", json!("invoice.marked_uncollectible"));
    assert!(parse(uncollectible.as_bytes()).unwrap().is_ignored(), "it can still be paid");
}

#[test]
fn figures_that_cannot_be_read_name_their_field() {
    for (field, value) in
        [("amount_due", json!("all")), ("amount_overpaid", json!(1.5)), ("paid_out_of_band", json!("yes"))]
    {
        let pointer = format!("/data/object/{field}");
        assert_eq!(refusal(&with(NEW_PAID, &pointer, value)).0, pointer);
    }
}
