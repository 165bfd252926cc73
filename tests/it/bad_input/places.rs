//! What stands in the path, in the query and in the headers.

use serde_json::json;

use super::bodies::KEY;
use super::case::Case;
use super::deliveries;
use super::setup::Setup;

/// Ids of the engine's own form that stand for nothing.
fn nobody(prefix: &str) -> String {
    let digits = match prefix {
        "rwd_" | "pin_" => 46,
        "uns_" => 78,
        _ => 26,
    };
    format!("{prefix}{}", "0".repeat(digits))
}

/// Texts that no id of the engine's has the form of.
fn malformed(prefix: &str) -> Vec<String> {
    let good = nobody(prefix);
    let mut texts = vec![
        "x".to_owned(),
        "%20".to_owned(),
        "a%23b".to_owned(),
        "%00".to_owned(),
        "..%2F..".to_owned(),
        good.to_uppercase(),
        format!("{good}0"),
        good.replace('0', "o"),
        "x".repeat(2_000),
    ];
    texts.push(if prefix == "prt_" { nobody("prg_") } else { nobody("prt_") });
    texts
}

/// Routes that name one of the engine's own things, with a body that would be taken.
pub fn ids(setup: &Setup) -> Vec<Case> {
    let by = json!({"actor": "admin", "reason": "looked into it"});
    let routes = [
        ("GET /v1/participants/{id}", "prt_", json!(null)),
        ("GET /v1/participants/{id}/ledger", "prt_", json!(null)),
        ("GET /v1/participants/{id}/balances", "prt_", json!(null)),
        ("GET /v1/participants/{id}/enrollments", "prt_", json!(null)),
        ("PATCH /v1/participants/{id}", "prt_", json!({"disabled": true})),
        (
            "POST /v1/participants/{id}/rewards",
            "prt_",
            json!({"amount": {"amount": 500, "currency": "USD"}, "actor": "admin", "reason": "by phone"}),
        ),
        ("GET /v1/rewards/{id}", "rwd_", json!(null)),
        ("POST /v1/rewards/{id}/approve", "rwd_", by.clone()),
        ("POST /v1/rewards/{id}/reject", "rwd_", by.clone()),
        ("POST /v1/rewards/{id}/reverse", "rwd_", by.clone()),
        ("POST /v1/rewards/{id}/fulfill", "rwd_", by.clone()),
        ("POST /v1/rewards/{id}/retry", "rwd_", by.clone()),
        (
            "POST /v1/participants/{id}/redemptions",
            "prt_",
            json!({"reference": "order_1", "amount": {"amount": 1, "currency": "USD"}}),
        ),
        ("GET /v1/participants/{id}/redemptions", "prt_", json!(null)),
        ("GET /v1/participants/{id}/partner-invoices", "prt_", json!(null)),
        ("POST /v1/participants/{id}/tokens", "prt_", json!({})),
        ("GET /v1/billing-runs/{run}", "run_", json!(null)),
        ("GET /v1/billing-runs/{run}/invoices", "run_", json!(null)),
        ("GET /v1/checks/{check}", "chk_", json!(null)),
        ("GET /v1/partner-invoices/{id}", "pin_", json!(null)),
        ("GET /v1/partner-invoices/{id}/lines", "pin_", json!(null)),
        ("POST /v1/partner-invoices/{id}/finalize", "pin_", by.clone()),
        ("POST /v1/partner-invoices/{id}/pay", "pin_", by.clone()),
        ("POST /v1/partner-invoices/{id}/void", "pin_", by.clone()),
        ("GET /v1/payout-batches/{batch}", "pob_", json!(null)),
        ("GET /v1/payout-batches/{batch}/lines", "pob_", json!(null)),
        ("GET /v1/payout-batches/{batch}/export", "pob_", json!(null)),
        ("POST /v1/payout-batches/{batch}/cancel", "pob_", by.clone()),
        (
            "POST /v1/payout-batches/{batch}/lines/bulk",
            "pob_",
            json!({"actor": "payouts", "reason": "as the bank says", "marks": [
                {"participant": setup.partners.pia.id, "status": "paid", "reference": "tr_1"}]}),
        ),
        ("GET /v1/participants/{id}/notifications", "prt_", json!(null)),
        ("GET /v1/participants/{id}/campaigns", "prt_", json!(null)),
        ("GET /v1/programs/{program}/participants", "prg_", json!(null)),
        ("GET /v1/campaigns/{id}", "cmp_", json!(null)),
        ("PATCH /v1/campaigns/{id}", "cmp_", json!({"status": "paused"})),
        ("GET /v1/tasks/{id}", "tsk_", json!(null)),
        ("POST /v1/tasks/{id}/done", "tsk_", by.clone()),
        ("POST /v1/tasks/{id}/dismiss", "tsk_", by.clone()),
        ("GET /v1/unsubscribe/{token}", "uns_", json!(null)),
        ("POST /v1/unsubscribe/{token}", "uns_", json!(null)),
        ("GET /v1/programs/{program}", "prg_", json!(null)),
        ("PATCH /v1/programs/{program}", "prg_", json!({"name": "New"})),
        ("GET /v1/programs/{program}/groups", "prg_", json!(null)),
        ("POST /v1/programs/{program}/codes", "prg_", json!({"code": "SUMMER25", "participant": "anna"})),
        ("POST /v1/programs/{program}/simulate", "prg_", json!({"events": []})),
        ("DELETE /v1/api-keys/{id}", "key_", json!(null)),
        ("PATCH /v1/webhook-endpoints/{endpoint}", "whe_", json!({"secrets": ["whsec_0123456789abcdef"]})),
        ("DELETE /v1/webhook-endpoints/{endpoint}", "whe_", json!(null)),
        ("GET /v1/event-destinations/{id}", "dst_", json!(null)),
        ("PATCH /v1/event-destinations/{id}", "dst_", json!({"status": "disabled"})),
        ("DELETE /v1/event-destinations/{id}", "dst_", json!(null)),
        ("POST /v1/event-destinations/{id}/rotate-secret", "dst_", json!({})),
        ("GET /v1/event-destinations/{id}/deliveries", "dst_", json!(null)),
    ];
    let mut cases = Vec::new();
    for (route, prefix, body) in routes {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let ids = [vec![nobody(prefix)], malformed(prefix)].concat();
        for id in ids {
            let case = Case::new(route, &[&id], &setup.tenant.key, format!("{id:.40} as id")).text(&body);
            cases.push(case.header(KEY.0, KEY.1).gives(404, "not_found"));
        }
        let broken = Case::new(route, &["%FF"], &setup.tenant.key, "no UTF-8 as id").text(&body);
        cases.push(broken.header(KEY.0, KEY.1).names("{path}"));
    }
    cases.extend(payout_lines(setup));
    cases.extend(redemptions(setup));
    cases.extend(codes(setup));
    cases.extend(promotions(setup));
    cases.extend(external_ids(setup));
    cases.extend(referees(setup));
    cases.extend(parts_of_programs(setup));
    cases.extend(sources(setup));
    cases.extend(replays(setup));
    cases.extend(sent(setup));
    cases.extend(deliveries::places(setup));
    cases
}

/// Deliveries: of no destination, and of none to this one.
fn sent(setup: &Setup) -> Vec<Case> {
    let (read, replay) = (
        "GET /v1/event-destinations/{id}/deliveries/{delivery}",
        "POST /v1/event-destinations/{id}/deliveries/{delivery}/replay",
    );
    let (destination, delivery) = (&setup.destination, &setup.delivery);
    let mut cases = Vec::new();
    for route in [read, replay] {
        let body = if route == read { "" } else { "{}" };
        let mut add = |ids: [&str; 2], what: String| {
            let case = Case::new(route, &ids, &setup.tenant.key, what).text(body);
            cases.push(case.gives(404, "not_found"));
        };
        for id in [vec![nobody("dlv_")], malformed("dlv_")].concat() {
            add([destination, &id], format!("{id:.40} as delivery"));
        }
        for id in [vec![nobody("dst_"), setup.other_destination.clone()], malformed("dst_")].concat() {
            add([&id, delivery], format!("{id:.40} as destination"));
        }
        let broken = Case::new(route, &[destination, "%FF"], &setup.tenant.key, "no UTF-8 as delivery");
        cases.push(broken.text(body).names("{path}"));
    }
    cases
}

/// Lines of payout batches: of no batch, and of nobody in this one.
fn payout_lines(setup: &Setup) -> Vec<Case> {
    let mark = json!({"reference": "tr_1", "actor": "payouts", "reason": "as the bank says"}).to_string();
    let (batch, pia) = (&setup.partners.batch, &setup.partners.pia.id);
    let mut cases = Vec::new();
    for route in [
        "POST /v1/payout-batches/{batch}/lines/{participant}/paid",
        "POST /v1/payout-batches/{batch}/lines/{participant}/failed",
    ] {
        let mut add = |ids: [&str; 2], what: String| {
            let case = Case::new(route, &ids, &setup.tenant.key, what).text(&mark);
            cases.push(case.gives(404, "not_found"));
        };
        for id in [vec![nobody("prt_"), setup.anna.id.clone()], malformed("prt_")].concat() {
            add([batch, &id], format!("{id:.40} as participant"));
        }
        for id in [vec![nobody("pob_")], malformed("pob_")].concat() {
            add([&id, pia], format!("{id:.40} as batch"));
        }
        let broken = Case::new(route, &[batch, "%FF"], &setup.tenant.key, "no UTF-8 as participant");
        cases.push(broken.text(&mark).names("{path}"));
    }
    cases
}

fn redemptions(setup: &Setup) -> Vec<Case> {
    let by = json!({"actor": "admin", "reason": "looked into it"}).to_string();
    let mut cases = Vec::new();
    for reference in ["order_0", "a%20b", "%20", "anna@example.com", &"x".repeat(129)] {
        for (route, body) in [
            ("GET /v1/participants/{id}/redemptions/{reference}", ""),
            ("POST /v1/participants/{id}/redemptions/{reference}/return", &by),
        ] {
            let ids = [setup.anna.id.as_str(), reference];
            let case = Case::new(route, &ids, &setup.tenant.key, format!("{reference:.40} as reference"));
            cases.push(case.text(body).gives(404, "not_found"));
        }
    }
    cases
}

fn codes(setup: &Setup) -> Vec<Case> {
    let codes =
        ["ZZZ-2345", "ANN-0000", "x", "%20", "ANN%232345", "%00", &"A".repeat(500)].map(str::to_owned);
    let case = |code: &String| {
        let route = "GET /v1/codes/{code}";
        Case::new(route, &[code], &setup.tenant.key, format!("{code:.20} as code")).gives(404, "not_found")
    };
    codes.iter().map(case).collect()
}

fn promotions(setup: &Setup) -> Vec<Case> {
    let (put, get) = ("PUT /v1/promotions/{processor}/{id}", "GET /v1/promotions/{processor}/{id}");
    let (key, body) = (&setup.tenant.key, json!({"code": "WINTER24"}));
    let mut cases = Vec::new();
    for id in not_external_id() {
        let case = |route| Case::new(route, &["stripe", &id], key, format!("{id:.20} as id")).body(&body);
        cases.extend([case(put).names("{id}"), case(get).names("{id}")]);
    }
    for processor in ["%20", "Stripe", "a%23b", "%00", &"x".repeat(33)] {
        let case =
            |route| Case::new(route, &[processor, "promo_1"], key, format!("{processor:.20} as processor"));
        cases.extend([case(put).body(&body).names("{processor}"), case(get).names("{processor}")]);
    }
    cases.push(Case::new(put, &["stripe", "%FF"], key, "no UTF-8 as id").body(&body).names("{path}"));
    cases.push(Case::new(get, &["stripe", "promo_404"], key, "an unknown promotion").gives(404, "not_found"));
    let nobodys = Case::new(put, &["stripe", "promo_1"], key, "a code that nobody has");
    cases.push(nobodys.body(&json!({"code": "ZZZ-2345"})).gives(404, "not_found"));
    let taken = Case::new(put, &["stripe", "promo_0"], key, "a promotion that is another code");
    cases.push(taken.body(&json!({"code": setup.anna.code})).gives(409, "promotion_taken"));
    cases
}

fn external_ids(setup: &Setup) -> Vec<Case> {
    let route = "PUT /v1/programs/{program}/participants/{external_id}";
    let key = &setup.tenant.key;
    let mut cases = Vec::new();
    for id in not_external_id() {
        let case =
            Case::new(route, &[&setup.program, &id], key, format!("{id:.20} as external_id")).text("{}");
        cases.push(case.names("{external_id}"));
    }
    cases.push(
        Case::new(route, &[&setup.program, "%FF"], key, "no UTF-8 as external_id").text("{}").names("{path}"),
    );
    for program in [vec![nobody("prg_")], malformed("prg_")].concat() {
        let case = Case::new(route, &[&program, "new"], key, format!("{program:.40} as program")).text("{}");
        cases.push(case.gives(404, "not_found"));
    }
    let ended = Case::new(route, &[&setup.ended, "new"], key, "a program that has ended").text("{}");
    cases.push(ended.gives(422, "program_not_active"));
    cases
}

/// What no id of the caller's is, as a path says it.
fn not_external_id() -> [String; 7] {
    ["%20", "ben%40example.com", "a%23b", "a%2Fb", "%00", "b%C3%A9n", &"x".repeat(129)].map(str::to_owned)
}

fn referees(setup: &Setup) -> Vec<Case> {
    let assignment = json!({"program": setup.program, "referrer": "bob"}).to_string();
    let routes = [
        ("GET /v1/referrals/{referee}", ""),
        ("PUT /v1/referrals/{referee}", assignment.as_str()),
        ("DELETE /v1/referrals/{referee}", ""),
    ];
    let mut cases = Vec::new();
    for (route, body) in routes {
        let case = |id: &str, what: String| Case::new(route, &[id], &setup.tenant.key, what).text(body);
        for id in not_external_id() {
            cases.push(case(&id, format!("{id:.20} as referee")).names("{referee}"));
        }
        cases.push(case("%FF", "no UTF-8 as referee".into()).names("{path}"));
    }
    // Nobody, somebody who signed up without a code, and a participant's own id.
    for (route, id) in [
        ("GET /v1/referrals/{referee}", "dora"),
        ("GET /v1/referrals/{referee}", &setup.anna.id),
        ("DELETE /v1/referrals/{referee}", "dora"),
        ("DELETE /v1/referrals/{referee}", "carl"),
        ("DELETE /v1/referrals/{referee}", &setup.anna.id),
    ] {
        let case = Case::new(route, &[id], &setup.tenant.key, format!("{id:.20} as referee"));
        cases.push(case.gives(404, "not_found"));
    }
    cases
}

/// Groups and versions of terms.
fn parts_of_programs(setup: &Setup) -> Vec<Case> {
    let (put, get) =
        ("PUT /v1/programs/{program}/groups/{group}", "GET /v1/programs/{program}/terms/{version}");
    let body = json!({"terms": tests::percent_rule("20")});
    let key = &setup.tenant.key;
    let mut cases = Vec::new();
    for group in ["%20", "Gold", "a%23b", "a%2Fb", "%00", "g%C3%B6ld", &"x".repeat(41)] {
        let case = Case::new(put, &[&setup.program, group], key, format!("{group:.20} as group"));
        cases.push(case.body(&body).names("{group}"));
    }
    cases
        .push(Case::new(put, &[&setup.program, "%FF"], key, "no UTF-8 as group").body(&body).names("{path}"));
    for version in ["0", "3", "-1", "x", "1.0", "%20", "4294967297", "99999999999999999999", "latest", "%00"]
    {
        let case = Case::new(get, &[&setup.program, version], key, format!("{version} as version"));
        cases.push(case.gives(404, "not_found"));
    }
    for program in [vec![nobody("prg_")], malformed("prg_")].concat() {
        let case =
            |route, part: &str| Case::new(route, &[&program, part], key, format!("{program:.40} as program"));
        cases.push(case(put, "silver").body(&body).gives(404, "not_found"));
        cases.push(case(get, "1").gives(404, "not_found"));
    }
    cases
}

/// Texts that name no source, with slashes; and sources that nothing is known of.
const NO_SOURCES: [&str; 8] = [
    "invoice/stripe",
    "invoice/stripe/",
    "invoice//in_1",
    "invoice/stripe/in_1/more",
    "charge/stripe/in_1",
    "invoice/Stripe/in_1",
    "invoice/stripe/in%231",
    "invoice/stripe/in%201",
];
const UNKNOWN_SOURCES: [&str; 9] = [
    "invoice/stripe/in_404",
    "payment/stripe/in_1",
    "invoice/own/in_1",
    "signup/own/nobody",
    "event/booking_completed/in_1",
    "payout/own/in_1",
    "reward/own/in_1",
    "grant/own/in_1",
    "event/own/in_1",
];

fn replays(setup: &Setup) -> Vec<Case> {
    let route = "POST /v1/events/{source}/replay";
    let case = |source: &str, what: &str, dry_run: bool| {
        let case = Case::new(route, &[source], &setup.tenant.key, format!("{what}: {source:.40}"));
        case.body(&json!({"dry_run": dry_run}))
    };
    let mut cases = Vec::new();
    for source in UNKNOWN_SOURCES.iter().chain(&["milestone/own/bonus.2"]) {
        for dry_run in [true, false] {
            cases.push(case(&source.replace('/', ":"), "an unknown source", dry_run).gives(404, "not_found"));
        }
    }
    // A colon may stand in an id: `invoice:stripe:in_1:more` is one.
    for source in NO_SOURCES.iter().filter(|source| !source.contains("more")) {
        cases.push(case(&source.replace('/', ":"), "not a source", false).names("{source}"));
    }
    for source in [
        "in_1",
        "%20",
        "%00",
        "invoice%2Fstripe",
        ":stripe:in_1",
        &format!("invoice:stripe:{}", "x".repeat(129)),
    ] {
        cases.push(case(source, "not a source", false).names("{source}"));
    }
    cases.push(case("%FF", "no UTF-8", false).names("{path}"));
    cases
}

fn sources(setup: &Setup) -> Vec<Case> {
    let route = "GET /v1/decisions/{source+}";
    let case = |source: &str, what: &str| {
        Case::new(route, &[source], &setup.tenant.key, format!("{what}: {source:.40}"))
    };
    let mut cases: Vec<Case> =
        UNKNOWN_SOURCES.map(|source| case(source, "an unknown source").gives(404, "not_found")).into();
    let long = format!("invoice/stripe/{}", "x".repeat(129));
    for source in NO_SOURCES.iter().chain(&["in_1", &long]) {
        cases.push(case(source, "not a source").names("{source}"));
    }
    let milestone = case("milestone/own/bonus.2", "a milestone that nobody reached");
    cases.push(milestone.query(&format!("participant={}", setup.anna.id)).gives(404, "not_found"));
    let of_nobody = case("milestone/own/bonus.2", "a milestone of nobody");
    cases.push(of_nobody.query(&format!("participant={}", nobody("prt_"))).gives(404, "not_found"));
    cases
}

/// Query strings of the routes that take one.
pub fn queries(setup: &Setup) -> Vec<Case> {
    let key = &setup.tenant.key;
    let mut cases = Vec::new();
    let mut add = |route, ids: &[&str], query: &str, pointer: &str| {
        cases.push(Case::new(route, ids, key, query).query(query).names(pointer));
    };
    let (partners, days) = (&setup.partners, "from=2026-11-01&to=2026-11-02");
    let lists: [(&str, &[&str]); 19] = [
        ("GET /v1/programs", &[]),
        ("GET /v1/parked-events", &[]),
        ("GET /v1/referrals", &[]),
        ("GET /v1/rewards", &[]),
        ("GET /v1/participants/{id}/ledger", &[&setup.anna.id]),
        ("GET /v1/participants/{id}/enrollments", &[&setup.anna.id]),
        ("GET /v1/participants/{id}/redemptions", &[&setup.anna.id]),
        ("GET /v1/participants/{id}/partner-invoices", &[&partners.pia.id]),
        ("GET /v1/billing-runs", &[]),
        ("GET /v1/billing-runs/{run}/invoices", &[&partners.run]),
        ("GET /v1/partner-invoices/{id}", &[&partners.invoices[2]]),
        ("GET /v1/partner-invoices/{id}/lines", &[&partners.invoices[2]]),
        ("GET /v1/payout-batches", &[]),
        ("GET /v1/payout-batches/{batch}/lines", &[&partners.batch]),
        ("GET /v1/reports/referrals", &[]),
        ("GET /v1/event-destinations/{id}/deliveries", &[&setup.destination]),
        ("GET /v1/programs/{program}/participants", &[&setup.program]),
        ("GET /v1/participants/{id}/notifications", &[&setup.anna.id]),
        ("GET /v1/tasks", &[]),
    ];
    for (route, ids) in lists {
        let more = if route.contains("/reports/") { format!("{days}&") } else { String::new() };
        for limit in ["0", "101", "-1", "1.5", "ten", "", "99999999999"] {
            add(route, ids, &format!("{more}limit={limit}"), "?limit");
        }
        for cursor in ["", "x", "AAAA", "%00", "bm90aGluZyBvZiB0aGlzIGxpc3Q", &"A".repeat(1_001)] {
            add(route, ids, &format!("{more}cursor={cursor}"), "?cursor");
        }
        add(route, ids, &format!("{more}surprise=1"), "?surprise");
        add(route, ids, &format!("{more}limit=1&limit=2"), "?limit");
    }
    let reports = ["GET /v1/reports/daily", "GET /v1/reports/referrals"];
    for route in ["GET /v1/referrals", "GET /v1/rewards"].into_iter().chain(reports) {
        let days = [
            "from=2026-11-31&to=2026-12-01",
            "from=yesterday&to=2026-12-01",
            "from=2026-11-01T00:00:00Z&to=2026-11-01",
            "from=&to=2026-11-01",
            "from=2026-11-02&to=2026-11-01",
            "from=2024-01-01&to=2026-01-01",
            "from=0001-01-01&to=9999-12-31",
            "from=-0004-12-01&to=-0004-12-02",
            "from=9999-12-31&to=%2B10000-01-01",
        ];
        for query in days {
            add(route, &[], query, "?from");
        }
        add(route, &[], "from=2026-11-01&to=tomorrow", "?to");
    }
    for route in reports {
        add(route, &[], "from=2025-11-01&to=2026-11-02", "?from");
        add(route, &[], "to=2026-11-02", "?from");
        add(route, &[], "from=2026-11-02", "?to");
    }
    add("GET /v1/reports/daily", &[], "from=2026-11-01&to=2026-11-02&limit=5", "?limit");
    add("GET /v1/referrals", &[], "from=2026-10-01&to=2026-11-01", "?from");
    for state in ["paid", "", "Fulfilled"] {
        add("GET /v1/rewards", &[], &format!("state={state}"), "?state");
    }
    for state in ["done", "", "Open"] {
        add("GET /v1/tasks", &[], &format!("state={state}"), "?state");
    }
    for program in ["x", "", "prt_00000000000000000000000000"] {
        add("GET /v1/campaigns", &[], &format!("program={program}"), "?program");
    }
    add("GET /v1/campaigns", &[], "surprise=1", "?surprise");
    for state in ["sent", "", "Pending"] {
        let route = "GET /v1/event-destinations/{id}/deliveries";
        add(route, &[&setup.destination], &format!("state={state}"), "?state");
    }
    let export = "GET /v1/payout-batches/{batch}/export";
    for status in ["open", "", "Paid"] {
        for route in [export, "GET /v1/payout-batches/{batch}/lines"] {
            add(route, &[&partners.batch], &format!("status={status}"), "?status");
        }
    }
    for limit in ["0", "10001", "-1", "1.5", "ten", ""] {
        add(export, &[&partners.batch], &format!("limit={limit}"), "?limit");
    }
    for cursor in ["", "x", "AAAA", "%00", "bm90aGluZyBvZiB0aGlzIGxpc3Q", &"A".repeat(1_001)] {
        add(export, &[&partners.batch], &format!("cursor={cursor}"), "?cursor");
    }
    add(export, &[&partners.batch], "surprise=1", "?surprise");
    for status in ["parked", "", "Waiting"] {
        add("GET /v1/parked-events", &[], &format!("status={status}"), "?status");
        add("GET /v1/parked-events", &[], &format!("reason={status}"), "?reason");
    }
    for id in ["", "x", "anna", &setup.program] {
        add("GET /v1/rewards", &[], &format!("participant={id}"), "?participant");
        add("GET /v1/referrals", &[], &format!("referrer={id}"), "?referrer");
        add("GET /v1/reports/referrals", &[], &format!("{days}&participant={id}"), "?participant");
    }
    for id in ["", "x", "anna", &setup.anna.id] {
        add("GET /v1/rewards", &[], &format!("program={id}"), "?program");
        add("GET /v1/reports/referrals", &[], &format!("{days}&program={id}"), "?program");
    }
    let route = "GET /v1/decisions/{source+}";
    for id in ["", "x", "anna", &setup.program] {
        add(route, &["milestone/own/bonus.2"], &format!("participant={id}"), "?participant");
    }
    add(route, &["milestone/own/bonus.2"], "", "?participant");
    add(route, &["invoice/stripe/in_1"], &format!("participant={}", setup.anna.id), "?participant");
    add(route, &["invoice/stripe/in_1"], "surprise=1", "?surprise");
    for id in ["", "a%20b", "ben%40example.com", "a%23b", &"x".repeat(129)] {
        add("GET /v1/referrals", &[], &format!("referee={id}"), "?referee");
    }
    cases
}

/// Headers: the Idempotency-Key of every route that creates.
pub fn idempotency_keys(setup: &Setup) -> Vec<Case> {
    let name = json!({"name": "Example Ltd"});
    let terms = tests::percent_rule("10");
    let gift = json!({"amount": {"amount": 500, "currency": "USD"}, "actor": "admin", "reason": "by phone"});
    let part = json!({"amount": {"amount": 5, "currency": "USD"}, "actor": "admin", "reason": "too much"});
    let day = &setup.partners.day;
    let run = json!({"program": setup.partners.program, "from": day, "to": day});
    let step = json!({"after_days": 0, "message": {"text": "Share"}});
    let campaign =
        json!({"program": setup.program, "name": "Spring", "audience": "new_participants", "steps": [step]});
    let payout = json!({"program": setup.partners.program, "currency": "USD", "actor": "finance", "reason": "month end"});
    let routes: [(&'static str, Option<&str>, serde_json::Value); 13] = [
        ("POST /v1/organizations", None, name.clone()),
        ("POST /v1/api-keys", None, name),
        ("POST /v1/programs", None, json!({"name": "Refer a friend", "terms": terms})),
        ("POST /v1/webhook-endpoints", None, json!({"processor": "stripe"})),
        ("POST /v1/participants/{id}/rewards", Some(&setup.anna.id), gift),
        ("POST /v1/rewards/{id}/reverse", Some(&setup.delivered), part),
        ("POST /v1/billing-runs", None, run),
        ("POST /v1/payout-batches", None, payout),
        ("POST /v1/checks", None, json!({})),
        ("POST /v1/event-destinations", None, json!({"url": "https://example.com/"})),
        ("POST /v1/campaigns", None, campaign),
        ("POST /v1/event-destinations/{id}/rotate-secret", Some(&setup.destination), json!({})),
        ("POST /v1/participants/{id}/tokens", Some(&setup.anna.id), json!({})),
    ];
    let mut cases = Vec::new();
    for (route, id, body) in routes {
        let case = |what: String| {
            Case::new(route, id.as_slice(), &setup.key_for(route), what).body(&body).names("Idempotency-Key")
        };
        for value in [String::new(), "x".repeat(129)] {
            cases.push(case(format!("{} characters as key", value.len())).header("idempotency-key", value));
        }
        if id.is_some() && !route.ends_with("/tokens") && !route.ends_with("/rotate-secret") {
            cases.push(case("no key where one is needed".into()));
        }
    }
    cases
}

/// Every route with every bearer token that must not open it.
pub fn keys(setup: &Setup, routes: &[&'static str]) -> Vec<Case> {
    let unknown = aws::http::api_key_secret(&[9; 32], false);
    let (head, tail) = setup.tenant.key.split_at(setup.tenant.key.len() - 1);
    let typo = format!("{head}{}", if tail == "0" { "1" } else { "0" });
    let root = setup.world.stage.root_key().to_owned();
    let mut cases = Vec::new();
    for route in routes {
        let (path, creates) = (route.split_once(' ').unwrap().1, *route == "POST /v1/organizations");
        let open = ["/v1/webhooks/", "/v1/unsubscribe/", "/openapi.json"];
        if open.iter().any(|open| path.starts_with(open)) {
            continue;
        }
        let ids = vec!["x"; path.matches('{').count()];
        let body = json!({"name": "Example Ltd"}).to_string();
        let case =
            |what: &str, key: &str| Case::new(route, &ids, key, what).text(&body).gives(401, "unauthorized");
        cases.extend([
            case("no key", ""),
            case("a malformed key", "rk_live_x"),
            case("a malformed key of test mode", "rk_test_x"),
            case("a key of the other mode", &setup.tenant.key.replace("rk_test_", "rk_live_")),
            case("a key with a typo", &typo),
            case("a key that nobody has", &unknown),
            case("a revoked key", &setup.revoked),
            case("a key of the wrong kind", if creates { &setup.tenant.key } else { &root }),
            case("another scheme", "").header("authorization", format!("Basic {}", setup.tenant.key)),
            case("a key without a scheme", "").header("authorization", setup.tenant.key.clone()),
        ]);
    }
    cases
}
