//! Secrets: read from Secrets Manager by reference, and sealed before they are stored.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use chrono::{DateTime, Duration, Utc};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use tokio::sync::Mutex;

use crate::config::{ConfigError, Lookup, required};
use crate::handler::in_short;
use crate::{Clock, Entropy, EntropyError, Platform};

/// How long a secret is kept in memory before it is read again.
const SECRET_MINUTES: i64 = 5;

/// A secret that lives in Secrets Manager; read on first use.
#[derive(Debug, Clone)]
pub struct Secret {
    client: aws_sdk_secretsmanager::Client,
    arn: String,
    clock: Clock,
    held: Arc<Mutex<Option<Held>>>,
}

/// A value and the moment it was read.
struct Held {
    read_at: DateTime<Utc>,
    value: String,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A secret that cannot be read, sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Secrets Manager did not answer with a text.
    #[error("the secret cannot be read: {detail}")]
    Unreadable {
        /// What was said.
        detail: String,
    },
    /// The sealed text was not made with this key for this place.
    #[error("the sealed text cannot be opened with this key")]
    Forged,
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl Secret {
    /// The secret whose ARN a variable holds.
    ///
    /// # Errors
    /// [`ConfigError`] when the variable is missing.
    pub fn new(platform: &Platform, lookup: Lookup<'_>, variable: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            client: platform.secrets(),
            arn: required(lookup, variable)?,
            clock: platform.clock.clone(),
            held: Arc::default(),
        })
    }

    /// Its value.
    ///
    /// # Errors
    /// [`SealError::Unreadable`].
    pub async fn read(&self) -> Result<String, SealError> {
        let now = self.clock.now();
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref()
            && now - held.read_at < Duration::minutes(SECRET_MINUTES)
        {
            return Ok(held.value.clone());
        }
        let output = self.client.get_secret_value().secret_id(&self.arn).send().await.map_err(|error| {
            let detail = in_short(&error);
            SealError::Unreadable { detail }
        })?;
        let text = output.secret_string.filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| SealError::Unreadable { detail: "it has no text".to_owned() })?;
        *held = Some(Held { read_at: now, value: text.clone() });
        Ok(text)
    }
}

/// Seals small texts (signing secrets) for storage, and derives secrets that a repeated request must see again.
#[derive(Debug, Clone)]
pub struct Sealer {
    secret: Secret,
    entropy: Entropy,
}

impl Sealer {
    /// A sealer with the key in `SEALING_KEY_SECRET_ARN`.
    ///
    /// # Errors
    /// [`ConfigError`] when the variable is missing.
    pub fn new(platform: &Platform, lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let secret = Secret::new(platform, lookup, "SEALING_KEY_SECRET_ARN")?;
        Ok(Self { secret, entropy: platform.entropy.clone() })
    }

    /// Seals a text for one place (its row's id): it opens nowhere else.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn seal(&self, text: &str, place: &str) -> Result<String, SealError> {
        let nonce: [u8; 24] = self.entropy.draw()?;
        let payload = Payload { msg: text.as_bytes(), aad: place.as_bytes() };
        let sealed = self.cipher().await?.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| SealError::Forged)?;
        Ok(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what [`Self::seal`] sealed for the same place.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn open(&self, sealed: &str, place: &str) -> Result<String, SealError> {
        let bytes = STANDARD.decode(sealed).map_err(|_| SealError::Forged)?;
        let (nonce, sealed) = bytes.split_first_chunk::<24>().ok_or(SealError::Forged)?;
        let payload = Payload { msg: sealed, aad: place.as_bytes() };
        let text = self.cipher().await?.decrypt(&XNonce::from(*nonce), payload);
        String::from_utf8(text.map_err(|_| SealError::Forged)?).map_err(|_| SealError::Forged)
    }

    /// Bytes that only the holder of the key can compute from `parts`: the same for the same parts.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn derive(&self, purpose: &str, parts: &[&str]) -> Result<[u8; 32], SealError> {
        let secret = self.secret.read().await?;
        Ok(keyed(&secret, purpose, parts))
    }

    async fn cipher(&self) -> Result<XChaCha20Poly1305, SealError> {
        let key = keyed(&self.secret.read().await?, "seal", &[]);
        Ok(XChaCha20Poly1305::new(&key.into()))
    }
}

fn keyed(secret: &str, purpose: &str, parts: &[&str]) -> [u8; 32] {
    // HMAC takes a key of any length, so this cannot fail; an empty key is refused when the secret is read.
    let Ok(mut mac) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(secret.as_bytes()) else {
        return [0; 32];
    };
    for part in std::iter::once(&purpose).chain(parts) {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}
