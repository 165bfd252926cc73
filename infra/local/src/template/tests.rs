use serde_json::json;

use super::*;

const FIXTURE: &str = include_str!("../tests/fixture.yaml");

fn fixture() -> Template {
    Template::parse(FIXTURE).unwrap()
}

fn names() -> Names {
    let mut names = Names::default();
    names.set_reference("Stage", "test");
    names.set_reference("Notes", "notes-1");
    names.set_attribute("Notes", "Arn", "arn:notes");
    names
}

#[test]
fn the_workspace_template_is_read_whole() {
    let template = Template::embedded().unwrap();
    assert_eq!(template.functions.len(), 9);
    assert!(template.routes().any(|route| route.method == "PUT" && route.path.ends_with("/{external_id}")));
    assert!(template.routes().any(|route| route.path == "/v1/decisions/{source+}"));
    let sources: Vec<_> =
        template.event_sources().map(|source| (&*source.queue, &*source.function)).collect();
    assert!(sources.contains(&("FulfillQueue", "FulfillRewardFunction")));
    assert!(sources.contains(&("ReportQueue", "AggregateReportsFunction")));
    assert!(sources.contains(&("EventsQueue", "DeliverWebhookFunction")));
    assert!(sources.contains(&("NotifyQueue", "SendNotificationFunction")));
    assert_eq!(template.schedules().count(), 3);
    let table = template.tables.first().unwrap();
    let indexes: Vec<_> = table.indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!(indexes, ["due", "day", "listing"]);
    assert_eq!(table.ttl_attribute.as_deref(), Some("expires_at"));
    let fulfill = template.queue("FulfillQueue").unwrap();
    let redrive = Redrive { dead_letter_queue: "FulfillDlq".to_owned(), receive_count_max: 5 };
    assert_eq!(fulfill.redrive, Some(redrive));
    let secrets: Vec<_> = template.secrets.iter().map(|secret| (secret.id.as_str(), secret.length)).collect();
    assert_eq!(secrets, [("RootKey", 48), ("SealingKey", 48)]);
}

#[test]
fn globals_are_merged_into_functions_and_lose_against_their_own_properties() {
    let template = fixture();
    let write = template.function("WriteFunction").unwrap();
    assert_eq!((write.timeout_s, write.memory_mb, write.binary.as_str()), (10, 128, "write"));
    assert_eq!(
        write.environment.keys().collect::<Vec<_>>(),
        ["LABEL", "QUEUE_URL", "SECRET_ARN", "TABLE_NAME"]
    );
    assert_eq!(template.function("WorkFunction").unwrap().timeout_s, 5);
}

#[test]
fn events_become_routes_sources_and_schedules() {
    let template = fixture();
    let routes: Vec<_> =
        template.routes().map(|route| (route.method.as_str(), route.path.as_str())).collect();
    assert_eq!(routes, [("GET", "/find/{path+}"), ("GET", "/notes/{id}"), ("PUT", "/notes/{id}")]);
    let source = template.event_sources().next().unwrap();
    assert_eq!((source.queue.as_str(), source.batch_size), ("WorkQueue", 10));
    assert!(source.reports_item_failures);
    let schedules: Vec<_> = template.schedules().map(|schedule| schedule.id.as_str()).collect();
    assert_eq!(schedules, ["EveryMinute", "Nightly"]);
}

#[test]
fn tables_carry_the_types_of_their_keys() {
    let template = fixture();
    let table = template.tables.first().unwrap();
    let keys: Vec<_> = table.keys.iter().map(|key| (&*key.name, &*key.role, &*key.kind)).collect();
    assert_eq!(keys, [("pk", "HASH", "S"), ("sk", "RANGE", "S")]);
    let projection = Projection { kind: "INCLUDE".to_owned(), non_key_attributes: vec!["kind".to_owned()] };
    assert_eq!(table.indexes.first().unwrap().projection, projection);
}

#[test]
fn queues_take_the_defaults_of_sqs() {
    let template = fixture();
    let dead = template.queue("WorkDlq").unwrap();
    assert_eq!((dead.visibility_timeout_s, dead.retention_s), (30, 1_209_600));
    assert_eq!(template.queue("WorkQueue").unwrap().retention_s, 345_600);
}

#[test]
fn references_become_texts() {
    let template = fixture();
    let label = template.function("WriteFunction").unwrap().environment.get("LABEL").unwrap();
    assert_eq!(names().resolve(label).unwrap(), "test-arn:notes-${kept}");
    let own = json!({ "Fn::Sub": ["${Here}/${Notes}", { "Here": { "Ref": "Stage" } }] });
    assert_eq!(names().resolve(&own).unwrap(), "test/notes-1");
}

#[test]
fn what_cannot_be_resolved_is_named() {
    for (value, named) in [
        (json!({ "Ref": "Nobody" }), "Nobody"),
        (json!({ "Fn::GetAtt": ["Notes", "StreamArn"] }), "Notes.StreamArn"),
        (json!({ "Fn::Select": [0, ["a"]] }), "Fn::Select"),
        (json!({ "Fn::Sub": "${Stage" }), "${Stage"),
    ] {
        let error = names().resolve(&value).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn a_key_without_a_definition_is_refused() {
    let broken = FIXTURE.replace("- {AttributeName: due_pk, AttributeType: S}", "");
    let error = format!("{:#}", Template::parse(&broken).unwrap_err());
    assert!(error.contains("resource Notes") && error.contains("due_pk"), "{error}");
}

#[test]
fn an_event_of_an_unknown_kind_is_refused() {
    let broken = FIXTURE.replace("Type: SQS", "Type: Kinesis");
    let error = format!("{:#}", Template::parse(&broken).unwrap_err());
    assert!(error.contains("Kinesis"), "{error}");
}
