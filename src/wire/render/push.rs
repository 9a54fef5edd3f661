//! Devices that are told by Web Push.

use super::field::{field, name_field};
use crate::chat::model::push::PushSubscription;
use crate::wire::json::{boolean, put, string};

/// Appends a device; whether it is of the login that is `current` is told, if that is known.
pub(super) fn push_subscription(
    out: &mut Vec<u8>,
    device: &PushSubscription,
    current: Option<u64>,
) {
    field(out, r#"{"id":"#, device.id);
    name_field(out, r#","service":"#, device.service());
    put(out, r#","agent":"#);
    string(out, &device.agent);
    field(out, r#","at":"#, device.at);
    put(out, r#","current":"#);
    boolean(out, current.is_some() && device.login == current);
    put(out, "}");
}
