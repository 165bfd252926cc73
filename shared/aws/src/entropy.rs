//! The one place that draws random bytes.

/// Cryptographic randomness of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entropy;

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct EntropyError;

impl Entropy {
    /// Draws `N` bytes.
    ///
    /// # Errors
    /// [`EntropyError`] when the system has none to give.
    pub fn draw<const N: usize>(self) -> Result<[u8; N], EntropyError> {
        let mut bytes = [0; N];
        #[expect(clippy::disallowed_methods, reason = "this is where randomness comes from")]
        getrandom::fill(&mut bytes).map_err(|_| EntropyError)?;
        Ok(bytes)
    }
}
