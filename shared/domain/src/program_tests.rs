use chrono::TimeZone as _;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_767_225_600 + seconds, 0).unwrap()
}

fn program() -> Program {
    Program::create(ProgramId::derive(&["p"]), "Refer a friend".into(), ProgramStatus::Active, at(0))
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
    assert!(matches!(&terms.rules[0].amount, RuleAmount::Percentage(p) if p.basis == Basis::PaidTotal));
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
    let terms = program.change_terms(draft(TEN_PERCENT), at(200)).unwrap();
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
    assert!(program.change_terms(draft(TEN_PERCENT), at(10)).is_err());
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
