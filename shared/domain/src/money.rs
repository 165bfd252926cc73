//! Money: integer minor units of one ISO 4217 currency (or whole units of a named kind, such as points), checked
//! arithmetic, no float and no implicit conversion.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Largest amount in minor units that is accepted anywhere: 10^12, ten thousand million dollars. Far above any invoice
/// (Stripe's limit is 99,999,999 in most currencies), far below where a sum of millions of them would overflow.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000;
/// Largest exchange rate.
pub const RATE_MAX: u32 = 1_000_000_000;
/// Most decimals of an exchange rate.
pub const RATE_DECIMALS_MAX: u32 = 12;
/// Most digits of an exchange rate, so that any amount times any rate is exact in 128 bits.
pub const RATE_DIGITS_MAX: u32 = 18;

/// Longest name of a unit that is no currency, in bytes.
pub const UNIT_NAME_BYTES_MAX: usize = 16;
/// Largest percentage that terms may give, where they say that it may be above 100.
pub const PERCENT_MAX: u32 = 1000;

/// Arithmetic that cannot be done exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code in upper case, or one without minor units (gold, test codes).
    #[error("must be an ISO 4217 currency code such as USD")]
    UnknownCurrency,
    /// Two currencies in one sum.
    #[error("amounts of {left} and {right} cannot be added")]
    CurrencyMismatch {
        /// Unit of the first amount.
        left: Unit,
        /// Unit of the second amount.
        right: Unit,
    },
    /// The result does not fit 64 bits.
    #[error("the amount is too large")]
    Overflow,
    /// Below zero or above [`AMOUNT_MAX`].
    #[error("must be a whole number of minor units from 0 to {AMOUNT_MAX}")]
    OutOfRange,
    /// Not above zero, above [`PERCENT_MAX`], or with more than four decimals.
    #[error(
        "must be a percentage above 0 and at most {PERCENT_MAX} with at most 4 decimals, written as a string such as \"12.5\""
    )]
    Percentage,
    /// Not above zero, or with more digits than a rate may have.
    #[error(
        "must be a rate above 0 and at most {RATE_MAX} with at most {RATE_DECIMALS_MAX} decimals and {RATE_DIGITS_MAX} digits, written as a string such as \"1.0843\""
    )]
    Rate,
    /// Neither a currency nor the name of a unit.
    #[error(
        "must be an ISO 4217 currency code such as USD, or the name of a unit: 4 to {UNIT_NAME_BYTES_MAX} lower-case letters, such as points"
    )]
    UnknownUnit,
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

/// The name of a unit that is no currency: 4 to 16 lower-case letters (`points`, `credits`, `months`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitName([u8; UNIT_NAME_BYTES_MAX]);

impl UnitName {
    /// Credit of no currency.
    pub const CREDIT: Self = Self(*b"credit\0\0\0\0\0\0\0\0\0\0");
    /// Discounts of a percentage.
    pub const DISCOUNT: Self = Self(*b"discount\0\0\0\0\0\0\0\0");
    /// Points.
    pub const POINTS: Self = Self(*b"points\0\0\0\0\0\0\0\0\0\0");
    /// Products.
    pub const PRODUCT: Self = Self(*b"product\0\0\0\0\0\0\0\0\0");
    /// Messages sent.
    pub const MESSAGE: Self = Self(*b"message\0\0\0\0\0\0\0\0\0");
    /// Tasks made.
    pub const TASK: Self = Self(*b"task\0\0\0\0\0\0\0\0\0\0\0\0");
    /// Webhooks called.
    pub const WEBHOOK: Self = Self(*b"webhook\0\0\0\0\0\0\0\0\0");

    /// Reads a name.
    ///
    /// # Errors
    /// [`MoneyError::UnknownUnit`].
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let bytes = text.as_bytes();
        let mut name = [0; UNIT_NAME_BYTES_MAX];
        if bytes.len() < 4 || !bytes.iter().all(u8::is_ascii_lowercase) {
            return Err(MoneyError::UnknownUnit);
        }
        name.get_mut(..bytes.len()).ok_or(MoneyError::UnknownUnit)?.copy_from_slice(bytes);
        Ok(Self(name))
    }

    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(UNIT_NAME_BYTES_MAX);
        self.0.get(..end).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default()
    }
}

/// What an amount counts: minor units of a currency, or whole units of a named kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Unit {
    /// Minor units of a currency.
    Currency(Currency),
    /// Whole units: points, discounts, products.
    Named(UnitName),
}

impl Unit {
    /// Reads a currency code in either case, or a unit's name.
    ///
    /// # Errors
    /// [`MoneyError::UnknownUnit`].
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        match Currency::parse(text) {
            Ok(currency) => Ok(Self::Currency(currency)),
            Err(_) => UnitName::parse(text).map(Self::Named).map_err(|_| MoneyError::UnknownUnit),
        }
    }

    /// The code or the name.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Currency(currency) => currency.code(),
            Self::Named(name) => name.as_str(),
        }
    }

    /// The currency, if it is one.
    #[must_use]
    pub const fn currency(self) -> Option<Currency> {
        match self {
            Self::Currency(currency) => Some(currency),
            Self::Named(_) => None,
        }
    }

    /// Number of decimals; none for named units.
    #[must_use]
    pub fn exponent(self) -> u32 {
        self.currency().map_or(0, Currency::exponent)
    }
}

impl From<Currency> for Unit {
    fn from(currency: Currency) -> Self {
        Self::Currency(currency)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl TryFrom<String> for Unit {
    type Error = MoneyError;
    fn try_from(text: String) -> Result<Self, MoneyError> {
        Self::parse(&text)
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        unit.code().to_owned()
    }
}

impl fmt::Debug for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in minor units of one currency, or in whole named units; negative only in ledger entries and balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units: 2000 is 20.00 USD, 2000 JPY, 2.000 KWD.
    #[schema(example = 2000)]
    pub amount: i64,
    /// ISO 4217 code, or the name of another unit such as `points`.
    #[serde(rename = "currency")]
    #[schema(value_type = String, example = "USD")]
    pub unit: Unit,
}

impl Money {
    /// An amount as it stands.
    #[must_use]
    pub fn new(amount: i64, unit: impl Into<Unit>) -> Self {
        Self { amount, unit: unit.into() }
    }

    /// An amount from outside.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] unless 0 <= amount <= [`AMOUNT_MAX`].
    pub fn checked(amount: i64, unit: impl Into<Unit>) -> Result<Self, MoneyError> {
        if (0..=AMOUNT_MAX).contains(&amount) {
            Ok(Self::new(amount, unit))
        } else {
            Err(MoneyError::OutOfRange)
        }
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.unit != other.unit {
            return Err(MoneyError::CurrencyMismatch { left: self.unit, right: other.unit });
        }
        let amount = self.amount.checked_add(other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, unit: self.unit })
    }
}

impl fmt::Display for Money {
    /// As a person writes it: `20.00 USD`, `2000 JPY`, `-2.000 KWD`, `50 points`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Decimal::new(self.amount, self.unit.exponent()), self.unit)
    }
}

/// A percentage above 0 and at most [`PERCENT_MAX`], with at most 4 decimals; written as a string (`"12.5"`), never as a
/// float.
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
        if value > Decimal::ZERO && value <= Decimal::from(PERCENT_MAX) && value.scale() <= 4 {
            Ok(Self(value))
        } else {
            Err(MoneyError::Percentage)
        }
    }

    /// Whether it is more than the whole.
    #[must_use]
    pub fn is_above_whole(self) -> bool {
        self.0 > Decimal::ONE_HUNDRED
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

/// Splits a whole by weights into parts that sum to exactly the whole: each gets its share rounded toward zero, and
/// what is left goes, one unit each, to the largest remainders (the earlier one of equals). All zero when the weights are.
///
/// # Errors
/// [`MoneyError::Overflow`]; also for a negative whole.
pub fn split(whole: i64, weights: &[u64]) -> Result<Vec<i64>, MoneyError> {
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let total = u128::try_from(whole).map_err(|_| MoneyError::Overflow)?;
    if sum == 0 {
        return Ok(vec![0; weights.len()]);
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    for (index, weight) in weights.iter().enumerate() {
        let product = total.checked_mul(u128::from(*weight)).ok_or(MoneyError::Overflow)?;
        parts.push(i64::try_from(product / sum).map_err(|_| MoneyError::Overflow)?);
        remainders.push((product % sum, index));
    }
    let given = parts.iter().sum::<i64>();
    let left =
        whole.checked_sub(given).and_then(|left| usize::try_from(left).ok()).ok_or(MoneyError::Overflow)?;
    remainders.sort_by(|(a, i), (b, j)| b.cmp(a).then(i.cmp(j)));
    for (_, index) in remainders.into_iter().take(left) {
        if let Some(part) = parts.get_mut(index) {
            *part = part.saturating_add(1);
        }
    }
    Ok(parts)
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
        for text in ["", "0", "-1", "1000.0001", "1.23456", "1e1", "1_0", "ten", "+5", "0.00001"] {
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

    #[test]
    fn units_are_currencies_or_names() {
        assert_eq!(Unit::parse("usd").unwrap().code(), "USD");
        assert_eq!(Unit::parse("points").unwrap(), Unit::Named(UnitName::POINTS));
        assert_eq!(Unit::Named(UnitName::TASK).code(), "task");
        assert_eq!(Money::new(50, Unit::parse("points").unwrap()).to_string(), "50 points");
        for text in ["", "abc", "Points", "p0ints", "a_unit", "abcdefghijklmnopq"] {
            assert_eq!(Unit::parse(text), Err(MoneyError::UnknownUnit), "{text}");
        }
    }

    #[test]
    fn what_is_left_goes_to_the_largest_remainders() {
        assert_eq!(split(100, &[1, 1, 1]).unwrap(), [34, 33, 33]);
        assert_eq!(split(100, &[40, 20, 40]).unwrap(), [40, 20, 40]);
        assert_eq!(split(5, &[3, 3, 1]).unwrap(), [2, 2, 1]);
        assert_eq!(split(5, &[0, 0]).unwrap(), [0, 0]);
        assert_eq!(split(-1, &[1]), Err(MoneyError::Overflow));
    }

    proptest! {
        #[test]
        fn parts_sum_to_exactly_the_whole(
            whole in 0..=AMOUNT_MAX,
            weights in proptest::collection::vec(1_u64..=1_000_000_000, 1..=10),
        ) {
            let parts = split(whole, &weights).unwrap();
            prop_assert_eq!(parts.iter().sum::<i64>(), whole);
            prop_assert!(parts.iter().all(|part| *part >= 0));
        }

        #[test]
        fn a_share_never_exceeds_its_whole(amount in 0..=AMOUNT_MAX, basis_points in 1_i64..=10_000) {
            let rate = Percentage::parse(&Decimal::new(basis_points, 2).to_string()).unwrap();
            let share = rate.of(amount).unwrap();
            prop_assert!((0..=amount).contains(&share));
            prop_assert_eq!(share, proportion(amount, basis_points, 10_000).unwrap());
        }
    }
}
