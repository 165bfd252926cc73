use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::id::{ProcessorRef, SourceId};
use crate::source::{Line, RefundStatus};
use crate::webhook::trials::{any_json, fact, in_any_order, is_answered, refusal, spoilt, with};

macro_rules! sample {
    ($path:literal) => {
        include_str!(concat!("../../../infra/events/chargebee/", $path, ".json"))
    };
}

const PAID: &str = sample!("payment_succeeded");
const OFFLINE: &str = sample!("payment_succeeded.offline");
const GENERATED: &str = sample!("invoice_generated");
const VOIDED: &str = sample!("invoice_updated.voided");
const DELETED: &str = sample!("invoice_deleted");
const NOTE: &str = sample!("credit_note_created");
const REFUNDED: &str = sample!("payment_refunded");
const CHARGEBACK: &str = sample!("credit_note_created.chargeback");
const CHARGEBACK_VOIDED: &str = sample!("credit_note_updated.voided");
const ADJUSTMENT: &str = sample!("credit_note_created.adjustment");
const NOTE_DELETED: &str = sample!("credit_note_deleted");
const CUSTOMER: &str = sample!("customer_changed");
const ACTIVATED: &str = sample!("subscription_activated");
const SAMPLES: [(&str, &str); 13] = [
    ("payment_succeeded", PAID),
    ("payment_succeeded", OFFLINE),
    ("invoice_generated", GENERATED),
    ("invoice_updated", VOIDED),
    ("invoice_deleted", DELETED),
    ("credit_note_created", NOTE),
    ("payment_refunded", REFUNDED),
    ("credit_note_created", CHARGEBACK),
    ("credit_note_updated", CHARGEBACK_VOIDED),
    ("credit_note_created", ADJUSTMENT),
    ("credit_note_deleted", NOTE_DELETED),
    ("customer_changed", CUSTOMER),
    ("subscription_activated", ACTIVATED),
];
const INVOICE: &str = "invoice/chargebee/10042";
const PAYMENT: &str = "txn_AzSamplePayment0001";

fn id(text: &str) -> ProcessorRef {
    ProcessorRef::parse(text).unwrap()
}

fn told(body: &str) -> Fact {
    fact(parse, body)
}

#[test]
fn every_sample_is_an_event_of_its_name() {
    for (kind, body) in SAMPLES {
        let event = parse(body.as_bytes()).unwrap();
        assert_eq!((event.kind.as_str(), event.livemode), (kind, None));
        assert_eq!(event.is_ignored(), body == ADJUSTMENT, "{kind}");
        assert!(!body.contains('@'), "no person's address stands in a sample");
    }
    assert_eq!(processor().as_str(), "chargebee");
}

#[test]
fn credentials_are_compared_whole() {
    let secret = "chargebee:a_password:with_colons";
    assert_eq!(verify(&credentials(secret), &["other:secret", secret]), Ok(()));
    assert_eq!(verify(&credentials(secret).replace("Basic", "bAsIc"), &[secret]), Ok(()));
    for wrong in ["chargebee:a_password", "chargebee:", "", "chargebee:a_password:with_colonsx"] {
        assert_eq!(verify(&credentials(wrong), &[secret]), Err(Unverified::Mismatch), "{wrong}");
    }
    let long = format!("Basic {}", "A".repeat(HEADER_BYTES_MAX));
    for header in ["", "Basic", "Basic ?", "Bearer YTpi", &long] {
        assert_eq!(verify(header, &[secret]), Err(Unverified::Malformed), "{header}");
    }
    assert_eq!(verify(&credentials(""), &[""]), Err(Unverified::Mismatch), "an empty secret matches nothing");
    assert_eq!(verify(&credentials(secret), &[]), Err(Unverified::Mismatch));
}

#[test]
fn a_payment_tells_its_whole_invoice() {
    let paid = told(PAID);
    assert_eq!(paid.source, SourceId::parse(INVOICE).unwrap());
    assert_eq!(paid.payer.external_id.as_ref().unwrap().as_str(), "account-1042");
    assert_eq!(paid.payer.customer.as_ref().unwrap().reference, id("AzSampleCustomer0001"));
    let promotions: Vec<&str> = paid.payer.promotions.iter().map(ProcessorRef::as_str).collect();
    assert_eq!(promotions, ["WINTER24", "WINTER24-0007"]);
    let payment = paid.state.payment.as_ref().unwrap();
    assert_eq!(
        (payment.amount, payment.total, payment.total_excluding_tax),
        (22_000, Some(22_000), Some(20_000))
    );
    assert_eq!(payment.paid_at.timestamp(), 1_767_348_000);
    let line =
        Line { amount: 20_000, plan: Some("team-USD-monthly".to_owned()), product: None, proration: false };
    assert_eq!(paid.state.lines.values().collect::<Vec<_>>(), [&line]);
    assert!(paid.state.lines_complete && paid.state.out_of_band.is_empty());
    let labels: Vec<&str> = paid.state.labels.keys().map(String::as_str).collect();
    assert_eq!(labels, ["country", "metadata.campaign", "plan"]);
    let tied: Vec<_> = paid.payments.iter().map(|tie| (tie.payment.to_string(), tie.amount)).collect();
    assert_eq!(tied, [(format!("payment/chargebee/{PAYMENT}"), Some(22_000))]);
    let address = with(PAID, "/content/customer/email", json!("Ben@Example.com"));
    assert_eq!(told(&address).email, Email::parse("ben@example.com"));
}

#[test]
fn a_payment_through_no_gateway_was_made_elsewhere() {
    assert_eq!(told(OFFLINE).state.out_of_band, [(id(PAYMENT), 22_000)].into());
    let part = with(OFFLINE, "/content/transaction/linked_invoices/0/applied_amount", json!(2_000));
    assert_eq!(told(&part).state.out_of_band, [(id(PAYMENT), 2_000)].into());
    let failed = with(OFFLINE, "/content/transaction/status", json!("failure"));
    assert!(told(&failed).state.out_of_band.is_empty());
}

#[test]
fn an_invoice_that_is_not_paid_says_nothing_until_it_is_voided() {
    let open = with(GENERATED, "/content/invoice/status", json!("payment_due"));
    let open = with(&open, "/content/invoice/amount_paid", json!(0));
    assert!(parse(open.as_bytes()).unwrap().is_ignored());
    let partly = with(&open, "/content/invoice/amount_paid", json!(1_000));
    assert_eq!(told(&partly).state.payment.unwrap().amount, 1_000);
    for body in [VOIDED, DELETED] {
        assert!(told(body).state.voided);
    }
    assert!(told(DELETED).state.payment.is_none() && !told(GENERATED).state.voided);
}

#[test]
fn a_refundable_credit_note_takes_back_once_however_far_it_has_come() {
    let status = |body: &str| {
        let facts = parse(body.as_bytes()).unwrap().facts;
        let credits = &facts.last().unwrap().state.credits;
        credits.iter().next().map(|(id, credit)| (id.to_string(), credit.amount, credit.status)).unwrap()
    };
    assert_eq!(status(NOTE), ("CN-1".to_owned(), 5_500, RefundStatus::Pending));
    assert_eq!(status(REFUNDED), ("CN-1".to_owned(), 5_500, RefundStatus::Succeeded));
    assert_eq!(status(CHARGEBACK_VOIDED), ("CN-2".to_owned(), 11_000, RefundStatus::Failed));
    assert_eq!(status(NOTE_DELETED).2, RefundStatus::Failed);
    let nowhere = with(NOTE, "/content/credit_note/reference_invoice_id", json!(null));
    assert!(parse(nowhere.as_bytes()).unwrap().is_ignored(), "a gift is no credit of an invoice");
}

#[test]
fn a_customer_is_tied_and_a_subscription_starts_a_plan() {
    let event = parse(CUSTOMER.as_bytes()).unwrap();
    let customer = Customer { processor: processor(), reference: id("AzSampleCustomer0001") };
    let referee = ExternalId::parse("account-1042").unwrap();
    assert_eq!(event.links, [Link { customer, referee }]);
    let nobody = with(CUSTOMER, "/content/customer/meta_data", json!({}));
    assert!(parse(nobody.as_bytes()).unwrap().is_ignored());
    let field = with(&nobody, "/content/customer/cf_referral_external_id", json!("account-7"));
    assert_eq!(parse(field.as_bytes()).unwrap().links[0].referee.as_str(), "account-7");

    assert_eq!(told(ACTIVATED).source.to_string(), "event/plan_started/AzSampleSubscription01");
    let created = with(ACTIVATED, "/event_type", json!("subscription_created"));
    assert_eq!(told(&created).source, told(ACTIVATED).source);
    let trial = with(&created, "/content/subscription/status", json!("in_trial"));
    assert!(parse(trial.as_bytes()).unwrap().is_ignored());
}

#[test]
fn every_order_of_the_story_ends_in_one_state() {
    let story = [PAID, GENERATED, NOTE, CHARGEBACK, CHARGEBACK_VOIDED, NOTE_DELETED];
    assert_eq!(in_any_order(parse, &story[..4]).standing_amount(), 22_000 - 5_500 - 11_000);
    assert_eq!(in_any_order(parse, &story).standing_amount(), 22_000 - 5_500);
    // The refund tells the note and the invoice again.
    assert_eq!(in_any_order(parse, &[PAID, NOTE, REFUNDED, CHARGEBACK]).standing_amount(), 22_000 - 16_500);
    assert_eq!(in_any_order(parse, &[PAID, NOTE, VOIDED, DELETED]).standing_amount(), 0);
}

#[test]
fn what_cannot_be_used_is_refused_by_its_pointer() {
    let cases = [
        (PAID, "/id", json!("")),
        (PAID, "/event_type", json!(7)),
        (PAID, "/content/invoice/id", json!(null)),
        (PAID, "/content/invoice/customer_id", json!("a b")),
        (PAID, "/content/invoice/currency_code", json!("XXX")),
        (PAID, "/content/invoice/amount_paid", json!("22000")),
        (PAID, "/content/invoice/amount_paid", json!(-1)),
        (PAID, "/content/invoice/tax", json!(1.5)),
        (PAID, "/content/invoice/paid_at", json!("2026-01-02")),
        (PAID, "/content/invoice/line_items/0/id", json!(null)),
        (PAID, "/content/invoice/line_items/0/amount", json!(null)),
        (PAID, "/content/invoice/linked_payments/0/txn_id", json!(null)),
        (PAID, "/content/customer/meta_data/referral_external_id", json!(1042)),
        (OFFLINE, "/content/transaction/id", json!(null)),
        (NOTE, "/content/credit_note/id", json!("a#b")),
        (NOTE, "/content/credit_note/total", json!(null)),
        (NOTE, "/content/credit_note/currency_code", json!(null)),
        (ACTIVATED, "/content/subscription/id", json!(null)),
        (CUSTOMER, "/content/customer/id", json!(null)),
    ];
    for (body, pointer, value) in cases {
        assert_eq!(refusal(parse, &with(body, pointer, value)), pointer);
    }
    assert!(matches!(parse(b"{"), Err(EventError::NotJson { line: 1, .. })));
}

proptest! {
    #[test]
    fn arbitrary_json_is_answered(value in any_json()) {
        is_answered(parse, value.to_string().as_bytes());
    }

    #[test]
    fn a_sample_with_any_member_replaced_is_answered(
        sample in 0..SAMPLES.len(), choice in 0_usize..220, value in any_json()
    ) {
        is_answered(parse, spoilt(SAMPLES[sample].1, choice, &value).as_bytes());
    }

    #[test]
    fn a_truncated_or_flipped_sample_is_answered(
        sample in 0..SAMPLES.len(), place: prop::sample::Index, byte: u8, cut: bool
    ) {
        let mut body = SAMPLES[sample].1.as_bytes().to_vec();
        let place = place.index(body.len());
        if cut { body.truncate(place) } else { body[place] = byte }
        is_answered(parse, &body);
    }

    #[test]
    fn no_header_but_the_right_one_is_believed(header in ".{0,60}") {
        prop_assume!(header != credentials("user:password"));
        prop_assert!(verify(&header, &["user:password"]).is_err());
    }
}
