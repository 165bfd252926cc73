//! The keys that Stripe's API is called with. (<https://docs.stripe.com/keys>)

/// Longest key, in bytes.
const BYTES_MAX: usize = 255;
/// Fewest characters after the prefix.
const TAIL_MIN: usize = 16;

/// A key's form: secret or restricted, then its mode.
const PREFIXES: [(&str, bool); 4] =
    [("sk_live_", true), ("sk_test_", false), ("rk_live_", true), ("rk_test_", false)];

/// Whether a key is one for live money; `None` for a text that is no secret or restricted key.
#[must_use]
pub fn livemode_of(key: &str) -> Option<bool> {
    let (tail, livemode) =
        PREFIXES.iter().find_map(|(prefix, livemode)| Some((key.strip_prefix(prefix)?, *livemode)))?;
    let fits = tail.len() >= TAIL_MIN && key.len() <= BYTES_MAX;
    (fits && tail.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')).then_some(livemode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_its_mode_and_what_is_none_says_nothing() {
        let tail = "51H0000000000000000";
        for (prefix, livemode) in PREFIXES {
            assert_eq!(livemode_of(&format!("{prefix}{tail}")), Some(livemode));
        }
        let long = format!("sk_test_{}", "x".repeat(BYTES_MAX));
        for text in [
            "",
            "sk_test_",
            "sk_test_short",
            "pk_test_51H0000000000000000",
            "whsec_51H0000000000000000",
            "SK_TEST_51H0000000000000000",
            "sk_test_51H00000000000000 0",
            "sk_test_51H00000000000000\n",
            "sk_test_51H0000000000000ö00",
            &long,
        ] {
            assert_eq!(livemode_of(text), None, "{text:?}");
        }
    }
}
