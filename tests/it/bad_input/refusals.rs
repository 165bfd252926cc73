//! Calls that are well formed and still refused: what they ask for cannot be.

use serde_json::{Value, json};

use super::case::Case;
use super::setup::Setup;

pub fn cases(setup: &Setup) -> Vec<Case> {
    [sign_ups(setup), invoices(setup), refunds(setup), programs(setup)].concat()
}

fn sign_ups(setup: &Setup) -> Vec<Case> {
    let case = |what: &str, body: Value| {
        Case::new("POST /v1/track/signup", &[], &setup.tenant.key, what).body(&body)
    };
    let (anna, bob, pam) = (&setup.anna.code, &setup.bob.code, &setup.pam.code);
    let customer = json!({"processor": "stripe", "id": "cus_2"});
    let mut cases = vec![
        case("nobody's code", json!({"external_id": "dora", "code": "ZZZ-2345"}))
            .gives(422, "code_not_found"),
        case("its own code", json!({"external_id": "anna", "code": anna})).gives(422, "self_referral"),
        case("a paused program", json!({"external_id": "dora", "code": pam}))
            .gives(422, "program_not_active"),
        case("another code", json!({"external_id": "ben", "code": bob})).gives(409, "already_referred"),
        case("no code any more", json!({"external_id": "ben"})).gives(409, "already_referred"),
        case("a code at last", json!({"external_id": "carl", "code": anna})).gives(409, "already_signed_up"),
    ];
    for text in ["", "-", "?", "ANN", "ANN-23", "ANN 2345 6789 2", "DROP TABLE", "ÄÖÜ-2345", &"A".repeat(65)]
    {
        let body = json!({"external_id": "dora", "code": text});
        cases.push(case(&format!("{text:.20} as code"), body).gives(422, "code_not_found"));
    }
    let taken = json!({"processor": "stripe", "id": "cus_1"});
    let body = json!({"external_id": "dora", "code": anna, "customer": taken});
    cases.push(case("another referee's customer", body).gives(409, "customer_taken"));
    // A sign-up that is refused must not tie its customer either: payments of that customer would be the referee's.
    let refused = [
        ("dora", json!("ZZZ-2345"), 422, "code_not_found"),
        ("anna", json!(anna), 422, "self_referral"),
        ("dora", json!(pam), 422, "program_not_active"),
        ("ben", json!(bob), 409, "already_referred"),
        ("ben", Value::Null, 409, "already_referred"),
        ("carl", json!(anna), 409, "already_signed_up"),
    ];
    for (referee, code, status, reason) in refused {
        let body = json!({"external_id": referee, "code": code, "customer": customer});
        cases.push(case(&format!("{reason} with a customer"), body).gives(status, reason));
    }
    cases
}

fn invoices(setup: &Setup) -> Vec<Case> {
    let good = json!({"invoice_id": "in_1", "processor": "stripe", "external_id": "ben", "amount_paid": 20_000,
        "currency": "USD"});
    let case = |what: &str, change: Value| {
        let mut body = good.clone();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        Case::new("POST /v1/track/invoice-paid", &[], &setup.tenant.key, what).body(&body)
    };
    vec![
        case("another currency", json!({"currency": "EUR"})).gives(409, "currency_mismatch"),
        case("another payer", json!({"external_id": "dora"})).gives(409, "payer_mismatch"),
        case("another payer and a new payment", json!({"external_id": "dora", "payment_id": "pi_9"}))
            .gives(409, "payer_mismatch"),
        case("another currency and a new customer", json!({"currency": "EUR", "customer_id": "cus_9"}))
            .gives(409, "currency_mismatch"),
        case("nobody who paid", json!({"external_id": null})).names("/external_id"),
    ]
}

fn refunds(setup: &Setup) -> Vec<Case> {
    let case = |what: &str, body: Value| {
        Case::new("POST /v1/track/refund", &[], &setup.tenant.key, what).body(&body)
    };
    let euros = json!({"refund_id": "re_1", "processor": "stripe", "invoice_id": "in_1", "amount": 1, "currency": "EUR"});
    let of_nothing = json!({"refund_id": "re_1", "processor": "stripe", "amount": 1, "currency": "USD"});
    let with_payment = json!({"refund_id": "re_1", "processor": "stripe", "invoice_id": "in_1", "payment_id": "pi_9",
        "amount": 1, "currency": "EUR"});
    vec![
        case("another currency", euros).gives(409, "currency_mismatch"),
        case("another currency and a new payment", with_payment).gives(409, "currency_mismatch"),
        case("nothing that was refunded", of_nothing).names("/invoice_id"),
    ]
}

fn programs(setup: &Setup) -> Vec<Case> {
    let case = |what: &str, program: &str, body: Value| {
        let case = Case::new("PATCH /v1/programs/{program}", &[program], &setup.tenant.key, what).body(&body);
        case.gives(409, "program_transition")
    };
    let terms = tests::percent_rule("20");
    vec![
        case("back to draft", &setup.program, json!({"status": "draft"})),
        case("from the end to active", &setup.ended, json!({"status": "active"})),
        case("from the end to a pause", &setup.ended, json!({"status": "paused"})),
        case("new terms after the end", &setup.ended, json!({"terms": terms})),
        case("a good name with a bad status", &setup.program, json!({"name": "New", "status": "draft"})),
        case("good terms with a bad status", &setup.program, json!({"terms": terms, "status": "draft"})),
    ]
}
