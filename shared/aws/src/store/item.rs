//! Rows as `DynamoDB` items, and the calls that every access pattern is made of.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Store;
use super::error::{StoreError, Transaction, classify, classify_transaction};
use super::keys::Key;
use crate::meter::Direction;

/// A `DynamoDB` item.
pub type Item = HashMap<String, AttributeValue>;

/// The outcome of a write under a condition.
#[derive(Debug)]
pub(crate) enum Write {
    /// Written; the row as it is now where the call asked for it.
    Done(Item),
    /// Not written: the condition does not hold for this row (empty when there is no row).
    Refused(Item),
}

/// A string attribute.
pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub(crate) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A row as an item.
pub(crate) fn to_item<T: Serialize>(key: &Key, row: &T) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(row).map_err(StoreError::corrupt)?;
    item.insert("pk".to_owned(), text(&key.pk));
    item.insert("sk".to_owned(), text(&key.sk));
    Ok(item)
}

/// An item as a row.
pub(crate) fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    let place = place_of(&item);
    serde_dynamo::from_item(item).map_err(|error| StoreError::corrupt(format!("{place}: {error}")))
}

/// A value nested in an item.
pub(crate) fn to_attribute<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value).map_err(StoreError::corrupt)
}

/// Puts an index's key into an item.
pub(crate) fn index_in(item: &mut Item, index: &str, key: &Key) {
    item.insert(format!("{index}_pk"), text(&key.pk));
    item.insert(format!("{index}_sk"), text(&key.sk));
}

/// The text of an attribute; empty when there is none.
pub(crate) fn text_of<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

/// The primary key of an item.
pub(crate) fn key_of(item: &Item) -> Key {
    Key { pk: text_of(item, "pk").to_owned(), sk: text_of(item, "sk").to_owned() }
}

fn place_of(item: &Item) -> String {
    let key = key_of(item);
    format!("{} {}", key.pk, key.sk)
}

pub(crate) fn key_attributes(key: &Key) -> Item {
    HashMap::from([("pk".to_owned(), text(&key.pk)), ("sk".to_owned(), text(&key.sk))])
}

/// An update with its condition; a builder over the few parts that every update has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    /// `SET ... REMOVE ... ADD ...`
    pub(crate) expression: String,
    /// What must hold.
    pub(crate) condition: String,
    /// `:name` to value.
    pub(crate) values: Item,
    /// `#name` to attribute.
    pub(crate) names: HashMap<String, String>,
}

impl Change {
    pub(crate) fn new(expression: impl Into<String>, condition: impl Into<String>) -> Self {
        Self { expression: expression.into(), condition: condition.into(), ..Self::default() }
    }

    pub(crate) fn value(mut self, name: &str, value: AttributeValue) -> Self {
        self.values.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn name(mut self, name: &str, attribute: &str) -> Self {
        self.names.insert(name.to_owned(), attribute.to_owned());
        self
    }

    /// Which also removes attributes.
    pub(crate) fn removing<'a>(mut self, attributes: impl IntoIterator<Item = &'a str>) -> Self {
        for (index, attribute) in attributes.into_iter().enumerate() {
            let separator = if index == 0 { " REMOVE " } else { ", " };
            self.expression.push_str(&format!("{separator}#{attribute}"));
            self = self.name(&format!("#{attribute}"), attribute);
        }
        self
    }

    fn values(&self) -> Option<Item> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }

    fn names(&self) -> Option<HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }
}

/// The condition that a row is as it was read: under this version, or not there where that is 0.
pub(crate) fn at_version(version: u64) -> Change {
    match version {
        0 => absent(),
        version => Change::new("", "version = :version").value(":version", number(version)),
    }
}

/// The condition that a row is not there.
pub(crate) fn absent() -> Change {
    Change::new("", "attribute_not_exists(pk)")
}

/// `SET` of every attribute given.
pub(crate) fn set_all(attributes: Vec<(&str, AttributeValue)>, condition: &str) -> Change {
    let parts: Vec<String> = attributes.iter().map(|(name, _)| format!("#{name} = :{name}")).collect();
    let change = Change::new(format!("SET {}", parts.join(", ")), condition);
    attributes.into_iter().fold(change, |change, (name, value)| {
        change.name(&format!("#{name}"), name).value(&format!(":{name}"), value)
    })
}

impl Store {
    /// Reads one row.
    pub(crate) async fn get(&self, key: &Key, consistent: bool) -> Result<Option<Item>, StoreError> {
        self.meter.request();
        let request = self.client.get_item().table_name(&self.table).set_key(Some(key_attributes(key)));
        let request =
            request.consistent_read(consistent).return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = request.send().await.map_err(classify)?;
        self.meter.consumed(Direction::Read, output.consumed_capacity());
        Ok(output.item)
    }

    /// Writes a row that must not be there yet.
    pub(crate) async fn put_new(&self, item: Item) -> Result<Write, StoreError> {
        self.put_if(item, &absent()).await
    }

    /// Writes a row under a condition.
    pub(crate) async fn put_if(&self, item: Item, change: &Change) -> Result<Write, StoreError> {
        self.meter.request();
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .set_condition_expression((!change.condition.is_empty()).then(|| change.condition.clone()))
            .set_expression_attribute_names(change.names())
            .set_expression_attribute_values(change.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match request.send().await {
            Ok(output) => {
                self.meter.consumed(Direction::Write, output.consumed_capacity());
                Ok(Write::Done(Item::new()))
            }
            Err(error) => match error.as_service_error() {
                Some(
                    aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
                        failed,
                    ),
                ) => Ok(Write::Refused(failed.item().cloned().unwrap_or_default())),
                _ => Err(classify(error)),
            },
        }
    }

    /// Changes a row under a condition; answers the row as it is afterwards.
    pub(crate) async fn update(&self, key: &Key, change: &Change) -> Result<Write, StoreError> {
        use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
        self.meter.request();
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key_attributes(key)))
            .update_expression(&change.expression)
            .set_condition_expression((!change.condition.is_empty()).then(|| change.condition.clone()))
            .set_expression_attribute_names(change.names())
            .set_expression_attribute_values(change.values())
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match request.send().await {
            Ok(output) => {
                self.meter.consumed(Direction::Write, output.consumed_capacity());
                Ok(Write::Done(output.attributes.unwrap_or_default()))
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Write::Refused(failed.item().cloned().unwrap_or_default()))
                }
                _ => Err(classify(error)),
            },
        }
    }

    /// Removes a row, whether it is there or not.
    pub(crate) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.meter.request();
        let request = self.client.delete_item().table_name(&self.table).set_key(Some(key_attributes(key)));
        let request = request.return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = request.send().await.map_err(classify)?;
        self.meter.consumed(Direction::Write, output.consumed_capacity());
        Ok(())
    }

    /// Writes several rows or none.
    pub(crate) async fn transact(&self, actions: Vec<TransactWriteItem>) -> Result<Transaction, StoreError> {
        self.meter.request();
        let request = self
            .client
            .transact_write_items()
            .set_transact_items(Some(actions))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match request.send().await {
            Ok(output) => {
                self.meter.consumed(Direction::Write, output.consumed_capacity());
                Ok(Transaction::Committed)
            }
            Err(error) => classify_transaction(error),
        }
    }

    /// Writes a new row and what belongs to it; answers the earlier row when there is one at its place.
    pub(crate) async fn create<T: DeserializeOwned>(
        &self,
        place: &Key,
        actions: Vec<TransactWriteItem>,
    ) -> Result<Option<T>, StoreError> {
        match self.transact(actions).await? {
            Transaction::Committed => Ok(None),
            Transaction::Refused { .. } => {
                // Without a row, another transaction was at the place, and nobody has written anything.
                let known = self.get(place, true).await?.ok_or(StoreError::Contended { attempts: 1 })?;
                from_item(known).map(Some)
            }
        }
    }

    /// A put within a transaction.
    pub(crate) fn put_action(&self, item: Item, change: &Change) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .set_condition_expression((!change.condition.is_empty()).then(|| change.condition.clone()))
            .set_expression_attribute_names(change.names())
            .set_expression_attribute_values(change.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build().map_err(StoreError::corrupt)?).build())
    }

    /// An update within a transaction.
    pub(crate) fn update_action(&self, key: &Key, change: &Change) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key_attributes(key)))
            .update_expression(&change.expression)
            .set_condition_expression((!change.condition.is_empty()).then(|| change.condition.clone()))
            .set_expression_attribute_names(change.names())
            .set_expression_attribute_values(change.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().update(update.build().map_err(StoreError::corrupt)?).build())
    }

    /// A deletion within a transaction.
    pub(crate) fn delete_action(&self, key: &Key, change: &Change) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(key_attributes(key)))
            .set_condition_expression((!change.condition.is_empty()).then(|| change.condition.clone()))
            .set_expression_attribute_values(change.values());
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(StoreError::corrupt)?).build())
    }
}
