//! Reads a JSON document by pointers, so that every refusal names the field that caused it.
//!
//! A field that is absent or `null` reads as `None`: processors leave out in one version what they null in another.

mod texts;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::EventError;
use crate::id::ProcessorRef;
use crate::money::{AMOUNT_MAX, Currency};

/// The last second of the year 9999, beyond which a time has no four-digit year.
const SECONDS_MAX: i64 = 253_402_300_799;

pub(crate) struct Document(Value);

impl Document {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, EventError> {
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|error| EventError::NotJson { line: error.line(), column: error.column() })
    }

    fn find(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, pointer: &str) -> Result<Option<&str>, EventError> {
        let Some(value) = self.find(pointer) else {
            return Ok(None);
        };
        value.as_str().map(Some).ok_or_else(|| refuse(pointer, "must be a string"))
    }

    pub(crate) fn flag(&self, pointer: &str) -> Result<Option<bool>, EventError> {
        let Some(value) = self.find(pointer) else {
            return Ok(None);
        };
        value.as_bool().map(Some).ok_or_else(|| refuse(pointer, "must be true or false"))
    }

    /// An id; where the processor expanded it, the `id` of the object in its place.
    pub(crate) fn reference(&self, pointer: &str) -> Result<Option<ProcessorRef>, EventError> {
        let Some(value) = self.find(pointer) else {
            return Ok(None);
        };
        let inner = if value.is_object() { format!("{pointer}/id") } else { pointer.to_owned() };
        let id = require(&inner, self.text(&inner)?)?;
        ProcessorRef::parse(id).map(Some).map_err(|error| refuse(&inner, error))
    }

    pub(crate) fn currency(&self, pointer: &str) -> Result<Currency, EventError> {
        let code = require(pointer, self.text(pointer)?)?;
        Currency::parse(code).map_err(|error| refuse(pointer, error))
    }

    /// Minor units from 0 to [`AMOUNT_MAX`].
    pub(crate) fn amount(&self, pointer: &str) -> Result<i64, EventError> {
        let problem = || refuse(pointer, format!("must be a whole number from 0 to {AMOUNT_MAX}"));
        let value = require(pointer, self.find(pointer))?;
        value.as_i64().filter(|amount| (0..=AMOUNT_MAX).contains(amount)).ok_or_else(problem)
    }

    /// Minor units of either sign.
    pub(crate) fn signed(&self, pointer: &str) -> Result<Option<i64>, EventError> {
        let problem =
            || refuse(pointer, format!("must be a whole number from -{AMOUNT_MAX} to {AMOUNT_MAX}"));
        let Some(value) = self.find(pointer) else {
            return Ok(None);
        };
        let amount = value.as_i64().filter(|amount| (-AMOUNT_MAX..=AMOUNT_MAX).contains(amount));
        amount.map(Some).ok_or_else(problem)
    }

    pub(crate) fn time(&self, pointer: &str) -> Result<Option<DateTime<Utc>>, EventError> {
        let Some(value) = self.find(pointer) else {
            return Ok(None);
        };
        let seconds = value.as_i64().filter(|seconds| (0..=SECONDS_MAX).contains(seconds));
        let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        time.map(Some).ok_or_else(|| refuse(pointer, "must be a time in whole seconds since 1970"))
    }

    /// A text of at most so many bytes, and nothing where the document has something else: for what is only looked at.
    pub(crate) fn short_text(&self, pointer: &str, bytes_max: usize) -> Option<&str> {
        let text = self.find(pointer)?.as_str()?;
        (1..=bytes_max).contains(&text.len()).then_some(text)
    }

    /// The number of a list's members, at most so many; none where it is no list.
    pub(crate) fn length(&self, pointer: &str, max: usize) -> usize {
        self.find(pointer).and_then(Value::as_array).map_or(0, |members| members.len().min(max))
    }

    /// The texts of an object by key, as far as they are that short; at most so many.
    pub(crate) fn short_texts(&self, pointer: &str, bytes_max: usize, max: usize) -> Vec<(&str, &str)> {
        let fits = |text: &&str| (1..=bytes_max).contains(&text.len());
        let Some(object) = self.find(pointer).and_then(Value::as_object) else { return Vec::new() };
        let texts = object.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        texts.filter(|(key, value)| fits(key) && fits(value)).take(max).collect()
    }

    /// The pointers of a list's members; none when the list is absent.
    pub(crate) fn members(&self, pointer: &str, max: usize) -> Result<Option<Vec<String>>, EventError> {
        let Some(value) = self.find(pointer) else {
            return Ok(None);
        };
        let count = value.as_array().ok_or_else(|| refuse(pointer, "must be a list"))?.len();
        if count > max {
            return Err(refuse(pointer, format!("must have at most {max} members")));
        }
        Ok(Some((0..count).map(|index| format!("{pointer}/{index}")).collect()))
    }
}

pub(crate) fn refuse(pointer: &str, problem: impl ToString) -> EventError {
    EventError::Field { pointer: pointer.to_owned(), problem: problem.to_string() }
}

pub(crate) fn require<T>(pointer: &str, found: Option<T>) -> Result<T, EventError> {
    found.ok_or_else(|| refuse(pointer, "is missing"))
}
