//! The rows of a table: taken out, compared, and put back.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use local::direct::{DirectTable, Row, Value};

/// A row, and a number that equal rows share.
#[derive(Debug)]
pub struct Kept {
    row: Row,
    pub(super) hash: u64,
}

impl Kept {
    fn new(row: Row) -> Self {
        let hash = row.iter().fold(0_u64, |sum, (name, value)| sum.wrapping_add(hash_of(name, value)));
        Self { row, hash }
    }

    /// As the SDK reads it.
    pub fn as_item(&self) -> aws::store::Item {
        self.row.iter().map(|(name, value)| (name.clone(), as_attribute(value))).collect()
    }

    /// Whether it has an attribute.
    pub fn has(&self, name: &str) -> bool {
        self.row.contains_key(name)
    }

    /// An attribute.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.row.get(name)
    }

    /// A text attribute, or nothing.
    pub fn text(&self, name: &str) -> &str {
        match self.row.get(name) {
            Some(Value::S(text)) => text,
            _ => "",
        }
    }

    /// A whole number, or 0.
    pub fn number(&self, name: &str) -> i64 {
        match self.row.get(name) {
            Some(Value::N(digits)) => digits.parse().unwrap(),
            _ => 0,
        }
    }
}

fn as_attribute(value: &Value) -> AttributeValue {
    match value {
        Value::S(text) => AttributeValue::S(text.clone()),
        Value::N(digits) => AttributeValue::N(digits.clone()),
        Value::BOOL(flag) => AttributeValue::Bool(*flag),
        Value::NULL(flag) => AttributeValue::Null(*flag),
        Value::SS(set) => AttributeValue::Ss(set.clone()),
        Value::NS(set) => AttributeValue::Ns(set.clone()),
        Value::L(list) => AttributeValue::L(list.iter().map(as_attribute).collect()),
        Value::M(map) => {
            AttributeValue::M(map.iter().map(|(name, value)| (name.clone(), as_attribute(value))).collect())
        }
        Value::B(_) | Value::BS(_) => unreachable!("the product stores no bytes"),
    }
}

/// Maps of the engine have no order: each member counts alone.
fn hash_of(name: &str, value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    match value {
        Value::S(text) | Value::N(text) => text.hash(&mut hasher),
        Value::B(bytes) => bytes.hash(&mut hasher),
        Value::BOOL(flag) | Value::NULL(flag) => flag.hash(&mut hasher),
        Value::SS(set) | Value::NS(set) => set.hash(&mut hasher),
        Value::BS(set) => set.hash(&mut hasher),
        Value::L(list) => list.iter().for_each(|member| hash_of("", member).hash(&mut hasher)),
        Value::M(map) => {
            let sum = map.iter().fold(0_u64, |sum, (name, value)| sum.wrapping_add(hash_of(name, value)));
            sum.hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// The rows of a table, by key.
pub type Rows = BTreeMap<(String, String), Arc<Kept>>;

/// A table that knows what it held when it was last looked at.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) direct: DirectTable,
    name: String,
    seen: RefCell<Rows>,
    /// How often it had been written to then.
    writes: Cell<u64>,
}

impl Table {
    pub(super) fn new(direct: DirectTable, name: &str) -> Self {
        Self { direct, name: name.to_owned(), seen: RefCell::default(), writes: Cell::new(u64::MAX) }
    }

    /// Every row, when it has been written to so often; those that have not changed are the ones that were seen before.
    pub(super) fn rows(&self, writes: u64) -> Rows {
        if self.writes.replace(writes) == writes {
            return self.seen.borrow().clone();
        }
        self.look()
    }

    /// Every row.
    pub(super) fn look(&self) -> Rows {
        let seen = self.seen.borrow();
        let mut rows = Rows::new();
        for row in self.direct.rows(&self.name).unwrap() {
            let row = Kept::new(row);
            let key = (row.text("pk").to_owned(), row.text("sk").to_owned());
            let same = seen.get(&key).filter(|seen| seen.hash == row.hash).cloned();
            rows.insert(key, same.unwrap_or_else(|| Arc::new(row)));
        }
        drop(seen);
        self.seen.replace(rows.clone());
        rows
    }

    /// Makes these all the rows that there are, where `found` are all that there were.
    pub(super) fn set(&self, found: &Rows, rows: &Rows) {
        for ((pk, sk), _) in found.iter().filter(|(key, _)| !rows.contains_key(key)) {
            let key = [("pk", pk), ("sk", sk)].map(|(name, text)| (name.to_owned(), Value::S(text.clone())));
            self.direct.delete(&self.name, key.into()).unwrap();
        }
        for (key, row) in rows {
            if found.get(key).is_none_or(|found| found.hash != row.hash) {
                self.direct.put(&self.name, row.row.clone()).unwrap();
            }
        }
        self.seen.replace(rows.clone());
    }
}
