use chrono::{Duration, TimeZone as _};

use super::*;
use crate::id::{Channel, ProgramId};
use crate::program::{Assignment, ProgramStatus, Settings, TermsPolicy};
use crate::referral::FoundBy;
use crate::terms::TermsDraft;
use crate::touch::Share;

fn at(days: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_767_225_600, 0).unwrap() + Duration::days(days)
}

fn who(name: &str) -> ParticipantId {
    ParticipantId::derive(&[name])
}

fn referral(referrer: &str, number: u32, bound: i64) -> Referral {
    Referral {
        referee: ExternalId::parse("ben").unwrap(),
        number,
        program: ProgramId::derive(&["p"]),
        referrer: who(referrer),
        shares: Vec::new(),
        used_code: None,
        found_by: FoundBy::Code,
        touches: Vec::new(),
        channel: Channel::parse("sign-up").unwrap(),
        existing_customer: false,
        signed_up_at: at(bound),
        assigned_at: None,
        inactive_from: None,
        recorded_at: at(bound),
    }
}

fn draft() -> TermsDraft {
    serde_json::from_str(r#"{"rules": []}"#).unwrap()
}

fn program(policy: TermsPolicy) -> Program {
    let settings = Settings { terms_policy: policy, ..Settings::default() };
    Program::create(
        ProgramId::derive(&["p"]),
        "P".to_owned(),
        ProgramStatus::Active,
        settings,
        &draft(),
        at(0),
    )
}

fn versions(structures: &[Structure]) -> Vec<(u32, DateTime<Utc>)> {
    structures.iter().map(|structure| (structure.terms_version, structure.since)).collect()
}

#[test]
fn each_referrer_is_paired_once_with_its_latest_referral() {
    let share = |name: &str| Share { participant: who(name), weight: 1 };
    let shared = Referral { shares: vec![share("anna"), share("dora")], ..referral("anna", 0, 1) };
    let former = vec![shared, referral("emil", 1, 5)];
    let binding = Binding::Bound { referral: referral("anna", 2, 9), former };
    let found: Vec<_> =
        pairs(&binding).iter().map(|pair| (pair.referrer.clone(), pair.referral.number)).collect();
    assert_eq!(found, [(who("anna"), 2), (who("emil"), 1), (who("dora"), 0)]);
    assert!(pairs(&Binding::Unknown).is_empty());
    assert!(pairs(&Binding::Organic { signed_up_at: at(0) }).is_empty());
}

#[test]
fn a_structure_begins_with_the_referral_or_when_it_took_effect_for_it() {
    let mut following = program(TermsPolicy::Follow);
    let second = following.change_terms(draft(), None, at(10)).unwrap();
    let early = referral("anna", 0, 2);
    assert_eq!(
        versions(&structures(&following, &[], &early, at(20))),
        [(1, at(2)), (second.version, second.effective_from)]
    );
    assert_eq!(versions(&structures(&following, &[], &early, at(9))), [(1, at(2))]);
    let late = referral("anna", 0, 15);
    assert_eq!(versions(&structures(&following, &[], &late, at(20))), [(2, at(15))]);
    assert!(structures(&following, &[], &late, at(15)).is_empty());
    // Told of a time before the program existed.
    let ancient = referral("anna", 0, -3);
    assert!(structures(&following, &[], &ancient, at(0)).len() <= 1);
    // Referrals that keep their terms have one structure.
    let mut keeping = program(TermsPolicy::Keep);
    keeping.change_terms(draft(), None, at(10)).unwrap();
    assert_eq!(versions(&structures(&keeping, &[], &early, at(20))), [(1, at(2))]);
}

#[test]
fn terms_of_ones_own_are_structures_too_and_can_end() {
    let mut program = program(TermsPolicy::Follow);
    let own = program.change_own_terms(draft(), at(10)).unwrap();
    let mut assignments = Vec::new();
    let with_own = Assignment { own_version: Some(own.version), ..Assignment::default() };
    program.assign(&mut assignments, with_own, at(10)).unwrap();
    program.assign(&mut assignments, Assignment::default(), at(12)).unwrap();
    let referral = referral("anna", 0, 2);
    let all = structures(&program, &assignments, &referral, at(20));
    let found: Vec<u32> = all.iter().map(|structure| structure.terms_version).collect();
    assert_eq!(found, [1, own.version, 1]);
    // One row stands for both times of the first structure, with its first date.
    let shown = rows(&all, &referral, at(0), &SumsByRow::new());
    let shown: Vec<_> = shown.iter().map(|row| (row.structure.terms_version, row.structure.since)).collect();
    assert_eq!(shown, [(own.version, all[1].since), (1, at(2))]);
}

#[test]
fn rows_are_of_the_structures_of_the_days_and_of_those_with_sums() {
    let structure = |terms_version, since| Structure { terms_version, since: at(since) };
    let all = [structure(1, 0), structure(2, 10), structure(3, 20)];
    let referral = referral("anna", 0, 0);
    let shown = |from: i64, until: usize, sums: &SumsByRow| -> Vec<u32> {
        let rows = rows(&all[..until], &referral, at(from), sums);
        rows.iter().map(|row| row.structure.terms_version).collect()
    };
    let none = SumsByRow::new();
    assert_eq!(shown(0, 3, &none), [3, 2, 1]);
    assert_eq!(shown(9, 3, &none), [3, 2, 1]);
    assert_eq!(shown(10, 3, &none), [3, 2]);
    assert_eq!(shown(25, 3, &none), [3]);
    assert_eq!(shown(5, 1, &none), [1]);
    // A correction of what was earned under terms that do not apply any more, and one by terms that never did.
    let mut sums = SumsByRow::new();
    for version in [1, 9] {
        let row = sums.entry((referral.referee.clone(), version)).or_default();
        add(&mut row.earned, Money::new(-5, Unit::parse("USD").unwrap())).unwrap();
    }
    sums.entry((ExternalId::parse("carl").unwrap(), 4)).or_default();
    assert_eq!(shown(25, 3, &sums), [3, 9, 1]);
    let row = &rows(&all, &referral, at(25), &sums)[2];
    assert_eq!(row.sums.earned.values().copied().collect::<Vec<_>>(), [-5]);
}
