//! The protocol for a text client, a person at a terminal with `nc` or telnet: lines in, lines out.
//!
//! | line | does |
//! |---|---|
//! | `/nick ann` | takes a name |
//! | `/join lobby` | joins a room |
//! | `/msg bob hi` | sends a message to one user |
//! | `/who` | lists who is online |
//! | `/rooms` | lists the user's rooms |
//! | `/history 20` | shows the latest messages |
//! | `/topic tea` | sets the topic, or without a text shows it |
//! | `/leave` | leaves the room |
//! | `/help`, `/quit` | |
//! | any other | is sent to the room joined last; of `//` at its start one `/` is sent |
//!
//! Other people's text is shown without control characters, since a terminal would obey them.
//! Everything rendered here ends with `\n`.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

mod greeting;
mod lines;
mod render;
mod safe;

use std::borrow::Cow;

pub use self::greeting::{bye, welcome};
pub use self::lines::answer;
pub use self::render::{event, record_event, refusal, reply};
use super::encoded_len_max;
use crate::chat::model::code::Code;
use crate::chat::model::command::{Command, Op, Page, Send, Target};
use crate::chat::model::limits::{Limits, TOPIC_LEN_MAX};
use crate::chat::model::prose;
use crate::chat::model::reply::Refusal;

/// Records that `/history` shows by default: about a screen.
const HISTORY_LIMIT: u32 = 20;

/// A line that was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A blank line.
    Nothing,
    /// Take this name.
    Nick(&'a str),
    /// A command for the domain.
    Command(Op, Command<'a>),
    /// A line that needs a room, but none was joined.
    NoRoom,
    /// Explain the commands.
    Help,
    /// End the connection.
    Quit,
    /// No such command; the word behind the `/`.
    Unknown(&'a str),
    /// A command without what it needs; the right form.
    Usage(&'static str),
    /// A line that is refused.
    Refused(Box<Refusal>),
}

/// Reads a line. `current` is the room joined last, to which lines and commands without a room
/// refer.
#[must_use]
pub fn parse_line<'a>(line: &'a [u8], current: Option<&'a str>, limits: &Limits) -> Line<'a> {
    let Ok(line) = simdutf8::basic::from_utf8(line) else {
        return refused(Code::BadField, "the line is not UTF-8");
    };
    // Some terminals end a line with `\r\0`.
    let line = line.trim_end_matches(['\r', '\0']);
    if line.contains('\0') {
        return refused(Code::BadField, "the line contains a NUL");
    }
    if line.trim().is_empty() {
        return Line::Nothing;
    }
    // A leading space keeps a line from being a command, so that paths can be sent.
    match line.strip_prefix('/') {
        Some(said) if said.starts_with('/') => say(room(current), said, limits),
        Some(command) => parse_command(command, current, limits),
        None => say(room(current), line, limits),
    }
}

fn parse_command<'a>(line: &'a str, current: Option<&'a str>, limits: &Limits) -> Line<'a> {
    let (word, rest) = split_word(line);
    // The room that is named, or the current one. Elsewhere rooms are written with a `#` in front.
    let named = Some(rest.strip_prefix('#').unwrap_or(rest)).filter(|room| !room.is_empty());
    let with_room = |op, command: fn(Cow<'a, str>) -> Command<'a>| match named.or(current) {
        Some(room) => Line::Command(op, command(room.into())),
        None => Line::NoRoom,
    };
    match word.to_ascii_lowercase().as_str() {
        "nick" if rest.is_empty() => Line::Usage("/nick ann"),
        "nick" => Line::Nick(rest),
        "join" if named.is_none() => Line::Usage("/join lobby"),
        "join" => with_room(Op::Join, |room| Command::Join { room, after: None, epoch: None }),
        "msg" => match split_word(rest) {
            ("", _) | (_, "") => Line::Usage("/msg bob hi"),
            (user, text) => say(Some(Target::User(user.into())), text, limits),
        },
        "who" => with_room(Op::Presence, |room| Command::Presence { room }),
        "rooms" => Line::Command(Op::Rooms, Command::Rooms { since: None }),
        "history" => history(rest, current),
        "topic" => topic(rest, current),
        "leave" => with_room(Op::Leave, |room| Command::Leave { room }),
        "help" => Line::Help,
        "quit" => Line::Quit,
        _ => Line::Unknown(word),
    }
}

fn say<'a>(target: Option<Target<'a>>, text: &'a str, limits: &Limits) -> Line<'a> {
    let Some(target) = target else {
        return Line::NoRoom;
    };
    if text.len() > limits.message_bytes {
        return too_large(limits.message_bytes);
    }
    let text = match clean(text) {
        Ok(text) => text,
        Err(refused) => return refused,
    };
    let weight = encoded_len_max(&text, None, None);
    let send = Send {
        target,
        text,
        cid: None,
        reply_to: None,
        thread: None,
        data: None,
        echo: false,
        weight,
    };
    Line::Command(Op::Send, Command::Send(send))
}

fn history<'a>(count: &str, current: Option<&'a str>) -> Line<'a> {
    let Some(room) = current else {
        return Line::NoRoom;
    };
    let limit = if count.is_empty() { Some(HISTORY_LIMIT) } else { count.parse().ok() };
    let Some(limit) = limit.filter(|&limit| limit > 0) else {
        return Line::Usage("/history 20");
    };
    let page = Page::Latest;
    let command = Command::History { room: room.into(), page, limit: Some(limit), epoch: None };
    Line::Command(Op::History, command)
}

fn topic<'a>(text: &'a str, current: Option<&'a str>) -> Line<'a> {
    let Some(room) = current else {
        return Line::NoRoom;
    };
    if text.len() > TOPIC_LEN_MAX {
        return too_large(TOPIC_LEN_MAX);
    }
    let text = if text.is_empty() { Ok(None) } else { clean(text).map(Some) };
    let text = match text {
        Ok(text) => text,
        Err(refused) => return refused,
    };
    let weight = encoded_len_max(text.as_deref().unwrap_or_default(), None, None);
    Line::Command(Op::Topic, Command::Topic { room: room.into(), text, weight })
}

/// What is said, as it may be stored.
///
/// # Errors
///
/// The refusal of a text with control characters, or of one that nobody would see.
fn clean(text: &str) -> Result<Cow<'_, str>, Line<'static>> {
    let refused = |message: String, expected| {
        let refusal = Refusal::new(Code::BadField, message).field("text", expected);
        Line::Refused(Box::new(refusal))
    };
    match prose::clean(text.into()) {
        Ok(text) if prose::is_blank(&text) => {
            Err(refused("the text is blank".into(), "a text that can be seen"))
        }
        Ok(text) => Ok(text),
        Err(prose::Control { character, at }) => {
            let code = u32::from(character);
            let message = format!("the text has the control character U+{code:04X} at byte {at}");
            Err(refused(message, prose::EXPECTED))
        }
    }
}

fn room(current: Option<&str>) -> Option<Target<'_>> {
    current.map(|room| Target::Room(room.into()))
}

/// The first word of `line`, and the rest of it without the blanks around.
fn split_word(line: &str) -> (&str, &str) {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim_start())
}

fn too_large(limit: usize) -> Line<'static> {
    let refusal = Refusal::new(Code::TooLarge, format!("the text is longer than {limit} bytes"));
    Line::Refused(Box::new(refusal.limit(limit)))
}

fn refused(code: Code, message: &'static str) -> Line<'static> {
    Line::Refused(Box::new(Refusal::new(code, message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { message_bytes: 10, ..Limits::default() }
    }

    #[track_caller]
    fn check(line: &str, expect: &Line<'_>) {
        assert_eq!(parse_line(line.as_bytes(), Some("lobby"), &limits()), *expect, "{line:?}");
    }

    fn send(target: Target<'static>, text: &'static str) -> Line<'static> {
        say(Some(target), text, &limits())
    }

    #[test]
    fn a_line_is_said_in_the_current_room() {
        let lobby = || Target::Room("lobby".into());
        check("hi there", &send(lobby(), "hi there"));
        check("  hi\r", &send(lobby(), "  hi"));
        check("//hi", &send(lobby(), "/hi"));
        check(" /hi", &send(lobby(), " /hi"));
        check("", &Line::Nothing);
        check(" \t\r", &Line::Nothing);
        assert_eq!(parse_line(b"hi", None, &limits()), Line::NoRoom);
        let Line::Command(Op::Send, Command::Send(send)) = send(lobby(), "a\"b") else { panic!() };
        assert_eq!((send.weight, send.cid, send.data), (4, None, None));
    }

    #[test]
    fn each_command_is_read() {
        let room = || Cow::from("tea");
        let join = Command::Join { room: room(), after: None, epoch: None };
        check("/join tea", &Line::Command(Op::Join, join.clone()));
        check("/JOIN  #tea ", &Line::Command(Op::Join, join));
        check("/nick  Ann ", &Line::Nick("Ann"));
        check("/msg bob  hi you", &send(Target::User("bob".into()), "hi you"));
        check("/who", &Line::Command(Op::Presence, Command::Presence { room: "lobby".into() }));
        check("/who tea", &Line::Command(Op::Presence, Command::Presence { room: room() }));
        check("/rooms", &Line::Command(Op::Rooms, Command::Rooms { since: None }));
        check("/leave", &Line::Command(Op::Leave, Command::Leave { room: "lobby".into() }));
        check("/help", &Line::Help);
        check("/quit", &Line::Quit);
        check("/jion x", &Line::Unknown("jion"));
        check("/", &Line::Unknown(""));
    }

    #[test]
    fn history_and_topic_are_those_of_the_current_room() {
        let history = |limit| Command::History {
            room: "lobby".into(),
            page: Page::Latest,
            limit: Some(limit),
            epoch: None,
        };
        check("/history", &Line::Command(Op::History, history(20)));
        check("/history 5", &Line::Command(Op::History, history(5)));
        let topic = |text: Option<&'static str>, weight| Command::Topic {
            room: "lobby".into(),
            text: text.map(Cow::from),
            weight,
        };
        check("/topic", &Line::Command(Op::Topic, topic(None, 0)));
        check("/topic a b", &Line::Command(Op::Topic, topic(Some("a b"), 3)));
    }

    #[test]
    fn what_is_missing_is_said() {
        for line in ["/history", "/topic", "/who", "/leave", "hi", "//hi"] {
            assert_eq!(parse_line(line.as_bytes(), None, &limits()), Line::NoRoom, "{line}");
        }
        check("/join", &Line::Usage("/join lobby"));
        check("/join #", &Line::Usage("/join lobby"));
        check("/nick ", &Line::Usage("/nick ann"));
        check("/msg bob", &Line::Usage("/msg bob hi"));
        check("/msg", &Line::Usage("/msg bob hi"));
        check("/history 0", &Line::Usage("/history 20"));
        check("/history all", &Line::Usage("/history 20"));
    }

    #[test]
    fn what_cannot_be_taken_is_refused() {
        let code = |line: &[u8]| match parse_line(line, Some("lobby"), &limits()) {
            Line::Refused(refusal) => Some(refusal.code),
            _ => None,
        };
        assert_eq!(code(b"0123456789"), None);
        assert_eq!(code(b"01234567890"), Some(Code::TooLarge));
        assert_eq!(code(format!("/topic {}", "x".repeat(513)).as_bytes()), Some(Code::TooLarge));
        assert_eq!(code(b"\xff"), Some(Code::BadField));
        assert_eq!(code(b"a\0b"), Some(Code::BadField));
        assert_eq!(code(b"ab\r\0"), None);
        assert_eq!(code(b"a\x1b[2Jb"), Some(Code::BadField));
        assert_eq!(code(b"a\tb"), None);
        assert_eq!(code(b"/topic \x07"), Some(Code::BadField));
        assert_eq!(code("\u{200b}".as_bytes()), Some(Code::BadField));
        assert_eq!(code("/msg bob \u{2800}".as_bytes()), Some(Code::BadField));
    }
}
