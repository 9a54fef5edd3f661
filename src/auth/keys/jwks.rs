//! Sets of keys, as identity providers publish them: RFC 7517.
//!
//! Keys for something else than verifying with one of our algorithms are left out, as section 5
//! says, since providers have several kinds in one set.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;

use super::{Algorithm, Key, KeyError, P256_LEN, RSA_BITS, bits_of};
use crate::auth::json::Object;

/// The keys of a set, all of one issuer. With `only`, those of another algorithm are left out, and
/// those that do not say theirs are of this one if they can be.
///
/// # Errors
///
/// [`KeyError`] if it is no set, a key in it is damaged, or none can be used.
pub fn parse_jwks(issuer: &str, text: &str, only: Option<Algorithm>) -> Result<Vec<Key>, KeyError> {
    let set = Object::parse(text).ok_or(KeyError::NotJwks)?;
    let members = set.typed::<Vec<Object<'_>>>("keys").map_err(|_error| KeyError::NotJwks)?;
    let mut keys = Vec::new();
    for (number, member) in (1..).zip(members.ok_or(KeyError::NotJwks)?) {
        let key = parse_key(issuer, &member, only)
            .map_err(|why| KeyError::Member { number, why: Box::new(why) })?;
        keys.extend(key);
    }
    if keys.is_empty() { Err(KeyError::NoKeys) } else { Ok(keys) }
}

/// One key; `None` if it is for something else.
fn parse_key(
    issuer: &str,
    member: &Object<'_>,
    only: Option<Algorithm>,
) -> Result<Option<Key>, KeyError> {
    let text =
        |name: &'static str| member.typed::<String>(name).map_err(|_error| KeyError::Field(name));
    let bytes = |name: &'static str| {
        let text = text(name)?.ok_or(KeyError::Field(name))?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_error| KeyError::Field(name))
    };
    let kind = text("kty")?.ok_or(KeyError::Field("kty"))?;
    let curve = text("crv")?;
    let algorithm = match (kind.as_str(), curve.as_deref()) {
        ("oct", _) => Algorithm::Hs256,
        ("RSA", _) => Algorithm::Rs256,
        ("EC", Some("P-256")) => Algorithm::Es256,
        ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
        _ => return Ok(None),
    };
    let is_for_another = text("alg")?.is_some_and(|name| name != algorithm.name())
        || text("use")?.is_some_and(|purpose| purpose != "sig")
        || only.is_some_and(|only| only != algorithm);
    if is_for_another {
        return Ok(None);
    }
    if algorithm != Algorithm::Hs256 && member.get("d").is_some() {
        return Err(KeyError::Private);
    }
    let kid = text("kid")?;
    let key = match algorithm {
        Algorithm::Hs256 => {
            return Key::from_secret(issuer, kid.as_deref(), &bytes("k")?).map(Some);
        }
        Algorithm::Rs256 => {
            let (modulus, exponent) = (bytes("n")?, bytes("e")?);
            let bits = bits_of(&modulus);
            if !RSA_BITS.contains(&bits) {
                return Err(KeyError::RsaBits(bits));
            }
            // 3 and above, odd, and short: a long one makes verification slow.
            let odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
            if !odd || !(2..=32).contains(&bits_of(&exponent)) {
                return Err(KeyError::Field("e"));
            }
            DecodingKey::from_rsa_raw_components(&modulus, &exponent)
        }
        Algorithm::Es256 => {
            let mut point = vec![4];
            point.extend(bytes("x")?);
            point.extend(bytes("y")?);
            if point.len() != P256_LEN {
                return Err(KeyError::Field("x"));
            }
            DecodingKey::from_ec_der(&point)
        }
        Algorithm::EdDsa => DecodingKey::from_ed_der(&bytes("x")?),
    };
    Key::new(issuer, kid.as_deref(), algorithm, key).map(Some)
}
