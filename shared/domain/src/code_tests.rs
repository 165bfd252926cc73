use proptest::prelude::*;

use super::*;

const ENTROPY: [u8; 32] = [7; 32];

fn letters(name: &str) -> String {
    ReferralCode::generate(name, &ENTROPY, 0).as_str().get(..LETTERS).unwrap().to_owned()
}

#[test]
fn a_code_is_matched_without_case_dash_or_space() {
    for text in ["ABC-2345", "abc2345", " aBc - 23 45 ", "ABC\u{2013}2345", "\u{a0}ABC\u{2212}23-45\t"] {
        let code = ReferralCode::parse(text).unwrap();
        assert_eq!((code.as_str(), code.to_string().as_str()), ("ABC2345", "ABC-2345"), "{text:?}");
    }
}

#[test]
fn a_look_alike_is_read_as_what_the_place_can_hold() {
    for (text, code) in [("ABC-SZBG", "ABC-5286"), ("0AK-2345", "OAK-2345"), ("528-2345", "SZB-2345")] {
        assert_eq!(ReferralCode::parse(text).unwrap().to_string(), code);
    }
}

#[test]
fn anything_else_is_no_code() {
    for text in ["", "-", "AB", "A-B", &"A".repeat(21), &"-".repeat(65), &"A".repeat(1_000_000)] {
        assert_eq!(ReferralCode::parse(text), Err(CodeError::Length), "{} bytes", text.len());
    }
    for text in ["ABC-23#5", "ÄBC-2345", "ABC_2345", "AB-C23.5", "ABC-٢٣٤٥"] {
        assert_eq!(ReferralCode::parse(text), Err(CodeError::Character), "{text}");
    }
}

#[test]
fn what_has_not_the_form_of_a_system_code_is_a_promo_code() {
    for (text, stored) in [
        ("SUMMER25", "SUMMER25"),
        ("summer-25", "SUMMER25"),
        ("abc", "ABC"),
        ("1BC-2345", "1BC2345"),
        ("ABC-1234", "ABC1234"),
        ("ABC-O234", "ABCO234"),
        ("ABC-234567892", "ABC234567892"),
        ("A2345678901234567890", "A2345678901234567890"),
    ] {
        let code = ReferralCode::parse(text).unwrap();
        assert_eq!((code.as_str(), code.to_string().as_str()), (stored, stored), "{text}");
    }
}

#[test]
fn a_promo_code_of_the_form_of_a_system_code_is_read_as_one() {
    let code = ReferralCode::parse("BLACK24").unwrap();
    assert_eq!((code.as_str(), code.to_string().as_str()), ("BLACK24", "BLA-CK24"));
    assert_eq!(ReferralCode::parse("bla-ck24"), Ok(code));
}

#[test]
fn the_signs_hold_no_look_alikes_and_no_vowels() {
    assert!(SIGNS.is_sorted() && SIGNS.iter().all(|sign| !b"01OILSZBGAEU".contains(sign)));
}

#[test]
fn serde_writes_the_stored_form_and_reads_either() {
    let code: ReferralCode = serde_json::from_str("\"abc-2345\"").unwrap();
    assert_eq!(serde_json::to_string(&code).unwrap(), "\"ABC2345\"");
    assert!(serde_json::from_str::<ReferralCode>("\"A-1\"").is_err());
}

#[test]
fn the_letters_come_from_the_folded_name() {
    let cases = [
        ("Marketplace GmbH", "MAR"),
        ("Ömer & Söhne", "OME"),
        ("Łódź", "LOD"),
        ("Ægir", "AEG"),
        ("北京", "BEI"),
        ("O'Hara", "OHA"),
        ("4 You Ltd", "YOU"),
        ("Li", "LIX"),
        ("Q", "QXX"),
        ("42", "REF"),
        ("", "REF"),
        ("\u{301}\u{200b}", "REF"),
    ];
    for (name, expected) in cases {
        assert_eq!(letters(name), expected, "{name}");
    }
}

#[test]
fn an_unlucky_name_gives_other_letters() {
    for (name, expected) in
        [("Houston", "OUS"), ("Brandon", "RAN"), ("Assmann", "SSM"), ("Se", "REF"), ("XX", "REF")]
    {
        assert_eq!(letters(name), expected, "{name}");
    }
}

#[test]
fn a_long_name_costs_no_more() {
    assert_eq!(letters(&" ".repeat(1_000_000)), "REF");
    assert_eq!(letters(&"a".repeat(1_000_000)), "AAA");
}

#[test]
fn a_taken_code_is_followed_by_a_wider_one() {
    let lengths: Vec<usize> = (0..8)
        .map(|attempt| ReferralCode::generate("Anna", &ENTROPY, attempt).as_str().len() - LETTERS)
        .collect();
    assert_eq!(lengths, [4, 4, 5, 6, 7, 8, 8, 8]);
    let first = ReferralCode::generate("Anna", &ENTROPY, 0);
    assert_ne!(first, ReferralCode::generate("Anna", &ENTROPY, 1));
    assert_eq!(ReferralCode::generate("Anna", &ENTROPY, u32::MAX).as_str().len(), LETTERS + SIGNS_MAX);
}

#[test]
fn a_code_is_pinned_so_that_the_derivation_does_not_change_unseen() {
    assert_eq!(ReferralCode::generate("Anna", &ENTROPY, 0).to_string(), "ANN-DV7R");
}

#[test]
fn a_beginning_that_completes_a_word_is_drawn_again() {
    for name in ["Shirley", "Cunningham", "Fuchs", "Nigel", "Dickens"] {
        for seed in 0..64_u8 {
            let code = ReferralCode::generate(name, &[seed; 32], 0);
            assert!(is_clean(code.as_str()), "{code}");
        }
    }
    for refused in ["shit234", "SHI7234", "cun7w97", "455h", "F4G2345"] {
        assert!(!is_clean(refused), "{refused}");
    }
}

#[test]
fn the_last_resort_is_never_refused() {
    for number in 0..4_usize.pow(6) {
        let digits: String =
            (0..6).map(|place| char::from(*PLAIN_DIGITS.get(number >> (2 * place) & 3).unwrap())).collect();
        assert!(is_clean(&format!("{PLAIN_LETTERS}{digits}")), "{digits}");
    }
    let code = last_resort(&ENTROPY, 0);
    assert_eq!(ReferralCode::parse(code.as_str()), Ok(code.clone()));
    assert_eq!(code.as_str().len(), LETTERS + SIGNS_MAX);
}

#[test]
fn every_sign_is_equally_likely() {
    let mut bytes = [0_u8; 32];
    let mut counts = std::collections::BTreeMap::new();
    for chunk in 0..8_u8 {
        for (place, byte) in (0_u8..).zip(bytes.iter_mut()) {
            *byte = chunk * 32 + place;
        }
        for sign in pick(&bytes, SIGNS, 32).chars() {
            *counts.entry(sign).or_insert(0) += 1;
        }
    }
    assert_eq!(counts.len(), SIGNS.len());
    assert!(counts.values().all(|count| *count == 10), "{counts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_generated_code_is_clean_reads_back_and_comes_again(name in any::<String>(), entropy: [u8; 32], attempt in 0_u32..8) {
        let code = ReferralCode::generate(&name, &entropy, attempt);
        prop_assert!(is_clean(code.as_str()));
        prop_assert_eq!(&ReferralCode::parse(&code.to_string()).unwrap(), &code);
        prop_assert_eq!(&ReferralCode::parse(&code.to_string().to_lowercase()).unwrap(), &code);
        prop_assert_eq!(ReferralCode::generate(&name, &entropy, attempt), code);
    }

    #[test]
    fn parsing_never_panics_and_is_idempotent(text in "[ -~\u{2010}-\u{2015}äß]{0,20}") {
        if let Ok(code) = ReferralCode::parse(&text) {
            prop_assert_eq!(ReferralCode::parse(&code.to_string()), Ok(code.clone()));
            prop_assert!(code.as_str().bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
            let dashed = code.to_string().contains('-');
            let signs = || code.as_str().bytes().skip(LETTERS).all(|byte| SIGNS.contains(&byte));
            prop_assert!(!dashed || signs());
        }
    }

    #[test]
    fn any_code_of_the_alphabet_reads_back(letters in "[A-Z]{3}", signs in "[2-9CDFHJKMNPQRTVWXY]{4,8}") {
        let code = ReferralCode::parse(&format!("{letters}{signs}")).unwrap();
        prop_assert_eq!(code.to_string(), format!("{letters}-{signs}"));
    }
}
