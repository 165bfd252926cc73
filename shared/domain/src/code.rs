//! Referral codes: `ABC-2345`, three letters of the account's name and four to eight signs, assigned by the system; and
//! promo codes, which a program owner chooses: `SUMMER25`, 3 to 20 letters and digits.
//!
//! Signs are digits and letters that nobody confuses or is offended by: [`SIGNS`] has no 0 O 1 I L, none of S Z B G
//! (read as 5 2 8 6) and no vowel, so hardly any word forms. In the other direction [`ReferralCode::parse`] reads a
//! sign or letter that was taken for its look-alike, since each place holds only one of the two. A text that has not the
//! form of a system code is read as a promo code, sign by sign as it was typed; so a promo code never changes what a
//! system code is read as.
//!
//! Four signs make 331,776 codes for one beginning; whoever finds a code taken asks for the next attempt, which
//! widens. A code is not a secret: it says who referred, and opens nothing.

mod filter;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::filter::is_clean;
use crate::id::digest;

/// The signs after the letters.
pub const SIGNS: &[u8; 24] = b"23456789CDFHJKMNPQRTVWXY";
/// Letters at the beginning.
pub const LETTERS: usize = 3;
/// Fewest signs after them.
pub const SIGNS_MIN: usize = 4;
/// Most signs after them.
pub const SIGNS_MAX: usize = 8;
/// Fewest signs of a promo code.
pub const PROMO_SIGNS_MIN: usize = 3;
/// Most signs of a promo code.
pub const PROMO_SIGNS_MAX: usize = 20;
/// Longest text that is looked at, in bytes.
pub const INPUT_BYTES_MAX: usize = 64;

/// The beginning of a code for a name that gives no usable letters.
const PLAIN_LETTERS: &str = "REF";
/// Fills up a name of one or two letters.
const PADDING: char = 'X';
/// How much of a name is looked at, in characters and in letters.
const NAME_CHARACTERS_MAX: usize = 256;
const NAME_LETTERS_MAX: usize = 12;
/// Draws until a clean code is found; about 5 in 100 are refused, more after SHI.
const DRAWS_MAX: u32 = 64;
/// Four digits (so that two bits choose one) that spell nothing, whatever their order.
const PLAIN_DIGITS: &[u8; 4] = b"2567";

/// A text that cannot be a referral code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Fewer than [`PROMO_SIGNS_MIN`] signs, or more than [`PROMO_SIGNS_MAX`].
    #[error("must have 3 to 20 letters and digits, such as ABC-2345 or SUMMER25")]
    Length,
    /// Neither a letter of A to Z nor a digit.
    #[error("may hold only letters of A to Z, digits, dashes and spaces")]
    Character,
}

/// A referral code or a promo code. Stored as `ABC2345` ([`Self::as_str`], and what serde writes); a system code is shown
/// as `ABC-2345` (`Display`), and so is a promo code of the same form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReferralCode(String);

impl ReferralCode {
    /// Reads a code as a person types it: case, dashes and white space do not count.
    ///
    /// # Errors
    /// [`CodeError`]; such a text is no code of anybody.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if text.len() > INPUT_BYTES_MAX {
            return Err(CodeError::Length);
        }
        let typed: String = text
            .chars()
            .filter(|character| !is_filler(*character))
            .map(|typed| typed.to_ascii_uppercase())
            .collect();
        if let Some(code) = read_system_code(&typed) {
            return Ok(Self(code));
        }
        if !typed.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(CodeError::Character);
        }
        let fits = (PROMO_SIGNS_MIN..=PROMO_SIGNS_MAX).contains(&typed.len());
        if fits { Ok(Self(typed)) } else { Err(CodeError::Length) }
    }

    /// The code of an account. `entropy` comes from a cryptographic source; `attempt` counts from 0 and rises when the
    /// code before was taken: attempts 0 and 1 have 4 signs, then 5, 6, 7 and 8. The same input gives the same code.
    #[must_use]
    pub fn generate(name: &str, entropy: &[u8; 32], attempt: u32) -> Self {
        let letters = letters_of(name);
        clean_signs(entropy, attempt, signs_of(attempt))
            .map(|signs| format!("{letters}{signs}"))
            .find(|code| is_clean(code))
            .map_or_else(|| last_resort(entropy, attempt), Self)
    }

    /// As stored: upper case, no dash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReferralCode {
    /// As shown: `ABC-2345`, `SUMMER25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_at_checked(LETTERS) {
            Some((letters, signs)) if read_system_code(&self.0).is_some() => write!(f, "{letters}-{signs}"),
            _ => f.write_str(&self.0),
        }
    }
}

impl TryFrom<String> for ReferralCode {
    type Error = CodeError;
    fn try_from(text: String) -> Result<Self, CodeError> {
        Self::parse(&text)
    }
}

impl From<ReferralCode> for String {
    fn from(code: ReferralCode) -> Self {
        code.0
    }
}

/// So many signs, drawn again and again: those draws that hold no refused word.
pub(crate) fn clean_signs(entropy: &[u8; 32], attempt: u32, length: usize) -> impl Iterator<Item = String> {
    (0..DRAWS_MAX)
        .map(move |draw| pick(&block(entropy, attempt, draw), SIGNS, length))
        .filter(move |signs| signs.len() == length && is_clean(signs))
}

/// So many digits, at most 32, of which no combination is refused.
pub(crate) fn plain_signs(entropy: &[u8; 32], attempt: u32, length: usize) -> String {
    pick(&block(entropy, attempt, DRAWS_MAX), PLAIN_DIGITS, length)
}

/// Whether a character separates and says nothing; phones and word processors turn `-` into longer dashes.
pub(crate) fn is_filler(character: char) -> bool {
    character.is_whitespace() || matches!(character, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// A system code as it is meant; `None` for a text of another form.
fn read_system_code(typed: &str) -> Option<String> {
    if !(LETTERS + SIGNS_MIN..=LETTERS + SIGNS_MAX).contains(&typed.len()) {
        return None;
    }
    let read =
        |(place, character)| if place < LETTERS { read_letter(character) } else { read_sign(character) };
    typed.chars().enumerate().map(read).collect()
}

/// What an upper-case character means among the letters. A 1 may be I or L, so it stays unread.
fn read_letter(character: char) -> Option<char> {
    let letter = match character {
        '0' => 'O',
        '2' => 'Z',
        '5' => 'S',
        '6' => 'G',
        '8' => 'B',
        other => other,
    };
    letter.is_ascii_uppercase().then_some(letter)
}

/// What an upper-case character means among the signs.
pub(crate) fn read_sign(character: char) -> Option<char> {
    let sign = match character {
        'Z' => '2',
        'S' => '5',
        'G' => '6',
        'B' => '8',
        other => other,
    };
    SIGNS.iter().any(|known| char::from(*known) == sign).then_some(sign)
}

const fn signs_of(attempt: u32) -> usize {
    match attempt {
        0 | 1 => SIGNS_MIN,
        2 => 5,
        3 => 6,
        4 => 7,
        _ => SIGNS_MAX,
    }
}

/// The first three letters of the folded name (Ömer: OME, 北京: BEI, Li: LIX); the next three in a row where those are
/// a word that nobody wants on a card (Houston: OUS).
fn letters_of(name: &str) -> String {
    let mut letters: Vec<char> = name
        .chars()
        .take(NAME_CHARACTERS_MAX)
        .filter_map(deunicode::deunicode_char)
        .flat_map(str::chars)
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_uppercase())
        .take(NAME_LETTERS_MAX)
        .collect();
    if !letters.is_empty() && letters.len() < LETTERS {
        letters.resize(LETTERS, PADDING);
    }
    letters
        .windows(LETTERS)
        .map(|window| window.iter().collect::<String>())
        .find(|window| is_clean(window))
        .unwrap_or_else(|| PLAIN_LETTERS.to_owned())
}

/// 32 fresh bytes for each attempt and draw: the entropy, extended by SHA-256.
fn block(entropy: &[u8; 32], attempt: u32, draw: u32) -> [u8; 32] {
    digest("referral code", &[&hex::encode(entropy), &attempt.to_string(), &draw.to_string()])
}

/// Up to `length` characters of `alphabet`, each equally likely: a byte above the last full multiple of the alphabet's
/// size is skipped. Fewer than `length` come out only if most of the bytes are skipped.
fn pick(bytes: &[u8; 32], alphabet: &[u8], length: usize) -> String {
    let limit = 256 - 256 % alphabet.len();
    let places = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < limit);
    places
        .filter_map(|byte| alphabet.get(byte % alphabet.len()).copied())
        .take(length)
        .map(char::from)
        .collect()
}

/// A code that cannot fail: fixed letters and digits of which no combination is refused.
fn last_resort(entropy: &[u8; 32], attempt: u32) -> ReferralCode {
    let digits = plain_signs(entropy, attempt, SIGNS_MAX);
    ReferralCode(format!("{PLAIN_LETTERS}{digits}"))
}

#[cfg(test)]
#[path = "code_tests.rs"]
mod tests;
