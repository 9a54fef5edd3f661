//! Whom the server believes, for those who are to come in.

use super::field::name_field;
use crate::chat::model::identity::AuthPolicy;
use crate::wire::json::put;

/// Appends whom the server believes, which everybody may know, and how an account is made.
pub(super) fn auth(out: &mut Vec<u8>, auth: &AuthPolicy) {
    put(out, r#""auth":["#);
    for (index, source) in auth.names().enumerate() {
        name_field(out, if index == 0 { "" } else { "," }, source);
    }
    put(out, "]");
    if auth.accounts {
        name_field(out, r#","registration":"#, auth.registration.name());
        name_field(out, r#","invites":"#, auth.invites.name());
    }
}
