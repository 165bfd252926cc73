//! Embedded `DynamoDB`, and the template's tables in it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};
use dynoxide::Database;
use tokio::net::TcpListener;

use crate::template::{Index, Key, Table};

/// Starts the engine on a free loopback port, in memory or on a file.
///
/// A file is written with `SQLite`'s write-ahead log and its default of one sync per commit, so what was acknowledged is
/// still there after the process was killed.
pub(crate) async fn start(file: Option<&Path>) -> Result<SocketAddr> {
    let database = match file {
        Some(file) => Database::new(file.to_str().context("the state directory's path is not UTF-8")?),
        None => Database::memory(),
    }?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    Ok(address)
}

/// Makes sure that every table of the template exists.
pub async fn create_tables(client: &Client, tables: &[Table]) -> Result<()> {
    let existing = client.list_tables().send().await?.table_names.unwrap_or_default();
    for table in tables {
        let made = if existing.contains(&table.name) {
            check_table(client, table).await
        } else {
            create_table(client, table).await
        };
        made.with_context(|| format!("table {}", table.id))?;
    }
    Ok(())
}

/// A kept table whose layout is not the template's any more would fail much later and less clearly.
async fn check_table(client: &Client, table: &Table) -> Result<()> {
    let described = client.describe_table().table_name(&table.name).send().await?;
    let described = described.table.context("the engine described nothing")?;
    let indexes = described.global_secondary_indexes();
    let found: BTreeSet<&str> = indexes.iter().filter_map(|index| index.index_name()).collect();
    let wanted: BTreeSet<&str> = table.indexes.iter().map(|index| index.name.as_str()).collect();
    ensure!(
        found == wanted,
        "the state directory holds it with indexes {found:?}; the template wants {wanted:?}"
    );
    Ok(())
}

async fn create_table(client: &Client, table: &Table) -> Result<()> {
    let mut request = client
        .create_table()
        .table_name(&table.name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(key_schema(&table.keys)?))
        .set_attribute_definitions(Some(attribute_definitions(table)?));
    for index in &table.indexes {
        request = request.global_secondary_indexes(global_index(index)?);
    }
    request.send().await?;
    if let Some(attribute) = &table.ttl_attribute {
        let ttl = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(true).build()?;
        client.update_time_to_live().table_name(&table.name).time_to_live_specification(ttl).send().await?;
    }
    Ok(())
}

fn key_schema(keys: &[Key]) -> Result<Vec<KeySchemaElement>> {
    let element = |key: &Key| {
        let role = KeyType::from(key.role.as_str());
        Ok(KeySchemaElement::builder().attribute_name(&key.name).key_type(role).build()?)
    };
    keys.iter().map(element).collect()
}

fn attribute_definitions(table: &Table) -> Result<Vec<AttributeDefinition>> {
    let keys = table.keys.iter().chain(table.indexes.iter().flat_map(|index| &index.keys));
    let distinct: BTreeSet<(&str, &str)> = keys.map(|key| (key.name.as_str(), key.kind.as_str())).collect();
    let definition = |(name, kind): (&str, &str)| {
        let kind = ScalarAttributeType::from(kind);
        Ok(AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build()?)
    };
    distinct.into_iter().map(definition).collect()
}

fn global_index(index: &Index) -> Result<GlobalSecondaryIndex> {
    let attributes = &index.projection.non_key_attributes;
    let projection = Projection::builder()
        .projection_type(ProjectionType::from(index.projection.kind.as_str()))
        .set_non_key_attributes((!attributes.is_empty()).then(|| attributes.clone()))
        .build();
    let keys = key_schema(&index.keys)?;
    Ok(GlobalSecondaryIndex::builder()
        .index_name(&index.name)
        .set_key_schema(Some(keys))
        .projection(projection)
        .build()?)
}
