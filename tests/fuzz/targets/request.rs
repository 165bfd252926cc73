//! Calls of the API: `POST /v1/track/signup`, headers, an empty line, and the body; ids stand as words (`<program>`).

use serde_json::Value;

use crate::api::{API, SECRETS};

pub(super) fn check(bytes: &[u8]) {
    let Some(call) = API.read(bytes) else { return };
    let Some(answer) = API.call(&call) else { return };
    assert!((200..500).contains(&answer.status), "{call:?}: {answer:?}");
    assert!(answer.headers.contains_key("request-id"));
    if !answer.body.is_empty() {
        let body: Value = serde_json::from_str(&answer.body).expect("every body is JSON");
        if answer.status >= 400 {
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{answer:?}");
            assert_eq!(body["status"], answer.status);
            assert!(body["code"].as_str().is_some_and(|code| !code.is_empty()), "{answer:?}");
        }
    }
    let told = format!("{answer:?}");
    assert!(SECRETS.iter().all(|secret| !told.contains(secret)), "{call:?}: {answer:?}");
    // Nothing opens without a key, but for the description and the webhooks, which have their own proof.
    let bearer = call.headers.iter().any(|(name, _)| name == "authorization");
    let open = call.path == "/openapi.json" || call.path.starts_with("/v1/webhooks/");
    assert!(bearer || open || answer.status == 401 || answer.status == 404, "{call:?}: {answer:?}");
}
