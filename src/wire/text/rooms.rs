//! Commands that make rooms, enter them and end them.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::Line;
use super::words::{named, split_word};
use crate::chat::model::command::{Command, Op};

/// Rooms that `/list` shows: about a screen.
const LISTED: u32 = 20;

pub(super) fn join(room: &str) -> Line<'_> {
    Line::Command(Op::Join, Command::Join { room: room.into(), after: None, epoch: None })
}

/// `den`, or `den private`.
pub(super) fn create(rest: &str) -> Option<Line<'_>> {
    let (room, how) = split_word(rest);
    let (room, private) = match how {
        "" => (named(room)?, false),
        "private" => (named(room)?, true),
        _ => return None,
    };
    let command = Command::Create { room: room.into(), topic: None, private, policy: None };
    Some(Line::Command(Op::Create, command))
}

/// Nothing, or words that a room has in its name or topic.
pub(super) fn list(words: &str) -> Line<'_> {
    let text = Some(words).filter(|words| !words.is_empty()).map(Into::into);
    Line::Command(Op::Directory, Command::Directory { text, after: None, limit: Some(LISTED) })
}

/// Nothing, to be told what would be lost; `sure`, or `sure` and why: whether it is known, and why.
pub(super) fn end(rest: &str) -> Option<(bool, &str)> {
    match split_word(rest) {
        ("", _) => Some((false, "")),
        ("sure", reason) => Some((true, reason)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_line;
    use super::*;
    use crate::chat::model::code::Code;
    use crate::chat::model::limits::{Limits, REASON_LEN_MAX};

    #[track_caller]
    fn check(line: &str, expect: &Line<'_>) {
        assert_eq!(
            parse_line(line.as_bytes(), Some("lobby"), &Limits::default()),
            *expect,
            "{line}"
        );
    }

    #[test]
    fn rooms_are_listed_all_or_those_with_these_words() {
        let list = |text: Option<&'static str>| {
            let (text, limit) = (text.map(Into::into), Some(LISTED));
            Line::Command(Op::Directory, Command::Directory { text, after: None, limit })
        };
        check("/list", &list(None));
        check("/list tea time", &list(Some("tea time")));
    }

    #[test]
    fn the_current_room_gets_another_name_and_ends_only_if_that_is_sure() {
        let rename = Command::Rename { room: "lobby".into(), name: "tea".into() };
        check("/rename tea", &Line::Command(Op::Rename, rename));
        check("/rename", &Line::Usage("/rename tea"));
        let end = |reason: &'static str, sure| {
            let (room, reason) = ("lobby".into(), reason.into());
            Line::Command(Op::Close, Command::Close { room, reason, sure })
        };
        check("/end", &end("", false));
        check("/end sure", &end("", true));
        check("/end sure moved on", &end("moved on", true));
        check("/end moved on", &Line::Usage("/end sure"));
        let long = format!("/end sure {}", "x".repeat(REASON_LEN_MAX + 1));
        let Line::Refused(refusal) = parse_line(long.as_bytes(), Some("lobby"), &Limits::default())
        else {
            panic!("{long}");
        };
        assert_eq!(refusal.code, Code::TooLarge);
    }
}
