//! Tokens made here: for tests, and for operators.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;

use crate::auth::keys::Algorithm;

/// What signs.
#[derive(Clone, Copy)]
pub enum SigningKey<'a> {
    /// The secret of HS256.
    Secret(&'a [u8]),
    /// A private key in PEM (PKCS#8).
    Pem(&'a [u8]),
}

/// Without the key.
impl fmt::Debug for SigningKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// The key cannot sign by this algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MintError(Algorithm);

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "this is no private key for {} in PKCS#8 (`openssl pkcs8 -topk8 -nocrypt -in KEY` makes \
             one of another form)",
            self.0.name()
        )
    }
}

impl std::error::Error for MintError {}

/// A token with this header and these claims, both JSON.
///
/// # Errors
///
/// [`MintError`] if the key is not one of the algorithm.
pub fn mint(
    algorithm: Algorithm,
    key: SigningKey<'_>,
    (header, claims): (&str, &str),
) -> Result<String, MintError> {
    let failed = MintError(algorithm);
    let key = match (algorithm, key) {
        (Algorithm::Hs256, SigningKey::Secret(secret)) => Ok(EncodingKey::from_secret(secret)),
        (Algorithm::Rs256, SigningKey::Pem(pem)) => EncodingKey::from_rsa_pem(pem),
        (Algorithm::Es256, SigningKey::Pem(pem)) => EncodingKey::from_ec_pem(pem),
        (Algorithm::EdDsa, SigningKey::Pem(pem)) => EncodingKey::from_ed_pem(pem),
        (Algorithm::Hs256, SigningKey::Pem(_)) | (_, SigningKey::Secret(_)) => return Err(failed),
    };
    let key = key.map_err(|_error| failed)?;
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signer = (DEFAULT_PROVIDER.signer_factory)(&algorithm.backend(), &key);
    let signer = signer.map_err(|_error| failed)?;
    let signature = signer.try_sign(message.as_bytes()).map_err(|_error| failed)?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
