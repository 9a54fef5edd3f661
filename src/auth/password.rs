//! Passwords: argon2id with OWASP's parameters.
//!
//! A hash takes [`Cost::memory`] and some tens of milliseconds: it is for a thread of its own, one
//! at a time, never for the loop.

use std::fmt;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// The least budget of memory of a server that hashes at the usual cost.
const USUAL_FROM: u64 = 128 << 20;

/// What a hash costs: OWASP holds both for equally hard to guess through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cost {
    /// 19 MiB, gone through twice.
    #[default]
    Usual,
    /// 7 MiB, gone through five times: for a server with little memory.
    Small,
}

impl Cost {
    /// That of a server with so many bytes of memory; `None`: without a bound.
    #[must_use]
    pub const fn within(memory: Option<u64>) -> Self {
        match memory {
            Some(memory) if memory < USUAL_FROM => Self::Small,
            _ => Self::Usual,
        }
    }

    /// Bytes that one hash takes.
    #[must_use]
    pub fn memory(self) -> u64 {
        u64::from(self.params().0) << 10
    }

    /// A hash of no password that anybody has, at the same cost: it is compared with where there is
    /// no account, so that this takes as long.
    #[must_use]
    pub const fn nobodys(self) -> &'static str {
        match self {
            Self::Usual => {
                "$argon2id$v=19$m=19456,t=2,p=1$Y2hpbndhZy1ub2JvZHkhIQ$\
                 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            }
            Self::Small => {
                "$argon2id$v=19$m=7168,t=5,p=1$Y2hpbndhZy1ub2JvZHkhIQ$\
                 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            }
        }
    }

    /// KiB of memory, and how often they are gone through.
    const fn params(self) -> (u32, u32) {
        match self {
            Self::Usual => (19 * 1024, 2),
            Self::Small => (7 * 1024, 5),
        }
    }

    fn argon2(self) -> Option<Argon2<'static>> {
        let (memory, passes) = self.params();
        let params = Params::new(memory, passes, 1, None).ok()?;
        Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// Hashes passwords, one after the other, always in the same memory.
///
/// Allocators do not reuse what was freed of that size and alignment: ten logins took 45 MB of a
/// process that allows for 7. So what the cost takes is kept, cleared after each hash.
pub struct Hasher {
    cost: Cost,
    blocks: Vec<Block>,
}

/// Without what the last password has left.
impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl Hasher {
    /// One that makes hashes of this cost. It takes its memory with the first of them.
    #[must_use]
    pub const fn new(cost: Cost) -> Self {
        Self { cost, blocks: Vec::new() }
    }

    /// The hash of a password with this salt, which nobody can guess; `None` if there is no memory
    /// for it.
    #[must_use]
    pub fn hash(&mut self, password: &str, salt: [u8; 16]) -> Option<String> {
        let argon2 = self.cost.argon2()?;
        let salt = Salt::new(&salt).ok()?;
        let hash = self.run(&argon2, (password, &salt), Params::DEFAULT_OUTPUT_LEN)?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(argon2.params()).ok()?,
            salt: Some(salt),
            hash: Some(hash),
        };
        Some(hash.to_string())
    }

    /// Whether the password is the one of this hash, whatever that has cost; `None` if that cannot
    /// be found out.
    #[must_use]
    pub fn is_of(&mut self, password: &str, hash: &str) -> Option<bool> {
        let hash = PasswordHash::new(hash).ok()?;
        let (salt, expected) = (hash.salt?, hash.hash?);
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = Version::try_from(hash.version?).ok()?;
        let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
        let found = self.run(&argon2, (password, &salt), expected.len())?;
        // In a time that does not tell how much of both is the same.
        Some(found == expected)
    }

    /// A password that is nobody's takes as long as one that is somebody's.
    pub fn refuse(&mut self, password: &str) {
        _ = self.is_of(password, self.cost.nobodys());
    }

    fn run(
        &mut self,
        argon2: &Argon2<'_>,
        (password, salt): (&str, &Salt),
        len: usize,
    ) -> Option<Output> {
        let count = argon2.params().block_count();
        let missing = count.saturating_sub(self.blocks.len());
        self.blocks.try_reserve_exact(missing).ok()?;
        self.blocks.resize(count.max(self.blocks.len()), Block::new());
        let mut buffer = [0; Output::MAX_LENGTH];
        let out = buffer.get_mut(..len)?;
        let blocks = self.blocks.get_mut(..count)?;
        let done = argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, blocks);
        self.clear();
        done.ok()?;
        Output::new(out).ok()
    }

    /// Nothing is left of the password, and no more memory than the own cost takes.
    fn clear(&mut self) {
        let own = self.cost.argon2().map_or(0, |argon2| argon2.params().block_count());
        if self.blocks.len() > own {
            self.blocks.truncate(own);
            self.blocks.shrink_to_fit();
        }
        self.blocks.fill(Block::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_of_its_own_hash_only_and_not_in_it() {
        for (cost, begin) in [
            (Cost::Usual, "$argon2id$v=19$m=19456,t=2,p=1$"),
            (Cost::Small, "$argon2id$v=19$m=7168,t=5,p=1$"),
        ] {
            let mut hasher = Hasher::new(cost);
            let made = hasher.hash("correct horse", [7; 16]).unwrap();
            assert!(made.starts_with(begin) && cost.nobodys().starts_with(begin), "{made}");
            assert!(!made.contains("horse"));
            assert_eq!(hasher.is_of("correct horse", &made), Some(true));
            assert_eq!(hasher.is_of("correct horsE", &made), Some(false));
            assert_eq!(hasher.is_of("correct horse", cost.nobodys()), Some(false));
            assert_ne!(hasher.hash("correct horse", [8; 16]).unwrap(), made);
            assert_eq!(hasher.is_of("x", "nonsense"), None);
        }
    }

    #[test]
    fn what_was_hashed_elsewhere_is_known() {
        // By the program argon2 of its reference implementation.
        let hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$\
                    nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let mut hasher = Hasher::new(Cost::Small);
        assert_eq!(hasher.is_of("password", hash), Some(true));
        assert_eq!(hasher.is_of("passwore", hash), Some(false));
    }

    #[test]
    fn the_memory_of_one_hash_is_kept_whatever_was_hashed_and_holds_nothing() {
        let usual = Hasher::new(Cost::Usual).hash("correct horse", [7; 16]).unwrap();
        let mut hasher = Hasher::new(Cost::Small);
        for _ in 0..2 {
            assert_eq!(hasher.is_of("correct horse", &usual), Some(true));
            hasher.refuse("correct horse");
            assert_eq!(hasher.blocks.capacity() * size_of::<Block>(), 7 << 20);
            let is_clear = |block: &Block| block.as_ref().iter().all(|word| *word == 0);
            assert!(hasher.blocks.iter().all(is_clear), "something is left of a password");
        }
    }

    #[test]
    fn little_memory_makes_a_hash_of_little_memory() {
        for (memory, cost) in
            [(None, Cost::Usual), (Some(64_000_000), Cost::Small), (Some(128 << 20), Cost::Usual)]
        {
            assert_eq!(Cost::within(memory), cost);
        }
        assert_eq!((Cost::Usual.memory(), Cost::Small.memory()), (19 << 20, 7 << 20));
    }
}
