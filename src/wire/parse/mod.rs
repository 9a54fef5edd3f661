//! Turns JSON requests into commands.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

mod accounts;
mod command;
mod data;
mod edits;
mod fields;
mod meant_field;
mod moderation;
mod people;
mod push;
mod quick;
mod read;
mod resume;
mod threads;
mod value;

use std::borrow::Cow;

use self::fields::{Fields, refuse};
pub(super) use self::people::profile_of;
use self::value::Value;
use crate::chat::model::code::Code;
use crate::chat::model::command::{Command, Op, RequestId};
use crate::chat::model::limits::{Limits, REQUEST_ID_LEN_MAX};
use crate::chat::model::name::DIRECT_LEN_MAX;
use crate::chat::model::output::Request;
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::Refusal;
use crate::wire::field_key::Key;
use crate::wire::help;

/// Bytes of the longest `agent`.
pub const AGENT_LEN_MAX: usize = 128;
/// Bytes of the longest epoch or session that is accepted; the server's own are much shorter.
pub const SECRET_LEN_MAX: usize = 64;
/// Levels of arrays and objects in `data`: many JSON parsers give up at 32 to 128.
pub const DATA_DEPTH_MAX: u8 = 32;
// The texts in `key` and `data` state these limits in digits.
const _: () = assert!(AGENT_LEN_MAX == 128 && SECRET_LEN_MAX == 64 && DATA_DEPTH_MAX == 32);
/// Bytes of a request besides its texts: tokens, names, punctuation, ignored fields. A token is
/// seldom longer than 4 KiB.
const REQUEST_OVERHEAD: usize = 8 * 1024;

/// A refusal on its way up. It is boxed because it is large and rare.
type Fault = Box<Refusal>;

/// A request that was parsed.
#[expect(clippy::large_enum_variant, reason = "nearly every request is a command")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// A command for the domain.
    Command(Command<'a>),
    /// `help`, which is answered by [`render::help`](super::render::help).
    Help {
        /// The operation to explain; all of them if `None`.
        of: Option<Op>,
    },
}

/// A request that was refused before it could become a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its id, if it has one that could be read.
    pub id: Option<RequestId>,
    /// Its `op`, if it has one that could be read and is no longer than a name.
    pub op: Option<Cow<'static, str>>,
    /// Why.
    pub refusal: Refusal,
}

/// Bytes of the longest request that can be a right one, which is the limit for a message of a
/// WebSocket or an item of a plain connection: a message of which every byte is escaped, or a
/// `hello` with the positions of as many rooms as a user may have.
#[must_use]
pub fn request_len_max(limits: &Limits) -> usize {
    // `\u0001` for one byte.
    let message = limits.message_bytes.saturating_mul(6);
    // `"room":["epoch",seq],`
    let position = DIRECT_LEN_MAX + Epoch::LEN_MAX + 16 + 9;
    message.max(limits.rooms_per_user.saturating_mul(position)).saturating_add(REQUEST_OVERHEAD)
}

/// The requests in a WebSocket message: its lines, without those that are blank.
pub fn requests(message: &str) -> impl Iterator<Item = &str> {
    message.split('\n').filter(|line| !line.trim_ascii().is_empty())
}

/// The refusal of a request that is longer than `len_max` bytes and was skipped: 4001 with the
/// limit.
#[must_use]
pub fn too_long(len_max: usize) -> Refused {
    let refusal = Refusal::new(Code::TooLarge, "the request is too long").limit(len_max);
    Refused { id: None, op: None, refusal }
}

/// As [`parse`], for bytes that may not be UTF-8.
///
/// # Errors
///
/// As [`parse`]; and 1001 with the offset for what is not UTF-8.
pub fn parse_bytes<'a>(
    request: &'a [u8],
    limits: &Limits,
) -> Result<(Request, Parsed<'a>), Box<Refused>> {
    let text = simdutf8::compat::from_utf8(request).map_err(|error| {
        let mut refusal = Refusal::new(Code::BadJson, "the request is not UTF-8");
        refusal.offset = u64::try_from(error.valid_up_to()).ok();
        Box::new(Refused { id: None, op: None, refusal })
    })?;
    parse(text, limits)
}

/// Parses one request. Strings without escapes are borrowed from `text`.
///
/// Fields that no operation has are ignored, `null` counts as a field that is not there, and a
/// field that is there twice is refused. Names are not looked into: the domain does that.
///
/// # Errors
///
/// - 1001 with the offset: not one JSON object.
/// - 1002 with the list of operations: an unknown `op`.
/// - 1003 with the field and what is expected: a field is missing, of the wrong type or out of
///   range; a string with a NUL or half of a surrogate pair. Of a missing field with the unknown
///   one that was probably meant.
/// - 1005: a `version` other than 1.
/// - 4001 with the limit: `text` and `data` take more than `message_bytes`, or a topic, a reason or
///   what to search for is too long.
pub fn parse<'a>(text: &'a str, limits: &Limits) -> Result<(Request, Parsed<'a>), Box<Refused>> {
    let text = without_mark(text);
    let mut fields = Fields::default();
    let read = read::read(text, &mut fields);
    judge(text, (&mut fields, read), limits)
}

/// As [`parse`], for the first of the requests in `rest`, a line each, which is then what follows
/// it; `None` if that line is blank.
pub fn parse_next<'a>(
    rest: &mut &'a str,
    limits: &Limits,
) -> Option<Result<(Request, Parsed<'a>), Box<Refused>>> {
    let (text, mut fields) = (*rest, Fields::default());
    // The usual request says itself where it ends: the line need not be looked for.
    if let Some(behind) = quick::read(text, &mut fields) {
        let line = text.get(..text.len() - behind.len()).unwrap_or(text);
        *rest = behind.get(1..).unwrap_or_default();
        let read = fields.check();
        return Some(judge(line, (&mut fields, read), limits));
    }
    let (line, behind) = text.split_once('\n').unwrap_or((text, ""));
    *rest = behind;
    if line.trim_ascii().is_empty() {
        return None;
    }
    let line = without_mark(line);
    let read = read::read_slowly(line, &mut fields);
    Some(judge(line, (&mut fields, read), limits))
}

/// Some programs begin a text with the mark of its byte order.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Makes a request of what was read of its line, if nothing is wrong with that.
fn judge<'a>(
    text: &'a str,
    (fields, read): (&mut Fields<'a>, Result<(), Fault>),
    limits: &Limits,
) -> Result<(Request, Parsed<'a>), Box<Refused>> {
    // Whatever else is wrong: a refusal without the id answers nobody's question.
    let id = read_id(text, fields);
    let op = read_op(fields);
    let known = op.as_ref().ok().copied();
    // A bad id is reported only if nothing before it was wrong, and the refusal then has no id.
    let (id, read) = match id {
        Ok(id) => (id, read),
        Err(fault) => (None, read.and(Err(fault))),
    };
    // The first fault counts, in the order in which a client would mend them: JSON, then `op`, then
    // its fields.
    let parsed = read.and(op).and_then(|op| Ok((op, command::parse(op, fields, limits)?)));
    match parsed {
        Ok((op, parsed)) => Ok((Request { id, op }, parsed)),
        Err(mut refusal) => {
            if let Some(op) = known {
                meant_field::add(&mut refusal, (text, op), fields);
            }
            let op = known.map_or_else(|| unknown_op(fields), |op| Some(op.name().into()));
            Err(Box::new(Refused { id, op, refusal: *refusal }))
        }
    }
}

fn read_id(text: &str, fields: &Fields<'_>) -> Result<Option<RequestId>, Fault> {
    let refused = |found| Err(refuse(Key::Id, found, Key::Id.expected()));
    // A number that the text ends with was cut off, and is perhaps the id of another request.
    let Some(raw) = fields.raw(Key::Id).filter(|raw| !text.ends_with(raw)) else {
        return Ok(None);
    };
    // It is echoed as it was written, quotes and escapes included, and so has to be sound JSON.
    let inside = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
    // An id without escapes is valid as it is: the scanner has checked its characters.
    let right = match inside {
        Some(inside) if inside.contains('\\') => serde_json::from_str::<Value<'_>>(raw).is_ok(),
        Some(_) => true,
        None => raw.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9')),
    };
    if !right {
        return refused("neither a string nor an integer");
    }
    if inside.unwrap_or(raw).len() > REQUEST_ID_LEN_MAX {
        return refused("too long");
    }
    Ok(Some(RequestId(raw.into())))
}

fn read_op(fields: &Fields<'_>) -> Result<Op, Fault> {
    match fields.text(Key::Op) {
        Some(name) => Op::parse(name).ok_or_else(|| help::unknown_op(name)),
        None => Err(refuse(Key::Op, fields.describe(Key::Op), Key::Op.expected())),
    }
}

/// The `op` of the request although it is unknown, if it is short enough to be echoed.
fn unknown_op(fields: &Fields<'_>) -> Option<Cow<'static, str>> {
    let name = fields.text(Key::Op).filter(|name| name.len() <= help::OP_LEN_MAX)?;
    Some(name.to_owned().into())
}

#[cfg(test)]
pub(crate) mod tests;
