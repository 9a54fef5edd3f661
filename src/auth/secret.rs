//! Secrets that the server makes: a word that says what it is, and 256 bits in base64url. What is
//! kept is the SHA-256 of the whole text, which needs no salt: nobody can guess 256 bits.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::chat::model::account::{Hidden, NewSecret, SecretHash};

/// How a login begins.
pub const LOGIN: &str = "cwl_";
/// How a program's key begins.
pub const KEY: &str = "cwk_";
/// How the secret of an incoming hook begins.
pub const HOOK: &str = "cwh_";
/// How an invite link's secret begins.
pub const INVITE: &str = "cwi_";
/// How that of the first administrator begins.
pub const ADMIN: &str = "cwa_";
/// Characters after the word.
const LEN: usize = 43;

/// The secret of these bits.
#[must_use]
pub fn make(word: &str, bits: [u8; 32]) -> NewSecret {
    let text = format!("{word}{}", URL_SAFE_NO_PAD.encode(bits));
    NewSecret::new(hash_of(&text), text)
}

/// A password that nobody can guess, of some of these bits, for who is to change it.
#[must_use]
pub fn password(bits: [u8; 32]) -> Hidden {
    let text = URL_SAFE_NO_PAD.encode(bits);
    Hidden::new(text.get(..20).unwrap_or_default())
}

/// The hash of a secret that begins with one of these `words`; `None` if it has not the form of
/// one.
#[must_use]
pub fn hash(text: &str, words: &[&str]) -> Option<SecretHash> {
    let rest = words.iter().find_map(|word| text.strip_prefix(word))?;
    let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (rest.len() == LEN && rest.bytes().all(is_ours)).then(|| hash_of(text))
}

/// The hash of any secret, such as one that the operator has chosen.
#[must_use]
pub fn hash_any(text: &str) -> SecretHash {
    hash_of(text)
}

/// Whether two hashes are the same: the time that this takes does not tell where they differ.
#[must_use]
pub fn is_same(one: &SecretHash, other: &SecretHash) -> bool {
    let differences = one.0.iter().zip(&other.0).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(differences) == 0
}

fn hash_of(text: &str) -> SecretHash {
    SecretHash(Sha256::digest(text.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_by_its_hash_and_has_one_form() {
        let made = make(LOGIN, [0xfb; 32]);
        assert_eq!(made.text().len(), LOGIN.len() + LEN);
        assert_eq!(hash(made.text(), &[LOGIN]), Some(made.hash()));
        assert_eq!(hash(made.text(), &[INVITE, ADMIN]), None);
        for text in ["", "cwl_", "cwl_x", &format!("{}x", made.text())] {
            assert_eq!(hash(text, &[LOGIN]), None, "{text}");
        }
        assert!(!format!("{made:?}").contains(made.text()));
    }
}
