use http::header::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
    let headers =
        headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
    let status = StatusCode::from_u16(status).unwrap();
    Answer { status, headers: headers.collect::<HeaderMap>(), body: body.as_bytes().to_vec() }
}

fn undone(answer: &Answer) -> Undone {
    Undone::from(read(answer).unwrap_err())
}

fn error(kind: &str, code: &str) -> String {
    serde_json::json!({"error": {"type": kind, "code": code, "param": "customer",
        "message": "No such customer: 'cus_of_somebody'; you used sk_test_****1234"}})
    .to_string()
}

#[test]
fn an_object_is_what_was_asked_for_and_nothing_else_is() {
    assert!(read(&answer(200, &[], r#"{"id": "cbtxn_1"}"#)).is_ok());
    for body in ["", "[]", "null", "<html>", r#"{"id": "#] {
        let told = undone(&answer(200, &[], body));
        assert!(matches!(told, Undone::Later { renew: false, .. }), "{body} {told:?}");
    }
}

#[test]
fn what_passes_is_tried_again_and_a_key_that_holds_an_error_is_renewed() {
    let body = error("api_error", "");
    for status in [408, 409, 424, 429, 500, 502, 503, 504] {
        for text in [body.as_str(), "<html>"] {
            let told = undone(&answer(status, &[], text));
            assert!(matches!(told, Undone::Later { renew: false, .. }), "{status} {told:?}");
            let told = undone(&answer(status, &[("idempotent-replayed", "true")], text));
            assert!(matches!(told, Undone::Later { renew: true, .. }), "{status} {told:?}");
        }
    }
}

#[test]
fn a_wait_that_is_asked_for_is_kept_within_bounds() {
    for (told, expected) in
        [("7", Some(7)), (" 7 ", Some(7)), ("999999", Some(3_600)), ("-1", None), ("soon", None), ("", None)]
    {
        let told = undone(&answer(429, &[("retry-after", told)], ""));
        assert!(matches!(told, Undone::Later { after_seconds, .. } if after_seconds == expected), "{told:?}");
    }
}

#[test]
fn what_does_not_pass_is_told_by_a_stable_code() {
    for (status, kind, expected) in [
        (401, "invalid_request_error", "processor_refused_key"),
        (403, "invalid_request_error", "processor_refused_key"),
        (400, "idempotency_error", "idempotency_conflict"),
        (400, "invalid_request_error", "processor_refused"),
        (402, "card_error", "processor_refused"),
        (404, "invalid_request_error", "processor_refused"),
    ] {
        let told = undone(&answer(status, &[], &error(kind, "resource_missing")));
        assert!(matches!(told, Undone::Never { code, .. } if code == expected), "{status} {told:?}");
    }
    // What is not Stripe's says nothing about the step.
    let told = undone(&answer(404, &[], "<html>no such page</html>"));
    assert!(matches!(told, Undone::Later { renew: false, .. }), "{told:?}");
}

#[test]
fn a_detail_names_neither_people_nor_keys() {
    let told = undone(&answer(404, &[], &error("invalid_request_error", "resource_missing")));
    let Undone::Never { detail, .. } = told else { panic!("{told:?}") };
    assert_eq!(detail, "Stripe answered 404 invalid_request_error resource_missing customer");
    let odd = error("sk_test_****1234", "a b");
    let told = undone(&answer(400, &[], &odd));
    assert!(matches!(told, Undone::Never { detail, .. } if detail == "Stripe answered 400 customer"));
}

proptest! {
    #[test]
    fn no_answer_breaks_the_reader_and_only_an_object_is_what_was_asked_for(
        status in 200_u16..600,
        body in prop_oneof![
            any::<Vec<u8>>(),
            (".*", ".*").prop_map(|(kind, code)| error(&kind, &code).into_bytes()),
            ".*".prop_map(|text| serde_json::json!({"error": text, "id": text}).to_string().into_bytes()),
        ],
    ) {
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body };
        match read(&answer) {
            Ok(body) => prop_assert!((200..300).contains(&status) && body.is_object()),
            Err(failure) => match Undone::from(failure) {
                Undone::Later { renew, .. } => prop_assert!(!renew),
                Undone::Never { detail, .. } => prop_assert!((300..500).contains(&status) && detail.len() < 220),
            },
        }
    }
}
