//! What a secret of the server's own proves: that of a login, or a program's key.

use crate::auth::secret;
use crate::chat::model::identity::Identity;
use crate::chat::{Chat, Code, Refusal};

/// The words with which a token begins that the server has made.
const OURS: [&str; 2] = [secret::LOGIN, secret::KEY];

/// Whose login or key a secret is.
///
/// # Errors
///
/// [`Code::Unauthorized`] if it is of none, or of one that was ended; [`Code::TokenExpired`].
pub(super) fn identity(chat: &Chat, token: &str, wall_ms: u64) -> Result<Identity, Refusal> {
    let secret = secret::hash(token, &OURS);
    let identity = secret.and_then(|hash| chat.bearer(&hash)).ok_or_else(|| {
        let refusal = Refusal::new(Code::Unauthorized, "this token is not good, or no longer");
        refusal.field("token", "the token of a new login, or a key that was not ended")
    })?;
    if identity.expires.is_some_and(|until| until <= wall_ms) {
        return Err(Refusal::new(Code::TokenExpired, "the key has expired; get a new one"));
    }
    Ok(identity)
}

/// Whether a token is a secret of the server's own, rather than one that somebody has signed.
pub(super) fn is_ours(token: &str) -> bool {
    secret::hash(token, &OURS).is_some()
}

/// Whether a token is a program's key.
pub(super) fn is_key(token: &str) -> bool {
    secret::hash(token, &[secret::KEY]).is_some()
}
