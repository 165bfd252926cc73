use chrono::TimeZone as _;

use super::*;
use crate::id::OrganizationId;

fn at(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_767_225_600 + seconds, 0).unwrap()
}

fn days(days: i64) -> DateTime<Utc> {
    at(days * 86_400)
}

fn signup(referee: &str, code: Option<&str>) -> Signup {
    Signup {
        referee: ExternalId::parse(referee).unwrap(),
        code: code.map(|code| ReferralCode::parse(code).unwrap()),
        channel: Channel::parse("sign-up").unwrap(),
        existing_customer: false,
        signed_up_at: at(0),
    }
}

fn participant(program: &str, name: &str) -> ParticipantId {
    let (organization, program) = (OrganizationId::derive(&["o"]), ProgramId::derive(&[program]));
    ParticipantId::of(&organization, &program, &ExternalId::parse(name).unwrap())
}

fn owner_of(name: &str) -> CodeOwner {
    CodeOwner {
        participant: participant("p", name),
        external_id: ExternalId::parse(name).unwrap(),
        program: ProgramId::derive(&["p"]),
        starts_at: None,
        ends_at: None,
        used_up: false,
    }
}

fn owner() -> CodeOwner {
    owner_of("anna")
}

fn program_with(status: ProgramStatus, terms: &str) -> ProgramAtSignup {
    ProgramAtSignup { status, terms: serde_json::from_str(terms).unwrap() }
}

fn program(terms: &str) -> ProgramAtSignup {
    program_with(ProgramStatus::Active, terms)
}

const TERMS: &str = r#"{"rules":[]}"#;

fn by_code(referee: &str, code: &str, now: DateTime<Utc>) -> Result<Binding, Reason> {
    attribute(&signup(referee, Some(code)), Some(&owner()), &[], Some(&program(TERMS)), now)
}

fn organic(referee: &str) -> Binding {
    attribute(&signup(referee, None), None, &[], None, at(0)).unwrap()
}

fn touch(program: &str, name: &str, at: DateTime<Utc>) -> Touch {
    Touch {
        participant: participant(program, name),
        external_id: ExternalId::parse(name).unwrap(),
        program: ProgramId::derive(&[program]),
        code: ReferralCode::parse("ANN-2345").unwrap(),
        at,
    }
}

#[test]
fn a_code_binds_the_referee_to_its_owner() {
    let binding = by_code("ben", "ANN-2345", at(5)).unwrap();
    let Binding::Bound { referral, former } = binding else { panic!("{binding:?}") };
    assert_eq!(referral.referrer, owner().participant);
    assert_eq!((referral.signed_up_at, referral.recorded_at), (at(0), at(5)));
    assert_eq!((referral.found_by, referral.number, former.len()), (FoundBy::Code, 0, 0));
    assert_eq!(referral.used_code.unwrap().to_string(), "ANN-2345");
    assert_eq!(referral.channel.as_str(), "sign-up");
}

#[test]
fn refusals_name_their_reason() {
    let refused = |referee, owner: Option<&CodeOwner>, status| {
        let program = program_with(status, TERMS);
        attribute(&signup(referee, Some("ANN-2345")), owner, &[], Some(&program), at(0)).unwrap_err()
    };
    assert_eq!(refused("ben", None, ProgramStatus::Active), Reason::CodeNotFound);
    assert_eq!(refused("anna", Some(&owner()), ProgramStatus::Active), Reason::SelfReferral);
    for status in [ProgramStatus::Draft, ProgramStatus::Paused, ProgramStatus::Ended] {
        assert_eq!(refused("ben", Some(&owner()), status), Reason::ProgramNotActive);
    }
}

#[test]
fn the_first_sign_up_stands() {
    let (bound, organic) = (by_code("ben", "ANN-2345", at(0)).unwrap(), organic("ben"));
    assert_eq!(repeat(&signup("ben", Some("ann2345")), &bound), Ok(()));
    assert_eq!(repeat(&signup("ben", Some("BOB-2345")), &bound), Err(Reason::AlreadyReferred));
    assert_eq!(repeat(&signup("ben", None), &bound), Err(Reason::AlreadyReferred));
    assert_eq!(repeat(&signup("ben", None), &organic), Ok(()));
    assert_eq!(repeat(&signup("ben", Some("ANN-2345")), &organic), Err(Reason::AlreadySignedUp));
}

#[test]
fn moments_are_believed_within_bounds() {
    assert_eq!(check_signup_moment(at(300), at(0)), Ok(()));
    assert_eq!(check_signup_moment(at(301), at(0)), Err(MomentError::Future));
    assert_eq!(check_signup_moment(at(-30 * 86_400), at(0)), Ok(()));
    assert_eq!(check_signup_moment(at(-30 * 86_400 - 1), at(0)), Err(MomentError::TooOld));
}

#[test]
fn codes_are_accepted_through_the_channels_of_the_terms() {
    let attribute = |channel: &str, terms: &str| {
        let signup = Signup { channel: Channel::parse(channel).unwrap(), ..signup("ben", Some("ANN-2345")) };
        attribute(&signup, Some(&owner()), &[], Some(&program(terms)), at(0)).map(|_| ())
    };
    const TWO: &str = r#"{"rules":[],"channels":["tour","mobile"]}"#;
    for channel in ["sign-up", "tour", "drop-in", "inquiry", "mobile", "booking", "own-name"] {
        assert_eq!(attribute(channel, TERMS), Ok(()), "{channel}");
        let accepted = ["tour", "mobile"].contains(&channel);
        let expected = if accepted { Ok(()) } else { Err(Reason::ChannelNotAccepted) };
        assert_eq!(attribute(channel, TWO), expected, "{channel}");
    }
    // A link through another channel refuses no sign-up: it does not count.
    let signup = signup("ben", None);
    let binding =
        super::attribute(&signup, None, &[touch("p", "anna", at(-1))], Some(&program(TWO)), at(0)).unwrap();
    assert_eq!(binding, Binding::Organic { signed_up_at: at(0) });
}

#[test]
fn a_promo_code_has_its_dates_and_its_limit() {
    let dated = CodeOwner { starts_at: Some(at(-10)), ends_at: Some(at(10)), ..owner() };
    let cases = [
        (at(-11), false, Err(Reason::CodeNotYetValid)),
        (at(-10), false, Ok(())),
        (at(9), false, Ok(())),
        (at(10), false, Err(Reason::CodeExpired)),
        (at(0), true, Err(Reason::CodeLimitReached)),
        (at(10), true, Err(Reason::CodeExpired)),
    ];
    for (signed_up_at, used_up, expected) in cases {
        let signup = Signup { signed_up_at, ..signup("ben", Some("ANN-2345")) };
        let owner = CodeOwner { used_up, ..dated.clone() };
        let found = attribute(&signup, Some(&owner), &[], Some(&program(TERMS)), at(20)).map(|_| ());
        assert_eq!(found, expected, "{signed_up_at} {used_up}");
    }
}

#[test]
fn a_typed_code_beats_a_link_unless_the_terms_say_otherwise() {
    const LINK: &str = r#"{"rules":[],"attribution":{"precedence":"link"}}"#;
    let visit = [touch("p", "lena", at(-60))];
    let found = |terms: &str, touches: &[Touch]| {
        let signup = signup("ben", Some("ANN-2345"));
        let binding = attribute(&signup, Some(&owner()), touches, Some(&program(terms)), at(0)).unwrap();
        let referral = binding.latest().unwrap().clone();
        (referral.referrer, referral.found_by)
    };
    assert_eq!(found(TERMS, &visit), (participant("p", "anna"), FoundBy::Code));
    assert_eq!(found(LINK, &visit), (participant("p", "lena"), FoundBy::Link));
    assert_eq!(found(LINK, &[]), (participant("p", "anna"), FoundBy::Code));
    // A link of another program does not count against a code of this one.
    assert_eq!(found(LINK, &[touch("q", "lena", at(-60))]), (participant("p", "anna"), FoundBy::Code));
}

#[test]
fn links_share_a_referral_without_self_touches_and_other_programs() {
    const LINEAR: &str = r#"{"rules":[],"attribution":{"model":"linear","window_days":30}}"#;
    let touches = [
        touch("p", "anna", days(-31)),
        touch("p", "anna", days(-30)),
        touch("q", "zoe", days(-20)),
        touch("p", "ben", days(-15)),
        touch("p", "lena", days(-10)),
        touch("p", "anna", days(-5)),
    ];
    let binding = attribute(&signup("ben", None), None, &touches, Some(&program(LINEAR)), at(0)).unwrap();
    let referral = binding.latest().unwrap();
    let weights: Vec<_> =
        referral.shares.iter().map(|share| (share.participant.clone(), share.weight)).collect();
    assert_eq!(weights, [(participant("p", "anna"), 2), (participant("p", "lena"), 1)]);
    assert_eq!(referral.referrers(), referral.shares);
    assert_eq!(referral.referrer, participant("p", "anna"));
    let chosen: Vec<_> = referral.touches.iter().map(|touch| touch.at).collect();
    assert_eq!(chosen, [days(-30), days(-10), days(-5)]);
}

#[test]
fn the_latest_touch_names_the_program_and_a_lone_self_touch_nobody() {
    let found = |touches: &[Touch]| {
        attribute(&signup("ben", None), None, touches, Some(&program(TERMS)), at(0))
            .unwrap()
            .latest()
            .cloned()
    };
    let two = [touch("q", "zoe", at(-20)), touch("p", "anna", at(-10))];
    assert_eq!(found(&two).unwrap().program, ProgramId::derive(&["p"]));
    assert_eq!(found(&[touch("p", "ben", at(-10))]), None);
    assert_eq!(found(&[touch("p", "anna", at(10))]), None, "a touch after the sign-up");
    assert_eq!(found(&[]), None);
    let one = found(&[touch("p", "anna", at(-10))]).unwrap();
    assert_eq!(one.shares, [], "a single referrer needs no shares");
    assert_eq!(one.referrers(), [Share { participant: participant("p", "anna"), weight: 1 }]);
    let paused = program_with(ProgramStatus::Paused, TERMS);
    let visit = [touch("p", "anna", at(-10))];
    let binding = attribute(&signup("ben", None), None, &visit, Some(&paused), at(0)).unwrap();
    assert_eq!(binding, organic("ben"));
}

#[test]
fn an_assigned_referrer_earns_from_then_on() {
    let channel = || Channel::parse("admin").unwrap();
    let ben = ExternalId::parse("ben").unwrap();
    let assigned = assign(&ben, &organic("ben"), &owner(), channel(), days(10)).unwrap();
    let referral = assigned.latest().unwrap();
    assert_eq!((referral.found_by, referral.bound_at()), (FoundBy::Assignment, days(10)));
    assert_eq!((referral.signed_up_at, referral.number), (at(0), 0));
    assert_eq!(assigned.referral_at(days(10) - Duration::seconds(1)), Err(Reason::PaidBeforeAssignment));
    assert_eq!(assigned.referral_at(days(10)).unwrap(), referral);
    let unknown = assign(&ben, &Binding::Unknown, &owner(), channel(), days(10)).unwrap();
    assert_eq!(unknown.latest().unwrap().signed_up_at, days(10));
    // The sign-up that comes after an assignment is no second referral.
    assert_eq!(repeat(&signup("ben", None), &unknown), Ok(()));
    assert_eq!(repeat(&signup("ben", Some("ANN-2345")), &unknown), Err(Reason::AlreadyReferred));
}

#[test]
fn nobody_is_assigned_to_oneself_or_while_referred() {
    let ben = ExternalId::parse("ben").unwrap();
    let channel = || Channel::parse("admin").unwrap();
    let own = assign(&ben, &organic("ben"), &owner_of("ben"), channel(), days(1));
    assert_eq!(own, Err(Reason::SelfReferral));
    let bound = by_code("ben", "ANN-2345", at(0)).unwrap();
    assert_eq!(assign(&ben, &bound, &owner_of("lena"), channel(), days(1)), Err(Reason::AlreadyReferred));
}

#[test]
fn a_removed_referral_keeps_its_past_and_makes_room_for_another() {
    let ben = ExternalId::parse("ben").unwrap();
    let channel = || Channel::parse("admin").unwrap();
    let bound = by_code("ben", "ANN-2345", at(0)).unwrap();
    let removed = remove(&bound, days(10)).unwrap();
    assert_eq!(remove(&removed, days(15)).unwrap(), removed, "removing again changes nothing");
    let both = assign(&ben, &removed, &owner_of("lena"), channel(), days(20)).unwrap();
    assert_eq!(both.latest().unwrap().number, 1);
    let cases = [
        (at(-3600), Ok("anna")),
        (days(5), Ok("anna")),
        (days(10), Err(Reason::ReferralInactive)),
        (days(19), Err(Reason::ReferralInactive)),
        (days(20), Ok("lena")),
        (days(400), Ok("lena")),
    ];
    for (at, expected) in cases {
        let found = both.referral_at(at).map(|referral| referral.referrer.clone());
        assert_eq!(found, expected.map(|name| participant("p", name)), "{at}");
    }
    assert_eq!(removed.referral_at(days(20)), Err(Reason::ReferralInactive));
    assert_eq!(remove(&Binding::Unknown, at(0)), None);
    assert_eq!(remove(&organic("ben"), at(0)), None);
}

#[test]
fn without_a_referral_there_is_a_reason() {
    assert_eq!(Binding::Unknown.referral_at(at(0)), Err(Reason::AwaitingSignup));
    assert_eq!(organic("ben").referral_at(at(0)), Err(Reason::NotReferred));
}

#[test]
fn the_number_of_reassignments_is_bounded() {
    let ben = ExternalId::parse("ben").unwrap();
    let mut binding = organic("ben");
    for n in 0.. {
        let channel = Channel::parse("admin").unwrap();
        match assign(&ben, &binding, &owner(), channel, days(n)) {
            Ok(assigned) => binding = remove(&assigned, days(n)).unwrap(),
            Err(reason) => {
                assert_eq!(reason, Reason::AlreadyReferred);
                break;
            }
        }
    }
    let Binding::Bound { referral, former } = binding else { panic!() };
    assert_eq!(
        (former.len() + 1, usize::try_from(referral.number).unwrap() + 1),
        (REFERRALS_MAX, REFERRALS_MAX)
    );
}
