//! Pages of lists: `limit` of 1 to 100, and an opaque `cursor`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::Problem;

/// Most rows of a page.
pub const LIMIT_MAX: i32 = 100;
/// Longest cursor, in bytes.
const CURSOR_BYTES_MAX: usize = 1_000;
/// Digits of the check in front of a cursor's position.
const CHECK_DIGITS: usize = 8;

/// How many rows a page may have; 50 unless told.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "i32")]
pub struct Limit(i32);

impl TryFrom<i32> for Limit {
    type Error = String;
    fn try_from(limit: i32) -> Result<Self, String> {
        let fits = (1..=LIMIT_MAX).contains(&limit);
        if fits { Ok(Self(limit)) } else { Err(format!("limit must be 1 to {LIMIT_MAX}")) }
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl Limit {
    /// The number.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

/// A position in a list as it is shown. `list` names the list (its kind and filters): a cursor works for that list
/// alone.
#[must_use]
pub fn seal_cursor(list: &str, position: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}{position}", check_digits(list, position)))
}

/// Ties a position to its list, and tells one that was changed on the way.
fn check_digits(list: &str, position: &str) -> String {
    format!("{:08x}", crc32fast::hash(format!("{list}\n{position}").as_bytes()))
}

/// Reads a cursor back. It holds nothing that its owner may not see, and a forged one reaches nothing outside the
/// caller's own partition: the partition key is never taken from it alone.
///
/// # Errors
/// 400 for a cursor of another list or none.
pub fn open_cursor(list: &str, cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let wrong = || Problem::field("?cursor", "must be the next_cursor of a page of this list");
    let bytes = Some(cursor).filter(|cursor| cursor.len() <= CURSOR_BYTES_MAX);
    let bytes = bytes.and_then(|cursor| URL_SAFE_NO_PAD.decode(cursor).ok()).ok_or_else(wrong)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let parts = text.split_at_checked(CHECK_DIGITS);
    let position = parts.filter(|(digits, position)| *digits == check_digits(list, position));
    position.map(|(_, position)| Some(position.to_owned())).ok_or_else(wrong)
}
