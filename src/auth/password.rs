//! Passwords: argon2id with OWASP's parameters.
//!
//! A hash takes [`Cost::memory`] and some tens of milliseconds: it is for a thread of its own, one
//! at a time, never for the loop.

use std::fmt;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::chat::model::account::cost_of;

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

    /// The begin of each hash that is made at this cost.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Usual => "$argon2id$v=19$m=19456,t=2,p=1",
            Self::Small => "$argon2id$v=19$m=7168,t=5,p=1",
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

/// A hash of no password that anybody has, at the cost with this prefix.
fn nobodys(cost: &str) -> String {
    format!("{cost}$Y2hpbndhZy1ub2JvZHkhIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
}

/// Whether a hash is one of parameters that are known.
fn is_readable(hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Params::try_from(&hash).is_ok())
}

/// Hashes passwords, one after the other, always in the same memory.
///
/// Allocators do not reuse what was freed of that size and alignment: ten logins took 45 MB of a
/// process that allows for 7. So what the cost takes is kept, cleared after each hash.
pub struct Hasher {
    cost: Cost,
    blocks: Vec<Block>,
    /// KiB of memory, passes and lanes of each hash that was made.
    #[cfg(test)]
    work: Vec<(u32, u32, u32)>,
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
        Self {
            cost,
            blocks: Vec::new(),
            #[cfg(test)]
            work: Vec::new(),
        }
    }

    /// The hash of a password with this salt, which nobody can guess; `None` if there is no memory
    /// for it.
    #[must_use]
    pub fn hash(&mut self, password: &str, salt: [u8; 16]) -> Option<String> {
        self.hash_with(password, Salt::new(&salt).ok()?)
    }

    fn hash_with(&mut self, password: &str, salt: Salt) -> Option<String> {
        let argon2 = self.cost.argon2()?;
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
        // All that it was made with is taken from the hash: its cost may be that of another budget.
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = Version::try_from(hash.version?).ok()?;
        let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
        let found = self.run(&argon2, (password, &salt), expected.len())?;
        // In a time that does not tell how much of both is the same.
        Some(found == expected)
    }

    /// Whether the password is the one of this hash, which is `None` where there is no account;
    /// `None` if that cannot be found out. `costs` are those of the hashes of all accounts, as
    /// [`cost_of`] tells them.
    ///
    /// Whosever the name is, one hash is made at each of them and at the own cost, in the same
    /// order. Otherwise a name whose hash was made at another cost than that of nobody's would be
    /// told from an unknown one by the time of the answer.
    #[must_use]
    pub fn compare(
        &mut self,
        password: &str,
        hash: Option<&str>,
        costs: &[Box<str>],
    ) -> Option<bool> {
        let theirs = hash.map(cost_of);
        let mut all: Vec<&str> = costs.iter().map(|cost| &**cost).collect();
        all.push(self.cost.prefix());
        all.extend(theirs);
        // In one order for everybody, so that not even the order of the costs tells whose hash is
        // there.
        all.sort_unstable();
        all.dedup();
        let (mut is_right, mut is_short) = (Some(false), false);
        for cost in all {
            if let Some(hash) = hash.filter(|_| theirs == Some(cost)) {
                is_right = self.is_of(password, hash);
            } else {
                // The answer is thrown away, the time is not. What there is no memory for fails
                // everybody's login, as it would that of an account of this cost.
                let nobodys = nobodys(cost);
                is_short |= self.is_of(password, &nobodys).is_none() && is_readable(&nobodys);
            }
        }
        is_right.filter(|_| !is_short)
    }

    /// The hash of the same password at the own cost, if `hash` was made at another one. It has the
    /// same salt, by which it is known to be of the same password.
    #[must_use]
    pub fn renew(&mut self, password: &str, hash: &str) -> Option<String> {
        if cost_of(hash) == self.cost.prefix() {
            return None;
        }
        self.hash_with(password, PasswordHash::new(hash).ok()?.salt?)
    }

    fn run(
        &mut self,
        argon2: &Argon2<'_>,
        (password, salt): (&str, &Salt),
        len: usize,
    ) -> Option<Output> {
        let count = argon2.params().block_count();
        #[cfg(test)]
        {
            let params = argon2.params();
            self.work.push((params.m_cost(), params.t_cost(), params.p_cost()));
        }
        if count > self.blocks.len() {
            // Nothing is in them: what they take need not be there beside the larger ones.
            self.blocks = Vec::new();
            self.blocks.try_reserve_exact(count).ok()?;
        }
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
        self.blocks.fill(Block::new());
        if self.blocks.len() > own {
            self.blocks = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::account::salt_of;

    #[test]
    fn a_password_is_of_its_own_hash_only_and_not_in_it() {
        for (cost, begin) in [
            (Cost::Usual, "$argon2id$v=19$m=19456,t=2,p=1$"),
            (Cost::Small, "$argon2id$v=19$m=7168,t=5,p=1$"),
        ] {
            let mut hasher = Hasher::new(cost);
            let made = hasher.hash("correct horse", [7; 16]).unwrap();
            assert!(made.starts_with(begin) && cost_of(&made) == cost.prefix(), "{made}");
            assert!(!made.contains("horse"));
            assert_eq!(hasher.is_of("correct horse", &made), Some(true));
            assert_eq!(hasher.is_of("correct horsE", &made), Some(false));
            assert_eq!(hasher.is_of("correct horse", &nobodys(cost.prefix())), Some(false));
            assert_ne!(hasher.hash("correct horse", [8; 16]).unwrap(), made);
            assert_eq!(hasher.is_of("x", "nonsense"), None);
        }
    }

    #[test]
    fn what_was_hashed_elsewhere_is_known() {
        let mut hasher = Hasher::new(Cost::Small);
        assert_eq!(hasher.is_of("password", FOREIGN), Some(true));
        assert_eq!(hasher.is_of("passwore", FOREIGN), Some(false));
    }

    #[test]
    fn the_memory_of_one_hash_is_kept_whatever_was_hashed_and_holds_nothing() {
        let usual = Hasher::new(Cost::Usual).hash("correct horse", [7; 16]).unwrap();
        let mut hasher = Hasher::new(Cost::Small);
        for _ in 0..2 {
            assert_eq!(hasher.is_of("correct horse", &usual), Some(true));
            assert_eq!(hasher.compare("correct horse", None, &[]), Some(false));
            assert_eq!(hasher.blocks.capacity() * size_of::<Block>(), 7 << 20);
            assert_eq!(hasher.compare("correct horse", Some(&usual), &[]), Some(true));
            assert!(hasher.blocks.capacity() * size_of::<Block>() <= 7 << 20);
            let is_clear = |block: &Block| block.as_ref().iter().all(|word| *word == 0);
            assert!(hasher.blocks.iter().all(is_clear), "something is left of a password");
        }
    }

    /// By the program argon2 of its reference implementation, for "password".
    const FOREIGN: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$\
                           nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    #[test]
    fn the_work_of_a_login_is_the_same_whosever_the_name_is() {
        let small = Hasher::new(Cost::Small).hash("correct horse", [7; 16]).unwrap();
        let usual = Hasher::new(Cost::Usual).hash("correct horse", [7; 16]).unwrap();
        let all = [(7_168, 5, 1), (19_456, 2, 1), (256, 2, 1)];
        // The hashes of the accounts that there are; what is made for each login.
        for (accounts, work) in [
            (&[][..], &all[..1]),
            (&[&*small][..], &all[..1]),
            (&[&*usual][..], &all[..2]),
            (&[&*usual, &*small][..], &all[..2]),
            (&[&*usual, &*small, FOREIGN][..], &all[..]),
        ] {
            let costs: Vec<Box<str>> = accounts.iter().map(|hash| cost_of(hash).into()).collect();
            let mut seen = Vec::new();
            let names = accounts.iter().map(|hash| Some(*hash)).chain([None]);
            for (name, password) in names.flat_map(|name| [(name, "password"), (name, "horse")]) {
                let mut hasher = Hasher::new(Cost::Small);
                let is_right = hasher.compare(password, name, &costs).unwrap();
                assert_eq!(is_right, name == Some(FOREIGN) && password == "password");
                seen.push(hasher.work);
            }
            assert!(seen.iter().all(|one| *one == seen[0]), "{accounts:?}: {seen:?}");
            let (mut made, mut expected) = (seen.remove(0), work.to_vec());
            made.sort_unstable();
            expected.sort_unstable();
            assert_eq!(made, expected, "{accounts:?}");
        }
    }

    #[test]
    fn a_hash_of_another_cost_is_renewed_and_keeps_its_salt() {
        let usual = Hasher::new(Cost::Usual).hash("password", [7; 16]).unwrap();
        let mut hasher = Hasher::new(Cost::Small);
        for former in [&*usual, FOREIGN] {
            let new = hasher.renew("password", former).unwrap();
            assert_eq!(cost_of(&new), Cost::Small.prefix());
            assert_eq!(salt_of(&new), salt_of(former));
            assert_eq!(hasher.is_of("password", &new), Some(true));
            assert_eq!(hasher.renew("password", &new), None, "it is up to date");
        }
        assert_eq!(hasher.renew("password", "nonsense"), None);
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
