//! Exchange rates: given by the caller for a day, kept with every decision that used them, never fetched.

use std::fmt;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::money::{Currency, Money, MoneyError, RATE_DECIMALS_MAX, RATE_DIGITS_MAX, RATE_MAX};

/// Most rates of one day and currency.
pub const RATES_MAX: usize = 200;
/// Days for which rates can be given afterwards.
pub const RATE_DAYS_MAX: u32 = 366;
/// What one unit of a currency is worth in another, both in major units; written as a string (`"1.0843"`), never as a
/// float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(Decimal);

impl Rate {
    /// Reads a decimal number.
    ///
    /// # Errors
    /// [`MoneyError::Rate`].
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let plain = text.len() <= 28 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let value = plain.then(|| Decimal::from_str_exact(text).ok()).flatten().ok_or(MoneyError::Rate)?;
        let value = value.normalize();
        let fits = value > Decimal::ZERO
            && value <= Decimal::from(RATE_MAX)
            && value.scale() <= RATE_DECIMALS_MAX
            && value.mantissa() < 10_i128.pow(RATE_DIGITS_MAX);
        if fits { Ok(Self(value)) } else { Err(MoneyError::Rate) }
    }

    /// An amount of minor units of `from` in minor units of `to`, rounded toward zero. Reckoned in whole numbers: a
    /// product of decimals would be rounded to 28 digits first, and could so come out above the exact value.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn convert(self, amount: i64, from: Currency, to: Currency) -> Result<i64, MoneyError> {
        let power = |exponent: u32| 10_i128.checked_pow(exponent).ok_or(MoneyError::Overflow);
        let product = i128::from(amount).checked_mul(self.0.mantissa()).ok_or(MoneyError::Overflow)?;
        let down = self.0.scale().checked_add(from.exponent()).ok_or(MoneyError::Overflow)?;
        let up = to.exponent();
        let exact = if up >= down {
            product.checked_mul(power(up.saturating_sub(down))?)
        } else {
            product.checked_div(power(down.saturating_sub(up))?)
        };
        i64::try_from(exact.ok_or(MoneyError::Overflow)?).map_err(|_| MoneyError::Overflow)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl TryFrom<String> for Rate {
    type Error = MoneyError;
    fn try_from(text: String) -> Result<Self, MoneyError> {
        Self::parse(&text)
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

/// Which rate: of what, in what, on which day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct RateKey {
    /// The currency that one unit is taken of.
    #[schema(value_type = String, example = "EUR")]
    pub from: Currency,
    /// The currency that its worth is told in.
    #[schema(value_type = String, example = "USD")]
    pub to: Currency,
    /// The day (UTC).
    pub day: NaiveDate,
}

/// A rate that was given for a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExchangeRate {
    /// The currency that one unit is taken of.
    #[schema(value_type = String, example = "EUR")]
    pub from: Currency,
    /// The currency that its worth is told in.
    #[schema(value_type = String, example = "USD")]
    pub to: Currency,
    /// The day (UTC).
    pub day: NaiveDate,
    /// What one unit of `from` is worth in `to`, in major units.
    #[schema(value_type = String, example = "1.0843")]
    pub rate: Rate,
}

impl ExchangeRate {
    /// A rate of its place.
    #[must_use]
    pub const fn new(key: RateKey, rate: Rate) -> Self {
        Self { from: key.from, to: key.to, day: key.day, rate }
    }

    /// Whether it is the rate of that place.
    #[must_use]
    pub fn is_of(&self, key: RateKey) -> bool {
        RateKey { from: self.from, to: self.to, day: self.day } == key
    }

    /// An amount of minor units of `from` as money of `to`, rounded toward zero.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn convert(&self, amount: i64) -> Result<Money, MoneyError> {
        Ok(Money::new(self.rate.convert(amount, self.from, self.to)?, self.to))
    }
}

#[cfg(test)]
#[path = "rate_tests.rs"]
mod tests;
