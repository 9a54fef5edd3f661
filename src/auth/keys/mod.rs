//! The keys that tokens must be signed with: a fixed table, by issuer and key id.
//!
//! One key has one algorithm, from the configuration. What a token's header says is only compared
//! with it, so that no token chooses how it is verified.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

mod jwks;

use std::fmt;

use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm as Backend, DecodingKey};

pub use jwks::parse_jwks;

/// The shortest secret: as many bytes as the hash has (RFC 7518 section 3.2).
pub const SECRET_LEN_MIN: usize = 32;
/// The shortest modulus of an RSA key, in bits (RFC 7518 section 3.3), and the longest that is
/// verified in bounded time.
pub const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;
/// Bytes of an Ed25519 public key.
const ED25519_LEN: usize = 32;
/// Bytes of an uncompressed point of P-256.
const P256_LEN: usize = 65;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256: whoever can verify can also sign.
    Hs256,
    /// RSA, PKCS#1 v1.5, with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name in headers, JWKS and the configuration. It is compared byte for byte.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The inverse of [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    pub(super) const fn backend(self) -> Backend {
        match self {
            Self::Hs256 => Backend::HS256,
            Self::Rs256 => Backend::RS256,
            Self::Es256 => Backend::ES256,
            Self::EdDsa => Backend::EdDSA,
        }
    }
}

/// Why a key cannot be used. Nothing of the key is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// A secret has fewer bytes than it must have.
    ShortSecret(usize),
    /// A secret is the text of a PEM file: whoever has that file could sign.
    SecretIsPem,
    /// A private key stands where a public one is due.
    Private,
    /// It is no PEM file with a public key.
    NotPem,
    /// It is a key of another algorithm, or damaged.
    Unfit(Algorithm),
    /// An RSA key of this many bits.
    RsaBits(usize),
    /// It is no set of keys.
    NotJwks,
    /// The `number`th key of a set, from 1, cannot be used.
    Member {
        /// Which one.
        number: usize,
        /// Why.
        why: Box<Self>,
    },
    /// A member of a key is missing or of the wrong type.
    Field(&'static str),
    /// A set has no key that could verify a token.
    NoKeys,
    /// Two keys of one issuer have the same id.
    Twice {
        /// The issuer.
        issuer: Box<str>,
        /// The id; `None`: both have none.
        kid: Option<Box<str>>,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortSecret(len) => write!(
                f,
                "the secret has {len} bytes; it must have at least {SECRET_LEN_MIN}, such as from \
                 `openssl rand -base64 32`"
            ),
            Self::SecretIsPem => f.write_str(
                "the secret is the text of a PEM file, which is not secret enough: use \
                 public_key_file with RS256, ES256 or EdDSA",
            ),
            Self::Private => f.write_str(
                "this is a private key; only the issuer needs it. Give the public one \
                 (`openssl pkey -in KEY -pubout`)",
            ),
            Self::NotPem => f.write_str(
                "this is no public key in PEM: it must begin with -----BEGIN PUBLIC KEY-----",
            ),
            Self::Unfit(algorithm) => {
                write!(f, "the key is damaged or not one for {}", algorithm.name())
            }
            Self::RsaBits(bits) => write!(
                f,
                "the RSA key has {bits} bits; it must have between {} and {}",
                RSA_BITS.start(),
                RSA_BITS.end()
            ),
            Self::NotJwks => f.write_str(r#"this is no JWKS: it must be {"keys":[...]}"#),
            Self::Member { number, why } => write!(f, "key {number} of the set: {why}"),
            Self::Field(name) => write!(f, "{name:?} is missing or not what RFC 7517 says"),
            Self::NoKeys => {
                f.write_str("no key of the set is one for HS256, RS256, ES256 or EdDSA")
            }
            Self::Twice { issuer, kid: Some(kid) } => {
                write!(f, "two keys of the issuer {issuer:?} have the kid {kid:?}")
            }
            Self::Twice { issuer, kid: None } => {
                write!(f, "two keys of the issuer {issuer:?} have no kid: give each its own")
            }
        }
    }
}

impl std::error::Error for KeyError {}

/// One key, with its one algorithm.
#[derive(Clone)]
pub struct Key {
    issuer: Box<str>,
    kid: Option<Box<str>>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Without the key itself, which may be a secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, kid, algorithm, .. } = self;
        let mut shown = f.debug_struct("Key");
        shown.field("issuer", issuer).field("kid", kid).field("algorithm", algorithm);
        shown.finish_non_exhaustive()
    }
}

impl Key {
    /// A key for HS256.
    ///
    /// # Errors
    ///
    /// [`KeyError::ShortSecret`], [`KeyError::SecretIsPem`].
    pub fn from_secret(issuer: &str, kid: Option<&str>, secret: &[u8]) -> Result<Self, KeyError> {
        // The old trick: a token that says HS256 and is signed with the text of the public key,
        // which everybody has. The algorithm is fixed by the table, and this keeps the text out of
        // it, too.
        if secret.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Err(KeyError::SecretIsPem);
        }
        if secret.len() < SECRET_LEN_MIN {
            return Err(KeyError::ShortSecret(secret.len()));
        }
        Self::new(issuer, kid, Algorithm::Hs256, DecodingKey::from_secret(secret))
    }

    /// A public key from the text of a PEM file.
    ///
    /// # Errors
    ///
    /// [`KeyError`], also for HS256, which has no public key.
    pub fn from_pem(
        issuer: &str,
        kid: Option<&str>,
        algorithm: Algorithm,
        pem: &[u8],
    ) -> Result<Self, KeyError> {
        let text = str::from_utf8(pem).map_err(|_error| KeyError::NotPem)?;
        // Before the form is looked at, so that the words are about what is dangerous.
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyError::Private);
        }
        if !["-----BEGIN PUBLIC KEY-----", "-----BEGIN RSA PUBLIC KEY-----"]
            .iter()
            .any(|begin| text.trim_start().starts_with(begin))
        {
            return Err(KeyError::NotPem);
        }
        let key = match algorithm {
            Algorithm::Hs256 => return Err(KeyError::Unfit(algorithm)),
            Algorithm::Rs256 => DecodingKey::from_rsa_pem(pem),
            Algorithm::Es256 => DecodingKey::from_ec_pem(pem),
            Algorithm::EdDsa => DecodingKey::from_ed_pem(pem),
        };
        Self::new(issuer, kid, algorithm, key.map_err(|_error| KeyError::Unfit(algorithm))?)
    }

    /// Refuses a key that the algorithm cannot use, so that none is found unfit by a token.
    fn new(
        issuer: &str,
        kid: Option<&str>,
        algorithm: Algorithm,
        key: DecodingKey,
    ) -> Result<Self, KeyError> {
        let unfit = || KeyError::Unfit(algorithm);
        let bytes = key.try_get_as_bytes();
        match algorithm {
            Algorithm::Hs256 => {}
            Algorithm::Rs256 => {
                let components = DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_public_key;
                let bits = match bytes {
                    Ok(der) => bits_of(&components(der).map_err(|_error| unfit())?.0),
                    // A set has the modulus as it is, which was checked there.
                    Err(_) => *RSA_BITS.start(),
                };
                if !RSA_BITS.contains(&bits) {
                    return Err(KeyError::RsaBits(bits));
                }
            }
            Algorithm::Es256 | Algorithm::EdDsa => {
                let len = if algorithm == Algorithm::Es256 { P256_LEN } else { ED25519_LEN };
                // The backend cuts longer ones off, and does not expect shorter ones.
                if bytes.map_err(|_error| unfit())?.len() != len {
                    return Err(unfit());
                }
            }
        }
        // Tried here, where an operator reads the error, and not by the first client that comes.
        (DEFAULT_PROVIDER.verifier_factory)(&algorithm.backend(), &key)
            .map_err(|_error| unfit())?;
        Ok(Self { issuer: issuer.into(), kid: kid.map(Into::into), algorithm, key })
    }

    /// Whose tokens it verifies.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Which of the issuer's keys it is.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm that it is for.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is this key's of `message`.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&self.algorithm.backend(), &self.key);
        verifier.is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }
}

/// The bits of a big-endian number.
fn bits_of(number: &[u8]) -> usize {
    let mut rest = number;
    while let [0, behind @ ..] = rest {
        rest = behind;
    }
    let zeros = rest.first().map_or(0, |first| first.leading_zeros());
    (rest.len() * 8).saturating_sub(usize::try_from(zeros).unwrap_or(0))
}

/// All keys that there are.
#[derive(Clone, Debug, Default)]
pub struct KeyTable {
    /// A handful: two for each issuer while one takes over from the other.
    keys: Vec<Key>,
}

impl KeyTable {
    /// A table of these keys.
    ///
    /// # Errors
    ///
    /// [`KeyError::Twice`] if two of them answer to the same issuer and id.
    pub fn new(keys: Vec<Key>) -> Result<Self, KeyError> {
        for (at, key) in keys.iter().enumerate() {
            let earlier = keys.get(..at).unwrap_or_default();
            if earlier.iter().any(|other| other.issuer == key.issuer && other.kid == key.kid) {
                return Err(KeyError::Twice { issuer: key.issuer.clone(), kid: key.kid.clone() });
            }
        }
        Ok(Self { keys })
    }

    /// The key of this issuer and id. A token without an id is verified by the key without one, and
    /// by no other.
    #[must_use]
    pub fn find(&self, issuer: &str, kid: Option<&str>) -> Option<&Key> {
        self.keys.iter().find(|key| *key.issuer == *issuer && key.kid.as_deref() == kid)
    }

    /// All keys, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }
}
