//! Tokens that say who somebody is, signed with a key of the run's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chinwag::auth::jwt::{SigningKey, mint};
use chinwag::auth::keys::Algorithm;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

use crate::Outcome;

/// How long a token is good for: longer than any run.
const GOOD_FOR_S: u64 = 24 * 60 * 60;

/// A key.
pub(crate) struct Tokens {
    key: Key,
    now_s: u64,
}

enum Key {
    /// Of ES256: the private one, and where the public one is.
    Pair(String, PathBuf),
    /// Of HS256, which costs nearly nothing.
    Secret(String),
}

impl Tokens {
    /// Makes a pair of keys, with the public one in `folder`.
    pub(crate) fn of_pair(folder: &Path) -> Outcome<Self> {
        fs::create_dir_all(folder)?;
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let public = folder.join("tokens.pem");
        fs::write(&public, pair.public_key_pem())?;
        Self::of_key(Key::Pair(pair.serialize_pem(), public))
    }

    /// Makes one secret that both sides have.
    pub(crate) fn of_secret() -> Outcome<Self> {
        // Its digits: the text of a key file is refused as a secret.
        let digits = KeyPair::generate()?.serialize_der();
        let digits = digits.iter().map(|byte| format!("{byte:02x}"));
        Self::of_key(Key::Secret(digits.collect()))
    }

    fn of_key(key: Key) -> Outcome<Self> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(Self { key, now_s: now.as_secs() })
    }

    /// The settings of a server that takes them.
    pub(crate) fn config(&self) -> String {
        let key = match &self.key {
            Key::Pair(_, public) => {
                format!("algorithm = \"ES256\"\npublic_key_file = \"{}\"", public.display())
            }
            Key::Secret(secret) => format!("algorithm = \"HS256\"\nsecret = \"{secret}\""),
        };
        format!(
            "[jwt]\naudience = [\"chat\"]\nnbf = \"optional\"\n[[jwt.key]]\nissuer = \"torture\"\n{key}\n"
        )
    }

    /// The token of somebody of this name.
    pub(crate) fn of(&self, name: &str) -> Outcome<String> {
        let until = self.now_s + GOOD_FOR_S;
        let claims =
            format!("{{\"iss\":\"torture\",\"aud\":\"chat\",\"sub\":\"{name}\",\"exp\":{until}}}");
        let (algorithm, key) = match &self.key {
            Key::Pair(private, _) => (Algorithm::Es256, SigningKey::Pem(private.as_bytes())),
            Key::Secret(secret) => (Algorithm::Hs256, SigningKey::Secret(secret.as_bytes())),
        };
        let header = format!("{{\"alg\":\"{}\",\"typ\":\"JWT\"}}", algorithm.name());
        Ok(mint(algorithm, key, (&header, &claims))?)
    }
}
