//! What a token proves.

use crate::auth::secret;
use crate::chat::model::account::Hidden;
use crate::chat::model::identity::{AuthPolicy, Identity};
use crate::chat::{Chat, Code, Refusal};

/// Who a token is of, if there is one.
pub(super) fn identity(
    chat: &Chat,
    auth: &AuthPolicy,
    token: Option<&Hidden>,
) -> Result<Option<Identity>, Refusal> {
    let Some(token) = token else { return Ok(None) };
    // Where nobody has to prove anything, there is nothing that a token could prove.
    if auth.is_only_names() {
        return Ok(None);
    }
    let login = secret::hash(token.reveal(), &[secret::LOGIN]);
    let identity = login.and_then(|hash| chat.login(&hash));
    identity.map(Some).ok_or_else(|| {
        let refusal = Refusal::new(Code::Unauthorized, "this token is not good, or no longer");
        refusal.field("token", "the token of a new login")
    })
}
