//! A token before it is believed: its parts, and what its header asks for. RFC 7515, RFC 7519.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::unfit::Unfit;
use crate::auth::json::Object;
use crate::auth::keys::{Key, KeyTable};

/// Bytes of the longest token: it must fit into a request head, and everything in it is bounded by
/// this.
pub const TOKEN_LEN_MAX: usize = 8 * 1024;

/// Types of token that are an access to something. Others, such as `logout+jwt`, are signed by the
/// same keys and mean something else (RFC 8725 section 3.11).
const TYPES: [&str; 2] = ["jwt", "at+jwt"];
/// Members of a header that ask for what is not done here. Ignoring them would be to read another
/// token than was signed: an encrypted or nested one, or one with extensions that must be
/// understood.
const REFUSED: [&str; 5] = ["crit", "b64", "cty", "zip", "enc"];

/// The parts of a token, decoded and not believed.
#[derive(Debug)]
pub(super) struct Parts<'t> {
    /// What is signed: header and claims as they stand in the token.
    message: &'t [u8],
    signature: Vec<u8>,
    pub(super) header: String,
    pub(super) claims: String,
}

impl<'t> Parts<'t> {
    pub(super) fn split(token: &'t str) -> Result<Self, Unfit> {
        if token.len() > TOKEN_LEN_MAX {
            return Err(Unfit::Long);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Unfit::Parts)?;
        let (header, claims) = message.split_once('.').ok_or(Unfit::Parts)?;
        if claims.contains('.') || [header, claims, signature].contains(&"") {
            return Err(Unfit::Parts);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_error| Unfit::Encoding);
        let text = |part: &str, unfit| String::from_utf8(decode(part)?).map_err(|_error| unfit);
        Ok(Self {
            message: message.as_bytes(),
            header: text(header, Unfit::Header)?,
            claims: text(claims, Unfit::Claims)?,
            signature: decode(signature)?,
        })
    }

    pub(super) fn is_signed_by(&self, key: &Key) -> bool {
        key.has_signed(self.message, &self.signature)
    }
}

/// What a header says. Members that name or bring keys (`jwk`, `jku`, `x5c`, `x5u`) are not read.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: String,
    pub(super) kid: Option<String>,
}

impl Header {
    pub(super) fn parse(text: &str) -> Result<Self, Unfit> {
        let header = Object::parse(text).ok_or(Unfit::Header)?;
        let text = |name: &'static str| {
            header.typed::<String>(name).map_err(|_error| Unfit::HeaderMember(name))
        };
        if let Some(name) = REFUSED.into_iter().find(|name| header.get(name).is_some()) {
            return Err(Unfit::HeaderMember(name));
        }
        if let Some(kind) = text("typ")? {
            let kind = kind.to_ascii_lowercase();
            let kind = kind.strip_prefix("application/").unwrap_or(&kind);
            if !TYPES.contains(&kind) {
                return Err(Unfit::HeaderMember("typ"));
            }
        }
        let algorithm = text("alg")?.ok_or(Unfit::HeaderMember("alg"))?;
        Ok(Self { algorithm, kid: text("kid")? })
    }

    /// The key that the token must be signed with: the table's, whatever the header says.
    pub(super) fn key<'k>(&self, keys: &'k KeyTable, issuer: &str) -> Result<&'k Key, Unfit> {
        let key = keys.find(issuer, self.kid.as_deref()).ok_or(Unfit::Key)?;
        if key.algorithm().name() == self.algorithm { Ok(key) } else { Err(Unfit::Algorithm) }
    }
}
