//! What a token proves.

use crate::auth::secret;
use crate::chat::model::identity::Identity;
use crate::chat::{Chat, Code, Refusal};

/// Whose login a secret is of.
///
/// # Errors
///
/// [`Code::Unauthorized`] if it is of none, or of one that was ended.
pub(super) fn login(chat: &Chat, token: &str) -> Result<Identity, Refusal> {
    let login = secret::hash(token, &[secret::LOGIN]);
    let identity = login.and_then(|hash| chat.login(&hash));
    identity.ok_or_else(|| {
        let refusal = Refusal::new(Code::Unauthorized, "this token is not good, or no longer");
        refusal.field("token", "the token of a new login")
    })
}

/// Whether a token is the secret of a login, rather than one that somebody has signed.
pub(super) fn is_login(token: &str) -> bool {
    secret::hash(token, &[secret::LOGIN]).is_some()
}
