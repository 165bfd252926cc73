//! What an `Authorization` header may hold; `<key>` and `<token>` stand for a key and a participant's token.

use crate::api::{API, Call};

pub(super) fn check(bytes: &[u8]) {
    let Ok(header) = str::from_utf8(bytes).map(|text| API.fill(text)) else { return };
    if http::HeaderValue::from_str(&header).is_err() {
        return;
    }
    let call = Call {
        method: "GET".to_owned(),
        path: API.fill("/v1/participants/<participant>/partner-invoices"),
        query: String::new(),
        headers: vec![("authorization".to_owned(), header.clone())],
        body: Vec::new(),
    };
    let answer = API.call(&call).unwrap();
    // Only the secrets themselves open anything, and each of them does.
    let said = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let known = said.is_some_and(|(_, token)| API.tokens.iter().any(|known| known == token.trim()));
    assert_eq!(answer.status, if known { 200 } else { 401 }, "{header:?}: {answer:?}");
}
