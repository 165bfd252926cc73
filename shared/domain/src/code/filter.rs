//! Which texts no code may hold. A code is short and drawn at random, so this can be stricter and much smaller than a
//! filter of what people write: every listed word is refused wherever it stands, and there are no exceptions to keep.
//!
//! `refused.txt` is what can stand in a code at all of the word list of the crate rustrict 0.7 (copyright 2021 Finn
//! Bear, MIT licence), any kind and severity, without words that hold another one, and without PP. The tests hold this
//! filter against that crate. Building that crate's own index takes 26 ms and 19 MB, in every start of the function that
//! issues codes; this one needs no index.

/// One word a line, sorted, lower case; a few hold digits.
const REFUSED: &str = include_str!("refused.txt");

/// Whether no refused word is in the text, whatever its signs can be read as.
pub(super) fn is_clean(text: &str) -> bool {
    let text = text.to_ascii_lowercase().into_bytes();
    let readable = (0..=u8::MAX)
        .filter(|letter| text.iter().any(|sign| reads_as(*sign, *letter)))
        .fold(0_u128, |all, letter| all | bit(letter));
    let possible = |word: &&str| word.bytes().all(|letter| readable & bit(letter) != 0);
    !REFUSED.lines().filter(possible).any(|word| stands_in(&text, word.as_bytes()))
}

/// A set of ASCII characters is a number with one bit for each.
const fn bit(character: u8) -> u128 {
    if character.is_ascii() { 1 << character } else { 0 }
}

fn stands_in(mut text: &[u8], word: &[u8]) -> bool {
    loop {
        if begins(text, word) {
            return true;
        }
        let Some((_, rest)) = text.split_first() else { return false };
        text = rest;
    }
}

/// Whether a text begins with a word. Within the word a letter said twice counts once, and a digit that is none of its
/// letters is passed over.
fn begins(text: &[u8], word: &[u8]) -> bool {
    let mut letters = word.iter();
    let mut next = letters.next();
    let mut last = None;
    for sign in text {
        let Some(letter) = next else { return true };
        if reads_as(*sign, *letter) {
            last = next;
            next = letters.next();
        } else if !last.is_some_and(|last| sign.is_ascii_digit() || reads_as(*sign, *last)) {
            return false;
        }
    }
    next.is_none()
}

/// Whether a sign can be read as a letter.
fn reads_as(sign: u8, letter: u8) -> bool {
    let others: &[u8] = match sign {
        b'2' => b"zs",
        b'3' => b"beg",
        b'4' => b"a",
        b'5' | b'z' => b"s",
        b'6' => b"bsg",
        b'7' => b"t",
        b'8' => b"bh",
        b'9' => b"gpq",
        b'i' => b"l",
        b'j' | b'l' => b"i",
        b'k' => b"c",
        b'u' => b"v",
        b'v' => b"u",
        b'x' => b"ceiu",
        _ => b"",
    };
    sign == letter || others.contains(&letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustrict::{Censor, Type};

    use super::*;

    /// The larger filter's verdict on the text as it is and with its digits read as letters.
    fn larger_filter_takes(text: &str) -> bool {
        let refused = Type::PROFANE | Type::OFFENSIVE | Type::SEXUAL | Type::MEAN;
        let plain = text.to_ascii_lowercase();
        let read: String = plain.chars().map(digit_as_letter).collect();
        [plain, read].iter().all(|text| Censor::from_str(text).analyze().isnt(refused))
    }

    const fn digit_as_letter(character: char) -> char {
        match character {
            '2' => 'z',
            '3' => 'e',
            '4' => 'a',
            '5' => 's',
            '6' | '9' => 'g',
            '7' => 't',
            '8' => 'b',
            other => other,
        }
    }

    #[test]
    fn the_list_is_sorted_and_no_word_holds_another() {
        let words: Vec<&str> = REFUSED.lines().collect();
        assert!(words.is_sorted() && words.len() > 1_000);
        for word in &words {
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{word}");
            assert!(!words.iter().any(|other| other != word && word.contains(other)), "{word}");
            assert!(!is_clean(word), "{word}");
        }
    }

    #[test]
    fn every_beginning_that_the_larger_filter_refuses_is_refused() {
        let letters = || 'A'..='Z';
        for first in letters() {
            for second in letters() {
                for third in letters() {
                    let text: String = [first, second, third].iter().collect();
                    // It takes PP for a word.
                    assert!(larger_filter_takes(&text) || text.contains("PP") || !is_clean(&text), "{text}");
                }
            }
        }
    }

    #[test]
    fn most_beginnings_and_codes_stay() {
        for kept in ["ANN", "APP", "BLU", "FUJ", "HEL", "ZOE", "MARK234", "C4T", "ANN-DV7R"] {
            assert!(is_clean(kept), "{kept}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        // Of the 24^4 shortest ends, 9,403 are refused there; of these, 14 are not here, where PP is not in them.
        #[test]
        fn hardly_any_end_that_the_larger_filter_refuses_is_taken(end in "[23456789CDFHJKMNQRTVWXY]{4}") {
            prop_assert!(!is_clean(&end) || larger_filter_takes(&end) || end.contains("FV") || end.contains("FX"));
        }
    }
}
