//! What some processors write as text that others write as numbers, and what is only looked at.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Document, refuse, require};
use crate::id::ProcessorRef;
use crate::money::AMOUNT_MAX;
use crate::webhook::EventError;

/// Most characters of an amount that is read as a number: a sign and 18 digits.
const AMOUNT_CHARS_MAX: usize = 19;

impl Document {
    /// Minor units from 0 to [`AMOUNT_MAX`], written as a text.
    pub(crate) fn amount_text(&self, pointer: &str) -> Result<i64, EventError> {
        let text = require(pointer, self.text(pointer)?)?;
        let amount = whole(text).filter(|amount| (0..=AMOUNT_MAX).contains(amount));
        let problem = || refuse(pointer, format!("must be a text of a whole number from 0 to {AMOUNT_MAX}"));
        amount.ok_or_else(problem)
    }

    /// Minor units of either sign, written as a text.
    pub(crate) fn signed_text(&self, pointer: &str) -> Result<Option<i64>, EventError> {
        let Some(text) = self.text(pointer)? else { return Ok(None) };
        let amount = whole(text).filter(|amount| (-AMOUNT_MAX..=AMOUNT_MAX).contains(amount));
        let problem = || {
            let problem = format!("must be a text of a whole number from -{AMOUNT_MAX} to {AMOUNT_MAX}");
            refuse(pointer, problem)
        };
        amount.map(Some).ok_or_else(problem)
    }

    /// A moment since 1970, written as RFC 3339 has it.
    pub(crate) fn moment(&self, pointer: &str) -> Result<Option<DateTime<Utc>>, EventError> {
        let Some(text) = self.text(pointer)? else { return Ok(None) };
        let moment = DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc());
        let moment = moment.filter(|moment| moment.timestamp() >= 0);
        moment.map(Some).ok_or_else(|| refuse(pointer, "must be an RFC 3339 time since 1970"))
    }

    /// Whether there is anything but null.
    pub(crate) fn has(&self, pointer: &str) -> bool {
        self.find(pointer).is_some()
    }

    /// The number of a list's members; none where it is no list.
    pub(crate) fn count(&self, pointer: &str) -> usize {
        self.find(pointer).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// An id, and nothing where the document has something else: for what is only looked at.
    pub(crate) fn short_reference(&self, pointer: &str) -> Option<ProcessorRef> {
        ProcessorRef::parse(self.find(pointer)?.as_str()?).ok()
    }
}

/// A plain whole number: digits, and a minus before them where it is below zero.
fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (plain && text.len() <= AMOUNT_CHARS_MAX).then(|| text.parse().ok()).flatten()
}
