use chrono::Duration;
use proptest::prelude::*;

use super::*;

const SCHEME: Scheme = Scheme { separator: ';', time: "ts", signature: "h1", joint: ':' };
const BODY: &[u8] = br#"{"event_id":"evt_1"}"#;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_348_000, 0).unwrap()
}

#[test]
fn the_header_is_hmac_sha256_of_time_and_body() {
    // printf '1767348000:{"event_id":"evt_1"}' | openssl dgst -sha256 -hmac secret
    let signed = SCHEME.sign(BODY, "secret", now());
    let expected = "ts=1767348000;h1=41cc0641e0bdf71f2c72a63ffae4507db22d6a6306bfddd092e88bcd19064a02";
    assert_eq!(signed, expected);
    assert_eq!(SCHEME.verify(&signed, BODY, &["other", "secret"], now()), Ok(()));
}

#[test]
fn several_signatures_stand_there_while_a_secret_is_rotated() {
    let (old, new) = (SCHEME.sign(BODY, "old", now()), SCHEME.sign(BODY, "new", now()));
    let both = format!("{old};{}", new.split_once(';').unwrap().1);
    for secret in ["old", "new"] {
        assert_eq!(SCHEME.verify(&both, BODY, &[secret], now()), Ok(()));
    }
    assert_eq!(SCHEME.verify(&both, BODY, &["other"], now()), Err(Unverified::Mismatch));
    let further = format!("{new};h2=00;x=1");
    assert_eq!(
        SCHEME.verify(&further, BODY, &["new"], now()),
        Ok(()),
        "parts of later schemes are passed over"
    );
}

#[test]
fn a_header_of_2048_bytes_is_read_and_no_longer_one() {
    let signed = format!("{};x=", SCHEME.sign(BODY, "secret", now()));
    let longest = format!("{signed}{}", "1".repeat(2_048 - signed.len()));
    assert_eq!(SCHEME.verify(&longest, BODY, &["secret"], now()), Ok(()));
    assert_eq!(SCHEME.verify(&format!("{longest}1"), BODY, &["secret"], now()), Err(Unverified::Malformed));
}

#[test]
fn its_time_may_lie_five_minutes_from_now_and_no_second_more() {
    let signed = SCHEME.sign(BODY, "secret", now());
    for (seconds, expected) in
        [(300, Ok(())), (-300, Ok(())), (301, Err(Unverified::Stale)), (-301, Err(Unverified::Stale))]
    {
        assert_eq!(SCHEME.verify(&signed, BODY, &["secret"], now() + Duration::seconds(seconds)), expected);
    }
}

#[test]
fn what_is_not_of_the_form_is_not_believed() {
    let signed = SCHEME.sign(BODY, "secret", now());
    let (time, signature) = signed.split_once(';').unwrap();
    let malformed = [
        String::new(),
        "x".to_owned(),
        signature.to_owned(),
        format!("{time};{signed}"),
        format!("ts=now;{signature}"),
        format!("ts=;{signature}"),
        format!("ts=-1;{signature}"),
        format!("ts=1767348000000;{signature}"),
        format!("{signed};"),
        format!("{signed}="),
        format!("{signed}{}", ";h1=00".repeat(400)),
    ];
    for header in &malformed {
        assert_eq!(SCHEME.verify(header, BODY, &["secret"], now()), Err(Unverified::Malformed), "{header}");
    }
    assert_eq!(SCHEME.verify(time, BODY, &["secret"], now()), Err(Unverified::NoSignature));
    assert_eq!(
        SCHEME.verify(&format!("{time};h1=zz"), BODY, &["secret"], now()),
        Err(Unverified::NoSignature)
    );
    assert_eq!(SCHEME.verify(&SCHEME.sign(BODY, "", now()), BODY, &[""], now()), Err(Unverified::Mismatch));
    assert_eq!(SCHEME.verify(&signed, b"{}", &["secret"], now()), Err(Unverified::Mismatch));
}

proptest! {
    #[test]
    fn arbitrary_headers_are_answered(header in ".{0,120}", parts in "(ts|h1|x)?=?[0-9a-f;=]{0,80}") {
        for header in [header, parts] {
            prop_assert!(SCHEME.verify(&header, BODY, &["secret"], now()).is_err());
        }
    }
}
