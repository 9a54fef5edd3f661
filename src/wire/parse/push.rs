//! The fields of requests about devices that are told by Web Push.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

use super::fields::{Fields, refuse};
use super::{AGENT_LEN_MAX, Fault};
use crate::chat::model::command::{Command, PushTarget};
use crate::chat::model::push::ENDPOINT_LEN_MAX;
use crate::wire::field_key::Key;

/// Browsers write no padding; some libraries do.
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn subscribe<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let endpoint = fields.bounded(Key::Endpoint, ENDPOINT_LEN_MAX)?;
    let endpoint = endpoint.ok_or_else(|| refuse(Key::Endpoint, "", Key::Endpoint.expected()))?;
    let key = bytes(fields, Key::P256dh)?;
    // What is no point of the curve is found out when something is sent to it.
    if !key.starts_with(&[4]) {
        let expected = "a point of P-256 that is not compressed, 65 bytes in base64url";
        return Err(refuse(Key::P256dh, "something else", expected));
    }
    let secret = bytes(fields, Key::Auth)?;
    let agent = fields.bounded(Key::Agent, AGENT_LEN_MAX)?;
    Ok(Command::PushSubscribe { endpoint, key: Box::new(key), secret, agent })
}

pub(super) fn unsubscribe<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let endpoint = fields.bounded(Key::Endpoint, ENDPOINT_LEN_MAX)?;
    let which = match (fields.message(Key::Subscription)?, endpoint) {
        (Some(id), None) => PushTarget::Id(id),
        (None, Some(endpoint)) => PushTarget::Endpoint(endpoint),
        (None, None) => {
            return Err(refuse(Key::Subscription, "", "an id, or an address in \"endpoint\""));
        }
        (Some(_), Some(_)) => {
            let found = "given together with subscription";
            return Err(refuse(Key::Endpoint, found, "either subscription or endpoint"));
        }
    };
    Ok(Command::PushUnsubscribe { which })
}

/// So many bytes, in base64url.
fn bytes<const LEN: usize>(fields: &mut Fields<'_>, key: Key) -> Result<[u8; LEN], Fault> {
    let text = fields.required(key)?;
    // More bytes than these cannot become so few.
    let decoded = (text.len() < 2 * LEN).then(|| ANY_PADDING.decode(&*text).ok()).flatten();
    let found = decoded.and_then(|bytes| bytes.try_into().ok());
    found.ok_or_else(|| refuse(key, "something else", key.expected()))
}
