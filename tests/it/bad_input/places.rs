//! What stands in the path, in the query and in the headers.

use serde_json::json;

use super::case::Case;
use super::setup::Setup;

/// Ids of the engine's own form that stand for nothing.
fn nobody(prefix: &str) -> String {
    let digits = if prefix == "rwd_" { 46 } else { 26 };
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
    let routes = [
        ("GET /v1/participants/{id}", "prt_", json!(null)),
        ("GET /v1/participants/{id}/ledger", "prt_", json!(null)),
        ("GET /v1/participants/{id}/balances", "prt_", json!(null)),
        ("GET /v1/rewards/{id}", "rwd_", json!(null)),
        ("GET /v1/programs/{program}", "prg_", json!(null)),
        ("PATCH /v1/programs/{program}", "prg_", json!({"name": "New"})),
        ("DELETE /v1/api-keys/{id}", "key_", json!(null)),
        ("PATCH /v1/webhook-endpoints/{endpoint}", "whe_", json!({"secrets": ["whsec_0123456789abcdef"]})),
        ("DELETE /v1/webhook-endpoints/{endpoint}", "whe_", json!(null)),
    ];
    let mut cases = Vec::new();
    for (route, prefix, body) in routes {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let ids = [vec![nobody(prefix)], malformed(prefix)].concat();
        for id in ids {
            let case = Case::new(route, &[&id], &setup.tenant.key, format!("{id:.40} as id")).text(&body);
            cases.push(case.gives(404, "not_found"));
        }
        let broken = Case::new(route, &["%FF"], &setup.tenant.key, "no UTF-8 as id").text(&body);
        cases.push(broken.names("{path}"));
    }
    cases.extend(codes(setup));
    cases.extend(external_ids(setup));
    cases.extend(sources(setup));
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

fn external_ids(setup: &Setup) -> Vec<Case> {
    let route = "PUT /v1/programs/{program}/participants/{external_id}";
    let key = &setup.tenant.key;
    let mut cases = Vec::new();
    for id in ["%20", "ben%40example.com", "a%23b", "a%2Fb", "%00", "b%C3%A9n", &"x".repeat(129)] {
        let case =
            Case::new(route, &[&setup.program, id], key, format!("{id:.20} as external_id")).text("{}");
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

fn sources(setup: &Setup) -> Vec<Case> {
    let route = "GET /v1/decisions/{source+}";
    let case = |source: &str, what: &str| {
        Case::new(route, &[source], &setup.tenant.key, format!("{what}: {source:.40}"))
    };
    let mut cases: Vec<Case> = ["invoice/stripe/in_404", "payment/stripe/in_1", "invoice/own/in_1"]
        .map(|source| case(source, "an unknown source").gives(404, "not_found"))
        .into();
    let long = format!("invoice/stripe/{}", "x".repeat(129));
    for source in [
        "in_1",
        "invoice/stripe",
        "invoice/stripe/",
        "invoice//in_1",
        "invoice/stripe/in_1/more",
        "charge/stripe/in_1",
        "invoice/Stripe/in_1",
        "invoice/stripe/in%231",
        "invoice/stripe/in%201",
        &long,
    ] {
        cases.push(case(source, "not a source").names("{source}"));
    }
    cases
}

/// Query strings of the routes that take one.
pub fn queries(setup: &Setup) -> Vec<Case> {
    let key = &setup.tenant.key;
    let mut cases = Vec::new();
    let mut add = |route, ids: &[&str], query: &str, pointer: &str| {
        cases.push(Case::new(route, ids, key, query).query(query).names(pointer));
    };
    let lists: [(&str, &[&str]); 4] = [
        ("GET /v1/programs", &[]),
        ("GET /v1/referrals", &[]),
        ("GET /v1/rewards", &[]),
        ("GET /v1/participants/{id}/ledger", &[&setup.anna.id]),
    ];
    for (route, ids) in lists {
        for limit in ["0", "101", "-1", "1.5", "ten", "", "99999999999"] {
            add(route, ids, &format!("limit={limit}"), "?limit");
        }
        for cursor in ["", "x", "AAAA", "%00", "bm90aGluZyBvZiB0aGlzIGxpc3Q", &"A".repeat(1_001)] {
            add(route, ids, &format!("cursor={cursor}"), "?cursor");
        }
        add(route, ids, "surprise=1", "?surprise");
        add(route, ids, "limit=1&limit=2", "?limit");
    }
    for route in ["GET /v1/referrals", "GET /v1/rewards", "GET /v1/reports/daily"] {
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
    add("GET /v1/reports/daily", &[], "from=2025-11-01&to=2026-11-02", "?from");
    add("GET /v1/reports/daily", &[], "to=2026-11-02", "?from");
    add("GET /v1/reports/daily", &[], "from=2026-11-02", "?to");
    add("GET /v1/reports/daily", &[], "from=2026-11-01&to=2026-11-02&limit=5", "?limit");
    add("GET /v1/referrals", &[], "from=2026-10-01&to=2026-11-01", "?from");
    for state in ["paid", "", "Fulfilled"] {
        add("GET /v1/rewards", &[], &format!("state={state}"), "?state");
    }
    for id in ["", "x", "anna", &setup.program] {
        add("GET /v1/rewards", &[], &format!("participant={id}"), "?participant");
        add("GET /v1/referrals", &[], &format!("referrer={id}"), "?referrer");
    }
    for id in ["", "a%20b", "ben%40example.com", "a%23b", &"x".repeat(129)] {
        add("GET /v1/referrals", &[], &format!("referee={id}"), "?referee");
    }
    cases
}

/// Headers: the Idempotency-Key of every route that creates.
pub fn idempotency_keys(setup: &Setup) -> Vec<Case> {
    let name = json!({"name": "Example Ltd"});
    let terms = tests::percent_rule("10");
    let routes = [
        ("POST /v1/organizations", name.clone()),
        ("POST /v1/api-keys", name),
        ("POST /v1/programs", json!({"name": "Refer a friend", "terms": terms})),
        ("POST /v1/webhook-endpoints", json!({"processor": "stripe", "livemode": true})),
    ];
    let mut cases = Vec::new();
    for (route, body) in routes {
        for value in [String::new(), "x".repeat(129)] {
            let case =
                Case::new(route, &[], &setup.key_for(route), format!("{} characters as key", value.len()));
            cases.push(case.body(&body).header("idempotency-key", value).names("Idempotency-Key"));
        }
    }
    cases
}

/// Every route with every bearer token that must not open it.
pub fn keys(setup: &Setup, routes: &[&'static str]) -> Vec<Case> {
    let unknown = aws::http::api_key_secret(&[9; 32]);
    let (head, tail) = setup.tenant.key.split_at(setup.tenant.key.len() - 1);
    let typo = format!("{head}{}", if tail == "0" { "1" } else { "0" });
    let root = setup.world.stage.root_key().to_owned();
    let mut cases = Vec::new();
    for route in routes {
        let (path, creates) = (route.split_once(' ').unwrap().1, *route == "POST /v1/organizations");
        if ["/openapi.json", "/v1/webhooks/stripe/{endpoint}"].contains(&path) {
            continue;
        }
        let ids = vec!["x"; path.matches('{').count()];
        let body = json!({"name": "Example Ltd"}).to_string();
        let case =
            |what: &str, key: &str| Case::new(route, &ids, key, what).text(&body).gives(401, "unauthorized");
        cases.extend([
            case("no key", ""),
            case("a malformed key", "rk_live_x"),
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
