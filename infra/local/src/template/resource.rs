//! Tables, queues and secrets of the template.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::value::referenced;

/// One resource as it stands in the template.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Resource {
    /// The `CloudFormation` type, `AWS::SQS::Queue` for example.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The properties, with intrinsic functions in their long form.
    #[serde(default = "no_properties")]
    pub properties: Value,
    /// `Metadata`, where a function names its binary.
    #[serde(default)]
    pub metadata: Value,
    /// What happens to the resource when it leaves the stack.
    pub deletion_policy: Option<String>,
    /// What happens to the old resource when an update replaces it.
    pub update_replace_policy: Option<String>,
}

impl Resource {
    fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_value(self.properties.clone())?)
    }
}

/// A `DynamoDB` table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Logical id.
    pub id: String,
    /// Its name: `TableName` where that is a plain text, else the logical id.
    pub name: String,
    /// Partition key first, then the sort key if there is one.
    pub keys: Vec<Key>,
    /// Global secondary indexes.
    pub indexes: Vec<Index>,
    /// The attribute that holds an item's time to live, if it is enabled.
    pub ttl_attribute: Option<String>,
}

/// A key attribute of a table or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Attribute name.
    pub name: String,
    /// `HASH` or `RANGE`.
    pub role: String,
    /// `S`, `N` or `B`.
    pub kind: String,
}

/// A global secondary index.
#[derive(Debug, Clone)]
pub struct Index {
    /// Index name.
    pub name: String,
    /// Partition key first, then the sort key if there is one.
    pub keys: Vec<Key>,
    /// What the index holds beside the keys.
    pub projection: Projection,
}

/// The attributes that an index holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Projection {
    /// `KEYS_ONLY`, `INCLUDE` or `ALL`.
    #[serde(rename = "ProjectionType")]
    pub kind: String,
    /// The attributes of an `INCLUDE` projection.
    #[serde(default)]
    pub non_key_attributes: Vec<String>,
}

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Logical id.
    pub id: String,
    /// Its name: `QueueName` where that is a plain text, else the logical id.
    pub name: String,
    /// How long a received message stays hidden, in seconds.
    pub visibility_timeout_s: u32,
    /// How long a message is kept, in seconds.
    pub retention_s: u32,
    /// Where a message goes that was received too often.
    pub redrive: Option<Redrive>,
}

/// The way from a queue to its dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// Logical id of the dead-letter queue.
    pub dead_letter_queue: String,
    /// A message that was received this often moves there instead of being received again.
    pub receive_count_max: u32,
}

/// A generated secret.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Logical id.
    pub id: String,
    /// Number of characters that are generated.
    pub length: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableProperties {
    #[serde(default)]
    table_name: Value,
    attribute_definitions: Vec<AttributeDefinition>,
    key_schema: Vec<KeySchema>,
    #[serde(default)]
    global_secondary_indexes: Vec<IndexProperties>,
    time_to_live_specification: Option<TimeToLive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributeDefinition {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeySchema {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexProperties {
    index_name: String,
    key_schema: Vec<KeySchema>,
    projection: Projection,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLive {
    attribute_name: String,
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueProperties {
    #[serde(default)]
    queue_name: Value,
    #[serde(default = "default_visibility_timeout")]
    visibility_timeout: u32,
    #[serde(default = "default_retention")]
    message_retention_period: u32,
    redrive_policy: Option<RedrivePolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: Value,
    max_receive_count: u32,
}

fn no_properties() -> Value {
    Value::Object(Map::new())
}

/// What SQS takes when the template says nothing.
fn default_visibility_timeout() -> u32 {
    30
}

/// What SQS takes when the template says nothing.
fn default_retention() -> u32 {
    345_600
}

pub(super) fn read_all(document: &Value) -> Result<BTreeMap<String, Resource>> {
    let resources = document.get("Resources").context("the template has no Resources")?;
    Ok(serde_json::from_value(resources.clone())?)
}

pub(super) fn read_table(id: &str, resource: &Resource) -> Result<Table> {
    let properties: TableProperties = resource.read()?;
    let types = properties.attribute_definitions;
    let indexes = properties.global_secondary_indexes.into_iter().map(|index| {
        let keys = read_keys(index.key_schema, &types)?;
        Ok(Index { name: index.index_name, keys, projection: index.projection })
    });
    Ok(Table {
        id: id.to_owned(),
        name: properties.table_name.as_str().unwrap_or(id).to_owned(),
        indexes: indexes.collect::<Result<_>>()?,
        keys: read_keys(properties.key_schema, &types)?,
        ttl_attribute: properties
            .time_to_live_specification
            .filter(|ttl| ttl.enabled)
            .map(|ttl| ttl.attribute_name),
    })
}

fn read_keys(schema: Vec<KeySchema>, types: &[AttributeDefinition]) -> Result<Vec<Key>> {
    let key = |part: KeySchema| {
        let definition = types.iter().find(|definition| definition.attribute_name == part.attribute_name);
        let definition =
            definition.with_context(|| format!("key {} has no definition", part.attribute_name))?;
        Ok(Key { name: part.attribute_name, role: part.key_type, kind: definition.attribute_type.clone() })
    };
    schema.into_iter().map(key).collect()
}

pub(super) fn read_queue(id: &str, resource: &Resource) -> Result<Queue> {
    let properties: QueueProperties = resource.read()?;
    let redrive = properties.redrive_policy.map(|policy| {
        let target =
            referenced(&policy.dead_letter_target_arn).context("deadLetterTargetArn names no queue")?;
        Ok::<_, anyhow::Error>(Redrive {
            dead_letter_queue: target.to_owned(),
            receive_count_max: policy.max_receive_count,
        })
    });
    Ok(Queue {
        id: id.to_owned(),
        name: properties.queue_name.as_str().unwrap_or(id).to_owned(),
        visibility_timeout_s: properties.visibility_timeout,
        retention_s: properties.message_retention_period,
        redrive: redrive.transpose()?,
    })
}

pub(super) fn read_secret(id: &str, resource: &Resource) -> Result<Secret> {
    let length = resource.properties.pointer("/GenerateSecretString/PasswordLength").and_then(Value::as_u64);
    Ok(Secret { id: id.to_owned(), length: usize::try_from(length.unwrap_or(32))? })
}
