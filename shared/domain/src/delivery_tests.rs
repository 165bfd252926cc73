use super::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn delivery(name: &str) -> DeliveryId {
    DeliveryId::derive(&[name])
}

fn answered(status: u16) -> Attempt {
    Attempt { at: now(), duration_ms: 7, status: Some(status), error: None, detail: None, answer: None }
}

fn unanswered(error: AttemptError) -> Attempt {
    Attempt { status: None, error: Some(error), ..answered(0) }
}

/// Seconds until the next attempt.
fn wait(attempt: &Attempt, tries: u32, retry_after: Option<i64>) -> i64 {
    match next(&delivery("one"), tries, attempt, retry_after, now()) {
        Next::At(at) => (at - now()).num_seconds(),
        other @ (Next::Delivered | Next::Failed(_)) => panic!("{other:?}"),
    }
}

#[test]
fn only_2xx_is_a_success() {
    for status in [200, 201, 202, 204, 299] {
        assert_eq!(next(&delivery("one"), 1, &answered(status), None, now()), Next::Delivered, "{status}");
    }
    for status in [100, 199, 300, 301, 302, 304, 307, 308, 400, 401, 404, 429, 500, 503, 599] {
        assert_eq!(wait(&answered(status), 1, None), 5, "{status}");
    }
    for error in [AttemptError::AddressNotAllowed, AttemptError::Unreachable, AttemptError::Timeout] {
        assert_eq!(wait(&unanswered(error), 1, None), 5, "{error:?}");
    }
}

#[test]
fn ten_attempts_fill_a_little_over_three_days_and_then_it_is_given_up() {
    let mut total = Duration::zero();
    for (tries, seconds) in (1..).zip(DELAYS_SECONDS) {
        let delay = delay(&delivery("one"), tries).unwrap();
        let jitter = delay - Duration::seconds(seconds);
        assert!(jitter >= Duration::zero() && jitter <= Duration::milliseconds(seconds * 100), "{tries}");
        total += delay;
    }
    assert!((75..84).contains(&total.num_hours()), "{total}");
    let last = next(&delivery("one"), 10, &answered(500), None, now());
    assert_eq!(last, Next::Failed(Failure::AttemptsExhausted));
}

#[test]
fn the_jitter_is_the_deliverys_own() {
    let delays = |name: &str| (1..=9).map(|tries| delay(&delivery(name), tries)).collect::<Vec<_>>();
    assert_eq!(delays("one"), delays("one"));
    assert_ne!(delays("one"), delays("two"));
}

#[test]
fn a_busy_receiver_says_when_to_come_again_within_a_day() {
    for status in [429, 502, 503, 504] {
        assert_eq!(wait(&answered(status), 1, Some(60)), 60, "{status}");
        // Not earlier than by the schedule, and not later than in a day.
        assert_eq!(wait(&answered(status), 1, Some(1)), 5, "{status}");
        assert_eq!(wait(&answered(status), 1, Some(-60)), 5, "{status}");
        assert_eq!(wait(&answered(status), 1, Some(i64::MAX)), 86_400, "{status}");
    }
    for status in [301, 400, 500] {
        assert_eq!(wait(&answered(status), 1, Some(60)), 5, "{status}");
    }
}

#[test]
fn a_receiver_that_is_gone_is_not_asked_again() {
    let gone = next(&delivery("one"), 1, &answered(410), Some(60), now());
    assert_eq!(gone, Next::Failed(Failure::DestinationGone));
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    assert_eq!(retry_after(" 120 ", now()), Some(120));
    let date = (now() + Duration::seconds(90)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    assert_eq!(retry_after(&date, now()), Some(90));
    assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now()), Some(0));
    for text in ["", "soon", "-1", "1.5", "99999999999"] {
        assert_eq!(retry_after(text, now()), None, "{text}");
    }
}

#[test]
fn of_an_answer_the_first_kilobyte_is_kept_and_of_attempts_twenty() {
    assert_eq!(excerpt(b""), None);
    assert_eq!(excerpt(b"thanks").as_deref(), Some("thanks"));
    assert_eq!(excerpt(&[b'x'; 5_000]).unwrap().len(), ANSWER_BYTES_MAX);
    let broken = excerpt(&[0xff; 5_000]).unwrap();
    assert!((ANSWER_BYTES_MAX - 3..=ANSWER_BYTES_MAX).contains(&broken.len()), "{}", broken.len());
    let mut attempts = Vec::new();
    for status in 0..30 {
        keep(&mut attempts, answered(status));
    }
    let kept: Vec<_> = attempts.iter().filter_map(|attempt| attempt.status).collect();
    assert_eq!(kept, (10..30).collect::<Vec<_>>());
}

#[test]
fn five_days_without_a_success_are_long_enough() {
    let before = |days, seconds| now() - Duration::days(days) + Duration::seconds(seconds);
    assert!(has_failed_long_enough(before(5, 0), now()));
    assert!(!has_failed_long_enough(before(5, 1), now()));
}
