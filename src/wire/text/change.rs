//! `/edit new words`, `/delete`, `/react bob 👍`: what a person does to a message of lately.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::Line;
use super::answer::parts;
use super::commands::Verb;
use crate::chat::model::command::{Command, Op};
use crate::chat::model::limits::EMOJI_LEN_MAX;
use crate::chat::model::meant_message::Meant;
use crate::wire::encoded_len_max;

/// What is done to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// It gets another text.
    Text(&'a str),
    /// It is deleted.
    Deletion,
    /// It gets a reaction.
    Reaction(&'a str),
}

impl<'a> Change<'a> {
    /// The command that does it to the message `target` of `room`.
    #[must_use]
    pub fn command(self, room: &'a str, target: u64) -> (Op, Command<'a>) {
        let weight = |text| encoded_len_max(text, None, None);
        let room = room.into();
        match self {
            Self::Text(text) => {
                let weight = weight(text);
                (Op::Edit, Command::Edit { room, target, text: text.into(), weight })
            }
            Self::Deletion => (Op::Delete, Command::Delete { room, target }),
            Self::Reaction(emoji) => {
                let (weight, emoji) = (weight(emoji), emoji.into());
                (Op::React, Command::React { room, target, emoji, remove: false, weight })
            }
        }
    }
}

fn is_reaction(emoji: &str) -> bool {
    emoji.len() <= EMOJI_LEN_MAX && !emoji.contains(|c: char| c.is_control() || c.is_whitespace())
}

/// The line of a change in the room of lines; `None` if it needs more, or less, than `rest`. `say`
/// makes a line of a text, or refuses it.
pub(super) fn parse<'a>(
    verb: Verb,
    rest: &'a str,
    say: impl FnOnce(&'a str) -> Line<'a>,
) -> Option<Line<'a>> {
    let (of, change, said) = match verb {
        Verb::Delete => (None, Change::Deletion, rest.is_empty().then_some("x")?),
        Verb::React => {
            let (of, emoji) = parts(rest)?;
            (Some(of), Change::Reaction(emoji), Some(emoji).filter(|it| is_reaction(it))?)
        }
        _ => (None, Change::Text(rest), Some(rest).filter(|text| !text.is_empty())?),
    };
    Some(match say(said) {
        Line::Command(..) => Line::Change(of, change),
        refused => refused,
    })
}

/// Which message is changed: the one that is meant, or else the last one of `me`.
#[must_use]
pub fn changed<'a>(of: Option<Meant<'a>>, me: &'a str) -> Meant<'a> {
    of.unwrap_or(Meant::From(me))
}

#[cfg(test)]
mod tests {
    use super::super::parse_line;
    use super::*;
    use crate::chat::model::limits::Limits;

    #[track_caller]
    fn check(line: &str, expect: &Line<'_>) {
        let limits = Limits { message_bytes: 10, ..Limits::default() };
        assert_eq!(parse_line(line.as_bytes(), Some("lobby"), &limits), *expect, "{line}");
    }

    #[test]
    fn ones_own_last_message_is_changed_and_any_other_gets_a_reaction() {
        check("/edit new words", &Line::Change(None, Change::Text("new words")));
        check("/edit", &Line::Usage("/edit new words"));
        check("/delete", &Line::Change(None, Change::Deletion));
        check("/delete bob", &Line::Usage("/delete"));
        check("/react bob 👍", &Line::Change(Some(Meant::From("bob")), Change::Reaction("👍")));
        let words = Some(Meant::Words("see you"));
        check("/react \"see you\" 👍", &Line::Change(words, Change::Reaction("👍")));
        check("/react 👍", &Line::Usage("/react bob 👍"));
        for said in ["x".repeat(65), "see you later".to_owned(), "a\tb".to_owned()] {
            check(&format!("/react bob {said}"), &Line::Usage("/react bob 👍"));
        }
    }

    #[test]
    fn what_could_not_be_said_is_no_edit_and_without_a_room_there_is_none() {
        let limits = Limits { message_bytes: 10, ..Limits::default() };
        for (line, room) in [("/edit eleven bytes", Some("lobby")), ("/edit \u{2060}", Some("a"))] {
            let parsed = parse_line(line.as_bytes(), room, &limits);
            assert!(matches!(parsed, Line::Refused(_)), "{line} {parsed:?}");
        }
        for line in ["/edit x", "/delete", "/react bob x"] {
            let parsed = parse_line(line.as_bytes(), None, &limits);
            assert!(matches!(parsed, Line::NoRoom(_)), "{line} {parsed:?}");
        }
    }
}
