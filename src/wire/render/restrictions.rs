//! Invitations and what else holds of users in rooms.

use super::field::name_field;
use crate::chat::model::log::{Restriction, RestrictionMeta};
use crate::chat::model::name::UserName;
use crate::chat::model::reply::Invitation;
use crate::wire::json::{array, name, number_or_null, put, string};

/// Appends open invitations as a field, with the comma before it.
pub(super) fn invitations(out: &mut Vec<u8>, open: &[Invitation]) {
    put(out, r#","invitations":"#);
    array(out, open, |out, Invitation { room, by, at, reason }| {
        put(out, "{");
        name_field(out, r#""room":"#, room.as_str());
        order(out, (by.as_ref(), *at), reason);
    });
}

/// Appends something that holds of a user.
pub(super) fn restriction(out: &mut Vec<u8>, row: &(UserName, Restriction, RestrictionMeta)) {
    let (user, kind, RestrictionMeta { by, at, expiry }) = row;
    name_field(out, r#"{"user":"#, user.as_str());
    name_field(out, r#","kind":"#, kind.name());
    put(out, r#","until":"#);
    number_or_null(out, expiry.until);
    order(out, (by.as_ref(), *at), &expiry.reason);
}

/// Appends by whom and when something was ordered, and why, to the end of the object. What is not
/// known is `null`.
fn order(out: &mut Vec<u8>, (by, at): (Option<&UserName>, Option<u64>), reason: &str) {
    put(out, r#","by":"#);
    match by {
        Some(by) => name(out, by.as_str()),
        None => put(out, "null"),
    }
    put(out, r#","at":"#);
    number_or_null(out, at);
    put(out, r#","reason":"#);
    string(out, reason);
    put(out, "}");
}
