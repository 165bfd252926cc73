use proptest::prelude::*;

use super::*;

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn converted(amount: i64, from: &str, to: &str, rate: &str) -> i64 {
    Rate::parse(rate).unwrap().convert(amount, currency(from), currency(to)).unwrap()
}

#[test]
fn minor_units_of_every_kind_of_currency_convert_into_each_other() {
    for (amount, from, to, rate, expected) in [
        (1_000, "EUR", "USD", "1.0843", 1_084),
        (-1_000, "EUR", "USD", "1.0843", -1_084),
        (1, "EUR", "USD", "0.5", 0),
        // No decimals into two, and back.
        (1_000, "JPY", "USD", "0.0067", 670),
        (670, "USD", "JPY", "149.25", 999),
        (1, "USD", "JPY", "149.25", 1),
        // Three decimals.
        (2_000, "KWD", "EUR", "2.99", 598),
        (598, "EUR", "KWD", "0.334", 1_997),
        (1, "KWD", "JPY", "486.1", 0),
        (1, "JPY", "KWD", "0.00206", 2),
        // Four.
        (10_000, "CLF", "USD", "40.5", 4_050),
        // Rates of nearly nothing, and of very much.
        (100_000_000, "IRR", "KWD", "0.0000073", 7_300),
        (1, "USD", "USD", "0.000000000001", 0),
        (1_000_000_000_000, "USD", "USD", "0.000000000001", 1),
        (1, "KWD", "IRR", "137000.123456", 13_700),
        (1_000, "USD", "USD", "1000000000", 1_000_000_000_000),
    ] {
        assert_eq!(converted(amount, from, to, rate), expected, "{amount} {from} at {rate} in {to}");
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_no_other_number() {
    let rate = Rate::parse("1000000000").unwrap();
    assert_eq!(rate.convert(i64::MAX, currency("JPY"), currency("KWD")), Err(MoneyError::Overflow));
}

#[test]
fn a_product_of_more_digits_than_a_decimal_holds_is_not_rounded_up() {
    // 0.999999999999999999 of a cent: rounding to 28 digits on the way would make it a whole one.
    let rate = Rate::parse("999.999999999999").unwrap();
    let amount = 99_999_999_999_999;
    let exact = i128::from(amount) * 999_999_999_999_999 / 1_000_000_000_000;
    assert_eq!(i128::from(rate.convert(amount, currency("USD"), currency("EUR")).unwrap()), exact);
}

#[test]
fn a_rate_is_a_plain_decimal_string_within_its_bounds() {
    for text in [
        "",
        "0",
        "0.0",
        "-1",
        "+1",
        "1e3",
        "1_0",
        "1,5",
        ".",
        "1000000001",
        "0.0000000000001",
        "1234567.123456789012",
    ] {
        assert_eq!(Rate::parse(text), Err(MoneyError::Rate), "{text}");
    }
    for (text, shown) in
        [("1.0843", "1.0843"), ("1.50", "1.5"), ("0.000000000001", "0.000000000001"), ("007", "7")]
    {
        assert_eq!(Rate::parse(text).unwrap().to_string(), shown);
    }
    assert_eq!(serde_json::to_string(&Rate::parse("1.50").unwrap()).unwrap(), r#""1.5""#);
}

proptest! {
    #[test]
    fn a_conversion_is_never_more_than_the_exact_value_and_less_than_a_minor_unit_below(
        amount in 0..=10_000_000_000_000_i64,
        mantissa in 1..1_000_000_000_i64,
        scale in 0..=12_u32,
        from in prop::sample::select(vec!["JPY", "USD", "KWD"]),
        to in prop::sample::select(vec!["JPY", "EUR", "BHD"]),
    ) {
        let rate = Rate::parse(&Decimal::new(mantissa, scale).to_string());
        prop_assume!(rate.is_ok());
        let (from, to) = (currency(from), currency(to));
        let found = rate.unwrap().convert(amount, from, to);
        // exact = amount * mantissa * 10^to / 10^(scale + from), compared without dividing.
        let exact = i128::from(amount) * i128::from(mantissa) * 10_i128.pow(to.exponent());
        let unit = 10_i128.pow(scale + from.exponent());
        match found {
            Ok(found) => {
                prop_assert!(i128::from(found) * unit <= exact);
                prop_assert!((i128::from(found) + 1) * unit > exact);
            }
            Err(error) => {
                prop_assert_eq!(error, MoneyError::Overflow);
                prop_assert!(exact / unit > i128::from(i64::MAX));
            }
        }
    }

    #[test]
    fn a_part_converts_to_no_more_than_its_whole(
        whole in 0..=1_000_000_000_000_i64, part in 0..=1_000_000_000_000_i64, mantissa in 1..1_000_000_i64,
    ) {
        let rate = Rate::parse(&Decimal::new(mantissa, 4).to_string()).unwrap();
        let of = |amount: i64| rate.convert(amount, currency("EUR"), currency("USD")).unwrap();
        prop_assert!(of(part.min(whole)) <= of(whole));
        prop_assert_eq!(of(0), 0);
    }
}
