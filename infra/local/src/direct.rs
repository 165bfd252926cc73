//! Embedded `DynamoDB` without a socket: what an SDK would send, answered in the process.

use std::fmt;

use anyhow::Result;
use dynoxide::actions::{delete_item::DeleteItemRequest, put_item::PutItemRequest, scan::ScanRequest};
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One database in memory.
#[derive(Clone)]
pub struct DirectTable {
    database: Database,
}

impl fmt::Debug for DirectTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DirectTable")
    }
}

/// A row as the engine keeps it.
pub type Row = dynoxide::Item;
/// A value of a row.
pub use dynoxide::AttributeValue as Value;

/// An HTTP status and a body of the `DynamoDB` protocol.
pub(crate) type Answer = (u16, String);

impl DirectTable {
    /// An empty one.
    pub fn new() -> Result<Self> {
        Ok(Self { database: Database::memory()? })
    }

    /// Every row of a table.
    pub fn rows(&self, table: &str) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        let mut from = None;
        loop {
            let scan =
                ScanRequest { table_name: table.to_owned(), exclusive_start_key: from, ..Default::default() };
            let page = self.database.scan(scan)?;
            rows.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(rows);
            }
        }
    }

    /// Writes a row, whatever was there.
    pub fn put(&self, table: &str, row: Row) -> Result<()> {
        let put = PutItemRequest { table_name: table.to_owned(), item: row, ..Default::default() };
        self.database.put_item(put)?;
        Ok(())
    }

    /// Removes a row.
    pub fn delete(&self, table: &str, key: Row) -> Result<()> {
        let delete = DeleteItemRequest { table_name: table.to_owned(), key, ..Default::default() };
        self.database.delete_item(delete)?;
        Ok(())
    }

    /// Answers one request, given by the operation of its `x-amz-target` and its body.
    pub fn answer(&self, operation: &str, body: &[u8]) -> Answer {
        let database = &self.database;
        match operation {
            "GetItem" => run(body, |request| database.get_item(request)),
            "PutItem" => run(body, |request| database.put_item(request)),
            "UpdateItem" => run(body, |request| database.update_item(request)),
            "DeleteItem" => run(body, |request| database.delete_item(request)),
            "Query" => run(body, |request| database.query(request)),
            "TransactWriteItems" => run(body, |request| database.transact_write_items(request)),
            "BatchGetItem" => run(body, |request| database.batch_get_item(request)),
            "ListTables" => run(body, |request| database.list_tables(request)),
            "CreateTable" => run(body, |request| database.create_table(request)),
            "DescribeTable" => run(body, |request| database.describe_table(request)),
            "UpdateTimeToLive" => run(body, |request| database.update_time_to_live(request)),
            _ => (400, r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#.to_owned()),
        }
    }
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    operation: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Answer {
    let answer = serde_json::from_slice(body)
        .map_err(|error| DynoxideError::SerializationException(error.to_string()))
        .and_then(operation)
        .and_then(|answer| {
            serde_json::to_string(&answer)
                .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
        });
    answer.map_or_else(|error| (error.status_code(), error.to_json()), |body| (200, body))
}
