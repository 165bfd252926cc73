//! Amounts, currencies, percentages and exchange rates, as JSON.

use std::fmt::Debug;

use domain::money::{AMOUNT_MAX, Currency, Money, Percentage, Unit, split};
use domain::rate::Rate;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(super) fn check(bytes: &[u8]) {
    if let Some(money) = stable::<Money>(bytes) {
        sums(money);
    }
    if let Some(Unit::Currency(currency)) = stable::<Unit>(bytes) {
        assert_eq!(Currency::parse(currency.code()), Ok(currency));
        assert!(currency.exponent() <= 4);
    }
    if let Some(percent) = stable::<Percentage>(bytes) {
        for amount in [0, 1, 99, 20_000, AMOUNT_MAX] {
            let share = percent.of(amount).unwrap();
            assert!(share >= 0 && (percent.is_above_whole() || share <= amount));
        }
    }
    if let Some(rate) = stable::<Rate>(bytes) {
        let [usd, jpy, kwd] = ["USD", "JPY", "KWD"].map(|code| Currency::parse(code).unwrap());
        for (from, to) in [(usd, usd), (usd, jpy), (jpy, kwd), (kwd, usd)] {
            let of = |amount| rate.convert(amount, from, to);
            assert_eq!(of(0), Ok(0));
            // More is never worth less, and debts are rounded as credits are.
            if let (Ok(one), Ok(many)) = (of(1), of(AMOUNT_MAX)) {
                assert!(0 <= one && one <= many);
                assert_eq!(of(-AMOUNT_MAX), Ok(-many));
            }
        }
    }
    if let Ok(Value::Array(weights)) = serde_json::from_slice(bytes) {
        parts(&weights.iter().filter_map(Value::as_u64).map(|weight| weight % 1_000_001).collect::<Vec<_>>());
    }
}

/// What is accepted is written as what reads as the same.
fn stable<T: Serialize + DeserializeOwned + Debug + PartialEq>(bytes: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(bytes).ok()?;
    let written = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&written).unwrap(), value);
    Some(value)
}

fn sums(money: Money) {
    let accepted = Money::checked(money.amount, money.unit).is_ok();
    assert_eq!(accepted, (0..=AMOUNT_MAX).contains(&money.amount));
    assert_eq!(money.checked_add(Money::new(0, money.unit)), Ok(money));
    if let Ok(double) = money.checked_add(money) {
        assert_eq!(double.amount - money.amount, money.amount);
    }
    let other = if money.unit.code() == "USD" { "EUR" } else { "USD" };
    assert!(money.checked_add(Money::new(1, Unit::parse(other).unwrap())).is_err());
    // A person reads as many decimals as the currency has.
    let text = money.to_string();
    let (number, code) = text.split_once(' ').unwrap();
    let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    assert_eq!((code, decimals), (money.unit.code(), usize::try_from(money.unit.exponent()).unwrap()));
    assert_eq!(number.replace('.', "").parse(), Ok(money.amount));
}

fn parts(weights: &[u64]) {
    if !(1..=20).contains(&weights.len()) {
        return;
    }
    for whole in [0, 1, 100, AMOUNT_MAX] {
        let parts = split(whole, weights).unwrap();
        let none = weights.iter().all(|weight| *weight == 0);
        assert_eq!(parts.iter().sum::<i64>(), if none { 0 } else { whole }, "{weights:?}");
        assert!(parts.iter().all(|part| *part >= 0));
    }
}
