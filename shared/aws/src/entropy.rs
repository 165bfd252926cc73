//! The one place that draws random bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

/// Cryptographic randomness of the operating system, or, in tests that are run again, a sequence that a number names.
/// Clones draw from the same sequence.
#[derive(Debug, Clone, Default)]
pub struct Entropy {
    sequence: Option<Sequence>,
}

#[derive(Debug, Clone)]
struct Sequence {
    seed: u64,
    drawn: Arc<AtomicU64>,
}

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct EntropyError;

impl Entropy {
    /// The operating system's.
    #[must_use]
    pub const fn system() -> Self {
        Self { sequence: None }
    }

    /// A sequence that anybody can foretell; for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { sequence: Some(Sequence { seed, drawn: Arc::default() }) }
    }

    /// Draws `N` bytes.
    ///
    /// # Errors
    /// [`EntropyError`] when the system has none to give.
    pub fn draw<const N: usize>(&self) -> Result<[u8; N], EntropyError> {
        let mut bytes = [0; N];
        match &self.sequence {
            #[expect(clippy::disallowed_methods, reason = "this is where randomness comes from")]
            None => getrandom::fill(&mut bytes).map_err(|_| EntropyError)?,
            Some(sequence) => sequence.fill(&mut bytes),
        }
        Ok(bytes)
    }
}

impl Sequence {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(32) {
            let number = self.drawn.fetch_add(1, Ordering::SeqCst);
            let block = Sha256::digest([self.seed.to_be_bytes(), number.to_be_bytes()].concat());
            for (byte, drawn) in part.iter_mut().zip(block) {
                *byte = drawn;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seeded_sequence_is_the_same_each_time_and_never_repeats_itself() {
        let draw = |seed| {
            let entropy = Entropy::seeded(seed);
            (entropy.draw::<40>().unwrap(), entropy.clone().draw::<40>().unwrap())
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_ne!(draw(1).0, draw(1).1);
    }
}
