use chrono::TimeZone as _;
use proptest::prelude::*;

use super::*;
use crate::money::split;

fn hours(hours: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_767_225_600 + hours * 3600, 0).unwrap()
}

fn touch(name: &str, at: DateTime<Utc>) -> Touch {
    Touch {
        participant: ParticipantId::derive(&[name]),
        external_id: ExternalId::parse(name).unwrap(),
        program: ProgramId::derive(&["p"]),
        code: ReferralCode::parse("ANN-2345").unwrap(),
        at,
    }
}

fn policy(model: AttributionModel) -> Attribution {
    Attribution { model, ..Attribution::default() }
}

/// What each of the named gets of a reward of 1000.
fn parts(touches: &[(&str, i64)], policy: &Attribution) -> Vec<(String, i64)> {
    let visits: Vec<Touch> = touches.iter().map(|(name, at)| touch(name, hours(*at))).collect();
    let shares = shares(&visits, policy);
    let weights: Vec<u64> = shares.iter().map(|share| share.weight).collect();
    let name = |share: &Share| {
        let found = visits.iter().find(|visit| visit.participant == share.participant);
        found.unwrap().external_id.to_string()
    };
    shares.iter().map(name).zip(split(1000, &weights).unwrap()).collect()
}

fn named(parts: &[(&str, i64)]) -> Vec<(String, i64)> {
    parts.iter().map(|(name, part)| ((*name).to_owned(), *part)).collect()
}

#[test]
fn each_model_shares_as_it_says() {
    use AttributionModel::{FirstTouch, LastTouch, Linear, PositionBased, TimeDecay};
    const FOUR: &[(&str, i64)] = &[("a", 0), ("b", 24), ("c", 48), ("d", 72)];
    const WEEK: &[(&str, i64)] = &[("a", 0), ("b", 168)];
    type Case = (AttributionModel, &'static [(&'static str, i64)], &'static [(&'static str, i64)]);
    let cases: &[Case] = &[
        (FirstTouch, FOUR, &[("a", 1000)]),
        (LastTouch, FOUR, &[("d", 1000)]),
        (Linear, FOUR, &[("a", 250), ("b", 250), ("c", 250), ("d", 250)]),
        (PositionBased, FOUR, &[("a", 400), ("d", 400), ("b", 100), ("c", 100)]),
        (PositionBased, &[("a", 0), ("b", 1)], &[("a", 500), ("b", 500)]),
        (PositionBased, &[("a", 0), ("b", 1), ("c", 2)], &[("a", 400), ("c", 400), ("b", 200)]),
        // One half-life of seven days apart: a third and two thirds.
        (TimeDecay, WEEK, &[("b", 667), ("a", 333)]),
        (TimeDecay, &[("a", 0), ("b", 0)], &[("a", 500), ("b", 500)]),
        (TimeDecay, &[("a", 0), ("b", 84)], &[("b", 586), ("a", 414)]),
    ];
    for model in [FirstTouch, LastTouch, Linear, PositionBased, TimeDecay] {
        assert_eq!(parts(&[("a", 0)], &policy(model)), named(&[("a", 1000)]), "{model:?}");
        assert_eq!(parts(&[], &policy(model)), []);
    }
    for (model, touches, expected) in cases {
        assert_eq!(parts(touches, &policy(*model)), named(expected), "{model:?} {touches:?}");
    }
}

#[test]
fn a_shorter_half_life_favours_the_later_touch() {
    let day = Attribution { half_life_days: 1, ..policy(AttributionModel::TimeDecay) };
    assert_eq!(parts(&[("a", 0), ("b", 48)], &day), named(&[("b", 800), ("a", 200)]));
}

#[test]
fn touches_of_one_participant_add_up_and_the_earlier_of_equals_comes_first() {
    let linear = policy(AttributionModel::Linear);
    assert_eq!(parts(&[("a", 0), ("b", 1), ("b", 2)], &linear), named(&[("b", 667), ("a", 333)]));
    assert_eq!(parts(&[("b", 0), ("a", 1), ("c", 2)], &linear), named(&[("b", 334), ("a", 333), ("c", 333)]));
}

#[test]
fn the_largest_shares_are_kept() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let touches: Vec<_> = names.iter().zip(0..).map(|(name, at)| (*name, at)).collect();
    let linear = parts(&touches, &policy(AttributionModel::Linear));
    assert_eq!(linear, named(&[("a", 200), ("b", 200), ("c", 200), ("d", 200), ("e", 200)]));
    assert_eq!(linear.len(), SHARES_MAX);
}

#[test]
fn a_touch_counts_within_the_window_up_to_the_sign_up() {
    let policy = Attribution { window_days: 2, ..Attribution::default() };
    let second = Duration::seconds(1);
    let visits = [
        touch("early", hours(0) - second),
        touch("opens", hours(0)),
        touch("at", hours(48)),
        touch("late", hours(48) + second),
    ];
    let counted = in_window(&visits, &policy, hours(48));
    assert_eq!(counted, [visits[1].clone(), visits[2].clone()]);
}

#[test]
fn touches_of_one_moment_have_one_order() {
    let (a, b, c) = (touch("a", hours(1)), touch("b", hours(1)), touch("c", hours(0)));
    let policy = Attribution::default();
    let one = in_window(&[a.clone(), b.clone(), c.clone()], &policy, hours(2));
    let two = in_window(&[c.clone(), b, a], &policy, hours(2));
    assert_eq!(one, two);
    assert_eq!(one.first(), Some(&c));
}

#[test]
fn the_latest_touches_are_looked_at() {
    let visits: Vec<Touch> = (0..60).map(|hour| touch("a", hours(hour))).collect();
    let counted = in_window(&visits, &Attribution::default(), hours(60));
    assert_eq!((counted.len(), counted[0].at), (TOUCHES_MAX, hours(10)));
}

proptest! {
    #[test]
    fn shares_are_positive_distinct_and_sum_to_exactly_the_whole(
        touches in prop::collection::vec((0..8_u8, 0..2000_i64), 1..20),
        model in prop_oneof![
            Just(AttributionModel::FirstTouch),
            Just(AttributionModel::LastTouch),
            Just(AttributionModel::Linear),
            Just(AttributionModel::TimeDecay),
            Just(AttributionModel::PositionBased),
        ],
        whole in 0..1_000_000_i64,
    ) {
        let visits: Vec<Touch> = touches.iter().map(|(name, at)| touch(&format!("p{name}"), hours(*at))).collect();
        let policy = Attribution { window_days: 365, ..policy(model) };
        let counted = in_window(&visits, &policy, hours(2000));
        let shares = shares(&counted, &policy);
        prop_assert!((1..=SHARES_MAX).contains(&shares.len()));
        prop_assert!(shares.windows(2).all(|pair| pair[0].weight >= pair[1].weight));
        prop_assert!(shares.iter().all(|share| share.weight > 0));
        let weights: Vec<u64> = shares.iter().map(|share| share.weight).collect();
        prop_assert_eq!(split(whole, &weights).unwrap().iter().sum::<i64>(), whole);
    }
}
