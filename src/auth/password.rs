//! Passwords: argon2id with OWASP's parameters.
//!
//! A hash takes [`Cost::memory`] and some tens of milliseconds: it is for a thread of its own, one
//! at a time, never for the loop.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

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

/// The hash of a password with this salt, which nobody can guess; `None` if there is no memory for
/// it.
#[must_use]
pub fn hash(password: &str, salt: [u8; 16], cost: Cost) -> Option<String> {
    let hash = cost.argon2()?.hash_password_with_salt(password.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// Whether the password is the one of this hash, whatever that has cost; `None` if that cannot be
/// found out.
#[must_use]
pub fn is_of(password: &str, hash: &str) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    Some(Cost::Usual.argon2()?.verify_password(password.as_bytes(), &hash).is_ok())
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
            let made = hash("correct horse", [7; 16], cost).unwrap();
            assert!(made.starts_with(begin) && cost.nobodys().starts_with(begin), "{made}");
            assert!(!made.contains("horse"));
            assert_eq!(is_of("correct horse", &made), Some(true));
            assert_eq!(is_of("correct horsE", &made), Some(false));
            assert_eq!(is_of("correct horse", cost.nobodys()), Some(false));
            assert_ne!(hash("correct horse", [8; 16], cost).unwrap(), made);
        }
        assert_eq!(is_of("x", "nonsense"), None);
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
