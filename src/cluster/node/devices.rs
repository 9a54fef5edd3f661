//! Devices of Web Push as rows, and what is asked about what they are told.

use std::fmt::Write as _;

use crate::chat::model::name::UserName;
use crate::chat::model::push::PushSubscription;
use crate::pg::{Row, WrongType};
use crate::time::Tick;

/// What was asked about pushes.
#[derive(Debug)]
pub(super) enum PushOp {
    /// What is due; when that was asked, and in which turn.
    Due(Tick, Option<i64>),
    Sent,
    Release,
}

/// A device, of whose texts the first is in this column, with its id, since when it is there and
/// its login; `None` if they make no sense.
pub(super) fn device(
    row: &Row,
    first: usize,
    (id, at, login): (u64, u64, Option<u64>),
) -> Result<Option<PushSubscription>, WrongType> {
    let text = |nth: usize| row.text(first + nth);
    let (user, endpoint) = (UserName::stored(text(0)?), text(1)?.into());
    let known = user.zip(unhex(text(2)?)).zip(unhex(text(3)?));
    Ok(known.map(|((user, key), secret)| {
        let agent = "".into();
        PushSubscription { id, user, login, endpoint, key, secret, agent, at }
    }))
}

/// Bytes as text.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        _ = write!(text, "{byte:02x}");
    }
    text
}

/// The inverse of [`hex`].
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (nth, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * nth..2 * nth + 2)?, 16).ok()?;
    }
    Some(bytes)
}
