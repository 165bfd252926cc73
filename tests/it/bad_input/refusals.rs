//! Calls that are well formed and still refused: what they ask for cannot be.

use serde_json::{Value, json};

use super::case::Case;
use super::deliveries;
use super::setup::Setup;

pub fn cases(setup: &Setup) -> Vec<Case> {
    let reported = [sign_ups(setup), touches(setup), invoices(setup), refunds(setup), events(setup)].concat();
    let reported = [reported, disputes(setup), modes(setup)].concat();
    let told = [reported, programs(setup), referrals(setup), codes(setup), rewards(setup)].concat();
    [told, exchange_rates(setup), partner_invoices(setup), deliveries::refusals(setup)].concat()
}

/// EUR and USD are drafts, GBP is finalized.
fn partner_invoices(setup: &Setup) -> Vec<Case> {
    let by = json!({"actor": "finance", "reason": "month end"});
    let case = |id: &str| {
        let route = "POST /v1/partner-invoices/{id}/pay";
        Case::new(route, &[id], &setup.tenant.key, "a draft")
            .body(&by)
            .gives(409, "partner_invoice_transition")
    };
    let mut cases: Vec<Case> =
        [&setup.partners.invoices[0], &setup.partners.invoices[2]].map(|id| case(id)).into();
    // One batch was cancelled.
    let (key, cancelled) = (&setup.tenant.key, &setup.partners.cancelled);
    let mark = json!({"reference": "tr_1", "actor": "payouts", "reason": "as the bank says"});
    let route = "POST /v1/payout-batches/{batch}/lines/{participant}/paid";
    let line = Case::new(route, &[cancelled, &setup.partners.pia.id], key, "a line that was cancelled");
    cases.push(line.body(&mark).gives(409, "payout_line_settled"));
    let route = "GET /v1/payout-batches/{batch}/export";
    let file = Case::new(route, &[cancelled], key, "a batch that was cancelled");
    cases.push(file.gives(409, "payout_batch_transition"));
    cases
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

fn touches(setup: &Setup) -> Vec<Case> {
    let case = |text: &str| {
        let case = Case::new("POST /v1/track/touch", &[], &setup.tenant.key, format!("{text:.20} as code"));
        case.body(&json!({"visitor_id": "v-1", "code": text})).gives(422, "code_not_found")
    };
    ["ZZZ-2345", "", "-", "ANN", "DROP TABLE", "ÄÖÜ-2345", &"A".repeat(65)].map(case).into()
}

/// What contradicts an event or a payout record that is known, or says nothing.
fn events(setup: &Setup) -> Vec<Case> {
    let event =
        |what: &str, body: Value| Case::new("POST /v1/track/event", &[], &setup.tenant.key, what).body(&body);
    let payout = |what: &str, body: Value| {
        Case::new("POST /v1/track/payout", &[], &setup.tenant.key, what).body(&body)
    };
    let of = |payer: &str, currency: &str| json!({"name": "booking_completed", "event_id": "b-0", "external_id": payer, "amount": 1_000, "currency": currency});
    let record = |payer: &str, currency: &str| json!({"payout_id": "p-0", "external_id": payer, "payout": 1_000, "currency": currency, "revision": 7});
    let no_figure = json!({"payout_id": "p-1", "external_id": "ben", "currency": "USD"});
    vec![
        event("another currency", of("ben", "EUR")).gives(409, "currency_mismatch"),
        event("another payer", of("dora", "USD")).gives(409, "payer_mismatch"),
        payout("another currency", record("ben", "EUR")).gives(409, "currency_mismatch"),
        payout("another partner", record("dora", "USD")).gives(409, "payer_mismatch"),
        payout("no figure", no_figure).names("/payout"),
    ]
}

fn referrals(setup: &Setup) -> Vec<Case> {
    let case = |what: &str, referee: &str, program: &str, referrer: &str| {
        let case = Case::new("PUT /v1/referrals/{referee}", &[referee], &setup.tenant.key, what);
        case.body(&json!({"program": program, "referrer": referrer}))
    };
    vec![
        case("oneself", "anna", &setup.program, "anna").gives(422, "self_referral"),
        case("another while one refers", "ben", &setup.program, "bob").gives(409, "already_referred"),
        case("a participant of another program", "carl", &setup.program, "pam").names("/referrer"),
        case("another program's participant", "carl", &setup.ended, "anna").names("/referrer"),
    ]
}

fn codes(setup: &Setup) -> Vec<Case> {
    let case = |what: &str, program: &str, code: &str, participant: &str| {
        let case = Case::new("POST /v1/programs/{program}/codes", &[program], &setup.tenant.key, what);
        case.body(&json!({"code": code, "participant": participant, "max_uses": 5}))
    };
    let taken = |what: &str, code: &str, participant: &str| {
        case(what, &setup.program, code, participant).gives(409, "code_taken")
    };
    vec![
        taken("the code that the system issued", &setup.anna.code, "anna"),
        taken("another's code", &setup.anna.code, "bob"),
        taken("another's promo code", "winter-24", "bob"),
        taken("a code of another program", &setup.pam.code, "anna"),
        case("a program that has ended", &setup.ended, "SUMMER25", "eve").gives(422, "program_not_active"),
    ]
}

fn rewards(setup: &Setup) -> Vec<Case> {
    let case = |what: &'static str, reward: &str, code: &'static str| {
        let route = match code {
            "reward_not_approvable" => "POST /v1/rewards/{id}/approve",
            "reward_not_rejectable" => "POST /v1/rewards/{id}/reject",
            _ => "POST /v1/rewards/{id}/reverse",
        };
        let by = json!({"actor": "admin", "reason": "looked into it"});
        Case::new(route, &[reward], &setup.tenant.key, what).body(&by).gives(409, code)
    };
    let part = json!({"actor": "admin", "reason": "x", "amount": {"amount": 1, "currency": "USD"}});
    let of_rejected = case("a part of a rejected reward", &setup.rejected, "reward_not_reversible");
    vec![
        case("a rejected reward", &setup.rejected, "reward_not_approvable"),
        case("a delivered reward", &setup.delivered, "reward_not_rejectable"),
        case("a rejected reward", &setup.rejected, "reward_not_reversible"),
        of_rejected.body(&part).header("idempotency-key", "part"),
    ]
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
        case("no lines, and all of them", json!({"lines_complete": true})).names("/lines_complete"),
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

/// What contradicts an invoice that is known.
fn disputes(setup: &Setup) -> Vec<Case> {
    let case = |route: &'static str, what: &str, body: Value| {
        Case::new(route, &[], &setup.tenant.key, what).body(&body)
    };
    let dispute = |more: Value| {
        let mut body = json!({"dispute_id": "dp_1", "processor": "stripe", "amount": 1, "currency": "EUR", "status": "open"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let credit = json!({"credit_id": "cn_1", "processor": "stripe", "invoice_id": "in_1", "amount": 1, "currency": "EUR"});
    let route = "POST /v1/track/dispute";
    vec![
        case(route, "another currency", dispute(json!({"invoice_id": "in_1"})))
            .gives(409, "currency_mismatch"),
        case(route, "nothing that is disputed", dispute(json!({}))).names("/invoice_id"),
        case("POST /v1/track/credit", "another currency", credit).gives(409, "currency_mismatch"),
    ]
}

/// Live money where only test money is.
fn modes(setup: &Setup) -> Vec<Case> {
    let case = |processor: &str| {
        let case = Case::new("POST /v1/webhook-endpoints", &[], &setup.tenant.key, processor);
        let body = json!({"processor": processor, "livemode": true});
        case.body(&body).gives(422, "mode_mismatch").pointing_at("/livemode")
    };
    ["stripe", "paddle", "chargebee"].map(case).into()
}

fn programs(setup: &Setup) -> Vec<Case> {
    let case = |what: &str, program: &str, body: Value| {
        let case = Case::new("PATCH /v1/programs/{program}", &[program], &setup.tenant.key, what).body(&body);
        case.gives(409, "program_transition")
    };
    let terms = tests::percent_rule("20");
    let of_ended = |what: &str, route: &'static str, ids: &[&str]| {
        let case = Case::new(route, ids, &setup.tenant.key, what).body(&json!({"terms": terms}));
        case.gives(409, "program_transition")
    };
    let own = of_ended("own terms after the end", "PATCH /v1/participants/{id}", &[&setup.eve.id]);
    let group = "PUT /v1/programs/{program}/groups/{group}";
    let groups = of_ended("a group's terms after the end", group, &[&setup.ended, "gold"]);
    vec![
        own,
        groups,
        case("back to draft", &setup.program, json!({"status": "draft"})),
        case("from the end to active", &setup.ended, json!({"status": "active"})),
        case("from the end to a pause", &setup.ended, json!({"status": "paused"})),
        case("new terms after the end", &setup.ended, json!({"terms": terms})),
        case("a good name with a bad status", &setup.program, json!({"name": "New", "status": "draft"})),
        case("good terms with a bad status", &setup.program, json!({"terms": terms, "status": "draft"})),
    ]
}

fn exchange_rates(setup: &Setup) -> Vec<Case> {
    let day = setup.now.date_naive().to_string();
    let case = |what: &str, rates: Value| {
        let route = "PUT /v1/exchange-rates/{day}";
        let case = Case::new(route, &[&day], &setup.tenant.key, what);
        case.body(&json!({"currency": "USD", "rates": rates})).gives(409, "rate_given")
    };
    vec![
        case("another rate", json!({"EUR": "1.0844"})),
        case("another rate beside new ones", json!({"CHF": "1.1", "EUR": "1.08", "GBP": "1.3"})),
    ]
}
