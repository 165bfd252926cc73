use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, TimeDelta, Utc};

use super::fixture::{Fixture, functions, template};
use crate::template::Template;
use crate::{Options, Stage};

async fn put(fixture: &Fixture, pk: &str) {
    let request = fixture.stage.dynamodb().put_item().table_name("Notes");
    let request = request.item("pk", AttributeValue::S(pk.to_owned()));
    request.item("sk", AttributeValue::S("note".to_owned())).send().await.unwrap();
}

#[tokio::test]
async fn the_table_the_secrets_and_the_clock_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::start_in(Some(directory.path())).await;
    put(&fixture, "a").await;
    let root_key = fixture.stage.root_key().to_owned();
    let before: DateTime<Utc> = fixture.advance(86_400).await["now"].as_str().unwrap().parse().unwrap();
    drop(fixture);

    let fixture = Fixture::start_in(Some(directory.path())).await;
    assert_eq!(fixture.count_items().await, 1);
    assert_eq!(fixture.stage.root_key(), root_key);
    let after: DateTime<Utc> = fixture.advance(0).await["now"].as_str().unwrap().parse().unwrap();
    assert!(after >= before && after - before < TimeDelta::minutes(5), "{before} {after}");
}

#[tokio::test]
async fn a_state_directory_belongs_to_one_stage_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::start_in(Some(directory.path())).await;
    let options = Options { state: Some(directory.path().to_owned()), ..Options::default() };
    let refused = Stage::start_with(options, template(), functions(Default::default())).await.unwrap_err();
    assert!(refused.to_string().contains("another stage"), "{refused}");
    drop(fixture);
}

#[tokio::test]
async fn a_kept_table_with_other_indexes_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(Fixture::start_in(Some(directory.path())).await);
    let changed = include_str!("fixture.yaml").replace("IndexName: due", "IndexName: day");
    let options = Options { state: Some(directory.path().to_owned()), ..Options::default() };
    let template = Template::parse(&changed).unwrap();
    let refused = Stage::start_with(options, template, functions(Default::default())).await.unwrap_err();
    assert!(format!("{refused:#}").contains("state directory"), "{refused:#}");
}

#[tokio::test]
async fn without_a_state_directory_nothing_is_kept() {
    let fixture = Fixture::start().await;
    put(&fixture, "a").await;
    drop(fixture);
    assert_eq!(Fixture::start().await.count_items().await, 0);
}
