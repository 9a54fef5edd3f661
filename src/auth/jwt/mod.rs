//! Tokens that somebody else has signed: JWT (RFC 7519, RFC 8725), verified.
//!
//! ```text
//!  token ─▶ size ─▶ cache ──────────────────────────────▶ times ─▶ claims
//!                     └─▶ parts ─▶ iss, kid ─▶ key ─▶ signature ─┘
//!                         (three)   (table)  (one alg)
//! ```
//!
//! Nothing of a token is looked up anywhere but in the table of configured keys, and nothing that
//! it claims counts before the signature is right. All that is not signed by a key of ours is
//! refused in the same words.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

mod claims;
mod mint;
#[cfg(test)]
mod tests;
mod token;
mod unfit;

use std::fmt;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::unsync::Cache;
use sha2::{Digest as _, Sha256};

use self::claims::issuer_of;
use self::token::{Header, Parts};
use super::json::Object;
use super::keys::{Key, KeyTable};

pub use claims::{ClaimPolicy, Claims, LEEWAY_MS, RoomGrant};
pub use mint::{MintError, SigningKey, mint};
pub use token::TOKEN_LEN_MAX;
pub use unfit::Unfit;

/// Bytes of verified claims that are remembered, so that a client that comes back costs no
/// signature: about 26,000 tokens that say little. The one that was unused longest goes.
const CACHE_BYTES_MAX: u64 = 8 << 20;
/// Of a memory budget, how much they may take.
const CACHE_PART: u64 = 32;
/// Tokens for which the cache has its tables at first.
const CACHE_TOKENS: usize = 1_024;
/// Bytes that the cache itself takes for one token, and the allocator for its claims: 148 were
/// measured.
const CACHE_ENTRY_BYTES: usize = 152;

/// The hash of a token: the cache keeps no token.
type TokenHash = [u8; 32];

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<TokenHash, Arc<Claims>> for Weight {
    fn weight(&self, _: &TokenHash, claims: &Arc<Claims>) -> u64 {
        u64::try_from(claims.weight() + CACHE_ENTRY_BYTES).unwrap_or(u64::MAX)
    }
}

/// Verifies tokens.
pub struct Verifier {
    keys: KeyTable,
    policy: ClaimPolicy,
    cache_bytes: u64,
    verified: Cache<TokenHash, Arc<Claims>, Weight>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { keys, policy, cache_bytes, verified } = self;
        let mut shown = f.debug_struct("Verifier");
        shown.field("keys", keys).field("policy", policy).field("verified", &verified.len());
        shown.field("cache_bytes", cache_bytes).finish()
    }
}

impl Verifier {
    /// A verifier by these keys.
    #[must_use]
    pub fn new(keys: KeyTable, policy: ClaimPolicy) -> Self {
        let cache_bytes = cache_bytes(None);
        Self { keys, policy, cache_bytes, verified: cache(cache_bytes) }
    }

    /// The same for a server with so many bytes of memory, if that is bounded.
    #[must_use]
    pub fn within(mut self, memory: Option<u64>) -> Self {
        self.cache_bytes = cache_bytes(memory);
        self.verified = cache(self.cache_bytes);
        self
    }

    /// Other keys are in force: nothing that was verified by the former ones counts any more.
    pub fn set_keys(&mut self, keys: KeyTable) {
        self.keys = keys;
        self.verified = cache(self.cache_bytes);
    }

    /// The keys in force.
    #[must_use]
    pub const fn keys(&self) -> &KeyTable {
        &self.keys
    }

    /// How many verified tokens are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.verified.len()
    }

    /// What was verified earlier, by the hash alone: costs no signature.
    ///
    /// # Errors
    ///
    /// As [`Verifier::verify`].
    pub fn recall(&self, token: &str, wall_ms: u64) -> Option<Result<Arc<Claims>, Unfit>> {
        // Before it is hashed: what nobody has signed must cost nothing that grows with it.
        if token.len() > TOKEN_LEN_MAX {
            return Some(Err(Unfit::Long));
        }
        let claims = self.verified.get(&hash(token))?;
        // What was verified is the signature, which stays right; the time is another one with each
        // login.
        Some(claims.check_times(wall_ms).map(|()| Arc::clone(claims)))
    }

    /// What a token claims, if it is good at this moment.
    ///
    /// # Errors
    ///
    /// [`Unfit`].
    pub fn verify(&mut self, token: &str, wall_ms: u64) -> Result<Arc<Claims>, Unfit> {
        if let Some(recalled) = self.recall(token, wall_ms) {
            return recalled;
        }
        let claims = verify(token, &self.keys, &self.policy)?;
        claims.check_times(wall_ms)?;
        let claims = Arc::new(claims);
        self.verified.insert(hash(token), Arc::clone(&claims));
        Ok(claims)
    }
}

/// Bytes of verified claims that a server with so much memory remembers.
#[must_use]
pub fn cache_bytes(memory: Option<u64>) -> u64 {
    memory.map_or(CACHE_BYTES_MAX, |memory| (memory / CACHE_PART).min(CACHE_BYTES_MAX))
}

fn cache(bytes: u64) -> Cache<TokenHash, Arc<Claims>, Weight> {
    Cache::with_weighter(CACHE_TOKENS, bytes, Weight)
}

fn hash(token: &str) -> TokenHash {
    Sha256::digest(token).into()
}

/// The claims of a token whose signature is right, whatever the time.
fn verify(token: &str, keys: &KeyTable, policy: &ClaimPolicy) -> Result<Claims, Unfit> {
    let parts = Parts::split(token)?;
    let header = Header::parse(&parts.header)?;
    let claims = Object::parse(&parts.claims).ok_or(Unfit::Claims)?;
    // Only to find the row of the table: whoever names no issuer of ours has no key there.
    let issuer = issuer_of(&claims).map_err(|_error| Unfit::Key)?;
    let key = header.key(keys, &issuer)?;
    if !parts.is_signed_by(key) {
        return Err(Unfit::Signature);
    }
    Claims::parse(&claims, policy)
}

/// What an operator is shown of a token.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The header and the claims as they are written, where they can be read.
    pub texts: Option<(String, String)>,
    /// The key that it must be signed with.
    pub key: Option<Key>,
    /// What it claims, or why it is not taken.
    pub verdict: Result<Claims, Unfit>,
}

/// Takes a token apart for an operator, without remembering it.
#[must_use]
pub fn inspect(token: &str, keys: &KeyTable, policy: &ClaimPolicy, wall_ms: u64) -> Inspected {
    let verdict =
        verify(token, keys, policy).and_then(|claims| claims.check_times(wall_ms).map(|()| claims));
    let parts = Parts::split(token).ok();
    let key = parts.as_ref().and_then(|parts| {
        let issuer = issuer_of(&Object::parse(&parts.claims)?).ok()?;
        let header = Header::parse(&parts.header).ok()?;
        keys.find(&issuer, header.kid.as_deref()).cloned()
    });
    let texts = parts.map(|parts| (parts.header, parts.claims));
    Inspected { texts, key, verdict }
}
