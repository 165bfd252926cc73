use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};

use super::fixture::Fixture;

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// A put that fails if the item is there.
fn create(pk: &str) -> TransactWriteItem {
    let put = Put::builder()
        .table_name("Notes")
        .item("pk", text(pk))
        .item("sk", text("note"))
        .item("due_pk", text("due"))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    TransactWriteItem::builder().put(put.build().unwrap()).build()
}

async fn due(client: &Client) -> usize {
    let query =
        client.query().table_name("Notes").index_name("due").key_condition_expression("due_pk = :due");
    query.expression_attribute_values(":due", text("due")).send().await.unwrap().items().len()
}

#[tokio::test]
async fn a_transaction_is_done_whole_or_not_at_all_and_says_which_condition_failed() {
    let fixture = Fixture::start().await;
    let client = fixture.stage.dynamodb();
    client
        .transact_write_items()
        .transact_items(create("a"))
        .transact_items(create("b"))
        .send()
        .await
        .unwrap();
    assert_eq!(due(&client).await, 2);

    let again = client.transact_write_items().transact_items(create("c")).transact_items(create("b"));
    let error = again.send().await.unwrap_err().into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(canceled) = error else { panic!("{error}") };
    let codes: Vec<_> = canceled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    let old = canceled.cancellation_reasons()[1].item().unwrap();
    assert_eq!(old["pk"], text("b"));
    assert_eq!(due(&client).await, 2, "the first half of the transaction was written");
}

#[tokio::test]
async fn the_time_to_live_of_the_template_is_set() {
    let fixture = Fixture::start().await;
    let described =
        fixture.stage.dynamodb().describe_time_to_live().table_name("Notes").send().await.unwrap();
    let ttl = described.time_to_live_description.unwrap();
    assert_eq!(ttl.attribute_name.as_deref(), Some("expires_at"));
}

#[tokio::test]
async fn the_meter_starts_at_zero() {
    let fixture = Fixture::start().await;
    let meter = fixture.get("/_local/meter").await;
    assert_eq!(meter["requests"], 0);
    assert_eq!(meter["write_units"], 0.0);
}
