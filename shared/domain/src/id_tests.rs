use chrono::TimeZone as _;

use super::*;

#[test]
fn a_milestone_names_its_number() {
    let rule = RuleId::parse("bonus-2").unwrap();
    assert_eq!(SourceId::milestone(&rule, 15).milestone_at(), Some(15));
    let read = SourceId::parse("milestone/own/bonus-2.15").unwrap();
    assert_eq!((read.milestone_at(), read), (Some(15), SourceId::milestone(&rule, 15)));
    assert_eq!(SourceId::parse("invoice/own/bonus-2.15").unwrap().milestone_at(), None);
}

#[test]
fn an_external_id_is_kept_verbatim() {
    for text in ["u_1", "auth0|63f0", "A-b.C:9", &"x".repeat(128)] {
        assert_eq!(ExternalId::parse(text).unwrap().as_str(), text);
    }
}

#[test]
fn an_id_cannot_forge_a_key_or_a_path() {
    for text in ["", "a#b", "a/b", "a b", "ä", "a@b.c", "a\0", &"x".repeat(129)] {
        assert!(ExternalId::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn own_ids_have_their_prefix_and_26_digits() {
    let id = OrganizationId::from_entropy(&[255; 17]);
    assert_eq!(id.as_str(), "org_zzzzzzzzzzzzzzzzzzzzzzzzzz");
    assert!(OrganizationId::parse(id.as_str()).is_ok());
    for text in ["org_", "prg_zzzzzzzzzzzzzzzzzzzzzzzzzz", "org_zzzzzzzzzzzzzzzzzzzzzzzzzi", "org_zz"] {
        assert!(OrganizationId::parse(text).is_err(), "{text}");
    }
}

#[test]
fn derived_ids_do_not_confuse_neighbouring_parts() {
    assert_ne!(ProgramId::derive(&["ab", "c"]), ProgramId::derive(&["a", "bc"]));
    assert_eq!(ProgramId::derive(&["ab", "c"]), ProgramId::derive(&["ab", "c"]));
}

#[test]
fn times_sort_as_text() {
    let at = |millis| time_digits(Utc.timestamp_millis_opt(millis).unwrap());
    assert!(at(1) < at(2) && at(31) < at(32) && at(1_999_999_999_999) < at(2_000_000_000_000));
    assert_eq!(at(0).len(), 10);
}

#[test]
fn a_reward_id_names_its_place() {
    let participant = ParticipantId::derive(&["a"]);
    let source = SourceId::parse("invoice/stripe/in_1").unwrap();
    let at = Utc.timestamp_millis_opt(1_767_225_600_000).unwrap();
    let rule = RuleId::parse("commission").unwrap();
    let of = |unit, generation| {
        RewardId::of(&participant, at, &source, &rule, Unit::parse(unit).unwrap(), generation)
    };
    let id = of("USD", 0);
    assert_eq!(RewardId::parse(id.as_str()).unwrap().participant(), participant);
    assert_eq!(id.place().0, time_digits(at));
    assert_eq!(id.place().1.len(), 10);
    assert_ne!(id, of("USD", 1));
    assert_ne!(id, of("points", 0), "a tier may give another unit than the one before, in the same moment");
}

#[test]
fn a_source_reads_back_as_it_is_written() {
    for text in ["invoice/stripe/in_1", "payment/stripe/pi_1", "invoice/own-billing/2026:17"] {
        assert_eq!(SourceId::parse(text).unwrap().to_string(), text);
    }
    for text in
        ["", "invoice", "invoice/stripe", "invoice/stripe/a/b", "bill/stripe/in_1", "invoice/Stripe/in_1"]
    {
        assert!(SourceId::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_digits_of_a_moment_read_back() {
    let at = Utc.timestamp_millis_opt(1_767_225_600_123).unwrap();
    assert_eq!(time_of(&time_digits(at)), Some(at));
    assert_eq!(time_of("not digits"), None);
}
