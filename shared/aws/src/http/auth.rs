//! API keys: `rk_live_` or `rk_test_`, by the organization's mode, + 30 base-62 digits (178 bits) + 6 of a checksum; tokens of
//! participants are made alike and begin with `rt_`. One with a wrong checksum is refused without a look at the table, which
//! knows both by their SHA-256 alone.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use domain::id::{OrganizationId, ParticipantId};
use sha2::{Digest as _, Sha256};

use super::{Edge, Problem};

/// How the keys of an organization in live mode begin, and those of one in test mode.
const PREFIXES: [(bool, &str); 2] = [(true, "rk_live_"), (false, "rk_test_")];
/// How every participant's token begins.
pub const TOKEN_PREFIX: &str = "rt_";
const SECRET_DIGITS: usize = 30;
const CHECK_DIGITS: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Who calls: the organization of a verified key, and nothing that the request says.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The organization.
    pub organization: OrganizationId,
    /// Whether it is in live mode.
    pub livemode: bool,
}

impl<S> FromRequestParts<S> for Caller
where
    Edge: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Viewer::from_request_parts(parts, state).await? {
            Viewer::Organization(caller) => Ok(caller),
            Viewer::Participant { .. } => Err(Problem::new(
                403,
                "participant_token",
                "A participant's token opens its referral report and its partner invoices, and nothing else.",
            )),
        }
    }
}

/// Who looks: an organization with an API key, or one of its participants with a token.
#[derive(Debug, Clone)]
pub enum Viewer {
    /// An organization; it sees everything of its own.
    Organization(Caller),
    /// A participant; it sees itself.
    Participant {
        /// Whose participant.
        organization: OrganizationId,
        /// Who.
        participant: ParticipantId,
    },
}

impl Viewer {
    /// The organization that is looked at.
    #[must_use]
    pub const fn organization(&self) -> &OrganizationId {
        match self {
            Self::Organization(Caller { organization, .. }) | Self::Participant { organization, .. } => {
                organization
            }
        }
    }

    /// The one participant that may be looked at, where it is but one.
    #[must_use]
    pub const fn only(&self) -> Option<&ParticipantId> {
        match self {
            Self::Organization(_) => None,
            Self::Participant { participant, .. } => Some(participant),
        }
    }

    /// Whether a participant may be looked at.
    #[must_use]
    pub fn sees(&self, participant: &ParticipantId) -> bool {
        self.only().is_none_or(|only| only == participant)
    }
}

impl<S> FromRequestParts<S> for Viewer
where
    Edge: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let store = Edge::from_ref(state).store;
        let bearer = bearer(parts).ok_or_else(Problem::unauthorized)?;
        if is_well_formed(bearer, TOKEN_PREFIX) {
            let row = store.find_token(&hash_of(bearer)).await?.ok_or_else(Problem::unauthorized)?;
            return Ok(Self::Participant { organization: row.organization, participant: row.participant });
        }
        if !PREFIXES.iter().any(|(_, prefix)| is_well_formed(bearer, prefix)) {
            return Err(Problem::unauthorized());
        }
        let row = store.find_api_key(&hash_of(bearer)).await?.ok_or_else(Problem::unauthorized)?;
        Ok(Self::Organization(Caller { organization: row.organization, livemode: row.livemode }))
    }
}

/// The bearer token of a request.
#[must_use]
pub fn bearer(parts: &Parts) -> Option<&str> {
    let header = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// SHA-256 in hex: how keys are stored and found.
#[must_use]
pub fn hash_of(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// A key of an organization in live or test mode, from 32 random (or derived) bytes.
#[must_use]
pub fn api_key_secret(entropy: &[u8; 32], livemode: bool) -> String {
    let prefix = PREFIXES.iter().find(|(mode, _)| *mode == livemode).map_or("", |(_, prefix)| prefix);
    secret(prefix, entropy)
}

/// A participant's token from 32 random (or derived) bytes.
#[must_use]
pub fn token_secret(entropy: &[u8; 32]) -> String {
    secret(TOKEN_PREFIX, entropy)
}

fn secret(prefix: &str, entropy: &[u8; 32]) -> String {
    // Two bytes a digit: 65,536 is so much more than 62 that no digit is favoured by more than 0.1 %.
    let mut wide = Sha256::digest(entropy).to_vec();
    wide.extend(Sha256::digest([entropy.as_slice(), b"more"].concat()));
    let pairs = wide.chunks_exact(2).take(SECRET_DIGITS);
    let digits: String = pairs
        .map(|pair| base62(pair.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))))
        .collect();
    let check = checksum(&digits);
    format!("{prefix}{digits}{check}")
}

fn is_well_formed(key: &str, prefix: &str) -> bool {
    let Some(rest) = key.strip_prefix(prefix) else { return false };
    let split = rest.split_at_checked(SECRET_DIGITS);
    split.is_some_and(|(digits, check)| check.len() == CHECK_DIGITS && checksum(digits) == check)
}

fn checksum(digits: &str) -> String {
    let mut rest = u64::from(crc32fast::hash(digits.as_bytes()));
    let mut text = String::with_capacity(CHECK_DIGITS);
    for _ in 0..CHECK_DIGITS {
        text.push(base62(rest));
        rest /= 62;
    }
    text
}

fn base62(value: u64) -> char {
    let index = usize::try_from(value % 62).unwrap_or_default();
    BASE62.get(index).copied().map_or('0', char::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_form_and_a_typo_is_noticed() {
        let (key, test) = (api_key_secret(&[7; 32], true), api_key_secret(&[7; 32], false));
        assert_eq!((key.len(), &key[..8], &test[..8]), (44, "rk_live_", "rk_test_"));
        assert!(is_well_formed(&key, "rk_live_") && is_well_formed(&test, "rk_test_"));
        let typo = if key.ends_with('0') { "1" } else { "0" };
        for wrong in [&key[..key.len() - 1], &format!("{}{typo}", &key[..key.len() - 1]), "rk_live_", "", "x"]
        {
            assert!(!is_well_formed(wrong, "rk_live_"), "{wrong}");
        }
        assert_ne!(key, api_key_secret(&[8; 32], true));
        let token = token_secret(&[7; 32]);
        assert!(is_well_formed(&token, TOKEN_PREFIX));
        assert!(!is_well_formed(&token, "rk_live_") && !is_well_formed(&key, TOKEN_PREFIX));
    }
}
