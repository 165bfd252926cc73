//! Reading lists page by page.

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity};

use super::Store;
use super::error::{StoreError, classify};
use super::item::{Item, key_attributes, key_of, text, text_of};
use super::keys::{Key, LIST_SHARDS, LISTING_INDEX};
use crate::meter::Direction;

/// Part of a list, and where to go on.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Opaque; absent at the end.
    pub next: Option<String>,
}

/// A query of one partition.
#[derive(Debug, Clone)]
pub(crate) struct Range<'a> {
    pub(crate) index: Option<&'a str>,
    pub(crate) pk: &'a str,
    /// First sort key, inclusive.
    pub(crate) from: &'a str,
    /// Last sort key, inclusive.
    pub(crate) to: &'a str,
    pub(crate) newest_first: bool,
    pub(crate) limit: i32,
    pub(crate) consistent: bool,
    /// What the table's own partition key must begin with; other rows are left out before they are answered.
    pub(crate) within: Option<&'a str>,
}

impl<'a> Range<'a> {
    /// Everything of a partition of the table that starts with a prefix, oldest first.
    pub(crate) fn new(pk: &'a str, from: &'a str, to: &'a str, limit: i32) -> Self {
        Self { index: None, pk, from, to, newest_first: false, limit, consistent: false, within: None }
    }
}

impl Store {
    /// One page of a range, and the key to go on after.
    pub(crate) async fn query(
        &self,
        range: &Range<'_>,
        after: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let (pk, sk) = match range.index {
            Some(index) => (format!("{index}_pk"), format!("{index}_sk")),
            None => ("pk".to_owned(), "sk".to_owned()),
        };
        // Nothing follows a place outside the range; DynamoDB would call it an error of ours.
        if after.as_ref().is_some_and(|key| !(range.from..=range.to).contains(&text_of(key, &sk))) {
            return Ok((Vec::new(), None));
        }
        self.meter.request();
        let request = self
            .client
            .query()
            .table_name(&self.table)
            .set_index_name(range.index.map(str::to_owned))
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to")
            .expression_attribute_names("#pk", pk)
            .expression_attribute_names("#sk", sk)
            .expression_attribute_values(":pk", text(range.pk))
            .expression_attribute_values(":from", text(range.from))
            .expression_attribute_values(":to", text(range.to))
            .scan_index_forward(!range.newest_first)
            .limit(range.limit)
            .set_exclusive_start_key(after)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let request = if range.consistent { request.consistent_read(true) } else { request };
        let request = match range.within {
            Some(within) => request
                .filter_expression("begins_with(#own, :within)")
                .expression_attribute_names("#own", "pk")
                .expression_attribute_values(":within", text(within)),
            None => request,
        };
        let output = request.send().await.map_err(classify)?;
        self.meter.consumed(Direction::Read, output.consumed_capacity());
        Ok((output.items.unwrap_or_default(), output.last_evaluated_key))
    }

    /// The keys of rows of a list in several shards of the listing index, oldest first, page by page: at most 100.
    pub(crate) async fn list_sharded(
        &self,
        partition: impl Fn(u32) -> String,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Key>, StoreError> {
        let from = after.map_or_else(|| "0".to_owned(), |after| format!("{after}!"));
        if from.as_str() > "~" {
            return Ok(Page { rows: Vec::new(), next: None });
        }
        let most = i32::try_from(limit).unwrap_or(i32::MAX);
        let mut found: Vec<(String, Key)> = Vec::new();
        let mut more = false;
        for shard in 0..LIST_SHARDS {
            let pk = partition(shard);
            let mut range = Range::new(&pk, &from, "~", most);
            range.index = Some(LISTING_INDEX);
            let (items, next) = self.query(&range, None).await?;
            more |= next.is_some();
            found.extend(items.iter().map(|item| (text_of(item, "listing_sk").to_owned(), key_of(item))));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        more |= found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(position, _)| position.clone());
        Ok(Page { rows: found.into_iter().map(|(_, key)| key).collect(), next })
    }

    /// Reads rows by key, in the order of the keys; rows that are gone are left out. At most 100 keys.
    pub(crate) async fn get_all(&self, keys: &[Key]) -> Result<Vec<Item>, StoreError> {
        self.get_all_as(keys, false).await
    }

    /// The same by strong reads, where that is asked for.
    pub(crate) async fn get_all_as(&self, keys: &[Key], consistent: bool) -> Result<Vec<Item>, StoreError> {
        let mut found: Vec<Item> = Vec::new();
        let mut wanted: Vec<Item> = keys.iter().map(key_attributes).collect();
        // DynamoDB may answer part of a batch; each round asks for the rest and ends with progress or an error.
        while !wanted.is_empty() {
            self.meter.request();
            let asked = wanted.len();
            let batch =
                KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(consistent).build();
            let request = self
                .client
                .batch_get_item()
                .request_items(&self.table, batch.map_err(StoreError::corrupt)?)
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            let output = request.send().await.map_err(classify)?;
            self.meter.consumed(Direction::Read, output.consumed_capacity());
            found.extend(output.responses.unwrap_or_default().into_values().flatten());
            let rest = output.unprocessed_keys.unwrap_or_default().into_values().flat_map(|rest| rest.keys);
            wanted = rest.collect();
            if wanted.len() == asked {
                return Err(StoreError::Throttled { detail: "a batch of reads made no progress".to_owned() });
            }
        }
        let position = |item: &Item| keys.iter().position(|key| *key == key_of(item));
        found.sort_by_key(position);
        Ok(found)
    }
}

/// A key to go on after, as text: the attribute values in the order of `names`, joined.
pub(crate) fn write_cursor(key: &Item, names: &[&str]) -> String {
    let value = |name: &&str| key.get(*name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
    names.iter().map(value).collect::<Vec<_>>().join("\n")
}

/// Reads a cursor back; `None` when it is not of that form.
pub(crate) fn read_cursor(cursor: &str, names: &[&str]) -> Option<Item> {
    let values: Vec<&str> = cursor.split('\n').collect();
    (values.len() == names.len()).then(|| {
        let pairs = names.iter().zip(values);
        pairs.map(|(name, value)| ((*name).to_owned(), AttributeValue::S(value.to_owned()))).collect()
    })
}

/// The key to go on after: what the cursor says, within the partition that is asked for.
pub(crate) fn after(cursor: Option<&str>, names: &[&str], partition: (&str, &str)) -> Option<Item> {
    let mut key = read_cursor(cursor?, names)?;
    key.insert(partition.0.to_owned(), text(partition.1));
    Some(key)
}
