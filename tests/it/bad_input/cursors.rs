//! Cursors: each belongs to one list, as it was given out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::case::Case;
use super::setup::Setup;

/// Lists, each with ids for its path and a query that chooses it.
fn lists(setup: &Setup) -> Vec<(&'static str, Vec<&str>, String)> {
    let day = setup.now.date_naive();
    let partners = &setup.partners;
    vec![
        ("GET /v1/programs", vec![], String::new()),
        ("GET /v1/participants/{id}/ledger", vec![&setup.anna.id], String::new()),
        ("GET /v1/participants/{id}/enrollments", vec![&setup.anna.id], String::new()),
        ("GET /v1/parked-events", vec![], String::new()),
        ("GET /v1/rewards", vec![], format!("from={day}&to={day}&")),
        ("GET /v1/rewards", vec![], format!("participant={}&", setup.anna.id)),
        ("GET /v1/referrals", vec![], format!("from={day}&to={day}&")),
        ("GET /v1/referrals", vec![], format!("referrer={}&", setup.anna.id)),
        ("GET /v1/billing-runs", vec![], String::new()),
        ("GET /v1/billing-runs/{run}/invoices", vec![&partners.run], String::new()),
        ("GET /v1/participants/{id}/partner-invoices", vec![&partners.pia.id], String::new()),
        ("GET /v1/partner-invoices/{id}", vec![&partners.invoices[2]], String::new()),
        ("GET /v1/partner-invoices/{id}/lines", vec![&partners.invoices[2]], String::new()),
        ("GET /v1/payout-batches", vec![], String::new()),
        ("GET /v1/payout-batches/{batch}/lines", vec![&partners.batch], String::new()),
        ("GET /v1/payout-batches/{batch}/lines", vec![&partners.batch], "status=pending&".to_owned()),
        ("GET /v1/reports/referrals", vec![], format!("from={day}&to={day}&")),
        ("GET /v1/event-destinations/{id}/deliveries", vec![&setup.destination], String::new()),
        ("GET /v1/programs/{program}/participants", vec![&setup.program], String::new()),
        ("GET /v1/participants/{id}/notifications", vec![&setup.told.id], String::new()),
        ("GET /v1/tasks", vec![], String::new()),
        (
            "GET /v1/reports/referrals",
            vec![],
            format!("from={day}&to={day}&participant={}&", partners.pia.id),
        ),
    ]
}

pub async fn cases(setup: &Setup) -> Vec<Case> {
    let lists = lists(setup);
    let mut cursors = Vec::new();
    for (route, ids, query) in &lists {
        let first = Case::new(route, ids, "", "").query(&format!("{query}limit=1"));
        let page: Value = setup.tenant.get(&first.path).await.ok();
        let rows = page.get("data").unwrap_or(&page["items"]).as_array().unwrap();
        assert_eq!(rows.len(), 1, "{route}: {page}");
        cursors.push(page["next_cursor"].as_str().unwrap().to_owned());
    }
    let mut cases = Vec::new();
    for (number, (route, ids, query)) in lists.iter().enumerate() {
        let mut add = |what: &str, cursor: &str| {
            let case = Case::new(route, ids, &setup.tenant.key, format!("{what} ({query})"));
            cases.push(case.query(&format!("{query}limit=1&cursor={cursor}")).names("?cursor"));
        };
        for (other, cursor) in cursors.iter().enumerate().filter(|(other, _)| *other != number) {
            add(&format!("the cursor of list {other}"), cursor);
        }
        for (what, cursor) in tampered(&cursors[number]) {
            add(what, &cursor);
        }
    }
    cases
}

/// The cursor with its position changed.
fn tampered(cursor: &str) -> Vec<(&'static str, String)> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    };
    vec![
        ("a longer cursor", with(&|bytes| bytes.push(b'~'))),
        ("a shorter cursor", with(&|bytes| bytes.truncate(bytes.len() - 1))),
        ("a cursor without a position", with(&|bytes| bytes.truncate(8))),
        ("a cursor to another place", with(&|bytes| bytes[8] ^= 1)),
        ("a cursor to the end", with(&|bytes| bytes.splice(8.., *b"\xf4\x8f\xbf\xbf").for_each(drop))),
        ("a cursor out of the list", with(&|bytes| bytes.splice(8.., *b"ZZZ").for_each(drop))),
    ]
}
