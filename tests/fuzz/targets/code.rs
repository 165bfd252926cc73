//! Referral codes and discount codes as people type them.

use domain::code::{PROMO_SIGNS_MAX, PROMO_SIGNS_MIN, ReferralCode};
use domain::discount::{DISCOUNT_SIGNS, DiscountCode};

pub(super) fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(code) = ReferralCode::parse(text) {
        reads_back(&code);
        assert_eq!(ReferralCode::parse(&text.to_ascii_lowercase()), Ok(code.clone()));
        // Separators say nothing.
        let spread: String = code.as_str().chars().flat_map(|sign| [sign, '-']).collect();
        assert_eq!(ReferralCode::parse(&spread), Ok(code));
    }
    if let Ok(code) = DiscountCode::parse(text) {
        assert_eq!(code.as_str().len(), DISCOUNT_SIGNS);
        for text in [text.to_ascii_lowercase(), code.to_string(), code.as_str().to_owned()] {
            assert_eq!(DiscountCode::parse(&text).as_ref(), Ok(&code));
        }
        let json = serde_json::to_string(&code).unwrap();
        assert_eq!(serde_json::from_str::<DiscountCode>(&json).unwrap(), code);
    }
    // Any text can be an account's name.
    let mut entropy = [0; 32];
    entropy.iter_mut().zip(bytes).for_each(|(into, byte)| *into = *byte);
    let attempt = u32::try_from(bytes.len() % 8).unwrap();
    let code = ReferralCode::generate(text, &entropy, attempt);
    assert!(code.to_string().contains('-'));
    reads_back(&code);
}

fn reads_back(code: &ReferralCode) {
    let stored = code.as_str();
    assert!((PROMO_SIGNS_MIN..=PROMO_SIGNS_MAX).contains(&stored.len()));
    assert!(stored.bytes().all(|sign| sign.is_ascii_uppercase() || sign.is_ascii_digit()));
    for text in [stored, &code.to_string()] {
        assert_eq!(ReferralCode::parse(text).as_ref(), Ok(code));
    }
    let json = serde_json::to_string(code).unwrap();
    assert_eq!(serde_json::from_str::<ReferralCode>(&json).unwrap(), *code);
}
