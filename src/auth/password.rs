//! Passwords: argon2id with OWASP's parameters.
//!
//! A hash takes [`MEMORY_KIB`] of memory and some tens of milliseconds: it is for a thread of its
//! own, one at a time, never for the loop.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

/// Memory that one hash takes, in KiB.
pub const MEMORY_KIB: u32 = 19 * 1024;
/// How often it is gone through.
const PASSES: u32 = 2;
/// A hash of no password that anybody has, by the same parameters: it is compared with where there
/// is no account, so that this takes as long.
pub const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$Y2hpbndhZy1ub2JvZHkhIQ$\
                           AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn argon2() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The hash of a password with this salt, which nobody can guess; `None` if there is no memory for
/// it.
#[must_use]
pub fn hash(password: &str, salt: [u8; 16]) -> Option<String> {
    let hash = argon2()?.hash_password_with_salt(password.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// Whether the password is the one of this hash; `None` if that cannot be found out.
#[must_use]
pub fn is_of(password: &str, hash: &str) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    Some(argon2()?.verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_of_its_own_hash_only_and_not_in_it() {
        let made = hash("correct horse", [7; 16]).unwrap();
        assert!(made.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{made}");
        assert!(!made.contains("horse"));
        assert_eq!(is_of("correct horse", &made), Some(true));
        assert_eq!(is_of("correct horsE", &made), Some(false));
        assert_eq!(is_of("correct horse", NOBODYS), Some(false));
        assert_eq!(is_of("x", "nonsense"), None);
        assert_ne!(hash("correct horse", [8; 16]).unwrap(), made);
    }
}
