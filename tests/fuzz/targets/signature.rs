//! What a webhook proves its sender by: the header on the first line, and the body. In the header `<t>` stands for now, and
//! `<stripe>`, `<paddle>` and `<chargebee>` for the digest or the credentials of the body's sender.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, Utc};
use domain::webhook::Unverified;
use domain::webhook::processor::WebhookProcessor;
use domain::webhook::timed::{Scheme, TOLERANCE_SECONDS};
use domain::{chargebee, paddle, stripe};

use super::lines;

const SECRET: &str = "whsec_of_the_fuzz_targets";
const CREDENTIALS: &str = "chargebee:of_the_fuzz_targets";

pub(super) fn check(bytes: &[u8]) {
    let Some([header, body]) = lines(bytes) else { return };
    let now = DateTime::from_timestamp(1_767_348_000, 0).unwrap();
    let header = header.replace("<t>", &now.timestamp().to_string());
    let header = header.replace("<stripe>", &digest(stripe::signature::SCHEME, body, now));
    let header = header.replace("<paddle>", &digest(paddle::SCHEME, body, now));
    let header = header.replace("<chargebee>", &STANDARD.encode(CREDENTIALS));
    timed(WebhookProcessor::Stripe, stripe::signature::SCHEME, &header, body, now);
    timed(WebhookProcessor::Paddle, paddle::SCHEME, &header, body, now);
    credentials(&header, now);
}

/// The digest that whoever holds the secret writes.
fn digest(scheme: Scheme, body: &str, now: DateTime<Utc>) -> String {
    let header = scheme.sign(body.as_bytes(), SECRET, now);
    header.rsplit_once('=').unwrap().1.to_owned()
}

fn timed(processor: WebhookProcessor, scheme: Scheme, header: &str, body: &str, now: DateTime<Utc>) {
    let verify = |header: &str, body: &str, secrets: &[&str], now| {
        processor.verify(header, body.as_bytes(), secrets, now)
    };
    let signed = scheme.sign(body.as_bytes(), SECRET, now);
    assert_eq!(verify(&signed, body, &["", SECRET], now), Ok(()));
    assert!(verify(header, body, &[], now).is_err());
    if verify(header, body, &["another secret", SECRET], now).is_err() {
        return;
    }
    // Accepted: then the time is now's, it has the digest of just this body, and nothing else would do.
    let parts: Vec<_> = header.split(scheme.separator).filter_map(|part| part.split_once('=')).collect();
    let times: Vec<_> = parts.iter().filter(|(name, _)| *name == scheme.time).collect();
    assert_eq!(times, [&(scheme.time, now.timestamp().to_string().as_str())]);
    let digest = digest(scheme, body, now);
    assert!(
        parts.iter().any(|(name, value)| *name == scheme.signature && value.eq_ignore_ascii_case(&digest))
    );
    let refused = Err(Unverified::Mismatch);
    assert_eq!(verify(header, &format!("{body} "), &[SECRET], now), refused);
    assert_eq!(verify(header, body, &["another secret", ""], now), refused);
    for seconds in [-1, 1] {
        let at = |seconds: i64| now + Duration::seconds(seconds);
        assert_eq!(verify(header, body, &[SECRET], at(seconds * TOLERANCE_SECONDS)), Ok(()));
        let beyond = at(seconds * (TOLERANCE_SECONDS + 1));
        assert_eq!(verify(header, body, &[SECRET], beyond), Err(Unverified::Stale));
    }
}

fn credentials(header: &str, now: DateTime<Utc>) {
    let verify =
        |header: &str, secrets: &[&str]| WebhookProcessor::Chargebee.verify(header, b"", secrets, now);
    assert_eq!(verify(&chargebee::credentials(CREDENTIALS), &["", CREDENTIALS]), Ok(()));
    assert!(verify(header, &["", "a:b"]).is_err() || header.contains(&STANDARD.encode("a:b")));
    if verify(header, &[CREDENTIALS]).is_ok() {
        let (scheme, text) = header.split_once(' ').unwrap();
        assert_eq!(scheme.to_ascii_lowercase(), "basic");
        assert_eq!(text.trim(), STANDARD.encode(CREDENTIALS), "one secret has one form");
    }
}
