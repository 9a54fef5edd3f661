//! A person's lines into commands.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;

use super::commands::{Meaning, Verb, meaning};
use super::words::{self, named, person, split_word};
use super::{Line, account, answer, change, people, rooms};
use crate::chat::model::code::Code;
use crate::chat::model::command::{Command, ModerationCommand, Op, Page, Send, Target};
use crate::chat::model::limits::{Limits, REASON_LEN_MAX, SEARCH_LEN_MAX, TOPIC_LEN_MAX};
use crate::chat::model::prose;
use crate::chat::model::reply::{Refusal, Role};
use crate::time::span;
use crate::wire::encoded_len_max;

/// Records that `/history` shows by default, and `/search`: about a screen.
const SHOWN_LIMIT: u32 = 20;
/// Why what nobody would see is refused.
const BLANK: &str = "a message needs more than blanks";
const BLANK_TOPIC: &str = "a topic needs more than blanks; /topic - removes it";

/// Reads a line. Lines and commands without a room refer to `current`, the room joined last.
#[must_use]
pub fn parse_line<'a>(line: &'a [u8], current: Option<&'a str>, limits: &Limits) -> Line<'a> {
    let Ok(line) = simdutf8::basic::from_utf8(line) else {
        return refused(Code::BadField, "the line is not UTF-8");
    };
    let line = line.trim_end_matches(['\r', '\0']);
    if line.is_empty() {
        return Line::Nothing;
    }
    if let Err(prose::Control { character, at }) = prose::clean(line.into()) {
        let code = u32::from(character);
        let message = format!("the line has the control character U+{code:04X} at byte {at}");
        let refusal = Refusal::new(Code::BadField, message).field("text", prose::EXPECTED);
        return Line::Refused(Box::new(refusal));
    }
    if prose::is_blank(line) {
        return refused(Code::BadField, BLANK);
    }
    let commands = Commands { current, limits };
    // A leading space keeps a line from being a command, so that paths can be sent.
    // A keyboard for Chinese or Japanese has a wide slash.
    match line.strip_prefix(['/', '\u{ff0f}']) {
        Some(said) if said.starts_with(['/', '\u{ff0f}']) => commands.say(said),
        Some(command) => commands.parse(command),
        None if account::is_secret(line) => {
            commands.parse(line.trim_start().trim_start_matches(['/', '\u{ff0f}']))
        }
        // The first thing that many a newcomer types.
        None if ["help", "?"].contains(&&*line.trim_end().to_lowercase()) => Line::Help(""),
        None => commands.say(line),
    }
}

/// What commands refer to.
#[derive(Clone, Copy)]
struct Commands<'a, 'l> {
    current: Option<&'a str>,
    limits: &'l Limits,
}

impl<'a> Commands<'a, '_> {
    /// Reads what stands after a `/`.
    fn parse(self, line: &'a str) -> Line<'a> {
        let (word, rest) = split_word(line);
        match meaning(word) {
            Meaning::Command(verb, form) => self.command(verb, rest).unwrap_or(Line::Usage(form)),
            Meaning::Hint(hint) => Line::Hint(hint),
            Meaning::Unknown => Line::Unknown(word),
        }
    }

    /// `None` if the command needs more than `rest`.
    fn command(self, verb: Verb, rest: &'a str) -> Option<Line<'a>> {
        let say = |text: &'a str| self.say(text);
        let (limit, after) = (None, None);
        Some(match verb {
            Verb::Nick | Verb::Me | Verb::Say if rest.is_empty() => return None,
            Verb::Nick => Line::Nick(rest),
            Verb::Join => rooms::join(named(rest)?),
            Verb::Leave => self.in_room(rest, Op::Leave, |room| Command::Leave { room }),
            Verb::Close => self.in_room(rest, Op::Leave, |room| Command::LeaveAndClose { room }),
            Verb::Msg => self.message(rest)?,
            Verb::Reply => answer::parse(rest, say, Line::Answer)?,
            Verb::Thread => answer::parse(rest, say, Line::InThread)?,
            Verb::Edit | Verb::Delete | Verb::React => change::parse(verb, rest, say)?,
            Verb::Me => self.send(self.room(), format!("*{rest}*").into()),
            Verb::Say => self.say(rest),
            Verb::Who => self.in_room(rest, Op::Presence, |room| Command::Presence { room }),
            Verb::Members => {
                self.in_room(rest, Op::Members, |room| Command::Members { room, limit, after })
            }
            Verb::Rooms => Line::Command(Op::Rooms, Command::Rooms { since: None }),
            Verb::List => rooms::list(rest),
            Verb::History => self.history(rest)?,
            Verb::Search => search(rest)?,
            Verb::Topic => self.topic(rest),
            Verb::Rename => {
                let name = named(rest)?.into();
                self.in_room("", Op::Rename, |room| Command::Rename { room, name })
            }
            Verb::End => self.end(rest)?,
            Verb::Create => rooms::create(rest)?,
            Verb::Invite => self.invite(Op::Invite, rest, |room, user| {
                let reason = "".into();
                Command::Invite { room, user, reason }
            })?,
            Verb::Uninvite => {
                self.invite(Op::Uninvite, rest, |room, user| Command::Uninvite { room, user })?
            }
            Verb::Bans => self.in_room(rest, Op::Restrictions, |room| Command::Restrictions {
                room,
                limit: None,
                after: None,
            }),
            Verb::Kick => self.moderate(Op::Kick, rest, ModerationCommand::Kick)?,
            Verb::Unmute => self.moderate(Op::Mute, rest, ModerationCommand::Mute(Some(0)))?,
            Verb::Unban => self.moderate(Op::Unban, rest, ModerationCommand::Unban)?,
            Verb::Mute => self.moderate_for(Op::Mute, rest, ModerationCommand::Mute)?,
            Verb::Ban => self.moderate_for(Op::Ban, rest, ModerationCommand::Ban)?,
            Verb::Role => self.role(rest)?,
            Verb::Register
            | Verb::Login
            | Verb::Password
            | Verb::Logins
            | Verb::EndLogin
            | Verb::InviteLink
            | Verb::Accept => Line::Account(account::parse(verb, rest)?),
            Verb::Block
            | Verb::Unblock
            | Verb::Blocked
            | Verb::Whois
            | Verb::Display
            | Verb::Status
            | Verb::Color
            | Verb::Report
            | Verb::Reports
            | Verb::Settle
            | Verb::Away
            | Verb::Back
            | Verb::Audit => people::parse(verb, (rest, self.current))?,
            Verb::Help => Line::Help(rest),
            Verb::Quit => Line::Quit,
        })
    }

    fn say(self, text: &'a str) -> Line<'a> {
        match self.room() {
            None if text.trim().contains(char::is_whitespace) => Line::NoRoom(""),
            None => Line::NoRoom(text.trim()),
            target => self.send(target, text.into()),
        }
    }

    fn send(self, target: Option<Target<'a>>, text: Cow<'a, str>) -> Line<'a> {
        let Some(target) = target else { return Line::NoRoom("") };
        if text.len() > self.limits.message_bytes {
            return too_large("text", self.limits.message_bytes);
        }
        if prose::is_blank(&text) {
            return refused(Code::BadField, BLANK);
        }
        let send = Send {
            target,
            weight: encoded_len_max(&text, None, None),
            text,
            cid: None,
            reply_to: None,
            thread: None,
            data: None,
            echo: false,
        };
        Line::Command(Op::Send, Command::Send(send))
    }

    /// `bob hi`, or `bob` alone.
    fn message(self, rest: &'a str) -> Option<Line<'a>> {
        match split_word(rest) {
            ("", _) => None,
            (user, "") => Some(Line::Talk(person(user))),
            (user, text) => Some(self.send(Some(Target::User(person(user).into())), text.into())),
        }
    }

    fn room(self) -> Option<Target<'a>> {
        self.current.map(|room| Target::Room(room.into()))
    }

    /// A command about the room that is named, or the current one.
    fn in_room(
        self,
        rest: &'a str,
        op: Op,
        command: impl FnOnce(Cow<'a, str>) -> Command<'a>,
    ) -> Line<'a> {
        match named(rest).or(self.current) {
            Some(room) => Line::Command(op, command(room.into())),
            None => Line::NoRoom(""),
        }
    }

    /// `20`, `lobby` or `lobby 20`.
    fn history(self, rest: &'a str) -> Option<Line<'a>> {
        let (first, second) = split_word(rest);
        let is_count = first.bytes().all(|byte| byte.is_ascii_digit());
        let (room, count) = if is_count { ("", first) } else { (first, second) };
        let limit = if count.is_empty() { Some(SHOWN_LIMIT) } else { words::count(count) };
        let limit = Some(limit.filter(|&limit| limit > 0)?);
        Some(self.in_room(room, Op::History, |room| Command::History {
            room,
            page: Page::Latest,
            limit,
            epoch: None,
        }))
    }

    fn topic(self, text: &'a str) -> Line<'a> {
        if text.len() > TOPIC_LEN_MAX {
            return too_large("topic", TOPIC_LEN_MAX);
        }
        let text = match text {
            "" => None,
            "-" => Some(""),
            text if prose::is_blank(text) => return refused(Code::BadField, BLANK_TOPIC),
            text => Some(text),
        };
        let weight = encoded_len_max(text.unwrap_or_default(), None, None);
        let text = text.map(Cow::Borrowed);
        self.in_room("", Op::Topic, |room| Command::Topic { room, text, weight })
    }

    fn end(self, rest: &'a str) -> Option<Line<'a>> {
        let (sure, reason) = rooms::end(rest)?;
        if reason.len() > REASON_LEN_MAX {
            return Some(too_large("reason", REASON_LEN_MAX));
        }
        let reason = reason.into();
        Some(self.in_room("", Op::Close, |room| Command::Close { room, reason, sure }))
    }

    /// `bob`, or `bob den`.
    fn invite(
        self,
        op: Op,
        rest: &'a str,
        command: fn(Cow<'a, str>, Cow<'a, str>) -> Command<'a>,
    ) -> Option<Line<'a>> {
        let (user, room) = split_word(rest);
        let user = Some(person(user)).filter(|user| !user.is_empty())?;
        Some(self.in_room(room, op, |room| command(room, user.into())))
    }

    /// `bob`, or `bob a reason`.
    fn moderate(self, op: Op, rest: &'a str, command: ModerationCommand) -> Option<Line<'a>> {
        let (user, reason) = split_word(rest);
        if user.is_empty() {
            return None;
        }
        if reason.len() > REASON_LEN_MAX {
            return Some(too_large("reason", REASON_LEN_MAX));
        }
        let (user, weight) = (person(user).into(), encoded_len_max(reason, None, None));
        let reason = reason.into();
        Some(self.in_room("", op, |room| Command::Moderate { room, user, command, reason, weight }))
    }

    /// `bob`, `bob 10m`, `bob a reason` or `bob 10m a reason`.
    fn moderate_for(
        self,
        op: Op,
        rest: &'a str,
        command: fn(Option<u64>) -> ModerationCommand,
    ) -> Option<Line<'a>> {
        let (user, behind) = split_word(rest);
        let (time, reason) = split_word(behind);
        if !time.starts_with(|c: char| c.is_ascii_digit()) {
            return self.moderate(op, rest, command(None));
        }
        let Some(for_ms) = words::time(time).filter(|for_ms| *for_ms > 0) else {
            // Not a reason: who means ten minutes must not act for good.
            let refusal = Refusal::new(Code::BadField, "how long is this?");
            return Some(Line::Refused(Box::new(refusal.field("for_ms", span::UNITS_ARE))));
        };
        // The reason only, after the name.
        let line = self.moderate(op, user, command(Some(for_ms)))?;
        Some(with_reason(line, reason))
    }

    fn role(self, rest: &'a str) -> Option<Line<'a>> {
        let (user, role) = split_word(rest);
        let (word, reason) = split_word(role);
        let role = match word {
            "owner" => Role::Owner,
            "moderator" | "mod" => Role::Moderator,
            "member" => Role::Member,
            "reader" => Role::Reader,
            _ => return None,
        };
        let line = self.moderate(Op::Role, user, ModerationCommand::Role(role))?;
        Some(with_reason(line, reason))
    }
}

/// An act of moderation with its reason.
fn with_reason<'a>(line: Line<'a>, why: &'a str) -> Line<'a> {
    match line {
        _ if why.len() > REASON_LEN_MAX => too_large("reason", REASON_LEN_MAX),
        Line::Command(op, Command::Moderate { room, user, command, .. }) => {
            let weight = encoded_len_max(why, None, None);
            let reason = why.into();
            Line::Command(op, Command::Moderate { room, user, command, reason, weight })
        }
        other => other,
    }
}

fn search(words: &str) -> Option<Line<'_>> {
    if words.is_empty() {
        return None;
    }
    if words.len() > SEARCH_LEN_MAX {
        return Some(too_large("text", SEARCH_LEN_MAX));
    }
    let (text, limit) = (words.into(), Some(SHOWN_LIMIT));
    Some(Line::Command(Op::Search, Command::Search { room: None, text, before: None, limit }))
}

fn too_large(what: &str, limit: usize) -> Line<'static> {
    let refusal = Refusal::new(Code::TooLarge, format!("the {what} is longer than {limit} bytes"));
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
        Commands { current: None, limits: &limits() }.send(Some(target), text.into())
    }

    #[test]
    fn a_line_is_said_in_the_current_room() {
        let lobby = || Target::Room("lobby".into());
        check("hi there", &send(lobby(), "hi there"));
        check("  hi\r", &send(lobby(), "  hi"));
        check("//hi", &send(lobby(), "/hi"));
        check(" /hi", &send(lobby(), " /hi"));
        check("", &Line::Nothing);
        check("\r", &Line::Nothing);
        assert_eq!(parse_line(b"hi you", None, &limits()), Line::NoRoom(""));
        assert_eq!(parse_line(b"quit", None, &limits()), Line::NoRoom("quit"));
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
        for help in ["/help", "/h", "/?", "help", "?", "HELP "] {
            check(help, &Line::Help(""));
        }
        check("/help ban", &Line::Help("ban"));
        check("help me", &send(Target::Room("lobby".into()), "help me"));
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
        check("/topic -", &Line::Command(Op::Topic, topic(Some(""), 0)));
    }

    #[test]
    fn what_is_missing_is_said() {
        for line in ["/history", "/topic", "/who", "/leave", "hi", "//hi"] {
            let parsed = parse_line(line.as_bytes(), None, &limits());
            assert!(matches!(parsed, Line::NoRoom(_)), "{line} {parsed:?}");
        }
        check("/join", &Line::Usage("/join lobby"));
        check("/join #", &Line::Usage("/join lobby"));
        check("/nick ", &Line::Usage("/nick ann"));
        check("/msg", &Line::Usage("/msg bob hi"));
        check("/history 0", &Line::Usage("/history 20"));
    }

    #[test]
    fn what_is_a_habit_elsewhere_is_understood() {
        let lobby = || Target::Room("lobby".into());
        check("/j tea", &rooms::join("tea"));
        check("\u{ff0f}join tea", &rooms::join("tea"));
        check("/part", &Line::Command(Op::Leave, Command::Leave { room: "lobby".into() }));
        check("/query bob", &Line::Talk("bob"));
        check("/msg @bob", &Line::Talk("bob"));
        check("/whisper bob hi", &send(Target::User("bob".into()), "hi"));
        check("/exit", &Line::Quit);
        check("/me waves", &send(lobby(), "*waves*"));
        check("/names", &Line::Command(Op::Presence, Command::Presence { room: "lobby".into() }));
        assert!(matches!(parse_line(b"/op bob", None, &limits()), Line::Hint(_)));
    }

    #[test]
    fn an_act_takes_a_time_and_a_reason() {
        let moderate = |op, command, reason: &'static str| {
            let weight = u32::try_from(reason.len()).unwrap();
            let (room, user, reason) = ("lobby".into(), "bob".into(), reason.into());
            Line::Command(op, Command::Moderate { room, user, command, reason, weight })
        };
        let mute = |for_ms, reason| moderate(Op::Mute, ModerationCommand::Mute(for_ms), reason);
        check("/mute bob", &mute(None, ""));
        check("/mute bob 10m", &mute(Some(600_000), ""));
        check("/mute bob 1w  a b", &mute(Some(604_800_000), "a b"));
        check("/mute bob spam 10m", &mute(None, "spam 10m"));
        check("/unmute bob", &mute(Some(0), ""));
        check("/kick bob 2 much", &moderate(Op::Kick, ModerationCommand::Kick, "2 much"));
        check("/ban @bob 1y", &moderate(Op::Ban, ModerationCommand::Ban(Some(31_536_000_000)), ""));
        let moderator = ModerationCommand::Role(Role::Moderator);
        check("/role bob mod", &moderate(Op::Role, moderator, ""));
        check("/role bob king", &Line::Usage("/role bob moderator"));
        check("/kick", &Line::Usage("/kick bob spam"));
        for line in ["/mute bob 10", "/ban bob 10 minutes", "/mute bob 0m"] {
            let parsed = parse_line(line.as_bytes(), Some("lobby"), &limits());
            let Line::Refused(refusal) = parsed else { panic!("{line} {parsed:?}") };
            assert!(
                refusal.expected.is_some_and(|what| what.contains("10m") || what.contains("30m"))
            );
        }
    }

    #[test]
    fn a_message_of_blanks_is_refused_in_words() {
        for line in [" ", " \t\r", "\u{3000}", "\u{a0}"] {
            let parsed = parse_line(line.as_bytes(), Some("lobby"), &limits());
            let Line::Refused(refusal) = parsed else { panic!("{line:?} {parsed:?}") };
            assert_eq!(refusal.message, "a message needs more than blanks");
        }
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
        assert_eq!(code("/topic \u{200b}".as_bytes()), Some(Code::BadField));
        assert_eq!(code("\u{200b}".as_bytes()), Some(Code::BadField));
        assert_eq!(code("/msg bob \u{2800}".as_bytes()), Some(Code::BadField));
    }
}
