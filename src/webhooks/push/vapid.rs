//! By what push services know this server: RFC 8292. A browser ties a subscription to the public
//! key, so that nobody else can use it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::chat::model::account::Hidden;

/// How long a signature is good for, in seconds: services take a day at most.
const GOOD_FOR_S: u64 = 12 * 3_600;
/// `{"typ":"JWT","alg":"ES256"}`
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9";

/// The key, and whom a service can ask about what is sent with it.
pub struct Vapid {
    pair: EcdsaKeyPair,
    public: Box<str>,
    contact: Option<String>,
}

impl fmt::Debug for Vapid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vapid").field("public", &self.public).finish_non_exhaustive()
    }
}

/// The stored key cannot be used, or the system has no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKey;

/// A new key, as it is kept.
///
/// # Errors
///
/// [`BadKey`] if the system has no random numbers.
pub fn make() -> Result<Hidden, BadKey> {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    Ok(Hidden::new(STANDARD.encode(pkcs8.or(Err(BadKey))?)))
}

impl Vapid {
    /// The key that is kept, and the address of who runs this server: `mailto:` or `https:`.
    ///
    /// # Errors
    ///
    /// [`BadKey`] if that is none.
    pub fn new(kept: &Hidden, contact: Option<String>) -> Result<Self, BadKey> {
        let pkcs8 = STANDARD.decode(kept.reveal()).or(Err(BadKey))?;
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &random).or(Err(BadKey))?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key()).into();
        Ok(Self { pair, public, contact })
    }

    /// The public key as browsers want it.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The field `Authorization` of a request to a push service, by its origin.
    #[must_use]
    pub fn authorization(&self, origin: &str, wall_s: u64) -> Option<String> {
        let claims = claims(origin, wall_s + GOOD_FOR_S, self.contact.as_deref());
        let signed = format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Some(format!("vapid t={signed}.{signature}, k={}", self.public))
    }
}

fn claims(origin: &str, until_s: u64, contact: Option<&str>) -> String {
    match contact {
        Some(contact) => {
            serde_json::json!({ "aud": origin, "exp": until_s, "sub": contact }).to_string()
        }
        None => serde_json::json!({ "aud": origin, "exp": until_s }).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    /// Whether a field of this form is signed by the key that it names; and what it says.
    fn verified(field: &str) -> Option<String> {
        let rest = field.strip_prefix("vapid t=")?;
        let (token, key) = rest.split_once(", k=")?;
        let (signed, signature) = token.rsplit_once('.')?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(key)?);
        key.verify(signed.as_bytes(), &decode(signature)?).ok()?;
        let (header, claims) = signed.split_once('.')?;
        assert_eq!(header, HEADER);
        String::from_utf8(decode(claims)?).ok()
    }

    #[test]
    fn the_example_of_rfc_8292_is_understood() {
        let field = "vapid t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhb\
                     XBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.\
                     i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHz\
                     voD1oA, k=BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5a\
                     q9ojSwk5Y2EmClBPs";
        let expect =
            claims("https://push.example.net", 1_453_523_768, Some("mailto:push@example.com"));
        assert_eq!(verified(field), Some(expect));
        assert_eq!(verified(&field.replace("aFk", "aFl").replace("FOepC", "FOepD")), None);
    }

    #[test]
    fn a_service_is_told_for_half_a_day_who_sends() {
        let vapid = Vapid::new(&make().unwrap(), None).unwrap();
        let field = vapid.authorization("https://push.example", 1_000).unwrap();
        assert!(field.ends_with(vapid.public()));
        assert_eq!(verified(&field).unwrap(), r#"{"aud":"https://push.example","exp":44200}"#);
    }

    #[test]
    fn a_key_is_the_same_after_it_was_kept_and_a_broken_one_is_refused() {
        let kept = make().unwrap();
        let public = || Vapid::new(&kept, None).unwrap().public().to_owned();
        assert_eq!(public(), public());
        assert_ne!(Vapid::new(&make().unwrap(), None).unwrap().public(), public());
        assert_eq!(Vapid::new(&Hidden::new("AAAA"), None).unwrap_err(), BadKey);
        assert_eq!(Vapid::new(&Hidden::new("?"), None).unwrap_err(), BadKey);
        assert!(!format!("{:?}", Vapid::new(&kept, None).unwrap()).contains(kept.reveal()));
    }
}
