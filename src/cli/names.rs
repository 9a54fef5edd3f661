//! Names and times on the command line.

use crate::chat::model::limits::GUEST_PREFIX;
use crate::chat::model::name::{NameError, RoomName, UserName};
use crate::time::span;

pub(super) fn parse_user(text: &str) -> Result<UserName, String> {
    // One that is stored must be nameable, also if the rules for new names have changed.
    let stored = UserName::stored(text);
    stored.map_or_else(|| UserName::parse(text), Ok).map_err(|error| describe_name_error(&error))
}

/// The name of somebody who is made by a command. A guest's is nobody's: it ends with its session.
pub(super) fn parse_new_user(text: &str) -> Result<UserName, String> {
    let name = parse_user(text)?;
    if text.starts_with(GUEST_PREFIX) {
        return Err(format!("names that begin with {GUEST_PREFIX} are for guests: choose another"));
    }
    Ok(name)
}

pub(super) fn parse_room(text: &str) -> Result<RoomName, String> {
    let stored = RoomName::stored(text);
    stored.map_or_else(|| RoomName::parse(text), Ok).map_err(|error| describe_name_error(&error))
}

fn describe_name_error(error: &NameError) -> String {
    match &error.hint {
        Some(hint) => format!("this is not a name: {}; did you mean {hint}?", error.expected),
        None => format!("this is not a name: {}", error.expected),
    }
}

/// The milliseconds of a time such as `30m`.
pub(super) fn parse_time(text: &str) -> Result<u64, String> {
    let millis = span::parse(text).filter(|millis| *millis > 0);
    millis.ok_or_else(|| format!("a time is {}", span::UNITS_ARE))
}
