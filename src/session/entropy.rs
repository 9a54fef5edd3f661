//! Secrets that nobody can guess, or that a simulation can repeat.

use std::fmt;

use crate::rng::Rng;

/// Secrets that the operating system is asked for at once: a system call for each would be a
/// twentieth of what a short request over HTTP takes.
const POOL_LEN: usize = 16;

/// Where the secrets of sessions come from.
#[derive(Debug)]
pub enum Entropy {
    /// The operating system.
    System(Box<Pool>),
    /// A sequence that can be repeated: for simulations and measurements only.
    Seeded(Rng),
}

/// What the operating system has given and nobody has got yet.
#[derive(Default)]
pub struct Pool {
    secrets: [[u8; size_of::<u128>()]; POOL_LEN],
    /// How many of the numbers are left, from the front.
    left: usize,
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
            Self::System(pool) => pool.secret(),
            Self::Seeded(rng) => Some(u128::from(rng.bits()) << 64 | u128::from(rng.bits())),
        }
    }
}

impl Pool {
    fn secret(&mut self) -> Option<u128> {
        if self.left == 0 {
            getrandom::fill(self.secrets.as_flattened_mut()).ok()?;
            self.left = POOL_LEN;
        }
        self.left -= 1;
        // It is somebody's now, and nobody else finds it here.
        let secret = std::mem::take(self.secrets.get_mut(self.left)?);
        Some(u128::from_ne_bytes(secret))
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("left", &self.left).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_secret_of_the_system_is_given_twice_or_shown() {
        let mut entropy = Entropy::System(Box::default());
        let secrets: BTreeSet<_> = (0..3 * POOL_LEN).filter_map(|_| entropy.secret()).collect();
        assert_eq!(secrets.len(), 3 * POOL_LEN);
        assert!(!secrets.contains(&0));
        assert_eq!(format!("{entropy:?}"), "System(Pool { left: 0, .. })");
    }
}
