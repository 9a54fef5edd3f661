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

/// The longest time that a command takes: what is to end is told with the date that is kept.
const TIME_MAX_MS: u64 = 1_000 * 365 * 86_400_000;

/// The milliseconds of a time such as `30m`.
pub(super) fn parse_time(text: &str) -> Result<u64, String> {
    let millis = span::parse(text).filter(|millis| (1..=TIME_MAX_MS).contains(millis));
    millis.ok_or_else(|| format!("a time is {}, and at most 1000y", span::UNITS_ARE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_longer_than_the_date_that_it_leads_to_can_be_kept() {
        assert_eq!(parse_time("1000y"), Ok(TIME_MAX_MS));
        for text in ["1001y", "99999999999y", "99999999999999999999y", "0s", "-1s", "1"] {
            let refused = parse_time(text).unwrap_err();
            assert!(refused.contains("at most 1000y"), "{text}: {refused}");
        }
    }
}
