//! How a delivery is signed: <https://www.standardwebhooks.com>, symmetric scheme `v1`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::id::MessageId;

/// What a secret begins with, as it is shown.
const PREFIX: &str = "whsec_";

/// A secret as it is shown: `whsec_` and the bytes in base64.
#[must_use]
pub fn secret(bytes: &[u8; 32]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(bytes))
}

/// The signature of a body by one secret: `v1,<base64>`. `None` for a secret of another form than [`secret`] gives.
#[must_use]
pub fn sign(id: &MessageId, at: DateTime<Utc>, body: &str, secret: &str) -> Option<String> {
    signature(id.as_str(), at.timestamp(), body, secret)
}

fn signature(id: &str, seconds: i64, body: &str, secret: &str) -> Option<String> {
    // The key is what the text stands for, not the text.
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors_hold() {
        let vectors = [
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ];
        for (secret, id, seconds, body, expected) in vectors {
            assert_eq!(signature(id, seconds, body, secret).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_secret_is_its_bytes_in_base64() {
        let id = MessageId::derive(&["one"]);
        let secret = secret(&[7; 32]);
        assert_eq!(secret.len(), 6 + 44);
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        assert!(sign(&id, at, "{}", &secret).unwrap().starts_with("v1,"));
        for other in ["whsec_not base64", "7777", ""] {
            assert_eq!(sign(&id, at, "{}", other), None, "{other}");
        }
    }
}
