//! Secrets that nobody can guess, or that a simulation can repeat.

use crate::rng::Rng;

/// Where the secrets of sessions come from.
#[derive(Clone, Debug)]
pub enum Entropy {
    /// The operating system.
    System,
    /// A sequence that can be repeated: for simulations and measurements only.
    Seeded(Rng),
}

impl Entropy {
    /// 256 bits; `None` if the operating system has none to give.
    pub(crate) fn bits(&mut self) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        let (one, other) = bytes.split_at_mut(16);
        one.copy_from_slice(&self.secret()?.to_ne_bytes());
        other.copy_from_slice(&self.secret()?.to_ne_bytes());
        Some(bytes)
    }

    /// 128 bits; `None` if the operating system has none to give.
    pub(crate) fn secret(&mut self) -> Option<u128> {
        match self {
            Self::System => {
                let mut bytes = [0; 16];
                getrandom::fill(&mut bytes).ok()?;
                Some(u128::from_ne_bytes(bytes))
            }
            Self::Seeded(rng) => Some(u128::from(rng.bits()) << 64 | u128::from(rng.bits())),
        }
    }
}
