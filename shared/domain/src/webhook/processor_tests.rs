use super::*;
use crate::webhook::plan_started;

#[test]
fn every_processor_is_found_by_its_name_and_by_no_other() {
    for processor in WebhookProcessor::ALL {
        assert_eq!(WebhookProcessor::of(&processor.processor()), Some(processor));
        assert!(processor.header().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        let name = serde_json::to_value(processor.processor()).unwrap();
        assert_eq!(serde_json::from_value::<WebhookProcessor>(name).unwrap(), processor);
    }
    assert_eq!(WebhookProcessor::of(&Processor::parse("own").unwrap()), None);
}

#[test]
fn no_processor_takes_the_secret_of_another() {
    let secrets = ["whsec_0123456789", "pdl_ntfset_0123456789", "user:password_of_it"];
    for (index, processor) in WebhookProcessor::ALL.into_iter().enumerate() {
        let taken: Vec<bool> = secrets.iter().map(|secret| processor.check_secret(secret).is_ok()).collect();
        let own: Vec<bool> = (0..secrets.len()).map(|other| other == index).collect();
        assert_eq!(taken, own, "{processor:?}");
        for wrong in
            ["", "short", &"x".repeat(201), "whsec_ with a space in it", "nöt ascii, but long enough"]
        {
            assert!(processor.check_secret(wrong).is_err(), "{processor:?} {wrong}");
        }
    }
    for wrong in [":password_without_user", "user_without_password:", "neither_of_the_two"] {
        assert!(WebhookProcessor::Chargebee.check_secret(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_not_signed_is_believed_by_none() {
    let now = DateTime::from_timestamp(1_767_348_000, 0).unwrap();
    for processor in WebhookProcessor::ALL {
        assert!(processor.verify("", b"{}", &["whsec_0123456789"], now).is_err());
        assert!(processor.parse(b"{}").is_err() && processor.parse(b"").is_err());
    }
}

#[test]
fn a_started_plan_is_a_qualifying_event() {
    let id = crate::id::ProcessorRef::parse("sub_1").unwrap();
    assert_eq!(plan_started(id).to_string(), "event/plan_started/sub_1");
}
