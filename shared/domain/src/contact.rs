//! Where a participant is reached, for notifications that the engine sends itself.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest e-mail address, in bytes (RFC 5321: a path has 256, two of them brackets).
const EMAIL_BYTES_MAX: usize = 254;

/// An address that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    /// Not an e-mail address.
    #[error(
        "must be an e-mail address of at most {EMAIL_BYTES_MAX} ASCII characters, such as anna@example.com"
    )]
    Email,
    /// Not a telephone number.
    #[error("must be a telephone number in E.164, such as +4930123456: + and 7 to 15 digits")]
    Phone,
}

/// An e-mail address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

/// A telephone number in E.164.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

/// Where a participant is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Its e-mail address.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "anna@example.com")]
    pub email: Option<EmailAddress>,
    /// Its telephone number in E.164.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "+4930123456")]
    pub phone: Option<PhoneNumber>,
}

impl Contact {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl EmailAddress {
    /// Reads an address, as it is.
    ///
    /// # Errors
    /// [`ContactError::Email`].
    pub fn parse(text: &str) -> Result<Self, ContactError> {
        let fits = text.len() <= EMAIL_BYTES_MAX && text.is_ascii();
        let options = email_address::Options::default().with_required_tld().without_display_text();
        let options = options.without_domain_literal();
        let read = email_address::EmailAddress::parse_with_options(text, options);
        (fits && read.is_ok()).then(|| Self(text.to_owned())).ok_or(ContactError::Email)
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PhoneNumber {
    /// Reads a number.
    ///
    /// # Errors
    /// [`ContactError::Phone`].
    pub fn parse(text: &str) -> Result<Self, ContactError> {
        let digits = text.strip_prefix('+').filter(|digits| {
            (7..=15).contains(&digits.len())
                && !digits.starts_with('0')
                && digits.bytes().all(|digit| digit.is_ascii_digit())
        });
        digits.map(|_| Self(text.to_owned())).ok_or(ContactError::Phone)
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// No address in a log.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[e-mail]")
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[phone]")
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = ContactError;
    fn try_from(text: String) -> Result<Self, ContactError> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = ContactError;
    fn try_from(text: String) -> Result<Self, ContactError> {
        Self::parse(&text)
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_kept_as_they_are() {
        for text in ["anna@example.com", "a.b+c@sub.example.co.uk", "A_1@example.museum"] {
            assert_eq!(EmailAddress::parse(text).unwrap().as_str(), text);
        }
        let long = format!("anna@{}.com", "x".repeat(250));
        for text in [
            "",
            "anna",
            "anna@",
            "@example.com",
            "anna@example",
            "an na@example.com",
            "a@b@example.com",
            "Anna <anna@example.com>",
            "anna@[127.0.0.1]",
            "anna@example.com\r\nBcc: ben@example.com",
            "änna@example.com",
            &long,
        ] {
            assert_eq!(EmailAddress::parse(text), Err(ContactError::Email), "{text}");
        }
    }

    #[test]
    fn numbers_are_in_e164() {
        assert_eq!(PhoneNumber::parse("+4930123456").unwrap().as_str(), "+4930123456");
        for text in [
            "",
            "+",
            "030123456",
            "+0301234567",
            "+49 30 123456",
            "+123456",
            "+1234567890123456",
            "+49a0123456",
        ] {
            assert_eq!(PhoneNumber::parse(text), Err(ContactError::Phone), "{text}");
        }
    }

    #[test]
    fn no_address_is_shown_by_debugging() {
        let contact = Contact {
            email: EmailAddress::parse("anna@example.com").ok(),
            phone: PhoneNumber::parse("+4930123456").ok(),
        };
        let shown = format!("{contact:?}");
        assert!(!shown.contains("anna") && !shown.contains("4930"), "{shown}");
    }
}
