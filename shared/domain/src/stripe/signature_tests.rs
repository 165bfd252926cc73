use chrono::{TimeDelta, TimeZone as _};
use proptest::prelude::*;

use super::*;
use crate::webhook::Unverified;
use crate::webhook::timed::{HEADER_BYTES_MAX, TOLERANCE_SECONDS};

const ONE: &str = "whsec_sample_one";
const TWO: &str = "whsec_sample_two";
const SIGNED_AT: i64 = 1_767_348_001;
const BODY: &[u8] = br#"{"id":"evt_1"}"#;

// Computed with Python: hmac.new(secret, b"1767348001." + body, hashlib.sha256).hexdigest()
const BY_ONE: &str = "95d8b7cb52ed9b2a6369133d27713a1101d68470083c6412464be0ba7c6b2254";
const BY_TWO: &str = "da523406e777b64ca3192852fe9866b2a7ac03b6dae011cd6f49bc76503f3a90";
const BY_ONE_EMPTY_BODY: &str = "8ed80c4ff2e142e967a301d32862edba1a89673b36f7dac52c0c6b12daab03ed";
const BY_ONE_BODY_NOT_TEXT: &str = "9dc7681c49acb559c946ef7d48b058991139999792f73c57e97db11dee05727f";
const BY_100_BYTE_SECRET: &str = "a0ef1e4f44c0fc80db14a8c77c764ef1c4089a95dbd1eaaec1c8c8387172878f";
const BY_EMPTY_SECRET: &str = "185320b80b6f5a9cfa0c78b6ec2c5a1278239f4ed6732e60d37f5c88d81cfc58";

fn at(seconds_later: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(SIGNED_AT, 0).unwrap() + TimeDelta::seconds(seconds_later)
}

fn header(signature: &str) -> String {
    format!("t={SIGNED_AT},v1={signature}")
}

#[test]
fn a_signature_computed_elsewhere_verifies() {
    let long = format!("whsec_{}", "x".repeat(94));
    let cases: [(&str, &str, &[u8]); 5] = [
        (ONE, BY_ONE, BODY),
        (TWO, BY_TWO, BODY),
        (ONE, BY_ONE_EMPTY_BODY, b""),
        (ONE, BY_ONE_BODY_NOT_TEXT, &[0xff, 0x00, 0x2e, 0x0a]),
        (&long, BY_100_BYTE_SECRET, BODY),
    ];
    for (secret, signature, body) in cases {
        assert_eq!(sign(body, secret, at(0)), header(signature));
        assert_eq!(SCHEME.verify(&header(signature), body, &[secret], at(0)), Ok(()));
    }
}

#[test]
fn any_signature_may_match_any_secret() {
    let both = format!("t={SIGNED_AT},v1={BY_ONE},v1={BY_TWO}");
    assert_eq!(SCHEME.verify(&both, BODY, &[TWO], at(0)), Ok(()));
    assert_eq!(SCHEME.verify(&both, BODY, &["whsec_old", ONE], at(0)), Ok(()));
    assert_eq!(SCHEME.verify(&header(BY_TWO), BODY, &[ONE, TWO], at(0)), Ok(()));
}

#[test]
fn other_schemes_and_unreadable_signatures_are_passed_over() {
    let accepted = [
        format!("v0=00,t={SIGNED_AT},v1={BY_ONE},v2=zz"),
        format!("t={SIGNED_AT},v1=not-hex,v1=,v1={BY_ONE}"),
        format!("t={SIGNED_AT},v1={}", BY_ONE.to_uppercase()),
    ];
    for text in accepted {
        assert_eq!(SCHEME.verify(&text, BODY, &[ONE], at(0)), Ok(()), "{text}");
    }
}

#[test]
fn a_header_of_another_form_is_malformed() {
    let malformed = [
        String::new(),
        "hello".to_owned(),
        format!("v1={BY_ONE}"),
        format!("t=,v1={BY_ONE}"),
        format!("t=soon,v1={BY_ONE}"),
        format!("t=-{SIGNED_AT},v1={BY_ONE}"),
        format!("t=+{SIGNED_AT},v1={BY_ONE}"),
        format!("t={SIGNED_AT}.5,v1={BY_ONE}"),
        format!("t=1{SIGNED_AT}000,v1={BY_ONE}"),
        format!("t={SIGNED_AT},t={SIGNED_AT},v1={BY_ONE}"),
        format!("t={SIGNED_AT},v1={BY_ONE},"),
        format!("t={SIGNED_AT},v1={BY_ONE}="),
        format!("t={SIGNED_AT};v1={BY_ONE}"),
        format!("t={SIGNED_AT},v1={BY_ONE},v0={}", "0".repeat(HEADER_BYTES_MAX)),
    ];
    for text in malformed {
        assert_eq!(SCHEME.verify(&text, BODY, &[ONE], at(0)), Err(Unverified::Malformed), "{text}");
    }
}

#[test]
fn a_header_without_a_signature_says_so() {
    for rest in ["", ",v0=00", ",v1=", ",v1=xyz", ",V1=00"] {
        let text = format!("t={SIGNED_AT}{rest}");
        let expected = if rest == ",v1=" { Unverified::Mismatch } else { Unverified::NoSignature };
        assert_eq!(SCHEME.verify(&text, BODY, &[ONE], at(0)), Err(expected), "{text}");
    }
}

#[test]
fn the_time_may_lie_300_seconds_before_or_after() {
    for later in [-TOLERANCE_SECONDS, 0, TOLERANCE_SECONDS] {
        assert_eq!(SCHEME.verify(&header(BY_ONE), BODY, &[ONE], at(later)), Ok(()), "{later}");
    }
    for later in [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1, 86_400 * 365] {
        assert_eq!(
            SCHEME.verify(&header(BY_ONE), BODY, &[ONE], at(later)),
            Err(Unverified::Stale),
            "{later}"
        );
    }
}

#[test]
fn what_was_not_signed_does_not_match() {
    let mismatched: [(&str, &[u8], &[&str]); 7] = [
        (BY_ONE, br#"{"id":"evt_2"}"#, &[ONE]),
        (BY_ONE, br#"{"id":"evt_1"} "#, &[ONE]),
        (BY_ONE, BODY, &[TWO]),
        (BY_ONE, BODY, &["sample_one"]),
        (BY_ONE, BODY, &[]),
        (BY_EMPTY_SECRET, BODY, &["", ONE]),
        (BY_ONE.get(..62).unwrap(), BODY, &[ONE]),
    ];
    for (signature, body, secrets) in mismatched {
        let result = SCHEME.verify(&header(signature), body, secrets, at(0));
        assert_eq!(result, Err(Unverified::Mismatch), "{signature} {secrets:?}");
    }
    let other_time = header(BY_ONE).replace("001", "002");
    assert_eq!(SCHEME.verify(&other_time, BODY, &[ONE], at(0)), Err(Unverified::Mismatch));
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_a_changed_byte_does_not(
        mut body in prop::collection::vec(any::<u8>(), 1..64), secret in "[ -~]{1,80}", place: prop::sample::Index
    ) {
        let text = sign(&body, &secret, at(0));
        prop_assert_eq!(SCHEME.verify(&text, &body, &[&secret], at(0)), Ok(()));
        let place = place.index(body.len());
        *body.get_mut(place).unwrap() ^= 1;
        prop_assert_eq!(SCHEME.verify(&text, &body, &[&secret], at(0)), Err(Unverified::Mismatch));
    }

    #[test]
    fn any_header_is_answered(text in "[tv01=,a-f ]{0,80}|.{0,80}") {
        prop_assert!(SCHEME.verify(&text, BODY, &[ONE], at(0)).is_err());
    }
}
