//! Money: integer minor units of one ISO 4217 currency, checked arithmetic, no float and no implicit conversion.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Largest amount in minor units that is accepted anywhere: 10^12, ten thousand million dollars. Far above any invoice
/// (Stripe's limit is 99,999,999 in most currencies), far below where a sum of millions of them would overflow.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// Arithmetic that cannot be done exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code in upper case, or one without minor units (gold, test codes).
    #[error("must be an ISO 4217 currency code such as USD")]
    UnknownCurrency,
    /// Two currencies in one sum.
    #[error("amounts of {left} and {right} cannot be added")]
    CurrencyMismatch {
        /// Currency of the first amount.
        left: Currency,
        /// Currency of the second amount.
        right: Currency,
    },
    /// The result does not fit 64 bits.
    #[error("the amount is too large")]
    Overflow,
    /// Below zero or above [`AMOUNT_MAX`].
    #[error("must be a whole number of minor units from 0 to {AMOUNT_MAX}")]
    OutOfRange,
    /// Not above zero, above one hundred, or with more than four decimals.
    #[error(
        "must be a percentage above 0 and at most 100 with at most 4 decimals, written as a string such as \"12.5\""
    )]
    Percentage,
}

/// An ISO 4217 currency with its number of decimals (0, 2, 3 or 4) from the standard's table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Reads an ISO 4217 code in either case (Stripe writes `usd`).
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`].
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        let known = iso_currency::Currency::from_code(&code.to_ascii_uppercase());
        known.filter(|currency| currency.exponent().is_some()).map(Self).ok_or(MoneyError::UnknownCurrency)
    }

    /// The code, in upper case.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Number of decimals: 0 for JPY, 2 for USD, 3 for KWD.
    #[must_use]
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;
    fn try_from(code: String) -> Result<Self, MoneyError> {
        Self::parse(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

/// An amount in minor units of one currency; negative only in ledger entries and balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units: 2000 is 20.00 USD, 2000 JPY, 2.000 KWD.
    #[schema(example = 2000)]
    pub amount: i64,
    /// ISO 4217 code.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
}

impl Money {
    /// An amount as it stands.
    #[must_use]
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// An amount from outside.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] unless 0 <= amount <= [`AMOUNT_MAX`].
    pub fn checked(amount: i64, currency: Currency) -> Result<Self, MoneyError> {
        if (0..=AMOUNT_MAX).contains(&amount) {
            Ok(Self { amount, currency })
        } else {
            Err(MoneyError::OutOfRange)
        }
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency });
        }
        let amount = self.amount.checked_add(other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, currency: self.currency })
    }
}

impl fmt::Display for Money {
    /// As a person writes it: `20.00 USD`, `2000 JPY`, `-2.000 KWD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Decimal::new(self.amount, self.currency.exponent()), self.currency)
    }
}

/// A percentage above 0 and at most 100, with at most 4 decimals; written as a string (`"12.5"`), never as a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percentage(Decimal);

impl Percentage {
    /// Reads a decimal number of percent.
    ///
    /// # Errors
    /// [`MoneyError::Percentage`].
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let plain = text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let value =
            plain.then(|| Decimal::from_str_exact(text).ok()).flatten().ok_or(MoneyError::Percentage)?;
        let value = value.normalize();
        if value > Decimal::ZERO && value <= Decimal::ONE_HUNDRED && value.scale() <= 4 {
            Ok(Self(value))
        } else {
            Err(MoneyError::Percentage)
        }
    }

    /// The share of `amount`, rounded toward zero to the minor unit.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn of(self, amount: i64) -> Result<i64, MoneyError> {
        let share = Decimal::from(amount).checked_mul(self.0).ok_or(MoneyError::Overflow)?;
        let share = share.checked_div(Decimal::ONE_HUNDRED).ok_or(MoneyError::Overflow)?;
        share.trunc().to_i64().ok_or(MoneyError::Overflow)
    }
}

impl fmt::Display for Percentage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl TryFrom<String> for Percentage {
    type Error = MoneyError;
    fn try_from(text: String) -> Result<Self, MoneyError> {
        Self::parse(&text)
    }
}

impl From<Percentage> for String {
    fn from(percentage: Percentage) -> Self {
        percentage.to_string()
    }
}

/// `amount * part / whole`, rounded toward zero; zero when `whole` is zero.
///
/// # Errors
/// [`MoneyError::Overflow`] when the result does not fit.
pub fn proportion(amount: i64, part: i64, whole: i64) -> Result<i64, MoneyError> {
    if whole == 0 {
        return Ok(0);
    }
    let product = i128::from(amount).checked_mul(i128::from(part)).ok_or(MoneyError::Overflow)?;
    let share = product.checked_div(i128::from(whole)).ok_or(MoneyError::Overflow)?;
    i64::try_from(share).map_err(|_| MoneyError::Overflow)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(amount: i64) -> Money {
        Money::new(amount, Currency::parse("USD").unwrap())
    }

    #[test]
    fn currencies_know_their_decimals() {
        for (code, exponent) in [("JPY", 0), ("KRW", 0), ("USD", 2), ("eur", 2), ("KWD", 3), ("TND", 3)] {
            assert_eq!(Currency::parse(code).unwrap().exponent(), exponent, "{code}");
        }
        for code in ["", "US", "USDX", "XXX", "XAU", "ABC", "$"] {
            assert_eq!(Currency::parse(code), Err(MoneyError::UnknownCurrency), "{code}");
        }
    }

    #[test]
    fn amounts_are_written_with_their_decimals() {
        let text = |amount, code| Money::new(amount, Currency::parse(code).unwrap()).to_string();
        assert_eq!(text(2000, "USD"), "20.00 USD");
        assert_eq!(text(-5, "USD"), "-0.05 USD");
        assert_eq!(text(2000, "JPY"), "2000 JPY");
        assert_eq!(text(2000, "KWD"), "2.000 KWD");
    }

    #[test]
    fn ten_percent_of_the_amounts_that_the_mission_names() {
        let ten = Percentage::parse("10").unwrap();
        assert_eq!(ten.of(20_000).unwrap(), 2_000);
        assert_eq!(ten.of(50_000).unwrap(), 5_000);
        assert_eq!(ten.of(10_000).unwrap(), 1_000);
    }

    #[test]
    fn shares_round_toward_zero() {
        assert_eq!(Percentage::parse("12.5").unwrap().of(999).unwrap(), 124);
        assert_eq!(Percentage::parse("0.0001").unwrap().of(999_999).unwrap(), 0);
        assert_eq!(Percentage::parse("100").unwrap().of(AMOUNT_MAX).unwrap(), AMOUNT_MAX);
    }

    #[test]
    fn a_percentage_is_a_plain_decimal_string() {
        for text in ["", "0", "-1", "100.0001", "1.23456", "1e1", "1_0", "ten", "+5", "0.00001"] {
            assert!(Percentage::parse(text).is_err(), "{text}");
        }
        assert_eq!(Percentage::parse("10.50").unwrap().to_string(), "10.5");
    }

    #[test]
    fn two_currencies_are_never_added() {
        let eur = Money::new(1, Currency::parse("EUR").unwrap());
        assert!(matches!(usd(1).checked_add(eur), Err(MoneyError::CurrencyMismatch { .. })));
        assert_eq!(usd(i64::MAX).checked_add(usd(1)), Err(MoneyError::Overflow));
        assert_eq!(usd(1).checked_add(usd(2)), Ok(usd(3)));
    }

    #[test]
    fn outside_amounts_are_bounded() {
        let currency = Currency::parse("USD").unwrap();
        assert!(Money::checked(AMOUNT_MAX, currency).is_ok());
        for amount in [-1, AMOUNT_MAX + 1, i64::MIN, i64::MAX] {
            assert_eq!(Money::checked(amount, currency), Err(MoneyError::OutOfRange), "{amount}");
        }
    }

    proptest! {
        #[test]
        fn a_share_never_exceeds_its_whole(amount in 0..=AMOUNT_MAX, basis_points in 1_i64..=10_000) {
            let rate = Percentage::parse(&Decimal::new(basis_points, 2).to_string()).unwrap();
            let share = rate.of(amount).unwrap();
            prop_assert!((0..=amount).contains(&share));
            prop_assert_eq!(share, proportion(amount, basis_points, 10_000).unwrap());
        }
    }
}
