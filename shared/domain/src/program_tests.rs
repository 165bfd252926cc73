use chrono::TimeZone as _;

use super::*;
use crate::terms::{Basis, Recipient, RuleAmount, Trigger};

fn at(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_767_225_600 + seconds, 0).unwrap()
}

fn program() -> Program {
    created(Settings::default())
}

fn created(settings: Settings) -> Program {
    let (id, name) = (ProgramId::derive(&["p"]), "Refer a friend".into());
    Program::create(id, name, ProgramStatus::Active, settings, &draft(TEN_PERCENT), at(0))
}

fn draft(json: &str) -> TermsDraft {
    serde_json::from_str(json).unwrap()
}

const TEN_PERCENT: &str = r#"{"rules":[{"id":"commission","amount":{"percentage":{"percent":"10"}}}]}"#;

#[test]
fn terms_have_the_defaults_of_the_mission() {
    let terms = draft(TEN_PERCENT);
    assert_eq!(terms.grace_hours, 24);
    assert_eq!(terms.rules[0].trigger, Trigger::InvoicePaid);
    assert_eq!(terms.rules[0].recipient, Recipient::Referrer);
    assert!(matches!(&terms.rules[0].amount, Some(RuleAmount::Percentage(p)) if p.basis == Basis::PaidTotal));
    assert!(terms.flaws().is_empty());
}

#[test]
fn unknown_words_in_terms_are_refused() {
    for json in [
        r#"{"rules":[],"x":1}"#,
        r#"{"rules":[{"id":"a","amount":{"percentage":{"percent":"10","of":"x"}}}]}"#,
        r#"{"rules":[{"id":"a","amount":{"share":{"percent":"10"}}}]}"#,
        r#"{"rules":[{"id":"a","amount":{"percentage":{"percent":10}}}]}"#,
        r#"{"rules":[{"id":"a","trigger":"sunrise","amount":{"percentage":{"percent":"10"}}}]}"#,
        r#"{"rules":[{"id":"a","amount":{"fixed":{"amount":1.5,"currency":"USD"}}}]}"#,
        r#"{"rules":[{"id":"a","amount":{"fixed":{"amount":1,"currency":"ZZZ"}}}]}"#,
        r#"{"rules":[{"id":"A B","amount":{"fixed":{"amount":1,"currency":"USD"}}}]}"#,
    ] {
        assert!(serde_json::from_str::<TermsDraft>(json).is_err(), "{json}");
    }
}

#[test]
fn every_flaw_of_the_terms_is_named() {
    let terms = draft(
        r#"{"grace_hours":721,"rules":[{"id":"a","amount":{"fixed":{"amount":0,"currency":"USD"}}},
            {"id":"a","amount":{"percentage":{"percent":"10"}}}]}"#,
    );
    let pointers: Vec<_> = terms.flaws().into_iter().map(|flaw| flaw.pointer).collect();
    assert_eq!(pointers, ["/grace_hours", "/rules/0/amount/fixed/amount", "/rules/1/id"]);
    assert_eq!(draft(r#"{"rules":[]}"#).flaws()[0].pointer, "/rules");
}

#[test]
fn a_change_takes_effect_after_the_delay() {
    let mut program = program();
    program.change_status(ProgramStatus::Paused, at(100)).unwrap();
    assert_eq!(program.status_at(at(159)), ProgramStatus::Active);
    assert_eq!(program.status_at(at(160)), ProgramStatus::Paused);
    assert_eq!(program.status_at(at(-1)), ProgramStatus::Draft);
    let terms = program.change_terms(draft(TEN_PERCENT), None, at(200)).unwrap();
    assert_eq!((terms.version, terms.effective_from), (2, at(260)));
    assert_eq!(program.version_at(at(259)), Some(1));
    assert_eq!(program.version_at(at(260)), Some(2));
    assert_eq!(program.version_at(at(-1)), None);
}

#[test]
fn an_ended_program_stays_ended() {
    let mut program = program();
    program.change_status(ProgramStatus::Ended, at(0)).unwrap();
    assert!(program.change_status(ProgramStatus::Active, at(10)).is_err());
    assert!(program.change_terms(draft(TEN_PERCENT), None, at(10)).is_err());
    assert_eq!(program.change_status(ProgramStatus::Ended, at(10)), Ok(()));
    assert_eq!(program.statuses.len(), 2);
}

#[test]
fn changes_never_take_effect_out_of_order_and_are_bounded() {
    let mut program = program();
    for n in 0.. {
        let to = if n % 2 == 0 { ProgramStatus::Paused } else { ProgramStatus::Active };
        if let Err(error) = program.change_status(to, at(-n)) {
            assert_eq!(error, ChangeError::TooMany);
            break;
        }
    }
    assert_eq!(program.statuses.len(), CHANGES_MAX);
    assert!(program.statuses.windows(2).all(|pair| pair[0].effective_from < pair[1].effective_from));
}

fn days(days: i64) -> DateTime<Utc> {
    at(days * 86_400)
}

fn label(name: &str) -> Label {
    Label::parse(name).unwrap()
}

fn with_policy(terms_policy: TermsPolicy) -> Program {
    created(Settings { terms_policy, ..Settings::default() })
}

/// The version for a referral of `bound_at` and an event of `at`, both in days.
fn version(program: &Program, assignments: &[Assignment], bound_at: i64, at: i64) -> Option<u32> {
    program.terms_for(assignments, days(bound_at), days(at)).map(|found| found.version)
}

#[test]
fn a_referral_follows_new_terms_or_keeps_its_own_by_policy() {
    for (policy, of_old) in [(TermsPolicy::Follow, Some(2)), (TermsPolicy::Keep, Some(1))] {
        let mut program = with_policy(policy);
        assert_eq!(program.change_terms(draft(TEN_PERCENT), None, days(10)).unwrap().version, 2);
        for (bound_at, event, expected) in
            [(1, 5, Some(1)), (1, 20, of_old), (15, 20, Some(2)), (-1, 5, Some(1)), (1, -1, None)]
        {
            assert_eq!(version(&program, &[], bound_at, event), expected, "{policy:?} {bound_at} {event}");
        }
    }
}

#[test]
fn a_group_has_its_own_terms_and_falls_back_on_everybodys() {
    let mut program = program();
    let vip = Assignment { effective_from: days(0), group: Some(label("vip")), ..Assignment::default() };
    assert_eq!(program.change_terms(draft(TEN_PERCENT), Some(label("vip")), days(10)).unwrap().version, 2);
    assert_eq!(program.change_terms(draft(TEN_PERCENT), None, days(20)).unwrap().version, 3);
    assert_eq!(program.change_terms(draft(TEN_PERCENT), Some(label("vip")), days(30)).unwrap().version, 4);
    let members = std::slice::from_ref(&vip);
    for (event, of_member, of_others) in [(5, 1, 1), (15, 2, 1), (25, 2, 3), (35, 4, 3)] {
        assert_eq!(version(&program, members, 1, event), Some(of_member), "{event}");
        assert_eq!(version(&program, &[], 1, event), Some(of_others), "{event}");
        let stranger = Assignment { group: Some(label("other")), ..vip.clone() };
        assert_eq!(version(&program, &[stranger], 1, event), Some(of_others), "{event}");
    }
    assert_eq!(program.groups(), [(label("vip"), 4)]);
    assert_eq!(program.latest_version(), 3);
    assert_eq!(program.version_at(days(40)), Some(3));
    assert!(program.assigns_from.is_some());
}

#[test]
fn a_group_that_keeps_its_terms_keeps_those_of_the_referrals_time() {
    let mut program = with_policy(TermsPolicy::Keep);
    program.change_terms(draft(TEN_PERCENT), Some(label("vip")), days(10)).unwrap();
    program.change_terms(draft(TEN_PERCENT), Some(label("vip")), days(20)).unwrap();
    let vip = [Assignment { effective_from: days(0), group: Some(label("vip")), ..Assignment::default() }];
    for (bound_at, expected) in [(5, 1), (15, 2), (25, 3)] {
        assert_eq!(version(&program, &vip, bound_at, 30), Some(expected), "{bound_at}");
    }
}

#[test]
fn own_terms_beat_the_groups_and_can_be_taken_off_again() {
    for (policy, of_old) in [(TermsPolicy::Follow, [1, 2, 1]), (TermsPolicy::Keep, [1, 1, 1])] {
        let mut program = with_policy(policy);
        let mut history = Vec::new();
        let own = program.change_own_terms(draft(TEN_PERCENT), days(10)).unwrap();
        let mine =
            Assignment { own_version: Some(own.version), group: Some(label("vip")), ..Assignment::default() };
        program.assign(&mut history, mine, days(10)).unwrap();
        program.assign(&mut history, Assignment::default(), days(20)).unwrap();
        let found = [5, 15, 25].map(|event| version(&program, &history, 1, event).unwrap());
        assert_eq!(found, of_old, "{policy:?}");
        assert_eq!(version(&program, &history, 12, 15), Some(2));
        let later = if policy == TermsPolicy::Keep { 2 } else { 1 };
        assert_eq!(version(&program, &history, 12, 25), Some(later), "{policy:?}");
        assert_eq!(program.versions.len(), 1, "own terms are nobody else's");
        assert_eq!(program.last_version, 2);
    }
}

#[test]
fn a_participant_is_switched_off_for_a_time() {
    let mut program = with_policy(TermsPolicy::Keep);
    let mut history = Vec::new();
    let off = Assignment { disabled: true, ..Assignment::default() };
    program.assign(&mut history, off, days(10)).unwrap();
    program.assign(&mut history, Assignment::default(), days(20)).unwrap();
    let disabled = |event| program.terms_for(&history, days(1), days(event)).unwrap().disabled;
    assert_eq!([5, 15, 25].map(disabled), [false, true, false], "for earlier referrals too");
}

#[test]
fn a_participants_changes_are_bounded_and_come_in_order() {
    let mut program = program();
    let mut history = Vec::new();
    for n in 0..ASSIGNMENTS_MAX {
        program.assign(&mut history, Assignment::default(), at(-i64::try_from(n).unwrap())).unwrap();
    }
    assert!(history.windows(2).all(|pair| pair[0].effective_from < pair[1].effective_from));
    let error = program.assign(&mut history, Assignment::default(), at(0)).unwrap_err();
    assert_eq!((error, history.len()), (ChangeError::TooManyAssignments, ASSIGNMENTS_MAX));
}

#[test]
fn a_season_begins_and_ends_by_itself() {
    use ProgramStatus::{Active, Draft, Ended, Paused};
    let mut program =
        created(Settings { starts_at: Some(days(10)), ends_at: Some(days(20)), ..Settings::default() });
    program.change_status(Paused, days(15)).unwrap();
    program.change_status(Active, days(16)).unwrap();
    for (moment, expected) in [
        (at(-1), Draft),
        (days(9), Draft),
        (days(10), Active),
        (days(15) + Duration::seconds(60), Paused),
        (days(17), Active),
        (days(20) - Duration::seconds(1), Active),
        (days(20), Ended),
        (days(99), Ended),
    ] {
        assert_eq!(program.status_at(moment), expected, "{moment}");
    }
}

#[test]
fn what_has_begun_or_ended_cannot_be_moved() {
    let season =
        || created(Settings { starts_at: Some(days(10)), ends_at: Some(days(20)), ..Settings::default() });
    let passed = |field| Err((field, ScheduleError::Passed));
    let horizon = Duration::seconds(CHANGE_DELAY_SECONDS);
    for (now, starts_at, ends_at, expected) in [
        (days(5), Some(days(11)), Some(days(21)), Ok(())),
        (days(5), Some(days(10)), None, Ok(())),
        (days(5), Some(days(10)), Some(days(20)), Ok(())),
        (days(5), Some(days(12)), Some(days(12)), Err(("ends_at", ScheduleError::EndBeforeStart))),
        (days(5), Some(days(4)), Some(days(20)), passed("starts_at")),
        (days(5), Some(days(5) + horizon), Some(days(20)), passed("starts_at")),
        (days(5), Some(days(10)), Some(days(4)), passed("ends_at")),
        (days(10) - horizon, Some(days(11)), Some(days(20)), passed("starts_at")),
        (days(15), Some(days(16)), Some(days(20)), passed("starts_at")),
        (days(15), Some(days(10)), Some(days(18)), Ok(())),
        (days(15), Some(days(10)), None, Ok(())),
        (days(25), Some(days(10)), Some(days(30)), passed("ends_at")),
        // Without its beginning it would have been active since it was created.
        (days(5), None, Some(days(20)), passed("starts_at")),
    ] {
        let mut program = season();
        let before = program.clone();
        let found = program.change_schedule(starts_at, ends_at, now);
        assert_eq!(found, expected, "{now} {starts_at:?} {ends_at:?}");
        let after = if expected.is_ok() { (starts_at, ends_at) } else { (before.starts_at, before.ends_at) };
        assert_eq!((program.starts_at, program.ends_at), after);
        for moment in [at(0), days(2), now] {
            assert_eq!(program.status_at(moment), before.status_at(moment), "the past stays");
        }
    }
}

#[test]
fn a_program_without_a_beginning_begins_when_it_becomes_active() {
    let mut active = program();
    assert_eq!(
        active.change_schedule(Some(days(5)), None, days(1)),
        Err(("starts_at", ScheduleError::Passed))
    );
    let (id, name) = (ProgramId::derive(&["p"]), "Spring".to_owned());
    let settings = Settings { starts_at: Some(days(10)), ..Settings::default() };
    let mut draft = Program::create(id, name, ProgramStatus::Draft, settings, &draft(TEN_PERCENT), at(0));
    assert_eq!(draft.change_schedule(None, None, days(1)), Ok(()));
    assert_eq!(draft.change_schedule(Some(days(5)), None, days(1)), Ok(()));
    draft.change_status(ProgramStatus::Active, days(2)).unwrap();
    assert_eq!(draft.status_at(days(4)), ProgramStatus::Draft);
    assert_eq!(draft.status_at(days(5)), ProgramStatus::Active);
}

#[test]
fn a_program_keeps_in_mind_what_its_terms_ask_for() {
    let mut program = program();
    assert!(!program.counts_at(days(100)) && !program.cascades && program.label_keys.is_empty());
    let counting = r#"{"rules":[{"id":"a","amount":{"fixed":{"amount":1,"currency":"USD"}},"repeat":"once",
        "conditions":{"plans":["pro"],"metadata":{"k":["v"]}}},
        {"id":"b","trigger":"reward_earned","amount":{"percentage":{"percent":"1","basis":"reward"}}}]}"#;
    program.change_terms(draft(counting), None, days(10)).unwrap();
    assert!(program.cascades);
    assert_eq!(program.label_keys, ["metadata.k", "plan"]);
    let from = days(10) + Duration::seconds(CHANGE_DELAY_SECONDS);
    assert_eq!((program.counts_at(from - Duration::seconds(1)), program.counts_at(from)), (false, true));
    program.change_terms(draft(counting), None, days(20)).unwrap();
    assert_eq!(program.counts_from, Some(from), "since the first time");
    assert_eq!(program.label_keys.len(), 2);
    let limited = draft(r#"{"rules":[],"track_only":true,"max_referrals":3}"#);
    let (id, name) = (ProgramId::derive(&["q"]), "Limited".to_owned());
    let program = Program::create(id, name, ProgramStatus::Active, Settings::default(), &limited, at(0));
    assert!(program.counts_at(at(0)));
}
